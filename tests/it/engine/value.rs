//! Eligibility and objectives from outside: who is kept out and why, what fees and waiting change, and that it is computed again.

use apos::domain::decision::{Explanation, Note};
use apos::domain::settings::{Connector, Objective, WhenNoneLeft, Window};
use apos::domain::{ConnectorName, Network};
use apos::engine::NoCandidate;

use super::*;

impl Market {
    /// The market under settings that are changed so.
    fn with(seed: u64, change: impl Fn(&mut Settings)) -> Self {
        let mut market = Self::new(seed);
        market.change(change);
        market
    }

    fn change(&mut self, change: impl Fn(&mut Settings)) {
        let mut settings = Settings::clone(self.state.settings().unwrap());
        change(&mut settings);
        self.push(Body::Configured(settings.into()));
    }
}

/// A payment of a merchant that is not pinned.
fn free_request(number: u64, minor: i64) -> Request {
    Request {
        amount: plain::eur(minor),
        context: Context { network: Some(Network::Visa), ..Context::default() },
        ..plain::request(profile(5), &format!("free_{number}"), accounts(5))
    }
}

fn name(connector: usize) -> ConnectorName {
    ConnectorName::parse(CONNECTORS[connector]).unwrap()
}

/// Fees of 1, 2, 3 and 4 percent; a tenth of the amount is the margin.
fn by_cost(settings: &mut Settings) {
    for (connector, percent) in (0..4).zip([1.0, 2.0, 3.0, 4.0]) {
        let told = Connector { fee_percent: percent, ..Connector::default() };
        settings.connectors.insert(name(connector), told);
    }
    objective(settings, Objective { margin_percent: 10.0, cost_weight: 1.0, latency_percent_per_s: 0.0 });
}

fn objective(settings: &mut Settings, objective: Objective) {
    for merchant in settings.merchants.values_mut() {
        merchant.objective = objective;
    }
}

fn decided(market: &Market, number: u64) -> Decision {
    decide(market.state.view(), &|_| 0, free_request(number, 10_000), market.at).unwrap()
}

#[test]
fn with_equal_fees_and_latencies_an_objective_chooses_what_success_alone_chooses() {
    let mut market = Market::new(21);
    market.run(30);
    let plain: Vec<Decision> = (0..200).map(|number| decided(&market, number)).collect();
    market.change(|settings| {
        for connector in 0..4 {
            settings.connectors.insert(name(connector), Connector { fee_percent: 2.0, ..Connector::default() });
        }
        objective(settings, Objective { margin_percent: 20.0, cost_weight: 1.0, latency_percent_per_s: 0.0 });
    });
    for (number, plain) in (0..).zip(&plain) {
        let valued = decided(&market, number);
        let order = |decision: &Decision| decision.candidates.iter().map(|one| one.account.clone()).collect::<Vec<_>>();
        assert_eq!(order(&valued), order(plain));
        assert!(plain.notes.is_empty(), "nothing is noted where success alone counts and no fee is known");
    }
}

#[test]
fn a_fee_tips_the_choice_and_the_decision_says_what_that_costs_and_saves() {
    let mut market = Market::with(22, by_cost);
    market.run(60);
    let decisions: Vec<Decision> = (0..100).map(|number| decided(&market, number)).collect();
    let cheapest = decisions.iter().filter(|one| one.chosen().account == account(0, 5)).count();
    assert!(cheapest >= 95, "{cheapest} of 100 go to the cheapest of four that are alike");
    let Some(Note::Objective(weighed)) = decisions[0].notes.first() else { panic!("{:?}", decisions[0]) };
    assert_eq!((weighed.costs.len(), weighed.costs[usize::from(decisions[0].chosen)].fee), (4, 100.0));
    let told = decisions.iter().map(|decision| Explanation::of(decision).objective.unwrap());
    let differing: Vec<_> = told.filter(|objective| *objective.by_success != account(0, 5)).collect();
    assert!(!differing.is_empty(), "success alone would have chosen another one");
    assert!(differing.iter().all(|objective| objective.fees_saved_minor > 0.0), "{differing:?}");
}

