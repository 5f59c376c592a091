//! What can go wrong, and how often each of it did.

use std::fmt;

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Network: a message to the log arrives late, after its sender gave up.
    MessageDelayed,
    /// Network: a message to the log never arrives.
    MessageLost,
    /// Network: the log did what it was asked; the answer never arrives.
    AnswerLost,
    /// Network: a replica cannot reach the log for a while.
    Partition,
    /// Network: no replica can; or the log's server is down.
    LogDown,
    /// Network: a webhook is delivered twice.
    WebhookDuplicated,
    /// Network: a webhook is delivered seconds late.
    WebhookLate,
    /// Network: a webhook is overtaken by a later one of its payment.
    WebhookReordered,
    /// Network: "I have it" never reaches the sender.
    AcknowledgementLost,
    /// Network: the target did what it was asked; the answer never arrives.
    TargetAnswerLost,
    /// Network: the target cannot be reached.
    TargetUnreachable,
    /// Process: a replica dies at any moment.
    Crash,
    /// Process: a replica dies after an act was sent, before its result is in the log.
    CrashBetweenIntentAndResult,
    /// Process: a replica dies after the log took an event, before the sender is told.
    CrashBeforeAcknowledgement,
    /// Process: a replica dies after the spool took an event, before the sender is told.
    CrashAfterSpooling,
    /// Process: a replica dies after the log took a spooled batch, before the spool forgot it.
    CrashWhileDraining,
    /// Process: a replica dies while rows and cursor are written.
    CrashAtTheCursor,
    /// Process: a replica stands still for longer than its lease.
    Pause,
    /// Disk: the spool cannot be written.
    SpoolFails,
    /// Disk: the spool has no room.
    SpoolFull,
    /// Disk: the tables cannot be written.
    TablesFail,
    /// Disk: the newest checkpoint is gone.
    CheckpointLost,
    /// Disk: the newest checkpoint is damaged.
    CheckpointDamaged,
    /// Clock: a replica starts with a wall clock that is off.
    ClockSkewed,
    /// Clock: a replica's wall clock jumps forward.
    ClockForward,
    /// Clock: a replica's wall clock jumps back.
    ClockBack,
}

impl Fault {
    /// Every kind, in the order of the enumeration.
    pub const ALL: [Self; 26] = [
        Self::MessageDelayed,
        Self::MessageLost,
        Self::AnswerLost,
        Self::Partition,
        Self::LogDown,
        Self::WebhookDuplicated,
        Self::WebhookLate,
        Self::WebhookReordered,
        Self::AcknowledgementLost,
        Self::TargetAnswerLost,
        Self::TargetUnreachable,
        Self::Crash,
        Self::CrashBetweenIntentAndResult,
        Self::CrashBeforeAcknowledgement,
        Self::CrashAfterSpooling,
        Self::CrashWhileDraining,
        Self::CrashAtTheCursor,
        Self::Pause,
        Self::SpoolFails,
        Self::SpoolFull,
        Self::TablesFail,
        Self::CheckpointLost,
        Self::CheckpointDamaged,
        Self::ClockSkewed,
        Self::ClockForward,
        Self::ClockBack,
    ];

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessageDelayed => "network: message to the log delayed",
            Self::MessageLost => "network: message to the log lost",
            Self::AnswerLost => "network: answer of the log lost",
            Self::Partition => "network: partition",
            Self::LogDown => "network: log down",
            Self::WebhookDuplicated => "network: webhook duplicated",
            Self::WebhookLate => "network: webhook late",
            Self::WebhookReordered => "network: webhook reordered",
            Self::AcknowledgementLost => "network: acknowledgement lost",
            Self::TargetAnswerLost => "network: answer of the target lost",
            Self::TargetUnreachable => "network: target unreachable",
            Self::Crash => "process: crash",
            Self::CrashBetweenIntentAndResult => "process: crash between intent and result",
            Self::CrashBeforeAcknowledgement => "process: crash between append and acknowledgement",
            Self::CrashAfterSpooling => "process: crash between spool and acknowledgement",
            Self::CrashWhileDraining => "process: crash between append and forgetting of a spooled batch",
            Self::CrashAtTheCursor => "process: crash while rows and cursor are written",
            Self::Pause => "process: pause longer than the lease",
            Self::SpoolFails => "disk: spool write fails",
            Self::SpoolFull => "disk: spool full",
            Self::TablesFail => "disk: table write fails",
            Self::CheckpointLost => "disk: checkpoint lost",
            Self::CheckpointDamaged => "disk: checkpoint damaged",
            Self::ClockSkewed => "clock: skewed at the start",
            Self::ClockForward => "clock: jump forward",
            Self::ClockBack => "clock: jump back",
        }
    }
}

/// How often what happened. Sums over seeds add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Seeds run.
    pub seeds: u64,
    /// Entries appended.
    pub entries: u64,
    /// Leaderships after a seed's first.
    pub take_overs: u64,
    /// Acts sent to the target.
    pub acts: u64,
    /// Events that went through a spool.
    pub spooled: u64,
    faults: [u64; Fault::ALL.len()],
}

impl Counts {
    /// Of a seed that begins.
    pub(super) fn of_one_seed() -> Self {
        Self { seeds: 1, ..Self::default() }
    }

    /// Counts a fault that happened.
    pub(super) const fn note(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }

    /// How often a fault happened.
    #[must_use]
    pub const fn of(&self, fault: Fault) -> u64 {
        self.faults[fault as usize]
    }

    /// Faults of every kind.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults.iter().sum()
    }

    /// Adds another seed's, or another run's.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.entries += other.entries;
        self.take_overs += other.take_overs;
        self.acts += other.acts;
        self.spooled += other.spooled;
        for (sum, more) in self.faults.iter_mut().zip(other.faults) {
            *sum += more;
        }
    }

    /// What never happened and so was not tested; empty when a run is worth its name.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let faults = Fault::ALL.into_iter().filter(|fault| self.of(*fault) == 0).map(Fault::name);
        let others = [("take-overs", self.take_overs), ("acts", self.acts), ("spooled events", self.spooled)];
        faults.chain(others.into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name)).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = [
            ("seeds", self.seeds),
            ("entries", self.entries),
            ("take-overs", self.take_overs),
            ("acts sent", self.acts),
            ("events spooled", self.spooled),
            ("faults", self.faults()),
        ];
        let kinds = Fault::ALL.into_iter().map(|fault| (fault.name(), self.of(fault)));
        for (name, count) in totals.into_iter().chain(kinds) {
            writeln!(f, "{name:<66} {count:>12}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_never_happened_is_named() {
        let mut counts = Counts { take_overs: 1, acts: 1, ..Counts::default() };
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index, "{fault:?}");
            if fault != Fault::Pause {
                counts.note(fault);
            }
        }
        assert_eq!(counts.missing(), [Fault::Pause.name(), "spooled events"]);
        let mut sum = counts;
        sum.add(&counts);
        assert_eq!((sum.of(Fault::Crash), sum.faults()), (2, 50));
    }
}
