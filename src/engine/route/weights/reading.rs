//! What is believed of a payment before its outcome: what all connectors share of it, and what is each one's own.
//!
//! Nothing is changed here; a value never seen is believed to be as its prior says.

use super::super::belief::{Belief, Weight};
use super::super::features::{self, FEATURES, Prior};
use super::{Own, Seen, Weights, known};
use crate::domain::{Context, Money};

/// Logit of the success rate expected before anything is learnt: σ(2) = 0.88, a usual attempt rate for cards.
const BASE_LOGIT: f64 = 2.0;
/// How much of an effect's variance is worth finding out: what is learnt of a connector in the long run pays longer than
/// how it is now. Tuned with the priors.
const LASTING_BIAS: f64 = 1.0;
const LASTING_NOW: f64 = 0.3;
const LASTING_ACCOUNT: f64 = 0.5;
const LASTING_SEGMENT: f64 = 0.5;

/// Where what is no feature's comes among the effects: after them.
pub(super) const BIAS: usize = FEATURES;
pub(super) const NOW: usize = FEATURES + 1;
pub(super) const ACCOUNT: usize = FEATURES + 2;

/// A connector's own part of what is expected.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    /// All of it.
    pub(crate) belief: Belief,
    /// Variance of what is worth finding out: what will still hold when it has been found out.
    pub(crate) lasting: f64,
}

impl Weights {
    /// A payment's features as far as they are known.
    pub(crate) fn seen(&self, context: &Context, merchant: Option<u32>, amount: Money) -> Seen {
        features::features(context, merchant, Some(amount)).map(|feature| feature.map(|f| (self.table(f).slots.get(f), f)))
    }

    /// What all connectors share for this payment, m₀ included.
    pub(crate) fn shared(&self, seen: &Seen) -> Belief {
        self.shared_by(seen, |_, _| {})
    }

    /// The same, telling what is believed of each effect.
    pub(super) fn shared_by(&self, seen: &Seen, mut tell: impl FnMut(usize, Belief)) -> Belief {
        let bias = self.bias.now(features::SHARED_BIAS, self.clock);
        tell(BIAS, bias);
        let mut belief = Belief { mean: BASE_LOGIT, variance: 0.0 }.plus(bias);
        for (effect, (place, feature)) in known(seen) {
            let Some(prior) = feature.shared() else { continue };
            let weight = place.and_then(|place| self.table(feature).weights.get(place.slot as usize)).copied();
            let now = weight.unwrap_or(Weight::fresh(prior)).now(prior, self.clock);
            tell(effect, now);
            belief = belief.plus(now);
        }
        belief
    }

    /// What is the connector's and the account's own; a connector or account never seen has its priors.
    pub(crate) fn own(&self, connector: Option<u32>, account: Option<u32>, seen: &Seen) -> Part {
        let subject = (connector.and_then(|c| self.connectors.get(c as usize)), account);
        self.own_by(subject, seen, |_, _| {})
    }

    /// The same, telling what is believed of each effect.
    pub(super) fn own_by(
        &self,
        (own, account): (Option<&Own>, Option<u32>),
        seen: &Seen,
        mut tell: impl FnMut(usize, Belief),
    ) -> Part {
        let mut part = Part::default();
        let mut add = |effect: usize, weight: Option<Weight>, prior: Prior, lasting: f64| {
            let now = weight.unwrap_or(Weight::fresh(prior)).now(prior, self.clock);
            tell(effect, now);
            part.belief = part.belief.plus(now);
            part.lasting += lasting * now.variance;
        };
        add(BIAS, own.map(|own| own.bias), features::CONNECTOR_BIAS, LASTING_BIAS);
        add(NOW, own.map(|own| own.now), features::CONNECTOR_NOW, LASTING_NOW);
        let account = account.and_then(|a| self.accounts.get(a as usize)).copied();
        add(ACCOUNT, account, features::ACCOUNT_BIAS, LASTING_ACCOUNT);
        for (effect, (place, feature)) in known(seen) {
            let Some(prior) = feature.own() else { continue };
            add(effect, place.and_then(|place| own?.by_segment.get(place)), prior, LASTING_SEGMENT);
        }
        part
    }

    /// The probability of success expected of a belief, customers' own faults taken off: as it is shown.
    pub(crate) fn expected(&self, total: Belief) -> f64 {
        self.calibration.of(total.probability() * (1.0 - self.customers.share()))
    }

    /// Variance of a connector's own part before anything is learnt about it.
    pub(crate) fn own_prior(seen: &Seen) -> f64 {
        let segments: f64 = seen.iter().flatten().filter_map(|(_, f)| f.own()).map(|prior| prior.variance).sum();
        segments + features::CONNECTOR_BIAS.variance + features::CONNECTOR_NOW.variance + features::ACCOUNT_BIAS.variance
    }
}