#[test]
fn a_dear_connector_is_chosen_where_success_is_worth_it() {
    let mut market = Market::with(23, by_cost);
    market.adyen_down = true;
    market.run(60);
    let decisions: Vec<Decision> = (0..100).map(|number| decided(&market, number)).collect();
    assert!(decisions.iter().filter(|one| one.chosen().account == account(0, 5)).count() <= 3, "the cheapest fails");
}

#[test]
fn a_slow_connector_is_left_where_waiting_costs() {
    let slow = |market: &mut Market, ms: u32| {
        for number in 0..60 {
            for connector in 0..4 {
                let id = format!("timed_{connector}_{number}_{ms}");
                market.push(Body::Payment(Box::new(PaymentEvent {
                    latency_ms: Some(if connector == 3 { 200 } else { ms }),
                    occurred_at: market.at,
                    ..plain::event(profile(5), &id, account(connector, 5), EventKind::Captured)
                })));
            }
        }
    };
    let mut market = Market::with(24, |settings| {
        objective(settings, Objective { margin_percent: 10.0, cost_weight: 0.0, latency_percent_per_s: 1.0 });
    });
    slow(&mut market, 4_000);
    let fast = (0..100).filter(|number| decided(&market, *number).chosen().account == account(3, 5)).count();
    assert!(fast >= 95, "{fast} of 100");
    let decision = decided(&market, 7);
    let text = Explanation::of(&decision).text();
    assert!(text.contains("a second of waiting costs 1 % of the amount"), "{text}");
}

#[test]
fn decisions_under_an_objective_are_computed_again_exactly() {
    let mut market = Market::with(25, by_cost);
    market.change(|settings| {
        objective(settings, Objective { margin_percent: 30.0, cost_weight: 1.5, latency_percent_per_s: 0.2 });
    });
    market.adyen_down = true;
    market.run(30);
    let noted = recomputed(&market.log).0.iter().filter(|decision| decision.weighed().is_some()).count();
    assert!(noted >= 200, "{noted}");
}

#[test]
fn a_card_that_is_only_verified_is_decided_by_success_alone() {
    let mut market = Market::with(26, by_cost);
    market.run(5);
    let decision = decide(market.state.view(), &|_| 0, free_request(1, 0), market.at).unwrap();
    assert_eq!(Explanation::of(&decision).objective, None, "{decision:?}");
}

#[test]
fn what_candidates_cost_is_told_where_success_alone_counts_and_changes_no_choice() {
    let mut market = Market::new(28);
    market.run(30);
    let unpriced: Vec<Decision> = (0..50).map(|number| decided(&market, number)).collect();
    market.change(|settings| {
        settings.connectors.insert(name(1), Connector { fee_minor: 25, fee_percent: 1.5, ..Connector::default() });
    });
    for (number, unpriced) in (0..).zip(&unpriced) {
        let priced = decided(&market, number);
        let explanation = Explanation::of(&priced);
        assert_eq!((&priced.candidates, priced.chosen, explanation.objective), (&unpriced.candidates, unpriced.chosen, None));
        for one in explanation.candidates {
            let cost = one.cost.unwrap();
            let fee = if one.account.connector() == name(1).as_str() { 175.0 } else { 0.0 };
            assert!((cost.fee_minor - fee).abs() < 0.01 && cost.value_minor.is_none(), "{cost:?}");
        }
    }
}

