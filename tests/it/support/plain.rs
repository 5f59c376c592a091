//! Plain values, of which a test changes what it is about.
#![allow(clippy::unwrap_used, reason = "literals that parse")]

use apos::domain::{
    ConnectorAccount, Context, Currency, Decline, DeclineClass, EventKind, Money, PaymentEvent, PaymentId, ProfileId, Request,
    Source, Time,
};

pub(crate) fn profile(id: &str) -> ProfileId {
    ProfileId::parse(id).unwrap()
}

pub(crate) fn payment(id: &str) -> PaymentId {
    PaymentId::parse(id).unwrap()
}

pub(crate) fn account(name: &str) -> ConnectorAccount {
    ConnectorAccount::parse(name).unwrap()
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::parse("EUR").unwrap())
}

/// The first attempt of a payment of EUR 10.00, of which nothing else is known.
pub(crate) fn request(profile: ProfileId, id: &str, eligible: Vec<ConnectorAccount>) -> Request {
    Request { profile, payment: payment(id), attempt: 1, amount: eur(1_000), context: Context::default(), eligible }
}

/// What the switch tells of the first attempt of a payment; a failure is the gateway's.
pub(crate) fn event(profile: ProfileId, id: &str, account: ConnectorAccount, kind: EventKind) -> PaymentEvent {
    PaymentEvent {
        source: Source::Feedback,
        event_id: None,
        profile,
        payment: payment(id),
        attempt: Some(1),
        account: Some(account),
        kind,
        decline: (kind == EventKind::Failed).then(|| Decline { class: DeclineClass::Gateway, code: "timeout".into() }),
        amount: None,
        context: Context::default(),
        latency_ms: None,
        attempts_made: None,
        occurred_at: Time::ZERO,
    }
}
