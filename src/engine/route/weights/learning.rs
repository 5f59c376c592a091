//! What an outcome corrects of all that was believed of its payment, and what a change-point re-opens.

use super::super::belief::{Belief, Step, Weight};
use super::super::change_point;
use super::super::features::{self, FEATURES, Feature};
use super::super::slots::{Given, Place};
use super::reading::{ACCOUNT, BIAS, NOW};
use super::{Own, Seen, Subject, Weights, known};
use crate::domain::{Context, DeclineClass, Money};

/// Most values of segments (BINs and issuers above all; methods, countries, networks, ...) kept: for each about 110 bytes, and 24
/// bytes for each connector that had one of such a payment, or of the 31 values beside it.
pub(super) const MAX_SEGMENTS: usize = 50_000;
/// Most values of what all connectors share alone (merchant, amount): about 110 bytes each.
const MAX_COMMON: usize = 150_000;

/// What is known of the payment whose outcome is learnt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observation {
    /// Its context.
    pub(crate) context: Context,
    /// Its merchant's number.
    pub(crate) merchant: u32,
    /// Its amount, where known.
    pub(crate) amount: Option<Money>,
    /// The probability of success that its decision showed, where one is remembered.
    pub(crate) shown: Option<f64>,
    /// Its account's breaker is open: what becomes of it says how the account is now, and nothing of anything else.
    pub(crate) out_of_use: bool,
}

/// An outcome that was learnt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learnt {
    /// The probability of success that was expected before, customers' own faults apart.
    pub(crate) expected: f64,
    seen: Seen,
}

/// What is believed now of all that an outcome corrects, so that each effect is faded once: by the place of its feature,
/// and of what is no feature's after those.
#[derive(Debug, Clone, Copy, Default)]
struct Beliefs {
    shared: [Belief; FEATURES + 1],
    own: [Belief; FEATURES + 3],
}

impl Weights {
    /// Learns from one outcome. `failure` is the class of a failed one. None where nobody is to blame.
    pub(crate) fn learn(&mut self, subject: Subject, seen: &Observation, failure: Option<DeclineClass>) -> Option<Learnt> {
        if let Some(shown) = seen.shown {
            self.calibration.learn(shown, failure.is_none());
        }
        let customers = failure.is_some_and(|class| !blames_the_connector(class));
        if self.customers.excuse(subject.connector, customers) {
            return None;
        }
        self.clock += 1;
        self.make_room(subject);
        let as_usual = self.as_usual(subject.connector, seen.out_of_use);
        let seen = self.touch(features::features(&seen.context, Some(seen.merchant), seen.amount));
        let mut beliefs = Beliefs::default();
        let whose = (self.connectors.get(subject.connector as usize), Some(subject.account));
        let own = self.own_by(whose, &seen, |effect, now| beliefs.own[effect] = now);
        let shared = self.shared_by(&seen, |effect, now| beliefs.shared[effect] = now);
        let total = shared.plus(own.belief);
        let expected = total.probability();
        let step = Step::of(failure.is_none(), total, expected, self.clock);
        self.correct_now(subject, &beliefs, &step);
        if as_usual > 0.0 {
            self.correct_lasting(subject, (&seen, &beliefs), &step.in_part(as_usual));
        }
        Some(Learnt { expected, seen })
    }

    /// Calibrates by an outcome that teaches nothing else, since it has been taught already.
    pub(crate) fn calibrate(&mut self, shown: f64, success: bool) {
        self.calibration.learn(shown, success);
    }

    /// The probability that a connector is as usual: as far as what is usual of it is known.
    fn as_usual(&self, connector: u32, out_of_use: bool) -> f64 {
        self.connectors.get(connector as usize).map_or(1.0, |own| {
            let as_usual = if out_of_use { 0.0 } else { change_point::as_usual(own.now.suspicion()) };
            1.0 - own.known(self.clock) * (1.0 - as_usual)
        })
    }

