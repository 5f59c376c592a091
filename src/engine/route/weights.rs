//! What has been learnt: a drifting Bayesian logistic model of an attempt's success.
//!
//! logit P(success | connector c, payment x) = m₀ + Σ shared effects(x) + Σ own effects of c(x) + bias of the account.
//! Shared effects absorb what is the issuer's or the merchant's fault, so that no connector is blamed for it. What the
//! customer gets wrong teaches none of them: its share is taken off what is expected. Every effect is a
//! [belief](super::belief) that fades towards its prior, and is corrected by each outcome in proportion to its variance.

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::belief::{Belief, Step, Weight};
use super::calibration::Calibration;
use super::change_point;
use super::customers::Customers;
use super::features::{self, FEATURES, Feature, Prior};
use super::pages::Pages;
use super::slots::{Given, Place, Slots};
use crate::domain::{Context, DeclineClass, Money};

/// Logit of the success rate expected before anything is learnt: σ(2) = 0.88, a usual attempt rate for cards.
const BASE_LOGIT: f64 = 2.0;
/// Most values of segments (BINs and issuers above all; methods, countries, networks, ...) kept: for each about 110 bytes, and 24
/// bytes for each connector that had one of such a payment, or of the 31 values beside it.
const MAX_SEGMENTS: usize = 50_000;
/// Most values of what all connectors share alone (merchant, amount): about 110 bytes each.
const MAX_COMMON: usize = 150_000;

/// How much of an effect's variance is worth finding out: what is learnt of a connector in the long run pays longer than
/// how it is now. Tuned with the priors.
const LASTING_BIAS: f64 = 1.0;
const LASTING_NOW: f64 = 0.3;
const LASTING_ACCOUNT: f64 = 0.5;
const LASTING_SEGMENT: f64 = 0.5;

/// The effects of one connector.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Own {
    /// What it is in the long run.
    bias: Weight,
    /// That as it was when there was no evidence of a change.
    sound: Weight,
    /// How it is now, beside that.
    now: Weight,
    by_segment: Pages,
}

impl Own {
    fn fresh() -> Self {
        let bias = Weight::fresh(features::CONNECTOR_BIAS);
        Self { bias, sound: bias, now: Weight::fresh(features::CONNECTOR_NOW), by_segment: Pages::default() }
    }

    /// How much of it was known before there was evidence of a change, 0 to 1. A connector that failed from its first
    /// payment on has not changed.
    fn known(&self, clock: u64) -> f64 {
        let unknown = self.sound.now(features::CONNECTOR_BIAS, clock).variance / features::CONNECTOR_BIAS.variance;
        let unknown = unknown * unknown;
        (1.0 - unknown * unknown).max(0.0)
    }
}

/// Feature values and the effect that all connectors share of each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Shared {
    slots: Slots,
    weights: Vector<Weight>,
}

/// Everything learnt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Weights {
    clock: u64,
    bias: Weight,
    /// Values that connectors have effects of their own for.
    segments: Shared,
    /// Values that they have not.
    common: Shared,
    connectors: Vector<Own>,
    accounts: Vector<Weight>,
    customers: Customers,
    calibration: Calibration,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            clock: 0,
            bias: Weight::fresh(features::SHARED_BIAS),
            segments: Shared::default(),
            common: Shared::default(),
            connectors: Vector::new(),
            accounts: Vector::new(),
            customers: Customers::default(),
            calibration: Calibration::default(),
        }
    }
}

/// Whom an outcome is about.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// The connector's number.
    pub(crate) connector: u32,
    /// The account's number.
    pub(crate) account: u32,
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
    /// The probability of success that its decision showed, where one is remembered.
    pub(crate) shown: Option<f64>,
    /// Its account's breaker is open: what becomes of it says how the account is now, and nothing of anything else.
    pub(crate) out_of_use: bool,
}

/// A payment's features, each with its place; a value never seen has none, so its prior holds.
pub(crate) type Seen = [Option<(Option<Place>, Feature)>; FEATURES];

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

