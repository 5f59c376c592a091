//! The executor's shell: does what [`Executions`] says, against the log and the actuators.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

mod calls;

use calls::{Answer, Calls};

use super::actuators::Actuators;
use super::clock::Clock;
use super::protocol::{Executions, Lease, Move, Planted};
use super::replica::Published;
use super::supervisor::{Phase, Stop};
use crate::domain::Body;
use crate::log::{Log, LogError};

/// The executor's shell.
#[derive(Debug)]
pub(super) struct Executor {
    /// Where intents and results go.
    pub(super) log: Log,
    /// Stamps them.
    pub(super) clock: Clock,
    /// What the engine asks for, and its settings.
    pub(super) published: Arc<Published>,
    /// Whether this process leads.
    pub(super) lease: watch::Receiver<Option<Lease>>,
    /// What can be acted on.
    pub(super) actuators: Actuators,
}

impl Executor {
    /// Runs until the runtime is quiet.
    pub(super) async fn run(mut self, stop: Stop) {
        let mut machine = Executions::new(Planted::default());
        let mut agenda_changes = self.published.agenda();
        let mut calls = Calls::default();
        loop {
            let lease = *self.lease.borrow_and_update();
            let agenda = agenda_changes.borrow_and_update().clone();
            let timeout = Duration::from_secs(self.published.view().settings().healing.execute_timeout_s);
            for step in machine.next(self.clock.uptime(), lease, &agenda, timeout) {
                let Some(Lease { epoch, .. }) = lease else { continue };
                self.take(epoch, step, &mut machine, &mut calls).await;
            }
            let wake_at = machine.wake_at(&agenda);
            let pause = wake_at.unwrap_or_default().saturating_sub(self.clock.uptime());
            tokio::select! {
                () = stop.at(Phase::Quiet) => return,
                Ok(()) = agenda_changes.changed() => {}
                Ok(()) = self.lease.changed() => {}
                Some((epoch, id, answer)) = calls.next() => match answer {
                    Answer::Read(answer) => machine.read(self.clock.uptime(), epoch, id, answer),
                    Answer::Set(answer) => machine.set(self.clock.uptime(), epoch, id, answer),
                },
                () = tokio::time::sleep(pause), if wake_at.is_some() => {}
            }
        }
    }

    /// Does one move: appends are waited for, calls are not.
    async fn take(&self, epoch: u64, step: Move, machine: &mut Executions, calls: &mut Calls) {
        let actuators = self.actuators.clone();
        match step {
            Move::Intend(id, act) => {
                let taken = self.append(epoch, Body::Intended { id, act }).await.is_ok();
                machine.intended(self.clock.uptime(), epoch, id, taken);
            }
            Move::Read { id, act, within } => {
                let read = async move { actuators.reads(&act.change).await };
                calls.start((epoch, id), within, read, Answer::Read);
            }
            Move::Set { id, act, within } => {
                let set = async move { actuators.set(&act.change).await };
                calls.start((epoch, id), within, set, Answer::Set);
            }
            Move::End(id, result) => {
                tracing::info!(component = "executor", effect = %id, ?result, "executed");
                let taken = self.append(epoch, Body::Ended { id, result }).await.is_ok();
                machine.ended(self.clock.uptime(), epoch, id, taken);
            }
        }
    }

    async fn append(&self, epoch: u64, body: Body) -> Result<(), LogError> {
        let appended = self.log.append(epoch, self.clock.now(), vec![body]).await;
        appended.map(drop).inspect_err(|error| tracing::warn!(component = "executor", %error, "the log did not take an entry"))
    }
}
