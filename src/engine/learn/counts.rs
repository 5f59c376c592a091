//! Counts of the latest outcomes and decisions, for people to judge the scores by: whether what was expected happened, how
//! sure decisions were, and whether accounts tried after one had failed did any better.

use serde::{Deserialize, Serialize};

/// Bins of a probability, of equal width.
pub(super) const BINS: usize = 10;
/// Outcomes, or decisions, of a generation. The last complete one counts beside the running one: 10,000 to 20,000.
const GENERATION: u64 = 10_000;

/// Something counted over the latest generation or two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Latest<T> {
    counted: u64,
    running: T,
    before: T,
}

impl<T: Default + Copy> Latest<T> {
    /// Counts one more.
    pub(super) fn count(&mut self, add: impl FnOnce(&mut T)) {
        if self.counted == GENERATION {
            (self.before, self.running, self.counted) = (self.running, T::default(), 0);
        }
        self.counted += 1;
        add(&mut self.running);
    }

    /// Both generations.
    pub(super) const fn both(&self) -> [&T; 2] {
        [&self.before, &self.running]
    }
}

/// Outcomes of which a probability in a bin had been shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Bin {
    pub(super) outcomes: u64,
    pub(super) approved: u64,
    pub(super) shown: f64,
}

/// What outcomes tell of the account that was chosen before. One that approves tells nothing of it: no other is tried then, and
/// counted as the best it would be the best wherever nothing is retried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hindsight {
    /// An account failed after another one had.
    pub(super) no_better: u64,
    /// An account approved after another one had failed.
    pub(super) better: u64,
    /// No other account had failed before: nothing is told.
    pub(super) untried: u64,
}

/// All that is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(super) calibration: Latest<[Bin; BINS]>,
    pub(super) confidence: Latest<[u64; BINS]>,
    pub(super) hindsight: Latest<Hindsight>,
}

impl Counts {
    /// A decision was this sure.
    pub(crate) fn decided(&mut self, confidence: f64) {
        self.confidence.count(|bins| bins[bin(confidence)] += 1);
    }

    /// An attempt ended: what its decision had shown, whether it was approved, and whether another account had failed before.
    pub(crate) fn ended(&mut self, shown: Option<f64>, approved: bool, failed_elsewhere: bool) {
        if let Some(shown) = shown {
            self.calibration.count(|bins| {
                let bin = &mut bins[bin(shown)];
                bin.outcomes += 1;
                bin.approved += u64::from(approved);
                bin.shown += shown;
            });
        }
        self.hindsight.count(|counts| match (failed_elsewhere, approved) {
            (true, false) => counts.no_better += 1,
            (true, true) => counts.better += 1,
            (false, _) => counts.untried += 1,
        });
    }
}

/// The bin of a probability.
fn bin(probability: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10, and then cut")]
    let bin = (probability.clamp(0.0, 1.0) * 10.0) as usize;
    bin.min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_two_generations_is_forgotten() {
        let mut counts = Counts::default();
        let sum = |counts: &Counts| counts.confidence.both().iter().map(|bins| bins[9]).sum::<u64>();
        (0..GENERATION).for_each(|_| counts.decided(0.95));
        assert_eq!(sum(&counts), GENERATION);
        (0..GENERATION).for_each(|_| counts.decided(0.05));
        assert_eq!(sum(&counts), GENERATION);
        counts.decided(1.0);
        assert_eq!(sum(&counts), 1);
    }

    #[test]
    fn only_what_is_tried_after_a_failure_elsewhere_tells_of_a_choice() {
        let mut counts = Counts::default();
        counts.ended(Some(0.9), true, false);
        counts.ended(Some(0.91), false, false);
        counts.ended(None, true, true);
        counts.ended(None, false, true);
        counts.ended(None, true, true);
        assert_eq!(*counts.hindsight.both()[1], Hindsight { no_better: 1, better: 2, untried: 2 });
        let bin = counts.calibration.both()[1][9];
        assert_eq!((bin.outcomes, bin.approved), (2, 1));
    }
}
