//! What has been learnt: a drifting Bayesian logistic model of an attempt's success.
//!
//! logit P(success | connector c, payment x) = m₀ + Σ shared effects(x) + Σ own effects of c(x) + bias of the account.
//! Shared effects absorb what is the issuer's or the merchant's fault, so that no connector is blamed for it. Every
//! effect is a normal belief (mean, variance) that fades towards its prior as outcomes pass (a lazy Ornstein–Uhlenbeck
//! process), and is corrected by each outcome in proportion to its variance.

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::change_point::Cusum;
use super::features::{self, Feature, Prior, Slots};
use crate::domain::{Context, DeclineClass, Money};
use crate::engine::names::Names;

/// Logit of the success rate expected before anything is learnt: σ(2) = 0.88, a usual attempt rate for cards.
const BASE_LOGIT: f64 = 2.0;
/// Least weight of an outcome, p(1−p): a forecast near 0 or 1 must still be able to learn that it is wrong.
const MIN_CURVATURE: f64 = 0.02;

/// A normal belief about one effect.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Weight {
    mean: f64,
    variance: f64,
    /// The number of outcomes when it was touched last.
    clock: u64,
}

impl Weight {
    const fn fresh(prior: Prior) -> Self {
        Self { mean: 0.0, variance: prior.variance, clock: 0 }
    }

    /// The belief now, faded by the outcomes that passed since it was touched.
    fn faded(self, prior: Prior, clock: u64) -> Self {
        let passed = clock.saturating_sub(self.clock);
        if passed == 0 {
            return self;
        }
        #[expect(clippy::cast_precision_loss, reason = "a fading of e^(-2^53) is zero anyway")]
        let g = libm::exp(-(passed as f64) / prior.memory);
        Self { mean: g * self.mean, variance: prior.variance + (self.variance - prior.variance) * g * g, clock }
    }
}

/// Where a sum of effects stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Belief {
    /// Mean, in logits.
    pub(crate) mean: f64,
    /// Variance, in squared logits.
    pub(crate) variance: f64,
}

impl Belief {
    fn add(&mut self, weight: Weight) {
        self.mean += weight.mean;
        self.variance += weight.variance;
    }

    /// Both beliefs together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { mean: self.mean + other.mean, variance: self.variance + other.variance }
    }

    /// Expected probability: σ(m / √(1 + πS/8)), the probit approximation of the logistic-normal integral.
    pub(crate) fn probability(self) -> f64 {
        sigmoid(self.mean / (1.0 + core::f64::consts::PI * self.variance / 8.0).sqrt())
    }
}

/// The logistic function.
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// The effects of one connector.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Own {
    bias: Weight,
    change: Cusum,
    by_slot: Vector<Weight>,
}

/// Everything learnt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Weights {
    clock: u64,
    slots: Names<Feature>,
    bias: Weight,
    shared: Vector<Weight>,
    connectors: Vector<Own>,
    accounts: Vector<Weight>,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            clock: 0,
            slots: Names::default(),
            bias: Weight::fresh(features::SHARED_BIAS),
            shared: Vector::new(),
            connectors: Vector::new(),
            accounts: Vector::new(),
        }
    }
}

/// Whom an outcome is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    /// The connector's number.
    pub(crate) connector: u32,
    /// The account's number.
    pub(crate) account: u32,
}

impl Weights {
    /// A payment's features as slots.
    pub(crate) fn slots(&self, context: &Context, merchant: Option<u32>, amount: Money) -> Slots {
        features::find(&self.slots, features::features(context, merchant, Some(amount)))
    }

    /// What all connectors share for this payment, m₀ included.
    pub(crate) fn shared(&self, slots: &Slots) -> Belief {
        let mut belief = Belief { mean: BASE_LOGIT, variance: 0.0 };
        belief.add(self.bias.faded(features::SHARED_BIAS, self.clock));
        for (slot, prior) in slots.iter().flatten().filter_map(|(slot, f)| Some((*slot, f.shared()?))) {
            belief.add(self.shared.get(slot as usize).copied().unwrap_or(Weight::fresh(prior)).faded(prior, self.clock));
        }
        belief
    }