#[test]
fn maintenance_keeps_an_account_out_until_its_end_without_probes_and_without_a_restart() {
    let mut market = Market::new(27);
    let (start, end) = (market.at + Duration::from_secs(10), market.at + Duration::from_secs(40));
    let window = Window { start, end, accounts: Vec::new() };
    market.change(|settings| {
        for connector in [0, 1] {
            let told = Connector { maintenance: vec![window.clone()], ..Connector::default() };
            settings.connectors.insert(name(connector), told);
        }
    });
    market.run(60);
    let (mut before, mut after) = (0, 0);
    for entry in &market.log {
        let Body::Decided(decision) = &entry.body else { continue };
        let at = decision.decided_at.unwrap();
        let there = ["adyen", "stripe"].contains(&decision.chosen().account.connector());
        let told = decision.candidates.iter().filter(|one| one.excluded == Some(Exclusion::Maintenance)).count();
        if (start..end).contains(&at) {
            assert!(!there && told == 2, "{decision:?}");
        } else {
            assert_eq!(told, 0);
            *(if at < start { &mut before } else { &mut after }) += u32::from(there);
        }
    }
    assert!(before > 0 && after > 0, "{before} before and {after} after, pinned merchants among them");
}

#[test]
fn where_none_is_left_the_least_bad_is_chosen_or_the_payment_is_refused_as_configured() {
    let kept_out = |settings: &mut Settings| {
        for connector in 0..4 {
            let told = Connector { networks: vec![Network::Mastercard], ..Connector::default() };
            settings.connectors.insert(name(connector), told);
        }
    };
    let mut market = Market::with(28, kept_out);
    let decision = decided(&market, 1);
    assert_eq!((decision.approach, decision.chosen().excluded), (Approach::LeastBad, Some(Exclusion::Network)));
    assert!(decision.confidence < 0.5, "nothing is known of any of the four: {}", decision.confidence);
    market.change(|settings| settings.routing.when_none_left = WhenNoneLeft::Refuse);
    let refused = decide(market.state.view(), &|_| 0, free_request(1, 100), market.at).unwrap_err();
    let NoCandidate::Excluded(reasons) = &refused else { panic!("{refused:?}") };
    assert_eq!(reasons[0], "adyen:mca_5: does not support Visa");
    assert!(refused.to_string().starts_with("no connector account is left: adyen:mca_5"), "{refused}");
}

/// A second of payments that adyen alone may take; how many were refused.
fn refused_in_a_second(market: &mut Market, second: u64) -> u32 {
    let mut refused = 0;
    for number in 0..20 {
        market.at = market.at + Duration::from_millis(50);
        let request = Request { eligible: vec![account(0, 5)], ..free_request(1_000 + 20 * second + number, 500) };
        let Ok(decision) = decide(market.state.view(), &|_| 0, request.clone(), market.at) else {
            refused += 1;
            continue;
        };
        market.push(Body::Decided(Arc::new(decision)));
        let kind = if market.adyen_down { EventKind::Failed } else { EventKind::Captured };
        let event = plain::event(profile(5), request.payment.as_str(), account(0, 5), kind);
        market.push(Body::Payment(Box::new(PaymentEvent { occurred_at: market.at, ..event })));
    }
    refused
}

#[test]
fn an_account_that_is_refused_comes_back_by_its_probes() {
    let mut market = Market::with(29, |settings| settings.routing.when_none_left = WhenNoneLeft::Refuse);
    assert_eq!(refused_in_a_second(&mut market, 0), 0);
    market.adyen_down = true;
    let refused: u32 = (1..=20).map(|second| refused_in_a_second(&mut market, second)).sum();
    assert!((340..400).contains(&refused), "{refused} of 400: its breaker is open, and probes flow");
    market.adyen_down = false;
    let well = (21..=400).find(|second| refused_in_a_second(&mut market, *second) == 0);
    assert!(well.is_some(), "it is never well again");
}

#[test]
fn what_is_told_pending_is_what_the_view_counts_and_what_this_replica_has_sent() {
    let mut market = Market::new(29);
    let sent = decided(&market, 1);
    let account = sent.chosen().account.clone();
    market.push(Body::Decided(Arc::new(sent)));
    let decision = decide(market.state.view(), &|_| 2, free_request(2, 10_000), market.at).unwrap();
    for one in Explanation::of(&decision).candidates {
        assert_eq!(one.pending, 2 + u32::from(*one.account == account), "{one:?}");
    }
}
