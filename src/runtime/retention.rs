//! What is old leaves the log and the tables: sealed into the archive first, on a thread that yields to the rest.
//!
//! Only the leader does it. The log is never trimmed past what the tables have seen, nor past its second newest
//! checkpoint, nor past what was read back from the archive: a record is in one of the two at any moment.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use super::background;
use super::clock::Clock;
use super::conditions::Conditions;
use super::projector::TableHolder;
use super::protocol::Lease;
use super::status::{self, SharedGauges};
use super::supervisor::{Phase, Stop};
use crate::domain::Time;
use crate::log::{Archive, Chain, History, Log, LogError, Sealer};

/// How often old records are looked for. A day's worth leaves in steps of minutes, so that no look takes long.
const EVERY: Duration = Duration::from_mins(10);

/// What is kept, and where the rest goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Records older than this are sealed and leave the log; none: they stay.
    pub log: Option<Duration>,
    /// Rows of payment events and routing decisions older than this are deleted; none: they stay.
    pub tables: Option<Duration>,
    /// Where the archive is; none: `archive` in the data folder.
    pub archive_dir: Option<PathBuf>,
    /// Most bytes of checkpoints for jumps in time; 0: none are kept.
    pub jump_bytes: u64,
    /// How often old records are looked for.
    pub every: Duration,
}

impl Default for RetentionConfig {
    /// Everything stays.
    fn default() -> Self {
        Self { log: None, tables: None, archive_dir: None, jump_bytes: 0, every: EVERY }
    }
}

/// The retention's shell.
pub(super) struct Retention {
    pub(super) config: RetentionConfig,
    pub(super) archive_dir: PathBuf,
    pub(super) log: Log,
    pub(super) clock: Clock,
    pub(super) tables: TableHolder,
    pub(super) gauges: SharedGauges,
    pub(super) lease: watch::Receiver<Option<Lease>>,
    pub(super) conditions: Conditions,
}

/// What must stay in the log whatever its age: everything from these records on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    /// The first record that is young enough.
    young: u64,
    /// The second newest checkpoint's record; none before there are two.
    checkpoint: Option<u64>,
    /// The record the tables have come to; none where there are no tables.
    tables: Option<u64>,
}

impl Bounds {
    /// The first record that stays.
    fn first_kept(self) -> u64 {
        self.young.min(self.checkpoint.unwrap_or(0)).min(self.tables.unwrap_or(u64::MAX))
    }
}

impl Retention {
    /// Runs on this thread until the runtime is quiet.
    pub(super) fn run(self, runtime: &tokio::runtime::Handle, stop: &Stop) {
        background::yield_to_the_rest("retention");
        runtime.block_on(async {
            while stop.sleep(self.config.every, Phase::Quiet).await {
                if self.lease.borrow().is_none() {
                    continue;
                }
                match self.round(stop).await {
                    Ok(()) => self.conditions.clear("retention"),
                    Err(error) => self.conditions.set("retention", format!("old records stay: {error:#}")),
                }
            }
        });
    }

    async fn round(&self, stop: &Stop) -> anyhow::Result<()> {
        let now = self.clock.now();
        if let (Some(keep), Some(tables)) = (self.config.tables, self.tables.get()) {
            let pruned = tables.prune(now - keep).await.context("the tables were not pruned")?;
            if pruned > 0 {
                tracing::info!(component = "retention", pruned, "old rows are deleted");
            }
        }
        let Some(keep) = self.config.log else { return Ok(()) };
        let before = self.bounds(now - keep).await?.first_kept();
        let first = self.log.first().await?;
        if first == 0 || before <= first {
            return Ok(());
        }
        if self.seal(first, before, stop).await? {
            self.log.trim(before).await?;
            tracing::info!(component = "retention", first, before, "old records are in the archive");
        }
        Ok(())
    }

    async fn bounds(&self, young: Time) -> Result<Bounds, LogError> {
        let history = History::of(self.log.clone(), &self.archive_dir);
        let checkpoints = self.log.checkpoints().await?;
        let tables = self.tables.kind().map(|_| status::read(&self.gauges.tables.cursor).record);
        let checkpoint = checkpoints.len().checked_sub(2).map(|second| checkpoints[second].record);
        Ok(Bounds { young: history.record_at(young).await? + 1, checkpoint, tables })
    }

    /// Seals the records from `first` up to `before` that are not in the archive yet; true once all of them are, read back.
    async fn seal(&self, first: u64, before: u64, stop: &Stop) -> anyhow::Result<bool> {
        let archive = Archive::open(&self.archive_dir);
        let next = archive.last().map_or(first, |last| (last + 1).max(first));
        let chain = archive.chain_after(next - 1).unwrap_or(Chain::START);
        if next < before {
            let history = History::of(self.log.clone(), &self.archive_dir);
            let mut sealer = Sealer::begin(&self.archive_dir, next, chain)?;
            let mut from = next;
            while from < before {
                if !stop.sleep(Duration::ZERO, Phase::Quiet).await {
                    return Ok(false);
                }
                let records = history.read(from).await?;
                for record in records.iter().take_while(|record| record.number < before) {
                    sealer.push(record)?;
                    from = record.number + 1;
                }
            }
            sealer.finish()?;
        }
        read_back(&Archive::open(&self.archive_dir), next.min(before), before)?;
        Ok(true)
    }
}

/// Reads what is about to leave the log, from its new place.
fn read_back(archive: &Archive, first: u64, before: u64) -> anyhow::Result<()> {
    let mut next = first;
    while next < before {
        let records = archive.read(next)?;
        next = records.last().with_context(|| format!("record {next} is not in the archive"))?.number + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_what_anybody_may_need() {
        let check = |young, checkpoint, tables, expected| {
            assert_eq!(Bounds { young, checkpoint, tables }.first_kept(), expected);
        };
        check(100, Some(80), Some(90), 80);
        check(70, Some(80), Some(90), 70);
        check(100, Some(80), Some(60), 60);
        check(100, Some(80), None, 80);
        check(100, None, None, 0);
        check(100, Some(80), Some(0), 0);
    }
}
