//! Many trials on all processors, their reports in the order they were asked for, and how far they have come. A report is
//! handed over as soon as it and all before it are there: whoever waits for thousands sees the first at once.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::keep::Keeper;
use crate::cli::output;
use crate::domain::{Record, Settings};
use crate::runtime::clock::instant;
use crate::sim::World;
use crate::sim::trial::{Report, Seen, Trial};

/// Cells of the progress bar.
const BAR: usize = 24;

/// Plays every trial; `see` is handed each report in order, and ends everything by an error.
///
/// # Errors
/// What `see` says.
pub(super) fn play(
    trials: &[Trial],
    keeper: Option<&Mutex<Keeper>>,
    settings: &(dyn Fn(&World) -> Settings + Sync),
    see: &mut (dyn FnMut(&Report) -> anyhow::Result<()> + Send),
) -> anyhow::Result<Vec<Report>> {
    let progress = Progress::new(trials);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(InOrder::new(see)));
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(trials.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(trial) = trials.get(number) else { return };
                    let began = instant();
                    let mut report = trial.play(settings, &mut |seen| match seen {
                        Seen::Progress(span) => progress.reached(number, span),
                        Seen::Record(record) => keep(keeper, record),
                    });
                    report.wall_s = instant().duration_since(began).as_secs_f64();
                    progress.reached(number, trial.span);
                    if !done.lock().unwrap_or_else(PoisonError::into_inner).take(number, report) {
                        next.store(trials.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    progress.clear();
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.failed.map_or(Ok(done.told), Err)
}

/// Reports that come in any order and are told in theirs.
struct InOrder<'s> {
    see: &'s mut (dyn FnMut(&Report) -> anyhow::Result<()> + Send),
    told: Vec<Report>,
    /// Those that an earlier one is waited for.
    waiting: BTreeMap<usize, Report>,
    failed: Option<anyhow::Error>,
}

impl<'s> InOrder<'s> {
    fn new(see: &'s mut (dyn FnMut(&Report) -> anyhow::Result<()> + Send)) -> Self {
        Self { see, told: Vec::new(), waiting: BTreeMap::new(), failed: None }
    }

    /// Takes the report of that number; whether to go on.
    fn take(&mut self, number: usize, report: Report) -> bool {
        self.waiting.insert(number, report);
        while self.failed.is_none()
            && let Some(report) = self.waiting.remove(&self.told.len())
        {
            self.failed = (self.see)(&report).err();
            self.told.push(report);
        }
        self.failed.is_none()
    }
}

fn keep(keeper: Option<&Mutex<Keeper>>, record: &Record) {
    if let Some(keeper) = keeper {
        keeper.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }
}

/// One line on standard error, where a person watches it.
struct Progress<'t> {
    trials: &'t [Trial],
    /// Simulated time gone by in each trial.
    reached: Mutex<Vec<Duration>>,
    watched: bool,
}

impl<'t> Progress<'t> {
    fn new(trials: &'t [Trial]) -> Self {
        let reached = Mutex::new(vec![Duration::ZERO; trials.len()]);
        Self { trials, reached, watched: std::io::stderr().is_terminal() }
    }

    fn reached(&self, number: usize, span: Duration) {
        if !self.watched {
            return;
        }
        let Ok(mut reached) = self.reached.lock() else { return };
        reached[number] = span;
        let all: f64 = self.trials.iter().map(|trial| trial.span.as_secs_f64()).sum();
        let gone: f64 = reached.iter().map(Duration::as_secs_f64).sum();
        let ended = self.trials.iter().zip(reached.iter()).filter(|(trial, reached)| **reached >= trial.span).count();
        let share = (gone / all.max(1e-9)).min(1.0);
        let filled = crate::sim::chance::whole(share * f64::from(u32::try_from(BAR).unwrap_or(1))) as usize;
        let bar: String = (0..BAR).map(|cell| if cell < filled { '=' } else { ' ' }).collect();
        let trial = &self.trials[number];
        output::progress(&format!(
            "[{bar}] {:3.0} %  {ended} of {} runs  {} seed {}",
            100.0 * share,
            self.trials.len(),
            trial.scenario.name,
            trial.seed
        ));
    }

    fn clear(&self) {
        if self.watched {
            output::progress("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Deciding, Policy, Scenario};

    /// The report of a seed, over no time at all.
    fn report(seed: u64) -> Report {
        let scenario = Scenario { warm_up: Duration::ZERO, ..Scenario::default() };
        let trial = Trial {
            span: Duration::ZERO,
            scenario,
            seed,
            policy: Policy::Priority,
            deciding: Deciding::default(),
            clock: None,
            compared: false,
            trainer: None,
        };
        trial.play(&World::settings, &mut |_| {})
    }

    #[test]
    fn a_report_is_told_as_soon_as_all_before_it_are() {
        let mut seen = Vec::new();
        let mut see = |report: &Report| -> anyhow::Result<()> {
            seen.push(report.seed);
            if report.seed == 2 { Err(anyhow::anyhow!("nobody reads on")) } else { Ok(()) }
        };
        let mut ordered = InOrder::new(&mut see);
        assert!(ordered.take(1, report(1)) && ordered.told.is_empty());
        assert!(ordered.take(0, report(0)) && ordered.told.len() == 2);
        assert!(!ordered.take(2, report(2)) && ordered.failed.is_some());
        ordered.take(3, report(3));
        assert_eq!(seen, [0, 1, 2], "nothing is told after a failure");
    }
}
