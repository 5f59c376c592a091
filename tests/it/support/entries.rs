//! Entries for tests: plausible, complete, and different for different numbers.
#![allow(clippy::unwrap_used, reason = "literals that parse")]

use std::sync::Arc;

use apos::domain::change::ArmState;
use apos::domain::decision::{Cost, LatencyStep, Weighed};
use apos::domain::model::{Cell, Metrics, Shares, Table, Window};
use apos::domain::rule::{Algorithm, Case, Condition, Output, Program, RuleText, Split, Statement, Value};
use apos::domain::settings::{Connector, Merchant, Routing};
use apos::domain::{
    Act, ActionId, Approach, Autonomy, Bin, Body, Candidate, CardType, Change, Command, Comparison, ConnectorName, Context,
    Country, Credential, Decision, Decline, DeclineClass, EffectId, EffectResult, EventId, EventKind, Exclusion, FetchEnd,
    Initiator, Issuer, Method, Model, Money, Network, Note, OperatorName, Order, PaymentEvent, Position, PriorityMove,
    ProfileId, Purpose, Request, ResourceSample, RuleId, Settings, Source, Step, Time,
};

use super::plain::{self, account};

/// The merchant of them all.
pub(crate) fn profile() -> ProfileId {
    plain::profile("pro_1")
}

pub(crate) fn at(record: u64, index: u32) -> Position {
    Position { record, index }
}

fn context() -> Context {
    Context {
        method: Some(Method::Card),
        network: Some(Network::Visa),
        country: Country::parse("DE").ok(),
        bin: Bin::parse("424242").ok(),
        three_ds: Some(true),
        initiator: Some(Initiator::Merchant),
        credential: Some(Credential::NetworkToken),
        card_type: Some(CardType::Debit),
        issuer: Issuer::parse("Example Bank").ok(),
    }
}

fn amount() -> Money {
    plain::eur(6_540)
}

/// A failed attempt; every field is set.
pub(crate) fn payment(number: u64) -> PaymentEvent {
    PaymentEvent {
        source: Source::Webhook,
        event_id: EventId::parse(&format!("evt_{number}")).ok(),
        profile: profile(),
        payment: plain::payment(&format!("pay_{number}")),
        attempt: Some(2),
        account: Some(account("stripe:mca_1")),
        kind: EventKind::Failed,
        decline: Some(Decline { class: DeclineClass::Gateway, code: "timeout".into() }),
        amount: Some(amount()),
        context: context(),
        latency_ms: Some(412),
        attempts_made: Some(2),
        occurred_at: Time::from_secs(1_786_652_670),
    }
}

/// A decision between two accounts, the second one excluded.
pub(crate) fn decision(number: u64) -> Decision {
    let candidate = |name, excluded| Candidate {
        account: account(name),
        excluded,
        expected: 0.91,
        spread: 0.25,
        bonus: 0.125,
        pending: 3,
        evidence: 812.5,
        folded: None,
    };
    Decision {
        request: Request {
            profile: profile(),
            payment: plain::payment(&format!("pay_{number}")),
            attempt: 1,
            amount: amount(),
            context: context(),
            eligible: vec![account("stripe:mca_1"), account("adyen:mca_2")],
        },
        decided_at: Some(Time::from_secs(1_786_652_669)),
        view: at(41, 7),
        chosen: 0,
        approach: Approach::Bandit,
        candidates: vec![candidate("stripe:mca_1", None), candidate("adyen:mca_2", Some(Exclusion::BreakerOpen))],
        propensity: 0.99,
        confidence: 0.875,
        notes: Vec::new(),
    }
}

fn reorder() -> Change {
    let (first, second) = (account("stripe:mca_1"), account("adyen:mca_2"));
    let moves =
        vec![PriorityMove { profile: profile(), before: vec![first.clone(), second.clone()], after: vec![second, first] }];
    Change::ReorderPriority { moves }
}

