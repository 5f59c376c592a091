//! Wiring: intake, the engine's loop, projector, executor, leader, clock, shutdown.
//!
//! One [`Runtime`] is one replica of a log: it tails, folds and publishes; whichever replica holds the lease also
//! ticks, samples and executes. Everything others need of it is its [`Handle`].

mod actuators;
mod arriving;
pub mod background;
mod checkpoints;
pub mod clock;
mod conditions;
mod executor;
mod fetcher;
pub mod handle;
pub mod intake;
mod leader;
mod outcomes;
pub mod overlay;
pub mod past;
mod poison;
mod projector;
pub mod protocol;
mod recall;
mod replica;
pub mod retention;
mod sampler;
mod spool;
pub mod status;
pub mod stream;
mod supervisor;
mod tail;
mod told;
mod trainer;

pub use fetcher::FetchConfig;
pub use handle::{DecideError, Handle, Which};
pub use intake::{AppendError, Receipt};
pub use protocol::Pace;
pub use recall::RecallError;
pub use retention::RetentionConfig;
pub use spool::SpoolError;
pub use status::Status;
pub use stream::StreamConfig;
pub use trainer::{Untrained, train};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot, watch};

use crate::domain::{Settings, Time};
use crate::log::{Appender, Log};
use actuators::Actuators;
use clock::{Clock, Wall};
use conditions::Conditions;
use overlay::Overlay;
use projector::{Projector, TableHolder};
use replica::Published;
use spool::SpoolDoor;
use status::SharedGauges;
use supervisor::{Phase, Stop, Supervisor};

/// Records between tail and engine: enough to fold while the next are decoded, few enough to hold (1 MB each at most).
const RECORDS_AHEAD: usize = 64;

/// How long shutting down waits for what was appended last to be folded; the rest is folded after the next start.
const FOLD_GRACE: Duration = Duration::from_secs(5);

/// Where the log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogChoice {
    /// In memory, gone with the process.
    Memory,
    /// `log.db` in the data folder.
    Sqlite,
    /// On a Redis Stream.
    Redis {
        /// `redis://host:port/db`.
        url: String,
        /// Prefix of the log's keys.
        key: String,
    },
}

/// Where the tables are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TablesChoice {
    /// Nowhere.
    None,
    /// `tables.db` in the data folder.
    Sqlite,
    /// In PostgreSQL.
    Postgres {
        /// `postgres://user@host/database`.
        url: String,
    },
}

/// When a decision is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// At once; it goes to the log behind the answer. A crash may lose the last milliseconds of decisions, never events.
    #[default]
    Behind,
    /// Once it is durable.
    Sync,
}

/// What a runtime is started with.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// The data folder; it exists.
    pub data_dir: PathBuf,
    /// The engine's settings: they enter the log when this process leads and the log's differ.
    pub settings: Arc<Settings>,
    /// Where the log is.
    pub log: LogChoice,
    /// Where the tables are.
    pub tables: TablesChoice,
    /// The stream of payment events to read, if any.
    pub stream: Option<StreamConfig>,
    /// The switch, where it is asked for attempts that it hides.
    pub hyperswitch: Option<FetchConfig>,
    /// When decisions are answered.
    pub durability: Durability,
    /// What is kept for how long.
    pub retention: RetentionConfig,
}

impl RuntimeConfig {
    /// The folder of the archive.
    #[must_use]
    pub fn archive_dir(&self) -> PathBuf {
        self.retention.archive_dir.clone().unwrap_or_else(|| self.data_dir.join("archive"))
    }
}

/// A running replica. Dropping it stops it where it stands; [`Runtime::shutdown`] stops it in order.
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    log: Log,
    appender: Appender,
    published: Arc<Published>,
    supervisor: Supervisor,
}

