//! What a log can say of choices that it did not make: self-normalised inverse propensity (SNIPS: Swaminathan and
//! Joachims 2015) and doubly robust (Dudík, Langford and Li 2011).
//!
//! An outcome is known only for what was chosen. Where both choose the same, what happened counts, weighted by how rarely
//! the log chooses so against how often the other one does; elsewhere a model's word stands, and what it was wrong by
//! where the outcome is known corrects it. Either the model or the propensities need be right, not both.

/// Least propensity that is believed: a smaller one would let a single payment decide the estimate.
pub(super) const LEAST_PROPENSITY: f64 = 0.001;
/// Two-sided 95 % of the normal distribution.
const Z95: f64 = 1.959_964;
/// Standard errors that a mean weight is off by chance once in 16,000 times.
const CHANCE: f64 = 4.0;

/// One choice of a log beside another one's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// Whether both chose the same.
    pub(super) same: bool,
    /// The probability with which the log chose what it chose, and with which the other one does.
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
        let weight = if choice.same { other / logged.max(LEAST_PROPENSITY) } else { 0.0 };
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
