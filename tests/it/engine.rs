//! The engine from outside: determinism, checkpoints, decisions computed again, repairs that are approved and undone.

mod adoption;
mod experiments;
mod healing;
mod incidents;
mod propensity;
mod rules;
mod value;

use std::sync::Arc;
use std::time::Duration;

use apos::domain::settings::Merchant;
use apos::domain::{
    Act, ActionId, Approach, Autonomy, Bin, Body, Change, Command, ConnectorAccount, Context, Currency, Decision, Decline,
    DeclineClass, EffectId, EffectResult, Entry, EventKind, Exclusion, Method, Money, Note, OperatorName, Order, PaymentEvent,
    PaymentId, Position, ProfileId, Request, ResourceSample, Settings, Source, Time,
};
use apos::engine::snapshot::{ActionStatus, AnomalyType};
use apos::engine::{Effect, State, apply, decide, snapshot};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::support::plain;
use crate::support::recomputed::recomputed;

const VERSION: &str = "test";
const CONNECTORS: [&str; 4] = ["adyen", "stripe", "checkout", "worldpay"];

/// A log that is written while it is folded: a small market whose `adyen` can fail.
struct Market {
    state: State,
    log: Vec<Entry>,
    effects: Vec<Effect>,
    rng: ChaCha8Rng,
    at: Time,
    adyen_down: bool,
    /// Nothing works, wherever it is sent.
    all_down: bool,
    /// Of payments in this arm of an experiment, three in four are never heard of.
    mute: Option<&'static str>,
    payments: u64,
}

impl Market {
    fn new(seed: u64) -> Self {
        let mut market = Self {
            state: State::new(),
            log: Vec::new(),
            effects: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            at: Time::from_secs(1_750_000_000),
            adyen_down: false,
            all_down: false,
            mute: None,
            payments: 0,
        };
        let merchants = (0..6).map(|n| {
            let priority = if n < 3 { accounts(n) } else { Vec::new() };
            (profile(n), Merchant { name: format!("Merchant {n}"), priority, ..Merchant::default() })
        });
        let settings = Settings { seed, merchants: merchants.collect(), ..Settings::default() };
        market.push(Body::EngineStarted { version: VERSION.to_owned(), epoch: 1 });
        market.push(Body::Configured(settings.into()));
        market
    }

    fn push(&mut self, body: Body) {
        let number = self.log.len() as u64 + 1;
        let entry = Entry { position: Position { record: number, index: 0 }, at: self.at, body };
        apply(&mut self.state, &entry, &mut self.effects);
        self.log.push(entry);
        self.act();
    }

    /// The leader's part: intents, executions that succeed, their ends.
    fn act(&mut self) {
        let acts: Vec<(EffectId, Act)> = self
            .effects
            .drain(..)
            .filter_map(|effect| if let Effect::Act { id, act } = effect { Some((id, act)) } else { None })
            .collect();
        for (id, act) in acts {
            self.push(Body::Intended { id, act });
            self.push(Body::Ended { id, result: EffectResult::Done });
        }
    }

    fn random(&mut self, below: u32) -> u32 {
        self.rng.next_u32() % below
    }

