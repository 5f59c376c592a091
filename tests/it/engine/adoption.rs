//! Safe adoption from outside: shadow, dial, kill switch and conservative routing, each decision computed again exactly.

use std::collections::BTreeSet;

use apos::domain::Purpose;
use apos::domain::rule::{Algorithm, Output, RuleText};
use apos::domain::settings::MerchantAdoption;
use apos::engine::route::decide_under;
use apos::engine::route::rules::Terms;
use apos::engine::snapshot::ShadowReport;

use super::*;

impl Market {
    pub(super) fn adopt(&mut self, profile: Option<ProfileId>, dial: Option<u8>, shadow: Option<bool>) {
        self.order(Order::SetAdoption { profile, dial, shadow });
    }

    pub(super) fn decisions(&self) -> Vec<Arc<Decision>> {
        let decided = |entry: &Entry| if let Body::Decided(decision) = &entry.body { Some(decision.clone()) } else { None };
        self.log.iter().filter_map(decided).collect()
    }
}

fn card() -> Context {
    Context { method: Some(Method::Card), ..Context::default() }
}

/// Gives a merchant an active rule that names all its accounts but the first.
fn rule(market: &mut Market, merchant: u32) {
    let output = Output::Priority([3, 2, 1].map(|connector| account(connector, merchant)).to_vec());
    let text = RuleText { name: "rule".to_owned(), description: String::new(), algorithm: Algorithm::Fixed(output), bytes: 99 };
    let profile = profile(merchant);
    market.push(Body::RuleCreated { profile: profile.clone(), purpose: Purpose::Payment, text: Box::new(text) });
    let id = market.state.view().rules(&profile)[0].id;
    market.push(Body::RuleActivated { profile, id, active: true });
}

#[test]
fn decisions_under_every_mode_are_computed_again_exactly() {
    let mut market = Market::new(21);
    market.run(5);
    market.adopt(None, Some(40), None);
    market.run(5);
    market.adopt(Some(profile(1)), None, Some(true));
    market.adopt(Some(profile(4)), Some(0), None);
    market.adyen_down = true;
    market.run(8);
    market.adopt(None, Some(100), Some(true));
    market.run(5);
    market.order(Order::SetKillSwitch { pulled: true, reason: "drill".into() });
    market.run(3);
    market.order(Order::SetKillSwitch { pulled: false, reason: "".into() });
    market.adopt(None, Some(70), Some(false));
    market.run(3);
    assert!(recomputed(&market.log).0.len() >= 500);
}

#[test]
fn a_rule_is_part_of_what_a_decision_under_the_dial_is_computed_again_from() {
    let mut market = Market::new(22);
    market.run(5);
    rule(&mut market, 4);
    market.adopt(None, Some(50), None);
    let (mut static_ones, mut state) = (0, market.state.clone());
    for n in 0..200 {
        // Without the one that the rule keeps out nothing but a note tells of the rule.
        let eligible = (usize::from(n % 2 == 0)..4).map(|connector| account(connector, 4)).collect();
        let request = Request { context: card(), ..plain::request(profile(4), &format!("ruled_{n}"), eligible) };
        let view = state.view().clone();
        let ruling = view.ruling(&request, Terms::default());
        let decision = decide_under(&view, &|_| 0, request, market.at, ruling.as_ref()).unwrap();
        if decision.approach == Approach::Static {
            assert_eq!(decision.chosen().account, account(3, 4), "the rule's first: {decision:?}");
            static_ones += 1;
        }
        market.push(Body::Decided(Arc::new(decision)));
        state = market.state.clone();
    }
    assert!((70..130).contains(&static_ones), "{static_ones}");
    recomputed(&market.log);
}

