//! A rolling window: one minute in buckets of one second, in event time.

use serde::{Deserialize, Serialize};

use super::{Baseline, Outcome};
use crate::domain::{DeclineClass, Time};

/// Buckets kept: a minute, what a sparkline shows and the longest window judged.
pub(crate) const BUCKETS: usize = 60;
/// A bucket teaches the baseline when it is this old, in seconds: at its very end, when no window judges it any more.
const LEARN_AGE: usize = BUCKETS - 1;

/// One second's counts. Saturating: 65,535 attempts a second on one slice are beyond one log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// Payments started.
    pub(crate) started: u16,
    /// Attempts approved.
    pub(crate) approved: u16,
    /// Attempts that failed for the connector's, the network's or the issuer's reasons.
    pub(crate) failed: u16,
    /// Attempts that failed for the customer's reasons, or for want of authentication.
    pub(crate) excused: u16,
    /// Attempts with a latency, and the sum of the logarithms of their milliseconds.
    pub(crate) timed: u16,
    pub(crate) log_latency: f32,
    /// The sum of the squares of those logarithms.
    pub(crate) log_latency_squares: f32,
}

impl Bucket {
    /// Counts an attempt's end.
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        let counter = match outcome.failure {
            None => &mut self.approved,
            Some(DeclineClass::User | DeclineClass::ScaRequired | DeclineClass::DataError) => &mut self.excused,
            Some(DeclineClass::Gateway | DeclineClass::Mixed | DeclineClass::Unclassified) => &mut self.failed,
        };
        *counter = counter.saturating_add(1);
        if let Some(log) = outcome.log_latency {
            self.timed = self.timed.saturating_add(1);
            self.log_latency += log;
            self.log_latency_squares += log * log;
        }
    }
}

/// Sums over the latest buckets of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sums {
    /// Payments started.
    pub(crate) started: u64,
    /// Attempts approved.
    pub(crate) approved: u64,
    /// Attempts failed, but for the customer's reasons.
    pub(crate) failed: u64,
    /// Attempts failed for the customer's reasons.
    pub(crate) excused: u64,
    /// Attempts with a latency.
    pub(crate) timed: u64,
    /// Sum of their logarithms.
    pub(crate) log_latency: f64,
}

impl Sums {
    /// Attempts that are judged: approved and failed, not those excused.
    pub(crate) const fn judged(&self) -> u64 {
        self.approved + self.failed
    }

    /// Attempts with an answer.
    pub(crate) const fn answered(&self) -> u64 {
        self.approved + self.failed + self.excused
    }

    /// The difference of two sums, for what remains when a part is taken out.
    pub(crate) const fn without(&self, part: &Self) -> Self {
        Self {
            started: self.started.saturating_sub(part.started),
            approved: self.approved.saturating_sub(part.approved),
            failed: self.failed.saturating_sub(part.failed),
            excused: self.excused.saturating_sub(part.excused),
            timed: self.timed.saturating_sub(part.timed),
            log_latency: self.log_latency - part.log_latency,
        }
    }
}

/// The window of one slice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Window {
    /// The second the newest bucket stands for; 0: nothing yet.
    head: i64,
    buckets: Vec<Bucket>,
    /// Whether it has news that was not judged yet.
    pub(crate) touched: bool,
}

impl Default for Window {
    fn default() -> Self {
        Self { head: 0, buckets: vec![Bucket::default(); BUCKETS], touched: false }
    }
}

impl Window {
    /// Changes the bucket of a time; a time before the window changes nothing.
    pub(crate) fn at(&mut self, at: Time, baseline: &mut Baseline, change: impl FnOnce(&mut Bucket)) {
        self.advance(at, baseline);
        let age = self.head - at.secs();
        if let Ok(age) = usize::try_from(age)
            && age < BUCKETS
        {
            let index = self.index(age);
            change(&mut self.buckets[index]);
        }
    }

