//! Recalibration: what was expected, against what happened.
//!
//! The candidate that is chosen is the one that looks best, so what is expected of it is a little too high, and what
//! drifts is believed a little too long. An online Platt layer, σ(a·logit p + b), takes this off: a and b follow the
//! difference between the probability a decision showed and what became of it.

use crate::domain::numbers::sigmoid;
use serde::{Deserialize, Serialize};

/// Steps of b and a: the layer forgets over some thousand outcomes, and its own noise stays below half a point.
const OFFSET_STEP: f64 = 0.01;
const SLOPE_STEP: f64 = 0.005;
/// The slope is measured about this logit, the middle of what is usually expected.
const MIDDLE: f64 = 2.0;

/// The layer's two parameters.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Calibration {
    slope: f64,
    offset: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { slope: 1.0, offset: 0.0 }
    }
}

impl Calibration {
    /// The probability to be shown for one that the scores expect.
    pub(super) fn of(self, expected: f64) -> f64 {
        sigmoid(MIDDLE + self.slope * (logit(expected) - MIDDLE) + self.offset)
    }

    /// Learns what became of an attempt for which `shown` was shown.
    pub(super) fn learn(&mut self, shown: f64, success: bool) {
        let error = if success { 1.0 - shown } else { -shown };
        self.offset = (self.offset + OFFSET_STEP * error).clamp(-2.0, 2.0);
        self.slope = (self.slope + SLOPE_STEP * error * (logit(shown) - MIDDLE)).clamp(0.5, 1.5);
    }
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-4, 1.0 - 1e-4);
    libm::log(p / (1.0 - p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_too_high_is_shown_lower() {
        let mut calibration = Calibration::default();
        assert!((calibration.of(0.8) - 0.8).abs() < 1e-9);
        for n in 0..20_000 {
            let expected = if n % 2 == 0 { 0.95 } else { 0.8 };
            let shown = calibration.of(expected);
            // What happens is 0.9 and 0.7 of the time.
            let success = if n % 2 == 0 { n / 2 % 10 != 0 } else { n / 2 % 10 >= 3 };
            calibration.learn(shown, success);
        }
        let (high, low) = (calibration.of(0.95), calibration.of(0.8));
        assert!((high - 0.9).abs() < 0.02 && (low - 0.7).abs() < 0.03, "{high} {low}");
    }
}
