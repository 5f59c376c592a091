//! Leadership: one process at a time ticks, samples and executes.
//!
//! A lease with a fencing epoch lies in the log's own store. Each leadership opens with `EngineStarted`, followed by
//! the configuration where the log's differs. What the leader appends carries its epoch, and the log refuses an epoch
//! that is not the latest, so that a leader that slept cannot act on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::clock::{self, Clock};
use super::conditions::Conditions;
use super::replica::{Agenda, Published};
use super::supervisor::{Phase, Stop};
use crate::domain::{Body, Settings, Time};
use crate::log::{Log, LogError};

/// How long a lease lasts: after a leader's death its work rests for so long at most. Below 3 s a slow disk would cost
/// leadership; above a minute an operator would notice the pause.
pub(super) const LEASE: Duration = Duration::from_secs(10);

/// How often it is renewed: two renewals may be lost before it ends.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// Ticks are at least so far apart.
const TICK_MIN: Duration = Duration::from_secs(1);

/// This process's leadership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// Its fencing epoch.
    pub(super) epoch: u64,
    /// When it ends unless renewed.
    pub(super) until: Instant,
}

impl Lease {
    /// What is left of it.
    #[must_use]
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(clock::instant())
    }
}

/// When the next tick is due: at the engine's deadline, but never in a burst.
fn next_tick(agenda: &Agenda, ticked: Time) -> Option<Time> {
    Some(agenda.deadline?.max(ticked + TICK_MIN))
}

/// The leader's shell.
#[derive(Debug)]
pub(super) struct Leader {
    /// Where the lease and the entries are.
    pub(super) log: Log,
    /// Stamps entries.
    pub(super) clock: Clock,
    /// This process, unlike any other: host, process, start.
    pub(super) holder: String,
    /// The configuration this process was started with.
    pub(super) settings: Arc<Settings>,
    /// What the fold says is due.
    pub(super) published: Arc<Published>,
    /// Where leadership is told.
    pub(super) lease: watch::Sender<Option<Lease>>,
    /// Where trouble is told.
    pub(super) conditions: Conditions,
}

impl Leader {
    /// Runs until the runtime is quiet; then gives the lease back.
    pub(super) async fn run(self, stop: Stop) {
        let mut agenda = self.published.agenda();
        let mut ticked = Time::ZERO;
        let mut renew = tokio::time::interval(RENEW_EVERY);
        loop {
            let leads = self.lease.borrow().is_some();
            let tick = next_tick(&agenda.borrow_and_update(), ticked).filter(|_| leads);
            let due = tick.unwrap_or_default().since(self.clock.now());
            tokio::select! {
                () = stop.at(Phase::Quiet) => break,
                _ = renew.tick() => self.renew(&stop).await,
                changed = agenda.changed(), if leads => if changed.is_err() { break },
                () = tokio::time::sleep(due), if tick.is_some() => {
                    ticked = self.clock.now();
                    self.append(vec![Body::Ticked]).await;
                }
            }
        }
        self.release().await;
    }

    /// Renews the lease, or tries for it.
    async fn renew(&self, stop: &Stop) {
        let (asked, now) = (clock::instant(), self.clock.now());
        let held = *self.lease.borrow();
        let until = asked + LEASE;
        let Some(lease) = held else {
            match self.log.acquire_lease(&self.holder, LEASE, now).await {
                Ok(Some(epoch)) => self.take_over(Lease { epoch, until }, stop).await,
                Ok(None) => {}
                Err(error) => self.conditions.set("lease", format!("the log does not answer: {error}")),
            }
            return;
        };
        match self.log.renew_lease(&self.holder, lease.epoch, LEASE, now).await {
            Ok(true) => _ = self.lease.send_replace(Some(Lease { until, ..lease })),
            Ok(false) => self.step_down("another process took the lease"),
            Err(_) if !lease.left().is_zero() => {}
            Err(error) => self.step_down(&format!("the lease ended while the log did not answer: {error}")),
        }
        if held.is_some() && self.lease.borrow().is_some() {
            self.conditions.clear("lease");
        }
    }

    /// Opens a leadership: says so, and brings this process's configuration into force.
    async fn take_over(&self, lease: Lease, stop: &Stop) {
        tracing::info!(component = "leader", epoch = lease.epoch, "leading");
        self.conditions.clear("lease");
        self.lease.send_replace(Some(lease));
        let started = Body::EngineStarted { version: env!("CARGO_PKG_VERSION").to_owned(), epoch: lease.epoch };
        let Some(position) = self.append(vec![started]).await else { return };
        tokio::select! {
            () = stop.at(Phase::Quiet) => return,
            // The lease is not renewed while this waits; it must not end unnoticed.
            () = tokio::time::sleep(lease.left() / 2) => {}
            () = self.published.folded_to(position) => {}
        }
        self.configure().await;
    }

    /// Appends this process's configuration where the log's differs. Until the fold has caught up this cannot be told:
    /// then it is repeated, which changes nothing.
    async fn configure(&self) {
        let differs = self.published.agenda().borrow().settings.as_ref() != Some(&self.settings);
        if differs {
            self.append(vec![Body::Configured(self.settings.clone())]).await;
        }
    }

    async fn append(&self, bodies: Vec<Body>) -> Option<crate::domain::Position> {
        let lease = (*self.lease.borrow())?;
        match self.log.append(lease.epoch, self.clock.now(), bodies).await {
            Ok(record) => Some(crate::domain::Position { record: record.number, index: 0 }),
            Err(LogError::Fenced { .. }) => {
                self.step_down("another process leads");
                None
            }
            Err(error) => {
                tracing::warn!(component = "leader", %error, "the log did not take an entry");
                None
            }
        }
    }

    fn step_down(&self, why: &str) {
        tracing::warn!(component = "leader", why, "no longer leading");
        self.lease.send_replace(None);
    }

    async fn release(&self) {
        let held = *self.lease.borrow();
        if let Some(lease) = held {
            if let Err(error) = self.log.release_lease(&self.holder, lease.epoch).await {
                tracing::warn!(component = "leader", %error, "the lease is left to lapse");
            }
            self.lease.send_replace(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_follow_the_deadline_a_second_apart_at_most() {
        let check = |deadline: Option<i64>, ticked, expected: Option<i64>| {
            let agenda = Agenda { deadline: deadline.map(Time::from_secs), ..Agenda::default() };
            assert_eq!(next_tick(&agenda, Time::from_secs(ticked)), expected.map(Time::from_secs));
        };
        check(Some(105), 90, Some(105));
        check(Some(99), 99, Some(100));
        check(Some(99), 100, Some(101));
        check(None, 90, None);
    }
}
