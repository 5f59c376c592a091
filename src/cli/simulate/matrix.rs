//! Many trials on all processors, their reports in the order they were asked for, and how far they have come.

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

/// Plays every trial.
pub(super) fn play(
    trials: &[Trial],
    keeper: Option<&Mutex<Keeper>>,
    settings: &(dyn Fn(&World) -> Settings + Sync),
) -> Vec<Report> {
    let progress = Progress::new(trials);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
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
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((number, report));
                }
            });
        }
    });
    progress.clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, report)| report).collect()
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
