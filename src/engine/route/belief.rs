//! A normal belief about one effect, which fades towards its prior as outcomes pass: a lazy Ornstein–Uhlenbeck process.

use serde::{Deserialize, Serialize};

use super::change_point::Rule;
use super::features::Prior;
use crate::domain::numbers::sigmoid;

/// Least weight of an outcome, p(1−p): a forecast near 0 or 1 must still be able to learn that it is wrong.
const MIN_CURVATURE: f64 = 0.02;

/// A belief as it was when it was touched last. Single precision: what it drops is a thousandth of a standard deviation.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Weight {
    mean: f32,
    variance: f32,
    /// Evidence that the effect has changed, in nats.
    change: f32,
    /// The number of outcomes when it was touched last.
    clock: u64,
}

impl Weight {
    /// Of which nothing was learnt, and which no place that is given to a value finds its own.
    pub(super) const VACANT: Self = Self { mean: 0.0, variance: 0.0, change: 0.0, clock: 0 };

    /// Whether it was touched since then.
    pub(super) const fn is_since(self, clock: u64) -> bool {
        self.clock >= clock
    }

    #[expect(clippy::cast_possible_truncation, reason = "single precision is enough")]
    pub(super) const fn fresh(prior: Prior) -> Self {
        Self { mean: 0.0, variance: prior.variance as f32, change: 0.0, clock: 0 }
    }

    /// The belief now, faded by the outcomes that passed since it was touched.
    pub(super) fn now(self, prior: Prior, clock: u64) -> Belief {
        let (mean, variance) = (f64::from(self.mean), f64::from(self.variance));
        let passed = clock.saturating_sub(self.clock);
        if passed == 0 {
            return Belief { mean, variance };
        }
        #[expect(clippy::cast_precision_loss, reason = "a fading of e^(-2^53) is zero anyway")]
        let g = fading(passed as f64 / prior.memory);
        Belief { mean: g * mean, variance: prior.variance + (variance - prior.variance) * g * g }
    }

    #[expect(clippy::cast_possible_truncation, reason = "single precision is enough")]
    fn set(&mut self, belief: Belief, clock: u64) {
        (self.mean, self.variance, self.clock) = (belief.mean as f32, belief.variance as f32, clock);
    }

    /// How far its mean has moved from an earlier state of itself.
    pub(super) const fn since(self, earlier: Self) -> f32 {
        self.mean - earlier.mean
    }

    /// Moves the mean.
    pub(super) const fn shift(&mut self, by: f32) {
        self.mean += by;
    }

    /// Evidence that the effect has changed, in nats.
    pub(super) const fn suspicion(self) -> f64 {
        self.change as f64
    }

    /// Adds evidence of a change, which cannot fall below none. Above the threshold the belief is re-opened: the mean
    /// stays, the variance grows. `true` then.
    pub(super) fn watch(&mut self, evidence: f64, rule: &Rule, prior: Prior, clock: u64) -> bool {
        let sum = (f64::from(self.change) + evidence).max(0.0);
        let changed = sum > rule.threshold;
        #[expect(clippy::cast_possible_truncation, reason = "single precision is enough")]
        let kept = if changed { 0.0 } else { sum as f32 };
        self.change = kept;
        if changed {
            let now = self.now(prior, clock);
            self.set(Belief { variance: now.variance + rule.reopen, ..now }, clock);
        }
        changed
    }
}

/// e^(−x) for x ≥ 0. A decision asks for it a hundred times, mostly near 0: there a Taylor polynomial of x/8, squared
/// thrice, takes a third of the time and is 10⁻⁹ off at most, a fiftieth of what single precision drops.
fn fading(x: f64) -> f64 {
    if x > 1.0 {
        return libm::exp(-x);
    }
    let y = x * 0.125;
    let polynomial = 1.0 + y * (-1.0 + y * (1.0 / 2.0 + y * (-1.0 / 6.0 + y * (1.0 / 24.0 + y * (-1.0 / 120.0 + y / 720.0)))));
    let squared = polynomial * polynomial;
    let again = squared * squared;
    again * again
}

/// Where an effect, or a sum of effects, stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Belief {
    /// Mean, in logits.
    pub(crate) mean: f64,
    /// Variance, in squared logits.
    pub(crate) variance: f64,
}

impl Belief {
    /// Both beliefs together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { mean: self.mean + other.mean, variance: self.variance + other.variance }
    }

    /// The same belief about something so much likelier, in logits.
    pub(crate) fn moved(self, by: f64) -> Self {
        Self { mean: self.mean + by, ..self }
    }

    /// Expected probability: σ(m / √(1 + πS/8)), the probit approximation of the logistic-normal integral.
    pub(crate) fn probability(self) -> f64 {
        sigmoid(self.mean / (1.0 + core::f64::consts::PI * self.variance / 8.0).sqrt())
    }
}

/// One correction, shared by all the weights it touches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    error: f64,
    curvature: f64,
    scale: f64,
    clock: u64,
}

impl Step {
    /// The correction that an outcome calls for, given what was believed of it altogether and the probability expected.
    pub(super) fn of(success: bool, total: Belief, expected: f64, clock: u64) -> Self {
        let curvature = (expected * (1.0 - expected)).max(MIN_CURVATURE);
        let error = if success { 1.0 - expected } else { -expected };
        Self { error, curvature, scale: 1.0 + curvature * total.variance, clock }
    }

    /// The part of it that concerns what the outcome is a sign of with this probability.
    pub(super) fn in_part(&self, probability: f64) -> Self {
        Self { error: self.error * probability, curvature: self.curvature * probability, ..*self }
    }

    /// μ += v·(y−p)/(1+wS); v −= v²·w/(1+wS): a Laplace step of the posterior, a diagonal one. `now` is the weight's belief,
    /// faded to the step's own time.
    pub(super) fn correct(&self, weight: &mut Weight, now: Belief) {
        let corrected = Belief {
            mean: now.mean + now.variance * self.error / self.scale,
            variance: now.variance - now.variance * now.variance * self.curvature / self.scale,
        };
        weight.set(corrected, self.clock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fading_is_the_exponential() {
        for n in 0..=4_000 {
            let x = f64::from(n) / 1_000.0;
            let (faded, exact) = (fading(x), libm::exp(-x));
            assert!((faded - exact).abs() < 1e-9, "{x}: {faded} {exact}");
        }
    }
}
