//! Change-points: has a connector become worse than what is believed of it?
//!
//! A Bernoulli CUSUM of each connector's failures, p₀ = what was expected, p₁ = .45·p₀: the log-likelihood ratio of
//! "it has dropped by half" against "it is as expected". Above the threshold the belief is re-opened, so that the
//! next outcomes teach fast.

use serde::{Deserialize, Serialize};

use crate::domain::DeclineClass;

/// Evidence (in nats) that a change happened: e⁸, about 3,000 to 1; below it stationary traffic re-opens too often.
const THRESHOLD: f64 = 8.0;
/// The rate to be told apart from the expected one, as a share of it.
const DROP: f64 = 0.45;
/// Gateway errors are stronger evidence, issuers' declines weaker.
const GATEWAY_WEIGHT: f64 = 1.3;
const ISSUER_WEIGHT: f64 = 0.4;

/// The running sum of one connector.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Cusum {
    sum: f64,
}

impl Cusum {
    /// Adds one outcome of which success was expected with probability `expected`; `true` at a change-point.
    pub(crate) fn observe(&mut self, expected: f64, failure: Option<DeclineClass>) -> bool {
        let before = expected.clamp(0.25, 0.985);
        let after = DROP * before;
        let step = match failure {
            None => libm::log(after / before),
            Some(class) => weight(class) * libm::log((1.0 - after) / (1.0 - before)),
        };
        self.sum = (self.sum + step).max(0.0);
        if self.sum <= THRESHOLD {
            return false;
        }
        self.sum = 0.0;
        true
    }
}

const fn weight(class: DeclineClass) -> f64 {
    match class {
        DeclineClass::Gateway | DeclineClass::Unclassified => GATEWAY_WEIGHT,
        DeclineClass::Mixed => ISSUER_WEIGHT,
        DeclineClass::User | DeclineClass::ScaRequired | DeclineClass::DataError => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarms(outcomes: impl Iterator<Item = Option<DeclineClass>>) -> usize {
        let mut cusum = Cusum::default();
        outcomes.filter(|failure| cusum.observe(0.9, *failure)).count()
    }

    #[test]
    fn an_outage_is_a_change_point_and_an_ordinary_day_is_not() {
        let outage = (0..10).map(|_| Some(DeclineClass::Gateway));
        assert!(alarms(outage) >= 1);
        let ordinary = (0..2_000).map(|n| (n % 10 == 0).then_some(DeclineClass::Mixed));
        assert_eq!(alarms(ordinary), 0);
        let customers = (0..200).map(|_| Some(DeclineClass::User));
        assert_eq!(alarms(customers), 0);
    }
}
