//! What goes wrong, and when.

use super::{Duration, Event, FAULT_EVERY, Fault, World, below, between, chance};

/// A wall clock jumps by so much at most.
const JUMP_MS: usize = 240_000;

impl World {
    /// Something goes wrong: now, or at the next occasion for it.
    pub(super) fn fault(&mut self) {
        if self.calm {
            return;
        }
        let next = FAULT_EVERY.mul_f64(self.faults.exponential(1.0));
        self.after(next, Event::Fault);
        let fault = Fault::ALL[below(&mut self.faults, Fault::ALL.len())];
        let replica = below(&mut self.faults, self.replicas.len());
        let aimed = chance(&mut self.faults, 0.5);
        match fault {
            Fault::WebhookDuplicated | Fault::WebhookLate | Fault::WebhookReordered | Fault::AcknowledgementLost => {
                self.armed.insert(fault);
            }
            // Half of these strike the leader in the middle of an act.
            Fault::Partition | Fault::Pause if aimed => self.arm_leader(fault),
            Fault::Partition => self.cut(replica),
            Fault::Pause => self.pause(replica),
            Fault::LogDown => {
                self.counts.note(fault);
                self.log_down_until = self.now + between(&mut self.faults, Duration::from_secs(2), Duration::from_secs(12));
            }
            Fault::Crash => self.crash(replica, fault),
            Fault::CheckpointLost if self.log.lose_checkpoint() => self.counts.note(fault),
            Fault::CheckpointDamaged => {
                let bit = below(&mut self.faults, 1 << 20);
                if self.log.damage_checkpoint(bit) {
                    self.counts.note(fault);
                }
            }
            Fault::CheckpointLost => {}
            Fault::ClockForward | Fault::ClockBack => {
                self.counts.note(fault);
                let jump = self.jump();
                self.replicas[replica].wall_error += if fault == Fault::ClockForward { jump } else { -jump };
            }
            Fault::CrashBetweenIntentAndResult | Fault::TargetAnswerLost | Fault::TargetUnreachable => self.arm_leader(fault),
            Fault::MessageDelayed
            | Fault::MessageLost
            | Fault::AnswerLost
            | Fault::CrashBeforeAcknowledgement
            | Fault::CrashAfterSpooling
            | Fault::CrashWhileDraining
            | Fault::CrashAtTheCursor
            | Fault::SpoolFails
            | Fault::SpoolFull
            | Fault::TablesFail
            | Fault::ClockSkewed => _ = self.replicas[replica].armed.insert(fault),
        }
    }

    fn arm_leader(&mut self, fault: Fault) {
        let leader = self.leader();
        self.replicas[leader].armed.insert(fault);
    }

    /// Microseconds by which a clock is off.
    fn jump(&mut self) -> i64 {
        i64::try_from(below(&mut self.faults, JUMP_MS) * 1_000).unwrap_or(0)
    }

    /// A replica cannot reach the log for a while.
    pub(super) fn cut(&mut self, replica: usize) {
        self.counts.note(Fault::Partition);
        self.replicas[replica].cut_until =
            self.now + between(&mut self.faults, Duration::from_secs(2), Duration::from_secs(20));
    }

    /// A process stands still for longer than a lease lasts.
    pub(super) fn pause(&mut self, replica: usize) {
        if self.replicas[replica].process.is_some() {
            self.counts.note(Fault::Pause);
            let span = between(&mut self.faults, Duration::from_secs(10), Duration::from_secs(18));
            self.replicas[replica].paused_until = self.now + span;
        }
    }

    /// A process dies; it is started again.
    pub(super) fn crash(&mut self, replica: usize, fault: Fault) {
        if self.replicas[replica].process.take().is_some() {
            self.counts.note(fault);
            self.wakes[replica] = None;
            let rests = between(&mut self.faults, Duration::from_millis(200), Duration::from_secs(12));
            self.after(rests, Event::Start(replica));
        }
    }

    /// A replica starts.
    pub(super) fn start(&mut self, replica: usize) {
        if self.replicas[replica].process.is_some() {
            return;
        }
        if self.replicas[replica].takes(Fault::ClockSkewed) {
            self.counts.note(Fault::ClockSkewed);
            let (skew, behind) = (self.jump(), chance(&mut self.faults, 0.5));
            self.replicas[replica].wall_error = if behind { -skew } else { skew };
        }
        self.replicas[replica].start(self.now, &self.log, self.planted);
        self.look(replica, Duration::ZERO);
    }
}
