//! Change-points: has a connector become worse than what is believed of it?
//!
//! A Bernoulli CUSUM of each connector's failures, altogether and by method, country, BIN, initiator and credential,
//! p₀ = what was expected, p₁ = .45·p₀: the log-likelihood ratio of "it has dropped by half" against "it is as expected". Above the threshold
//! the belief is re-opened, so that the next outcomes teach fast; and what a connector is in the long run becomes again
//! what it was when the evidence was last none, for the change says nothing of it. As evidence gathers, outcomes are less
//! and less a sign of anything but how the connector is now.

use crate::domain::DeclineClass;
use crate::domain::numbers::sigmoid;

/// When a belief is re-opened, and by how much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Evidence (in nats) that a change happened; below it stationary traffic re-opens too often.
    pub(super) threshold: f64,
    /// Added to the variance then.
    pub(super) reopen: f64,
}

/// For a connector as a whole, and for it on one segment: tuned with the priors.
pub(super) const CONNECTOR: Rule = Rule { threshold: 8.0, reopen: 0.42 };
pub(super) const SEGMENT: Rule = Rule { threshold: 8.0, reopen: 2.0 };

/// Evidence at which a change is as likely as none, in nats: before any, one outcome in fifty is of a time that is not as
/// usual. Anything from 2 to 6 loses the same on the scenarios, to a third of a payment in a thousand.
const EVEN: f64 = 4.0;

/// The probability that a connector is as usual, given the evidence of a change.
pub(super) fn as_usual(suspicion: f64) -> f64 {
    sigmoid(EVEN - suspicion)
}

/// The rate to be told apart from the expected one, as a share of it.
const DROP: f64 = 0.45;
/// Gateway errors are stronger evidence, issuers' declines weaker.
const GATEWAY_WEIGHT: f64 = 1.3;
const ISSUER_WEIGHT: f64 = 0.4;

/// What one outcome, of which success was expected with probability `expected`, adds to the evidence, in nats.
pub(super) fn evidence(expected: f64, failure: Option<DeclineClass>) -> f64 {
    let before = expected.clamp(0.25, 0.985);
    let after = DROP * before;
    match failure {
        None => libm::log(after / before),
        Some(class) => weight(class) * libm::log((1.0 - after) / (1.0 - before)),
    }
}

const fn weight(class: DeclineClass) -> f64 {
    match class {
        DeclineClass::Gateway => GATEWAY_WEIGHT,
        // What is not known is learnt as mixed.
        DeclineClass::Mixed | DeclineClass::Unclassified => ISSUER_WEIGHT,
        DeclineClass::User | DeclineClass::ScaRequired | DeclineClass::DataError => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::belief::Weight;
    use super::super::features::Prior;
    use super::*;

    fn alarms(outcomes: impl Iterator<Item = Option<DeclineClass>>) -> usize {
        let prior = Prior { variance: 0.2, memory: 400.0 };
        let mut weight = Weight::fresh(prior);
        outcomes.filter(|failure| weight.watch(evidence(0.9, *failure), &CONNECTOR, prior, 0)).count()
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