    /// Corrects how the account and its connector are now.
    fn correct_now(&mut self, subject: Subject, beliefs: &Beliefs, step: &Step) {
        if let Some(weight) = self.accounts.get_mut(subject.account as usize) {
            step.correct(weight, beliefs.own[ACCOUNT]);
        }
        if let Some(own) = self.connectors.get_mut(subject.connector as usize) {
            step.correct(&mut own.now, beliefs.own[NOW]);
        }
    }

    /// Corrects what is shared, and what the connector is in the long run: were an outage to teach these, it would be
    /// held against the issuers, the merchants and the connector for long after.
    fn correct_lasting(&mut self, subject: Subject, (seen, beliefs): (&Seen, &Beliefs), step: &Step) {
        step.correct(&mut self.bias, beliefs.shared[BIAS]);
        for (effect, (place, feature)) in known(seen).filter(|(_, (_, feature))| feature.shared().is_some()) {
            let table = if feature.is_segment() { &mut self.segments } else { &mut self.common };
            if let Some(weight) = place.and_then(|place| table.weights.get_mut(place.slot as usize)) {
                step.correct(weight, beliefs.shared[effect]);
            }
        }
        let Some(own) = self.connectors.get_mut(subject.connector as usize) else { return };
        step.correct(&mut own.bias, beliefs.own[BIAS]);
        for (effect, (place, _)) in known(seen).filter(|(_, (_, feature))| feature.own().is_some()) {
            if let Some(place) = place {
                step.correct(own.by_segment.entry(place), beliefs.own[effect]);
            }
        }
    }

    /// Watches a connector, and it for each segment of the payment, for a change-point; at one, what is believed of it
    /// is re-opened. `true` at a change-point of the connector as a whole.
    pub(crate) fn watch(&mut self, connector: u32, learnt: &Learnt, failure: Option<DeclineClass>) -> bool {
        let (clock, evidence) = (self.clock, change_point::evidence(learnt.expected, failure));
        let Some(own) = self.connectors.get_mut(connector as usize) else { return false };
        for (_, (place, feature)) in known(&learnt.seen).filter(|(_, (_, feature))| feature.watched()) {
            let weight = place.and_then(|place| own.by_segment.get_mut(place));
            if let (Some(prior), Some(weight)) = (feature.own(), weight) {
                weight.watch(evidence, &change_point::SEGMENT, prior, clock);
            }
        }
        let changed = own.now.watch(evidence, &change_point::CONNECTOR, features::CONNECTOR_NOW, clock);
        if changed && own.known(clock) > 0.5 {
            // What happened since then is how it is now, and says nothing of the long run.
            own.now.shift(own.bias.since(own.sound));
            own.bias = own.sound;
        } else if own.now.suspicion() <= 0.0 {
            own.sound = own.bias;
        }
        changed
    }

    /// Gives every feature a place, and whatever is new a shared weight at its prior.
    fn touch(&mut self, features: [Option<Feature>; FEATURES]) -> Seen {
        features.map(|feature| feature.map(|feature| (Some(self.place(feature)), feature)))
    }

    fn place(&mut self, feature: Feature) -> Place {
        let (table, limit) =
            if feature.is_segment() { (&mut self.segments, MAX_SEGMENTS) } else { (&mut self.common, MAX_COMMON) };
        let place = match table.slots.touch(feature, self.clock, limit) {
            Given::Had(place) => return place,
            Given::New(place) => place,
        };
        let weight = feature.shared().map_or(Weight::VACANT, Weight::fresh);
        match table.weights.get_mut(place.slot as usize) {
            Some(given_up) => *given_up = weight,
            None => table.weights.push_back(weight),
        }
        place
    }

    /// Gives the subject weights, at their priors.
    fn make_room(&mut self, subject: Subject) {
        while self.accounts.len() <= subject.account as usize {
            self.accounts.push_back(Weight::fresh(features::ACCOUNT_BIAS));
        }
        while self.connectors.len() <= subject.connector as usize {
            self.connectors.push_back(Own::fresh());
        }
    }
}

/// A customer's, an issuer's authentication or a request's fault is not the connector's.
const fn blames_the_connector(class: DeclineClass) -> bool {
    matches!(class, DeclineClass::Gateway | DeclineClass::Mixed | DeclineClass::Unclassified)
}
