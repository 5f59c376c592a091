//! The leader's shell: does what [`Leadership`] says, against the log.
//!
//! A lease with a fencing epoch lies in the log's own store. What the leader appends carries its epoch, and the log
//! refuses an epoch that is not the latest, so that a leader that slept cannot act on.

use std::sync::Arc;

use tokio::sync::watch;

use super::clock::Clock;
use super::conditions::Conditions;
use super::protocol::leadership::LEASE;
use super::protocol::{Appended, Leadership, Lease, Planted, Step};
use super::replica::Published;
use super::supervisor::{Phase, Stop};
use crate::domain::{Body, Position, Settings};
use crate::log::{Log, LogError};

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
        let mut machine = Leadership::new(Planted::default());
        let mut agenda = self.published.agenda();
        loop {
            let due = {
                let agenda = agenda.borrow_and_update();
                // Another leader's clock may have been ahead; time must not stand still until this one's catches up.
                self.clock.at_least(agenda.at);
                machine.next(self.clock.uptime(), self.clock.now(), &agenda, &self.settings)
            };
            let Step::Wait(until) = due else {
                tokio::select! {
                    () = stop.at(Phase::Quiet) => break,
                    () = self.take(due, &mut machine) => {}
                }
                continue;
            };
            let leads = machine.lease().is_some();
            tokio::select! {
                () = stop.at(Phase::Quiet) => break,
                changed = agenda.changed(), if leads => if changed.is_err() { break },
                () = tokio::time::sleep(until.saturating_sub(self.clock.uptime())) => {}
            }
        }
        self.release(machine.lease()).await;
    }

    /// Does one step and tells the machine and the others what came of it.
    async fn take(&self, step: Step, machine: &mut Leadership) {
        match step {
            Step::Wait(_) => {}
            Step::Acquire => match self.log.acquire_lease(&self.holder, LEASE, self.clock.now()).await {
                Ok(epoch) => {
                    machine.acquired(self.clock.uptime(), epoch);
                    if let Some(epoch) = epoch {
                        tracing::info!(component = "leader", epoch, "leading");
                        self.conditions.clear("lease");
                    }
                }
                Err(error) => self.conditions.set("lease", format!("the log does not answer: {error}")),
            },
            Step::Renew(epoch) => self.renew(epoch, machine).await,
            Step::Start(epoch) => {
                let version = env!("CARGO_PKG_VERSION").to_owned();
                self.append(epoch, Body::EngineStarted { version, epoch }, machine).await;
            }
            Step::Configure(epoch) => self.append(epoch, Body::Configured(self.settings.clone().into()), machine).await,
            Step::Tick(epoch) => self.append(epoch, Body::Ticked, machine).await,
        }
        self.tell(machine.lease());
    }

    async fn renew(&self, epoch: u64, machine: &mut Leadership) {
        let renewed = self.log.renew_lease(&self.holder, epoch, LEASE, self.clock.now()).await;
        let leads = machine.renewed(self.clock.uptime(), renewed.as_ref().ok().copied());
        match renewed {
            Ok(true) => self.conditions.clear("lease"),
            Ok(false) => tracing::warn!(component = "leader", "no longer leading: another process took the lease"),
            Err(error) if leads => tracing::warn!(component = "leader", %error, "the lease was not renewed"),
            Err(error) => tracing::warn!(component = "leader", %error, "no longer leading: the lease ended unrenewed"),
        }
    }

    async fn append(&self, epoch: u64, body: Body, machine: &mut Leadership) {
        let outcome = match self.log.append(epoch, self.clock.now(), vec![body]).await {
            Ok(record) => Appended::At(Position { record: record.number, index: 0 }),
            Err(LogError::Fenced { .. }) => {
                tracing::warn!(component = "leader", epoch, "no longer leading: another process leads");
                Appended::Fenced
            }
            Err(error) => {
                tracing::warn!(component = "leader", %error, "the log did not take an entry");
                Appended::Failed
            }
        };
        machine.appended(self.clock.uptime(), outcome);
    }

    /// Tells the others, where it changed.
    fn tell(&self, lease: Option<Lease>) {
        self.lease.send_if_modified(|told| std::mem::replace(told, lease) != lease);
    }

    async fn release(&self, held: Option<Lease>) {
        self.tell(None);
        if let Some(lease) = held
            && let Err(error) = self.log.release_lease(&self.holder, lease.epoch).await
        {
            tracing::warn!(component = "leader", %error, "the lease is left to lapse");
        }
    }
}
