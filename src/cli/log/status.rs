//! `apos log status`: what there is.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::cli::replay::open_log;
use crate::cli::{Ended, Failure, Setup, live, output, wiring};
use crate::domain::{Position, Time};
use crate::log::segment::Segment;
use crate::log::{History, Ladder, Log, LogError};
use crate::runtime::past::ladder_dir;

/// The log and its archive, at one moment.
#[derive(Debug, Serialize)]
struct Status {
    name: String,
    kind: &'static str,
    log: Part,
    /// Bytes of the log's file, and of what SQLite keeps beside it.
    log_bytes: Option<u64>,
    checkpoints: Vec<Position>,
    lease_epoch: u64,
    lease_holder: Option<String>,
    archive: Part,
    segments: usize,
    archive_bytes: u64,
    /// Segments that are cut off, or that cannot be opened.
    damaged: Vec<String>,
    jump_checkpoints: usize,
    jump_checkpoint_bytes: u64,
    /// Payment events and decisions up to the newest of them.
    entries_there: Option<u64>,
}

/// Records from one number and time to another.
#[derive(Debug, Default, Serialize)]
struct Part {
    records: u64,
    first: u64,
    last: u64,
    from: Option<String>,
    to: Option<String>,
}

pub(super) fn run(setup: &Setup, json: bool) -> Result<Ended, Failure> {
    let archive = wiring::archive_dir(setup)?;
    let runtime = live::tokio_runtime()?;
    let (log, name) = runtime.block_on(open_log(setup))?;
    let file = setup.data_dir().ok().map(|folder| folder.join("log.db"));
    let status = runtime.block_on(look(log, name, &archive, file.as_deref())).context("the log cannot be read")?;
    let text =
        if json { serde_json::to_string_pretty(&status).context("the status has no JSON form")? + "\n" } else { status.text() };
    output::data(text.as_bytes())?;
    Ok(Ended::Fine)
}

async fn look(log: Log, name: String, folder: &Path, file: Option<&Path>) -> Result<Status, LogError> {
    let history = History::of(log.clone(), folder);
    let archive = history.archive();
    let ladder = Ladder::open(&ladder_dir(folder), 0);
    let (lease_epoch, lease_holder) = log.lease().await?;
    let damaged = archive.segments().iter().filter_map(Segment::damage).chain(archive.unreadable());
    let log_bytes = file.filter(|_| matches!(log, Log::Sqlite(_))).map(|path| {
        let beside = ["", "-wal"].map(|suffix| format!("{}{suffix}", path.display()));
        beside.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|found| found.len()).sum()
    });
    Ok(Status {
        name,
        kind: log.kind(),
        log: part(&history, log.first().await?, log.last().await?).await,
        log_bytes,
        checkpoints: log.checkpoints().await?,
        lease_epoch,
        lease_holder,
        archive: part(&history, archive.first().unwrap_or(0), archive.last().unwrap_or(0)).await,
        segments: archive.segments().len(),
        archive_bytes: archive.segments().iter().map(Segment::size).sum(),
        damaged: damaged.map(ToString::to_string).collect(),
        jump_checkpoints: ladder.rungs().count(),
        jump_checkpoint_bytes: ladder.bytes(),
        entries_there: ladder.rungs().next_back().map(|rung| rung.entries),
    })
}

/// The times are left out where their record cannot be read: `verify` says why.
async fn part(history: &History, first: u64, last: u64) -> Part {
    if last == 0 || first == 0 {
        return Part::default();
    }
    let time = async |number| history.record(number).await.ok().map(|record| Time::to_string(&record.at));
    Part { records: last - first + 1, first, last, from: time(first).await, to: time(last).await }
}

impl Status {
    fn text(&self) -> String {
        let mut text = format!("log          {} ({})\n{}", self.name, self.kind, self.log.text());
        // Writing to a String cannot fail.
        if let Some(bytes) = self.log_bytes {
            let _ = writeln!(text, "  size       {}", megabytes(bytes));
        }
        let positions: Vec<String> = self.checkpoints.iter().map(ToString::to_string).collect();
        let positions = if positions.is_empty() { "none".to_owned() } else { positions.join(", ") };
        let _ = writeln!(text, "  checkpoints at {positions}");
        let holder = self.lease_holder.as_deref().map_or("held by nobody".to_owned(), |holder| format!("held by {holder}"));
        let _ = writeln!(text, "  lease      epoch {}, {holder}", self.lease_epoch);
        let _ =
            write!(text, "archive      {} segments, {}\n{}", self.segments, megabytes(self.archive_bytes), self.archive.text());
        for damage in &self.damaged {
            let _ = writeln!(text, "  damaged    {damage}");
        }
        let _ = writeln!(text, "for jumps    {} checkpoints, {}", self.jump_checkpoints, megabytes(self.jump_checkpoint_bytes));
        if let Some(entries) = self.entries_there {
            let _ = writeln!(text, "  up to the newest: {entries} payment events and decisions");
        }
        text
    }
}

impl Part {
    fn text(&self) -> String {
        let Self { records, first, last, from, to } = self;
        if *records == 0 {
            return "  records    none\n".to_owned();
        }
        let told = |time: &Option<String>| time.clone().unwrap_or_else(|| "a record that cannot be read".to_owned());
        format!("  records    {records}: {first} to {last}\n  times      {} to {}\n", told(from), told(to))
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}
