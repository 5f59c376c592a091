//! The executor's shell: does what [`Executions`] says, against the log and the actuators.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::actuators::Actuators;
use super::clock::Clock;
use super::protocol::{Executions, Lease, Move, Planted, Refusal};
use super::replica::Published;
use super::supervisor::{Phase, Stop};
use crate::domain::{Body, EffectId};
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

/// What a call came to.
#[derive(Debug)]
enum Answer {
    Read(Result<bool, Refusal>),
    Set(Result<(), Refusal>),
}

/// A call that ended: under which epoch, of which effect.
type Called = (u64, EffectId, Answer);

impl Executor {
    /// Runs until the runtime is quiet.
    pub(super) async fn run(mut self, stop: Stop) {
        let mut machine = Executions::new(Planted::default());
        let mut agenda_changes = self.published.agenda();
        let mut calls: JoinSet<Called> = JoinSet::new();
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
                Some(called) = calls.join_next(), if !calls.is_empty() => match called {
                    Ok((epoch, id, Answer::Read(answer))) => machine.read(self.clock.uptime(), epoch, id, answer),
                    Ok((epoch, id, Answer::Set(answer))) => machine.set(self.clock.uptime(), epoch, id, answer),
                    Err(error) => tracing::error!(component = "executor", %error, "a call ended by a panic"),
                },
                () = tokio::time::sleep(pause), if wake_at.is_some() => {}
            }
        }
    }

    /// Does one move: appends are waited for, calls are not.
    async fn take(&self, epoch: u64, step: Move, machine: &mut Executions, calls: &mut JoinSet<Called>) {
        let actuators = self.actuators.clone();
        match step {
            Move::Intend(id, act) => {
                let taken = self.append(epoch, Body::Intended { id, act }).await.is_ok();
                machine.intended(self.clock.uptime(), epoch, id, taken);
            }
            Move::Read { id, act, within } => {
                calls.spawn(async move {
                    let read = tokio::time::timeout(within, actuators.reads(&act.change)).await;
                    (epoch, id, Answer::Read(read.unwrap_or_else(|_| Err(silent(within)))))
                });
            }
            Move::Set { id, act, within } => {
                calls.spawn(async move {
                    let set = tokio::time::timeout(within, actuators.set(&act.change)).await;
                    (epoch, id, Answer::Set(set.unwrap_or_else(|_| Err(silent(within)))))
                });
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

fn silent(within: Duration) -> Refusal {
    Refusal::Unreachable(format!("no answer within {:.1} s", within.as_secs_f64()))
}