fn orders() -> Vec<Order> {
    let (action, version) = (ActionId(9), 2);
    vec![
        Order::Approve { action, version },
        Order::Reject { action, version, reason: "maintenance window".into() },
        Order::Override { action, version, change: Change::ExcludeAccount { account: account("adyen:mca_2") } },
        Order::Undo { action, version },
        Order::SetAutonomy { class: None, level: Autonomy::Veto },
    ]
}

/// The settings as they were by default when the golden records were written.
fn settings() -> Settings {
    Settings { routing: Routing { exploration: 0.8, ..Routing::default() }, ..Settings::default() }
}

/// What the alphabet can tell since encoding 3 was first kept.
pub(crate) fn later_bodies() -> Vec<Body> {
    let stripe = Connector {
        methods: vec![Method::Card],
        currencies: vec![amount().currency],
        fee_minor: 25,
        fee_percent: 1.4,
        ..Connector::default()
    };
    let merchant =
        Merchant { name: "Kaffee & Kuchen".to_owned(), priority: vec![account("adyen:mca_2")], ..Merchant::default() };
    let settings = Settings {
        connectors: [(ConnectorName::parse("stripe").unwrap(), stripe)].into(),
        merchants: [(profile(), merchant)].into(),
        ..settings()
    };
    let skip = Order::Skip { position: at(40, 1), reason: "written by a faulty build".into() };
    let step_up = Decision { approach: Approach::StepUp, ..decision(2) };
    let ada = |order| Body::Commanded(Command { operator: OperatorName::parse("ada").unwrap(), order });
    let mut noted = Decision { approach: Approach::Static, ..decision(2) };
    noted.candidates[1].excluded = Some(Exclusion::Unproven);
    noted.notes = vec![
        Note::KillSwitch,
        Note::Shadow { engine: 1 },
        Note::Dial { percent: 25, engine: false },
        Note::Conservative,
        Note::Ruling { rule: RuleId(at(9, 1)), in_order: false, order: vec![1, 0] },
        Note::Experiment { experiment: "less".into(), arm: "control".into(), bucket: 9_999 },
        Note::Promoted { experiment: "less".into(), arm: "control".into() },
    ];
    let modelled = Note::Model { version: 3, weight: 0.75, steps: [12, -12].into_iter().collect() };
    vec![
        Body::Configured(settings.into()),
        Body::Decided(Arc::new(step_up)),
        ada(skip),
        Body::Decided(Arc::new(valued())),
        Body::Decided(Arc::new(noted)),
        ada(Order::SetAdoption { profile: Some(profile()), dial: Some(25), shadow: Some(true) }),
        ada(Order::SetKillSwitch { pulled: true, reason: "wrong figures".into() }),
        Body::Intended {
            id: EffectId { position: at(9, 1), number: 1 },
            act: Act {
                action: ActionId(9),
                step: Step::Execute,
                change: Change::SetArm {
                    experiment: "less".into(),
                    arm: "control".into(),
                    from: ArmState::Running,
                    to: ArmState::Stopped,
                },
            },
        },
        Body::ModelPublished(Box::new(model())),
        Body::Decided(Arc::new(Decision { notes: vec![modelled], ..decision(3) })),
        ada(Order::Reopen { action: ActionId(9), version: 3 }),
    ]
}

/// What asking the switch for hidden attempts brought to the alphabet after [`later_bodies`] was kept: what it told, and how
/// asking ended, in every way.
pub(crate) fn fetched_bodies() -> Vec<Body> {
    let fetched = |number, end| Body::AttemptsFetched { profile: profile(), payment: payment(number).payment, made: 3, end };
    let told = PaymentEvent { source: Source::Fetch, event_id: None, ..payment(1) };
    vec![
        Body::Payment(Box::new(told)),
        fetched(1, FetchEnd::Told),
        fetched(2, FetchEnd::NotFound),
        fetched(3, FetchEnd::GivenUp),
    ]
}