    /// One payment: decided, started, ended.
    fn pay(&mut self) {
        self.payments += 1;
        let n = self.random(6);
        let currency = Currency::parse(if n.is_multiple_of(2) { "EUR" } else { "USD" }).unwrap();
        let request = Request {
            profile: profile(n),
            payment: PaymentId::parse(&format!("pay_{}", self.payments)).unwrap(),
            attempt: 1,
            amount: Money::new(i64::from(500 + self.random(10_000)), currency),
            context: Context {
                method: Some(Method::Card),
                bin: Some(Bin::parse(&format!("4242{:02}", self.random(20))).unwrap()),
                ..Context::default()
            },
            eligible: accounts(n),
        };
        let decision = decide(self.state.view(), &|_| 0, request, self.at).unwrap();
        let chosen = decision.chosen().account.clone();
        let draw = self.random(100);
        let down = self.all_down || (chosen.connector() == "adyen" && self.adyen_down);
        let failed = if down { draw < 95 } else { draw < 8 };
        let request = decision.request.clone();
        let mute = self
            .mute
            .is_some_and(|mute| decision.notes.iter().any(|note| matches!(note, Note::Experiment { arm, .. } if arm == mute)));
        self.push(Body::Decided(Arc::new(decision)));
        if mute && self.random(4) > 0 {
            return;
        }
        let event = |kind, at| PaymentEvent {
            source: Source::Simulation,
            event_id: None,
            profile: request.profile.clone(),
            payment: request.payment.clone(),
            attempt: Some(1),
            account: Some(chosen.clone()),
            kind,
            decline: (kind == EventKind::Failed)
                .then(|| Decline { class: DeclineClass::Gateway, code: "psp_acquirer_error".into() }),
            amount: Some(request.amount),
            context: request.context,
            latency_ms: Some(200 + draw * 3),
            attempts_made: Some(1),
            occurred_at: at,
        };
        self.push(Body::Payment(Box::new(event(EventKind::Started, self.at))));
        let kind = if failed { EventKind::Failed } else { EventKind::Captured };
        self.push(Body::Payment(Box::new(event(kind, self.at))));
    }

    /// Seconds of traffic, 20 payments each, with the ticks the state asks for.
    fn run(&mut self, seconds: u32) {
        for _ in 0..seconds {
            for _ in 0..20 {
                self.at = self.at + Duration::from_millis(50);
                self.pay();
            }
            if self.state.deadline().is_some_and(|due| due <= self.at) {
                self.push(Body::Ticked);
            }
        }
    }

    /// Health, then an outage whose repair is approved and undone, with samples and a refused command on the way.
    fn repaired_outage(&mut self) {
        self.adyen_down = false;
        self.run(150);
        self.adyen_down = true;
        self.run(20);
        self.push(Body::Sampled(ResourceSample { cpu_percent: 90.0, memory_percent: 50.0, queue_depth: 3, instances: 2 }));
        self.run(2);
        let pending = snapshot(&self.state).actions.into_iter().filter(|a| a.status == ActionStatus::Pending);
        for action in pending.collect::<Vec<_>>() {
            self.order(Order::Approve { action: action.id, version: action.version });
            self.order(Order::Approve { action: action.id, version: action.version });
            self.run(5);
            let row = snapshot(&self.state).actions.into_iter().find(|a| a.id == action.id).unwrap();
            self.order(Order::Undo { action: action.id, version: row.version });
        }
        self.run(5);
        let statistics = snapshot(&self.state).statistics;
        assert!(statistics.anomalies >= 1 && statistics.actions >= 2 && statistics.commands_refused >= 1, "{statistics:?}");
    }

    fn order(&mut self, order: Order) {
        self.push(Body::Commanded(Command { operator: OperatorName::parse("kim").unwrap(), order }));
    }
}

fn profile(n: u32) -> ProfileId {
    plain::profile(&format!("pro_{n}"))
}

fn account(connector: usize, merchant: u32) -> ConnectorAccount {
    plain::account(&format!("{}:mca_{merchant}", CONNECTORS[connector]))
}

/// A merchant's accounts, one at each connector.
fn accounts(merchant: u32) -> Vec<ConnectorAccount> {
    (0..4).map(|connector| account(connector, merchant)).collect()
}

fn fold(mut state: State, log: &[Entry]) -> State {
    let mut effects = Vec::new();
    for entry in log {
        apply(&mut state, entry, &mut effects);
    }
    state
}

