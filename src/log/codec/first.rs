//! Encoding 1: entries as the first release's logs hold them, read and, for their chain, written again.
//!
//! Only what has changed since has a shape of its own here; the rest is that of today. Whoever changes a part that is
//! shared keeps the old one here: the golden records of the first release say when.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CodecError;
use super::second::SecondSettings;
use crate::domain::{
    Act, Approach, Bin, Body, Candidate, Command, ConnectorAccount, Context, Country, Decision, Decline, EffectId,
    EffectResult, EventId, EventKind, Method, Money, Network, PaymentEvent, PaymentId, Position, ProfileId, Request,
    ResourceSample, Settings, Source, Time,
};

/// What happened, in the order of its variants then.
#[derive(Serialize, Deserialize)]
pub(super) enum FirstBody {
    EngineStarted { version: String, epoch: u64 },
    Configured(Box<SecondSettings>),
    Payment(Box<FirstEvent>),
    Decided(Box<FirstDecision>),
    Commanded(Command),
    Intended { id: EffectId, act: Act },
    Ended { id: EffectId, result: EffectResult },
    Sampled(ResourceSample),
    Ticked,
    MerchantConfigured { profile: ProfileId, priority: Vec<ConnectorAccount> },
    PeerRuleStored { profile: ProfileId, kind: String, rule: String },
    MerchantDeleted { profile: ProfileId },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct FirstContext {
    method: Option<Method>,
    network: Option<Network>,
    country: Option<Country>,
    bin: Option<Bin>,
    three_ds: Option<bool>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct FirstEvent {
    source: Source,
    event_id: Option<EventId>,
    profile: ProfileId,
    payment: PaymentId,
    attempt: Option<u16>,
    account: Option<ConnectorAccount>,
    kind: EventKind,
    decline: Option<Decline>,
    amount: Option<Money>,
    context: FirstContext,
    latency_ms: Option<u32>,
    attempts_made: Option<u16>,
    occurred_at: Time,
}

#[derive(Serialize, Deserialize)]
struct FirstRequest {
    profile: ProfileId,
    payment: PaymentId,
    attempt: u16,
    amount: Money,
    context: FirstContext,
    eligible: Vec<ConnectorAccount>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct FirstDecision {
    request: FirstRequest,
    view: Position,
    chosen: u16,
    approach: Approach,
    candidates: Vec<Candidate>,
    propensity: f64,
    confidence: f64,
}

impl From<FirstBody> for Body {
    fn from(first: FirstBody) -> Self {
        match first {
            FirstBody::EngineStarted { version, epoch } => Self::EngineStarted { version, epoch },
            FirstBody::Configured(settings) => Self::Configured(Settings::from(*settings).into()),
            FirstBody::Payment(event) => Self::Payment(Box::new((*event).into())),
            FirstBody::Decided(decision) => Self::Decided(Arc::new((*decision).into())),
            FirstBody::Commanded(command) => Self::Commanded(command),
            FirstBody::Intended { id, act } => Self::Intended { id, act },
            FirstBody::Ended { id, result } => Self::Ended { id, result },
            FirstBody::Sampled(sample) => Self::Sampled(sample),
            FirstBody::Ticked => Self::Ticked,
            FirstBody::MerchantConfigured { profile, priority } => Self::MerchantConfigured { profile, priority },
            FirstBody::PeerRuleStored { profile, kind, rule } => Self::PeerRuleStored { profile, kind, rule },
            FirstBody::MerchantDeleted { profile } => Self::MerchantDeleted { profile },
        }
    }
}

impl TryFrom<&Body> for FirstBody {
    type Error = CodecError;

    /// What encoding 1 had no place for in an entry is left out; an entry it did not know is an error.
    fn try_from(body: &Body) -> Result<Self, CodecError> {
        Ok(match body.clone() {
            Body::EngineStarted { version, epoch } => Self::EngineStarted { version, epoch },
            Body::Configured(settings) => Self::Configured(Box::new(Settings::clone(&settings).into())),
            Body::Payment(event) => Self::Payment(Box::new((*event).into())),
            Body::Decided(decision) => Self::Decided(Box::new(Arc::unwrap_or_clone(decision).into())),
            Body::Commanded(command) => Self::Commanded(command),
            Body::Intended { id, act } => Self::Intended { id, act },
            Body::Ended { id, result } => Self::Ended { id, result },
            Body::Sampled(sample) => Self::Sampled(sample),
            Body::Ticked => Self::Ticked,
            Body::MerchantConfigured { profile, priority } => Self::MerchantConfigured { profile, priority },
            Body::PeerRuleStored { profile, kind, rule } => Self::PeerRuleStored { profile, kind, rule },
            Body::MerchantDeleted { profile } => Self::MerchantDeleted { profile },
            Body::RuleCreated { .. }
            | Body::RuleUpdated { .. }
            | Body::RuleActivated { .. }
            | Body::RuleDeleted { .. }
            | Body::PaymentTold { .. }
            | Body::ScoresReset { .. }
            | Body::AttemptsFetched { .. }
            | Body::ModelPublished(_) => return Err(CodecError::Content("encoding 1 knows no such entry".to_owned())),
        })
    }
}

impl From<FirstContext> for Context {
    fn from(first: FirstContext) -> Self {
        let FirstContext { method, network, country, bin, three_ds } = first;
        Self { method, network, country, bin, three_ds, ..Self::default() }
    }
}

impl From<Context> for FirstContext {
    fn from(context: Context) -> Self {
        let Context { method, network, country, bin, three_ds, .. } = context;
        Self { method, network, country, bin, three_ds }
    }
}

/// One way or the other: the same fields, but for the context's.
macro_rules! same_but_for_its_context {
    ($($first:ident <=> $now:ident { $($field:ident),+ })+) => {$(
        impl From<$first> for $now {
            fn from(from: $first) -> Self {
                Self { context: from.context.into(), $($field: from.$field),+ }
            }
        }

        impl From<$now> for $first {
            fn from(from: $now) -> Self {
                Self { context: from.context.into(), $($field: from.$field),+ }
            }
        }
    )+};
}

same_but_for_its_context! {
    FirstEvent <=> PaymentEvent {
        source, event_id, profile, payment, attempt, account, kind, decline, amount, latency_ms, attempts_made, occurred_at
    }
    FirstRequest <=> Request { profile, payment, attempt, amount, eligible }
}

impl From<FirstDecision> for Decision {
    fn from(first: FirstDecision) -> Self {
        let FirstDecision { request, view, chosen, approach, candidates, propensity, confidence } = first;
        let request = request.into();
        Self { request, decided_at: None, view, chosen, approach, candidates, propensity, confidence, notes: Vec::new() }
    }
}

impl From<Decision> for FirstDecision {
    fn from(decision: Decision) -> Self {
        let Decision { request, view, chosen, approach, candidates, propensity, confidence, .. } = decision;
        Self { request: request.into(), view, chosen, approach, candidates, propensity, confidence }
    }
}