/// Decisions as they are written since they tell what the view counted in flight: as they are rounded, and as they are not.
pub(crate) fn counted_bodies() -> Vec<Body> {
    let counted = |mut decision: Decision, expected| {
        for one in &mut decision.candidates {
            (one.expected, one.folded) = (expected, Some(300));
        }
        Body::Decided(Arc::new(decision))
    };
    let rule = RuleId(at(9, 1));
    let mut ruled = valued();
    ruled.candidates[1].excluded = Some(Exclusion::Rule(rule));
    ruled.notes.push(Note::Ruling { rule, in_order: false, order: vec![0] });
    vec![counted(decision(4), 0.75), counted(valued(), 0.75), counted(ruled, 0.75), counted(valued(), 0.91)]
}

/// A decision by expected value, with an account kept out for each reason that came with it.
fn valued() -> Decision {
    let reasons =
        [Exclusion::Network, Exclusion::Country, Exclusion::Amount, Exclusion::ThreeDs, Exclusion::Maintenance].map(Some);
    let mut valued = decision(3);
    for (number, excluded) in reasons.into_iter().enumerate() {
        let account = account(&format!("psp{number}:mca_{number}"));
        valued.candidates.push(Candidate { account: account.clone(), excluded, ..valued.candidates[1].clone() });
        valued.request.eligible.push(account);
    }
    let cost = |number| Cost { fee: 25.5, latency: LatencyStep::of_log_ms(f64::from(number)) };
    valued.notes = vec![Note::Objective(Weighed {
        margin_percent: 20.0,
        cost_weight: 1.5,
        latency_percent_per_s: 0.25,
        by_success: 1,
        costs: (0..7).map(cost).collect(),
    })];
    valued
}

/// A model of one kind of payment and two connectors.
pub(crate) fn model() -> Model {
    let table = Table {
        connectors: ["adyen", "stripe"].map(|name| ConnectorName::parse(name).unwrap()).to_vec(),
        cells: vec![Cell::of(&context(), Some(amount()))],
        steps: vec![-12, 12],
    };
    let (blob, hash) = table.blob().unwrap();
    let (from, to) = (Time::from_secs(1_786_600_000), Time::from_secs(1_786_652_000));
    Model {
        version: 3,
        hash,
        algorithm: "random_forest".into(),
        window: Window { from, to, outcomes: 50_000 },
        features: vec!["connector".into(), "connector × amount".into()],
        metrics: Metrics { tested: 10_000, brier: 0.0791, brier_without: 0.0803, changed: 0.0004 },
        shares: vec![Shares { feature: "method".into(), values: vec![("card".into(), 0.75), ("wallet".into(), 0.25)] }],
        blob,
    }
}

