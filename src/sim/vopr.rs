//! Deterministic fault simulation, after `TigerBeetle`'s VOPR: three replicas and one log, the shipped state machines, and
//! whatever can go wrong, all out of one seed, on one thread, in simulated time.
//!
//! Simulated are the network, processes, disks and clocks, and the two ends of the product: the sender of events and the
//! target of acts. Everything between them is what is shipped: the engine, the log in memory, and the machines of
//! [`crate::runtime::protocol`] (lease, intake, spool, executor, projector cursor). After every entry the [`Invariant`]s
//! are checked against a reference that knows none of them; the same seed gives the same run, so a seed is a bug report.

mod checks;
mod faults;
mod log;
mod replica;
mod sender;
mod target;
mod world;

use std::time::Duration;

pub use checks::{Broken, Invariant};
pub use faults::{Counts, Fault};

use crate::domain::Time;
use crate::runtime::protocol::Planted;
use crate::sim::chance::Stream;

/// Entries of a run at least.
pub const ENTRIES: usize = 20_000;
/// Faults of a run at least.
pub const FAULTS: u64 = 20;

/// When simulated time begins.
const EPOCH: Time = Time::from_secs(1_790_000_000);

/// A seed's run that ended with a broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} after {entries} entries and {after:?}: {broken}")]
pub struct Failed {
    /// The seed: the same one fails again.
    pub seed: u64,
    /// Entries in the log.
    pub entries: usize,
    /// Simulated time.
    pub after: Duration,
    /// What did not hold.
    pub broken: Broken,
}

impl std::error::Error for Broken {}

/// Runs one seed over at least so many entries, until all faults are over and everything has come to rest.
///
/// # Errors
/// The first invariant that did not hold.
pub fn run(seed: u64, entries: usize, planted: Planted) -> Result<Counts, Failed> {
    let mut world = world::World::new(seed, planted);
    let outcome = world.run(entries);
    outcome.map_err(|broken| Failed { seed, entries: world.entries(), after: world.now(), broken })
}

/// Whether something happens that has this probability.
fn chance(stream: &mut Stream, probability: f64) -> bool {
    stream.unit() < probability
}

/// A whole number below `limit`, which is not 0.
fn below(stream: &mut Stream, limit: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small numbers")]
    let drawn = (stream.unit() * limit as f64) as usize;
    drawn.min(limit - 1)
}

/// A span between two.
fn between(stream: &mut Stream, from: Duration, to: Duration) -> Duration {
    from + to.saturating_sub(from).mul_f64(stream.unit())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::runtime::protocol::Bug;

    /// Every planted bug must show within so many seeds.
    const SEEDS: u64 = 1_000;

    /// The first seed that catches a bug, and how.
    fn caught(bug: Bug) -> Option<Failed> {
        (1..=SEEDS).find_map(|seed| run(seed, ENTRIES, Planted::one(bug)).err())
    }

    #[test]
    fn every_planted_bug_is_caught_by_its_invariant() {
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(bug) = Bug::ALL.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
                        let failed = caught(*bug).unwrap_or_else(|| panic!("{bug:?} was not caught within {SEEDS} seeds"));
                        println!("{bug:?}: {failed}");
                        assert_eq!(failed.broken.invariant, shows_as(*bug), "{bug:?}: {failed}");
                    }
                });
            }
        });
    }

    const fn shows_as(bug: Bug) -> Invariant {
        match bug {
            Bug::AcknowledgesEarly | Bug::TrustsLostAnswers | Bug::ForgetsFirst => Invariant::NothingLost,
            Bug::OvertakesTheSpool => Invariant::InOrder,
            Bug::LeaseFromAnswer => Invariant::OneLeader,
            Bug::SendsWithoutLease => Invariant::NoOldEpoch,
            Bug::ActsBeforeIntent => Invariant::IntentFirst,
            Bug::RepeatsBlindly => Invariant::NoBlindRepeat,
            Bug::CursorFirst | Bug::ForgetsTheCursor => Invariant::NothingTwice,
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        assert_eq!(run(7, 2_000, Planted::default()), run(7, 2_000, Planted::default()));
    }

    /// Continuous integration runs 200 seeds (`tests/run` sets the variable and optimises the crate); a plain `cargo test`,
    /// which does not optimise it, runs as many as take half a minute. `apos vopr` runs more.
    #[test]
    fn seeds_break_no_invariant_and_every_fault_happens() {
        let seeds = std::env::var("APOS_VOPR_SEEDS").map_or(16, |seeds| seeds.parse().unwrap());
        let (next, sum) = (AtomicU64::new(1), Mutex::new(Counts::default()));
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed > seeds {
                    return;
                }
                let counts = run(seed, ENTRIES, Planted::default()).unwrap_or_else(|failed| panic!("{failed}"));
                assert!(counts.entries >= ENTRIES as u64 && counts.faults() >= FAULTS, "seed {seed}: {counts}");
                sum.lock().unwrap().add(&counts);
            }
        };
        std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
        let counts = *sum.lock().unwrap();
        println!("{counts}");
        assert_eq!((counts.seeds, counts.missing()), (seeds, Vec::new()));
    }
}
