//! The one file that reads clocks.
//!
//! Log time starts at the wall clock and advances with the monotonic one, so that a step of the wall clock (NTP, an
//! operator, a machine that slept) never jumps the log. Afterwards it is slewed towards the wall clock, a little each
//! second; a difference above `STEP` is reported. It never runs backwards within a process, and `append` keeps the
//! log's own stamps monotone across processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::domain::Time;

/// How often [`Clock::follow`] is to be called: the unit the slew is stated in.
pub const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// A wall clock this far from log time was stepped: reported and shown. 5 s is far above what NTP leaves (below
/// 100 ms) and below what would make webhook delays look absurd.
const STEP: i64 = 5_000_000;

/// Most log time may gain or lose in one [`FOLLOW_EVERY`], in microseconds: 10 %. Durations measured in log time are
/// then at most that wrong; an hour's step is caught up in ten hours.
const SLEW: i64 = 100_000;

/// Wall time from the kernel, monotonic time, and the log time made of both. Cheap to clone, safe to share.
#[derive(Debug, Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    origin: Instant,
    /// Log time at `origin`, with every slew so far added: microseconds.
    base: AtomicI64,
    /// The latest log time given out: microseconds.
    latest: AtomicI64,
    /// Log time minus wall time when [`Clock::follow`] looked last: microseconds.
    ahead: AtomicI64,
}

/// What [`Clock::follow`] found worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// The two agree to within 5 s.
    Near,
    /// The wall clock was stepped; log time approaches it at one tenth of its pace.
    Stepped {
        /// Log time minus wall time, in microseconds.
        ahead_us: i64,
    },
}

impl Clock {
    /// Starts at the wall clock, but not before `at_least`, the log's latest time.
    #[must_use]
    pub fn start(at_least: Time) -> Self {
        let base = wall_us().max(at_least.micros());
        let (latest, ahead) = (AtomicI64::new(base), AtomicI64::new(base - wall_us()));
        Self { inner: Arc::new(Inner { origin: instant(), base: AtomicI64::new(base), latest, ahead }) }
    }

    /// The log's time now; never before one given out earlier.
    #[must_use]
    pub fn now(&self) -> Time {
        let now = self.inner.base.load(Ordering::Relaxed) + self.elapsed_us();
        let before = self.inner.latest.fetch_max(now, Ordering::Relaxed);
        Time::from_micros(before.max(now))
    }

    /// Moves log time forward to the log's own latest where it lies behind: another machine's clock was ahead.
    pub fn at_least(&self, latest: Time) {
        self.inner.base.fetch_max(latest.micros().saturating_sub(self.elapsed_us()), Ordering::Relaxed);
    }

    /// How long this clock has been running.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        instant().duration_since(self.inner.origin)
    }

    /// Log time minus wall time when it was compared last, in microseconds.
    #[must_use]
    pub fn ahead_us(&self) -> i64 {
        self.inner.ahead.load(Ordering::Relaxed)
    }

    /// Compares log time with the wall clock and slews; to be called once every [`FOLLOW_EVERY`].
    #[must_use = "a stepped wall clock is to be reported"]
    pub fn follow(&self) -> Wall {
        let ahead = self.inner.base.load(Ordering::Relaxed) + self.elapsed_us() - wall_us();
        self.inner.ahead.store(ahead, Ordering::Relaxed);
        self.inner.base.fetch_add(slew(ahead), Ordering::Relaxed);
        if ahead.abs() > STEP { Wall::Stepped { ahead_us: ahead } } else { Wall::Near }
    }

    fn elapsed_us(&self) -> i64 {
        i64::try_from(self.uptime().as_micros()).unwrap_or(i64::MAX)
    }
}

/// What to add, once every [`FOLLOW_EVERY`], to log time that is `ahead` microseconds before the wall clock.
pub(crate) fn slew(ahead: i64) -> i64 {
    (-ahead).clamp(-SLEW, SLEW)
}

/// Monotonic time, for time-outs and measurements in the wiring.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
#[must_use]
pub fn instant() -> Instant {
    Instant::now()
}

/// Wall time in microseconds since the Unix epoch; 0 for a machine whose clock stands before it.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
fn wall_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_micros()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_slewed_by_a_tenth_and_a_small_difference_at_once() {
        let hour = 3_600_000_000;
        assert_eq!((slew(hour), slew(-hour)), (-SLEW, SLEW));
        assert_eq!((slew(300), slew(-300), slew(0)), (-300, 300, 0));
    }

    #[test]
    fn log_time_starts_no_earlier_than_the_log_and_never_runs_backwards() {
        let ahead = Time::from_micros(wall_us()) + Duration::from_mins(10);
        let clock = Clock::start(ahead);
        let mut before = clock.now();
        assert!(before >= ahead);
        for _ in 0..100 {
            assert!(matches!(clock.follow(), Wall::Stepped { ahead_us } if ahead_us > STEP));
            let now = clock.now();
            assert!(now >= before);
            before = now;
        }
        assert!(clock.ahead_us() < 600_000_000 - 98 * SLEW, "slewed back: {} µs ahead", clock.ahead_us());
    }

    #[test]
    fn log_time_is_never_behind_the_log() {
        let clock = Clock::start(Time::ZERO);
        let (before, ahead) = (clock.now(), clock.now() + Duration::from_mins(5));
        clock.at_least(before);
        assert!(clock.now() < ahead);
        clock.at_least(ahead);
        assert!(clock.now() >= ahead);
    }

    #[test]
    fn a_clock_that_agrees_says_so() {
        assert_eq!(Clock::start(Time::ZERO).follow(), Wall::Near);
    }
}