impl Runtime {
    /// Opens the log and starts everything. Returns before the log is folded: [`Status::ready`] tells when.
    ///
    /// # Errors
    /// When the log cannot be opened or a thread cannot be started. Tables and streams that do not answer are no
    /// error: they are tried again, and the status says so.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(config: RuntimeConfig) -> anyhow::Result<Self> {
        let log = open(&config).await?;
        let clock = Clock::start(latest(&log).await.context("the log cannot be read")?);
        let mut parts = Parts::new(&config, log, clock);
        let handle = parts.handle(&config);
        parts.start_engine(&config)?;
        parts.start_leading(&config);
        parts.start_trainer()?;
        parts.start_projector(&config)?;
        parts.start_retention(&config)?;
        parts.start_watches();
        parts.start_fetching(&config, &handle);
        if let Some(stream) = config.stream {
            let (gauges, conditions) = (parts.gauges.clone(), parts.conditions.clone());
            let consumer = stream::Consumer { config: stream, handle: handle.clone(), gauges, conditions };
            let stop = parts.supervisor.stop();
            parts.supervisor.task("stream", Phase::Quiet, consumer.run(stop));
        }
        let Parts { log, appender, published, supervisor, .. } = parts;
        Ok(Self { handle, log, appender, published, supervisor })
    }

    /// What others hold of it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops in order: nothing more is taken in, what was queued is appended, what was appended is folded, the
    /// checkpoint is written, the lease given back. Takes 100 ms; 25 s at the very most.
    pub async fn shutdown(mut self) {
        self.supervisor.enter(Phase::Quiet).await;
        self.appender.close().await;
        self.supervisor.enter(Phase::Drained).await;
        if let Ok(last) = self.log.last().await
            && tokio::time::timeout(FOLD_GRACE, self.published.folded_record(last)).await.is_err()
        {
            tracing::warn!(component = "runtime", last, "stopped before all of the log was folded");
        }
        self.supervisor.enter(Phase::Folded).await;
        self.supervisor.join().await;
        self.supervisor.enter(Phase::Saved).await;
        if let Some(tables) = self.handle.tables() {
            tables.close().await;
        }
        self.log.close().await;
    }
}

async fn open(config: &RuntimeConfig) -> anyhow::Result<Log> {
    match &config.log {
        LogChoice::Memory => Ok(Log::memory()),
        LogChoice::Sqlite => {
            let path = config.data_dir.join("log.db");
            Log::sqlite(&path).await.with_context(|| format!("the log {} cannot be opened", path.display()))
        }
        LogChoice::Redis { url, key } => Log::redis(url, key).await.context("the log on Redis cannot be opened"),
    }
}

/// The time of the log's last record.
async fn latest(log: &Log) -> Result<Time, crate::log::LogError> {
    let last = log.last().await?;
    let records = if last == 0 { Vec::new() } else { log.read(last, 1).await? };
    Ok(records.first().map_or(Time::ZERO, |record| record.at))
}

/// What the parts of a runtime share while they are started.
struct Parts {
    log: Log,
    clock: Clock,
    appender: Appender,
    spool: Option<SpoolDoor>,
    published: Arc<Published>,
    overlay: Arc<Overlay>,
    conditions: Conditions,
    gauges: SharedGauges,
    actuators: Actuators,
    lease: watch::Sender<Option<protocol::Lease>>,
    tables: TableHolder,
    supervisor: Supervisor,
}

impl Parts {
    fn new(config: &RuntimeConfig, log: Log, clock: Clock) -> Self {
        let conditions = Conditions::default();
        let mut supervisor = Supervisor::new(conditions.clone());
        let stamps = clock.clone();
        let (appender, group_commit) = Appender::new(log.clone(), move || stamps.now());
        supervisor.task("appender", Phase::Drained, group_commit.run());
        let spool = (config.log != LogChoice::Memory).then(|| {
            let path = config.data_dir.join("spool.db");
            let (door, spooler) = SpoolDoor::new(path, log.clone(), clock.clone(), conditions.clone());
            let stop = supervisor.stop();
            supervisor.task("spool", Phase::Drained, spooler.run(stop));
            door
        });
        let instances = u16::try_from(config.settings.scaling.min_instances).unwrap_or(u16::MAX);
        Self {
            log,
            clock,
            appender,
            spool,
            published: Arc::default(),
            overlay: Arc::default(),
            conditions,
            gauges: SharedGauges::default(),
            actuators: Actuators::new(instances),
            lease: watch::Sender::new(None),
            tables: TableHolder::new(&config.tables),
            supervisor,
        }
    }