#[test]
fn live_equals_rerun_equals_replay_equals_checkpoint_plus_rest_over_100_seeds() {
    for seed in 0..100 {
        let run = || {
            let mut market = Market::new(seed);
            market.adyen_down = seed % 2 == 0;
            market.run(12);
            // Every tenth runs on through an outage, its repair, and what an operator says to both.
            if seed % 10 == 0 {
                market.repaired_outage();
            }
            market
        };
        let (mut live, rerun) = (run(), run());
        let print = live.state.fingerprint();
        assert_eq!(print, rerun.state.fingerprint(), "seed {seed}: a rerun differs");
        assert_eq!(print, fold(State::new(), &live.log).fingerprint(), "seed {seed}: the replay differs");
        let cut = live.random(u32::try_from(live.log.len()).unwrap()) as usize;
        let half = fold(State::new(), &live.log[..cut]);
        let restored = State::restore(&half.checkpoint()).unwrap();
        assert_eq!(restored.fingerprint(), half.fingerprint(), "seed {seed}: a checkpoint at {cut} does not restore itself");
        assert_eq!(
            print,
            fold(restored, &live.log[cut..]).fingerprint(),
            "seed {seed}: checkpoint at {cut} and the rest differ"
        );
    }
}

#[test]
fn recorded_decisions_are_computed_again_exactly() {
    let mut market = Market::new(7);
    market.adyen_down = true;
    market.run(30);
    assert!(recomputed(&market.log).0.len() >= 600);
}

#[test]
fn the_bandit_leaves_a_failing_connector_and_the_breaker_opens() {
    let mut market = Market::new(3);
    market.run(60);
    market.adyen_down = true;
    market.run(20);
    let shown = snapshot(&market.state);
    let adyen = shown.connectors.iter().find(|c| c.name.as_str() == "adyen").unwrap();
    assert!(adyen.accounts.iter().any(|a| a.breaker_reason.as_deref().is_some_and(|r| r.contains("in a row"))), "{adyen:?}");
    let free = |decision: &Decision| market.state.view().priority(&decision.request.profile).is_none();
    let latest = market.log.iter().rev().filter_map(|e| if let Body::Decided(d) = &e.body { Some(d) } else { None });
    let latest: Vec<_> = latest.filter(|d| free(d)).take(100).collect();
    let on_adyen = latest.iter().filter(|d| d.chosen().account.connector() == "adyen").count();
    assert!(on_adyen <= 5, "{on_adyen} of 100 free payments still go to the failing connector");
}

/// An outage on a market with a baseline: the proposal that waits for a person.
fn outage() -> (Market, ActionId, u32) {
    let mut market = Market::new(11);
    market.run(120);
    market.adyen_down = true;
    market.run(25);
    let shown = snapshot(&market.state);
    let incident = shown.incidents.iter().find(|i| i.resolved_at.is_none()).expect("an incident is open");
    assert_eq!((incident.kind, incident.slice.as_str()), (AnomalyType::HighFailureRate, "connector adyen"));
    assert!(!incident.at_risk.is_empty() && incident.evidence.samples >= 20, "{incident:?}");
    let action = shown.actions.iter().find(|a| a.status == ActionStatus::Pending).expect("a repair is proposed");
    assert_eq!(action.blast.merchants.len(), 3, "{action:#?}");
    assert!(
        action.sentence.contains("3 pinned merchants")
            && !action.against.is_empty()
            && action.alternatives[0].starts_with("Do nothing")
    );
    (market, action.id, action.version)
}

#[test]
fn a_proposal_is_approved_executed_verified_and_undone() {
    let (mut market, action, version) = outage();
    market.order(Order::Approve { action, version });
    market.run(40);
    let row = |market: &Market| snapshot(&market.state).actions.into_iter().find(|a| a.id == action).unwrap();
    let done = row(&market);
    assert_eq!(done.status, ActionStatus::Succeeded, "{:#?}", done.history);
    assert!(done.recovery_time_ms.is_some() && done.undoable);
    assert_eq!(market.state.view().priority(&profile(0)).unwrap()[0].connector(), "stripe");
    market.order(Order::Undo { action, version: done.version });
    assert_eq!(row(&market).status, ActionStatus::RolledBack);
    assert_eq!(market.state.view().priority(&profile(0)).unwrap()[0].connector(), "adyen");
}

