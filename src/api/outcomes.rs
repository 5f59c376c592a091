//! `POST /v1/outcomes`: what became of an attempt.
//!
//! | sent | meaning |
//! |---|---|
//! | the same outcome again | nothing new: it counts once |
//! | another terminal outcome of the same attempt | it contradicts; the first stands, and is counted in the statistics |
//! | one that occurred a minute ago or longer | late: it teaches, and says nothing about volume, silence or latency now |
//! | one that will occur | the sender's clock is ahead: it counts from now |
//! | one of a payment nothing was heard of | it counts for the account it names; the answer says so |
//!
//! The answer comes once the outcome is durable. Where the attempt's end is known when it comes, the answer's `known_end` tells
//! whether the outcome `repeated` it or `contradicts` it. Nothing is promised where that is missing: what was told in the last
//! moments, or to another replica, may not be folded here yet, and payments are forgotten some time after their end.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::reply::{self, Arrived};
use super::{Api, ApiError};
use crate::adapters::decline::{Codes, DeclineTables, Decliner};
use crate::adapters::json::{self, BadField};
use crate::domain::payment::LATE_AFTER;
use crate::domain::{
    ConnectorAccount, Context, Decline, DeclineClass, EventId, EventKind, PaymentEvent, PaymentId, Position, ProfileId, Role,
    Source, Time,
};
use crate::engine::KnownEnd;
use crate::runtime::Receipt;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    profile: ProfileId,
    payment: PaymentId,
    /// From 1; absent: the attempt on this account.
    attempt: Option<u16>,
    account: ConnectorAccount,
    status: EventKind,
    /// Whose fault a failure is; absent: not known.
    class: Option<DeclineClass>,
    /// The connector's own code of a failure; never a free text.
    code: Option<String>,
    /// The issuer's answer (ISO 8583, field 39: `05`, `51`, `1A`), read by the network and country that are known of the
    /// payment. Where it means anything it goes before `code`.
    issuer_code: Option<String>,
    latency_ms: Option<u32>,
    /// The sender's id of this outcome: a repeat of it changes nothing, whatever it says.
    event_id: Option<EventId>,
    /// RFC 3339; absent: now.
    occurred_at: Option<Time>,
}

#[derive(Serialize)]
struct Kept {
    /// `recorded`, `spooled` (the log does not take it now; it will be there once), or `repeated` (its id was seen).
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    /// Whether anything was heard of the payment before; missing while the log is folded after the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_known: Option<bool>,
    /// What it says of the attempt's end, where that is known and the outcome itself is no repeat of an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    known_end: Option<KnownEnd>,
    /// Whether it came so late that it teaches only.
    late: bool,
}

/// Takes an outcome in.
pub(super) async fn tell(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.require(&request, Role::Operator)?;
    let asked: Asked = json::read(&api.body(body)?)?;
    let now = api.handle.now();
    let payment_known = api.handle.knows(&asked.profile, &asked.payment);
    let context = api.handle.told(&asked.profile, &asked.payment);
    let event = asked.event(now, &context, &api.config.declines)?;
    let late = now.since(event.occurred_at) > LATE_AFTER;
    let known_end = api.handle.view().known_end(&event);
    let (status, position) = match api.handle.accept(vec![event]).await? {
        Receipt::Recorded(position) => ("recorded", Some(position)),
        Receipt::Spooled => ("spooled", None),
        Receipt::Repeated => ("repeated", None),
    };
    let known_end = known_end.filter(|_| status != "repeated");
    Ok(reply::ok(&Kept { status, position, payment_known, known_end, late }))
}

impl Asked {
    /// `context`: what is known of the payment.
    fn event(self, now: Time, context: &Context, tables: &DeclineTables) -> Result<PaymentEvent, BadField> {
        if self.attempt == Some(0) {
            return Err(BadField::new("attempt", "0 is no attempt: they count from 1"));
        }
        let reasons =
            [("class", self.class.is_some()), ("code", self.code.is_some()), ("issuer_code", self.issuer_code.is_some())];
        if let Some((field, _)) = reasons.iter().find(|(_, given)| *given && self.status != EventKind::Failed) {
            return Err(BadField::new(*field, "only what failed has one"));
        }
        let occurred_at = self.occurred_at.unwrap_or(now).min(now);
        if occurred_at < Time::ZERO {
            return Err(BadField::new("occurred_at", "it is before 1970"));
        }
        let decline = (self.status == EventKind::Failed).then(|| self.decline(context, tables));
        Ok(PaymentEvent {
            source: Source::Feedback,
            event_id: self.event_id,
            profile: self.profile,
            payment: self.payment,
            attempt: self.attempt,
            account: Some(self.account),
            kind: self.status,
            decline,
            amount: None,
            context: Context::default(),
            latency_ms: self.latency_ms,
            attempts_made: None,
            occurred_at,
        })
    }

    /// Its class as told, else as the codes say, the issuer's first, else not known.
    fn decline(&self, context: &Context, tables: &DeclineTables) -> Decline {
        let codes = Codes { issuer: self.issuer_code.as_deref(), connector: self.code.as_deref(), ..Codes::default() };
        let by_code = tables.decline(&codes, &Decliner::of(Some(self.account.connector()), context));
        Decline { class: self.class.unwrap_or(by_code.class), ..by_code }
    }
}
