//! Starts every task and thread of the runtime, and stops them in order.
//!
//! Nothing else spawns: so shutdown can wait for all, and a task that panics is noticed.

use std::fmt;
use std::future::Future;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::conditions::Conditions;

/// How long a task or thread may take to stop once told to; longer than the slowest database answer in flight, shorter
/// than the 30 s after which a container is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How far shutting down has come. Each phase stops what must be quiet before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Phase {
    /// Everything runs.
    #[default]
    Running,
    /// Nothing is taken in or begun here: stream, sampler, leader and executor have stopped.
    Quiet,
    /// What was queued is in the log: the appender has stopped.
    Drained,
    /// What was appended is folded: tail, projector and engine stop.
    Folded,
    /// The last checkpoint is in the log.
    Saved,
}

/// How many phases stop tasks.
const PHASES: usize = 4;

/// Tells a task when to stop. Also said when the runtime is dropped.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<Phase>);

impl Stop {
    /// Waits until the phase is reached, or the runtime is gone.
    pub(super) async fn at(&self, phase: Phase) {
        // An error says that the supervisor is gone: also a reason to stop.
        let _ = self.0.clone().wait_for(|now| *now >= phase).await;
    }

    /// Waits for a span; `false` when the phase came first.
    pub(super) async fn sleep(&self, span: Duration, phase: Phase) -> bool {
        tokio::time::timeout(span, self.at(phase)).await.is_err()
    }
}

/// The runtime's tasks and threads.
pub(super) struct Supervisor {
    phase: watch::Sender<Phase>,
    tasks: [JoinSet<()>; PHASES],
    threads: Vec<(&'static str, JoinHandle<()>)>,
    conditions: Conditions,
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks: usize = self.tasks.iter().map(JoinSet::len).sum();
        f.debug_struct("Supervisor").field("phase", &*self.phase.borrow()).field("tasks", &tasks).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// Nothing started yet. Panics of tasks are noted in `conditions`.
    #[must_use]
    pub(super) fn new(conditions: Conditions) -> Self {
        Self {
            phase: watch::Sender::default(),
            tasks: std::array::from_fn(|_| JoinSet::new()),
            threads: Vec::new(),
            conditions,
        }
    }

    /// What to give to whatever is to be stopped.
    #[must_use]
    pub(super) fn stop(&self) -> Stop {
        Stop(self.phase.subscribe())
    }

    /// Starts a task that ends by itself when `phase` is reached.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(super) fn task(&mut self, name: &'static str, phase: Phase, work: impl Future<Output = ()> + Send + 'static) {
        let fall = Fall { name, conditions: self.conditions.clone() };
        self.of(phase).spawn(async move {
            let _fall = fall;
            work.await;
        });
    }

    /// Starts a named OS thread that ends by itself when told to.
    ///
    /// # Errors
    /// When the operating system refuses the thread.
    pub(super) fn thread(&mut self, name: &'static str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let fall = Fall { name, conditions: self.conditions.clone() };
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _fall = fall;
            work();
        })?;
        self.threads.push((name, handle));
        Ok(())
    }

    /// Moves on to a phase and waits for what it stops; tasks that do not end in time are aborted.
    pub(super) async fn enter(&mut self, phase: Phase) {
        self.phase.send_replace(phase);
        let tasks = self.of(phase);
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            tracing::warn!(component = "runtime", left = tasks.len(), "tasks did not stop in time and are aborted");
            tasks.shutdown().await;
        }
    }

    /// The tasks that stop in a phase.
    fn of(&mut self, phase: Phase) -> &mut JoinSet<()> {
        &mut self.tasks[(phase as usize).clamp(1, PHASES) - 1]
    }

    /// Waits for the threads, which the last phase has told to end.
    pub(super) async fn join(&mut self) {
        for (name, thread) in self.threads.drain(..) {
            let joined = tokio::task::spawn_blocking(move || thread.join().is_ok());
            if !matches!(tokio::time::timeout(GRACE, joined).await, Ok(Ok(true))) {
                tracing::warn!(component = "runtime", thread = name, "a thread did not end in time, or by a panic");
            }
        }
    }
}

/// Notes a panic of the task or thread it lives in.
struct Fall {
    name: &'static str,
    conditions: Conditions,
}

impl Drop for Fall {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(component = "runtime", task = self.name, "a task ended by a panic");
            self.conditions.set(self.name, "stopped by a panic: restart the process");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn phases_stop_tasks_in_order_and_panics_are_noticed() {
        let conditions = Conditions::default();
        let mut supervisor = Supervisor::new(conditions.clone());
        let (quiet, folded) = (supervisor.stop(), supervisor.stop());
        let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let also_said = said.clone();
        supervisor.task("first", Phase::Quiet, async move {
            quiet.at(Phase::Quiet).await;
            said.send("first").unwrap();
        });
        supervisor.task("second", Phase::Folded, async move {
            folded.at(Phase::Folded).await;
            also_said.send("second").unwrap();
        });
        supervisor.task("faulty", Phase::Quiet, async { panic!("as the test wants") });
        supervisor.enter(Phase::Quiet).await;
        assert_eq!(heard.try_recv(), Ok("first"));
        assert!(heard.try_recv().is_err(), "the second still runs");
        supervisor.enter(Phase::Folded).await;
        assert_eq!(heard.try_recv(), Ok("second"));
        assert_eq!(conditions.list().len(), 1, "{:?}", conditions.list());
    }

    #[tokio::test]
    async fn dropping_the_supervisor_stops_too() {
        let stop = Supervisor::new(Conditions::default()).stop();
        assert!(!stop.sleep(Duration::from_mins(1), Phase::Folded).await);
    }
}