#[test]
fn the_dial_routes_its_share_and_a_retry_goes_the_same_way() {
    let mut market = Market::new(23);
    market.run(20);
    market.adopt(None, Some(25), None);
    let of = |market: &Market, n: u32, attempt: u16| {
        let request = Request { attempt, context: card(), ..plain::request(profile(4), &format!("dial_{n}"), accounts(4)) };
        decide(market.state.view(), &|_| 0, request, market.at).unwrap()
    };
    let engine = |decision: &Decision| decision.notes == [Note::Dial { percent: 25, engine: true }];
    let first: Vec<Decision> = (0..2_000).map(|n| of(&market, n, 1)).collect();
    let routed = first.iter().filter(|decision| engine(decision)).count();
    assert!((430..570).contains(&routed), "{routed} of 2,000 at 25 %");
    for (n, decision) in (0..).zip(&first) {
        assert_eq!(engine(decision), engine(&of(&market, n, 2)), "a retry goes the same way");
        assert_eq!(decision.approach == Approach::Static, !engine(decision));
        assert!(engine(decision) || decision.chosen().account == account(0, 4), "the request's order: {decision:?}");
    }
    market.adopt(None, Some(60), None);
    let stays = |n: u32, decision: &Decision| !engine(decision) || of(&market, n, 1).approach != Approach::Static;
    assert!((0..).zip(&first).all(|(n, decision)| stays(n, decision)), "whoever is in stays in when the dial is raised");
}

/// An estimate by the propensities alone must find how often each account is chosen, whatever mixture chose it.
#[test]
fn propensities_under_the_dial_are_how_often_it_is_chosen() {
    let mut market = Market::new(24);
    market.run(20);
    market.adopt(None, Some(30), None);
    let drawn = propensity::check(market.state.view(), market.at, &|payment| many(&payment));
    assert!(drawn.accounts.len() >= 3, "{drawn:?}");
}

/// A payment of a merchant that is not pinned, its accounts in the order opposite to the connectors'.
pub(super) fn many(payment: &PaymentId) -> Request {
    let eligible = accounts(5).into_iter().rev().collect();
    Request { context: card(), ..plain::request(profile(5), payment.as_str(), eligible) }
}

#[test]
fn the_kill_switch_returns_the_static_order_for_everything_until_it_is_released() {
    let mut market = Market::new(25);
    market.adyen_down = true;
    market.run(10);
    market.adopt(Some(profile(4)), None, Some(true));
    market.order(Order::SetKillSwitch { pulled: true, reason: "wrong figures".into() });
    let before = market.decisions().len();
    market.run(5);
    for decision in &market.decisions()[before..] {
        assert_eq!((decision.approach, &decision.notes[..]), (Approach::Static, &[Note::KillSwitch][..]), "{decision:?}");
        assert_eq!(decision.chosen().account.connector(), "adyen", "whatever breakers and scores say");
        assert!((decision.propensity - 1.0).abs() < f64::EPSILON);
    }
    let shown = snapshot(&market.state).adoption.kill_switch.unwrap();
    assert_eq!((shown.by.as_str(), shown.reason.as_str()), ("kim", "wrong figures"));
    let restarted = State::restore(&market.state.checkpoint()).unwrap();
    assert!(snapshot(&restarted).adoption.kill_switch.is_some(), "it survives a restart");
    market.order(Order::SetKillSwitch { pulled: false, reason: "".into() });
    market.run(2);
    assert!(market.decisions().last().unwrap().approach != Approach::Static);
    let told: Vec<String> = snapshot(&market.state).events.into_iter().map(|row| row.text).collect();
    assert!(told.iter().any(|text| text == "the kill switch is released by kim"), "{told:?}");
}

