use super::learning::MAX_SEGMENTS;
use super::*;
use crate::domain::{Bin, CardType, Context, Country, Credential, Currency, DeclineClass, Initiator, Issuer, Money};

fn observation(bin: Option<u32>) -> Observation {
    let bin = bin.map(|bin| Bin::parse(&format!("{bin:06}")).unwrap());
    Observation { context: Context { bin, ..Context::default() }, merchant: 0, amount: None, shown: None, out_of_use: false }
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
        let seen = Observation { context, merchant: 0, amount: Some(Money::new(4_000, eur)), shown: None, out_of_use: false };
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
