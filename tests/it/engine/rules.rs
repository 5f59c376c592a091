//! Routing rules in the log: the state is a function of them, and what was decided under them is computed again exactly.

use apos::domain::rule::{Algorithm, Output, RULE_BYTES_MAX, RULES_BYTES_MAX, Rule, RuleId, RuleText, Split};
use apos::domain::{Approach, Exclusion, Purpose};
use apos::engine::route::decide_under;
use apos::engine::route::rules::{Ruling, Terms};

use super::*;

fn text(output: Output, bytes: u32) -> Box<RuleText> {
    Box::new(RuleText { name: "rule".to_owned(), description: String::new(), algorithm: Algorithm::Fixed(output), bytes })
}

impl Market {
    /// Creates a rule of a merchant and puts it into force.
    fn rule(&mut self, merchant: u32, output: Output) -> RuleId {
        self.push(Body::RuleCreated { profile: profile(merchant), purpose: Purpose::Payment, text: text(output, 100) });
        let id = RuleId(self.state.position());
        self.push(Body::RuleActivated { profile: profile(merchant), id, active: true });
        id
    }

    /// One payment, decided under the merchant's rule.
    fn pay_under_rule(&mut self, merchant: u32, in_order: bool) -> Decision {
        self.payments += 1;
        let request = plain::request(profile(merchant), &format!("ruled_{}", self.payments), accounts(merchant));
        let view = self.state.view();
        let ruling = view.ruling(&request, Terms { in_order, ..Terms::default() });
        let decision = decide_under(view, &|_| 0, request, view.at(), ruling.as_ref()).unwrap();
        self.push(Body::Decided(Arc::new(decision.clone())));
        decision
    }
}

/// A market with rules of three merchants, traffic of all, and an outage.
fn ruled() -> (Market, Vec<Decision>) {
    let mut market = Market::new(11);
    market.run(10);
    let (a, b, c) = (account(0, 4), account(1, 4), account(2, 4));
    market.rule(4, Output::Priority(vec![c, a]));
    market.rule(
        5,
        Output::VolumeSplit(vec![Split { percent: 40, output: account(0, 5) }, Split { percent: 60, output: account(1, 5) }]),
    );
    // A pinned merchant has a rule too: its list orders, the rule narrows.
    market.rule(0, Output::Single(account(3, 0)));
    market.adyen_down = true;
    let mut decisions = Vec::new();
    for number in 0..300 {
        market.run(u32::from(number % 50 == 0));
        decisions.push(market.pay_under_rule(4, number % 3 == 0));
        decisions.push(market.pay_under_rule(5, false));
        decisions.push(market.pay_under_rule(0, false));
    }
    assert!(decisions.iter().all(|decision| decision.chosen().account != b));
    (market, decisions)
}

#[test]
fn decisions_under_a_rule_stay_within_it() {
    let (_, decisions) = ruled();
    for decision in &decisions {
        assert!(!matches!(decision.chosen().excluded, Some(Exclusion::Rule(_))), "{decision:?}");
        assert!(decision.rule().is_some(), "{decision:?}");
    }
    let ordered: Vec<_> = decisions.iter().filter(|decision| matches!(decision.approach, Approach::Rule(_))).collect();
    assert_eq!(ordered.len(), 100);
    assert!(ordered.iter().all(|decision| decision.chosen().account == account(2, 4)), "the rule's first");
    let of = |merchant: u32| decisions.iter().filter(move |decision| decision.request.profile == profile(merchant));
    let share = of(5).filter(|decision| decision.chosen().account == account(0, 5)).count();
    // Five standard deviations of 120 of 300.
    assert!((78..=162).contains(&share), "{share}");
    assert!(of(0).all(|decision| decision.chosen().account == account(3, 0)));
}

