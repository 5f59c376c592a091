//! What is measured while a case is replayed.

use std::time::Duration;

use super::case::{Choice, Outcome};

/// Bins of the calibration error: ten, as is usual.
const BINS: usize = 10;

/// A running mean.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    count: f64,
    sum: f64,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
    }

    /// Zero before anything was added.
    pub(super) fn mean(&self) -> f64 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }
}

/// Forecasts against what happened.
#[derive(Debug, Clone, Default)]
pub(super) struct Calibration {
    squared: Mean,
    bins: [(f64, f64, f64); BINS],
}

impl Calibration {
    fn add(&mut self, expected: f64, success: bool) {
        let happened = if success { 1.0 } else { 0.0 };
        self.squared.add((expected - happened) * (expected - happened));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..1 first")]
        let bin = (expected.clamp(0.0, 0.999_999) * 10.0) as usize;
        let (count, forecasts, successes) = &mut self.bins[bin];
        *count += 1.0;
        *forecasts += expected;
        *successes += happened;
    }

    pub(super) fn brier(&self) -> Option<f64> {
        (self.squared.count > 0.0).then(|| self.squared.mean())
    }

    pub(super) fn error(&self) -> Option<f64> {
        let apart: f64 = self.bins.iter().map(|(_, forecasts, successes)| (forecasts - successes).abs()).sum();
        (self.squared.count > 0.0).then(|| apart / self.squared.count)
    }
}

/// One replay's measures.
#[derive(Debug, Clone)]
pub(super) struct Measures {
    pub(super) success: Mean,
    pub(super) oracle: Mean,
    pub(super) calibration: Calibration,
    /// Microseconds a decision.
    pub(super) decisions: Mean,
    /// Microseconds an outcome.
    pub(super) lessons: Mean,
    chosen: Vec<u64>,
    choices: blake3::Hasher,
}

impl Measures {
    pub(super) fn new(connectors: usize) -> Self {
        Self {
            success: Mean::default(),
            oracle: Mean::default(),
            calibration: Calibration::default(),
            decisions: Mean::default(),
            lessons: Mean::default(),
            chosen: vec![0; connectors],
            choices: blake3::Hasher::new(),
        }
    }

    pub(super) fn decided(&mut self, took: Duration) {
        self.decisions.add(took.as_secs_f64() * 1e6);
    }

    pub(super) fn learnt(&mut self, took: Duration) {
        self.lessons.add(took.as_secs_f64() * 1e6);
    }

    /// A choice and the connector's name, its outcome where that is known, and every outcome that is.
    pub(super) fn chose(&mut self, (choice, name): (&Choice, &str), outcome: Option<&Outcome>, all: &[Outcome]) {
        self.chosen[usize::from(choice.connector)] += 1;
        self.choices.update(name.as_bytes()).update(&[0]);
        self.choices.update(&choice.expected.unwrap_or(-1.0).to_bits().to_le_bytes());
        let Some(outcome) = outcome else { return };
        self.success.add(outcome.value());
        self.oracle.add(all.iter().map(Outcome::value).fold(0.0, f64::max));
        if let Some(expected) = choice.expected {
            self.calibration.add(expected, outcome.success);
        }
    }

    pub(super) fn most_chosen(&self) -> Option<usize> {
        (0..self.chosen.len()).max_by_key(|index| (self.chosen[*index], core::cmp::Reverse(*index)))
    }

    /// The hash of the choices, and of the policy's state where it has one.
    pub(super) fn fingerprint(&mut self, state: Option<blake3::Hash>) -> String {
        if let Some(state) = state {
            self.choices.update(state.as_bytes());
        }
        self.choices.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_that_comes_true_is_calibrated() {
        let mut calibration = Calibration::default();
        (0..100).for_each(|n| calibration.add(0.75, n % 4 != 0));
        assert!(calibration.error().unwrap() < 1e-12 && (calibration.brier().unwrap() - 0.1875).abs() < 1e-12);
        (0..100).for_each(|_| calibration.add(0.35, true));
        assert!((calibration.error().unwrap() - 0.325).abs() < 1e-12);
        assert_eq!(Calibration::default().error(), None);
    }
}