/// What merchants' routing rules brought to the alphabet after [`every_body`] was kept.
pub(crate) fn routing_bodies() -> Vec<Body> {
    let (condition, network) =
        (|key: &str, comparison, value| Condition { key: key.into(), comparison, value, notes: String::new() }, "card_network");
    let conditions = vec![
        condition("amount", Comparison::GreaterThan, Value::Number(1_000)),
        condition("amount", Comparison::Equal, Value::Numbers(vec![5, 7])),
        condition("amount", Comparison::Equal, Value::Ranges(vec![(Comparison::LessThanEqual, 9)])),
        condition(network, Comparison::NotEqual, Value::Word("Visa".into())),
        condition(network, Comparison::Equal, Value::Words(vec!["Visa".into()])),
        condition("business_label", Comparison::Equal, Value::Text("shop".into())),
        condition("metadata", Comparison::Equal, Value::Metadata("tier".into(), "gold".into())),
        Condition { notes: "{\"note\":1}".to_owned(), ..condition(network, Comparison::Equal, Value::Global("set".into())) },
    ];
    let (stripe, adyen) = (account("stripe:mca_1"), account("adyen:mca_2"));
    let nested = vec![Statement { conditions: Vec::new(), nested: Vec::new() }];
    let case = Case {
        name: "case".into(),
        output: Output::VolumeSplitPriority(vec![Split { percent: 100, output: vec![stripe.clone(), adyen.clone()] }]),
        statements: vec![Statement { conditions, nested }],
    };
    let program = Program {
        globals: vec![("set".into(), vec![Value::Word("JCB".into())])],
        default: Output::VolumeSplit(vec![
            Split { percent: 30, output: stripe.clone() },
            Split { percent: 70, output: adyen.clone() },
        ]),
        cases: vec![case],
        notes: String::new(),
    };
    let text = |algorithm| Box::new(RuleText { name: "rule".to_owned(), description: String::new(), algorithm, bytes: 412 });
    let id = RuleId(at(9, 1));
    let mut ruled = decision(2);
    ruled.approach = Approach::Rule(id);
    ruled.candidates[1].excluded = Some(Exclusion::Rule(id));
    let fixed = |output| text(Algorithm::Fixed(output));
    vec![
        Body::RuleCreated { profile: profile(), purpose: Purpose::Payment, text: text(Algorithm::Advanced(program)) },
        Body::RuleCreated { profile: profile(), purpose: Purpose::Payout, text: fixed(Output::Single(stripe.clone())) },
        Body::RuleUpdated { profile: profile(), id, text: fixed(Output::Priority(vec![stripe, adyen])) },
        Body::RuleActivated { profile: profile(), id, active: true },
        Body::RuleDeleted { profile: profile(), id },
        Body::PaymentTold { profile: profile(), payment: payment(1).payment, context: context(), amount: Some(amount()) },
        Body::ScoresReset { profile: profile() },
        Body::Decided(Arc::new(ruled)),
    ]
}

/// Every variant of [`Body`] of the first release, and of what it is made of.
pub(crate) fn every_body() -> Vec<Body> {
    let id = EffectId { position: at(9, 1), number: 1 };
    let act = |change| Act { action: ActionId(9), step: Step::Execute, change };
    let operator = OperatorName::parse("maria").unwrap();
    let mut bodies = vec![
        Body::EngineStarted { version: "0.1.0".to_owned(), epoch: 3 },
        Body::Configured(settings().into()),
        Body::Payment(Box::new(payment(1))),
        Body::Decided(Arc::new(decision(1))),
        Body::Intended { id, act: act(reorder()) },
        Body::Intended { id, act: act(Change::RestoreAccount { account: account("adyen:mca_2") }) },
        Body::Intended { id, act: Act { step: Step::RollBack, ..act(Change::Scale { from: 2, to: 3 }) } },
        Body::Ended { id, result: EffectResult::Done },
        Body::Ended { id, result: EffectResult::Refused { reason: "the list changed".to_owned() } },
        Body::Sampled(ResourceSample { cpu_percent: 41.5, memory_percent: 60.25, queue_depth: 7, instances: 2 }),
        Body::Ticked,
        Body::MerchantConfigured { profile: profile(), priority: vec![account("stripe:mca_1")] },
        Body::PeerRuleStored { profile: profile(), kind: "successRate".to_owned(), rule: "{}".to_owned() },
        Body::MerchantDeleted { profile: profile() },
    ];
    bodies.extend(orders().into_iter().map(|order| Body::Commanded(Command { operator: operator.clone(), order })));
    bodies
}

/// The same, as far as the first release could tell it.
pub(crate) fn of_the_first_release() -> Vec<Body> {
    let told = |Context { method, network, country, bin, three_ds, .. }: Context| Context {
        method,
        network,
        country,
        bin,
        three_ds,
        ..Context::default()
    };
    let mut bodies = every_body();
    for body in &mut bodies {
        match body {
            Body::Payment(event) => event.context = told(event.context),
            Body::Decided(decision) => {
                let decision = Arc::make_mut(decision);
                decision.request.context = told(decision.request.context);
                decision.decided_at = None;
            }
            _ => {}
        }
    }
    bodies
}