#[test]
fn what_was_decided_under_a_rule_is_computed_again_exactly() {
    let (market, _) = ruled();
    let (decisions, state) = recomputed(&market.log);
    assert_eq!(decisions.iter().filter(|decision| Ruling::recorded(decision).is_some()).count(), 900);
    assert_eq!(state.fingerprint(), market.state.fingerprint(), "folded from zero");
    let restored = State::restore(&state.checkpoint()).unwrap();
    assert_eq!(restored.fingerprint(), state.fingerprint());
    assert!(restored.view().active_rule(&profile(4), Purpose::Payment).is_some());
}

/// A rule that came into force between two attempts of a payment does not move it from where it is to be authenticated.
#[test]
fn a_rule_does_not_move_a_payment_that_is_to_be_authenticated() {
    for in_order in [false, true] {
        let mut market = Market::new(12);
        market.run(5);
        let request = |attempt| Request { attempt, ..plain::request(profile(1), "pay_sca", accounts(1)) };
        let first = Request { eligible: vec![account(1, 1)], ..request(1) };
        let first = decide(market.state.view(), &|_| 0, first, market.at).unwrap();
        market.push(Body::Decided(Arc::new(first)));
        market.push(Body::Payment(Box::new(declined(&market, "pay_sca", DeclineClass::ScaRequired))));
        let rule = market.rule(1, Output::Single(account(2, 1)));
        let view = market.state.view();
        let ruling = view.ruling(&request(2), Terms { in_order, ..Terms::default() });
        assert_eq!(ruling.as_ref().map(|ruling| ruling.rule), Some(rule));
        let second = decide_under(view, &|_| 0, request(2), market.at, ruling.as_ref()).unwrap();
        assert_eq!((second.approach, &second.chosen().account), (Approach::StepUp, &account(1, 1)), "{second:?}");
        assert!(second.candidates[1..].iter().all(|other| other.excluded == Some(Exclusion::StepUp)), "{second:?}");
        let again = decide_under(view, &|_| 0, request(2), market.at, Ruling::recorded(&second).as_ref());
        assert_eq!(again.as_ref(), Ok(&second));
    }
}

#[test]
fn rules_have_their_bounds_whatever_the_log_says() {
    let mut market = Market::new(5);
    let largest = u32::try_from(RULE_BYTES_MAX).unwrap();
    let rooms = u32::try_from(RULES_BYTES_MAX / u64::from(largest)).unwrap();
    for number in 0..rooms + 10 {
        let text = text(Output::Single(account(0, 0)), largest);
        market.push(Body::RuleCreated { profile: profile(number / 50), purpose: Purpose::Payout, text });
    }
    assert_eq!(market.state.view().rule_bytes(), RULES_BYTES_MAX);
    let ids =
        |market: &Market| market.state.view().rules(&profile(0)).iter().map(|rule: &Arc<Rule>| rule.id).collect::<Vec<_>>();
    let (first, second) = (ids(&market)[0], ids(&market)[1]);
    // What is active is neither changed nor deleted; what is not there is not put into force.
    market.push(Body::RuleActivated { profile: profile(0), id: first, active: true });
    market.push(Body::RuleDeleted { profile: profile(0), id: first });
    market.push(Body::RuleUpdated { profile: profile(0), id: first, text: text(Output::Single(account(1, 0)), 1) });
    market.push(Body::RuleActivated { profile: profile(1), id: first, active: true });
    assert_eq!(market.state.view().rule(&profile(0), first).unwrap().text.bytes, largest);
    assert!(market.state.view().active_rule(&profile(1), Purpose::Payout).is_none(), "another merchant's");
    market.push(Body::RuleDeleted { profile: profile(0), id: second });
    assert_eq!((ids(&market).len(), market.state.view().rule_bytes()), (49, RULES_BYTES_MAX - u64::from(largest)));
    market.push(Body::MerchantDeleted { profile: profile(0) });
    assert_eq!((ids(&market).len(), market.state.view().rule_bytes()), (0, RULES_BYTES_MAX - 50 * u64::from(largest)));
}
