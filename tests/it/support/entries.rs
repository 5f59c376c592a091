//! Entries for tests: plausible, complete, and different for different numbers.
#![allow(clippy::unwrap_used, reason = "literals that parse")]

use std::sync::Arc;

use apos::domain::settings::Routing;
use apos::domain::{
    Act, ActionId, Approach, Autonomy, Bin, Body, Candidate, CardType, Change, Command, ConnectorAccount, Context, Country,
    Credential, Currency, Decision, Decline, DeclineClass, EffectId, EffectResult, EventId, EventKind, Exclusion, Initiator,
    Issuer, Method, Money, Network, OperatorName, Order, PaymentEvent, PaymentId, Position, PriorityMove, ProfileId, Request,
    ResourceSample, Settings, Source, Step, Time,
};

pub(crate) fn account(text: &str) -> ConnectorAccount {
    ConnectorAccount::parse(text).unwrap()
}

pub(crate) fn profile() -> ProfileId {
    ProfileId::parse("pro_1").unwrap()
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
    Money::new(6540, Currency::parse("EUR").unwrap())
}

/// A failed attempt; every field is set.
pub(crate) fn payment(number: u64) -> PaymentEvent {
    PaymentEvent {
        source: Source::Webhook,
        event_id: EventId::parse(&format!("evt_{number}")).ok(),
        profile: profile(),
        payment: PaymentId::parse(&format!("pay_{number}")).unwrap(),
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
    };
    Decision {
        request: Request {
            profile: profile(),
            payment: PaymentId::parse(&format!("pay_{number}")).unwrap(),
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

/// Every variant of [`Body`], and of what it is made of.
pub(crate) fn every_body() -> Vec<Body> {
    let id = EffectId { position: at(9, 1), number: 1 };
    let act = |change| Act { action: ActionId(9), step: Step::Execute, change };
    let operator = OperatorName::parse("maria").unwrap();
    let mut bodies = vec![
        Body::EngineStarted { version: "0.1.0".to_owned(), epoch: 3 },
        Body::Configured(Arc::new(settings())),
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
