//! The spool's shell: does what the [`Spool`] machine says, against `spool.db` in the data folder and the log.
//!
//! One task owns the file. Deliveries that wait for it while one transaction is made durable go into the next. The file
//! is made when it is first needed; one that a crash left is emptied after the next start.
//! A spool in PostgreSQL, for machines whose own disk does not last, is still to come.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::clock::Clock;
use super::conditions::Conditions;
use super::protocol::spool::{BATCH, CAPACITY};
use super::protocol::{Drain, Planted, Route, Spool};
use super::status::SpoolStatus;
use super::supervisor::{Phase, Stop};
use crate::domain::{Body, Time};
use crate::log::spool::Held;
use crate::log::{Log, LogError, SpoolFile};

/// Deliveries that may wait for one transaction: with more the disk does not keep up, and senders wait.
const QUEUE: usize = 1_024;

/// How often the status's sentence is brought up to date while something waits.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Pause before a file that cannot be opened is tried again.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Why a delivery was not spooled. The sender may come again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SpoolError {
    /// There is no room.
    #[error("the spool is full: {0} events wait for the log")]
    Full(u64),
    /// The disk failed.
    #[error("the spool could not be written")]
    File(#[source] LogError),
    /// The program is shutting down.
    #[error("the spool is closed")]
    Closed,
}

/// A delivery to be written, and who waits for it.
type Delivery = (Vec<Body>, oneshot::Sender<Result<(), SpoolError>>);

/// The door to the spool for those who take events in.
#[derive(Debug, Clone)]
pub(super) struct SpoolDoor {
    machine: Arc<Mutex<Spool>>,
    queue: mpsc::Sender<Delivery>,
}

impl SpoolDoor {
    /// The door, and the task behind it.
    #[must_use]
    pub(super) fn new(path: PathBuf, log: Log, clock: Clock, conditions: Conditions) -> (Self, Spooler) {
        let machine = Arc::new(Mutex::new(Spool::resume(CAPACITY, 0, None, Planted::default())));
        let (queue, waiting) = mpsc::channel(QUEUE);
        let spooler = Spooler { path, log, clock, conditions, machine: machine.clone(), waiting };
        (Self { machine, queue }, spooler)
    }

    /// Where new events go.
    #[must_use]
    pub(super) fn route(&self) -> Route {
        held(&self.machine).route()
    }

    /// Writes a delivery; on disk when this returns.
    ///
    /// # Errors
    /// [`SpoolError`]: the delivery is not spooled.
    pub(super) async fn write(&self, bodies: Vec<Body>) -> Result<(), SpoolError> {
        let (claim, answer) = oneshot::channel();
        self.queue.send((bodies, claim)).await.map_err(|_| SpoolError::Closed)?;
        answer.await.map_err(|_| SpoolError::Closed)?
    }

    /// How deep it is, and how old its oldest.
    #[must_use]
    pub(super) fn status(&self, now: Time) -> SpoolStatus {
        let machine = held(&self.machine);
        SpoolStatus { depth: machine.depth(), oldest_s: machine.oldest().map(|at| now.since(at).as_secs()) }
    }
}

fn held(machine: &Mutex<Spool>) -> MutexGuard<'_, Spool> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What became of a batch: up to which number the log has it, and how many events that was.
type Appended = Result<(u64, u64), LogError>;

fn stays(error: &LogError) {
    tracing::debug!(component = "spool", %error, "the log does not take what is spooled");
}

/// The task that owns the file.
#[derive(Debug)]
pub(super) struct Spooler {
    path: PathBuf,
    log: Log,
    clock: Clock,
    conditions: Conditions,
    machine: Arc<Mutex<Spool>>,
    waiting: mpsc::Receiver<Delivery>,
}

impl Spooler {
    /// Runs until the runtime has drained its appends; what is still spooled then waits for the next start.
    pub(super) async fn run(mut self, stop: Stop) {
        let mut file = if self.path.exists() { self.reopen(&stop).await } else { None };
        let mut appending: JoinSet<Appended> = JoinSet::new();
        loop {
            let drain = held(&self.machine).next(self.clock.uptime());
            let pause = match drain {
                Drain::Append => {
                    self.hand_over(&mut file, &mut appending).await;
                    continue;
                }
                Drain::Forget(number) => {
                    self.forget(&mut file, number).await;
                    continue;
                }
                Drain::Wait(until) => until.saturating_sub(self.clock.uptime()).min(TELL_EVERY),
                Drain::Idle => TELL_EVERY,
            };
            self.tell();
            tokio::select! {
                () = stop.at(Phase::Drained) => break,
                delivery = self.waiting.recv() => match delivery {
                    Some(delivery) => self.write(&mut file, delivery).await,
                    None => break,
                },
                // A log that hangs must not keep the disk from taking what comes.
                Some(appended) = appending.join_next(), if !appending.is_empty() => {
                    let taken = appended.ok().and_then(|appended| appended.inspect_err(stays).ok());
                    held(&self.machine).taken(self.clock.uptime(), taken);
                }
                () = tokio::time::sleep(pause), if self.waits() => {}
            }
        }
        if let Some(file) = file
            && let Err(error) = file.close().await
        {
            tracing::warn!(component = "spool", %error, "the spool's file was not closed in order; nothing in it is lost");
        }
    }

