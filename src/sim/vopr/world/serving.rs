//! Requests to the log and its answers, through a network that delays and loses.

use super::{
    Answer, Ask, Broken, Checked, Drain, Duration, Event, Fault, Invariant, Pid, Position, Step, TAIL, World, between, chance,
    holds, way,
};
use crate::domain::{Body, Time};
use crate::log::LogError;
use crate::runtime::protocol::Appended;
use crate::runtime::protocol::leadership::LEASE;

/// A process gives up on an answer after so long, as against Redis.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Answers that are slow, and how slow at most: a server that writes its file anew.
const SLOW_SHARE: f64 = 0.03;
const SLOW_LEASES: f64 = 0.2;
const SLOW: Duration = Duration::from_secs(4);

impl World {
    /// A process asks the log.
    pub(super) fn ask(&mut self, by: Pid, ask: Ask) {
        let replica = &mut self.replicas[by.0];
        let Some(process) = &mut replica.process else { return };
        let at = process.at(self.now, replica.wall_error);
        let reaches = way(&mut self.network);
        let silence = |ask| Event::Answered { to: by, ask: Box::new(ask), answer: Answer::Silent };
        if self.now < self.log_down_until {
            return self.after(reaches, silence(ask));
        }
        let (cut, lost) = (self.now < replica.cut_until, replica.takes(Fault::MessageLost));
        if cut || lost {
            if lost {
                self.counts.note(Fault::MessageLost);
            }
            return self.after(TIMEOUT, silence(ask));
        }
        let (delayed, unanswered) = (replica.takes(Fault::MessageDelayed), replica.takes(Fault::AnswerLost));
        for (fault, happens) in [(Fault::MessageDelayed, delayed), (Fault::AnswerLost, unanswered)] {
            if happens {
                self.counts.note(fault);
            }
        }
        let mute = delayed || unanswered;
        if mute {
            self.after(TIMEOUT, silence(ask.clone()));
        }
        let late = if delayed { between(&mut self.network, TIMEOUT, TIMEOUT * 3) } else { reaches };
        self.after(late, Event::Asked { by, at, ask: Box::new(ask), mute });
    }

    /// A request reaches the log.
    pub(super) fn asked(&mut self, by: Pid, at: Time, ask: Box<Ask>, mute: bool) -> Checked {
        let answer = if self.now < self.log_down_until { Answer::Silent } else { self.serve(by, at, &ask)? };
        if !mute {
            let lease = matches!(*ask, Ask::Acquire | Ask::Renew(_));
            let slow = chance(&mut self.network, if lease { SLOW_LEASES } else { SLOW_SHARE });
            let back = if slow { between(&mut self.network, Duration::ZERO, SLOW) } else { way(&mut self.network) };
            self.after(back, Event::Answered { to: by, ask, answer });
        }
        Ok(())
    }

    fn serve(&mut self, by: Pid, at: Time, ask: &Ask) -> Result<Answer, Broken> {
        let holder = format!("{}:{}", by.0, by.1);
        match ask {
            Ask::Acquire => {
                let epoch = self.log.acquire(&holder, LEASE, self.now);
                if let Some(epoch) = epoch {
                    self.checks.grant(epoch, by)?;
                    self.lease_ends = self.now + LEASE;
                    self.counts.take_overs += u64::from(epoch > 1);
                }
                Ok(Answer::Granted(epoch))
            }
            Ask::Renew(epoch) => {
                let held = self.log.renew(&holder, *epoch, LEASE, self.now);
                if held {
                    self.lease_ends = self.now + LEASE;
                }
                Ok(Answer::Renewed(held))
            }
            Ask::Lead(step, body) => match step {
                Step::Start(epoch) | Step::Configure(epoch) | Step::Tick(epoch) => {
                    self.append(by, at, *epoch, vec![body.clone()])
                }
                Step::Acquire | Step::Renew(_) | Step::Wait(_) => Ok(Answer::Silent),
            },
            Ask::Deliver(_, body) => self.append(by, at, 0, vec![body.clone()]),
            Ask::Drain(_, batch) => {
                self.in_order(by.0, batch)?;
                self.append(by, at, 0, batch.iter().map(|(_, _, body)| body.clone()).collect())
            }
            Ask::Intend(epoch, id, act) => self.append(by, at, *epoch, vec![Body::Intended { id: *id, act: act.clone() }]),
            Ask::End(epoch, id, result) => self.append(by, at, *epoch, vec![Body::Ended { id: *id, result: result.clone() }]),
            Ask::Behind(epoch, body) => self.append(by, at, *epoch, vec![body.clone()]),
        }
    }

    /// What a spool hands over for the first time comes in the spool's order.
    fn in_order(&mut self, replica: usize, batch: &[(u64, usize, Body)]) -> Checked {
        for (number, event, _) in batch {
            if self.checks.is_logged(*event) {
                continue;
            }
            let before = self.drained[replica];
            holds(*number > before, Invariant::InOrder, || {
                format!("spooled event {number} of replica {replica} reaches the log after {before}")
            })?;
            self.drained[replica] = *number;
        }
        Ok(())
    }