    /// What is the connector's and the account's own; a connector or account never seen has its priors.
    pub(crate) fn own(&self, connector: Option<u32>, account: Option<u32>, slots: &Slots) -> Belief {
        let mut belief = Belief::default();
        let own = connector.and_then(|c| self.connectors.get(c as usize));
        let bias = own.map_or(Weight::fresh(features::CONNECTOR_BIAS), |own| own.bias);
        belief.add(bias.faded(features::CONNECTOR_BIAS, self.clock));
        let bias = account.and_then(|a| self.accounts.get(a as usize)).copied();
        belief.add(bias.unwrap_or(Weight::fresh(features::ACCOUNT_BIAS)).faded(features::ACCOUNT_BIAS, self.clock));
        for (slot, prior) in slots.iter().flatten().filter_map(|(slot, f)| Some((*slot, f.own()?))) {
            let weight = own.and_then(|own| own.by_slot.get(slot as usize)).copied();
            belief.add(weight.unwrap_or(Weight::fresh(prior)).faded(prior, self.clock));
        }
        belief
    }

    /// Variance of a connector's own part before anything is learnt about it.
    pub(crate) fn own_prior(slots: &Slots) -> f64 {
        let features: f64 = slots.iter().flatten().filter_map(|(_, f)| f.own()).map(|prior| prior.variance).sum();
        features + features::CONNECTOR_BIAS.variance + features::ACCOUNT_BIAS.variance
    }

    /// Learns from one outcome. `failure` is the class of a failed one; a class that is not the connector's fault
    /// teaches only what is shared. Returns the probability of success that was expected before.
    pub(crate) fn learn(&mut self, subject: Subject, seen: Observation, failure: Option<DeclineClass>) -> f64 {
        let slots = features::intern(&mut self.slots, features::features(&seen.context, Some(seen.merchant), seen.amount));
        self.make_room(subject);
        self.clock += 1;
        let total = self.shared(&slots).plus(self.own(Some(subject.connector), Some(subject.account), &slots));
        let expected = total.probability();
        let curvature = (expected * (1.0 - expected)).max(MIN_CURVATURE);
        let step = Step {
            error: if failure.is_none() { 1.0 - expected } else { -expected },
            curvature,
            scale: 1.0 + curvature * total.variance,
            clock: self.clock,
        };
        step.correct(&mut self.bias, features::SHARED_BIAS);
        for (slot, feature) in slots.iter().flatten() {
            if let (Some(prior), Some(weight)) = (feature.shared(), self.shared.get_mut(*slot as usize)) {
                step.correct(weight, prior);
            }
        }
        if failure.is_none_or(blames_the_connector) {
            self.correct_own(subject, &slots, &step);
        }
        expected
    }

    /// Watches a connector for a change-point; at one, re-opens what is believed of it: the mean stays, the variance
    /// grows by one. `true` at a change-point.
    pub(crate) fn watch(&mut self, connector: u32, expected: f64, failure: Option<DeclineClass>) -> bool {
        let clock = self.clock;
        let Some(own) = self.connectors.get_mut(connector as usize) else { return false };
        if !own.change.observe(expected, failure) {
            return false;
        }
        own.bias = own.bias.faded(features::CONNECTOR_BIAS, clock);
        own.bias.variance += 1.0;
        true
    }

    fn correct_own(&mut self, subject: Subject, slots: &Slots, step: &Step) {
        if let Some(weight) = self.accounts.get_mut(subject.account as usize) {
            step.correct(weight, features::ACCOUNT_BIAS);
        }
        let Some(own) = self.connectors.get_mut(subject.connector as usize) else { return };
        step.correct(&mut own.bias, features::CONNECTOR_BIAS);
        for (slot, feature) in slots.iter().flatten() {
            if let (Some(prior), Some(weight)) = (feature.own(), own.by_slot.get_mut(*slot as usize)) {
                step.correct(weight, prior);
            }
        }
    }