/// Three of the merchants are pinned to adyen, which fails half of the time; the others learn that stripe does not.
#[test]
fn a_shadow_answers_as_before_and_reports_what_the_engine_would_have_added() {
    let mut market = Market::new(26);
    market.run(30);
    market.adyen_down = true;
    market.run(10);
    for n in 0..3 {
        market.adopt(Some(profile(n)), None, Some(true));
    }
    let before = market.decisions().len();
    market.run(60);
    let (mut shadowed, mut elsewhere) = (0, 0);
    for decision in &market.decisions()[before..] {
        let pinned = (0..3).any(|n| decision.request.profile == profile(n));
        let engine =
            decision.notes.iter().find_map(|note| if let Note::Shadow { engine } = note { Some(*engine) } else { None });
        assert_eq!(engine.is_some(), pinned, "{decision:?}");
        if let Some(engine) = engine {
            assert_eq!((decision.approach, decision.chosen().account.connector()), (Approach::Static, "adyen"));
            shadowed += 1;
            elsewhere += u64::from(engine != decision.chosen);
        }
    }
    let adoption = snapshot(&market.state).adoption;
    let all: &ShadowReport = &adoption.reports[0];
    assert_eq!((all.attempts, all.estimate.attempts, adoption.reports.len()), (shadowed, elsewhere, 4), "{all:?}");
    // 5 % of adyen's attempts succeed, 92 % of the others': 87 points are to be had wherever the engine goes elsewhere.
    let had = 87.0 * f64::from(u32::try_from(elsewhere).unwrap()) / f64::from(u32::try_from(shadowed).unwrap());
    assert!(all.points_range.0 < had && had < all.points_range.1 && all.points_range.0 > 60.0, "{had} {all:?}");
    assert!(all.sentence().starts_with('+') && adoption.words() == ["3 merchants apart"], "{}", all.sentence());
    market.adopt(Some(profile(0)), None, None);
    let over = snapshot(&market.state).adoption.reports.iter().filter(|report| report.until.is_some()).count();
    assert_eq!(over, 1, "its report stays, and is over");
}

/// An open account would be probed, were the engine's choice sent. It never is, so the probe would stay due for good, and be
/// what every decision notes.
#[test]
fn a_shadow_notes_no_probe_and_no_fair_draw() {
    let mut market = Market::new(30);
    market.run(20);
    market.adopt(None, None, Some(true));
    let failed = |n: u32, occurred_at| PaymentEvent {
        occurred_at,
        ..plain::event(profile(5), &format!("failed_{n}"), account(1, 5), EventKind::Failed)
    };
    for n in 0..6 {
        market.push(Body::Payment(Box::new(failed(n, market.at))));
    }
    market.run(30);
    let before = market.decisions().len();
    market.run(10);
    let mut noted = BTreeSet::new();
    for decision in market.decisions()[before..].iter().filter(|decision| decision.request.profile == profile(5)) {
        let [Note::Shadow { engine }] = decision.notes[..] else { panic!("{decision:?}") };
        noted.insert(decision.candidates[usize::from(engine)].account.clone());
    }
    assert!(!noted.is_empty() && !noted.contains(&account(1, 5)), "{noted:?}");
    market.adopt(None, None, Some(false));
    let sent = decide(market.state.view(), &|_| 0, many(&plain::payment("sent")), market.at).unwrap();
    assert_eq!(
        (sent.approach, &sent.chosen().account),
        (Approach::Probe, &account(1, 5)),
        "out of shadow it is probed: {sent:?}"
    );
}

impl Market {
    /// A payment of a merchant, approved.
    fn approve(&mut self, n: u32) {
        self.payments += 1;
        let id = format!("pay_{}", self.payments);
        let decision = decide(self.state.view(), &|_| 0, plain::request(profile(n), &id, accounts(n)), self.at).unwrap();
        let event = PaymentEvent {
            amount: Some(decision.request.amount),
            latency_ms: Some(200),
            attempts_made: Some(1),
            occurred_at: self.at,
            ..plain::event(profile(n), &id, decision.chosen().account.clone(), EventKind::Captured)
        };
        self.push(Body::Decided(Arc::new(decision)));
        self.push(Body::Payment(Box::new(event)));
    }
}

/// Merchants are rolled out one after another: the report of the one whose shadow ended first makes room for the 33rd.
#[test]
fn the_report_that_ended_longest_ago_makes_room() {
    let mut market = Market::new(39);
    let reported = |market: &Market, n: u32| {
        let reports = snapshot(&market.state).adoption.reports;
        assert!(reports.len() <= 33, "all, and 32 merchants");
        reports.into_iter().find(|report| report.merchant == Some(profile(n)))
    };
    for n in 100..132 {
        market.adopt(Some(profile(n)), None, Some(true));
        market.approve(n);
    }
    market.adopt(Some(profile(132)), None, Some(true));
    market.approve(132);
    assert!(reported(&market, 132).is_none() && reported(&market, 131).is_some(), "32 at the most");
    for n in [105, 103] {
        market.at = market.at + Duration::from_mins(1);
        market.adopt(Some(profile(n)), None, None);
    }
    market.approve(132);
    assert!(reported(&market, 132).is_none() && reported(&market, 105).is_some(), "outcomes of 105 may still come");
    market.at = market.at + Duration::from_mins(5);
    market.approve(132);
    assert_eq!(reported(&market, 132).map(|report| report.attempts), Some(1));
    assert!(reported(&market, 105).is_none() && reported(&market, 103).is_some_and(|report| report.until.is_some()));
}