    fn append(&mut self, by: Pid, at: Time, epoch: u64, bodies: Vec<Body>) -> Result<Answer, Broken> {
        let range = match self.log.append(epoch, at, bodies) {
            Ok(range) => range,
            Err(LogError::Fenced { .. }) => return Ok(Answer::Fenced),
            Err(_) => return Ok(Answer::Silent),
        };
        let entries = &self.log.entries()[range];
        self.checks.appended(entries, epoch, by, &self.target)?;
        let position = entries.last().map_or_else(Position::default, |entry| entry.position);
        for replica in 0..self.replicas.len() {
            self.look(replica, TAIL);
        }
        Ok(Answer::At(position))
    }

    /// The log's answer reaches the process that asked.
    pub(super) fn answered(&mut self, to: Pid, ask: Ask, answer: Answer) -> Checked {
        let (now, taken) = (self.now, matches!(answer, Answer::At(_)));
        let replica = &mut self.replicas[to.0];
        let dies = taken && matches!(ask, Ask::Drain(..)) && replica.takes(Fault::CrashWhileDraining);
        if dies {
            self.crash(to.0, Fault::CrashWhileDraining);
            return Ok(());
        }
        let Some(process) = &mut replica.process else { return Ok(()) };
        let mono = process.mono(now);
        match ask {
            Ask::Acquire | Ask::Renew(_) | Ask::Lead(..) => {
                process.asking = false;
                match (ask, answer) {
                    (Ask::Acquire, Answer::Granted(epoch)) => process.leadership.acquired(mono, epoch),
                    (Ask::Renew(_), Answer::Renewed(held)) => _ = process.leadership.renewed(mono, Some(held)),
                    (Ask::Renew(_), _) => _ = process.leadership.renewed(mono, None),
                    (Ask::Lead(..), Answer::At(position)) => _ = process.leadership.appended(mono, Appended::At(position)),
                    (Ask::Lead(..), Answer::Fenced) => _ = process.leadership.appended(mono, Appended::Fenced),
                    (Ask::Lead(..), _) => _ = process.leadership.appended(mono, Appended::Failed),
                    _ => {}
                }
                self.lease_is_no_longer(to.0)?;
            }
            Ask::Deliver(number, body) => {
                if taken && replica.takes(Fault::CrashBeforeAcknowledgement) {
                    self.crash(to.0, Fault::CrashBeforeAcknowledgement);
                    return Ok(());
                }
                self.recorded(to, number, body, taken)?;
            }
            Ask::Drain(upto, batch) => {
                process.spool.taken(mono, taken.then_some((upto, batch.len() as u64)));
            }
            Ask::Intend(epoch, id, _) => {
                process.executions.intended(mono, epoch, id, taken);
                if taken && replica.takes(Fault::Pause) {
                    self.pause(to.0);
                    return Ok(());
                }
            }
            Ask::End(epoch, id, _) => process.executions.ended(mono, epoch, id, taken),
            Ask::Behind(..) => {}
        }
        self.drive(to.0)
    }

    /// A process never believes in its lease for longer than the store does.
    fn lease_is_no_longer(&self, replica: usize) -> Checked {
        let Some(process) = &self.replicas[replica].process else { return Ok(()) };
        let Some(lease) = process.leadership.lease().filter(|lease| lease.epoch == self.checks.newest_epoch()) else {
            return Ok(());
        };
        let (here, there) = (process.started + lease.until, self.lease_ends);
        holds(here <= there, Invariant::OneLeader, || {
            format!("replica {replica} leads until {here:?}, the store says {there:?}")
        })
    }

    /// What a spool's machine wants next; when it wants to be woken.
    pub(super) fn drain(&mut self, replica: usize) -> Result<Option<Duration>, Broken> {
        loop {
            let pid = self.pid(replica);
            let held = &mut self.replicas[replica];
            let Some(process) = &mut held.process else { return Ok(None) };
            let mono = process.mono(self.now);
            match process.spool.next(mono) {
                Drain::Idle => return Ok(None),
                Drain::Wait(until) => return Ok(Some(until)),
                Drain::Append => {
                    let first = process.spool.forgets_first();
                    let batch: Vec<_> =
                        held.disk.spool.iter().map(|(number, _, event, body)| (*number, *event, body.clone())).collect();
                    let upto = batch.last().map_or(0, |(number, ..)| *number);
                    self.ask(pid, Ask::Drain(upto, batch));
                    if first {
                        self.forget(replica, upto)?;
                    }
                }
                Drain::Forget(upto) => {
                    let fails = held.takes(Fault::SpoolFails);
                    if fails {
                        self.counts.note(Fault::SpoolFails);
                    } else {
                        self.forget(replica, upto)?;
                    }
                    if let Some(process) = &mut self.replicas[replica].process {
                        process.spool.forgotten(mono, !fails);
                    }
                }
            }
        }
    }

    /// A spool's file forgets all up to a number, which the log must have.
    fn forget(&mut self, replica: usize, upto: u64) -> Checked {
        let spool = &mut self.replicas[replica].disk.spool;
        while spool.front().is_some_and(|(number, ..)| *number <= upto) {
            let Some((_, _, event, _)) = spool.pop_front() else { break };
            self.checks.spool(event, -1);
            self.checks.acknowledged(event)?;
        }
        Ok(())
    }
}