    fn handle(&self, config: &RuntimeConfig) -> Handle {
        Handle::new(handle::Shared {
            published: self.published.clone(),
            overlay: self.overlay.clone(),
            told: told::Told::default(),
            arriving: arriving::Arriving::default(),
            log: self.log.clone(),
            appender: self.appender.clone(),
            spool: self.spool.clone(),
            clock: self.clock.clone(),
            conditions: self.conditions.clone(),
            gauges: self.gauges.clone(),
            lease: self.lease.subscribe(),
            tables: self.tables.clone(),
            fetches: config.hyperswitch.is_some(),
            stream_key: config.stream.as_ref().map(|stream| stream.key.clone()),
            durability: config.durability,
            archive_dir: config.archive_dir(),
        })
    }

    /// The tail, the engine's thread, the writer of its checkpoints, and the wait for the first catch-up.
    fn start_engine(&mut self, config: &RuntimeConfig) -> std::io::Result<()> {
        let (records, arriving) = mpsc::channel(RECORDS_AHEAD);
        let (restored, from) = oneshot::channel();
        let (taken, checkpoints) = mpsc::channel(1);
        let (log, published, overlay) = (self.log.clone(), self.published.clone(), self.overlay.clone());
        let (conditions, runtime) = (self.conditions.clone(), tokio::runtime::Handle::current());
        self.supervisor.thread("apos-engine", move || {
            background::let_answers_go_first();
            let state = runtime.block_on(checkpoints::restore(&log, None));
            // The tail is gone only when the runtime is.
            let _ = restored.send(state.position().record);
            replica::Replica::new((log, state), published, overlay, conditions, taken).run(arriving, &runtime);
        })?;
        let (log, gauges, conditions, stop) = self.common();
        let follow = tail::follow(log, from, records, gauges, conditions);
        self.supervisor.task("tail", Phase::Folded, async move {
            tokio::select! { () = stop.at(Phase::Folded) => {}, () = follow => {} }
        });
        let (log, gauges, conditions, _) = self.common();
        let index = past::Index::open(&past::ladder_dir(&config.archive_dir()), config.retention.jump_bytes);
        let save = checkpoints::Saver { log, index, gauges, conditions };
        self.supervisor.task("checkpoints", Phase::Saved, save.run(checkpoints));
        let (log, gauges, conditions, stop) = self.common();
        let catch_up = tail::catch_up(log, self.published.clone(), self.actuators.clone(), gauges, conditions);
        self.supervisor.task("catch-up", Phase::Quiet, async move {
            tokio::select! { () = stop.at(Phase::Quiet) => {}, () = catch_up => {} }
        });
        Ok(())
    }

    fn common(&self) -> (Log, SharedGauges, Conditions, Stop) {
        (self.log.clone(), self.gauges.clone(), self.conditions.clone(), self.supervisor.stop())
    }

    /// What runs everywhere and does something only where this process leads.
    fn start_leading(&mut self, config: &RuntimeConfig) {
        let leader = leader::Leader {
            log: self.log.clone(),
            clock: self.clock.clone(),
            holder: holder(&self.clock),
            settings: config.settings.clone(),
            published: self.published.clone(),
            lease: self.lease.clone(),
            conditions: self.conditions.clone(),
        };
        let executor = executor::Executor {
            log: self.log.clone(),
            clock: self.clock.clone(),
            published: self.published.clone(),
            lease: self.lease.subscribe(),
            actuators: self.actuators.clone(),
        };
        let sampler = sampler::Sampler {
            log: self.log.clone(),
            clock: self.clock.clone(),
            appender: self.appender.clone(),
            actuators: self.actuators.clone(),
            lease: self.lease.subscribe(),
            conditions: self.conditions.clone(),
        };
        let stop = self.supervisor.stop();
        self.supervisor.task("leader", Phase::Quiet, leader.run(stop.clone()));
        self.supervisor.task("executor", Phase::Quiet, executor.run(stop.clone()));
        self.supervisor.task("sampler", Phase::Quiet, sampler.run(stop));
    }

