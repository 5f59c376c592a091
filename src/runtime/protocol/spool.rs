//! The spool: where acknowledged events wait while the log does not take them.
//!
//! While any wait, new ones queue behind them. They go to the log oldest first, a batch at a time, and are forgotten
//! here only when the log has them. A crash between the two appends a batch once more: the engine knows an event by its
//! id, and an attempt by its status, which only rises; so it counts once all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Bug, Planted};
use crate::domain::Time;

/// Most events that wait: at about 150 bytes each 150 MB of disk, an hour and a half of outage at 200 events a second.
pub const CAPACITY: u64 = 1_000_000;

/// Events handed to the log at once: a record of some 50 kB.
pub const BATCH: u64 = 500;

/// Pauses between tries while the log does not take them.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where a new event goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To the log.
    Log,
    /// To the spool, behind those that wait.
    File,
}

/// The next thing to do to empty it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// Nothing waits, or an answer is waited for.
    Idle,
    /// Not before then.
    Wait(Duration),
    /// Append the oldest [`BATCH`] to the log; [`Spool::taken`] is the answer.
    Append,
    /// Forget everything up to this number: the log has it; [`Spool::forgotten`] is the answer.
    Forget(u64),
}

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Resting,
    Appending,
    /// The log has all up to this number, and how many events that was.
    Taken(u64, u64),
    Forgetting(u64, u64),
}

/// The machine. Its numbers are those of the file: a later write has a greater one.
#[derive(Debug, Clone)]
pub struct Spool {
    capacity: u64,
    depth: u64,
    /// Written or being written: nothing may overtake them.
    queued: u64,
    oldest: BTreeMap<u64, Time>,
    stage: Stage,
    from: Duration,
    pause: Duration,
    planted: Planted,
}

impl Spool {
    /// After a start: the file holds `depth` events, the oldest since then.
    #[must_use]
    pub fn resume(capacity: u64, depth: u64, oldest: Option<Time>, planted: Planted) -> Self {
        Self {
            capacity,
            depth,
            queued: depth,
            oldest: oldest.map(|at| (0, at)).into_iter().collect(),
            stage: Stage::Resting,
            from: Duration::ZERO,
            pause: FIRST_PAUSE,
            planted,
        }
    }

    /// Where a new event goes.
    #[must_use]
    pub fn route(&self) -> Route {
        if self.queued == 0 || self.planted.has(Bug::OvertakesTheSpool) { Route::Log } else { Route::File }
    }

    /// Events that wait.
    #[must_use]
    pub const fn depth(&self) -> u64 {
        self.depth
    }

    /// Since when the oldest waits.
    #[must_use]
    pub fn oldest(&self) -> Option<Time> {
        self.oldest.first_key_value().map(|(_, at)| *at).filter(|_| self.depth > 0)
    }

    /// Begins to write so many events; `false` when there is no room: the sender comes again.
    pub const fn write(&mut self, events: u64) -> bool {
        if self.queued.saturating_add(events) > self.capacity {
            return false;
        }
        self.queued += events;
        true
    }

    /// They are on disk up to this number since `at`, or the disk failed.
    pub fn written(&mut self, events: u64, done: Option<(u64, Time)>) {
        match done {
            Some((number, at)) => {
                self.depth += events;
                self.oldest.insert(number, at);
            }
            None => self.queued = self.queued.saturating_sub(events),
        }
    }

    /// What to do now.
    pub const fn next(&mut self, now: Duration) -> Drain {
        match self.stage {
            Stage::Taken(number, events) => {
                self.stage = Stage::Forgetting(number, events);
                Drain::Forget(number)
            }
            Stage::Resting if self.depth > 0 => {
                if now.as_micros() < self.from.as_micros() {
                    return Drain::Wait(self.from);
                }
                self.stage = Stage::Appending;
                Drain::Append
            }
            _ => Drain::Idle,
        }
    }

    /// Whether a batch may be forgotten before the log has answered: never, but for a planted bug.
    #[must_use]
    pub fn forgets_first(&self) -> bool {
        self.planted.has(Bug::ForgetsFirst)
    }

    /// The log has all up to a number, so many events; or it did not take them.
    pub fn taken(&mut self, now: Duration, batch: Option<(u64, u64)>) {
        if let Some((number, events)) = batch {
            (self.stage, self.pause) = (Stage::Taken(number, events), FIRST_PAUSE);
        } else {
            (self.stage, self.from) = (Stage::Resting, now + self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The batch is gone from the file, or the disk failed; then it is tried again, for the log has it already.
    pub fn forgotten(&mut self, now: Duration, done: bool) {
        let Stage::Forgetting(number, events) = self.stage else { return };
        if done {
            let before = self.oldest();
            self.depth = self.depth.saturating_sub(events);
            self.queued = self.queued.saturating_sub(events);
            self.oldest = self.oldest.split_off(&number.saturating_add(1));
            // Of what the file held at the start only the oldest is known: the rest is no older.
            if let Some(at) = before.filter(|_| self.oldest.is_empty()) {
                self.oldest.insert(number.saturating_add(1), at);
            }
            (self.stage, self.from) = (Stage::Resting, now);
        } else {
            self.stage = Stage::Taken(number, events);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn new_events_queue_behind_those_that_wait_and_go_to_the_log_again_once_it_is_empty() {
        let mut spool = Spool::resume(10, 0, None, Planted::default());
        assert_eq!((spool.route(), spool.next(NOW)), (Route::Log, Drain::Idle));
        assert!(spool.write(3));
        assert_eq!((spool.route(), spool.depth()), (Route::File, 0), "it is being written");
        spool.written(3, Some((1, Time::from_secs(9))));
        assert_eq!((spool.depth(), spool.oldest()), (3, Some(Time::from_secs(9))));
        assert_eq!(spool.next(NOW), Drain::Append);
        spool.taken(NOW, None);
        assert_eq!(spool.next(NOW), Drain::Wait(NOW + FIRST_PAUSE), "the log is still down");
        assert_eq!(spool.next(NOW + FIRST_PAUSE), Drain::Append);
        spool.taken(NOW, Some((1, 3)));
        assert_eq!(spool.route(), Route::File, "not before they are forgotten");
        assert_eq!(spool.next(NOW), Drain::Forget(1));
        spool.forgotten(NOW, false);
        assert_eq!(spool.next(NOW), Drain::Forget(1), "forgotten again, not appended again");
        spool.forgotten(NOW, true);
        assert_eq!((spool.route(), spool.depth(), spool.oldest()), (Route::Log, 0, None));
    }

    #[test]
    fn a_full_spool_and_a_failing_disk_take_nothing() {
        let mut spool = Spool::resume(2, 1, Some(Time::ZERO), Planted::default());
        assert!(!spool.write(2));
        assert!(spool.write(1));
        spool.written(1, None);
        assert!(spool.write(1), "what failed takes no room");
    }
}
