//! What a log can say of a policy that did not write it.
//!
//! Only the outcome of the connector that was chosen then is known. Where the propensity of that choice was recorded,
//! two estimates follow: self-normalised inverse propensity and doubly robust ([`DoublyRobust`]), the latter with each
//! connector's running mean as its model. Without propensities nothing unbiased can be said; the payments on which both
//! agree are shown, and said to be no more than that. The policy learns from those alone, so that its estimate is of what
//! it would have learnt itself.

use serde::Serialize;

use super::case::{Case, Choice};
use crate::backtest::doubly_robust::{self, DoublyRobust};

/// What is estimated, and how surely.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The logged policy's own success rate.
    pub logged_success_rate: f64,
    /// Payments on which the policy chose as the log did.
    pub matched: usize,
    /// The success rate of those: biased, wherever the log's choice depended on the payment.
    pub matched_success_rate: Option<f64>,
    /// Self-normalised inverse propensity; none without propensities.
    pub snips: Option<f64>,
    /// Doubly robust; none without propensities.
    pub doubly_robust: Option<f64>,
    /// Half of the 95 % interval of the doubly robust estimate.
    pub half_width_95: Option<f64>,
    /// Payments the weighted sample is worth (Kish).
    pub effective_samples: Option<f64>,
}

impl Estimate {
    /// The best estimate there is of the policy's success rate.
    #[must_use]
    pub fn best(&self) -> Option<f64> {
        self.doubly_robust.or(self.matched_success_rate)
    }

    /// How sure that is, in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        match (self.doubly_robust, self.half_width_95, self.effective_samples) {
            (Some(value), Some(half), Some(samples)) => format!(
                "doubly robust {:.2} % ± {:.2} (95 %), self-normalised {:.2} %, worth {samples:.0} payments",
                value * 100.0,
                half * 100.0,
                self.snips.unwrap_or(value) * 100.0,
            ),
            _ => format!(
                "no propensities: only the {} payments on which the policy chose as the log did; biased wherever that choice \
                 depended on the payment",
                self.matched
            ),
        }
    }
}

/// Sums over a log.
#[derive(Debug, Clone)]
pub(super) struct Estimator {
    logged: (f64, f64),
    matched: (usize, f64),
    robust: DoublyRobust,
    /// Number and sum of the outcomes so far, by connector, one success in two to begin with.
    means: Vec<(f64, f64)>,
}

impl Estimator {
    pub(super) fn new(case: &Case) -> Self {
        Self {
            logged: (0.0, 0.0),
            matched: (0, 0.0),
            robust: DoublyRobust::default(),
            means: vec![(2.0, 1.0); case.connectors.len()],
        }
    }

    /// One payment: what the policy chose, against what is logged.
    pub(super) fn observe(&mut self, case: &Case, payment: usize, choice: &Choice) {
        let Some(logged) = case.outcomes[payment].first() else { return };
        let value = if logged.success { 1.0 } else { 0.0 };
        let same = logged.connector == choice.connector;
        self.logged = (self.logged.0 + 1.0, self.logged.1 + value);
        if same {
            self.matched = (self.matched.0 + 1, self.matched.1 + value);
        }
        if let Some(propensity) = logged.propensity {
            let expected = (self.mean(logged.connector), self.mean(choice.connector));
            // The policy's draws are its own: given them, it would choose so every time.
            let chance = if same { 1.0 } else { 0.0 };
            self.robust.observe(&doubly_robust::Choice { propensity: (propensity, chance), value, expected });
        }
        let (count, sum) = &mut self.means[usize::from(logged.connector)];
        *count += 1.0;
        *sum += value;
    }

    fn mean(&self, connector: u16) -> f64 {
        let (count, sum) = self.means[usize::from(connector)];
        sum / count
    }

    pub(super) fn estimate(&self) -> Estimate {
        let robust = &self.robust;
        // Estimates of a part of the log would be of that part only.
        let weighted = robust.can_say() && robust.count() >= self.logged.0;
        let matched = u32::try_from(self.matched.0).map_or(f64::MAX, f64::from);
        Estimate {
            logged_success_rate: self.logged.1 / self.logged.0.max(1.0),
            matched: self.matched.0,
            matched_success_rate: (self.matched.0 > 0).then(|| self.matched.1 / matched),
            snips: weighted.then(|| robust.snips()),
            doubly_robust: weighted.then(|| robust.mean()),
            half_width_95: weighted.then(|| robust.half_width()),
            effective_samples: weighted.then(|| robust.effective()),
        }
    }
}