    /// Asks the switch for hidden attempts, where this process leads.
    fn start_fetching(&mut self, config: &RuntimeConfig, handle: &Handle) {
        let Some(fetch) = &config.hyperswitch else { return };
        let fetcher = fetcher::Fetcher {
            config: fetch.clone(),
            handle: handle.clone(),
            clock: self.clock.clone(),
            lease: self.lease.subscribe(),
            gauges: self.gauges.clone(),
            conditions: self.conditions.clone(),
        };
        let stop = self.supervisor.stop();
        self.supervisor.task("fetcher", Phase::Quiet, fetcher.run(stop));
    }

    fn start_trainer(&mut self) -> std::io::Result<()> {
        let (log, clock, published) = (self.log.clone(), self.clock.clone(), self.published.clone());
        let trainer = trainer::Trainer { log, clock, published, lease: self.lease.subscribe() };
        let (runtime, stop) = (tokio::runtime::Handle::current(), self.supervisor.stop());
        self.supervisor.thread("apos-trainer", move || trainer.run(&runtime, &stop))
    }

    fn start_projector(&mut self, config: &RuntimeConfig) -> std::io::Result<()> {
        if config.tables == TablesChoice::None {
            return Ok(());
        }
        let (log, gauges, conditions, stop) = self.common();
        let place = projector::place(&config.tables, &config.data_dir);
        let projector = Projector { log, place, holder: self.tables.clone(), gauges, conditions };
        let runtime = tokio::runtime::Handle::current();
        self.supervisor.thread("apos-projector", move || projector.run(&runtime, &stop))
    }

    fn start_retention(&mut self, config: &RuntimeConfig) -> std::io::Result<()> {
        if config.retention.log.is_none() && config.retention.tables.is_none() {
            return Ok(());
        }
        let (log, gauges, conditions, stop) = self.common();
        let retention = retention::Retention {
            config: config.retention.clone(),
            archive_dir: config.archive_dir(),
            log,
            clock: self.clock.clone(),
            tables: self.tables.clone(),
            gauges,
            lease: self.lease.subscribe(),
            conditions,
        };
        let runtime = tokio::runtime::Handle::current();
        self.supervisor.thread("apos-retention", move || retention.run(&runtime, &stop))
    }

    /// Compares the clocks and forgets lost decisions, every second.
    fn start_watches(&mut self) {
        let (clock, overlay, conditions) = (self.clock.clone(), self.overlay.clone(), self.conditions.clone());
        let stop = self.supervisor.stop();
        self.supervisor.task("clock", Phase::Folded, async move {
            while stop.sleep(clock::FOLLOW_EVERY, Phase::Folded).await {
                overlay.sweep(clock.now());
                match clock.follow() {
                    Wall::Near => conditions.clear("clock"),
                    Wall::Stepped { ahead_us } => {
                        let seconds = ahead_us / 1_000_000;
                        conditions.set("clock", stepped(seconds));
                    }
                }
            }
        });
    }
}

/// The sentence for a wall clock that was stepped; whole minutes, so that it does not change every second.
fn stepped(ahead_s: i64) -> String {
    let (minutes, side) = (ahead_s.abs() / 60, if ahead_s > 0 { "ahead of" } else { "behind" });
    let span = if minutes == 0 { "less than a minute".to_owned() } else { format!("{minutes} min") };
    format!("the wall clock was stepped; log time is {span} {side} it and approaches it slowly")
}

/// This process's name for the lease: unlike any other, also of this process.
fn holder(clock: &Clock) -> String {
    let host = sysinfo::System::host_name().unwrap_or_else(|_| "unnamed".to_owned());
    format!("{host}:{}:{}", std::process::id(), clock.now().micros())
}