const BIAS: usize = FEATURES;
const NOW: usize = FEATURES + 1;
const ACCOUNT: usize = FEATURES + 2;

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

    /// How many outcomes have been learnt: what beliefs fade by.
    pub(crate) const fn learnt(&self) -> u64 {
        self.clock
    }

    /// A connector's account has recovered: how it was of late no longer says how it is now.
    pub(crate) fn renew(&mut self, subject: Subject) {
        if let Some(weight) = self.accounts.get_mut(subject.account as usize) {
            *weight = Weight::fresh(features::ACCOUNT_BIAS);
        }
        if let Some(own) = self.connectors.get_mut(subject.connector as usize) {
            own.now = Weight::fresh(features::CONNECTOR_NOW);
        }
    }

    /// How many beliefs are held of a merchant and of accounts.
    pub(crate) fn held(&self, merchant: Option<u32>, accounts: &[u32]) -> usize {
        let merchant = merchant.and_then(|merchant| self.common.slots.get(Feature::Merchant(merchant)));
        usize::from(merchant.is_some()) + accounts.iter().filter(|account| (**account as usize) < self.accounts.len()).count()
    }

    /// Forgets what was learnt of a merchant and of accounts, back to their priors. Returns how many beliefs that were.
    pub(crate) fn forget(&mut self, merchant: Option<u32>, accounts: &[u32]) -> usize {
        let mut forgotten = 0;
        for account in accounts {
            if let Some(weight) = self.accounts.get_mut(*account as usize) {
                *weight = Weight::fresh(features::ACCOUNT_BIAS);
                forgotten += 1;
            }
        }
        let feature = merchant.map(Feature::Merchant);
        let place = feature.and_then(|feature| self.common.slots.get(feature));
        if let Some(prior) = feature.and_then(Feature::shared)
            && let Some(weight) = place.and_then(|place| self.common.weights.get_mut(place.slot as usize))
        {
            *weight = Weight::fresh(prior);
            forgotten += 1;
        }
        forgotten
    }

    const fn table(&self, feature: Feature) -> &Shared {
        if feature.is_segment() { &self.segments } else { &self.common }
    }

    /// What all connectors share for this payment, m₀ included.
    pub(crate) fn shared(&self, seen: &Seen) -> Belief {
        self.shared_by(seen, |_, _| {})
    }

    /// The same, telling what is believed of each effect.
    fn shared_by(&self, seen: &Seen, mut tell: impl FnMut(usize, Belief)) -> Belief {
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
    fn own_by(&self, (own, account): (Option<&Own>, Option<u32>), seen: &Seen, mut tell: impl FnMut(usize, Belief)) -> Part {
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

/// The features that a payment has, by their places among all.
fn known(seen: &Seen) -> impl Iterator<Item = (usize, (Option<Place>, Feature))> {
    seen.iter().enumerate().filter_map(|(index, feature)| Some((index, (*feature)?)))
}

/// A customer's, an issuer's authentication or a request's fault is not the connector's.
const fn blames_the_connector(class: DeclineClass) -> bool {
    matches!(class, DeclineClass::Gateway | DeclineClass::Mixed | DeclineClass::Unclassified)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bin, CardType, Country, Credential, Currency, Initiator, Issuer};

    fn observation(bin: Option<u32>) -> Observation {
        let bin = bin.map(|bin| Bin::parse(&format!("{bin:06}")).unwrap());
        Observation {
            context: Context { bin, ..Context::default() },
            merchant: 0,
            amount: None,
            shown: None,
            out_of_use: false,
        }
    }

    fn observe(weights: &mut Weights, connector: u32, failure: Option<DeclineClass>) {
        weights.learn(Subject { connector, account: connector }, &observation(None), failure);
    }

    fn expected(weights: &Weights, connector: u32) -> f64 {
        let seen = weights.seen(&Context::default(), Some(0), Money::new(1, crate::domain::Currency::parse("EUR").unwrap()));
        weights.expected(weights.shared(&seen).plus(weights.own(Some(connector), Some(connector), &seen).belief))
    }

    #[test]
    fn a_handful_of_failures_shows() {
        let mut weights = Weights::default();
        (0..50).for_each(|n| observe(&mut weights, n % 2, None));
        let before = expected(&weights, 1);
        (0..12).for_each(|_| observe(&mut weights, 1, Some(DeclineClass::Gateway)));
        assert!(before > 0.85, "{before}");
        assert!(expected(&weights, 1) < 0.5, "{}", expected(&weights, 1));
        assert!(expected(&weights, 0) > expected(&weights, 1) + 0.2, "the other connector is not blamed");
    }

    /// Were such a failure to teach what is shared alone, the successes of the connector in use would be its own and
    /// its failures everybody's: it would look better and better, and never be left again.
    #[test]
    fn customers_faults_blame_nobody_and_lift_nobody() {
        let mut weights = Weights::default();
        for n in 0..4_000_u32 {
            let failure = (n % 20 == 0).then_some(DeclineClass::User);
            observe(&mut weights, u32::from(n % 50 == 7), failure);
        }
        let (used, other) = (expected(&weights, 0), expected(&weights, 1));
        assert!((used - other).abs() < 0.05, "{used} {other}");
        assert!((used - 0.95).abs() < 0.02, "their share is taken off what is expected: {used}");
    }

    /// One connector loses half of the payments of a kind: it is expected to of that kind, and not of others.
    #[test]
    fn what_of_the_context_matters_on_one_connector_is_learnt() {
        let eur = Currency::parse("EUR").unwrap();
        let check = |of_the_kind: Context, others: Context| {
            let mut weights = Weights::default();
            for n in 0..6_000_u32 {
                let (connector, hit) = (n % 3, n / 3 % 2 == 0);
                let context = if hit { of_the_kind } else { others };
                let fails = if hit && connector == 1 { n / 6 % 2 == 0 } else { n / 6 % 12 == 0 };
                let amount = Some(Money::new(4_000, eur));
                let seen = Observation { context, merchant: 0, amount, shown: None, out_of_use: false };
                weights.learn(Subject { connector, account: connector }, &seen, fails.then_some(DeclineClass::Mixed));
            }
            let expected = |context: &Context, connector: u32| {
                let seen = weights.seen(context, Some(0), Money::new(4_000, eur));
                weights.expected(weights.shared(&seen).plus(weights.own(Some(connector), Some(connector), &seen).belief))
            };
            let lost = |context: &Context| expected(context, 0) - expected(context, 1);
            let (hit, spared) = (lost(&of_the_kind), lost(&others));
            assert!(hit > 0.25, "{of_the_kind:?}: {hit}");
            assert!(spared.abs() < 0.1, "{others:?}: {spared}");
        };
        let none = Context::default();
        let initiator = |initiator| Context { initiator: Some(initiator), ..none };
        check(initiator(Initiator::Merchant), initiator(Initiator::Customer));
        let credential = |credential| Context { credential: Some(credential), ..none };
        check(credential(Credential::NetworkToken), credential(Credential::Pan));
        let card_type = |card_type| Context { card_type: Some(card_type), ..none };
        check(card_type(CardType::Prepaid), card_type(CardType::Credit));
        let issuer = |name: &str| Context { issuer: Issuer::parse(name).ok(), ..none };
        check(issuer("Example Bank"), issuer("Another Bank"));
        check(Context { three_ds: Some(true), ..none }, Context { three_ds: Some(false), ..none });
        let from_abroad = |country: &str| Context { country: Country::parse(country).ok(), ..none };
        check(from_abroad("US"), from_abroad("DE"));
    }

    /// Cards of many countries, each too rare to be learnt by itself, fail at one connector because they are foreign.
    #[test]
    fn what_is_learnt_of_foreign_cards_holds_for_a_country_never_seen() {
        let eur = Currency::parse("EUR").unwrap();
        let mut weights = Weights::default();
        let foreign: Vec<Country> =
            ["AR", "AU", "BR", "CA", "CL", "CN", "CO", "EG", "GB", "ID"].map(|c| Country::parse(c).unwrap()).into();
        for n in 0..6_000_u32 {
            let (connector, hit) = (n % 3, n / 3 % 2 == 0);
            let country = if hit { foreign[n as usize / 6 % 10] } else { Country::parse("DE").unwrap() };
            let fails = if hit && connector == 1 { n / 60 % 2 == 0 } else { n / 6 % 12 == 0 };
            let context = Context { country: Some(country), ..Context::default() };
            let seen =
                Observation { context, merchant: 0, amount: Some(Money::new(4_000, eur)), shown: None, out_of_use: false };
            weights.learn(Subject { connector, account: connector }, &seen, fails.then_some(DeclineClass::Mixed));
        }
        let lost = |country: &str| {
            let context = Context { country: Country::parse(country).ok(), ..Context::default() };
            let seen = weights.seen(&context, Some(0), Money::new(4_000, eur));
            let mean = |connector| weights.own(Some(connector), Some(connector), &seen).belief.mean;
            mean(0) - mean(1)
        };
        assert!(lost("JP") > lost("FR") + 0.5, "{} {}", lost("JP"), lost("FR"));
    }

    #[test]
    fn after_an_outage_a_connector_is_what_it_was_before() {
        let mut weights = Weights::default();
        let seen = observation(None);
        let subject = Subject { connector: 0, account: 0 };
        let tell = |weights: &mut Weights, failure: Option<DeclineClass>| {
            let learnt = weights.learn(subject, &seen, failure).unwrap();
            weights.watch(0, &learnt, failure)
        };
        (0..500).for_each(|n| {
            tell(&mut weights, (n % 12 == 0).then_some(DeclineClass::Mixed));
        });
        let bias = |weights: &Weights| weights.connectors[0].bias.now(features::CONNECTOR_BIAS, weights.clock).mean;
        let before = bias(&weights);
        let changes = (0..12).filter(|_| tell(&mut weights, Some(DeclineClass::Gateway))).count();
        assert!(changes > 0, "an outage is a change-point");
        assert!((bias(&weights) - before).abs() < 0.25, "{before} -> {}", bias(&weights));
        assert!(weights.connectors[0].now.now(features::CONNECTOR_NOW, weights.clock).mean < -1.0);
    }

    /// Were every value kept for every connector, one new BIN would cost each of a thousand connectors a weight, and a new
    /// connector 50,000.
    #[test]
    fn a_new_value_and_a_new_connector_cost_what_they_are_met_with() {
        let mut weights = Weights::default();
        for bin in 100_000..101_000 {
            weights.learn(Subject { connector: 0, account: 0 }, &observation(Some(bin)), None);
        }
        let pages = |weights: &Weights, connector: usize| weights.connectors[connector].by_segment.len();
        assert_eq!(pages(&weights, 0), 1_000_usize.div_ceil(32));
        weights.learn(Subject { connector: 2, account: 2 }, &observation(Some(100_999)), None);
        assert_eq!((pages(&weights, 1), pages(&weights, 2)), (0, 1));
        weights.learn(Subject { connector: 0, account: 0 }, &observation(Some(200_000)), None);
        assert_eq!((pages(&weights, 1), pages(&weights, 2)), (0, 1));
    }

    #[test]
    fn weights_are_bounded_and_the_least_recently_touched_go_first() {
        let mut weights = Weights::default();
        let subject = Subject { connector: 0, account: 0 };
        let last = 100_000 + u32::try_from(MAX_SEGMENTS).unwrap();
        for bin in 100_000..=last {
            weights.learn(subject, &observation(Some(100_000)), None);
            weights.learn(subject, &observation(Some(bin)), None);
        }
        let slot = |bin: u32| weights.segments.slots.get(Feature::Bin(Bin::parse(&bin.to_string()).unwrap()));
        assert_eq!(weights.segments.slots.len(), MAX_SEGMENTS);
        assert!(slot(100_000).is_some() && slot(last).is_some(), "what is in use stays");
        assert!((100_001..=100_016).any(|bin| slot(bin).is_none()), "one of the oldest went");
        let back: Weights = postcard::from_bytes(&postcard::to_allocvec(&weights).unwrap()).unwrap();
        assert_eq!(postcard::to_allocvec(&back).unwrap(), postcard::to_allocvec(&weights).unwrap());
    }
}