    /// Gives the subject and every feature seen so far a weight, at its prior.
    fn make_room(&mut self, subject: Subject) {
        for slot in self.shared.len()..self.slots.len() {
            self.shared.push_back(fresh_for(&self.slots, slot, Feature::shared));
        }
        while self.accounts.len() <= subject.account as usize {
            self.accounts.push_back(Weight::fresh(features::ACCOUNT_BIAS));
        }
        while self.connectors.len() <= subject.connector as usize {
            self.connectors.push_back(Own {
                bias: Weight::fresh(features::CONNECTOR_BIAS),
                change: Cusum::default(),
                by_slot: Vector::new(),
            });
        }
        let have = self.connectors[subject.connector as usize].by_slot.len();
        if have == self.slots.len() {
            return;
        }
        let by_slot = &mut self.connectors[subject.connector as usize].by_slot;
        for slot in have..self.slots.len() {
            by_slot.push_back(fresh_for(&self.slots, slot, Feature::own));
        }
    }
}

/// What is known of the payment whose outcome is learnt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observation {
    /// Its context.
    pub(crate) context: Context,
    /// Its merchant's number.
    pub(crate) merchant: u32,
    /// Its amount, where known.
    pub(crate) amount: Option<Money>,
}

/// A customer's, an issuer's authentication or a request's fault is not the connector's.
const fn blames_the_connector(class: DeclineClass) -> bool {
    matches!(class, DeclineClass::Gateway | DeclineClass::Mixed | DeclineClass::Unclassified)
}

fn fresh_for(slots: &Names<Feature>, slot: usize, prior: fn(Feature) -> Option<Prior>) -> Weight {
    let none = Prior { variance: 0.0, memory: 1.0 };
    let feature = u32::try_from(slot).ok().and_then(|slot| slots.name(slot)).copied();
    Weight::fresh(feature.and_then(prior).unwrap_or(none))
}

/// One correction, shared by all the weights it touches.
struct Step {
    error: f64,
    curvature: f64,
    scale: f64,
    clock: u64,
}

impl Step {
    /// μ += v·(y−p)/(1+wS); v −= v²·w/(1+wS): a Laplace step of the posterior, a diagonal one.
    fn correct(&self, weight: &mut Weight, prior: Prior) {
        let now = weight.faded(prior, self.clock);
        *weight = Weight {
            mean: now.mean + now.variance * self.error / self.scale,
            variance: now.variance - now.variance * now.variance * self.curvature / self.scale,
            clock: self.clock,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(weights: &mut Weights, connector: u32, failure: Option<DeclineClass>) {
        let seen = Observation { context: Context::default(), merchant: 0, amount: None };
        weights.learn(Subject { connector, account: connector }, seen, failure);
    }

    fn expected(weights: &Weights, connector: u32) -> f64 {
        let slots = features::find(&weights.slots, features::features(&Context::default(), Some(0), None));
        weights.shared(&slots).plus(weights.own(Some(connector), Some(connector), &slots)).probability()
    }

    #[test]
    fn a_handful_of_failures_shows() {
        let mut weights = Weights::default();
        (0..50).for_each(|_| observe(&mut weights, 0, None));
        let before = expected(&weights, 1);
        (0..10).for_each(|_| observe(&mut weights, 1, Some(DeclineClass::Gateway)));
        assert!(before > 0.85, "{before}");
        assert!(expected(&weights, 1) < 0.45, "{}", expected(&weights, 1));
        assert!(expected(&weights, 0) > expected(&weights, 1) + 0.2, "the other connector is not blamed");
    }

    #[test]
    fn a_customers_fault_blames_no_connector() {
        let mut weights = Weights::default();
        (0..40).for_each(|n| observe(&mut weights, n % 2, None));
        let gap = |w: &Weights| expected(w, 0) - expected(w, 1);
        let before = gap(&weights);
        (0..10).for_each(|_| observe(&mut weights, 1, Some(DeclineClass::User)));
        assert!((gap(&weights) - before).abs() < 0.02, "{before} -> {}", gap(&weights));
    }
}
