//! A process looks at its machines, and the leader's executor calls the target.

use super::super::replica::{Process, Written};
use super::{
    Ask, Broken, Checked, Duration, Event, Fault, Invariant, Pid, Refusal, Step, Told, World, below, between, chance, holds,
    way,
};
use crate::domain::{Act, Body, EffectId, ResourceSample};
use crate::runtime::protocol::Move;

/// The leader measures so often.
const SAMPLE_EVERY: Duration = Duration::from_secs(4);
/// Calls that take seconds, and how many at most.
const SLOW_SHARE: f64 = 0.1;
const SLOW: Duration = Duration::from_secs(6);

impl World {
    /// Does what the machines of a replica want, and sees to it that they are asked again in time.
    pub(super) fn drive(&mut self, replica: usize) -> Checked {
        let mut wakes: Vec<Option<Duration>> = vec![self.lead(replica), self.execute(replica)?, self.drain(replica)?];
        let written = self.replicas[replica].project(self.now, &self.checks, &self.log)?;
        match written {
            Written::Failed => self.counts.note(Fault::TablesFail),
            Written::Died => {
                self.crash(replica, Fault::CrashAtTheCursor);
                return Ok(());
            }
            Written::Nothing | Written::Done => {}
        }
        let Some(process) = &self.replicas[replica].process else { return Ok(()) };
        wakes.push(process.projects_at(self.now));
        let Some(wake) = wakes.into_iter().flatten().min() else { return Ok(()) };
        // At least a step later: time passes between two looks.
        let at = (process.started + wake).max(self.now + Duration::from_micros(100));
        if self.wakes[replica].is_none_or(|known| at < known || known <= self.now) {
            self.wakes[replica] = Some(at);
            let pid = self.pid(replica);
            self.at(at, Event::Wake(pid));
        }
        Ok(())
    }

    /// The leadership's next step; when it wants to be asked again.
    fn lead(&mut self, replica: usize) -> Option<Duration> {
        let (pid, settings) = (self.pid(replica), self.settings.clone());
        let held = &mut self.replicas[replica];
        let process = held.process.as_mut().filter(|process| !process.asking)?;
        let (mono, at) = (process.mono(self.now), process.at(self.now, held.wall_error));
        let step = process.leadership.next(mono, at, &process.agenda, &settings);
        let body = match step {
            Step::Wait(until) => return Some(until),
            Step::Acquire | Step::Renew(_) => None,
            Step::Start(epoch) => Some(Body::EngineStarted { version: "vopr".to_owned(), epoch }),
            Step::Configure(_) => Some(Body::Configured(settings.into())),
            Step::Tick(_) => Some(Body::Ticked),
        };
        process.asking = true;
        let ask = match (step, body) {
            (_, Some(body)) => Ask::Lead(step, body),
            (Step::Renew(epoch), None) => Ask::Renew(epoch),
            _ => Ask::Acquire,
        };
        self.ask(pid, ask);
        None
    }

    /// The executor's next moves, and a sample; when it wants to be asked again.
    fn execute(&mut self, replica: usize) -> Result<Option<Duration>, Broken> {
        let pid = self.pid(replica);
        let Some(process) = &mut self.replicas[replica].process else { return Ok(None) };
        let (mono, lease) = (process.mono(self.now), process.leadership.lease());
        let moves = process.executions.next(mono, lease, &process.agenda, Process::timeout(&self.settings));
        let wake = process.executions.wake_at(&process.agenda);
        let Some(lease) = lease else { return Ok(wake) };
        if self.now >= process.sampled + SAMPLE_EVERY {
            process.sampled = self.now;
            let sample = ResourceSample {
                cpu_percent: self.operator.unit() * 100.0,
                memory_percent: 20.0,
                queue_depth: 0,
                instances: self.target.instances(),
            };
            self.ask(pid, Ask::Behind(lease.epoch, Body::Sampled(sample)));
        }
        for step in moves {
            match step {
                Move::Intend(id, act) => self.ask(pid, Ask::Intend(lease.epoch, id, act)),
                Move::End(id, result) => self.ask(pid, Ask::End(lease.epoch, id, result)),
                Move::Read { id, act, within } => self.call(pid, (lease.epoch, id, act), false, within)?,
                Move::Set { id, act, within } => self.call(pid, (lease.epoch, id, act), true, within)?,
            }
        }
        Ok(wake)
    }

