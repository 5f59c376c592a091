//! Values for unit tests: plain ones, of which a test changes what it is about.

use super::{
    Approach, Bin, Candidate, ConnectorAccount, Context, Country, Currency, Decision, Decline, DeclineClass, EventKind, Method,
    Money, Network, PaymentEvent, PaymentId, Position, ProfileId, Request, Source, Time,
};

pub(crate) fn profile() -> ProfileId {
    ProfileId::parse("pro_1").unwrap()
}

pub(crate) fn payment(id: &str) -> PaymentId {
    PaymentId::parse(id).unwrap()
}

pub(crate) fn account(name: &str) -> ConnectorAccount {
    ConnectorAccount::parse(name).unwrap()
}

/// `connector0:mca_0` and so on.
pub(crate) fn numbered(number: usize) -> ConnectorAccount {
    account(&format!("connector{number}:mca_{number}"))
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::parse("EUR").unwrap())
}

/// The first attempt of `pay_1` of EUR 65.40, which may go to these accounts.
pub(crate) fn request(eligible: &[&str]) -> Request {
    Request {
        profile: profile(),
        payment: payment("pay_1"),
        attempt: 1,
        amount: eur(6_540),
        context: Context::default(),
        eligible: eligible.iter().map(|name| account(name)).collect(),
    }
}

/// An account that may be chosen, and what is expected of it.
pub(crate) fn candidate(name: &str, expected: f64) -> Candidate {
    Candidate {
        account: account(name),
        excluded: None,
        expected,
        spread: 0.1,
        bonus: 0.0,
        pending: 0,
        evidence: 100.0,
        folded: None,
    }
}

/// The choice of the first of these for the [`request`].
pub(crate) fn decision(candidates: Vec<Candidate>) -> Decision {
    let eligible = candidates.iter().map(|candidate| candidate.account.clone()).collect();
    Decision {
        request: Request { eligible, ..request(&[]) },
        decided_at: None,
        view: Position::default(),
        chosen: 0,
        approach: Approach::Bandit,
        candidates,
        propensity: 1.0,
        confidence: 1.0,
        notes: Vec::new(),
    }
}

/// A decision among so many [`numbered`] accounts that has something to tell of each and of the payment; the candidates are
/// in the order opposite to the request's.
pub(crate) fn explained(candidates: usize) -> Decision {
    let candidate = |number: usize| Candidate {
        bonus: 0.125,
        pending: 3,
        spread: 0.25,
        evidence: 812.5,
        folded: Some(40),
        ..candidate(numbered(number).as_str(), 0.910_156_25)
    };
    let context = Context {
        method: Some(Method::Card),
        network: Some(Network::Visa),
        country: Country::parse("DE").ok(),
        bin: Bin::parse("424242").ok(),
        ..Context::default()
    };
    Decision {
        request: Request { context, eligible: (0..candidates).map(numbered).collect(), ..request(&[]) },
        decided_at: Some(Time::from_secs(1_786_652_670)),
        view: Position { record: 1_000_000_000, index: 7 },
        propensity: 0.99,
        confidence: 0.875,
        ..decision((0..candidates).rev().map(candidate).collect())
    }
}

/// What a webhook tells of `pay_1`, and of no attempt in particular; a failure is the gateway's.
pub(crate) fn event(kind: EventKind) -> PaymentEvent {
    PaymentEvent {
        source: Source::Webhook,
        event_id: None,
        profile: profile(),
        payment: payment("pay_1"),
        attempt: None,
        account: None,
        kind,
        decline: (kind == EventKind::Failed).then(|| Decline { class: DeclineClass::Gateway, code: "timeout".into() }),
        amount: None,
        context: Context::default(),
        latency_ms: None,
        attempts_made: None,
        occurred_at: Time::ZERO,
    }
}
