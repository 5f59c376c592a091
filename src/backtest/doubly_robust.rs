//! What a log can say of choices that it did not make: self-normalised inverse propensity (SNIPS: Swaminathan and
//! Joachims 2015) and doubly robust (Dudík, Langford and Li 2011).
//!
//! An outcome is known only for what the log chose. It counts by how likely the other one is to choose that too, against how
//! likely the log was; elsewhere a model's word stands, and what it was wrong by where the outcome is known corrects it.
//! Either the model or the propensities need be right, not both. What counts is the other one's chance, not whether its draw
//! fell on the same: two that rank the same accounts in another order never meet where they share their draws.

use crate::domain::numbers::Z95;

/// Least propensity that is believed: a smaller one would let a single payment decide the estimate.
pub(super) const LEAST_PROPENSITY: f64 = 0.001;
/// Standard errors that a mean weight is off by chance once in 16,000 times.
const CHANCE: f64 = 4.0;

/// One choice of a log beside another one's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// The probability with which the log chose what it chose, and with which the other one chooses that.
    pub(super) propensity: (f64, f64),
    /// What became of that: 1 approved, 0 not.
    pub(super) value: f64,
    /// What the model expects of the log's choice, and of the other one.
    pub(super) expected: (f64, f64),
}

/// Sums over choices.
#[derive(Debug, Clone, Default)]
pub(super) struct DoublyRobust {
    count: f64,
    weights: f64,
    weights_squared: f64,
    weighted: f64,
    sum: f64,
    squared: f64,
}

impl DoublyRobust {
    /// Adds a choice, and tells what the other one is worth: its own estimate.
    pub(super) fn observe(&mut self, choice: &Choice) -> f64 {
        let (logged, other) = choice.propensity;
        let weight = other / logged.max(LEAST_PROPENSITY);
        let (logged, other) = choice.expected;
        let robust = other + weight * (choice.value - logged);
        self.count += 1.0;
        self.weights += weight;
        self.weights_squared += weight * weight;
        self.weighted += weight * choice.value;
        self.sum += robust;
        self.squared += robust * robust;
        robust
    }

    /// Choices added.
    pub(super) const fn count(&self) -> f64 {
        self.count
    }

    /// Whether anything can be said at all.
    pub(super) fn can_say(&self) -> bool {
        self.count > 1.0 && self.weights > 0.0
    }

    /// The self-normalised estimate.
    pub(super) fn snips(&self) -> f64 {
        self.weighted / self.weights
    }

    /// The doubly robust estimate.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.count
    }

    /// Half of its 95 % interval.
    pub(super) fn half_width(&self) -> f64 {
        let mean = self.mean();
        Z95 * ((self.squared / self.count - mean * mean) / self.count).max(0.0).sqrt()
    }

    /// The mean weight, where chance does not explain that it is not 1. It is 1 in the mean where the propensities are right
    /// and the log chooses, now and then, whatever the other one does; where it never does so, the share of such choices is
    /// missing.
    pub(super) fn mean_weight(&self) -> f64 {
        let mean = self.weights / self.count;
        let error = ((self.weights_squared / self.count - mean * mean) / self.count).max(0.0).sqrt();
        if (mean - 1.0).abs() > CHANCE * error { mean } else { 1.0 }
    }

    /// How many equally weighted choices the weighted ones are worth (Kish).
    pub(super) fn effective(&self) -> f64 {
        self.weights * self.weights / self.weights_squared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two accounts that succeed in 8 and 9 cases of 10; a tenth of the choices is a fair draw, the rest the first in a
    /// ranking. The model thinks them alike. Every draw and every answer comes as often as it is likely.
    fn check(logged: [usize; 2], other: [usize; 2], truth: f64) {
        let success = [8, 9];
        let chance = |ranked: [usize; 2], account: usize| if ranked[0] == account { 0.95 } else { 0.05 };
        let mut robust = DoublyRobust::default();
        for (draw, answer) in (0..20).flat_map(|draw| (0..10).map(move |answer| (draw, answer))) {
            let chosen = logged[usize::from(draw == 0)];
            let propensity = (chance(logged, chosen), chance(other, chosen));
            let value = if answer < success[chosen] { 1.0 } else { 0.0 };
            robust.observe(&Choice { propensity, value, expected: (0.8, 0.8) });
        }
        assert!((robust.mean() - truth).abs() < 1e-9 && (robust.snips() - truth).abs() < 1e-9, "{robust:?}");
    }

    #[test]
    fn what_is_chosen_rarely_tells_of_who_chooses_it_often() {
        check([0, 1], [1, 0], 0.895);
        check([0, 1], [0, 1], 0.805);
        check([1, 0], [0, 1], 0.805);
    }
}