    /// A call leaves; its connection is closed, and it does nothing any more, after `within`.
    fn call(&mut self, by: Pid, (epoch, id, act): (u64, EffectId, Act), set: bool, within: Duration) -> Checked {
        if set {
            self.checks.sends(id, &act, epoch)?;
            holds(self.target.send(id), Invariant::NoBlindRepeat, || format!("{id} is sent again, and nobody asked"))?;
            self.counts.acts += 1;
        }
        let replica = &mut self.replicas[by.0];
        let (dies, cut) = (set && replica.takes(Fault::CrashBetweenIntentAndResult), set && replica.takes(Fault::Partition));
        let (armed, mute) = (replica.takes(Fault::TargetUnreachable), replica.takes(Fault::TargetAnswerLost));
        let apart = self.now < replica.cut_until;
        if cut {
            self.cut(by.0);
        }
        // Who cannot reach the log can reach little else.
        let gone = armed || ((cut || apart) && chance(&mut self.network, 0.5));
        if gone {
            self.counts.note(Fault::TargetUnreachable);
        }
        if mute && !gone {
            self.counts.note(Fault::TargetAnswerLost);
        }
        let slow = chance(&mut self.network, SLOW_SHARE);
        let reaches = if slow { between(&mut self.network, Duration::ZERO, SLOW) } else { way(&mut self.network) };
        let arrives = !gone && reaches < within;
        if !arrives || mute {
            let silent = || Refusal::Unreachable("no answer".to_owned());
            let told = if set { Told::Set(Err(silent())) } else { Told::Read(Err(silent())) };
            let gives_up = within.min(between(&mut self.network, Duration::from_secs(1), SLOW));
            self.after(if arrives { gives_up.max(reaches) } else { gives_up }, Event::CallAnswered { to: by, epoch, id, told });
        }
        if arrives {
            self.after(reaches, Event::Called { by, epoch, id, act: Box::new(act), set, mute });
        }
        if dies {
            self.crash(by.0, Fault::CrashBetweenIntentAndResult);
        }
        Ok(())
    }

    /// A call arrives at the target.
    pub(super) fn called(&mut self, by: Pid, (epoch, id, act): (u64, EffectId, Act), set: bool, mute: bool) -> Checked {
        let told = if set {
            self.checks.arrives(id, epoch)?;
            self.target.set(id, &act.change);
            Told::Set(Ok(()))
        } else {
            Told::Read(Ok(self.target.read(id, &act.change)))
        };
        if !mute {
            let back = way(&mut self.network);
            self.after(back, Event::CallAnswered { to: by, epoch, id, told });
        }
        Ok(())
    }

    /// The target's answer arrives.
    pub(super) fn call_answered(&mut self, to: Pid, (epoch, id): (u64, EffectId), told: Told) -> Checked {
        let Some(process) = &mut self.replicas[to.0].process else { return Ok(()) };
        let mono = process.mono(self.now);
        match told {
            Told::Read(answer) => process.executions.read(mono, epoch, id, answer),
            Told::Set(answer) => process.executions.set(mono, epoch, id, answer),
        }
        self.drive(to.0)
    }

    /// Which replica leads, as far as it knows; else any.
    pub(super) fn leader(&mut self) -> usize {
        let leads =
            |replica: &super::Replica| replica.process.as_ref().is_some_and(|process| process.leadership.lease().is_some());
        let found = self.replicas.iter().position(leads);
        found.unwrap_or_else(|| below(&mut self.faults, self.replicas.len()))
    }
}