    /// Whether anything waits for the log.
    fn waits(&self) -> bool {
        held(&self.machine).depth() > 0
    }

    /// Opens the file that an earlier process left, however long it takes.
    async fn reopen(&self, stop: &Stop) -> Option<SpoolFile> {
        loop {
            match self.open().await {
                Ok((file, Held { entries, oldest })) => {
                    *held(&self.machine) = Spool::resume(CAPACITY, entries, oldest, Planted::default());
                    return Some(file);
                }
                Err(error) => self.complain(error),
            }
            if !stop.sleep(REOPEN_AFTER, Phase::Drained).await {
                return None;
            }
        }
    }

    async fn open(&self) -> Result<(SpoolFile, Held), LogError> {
        let mut file = SpoolFile::open(&self.path).await?;
        let held = file.held().await?;
        Ok((file, held))
    }

    /// Writes a delivery and those that wait behind it.
    async fn write(&mut self, file: &mut Option<SpoolFile>, first: Delivery) {
        let (mut deliveries, mut claims, mut events) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        while let Some((bodies, claim)) = next {
            let (count, depth) = (bodies.len() as u64, held(&self.machine).depth());
            if held(&self.machine).write(count) {
                events += count;
                deliveries.push(bodies);
                claims.push(claim);
            } else {
                // A waiter that is gone needs no answer; so below.
                let _ = claim.send(Err(SpoolError::Full(depth)));
            }
            next = self.waiting.try_recv().ok();
        }
        let at = self.clock.now();
        let written = self.store(file, at, &deliveries).await;
        held(&self.machine).written(events, written.as_ref().ok().map(|number| (*number, at)));
        for claim in claims {
            let _ = claim.send(written.as_ref().map(|_| ()).map_err(|error| SpoolError::File(error.clone())));
        }
        match written {
            Ok(_) => self.conditions.clear("spool-file"),
            Err(error) => self.complain(error),
        }
    }

    async fn store(&self, file: &mut Option<SpoolFile>, at: Time, deliveries: &[Vec<Body>]) -> Result<u64, LogError> {
        if deliveries.is_empty() {
            return Ok(0);
        }
        let file = match file {
            Some(file) => file,
            none => none.insert(SpoolFile::open(&self.path).await?),
        };
        file.write(at, deliveries).await
    }

    /// Hands the oldest to the log, on a task of its own.
    async fn hand_over(&self, file: &mut Option<SpoolFile>, appending: &mut JoinSet<Appended>) {
        let oldest = match file {
            Some(file) => file.oldest(BATCH).await,
            None => Err(LogError::Closed),
        };
        let taken = match oldest {
            Ok(Some(oldest)) => {
                let (log, at, number, events) = (self.log.clone(), self.clock.now(), oldest.number, oldest.bodies.len() as u64);
                appending.spawn(async move { log.append(0, at, oldest.bodies).await.map(|_| (number, events)) });
                return;
            }
            // The file is emptier than it was: nothing is left to be handed over.
            Ok(None) => Some((u64::MAX, held(&self.machine).depth())),
            Err(error) => {
                self.complain(error);
                None
            }
        };
        held(&self.machine).taken(self.clock.uptime(), taken);
    }

    async fn forget(&self, file: &mut Option<SpoolFile>, number: u64) {
        let forgotten = match file {
            Some(file) => file.forget(number).await,
            None => Err(LogError::Closed),
        };
        held(&self.machine).forgotten(self.clock.uptime(), forgotten.is_ok());
        if let Err(error) = forgotten {
            self.complain(error);
            tokio::time::sleep(REOPEN_AFTER).await;
        }
    }

    fn complain(&self, error: LogError) {
        self.conditions.set("spool-file", format!("{:#}", anyhow::Error::new(error)));
    }

    /// Says what waits; whole minutes, so that the sentence does not change every second.
    fn tell(&self) {
        let (depth, oldest) = {
            let machine = held(&self.machine);
            (machine.depth(), machine.oldest())
        };
        if depth == 0 {
            return self.conditions.clear("spool");
        }
        let minutes = oldest.map_or(0, |at| self.clock.now().since(at).as_secs() / 60);
        self.conditions
            .set("spool", format!("events wait on disk for the log, the oldest for {minutes} min; see spool in the status"));
    }
}
