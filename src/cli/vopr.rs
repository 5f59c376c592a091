//! `apos vopr`: fault simulation over many seeds, with progress; the failing seed is printed and kept.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::{Ended, Failure, output};
use crate::runtime::clock::instant;
use crate::runtime::protocol::Planted;
use crate::sim::vopr::{self, Counts, ENTRIES, Failed};

/// Failing seeds are kept in this file of the working folder, one a line.
const KEPT: &str = "vopr-failures.txt";

/// Between lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// What `apos vopr` takes.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct VoprArguments {
    /// How many seeds to run, each over at least 20,000 entries
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub seeds: u64,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub from: u64,
    /// Threads; a seed runs on one [default: as many as there are processors]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// What the threads share.
struct Run {
    next: AtomicU64,
    end: u64,
    stop: AtomicBool,
    sum: Mutex<Counts>,
    failed: Mutex<Option<Failed>>,
}

pub(super) fn run(arguments: &VoprArguments) -> Result<Ended, Failure> {
    let end = arguments.from.checked_add(arguments.seeds).ok_or_else(|| Failure::usage("--from plus --seeds is too large"))?;
    if arguments.seeds == 0 {
        return Err(Failure::usage("--seeds must be at least 1"));
    }
    if arguments.threads == Some(0) {
        return Err(Failure::usage("--threads must be at least 1"));
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(processors);
    let run = Run {
        next: AtomicU64::new(arguments.from),
        end,
        stop: AtomicBool::new(false),
        sum: Mutex::default(),
        failed: Mutex::default(),
    };
    let began = instant();
    let mut told = Duration::ZERO;
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let workers = (0..threads)
            .map(|number| std::thread::Builder::new().name(format!("apos-vopr-{number}")).spawn_scoped(scope, || run.work()))
            .collect::<std::io::Result<Vec<_>>>()
            .inspect_err(|_| run.stop.store(true, Ordering::Relaxed))
            .context("a thread cannot be started")?;
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(50));
            if began.elapsed() >= told + PROGRESS {
                told = began.elapsed();
                let done = held(&run.sum).seeds;
                output::talk(&format!("{done} of {} seeds in {} s", arguments.seeds, told.as_secs()));
            }
        }
        Ok(())
    })?;
    let counts = *held(&run.sum);
    output::data(counts.to_string().as_bytes())?;
    let failed = held(&run.failed).take();
    if let Some(failed) = failed {
        keep(&failed)?;
        return Err(anyhow!("{failed}; kept in {KEPT}; again: apos vopr --seeds 1 --from {}", failed.seed).into());
    }
    let missing = counts.missing();
    if !missing.is_empty() {
        return Err(anyhow!("never happened, so this run proves nothing of it: {}; run more seeds", missing.join(", ")).into());
    }
    let line = format!("no invariant was broken in {} seeds, {} s\n", counts.seeds, began.elapsed().as_secs());
    output::data(line.as_bytes())?;
    Ok(Ended::Fine)
}

impl Run {
    /// Runs seeds until there are no more, or one failed.
    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.end {
                return;
            }
            match vopr::run(seed, ENTRIES, Planted::default()) {
                Ok(counts) => held(&self.sum).add(&counts),
                Err(failed) => {
                    self.stop.store(true, Ordering::Relaxed);
                    let mut first = held(&self.failed);
                    // The lowest seed, whatever thread was faster.
                    if first.as_ref().is_none_or(|known| failed.seed < known.seed) {
                        *first = Some(failed);
                    }
                }
            }
        }
    }
}

fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(failed: &Failed) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(KEPT).context("the seed cannot be kept")?;
    writeln!(file, "{} {failed}", env!("CARGO_PKG_VERSION")).with_context(|| format!("{KEPT} cannot be written"))
}