#[test]
fn an_override_says_that_it_was_overridden_and_approved() {
    let (mut market, action, version) = outage();
    let proposed = snapshot(&market.state).actions.into_iter().find(|row| row.id == action).unwrap().change;
    let Change::ReorderPriority { moves } = proposed else { panic!("{proposed:?}") };
    let change = Change::ReorderPriority { moves: moves.into_iter().take(1).collect() };
    market.order(Order::Override { action, version, change });
    let outcome = snapshot(&market.state).outcomes.last().cloned().unwrap();
    assert!(outcome.accepted, "{outcome:?}");
    assert!(outcome.text.starts_with(&format!("{action} overridden and approved by ")), "{outcome:?}");
}

#[test]
fn commands_on_what_was_not_shown_are_refused_with_the_reason() {
    let (mut market, action, version) = outage();
    let check = |market: &mut Market, order: Order, says: &str| {
        let before = market.state.view().priority(&profile(0)).map(<[_]>::to_vec);
        market.order(order);
        let outcome = snapshot(&market.state).outcomes.last().cloned().unwrap();
        assert!(!outcome.accepted && outcome.text.contains(says), "{outcome:?}");
        assert_eq!(before, market.state.view().priority(&profile(0)).map(<[_]>::to_vec));
    };
    check(&mut market, Order::Approve { action, version: version + 1 }, &format!("is at version {version}"));
    let of_another_kind = Change::Scale { from: 1, to: 2 };
    let says = "the override is `scale`, the action `reorder_priority`";
    check(&mut market, Order::Override { action, version, change: of_another_kind }, says);
    check(&mut market, Order::Approve { action: ActionId(999), version: 1 }, "not known");
    check(&mut market, Order::Undo { action, version }, "nothing to undo");
    market.order(Order::SetAutonomy { class: None, level: Autonomy::Suggest });
    check(&mut market, Order::Approve { action, version }, "suggest");
    market.order(Order::Reject { action, version, reason: "the provider called".into() });
    check(&mut market, Order::Approve { action, version }, "no longer pending");
    market.run(10);
    let again = snapshot(&market.state).actions.iter().filter(|a| a.status == ActionStatus::Pending).count();
    assert_eq!(again, 0, "what was turned down is not proposed again at once");
}

#[test]
fn a_repeated_event_changes_nothing_that_is_counted() {
    let mut market = Market::new(5);
    market.run(5);
    let payments: Vec<PaymentEvent> =
        market.log.iter().filter_map(|e| if let Body::Payment(p) = &e.body { Some((**p).clone()) } else { None }).collect();
    let before = snapshot(&market.state).statistics;
    for event in payments.iter().filter(|e| e.kind != EventKind::Started) {
        market.push(Body::Payment(Box::new(PaymentEvent { source: Source::Feedback, attempt: None, ..event.clone() })));
    }
    let after = snapshot(&market.state).statistics;
    assert_eq!((before.approved, before.failed, before.payments), (after.approved, after.failed, after.payments));
    assert_eq!(after.repeats - before.repeats, 100, "each of them is recognised");
}

/// The switch tells only decisions and outcomes, never a start; and whoever tells a start tells it once too often.
#[test]
fn a_payment_counts_towards_volume_once_however_it_is_told() {
    let check = |told: &[EventKind], decided: bool| {
        let mut market = Market::new(1);
        let request = plain::request(profile(4), "pay_v", vec![account(1, 4)]);
        let decision = decide(market.state.view(), &|_| 0, request, market.at).unwrap();
        if decided {
            market.push(Body::Decided(Arc::new(decision)));
        }
        for kind in told {
            let event = plain::event(profile(4), "pay_v", account(1, 4), *kind);
            market.push(Body::Payment(Box::new(PaymentEvent { attempt: None, occurred_at: market.at, ..event })));
        }
        market.at = market.at + Duration::from_secs(2);
        market.push(Body::Ticked);
        let volume = snapshot(&market.state).header.payments_per_s;
        assert!((volume - 0.1).abs() < 1e-9, "{told:?}: {volume} a second over ten seconds");
    };
    check(&[EventKind::Captured], true);
    check(&[EventKind::Started, EventKind::Started, EventKind::Captured], true);
    check(&[EventKind::Started, EventKind::Started], false);
    check(&[EventKind::Captured, EventKind::Captured, EventKind::Refunded], false);
}