    /// Moves on to a time; buckets that pass the learning age teach the baseline.
    pub(crate) fn advance(&mut self, at: Time, baseline: &mut Baseline) {
        let now = at.secs();
        if self.head == 0 {
            self.head = now;
            return;
        }
        let steps = usize::try_from(now - self.head).unwrap_or(0);
        if steps >= BUCKETS {
            self.skip(now, baseline);
            return;
        }
        for _ in 0..steps {
            self.head += 1;
            let newest = self.index(0);
            self.buckets[newest] = Bucket::default();
            baseline.learn(&self.buckets[self.index(LEARN_AGE)]);
        }
    }

    /// A silence longer than the window: what was not learnt yet is learnt, then all is empty.
    fn skip(&mut self, now: i64, baseline: &mut Baseline) {
        for age in (0..LEARN_AGE).rev() {
            baseline.learn(&self.buckets[self.index(age)]);
        }
        self.buckets.fill(Bucket::default());
        self.head = now;
    }

    /// Sums over the latest `seconds` as of `at`, the current second included.
    pub(crate) fn sums(&self, at: Time, seconds: u64) -> Sums {
        let mut sums = Sums::default();
        for bucket in self.latest(at, seconds) {
            sums.started += u64::from(bucket.started);
            sums.approved += u64::from(bucket.approved);
            sums.failed += u64::from(bucket.failed);
            sums.excused += u64::from(bucket.excused);
            sums.timed += u64::from(bucket.timed);
            sums.log_latency += f64::from(bucket.log_latency);
        }
        sums
    }

    /// The complete minute before `at`, oldest first; seconds without news are empty buckets.
    pub(crate) fn series(&self, at: Time) -> Vec<Bucket> {
        let behind = at.secs() - self.head;
        (1..=BUCKETS)
            .rev()
            .map(|age| i64::try_from(age).unwrap_or(i64::MAX) - behind)
            .map(|age| {
                usize::try_from(age)
                    .ok()
                    .filter(|age| *age < BUCKETS)
                    .map_or_else(Bucket::default, |age| self.buckets[self.index(age)])
            })
            .collect()
    }

    fn latest(&self, at: Time, seconds: u64) -> impl Iterator<Item = &Bucket> {
        let seconds = usize::try_from(seconds).unwrap_or(BUCKETS);
        let behind = usize::try_from(at.secs() - self.head).unwrap_or(0);
        (0..seconds.saturating_sub(behind).min(BUCKETS)).map(|age| &self.buckets[self.index(age)])
    }

    /// Index of the bucket that is `age` seconds older than the head.
    fn index(&self, age: usize) -> usize {
        let second = self.head - i64::try_from(age).unwrap_or(0);
        usize::try_from(second.rem_euclid(60)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(second: i64, failure: Option<DeclineClass>) -> Outcome {
        Outcome { at: Time::from_secs(second), failure, log_latency: Some(4.6), amount: None, method: None }
    }

    #[test]
    fn counts_what_is_in_the_window_and_forgets_the_rest() {
        let (mut window, mut baseline) = (Window::default(), Baseline::default());
        for second in 1_000..1_100 {
            let seen = outcome(second, (second % 2 == 0).then_some(DeclineClass::Gateway));
            window.at(seen.at, &mut baseline, |bucket| bucket.count(&seen));
        }
        let sums = window.sums(Time::from_secs(1_099), 30);
        assert_eq!((sums.approved, sums.failed, sums.timed), (15, 15, 30));
        assert_eq!(window.sums(Time::from_secs(1_109), 30).judged(), 20, "ten silent seconds");
        assert_eq!(window.sums(Time::from_secs(1_300), 30).judged(), 0);
        assert_eq!(window.series(Time::from_secs(1_100)).iter().filter(|b| b.approved + b.failed == 1).count(), 60);
    }

    #[test]
    fn a_late_event_counts_in_its_own_second() {
        let (mut window, mut baseline) = (Window::default(), Baseline::default());
        let (now, late) = (outcome(1_050, None), outcome(1_040, None));
        window.at(now.at, &mut baseline, |bucket| bucket.count(&now));
        window.at(late.at, &mut baseline, |bucket| bucket.count(&late));
        assert_eq!(window.sums(now.at, 5).approved, 1);
        assert_eq!(window.sums(now.at, 30).approved, 2);
    }
}
