//! Webhooks from the sender to a replica, and "I have it" back.

use super::{Ask, Checked, Duration, Event, Fault, Invariant, PAYMENT_EVERY, Pid, World, below, between, chance, holds, way};
use crate::domain::{Body, EventKind, Request};
use crate::engine;
use crate::runtime::protocol::{Intake, Next, Route};

/// A sender that heard nothing delivers again after so long.
const AGAIN: Duration = Duration::from_secs(3);
/// Payments that are routed here before they are made.
const ROUTED_SHARE: f64 = 0.3;

impl World {
    /// The sender makes a payment and will tell of it.
    pub(super) fn pay(&mut self) {
        if self.calm {
            return;
        }
        let mut delay = Duration::ZERO;
        for number in self.sender.pay(self.now) {
            let swapped = self.armed.remove(&Fault::WebhookReordered);
            let late = self.armed.remove(&Fault::WebhookLate);
            let mut at = delay;
            if swapped {
                self.counts.note(Fault::WebhookReordered);
                at += Duration::from_secs(1);
            }
            if late {
                self.counts.note(Fault::WebhookLate);
                at += between(&mut self.network, Duration::from_secs(5), Duration::from_secs(30));
            }
            if self.armed.remove(&Fault::WebhookDuplicated) {
                self.counts.note(Fault::WebhookDuplicated);
                let replica = below_replicas(&mut self.network);
                self.after(at + Duration::from_millis(1), Event::Arrive(replica, number));
            }
            self.after(at, Event::Send(number));
            delay += between(&mut self.network, Duration::from_millis(30), Duration::from_millis(300));
        }
        let next = PAYMENT_EVERY.mul_f64(self.network.exponential(1.0));
        self.after(next, Event::Pay);
    }

    /// The sender delivers an event to one of the replicas, until it hears "I have it".
    pub(super) fn send(&mut self, number: usize) {
        if self.sender.ledger[number].acknowledged {
            return;
        }
        let replica = below_replicas(&mut self.network);
        let reaches = way(&mut self.network);
        self.after(reaches, Event::Arrive(replica, number));
        let again = between(&mut self.network, AGAIN, AGAIN * 2);
        self.after(again, Event::Send(number));
    }

    /// A webhook arrives.
    pub(super) fn arrive(&mut self, replica: usize, number: usize) -> Checked {
        let event = self.sender.ledger[number].event.clone();
        if event.kind == EventKind::Started && chance(&mut self.network, ROUTED_SHARE) {
            self.route(replica, &event);
        }
        let (pid, held) = (self.pid(replica), &self.replicas[replica]);
        let Some(process) = &held.process else { return Ok(()) };
        let seen = event.event_id.as_ref().is_some_and(|id| process.state.view().saw_event(&event.profile, id));
        let route: Route = process.spool.route();
        match Intake::arrived(usize::from(!seen), route) {
            Next::Acknowledge => self.tell(number),
            Next::Append => {
                let behind = held.disk.spool.front();
                holds(behind.is_none(), Invariant::InOrder, || {
                    format!("event {number} goes to the log while event {:?} waits", behind.map(|(_, _, event, _)| event))
                })?;
                self.ask(pid, Ask::Deliver(number, Body::Payment(Box::new(event))));
                if self.intake.early() { self.tell(number) } else { Ok(()) }
            }
            Next::Spool => {
                self.spool(pid, number, Body::Payment(Box::new(event)));
                Ok(())
            }
            Next::Refuse => Ok(()),
        }
    }

    /// A replica decides where a payment goes; the decision goes to the log behind the answer.
    fn route(&mut self, replica: usize, event: &crate::domain::PaymentEvent) {
        let now = self.now;
        let held = &mut self.replicas[replica];
        let Some(process) = &mut held.process else { return };
        let at = process.at(now, held.wall_error);
        let Ok(currency) = crate::domain::Currency::parse("EUR") else { return };
        let request = Request {
            profile: event.profile.clone(),
            payment: event.payment.clone(),
            attempt: event.attempt.unwrap_or(1),
            amount: crate::domain::Money::new(6_540, currency),
            context: event.context,
            eligible: self.sender.accounts().to_vec(),
        };
        if let Ok(decision) = engine::decide(process.state.view(), &|_| 0, request, at) {
            self.ask(self.pid(replica), Ask::Behind(0, Body::Decided(decision.into())));
        }
    }

    /// The log answered for an event.
    pub(super) fn recorded(&mut self, to: Pid, number: usize, body: Body, taken: bool) -> Checked {
        match self.intake.appended(taken) {
            Next::Acknowledge => return self.tell(number),
            Next::Spool => self.spool(to, number, body),
            Next::Append | Next::Refuse => {}
        }
        Ok(())
    }

    /// An event is to be spooled; without room the sender is told to come again, which it does anyway.
    fn spool(&mut self, to: Pid, number: usize, body: Body) {
        let full = self.replicas[to.0].takes(Fault::SpoolFull);
        if full {
            self.counts.note(Fault::SpoolFull);
        }
        let Some(process) = &mut self.replicas[to.0].process else { return };
        // More than it holds is what a full one is asked for.
        if !process.spool.write(if full { u64::MAX } else { 1 }) {
            return;
        }
        let writes = between(&mut self.network, Duration::from_micros(500), Duration::from_millis(5));
        self.after(writes, Event::Spooled { to, number, body: Box::new(body) });
    }

    /// The disk has it, or fails.
    pub(super) fn spooled(&mut self, to: Pid, number: usize, body: Body) -> Checked {
        let replica = &mut self.replicas[to.0];
        let fails = replica.takes(Fault::SpoolFails);
        let (error, disk) = (replica.wall_error, &mut replica.disk);
        let Some(process) = &mut replica.process else { return Ok(()) };
        if fails {
            self.counts.note(Fault::SpoolFails);
            process.spool.written(1, None);
        } else {
            disk.numbered += 1;
            let at = process.at(self.now, error);
            disk.spool.push_back((disk.numbered, at, number, body));
            process.spool.written(1, Some((disk.numbered, at)));
            self.checks.spool(number, 1);
            self.counts.spooled += 1;
            if replica.takes(Fault::CrashAfterSpooling) {
                self.crash(to.0, Fault::CrashAfterSpooling);
                return Ok(());
            }
        }
        if Intake::spooled(!fails) == Next::Acknowledge {
            self.tell(number)?;
        }
        self.drive(to.0)
    }

    /// The sender is told "I have it", if the network lets it.
    fn tell(&mut self, number: usize) -> Checked {
        self.checks.acknowledged(number)?;
        if self.armed.remove(&Fault::AcknowledgementLost) {
            self.counts.note(Fault::AcknowledgementLost);
            return Ok(());
        }
        let back = way(&mut self.network);
        self.after(back, Event::Heard(number));
        Ok(())
    }
}

/// Any replica.
fn below_replicas(stream: &mut crate::sim::chance::Stream) -> usize {
    below(stream, super::REPLICAS)
}