/// A payment declined for want of authentication, be that told at once or after feedback without a code.
#[test]
fn a_payment_whose_issuer_wants_authentication_stays_on_its_account() {
    let check = |told: &[DeclineClass], eligible: &[usize], broken: bool, stays: bool| {
        let mut market = Market::new(7);
        market.run(5);
        let request = |attempt, eligible: &[usize]| Request {
            attempt,
            context: Context { method: Some(Method::Card), ..Context::default() },
            ..plain::request(profile(1), "pay_sca", eligible.iter().map(|c| account(*c, 1)).collect())
        };
        // The first attempt goes to the account that an operator, a breaker or the score may speak against later.
        let first = decide(market.state.view(), &|_| 0, request(1, &[1]), market.at).unwrap();
        market.push(Body::Decided(Arc::new(first)));
        for class in told {
            market.push(Body::Payment(Box::new(declined(&market, "pay_sca", *class))));
        }
        for n in 0..if broken { 6 } else { 0 } {
            market.push(Body::Payment(Box::new(declined(&market, &format!("pay_down_{n}"), DeclineClass::Gateway))));
        }
        let second = decide(market.state.view(), &|_| 0, request(2, eligible), market.at).unwrap();
        let stayed = second.approach == Approach::StepUp && second.chosen().account == account(1, 1);
        assert_eq!(stayed, stays, "{told:?} {eligible:?} broken: {broken}: {second:?}");
        if stays {
            assert!((second.propensity - 1.0).abs() < f64::EPSILON);
            assert!(second.candidates[1..].iter().all(|other| other.excluded == Some(Exclusion::StepUp)), "{second:?}");
        }
        let again = decide(market.state.view(), &|_| 0, request(1, &[0, 2]), market.at).unwrap();
        assert_ne!(again.approach, Approach::StepUp, "the first attempt has none before it");
    };
    let all: &[usize] = &[0, 1, 2, 3];
    check(&[DeclineClass::ScaRequired], all, false, true);
    check(&[DeclineClass::Unclassified, DeclineClass::ScaRequired], all, false, true);
    check(&[DeclineClass::ScaRequired], all, true, true);
    check(&[DeclineClass::Mixed], all, false, false);
    check(&[], all, false, false);
    check(&[DeclineClass::ScaRequired], &[0, 2], false, false);
}

/// The first attempt of a payment, failed at the second connector.
fn declined(market: &Market, payment: &str, class: DeclineClass) -> PaymentEvent {
    PaymentEvent {
        decline: Some(Decline { class, code: "65".into() }),
        attempts_made: Some(1),
        occurred_at: market.at,
        ..plain::event(profile(1), payment, account(1, 1), EventKind::Failed)
    }
}

#[test]
fn codes_that_no_table_knows_are_counted_by_connector() {
    let mut market = Market::new(8);
    for (n, class) in [DeclineClass::Unclassified, DeclineClass::Unclassified, DeclineClass::Mixed].into_iter().enumerate() {
        market.push(Body::Payment(Box::new(declined(&market, &format!("pay_{n}"), class))));
    }
    let mut without = declined(&market, "pay_none", DeclineClass::Unclassified);
    without.decline = Some(Decline { class: DeclineClass::Unclassified, code: Decline::NO_CODE.into() });
    market.push(Body::Payment(Box::new(without)));
    let analytics = snapshot(&market.state).analytics;
    let rows: Vec<_> =
        analytics.unknown_codes.iter().map(|row| (row.connector.as_str(), row.code.as_str(), row.attempts)).collect();
    assert_eq!(rows, [(CONNECTORS[1], "65", 2)]);
    let row = &analytics.connectors[0];
    assert_eq!((row.declined, row.technical), (4, 0), "what is not known is learnt as mixed: {row:?}");
}
