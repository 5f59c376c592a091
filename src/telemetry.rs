//! Logs of the program itself: JSON lines into rolling files, never onto the terminal.
//!
//! One line an event, with the fields `timestamp`, `level`, `component`, `message` and whatever the event carries
//! (`payment_id`, `connector`, `confidence`, …), flat. Writing is a thread of its own: a slow disk drops lines, which
//! are counted, and never delays a decision. Personal data must not be given to a log event in the first place.

mod line;
mod rolling;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::config::{Level, Telemetry};

pub use line::JsonLine;
pub use rolling::RollingFile;

/// Name of the current file; older ones are `apos.log.1` (the newest of them), `apos.log.2`, …
pub const FILE: &str = "apos.log";

/// Lines that may wait for the disk: at 200 bytes a line 3 MB, and half a second of the worst flood seen.
const WAITING_MAX: usize = 16_384;

/// ERROR events since the process began, whatever level is written to the files.
static ERRORS: AtomicU64 = AtomicU64::new(0);

/// How many ERROR events there were since the process began. A simulation with one has failed.
#[must_use]
pub fn errors() -> u64 {
    ERRORS.load(Ordering::Relaxed)
}

/// Why logs could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The folder or the file cannot be written.
    #[error("{path} cannot be written")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something else has installed a subscriber already.
    #[error("logs were started twice")]
    Twice(#[source] tracing::subscriber::SetGlobalDefaultError),
}

/// Keeps the writing thread; dropping it writes what waits.
#[derive(Debug)]
pub struct Guard {
    _writer: WorkerGuard,
    dropped: ErrorCounter,
    path: PathBuf,
}

impl Guard {
    /// Lines dropped because the disk was too slow.
    #[must_use]
    pub fn dropped_lines(&self) -> usize {
        self.dropped.dropped_lines()
    }

    /// The current file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Starts the logs of this process: everything `tracing` is told from here on goes to `folder`.
///
/// # Errors
/// When the folder cannot be written, or logs were started before; the process can go on without.
pub fn start(config: &Telemetry, folder: &Path) -> Result<Guard, TelemetryError> {
    let path = folder.join(FILE);
    let file = RollingFile::open(&path, config.max_file_bytes, config.max_files)
        .map_err(|source| TelemetryError::Unwritable { path: path.clone(), source })?;
    let builder = NonBlockingBuilder::default().buffered_lines_limit(WAITING_MAX).thread_name("logs");
    let (writer, guard) = builder.finish(file);
    let dropped = writer.error_counter();
    tracing::subscriber::set_global_default(subscriber(config.level, writer)).map_err(TelemetryError::Twice)?;
    Ok(Guard { _writer: guard, dropped, path })
}

/// What turns events into lines; a test gives its own writer.
pub fn subscriber<W>(level: Level, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().fmt_fields(JsonFields::new()).event_format(JsonLine).with_writer(writer);
    // Each layer has its filter: one without makes every library's TRACE be built and looked at, eleven times a request.
    let errors = CountErrors.with_filter(LevelFilter::ERROR);
    tracing_subscriber::registry().with(errors).with(lines.with_filter(wanted(level)))
}

/// Our own events from `level` on; those of libraries only from WARN on, for their INFO is about themselves.
fn wanted(level: Level) -> Targets {
    let own = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(own.min(LevelFilter::WARN)).with_target("apos", own)
}

struct CountErrors;

impl<S: Subscriber> Layer<S> for CountErrors {
    /// Only errors come here.
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        ERRORS.fetch_add(1, Ordering::Relaxed);
    }
}