/// A market where a merchant configured in shadow stays so whatever the dial of all says.
#[test]
fn a_configured_shadow_is_one() {
    let mut market = Market::new(27);
    let mut settings = Settings::clone(market.state.view().settings());
    let adoption = MerchantAdoption { dial: None, shadow: Some(true) };
    settings.merchants.entry(profile(5)).or_default().adoption = adoption;
    market.push(Body::Configured(settings.into()));
    market.run(3);
    for decision in market.decisions() {
        assert_eq!(decision.approach == Approach::Static, decision.request.profile == profile(5));
    }
    recomputed(&market.log);
}

/// Everything fails, whatever is chosen: the engine stops exploring, and begins again when it has been well for a minute.
#[test]
fn routing_is_conservative_while_errors_are_high_and_wide() {
    let mut market = Market::new(28);
    market.run(150);
    market.all_down = true;
    market.run(20);
    let adoption = snapshot(&market.state).adoption;
    let conservative = adoption.conservative.clone().expect("it is entered");
    assert!(conservative.sentence.contains("connectors fail") && adoption.words() == ["conservative"], "{conservative:?}");
    assert_eq!(adoption.unwell(), [format!("routing: conservative: {}", conservative.sentence)]);
    let before = market.decisions().len();
    market.run(10);
    let decisions = market.decisions();
    let careful = &decisions[before..];
    assert!(careful.iter().all(|decision| decision.notes.contains(&Note::Conservative)));
    assert!(careful.iter().all(|decision| decision.candidates.iter().all(|one| one.bonus == 0.0)), "nothing is explored");
    assert!(careful.iter().all(|decision| decision.approach != Approach::Uniform));
    market.all_down = false;
    market.run(40);
    assert!(snapshot(&market.state).adoption.conservative.is_some(), "not left at the first good second");
    market.run(80);
    assert!(snapshot(&market.state).adoption.conservative.is_none());
    let told: Vec<String> = market
        .log
        .iter()
        .scan(State::new(), |state, entry| {
            apply(state, entry, &mut Vec::new());
            Some(matches!(entry.body, Body::Ticked).then(|| snapshot(state).events.last().map(|row| row.text.clone())))
        })
        .flatten()
        .flatten()
        .filter(|text| text.starts_with("routing is"))
        .collect();
    assert!(told.iter().any(|text| text.starts_with("routing is conservative: ")), "{told:?}");
    assert!(told.iter().any(|text| text.starts_with("routing is as usual again")), "{told:?}");
    assert!(recomputed(&market.log).0.len() > 5_000);
}

/// A wide outage, and then hardly a payment: it does not last until traffic is back.
#[test]
fn conservative_routing_ends_after_ten_minutes_of_too_little_to_judge() {
    let mut market = Market::new(30);
    market.run(150);
    market.all_down = true;
    market.run(20);
    assert!(snapshot(&market.state).adoption.conservative.is_some());
    let mut trickle = |minutes: u64| {
        for _ in 0..minutes * 6 {
            market.at = market.at + Duration::from_secs(10);
            market.pay();
            market.push(Body::Ticked);
        }
        snapshot(&market.state)
    };
    assert!(trickle(9).adoption.conservative.is_some(), "not at the first quiet minutes");
    let after = trickle(3);
    assert!(after.adoption.conservative.is_none());
    assert!(after.events.iter().any(|row| row.text.contains("too little was attempted for 10 min")), "{:?}", after.events);
}

/// One connector alone, however bad, is the breaker's and the bandit's.
#[test]
fn what_one_connector_does_is_no_reason_for_conservative_routing() {
    let mut market = Market::new(29);
    market.run(150);
    market.adyen_down = true;
    for _ in 0..20 {
        market.run(2);
        let conservative = snapshot(&market.state).adoption.conservative;
        assert!(conservative.is_none(), "{conservative:?}");
    }
}
