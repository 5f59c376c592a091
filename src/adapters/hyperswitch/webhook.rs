//! Hyperswitch's outgoing webhooks: the signature, and the body as a payment event.

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::Sha512;

use crate::adapters::card as card_terms;
use crate::adapters::decline::{Codes, DeclineTables, Decliner};
use crate::adapters::json::{self, BadField};
use crate::domain::{
    Bin, ConnectorAccount, Context, Country, Currency, Decline, EventId, EventKind, Issuer, Method, Money, Network,
    PaymentEvent, PaymentId, ProfileId, Source, Time,
};

/// The header that carries the signature: hex of HMAC-SHA512 over the raw body.
pub const SIGNATURE_HEADER: &str = "x-webhook-signature-512";

/// Whether a body was signed with a key. The comparison takes the same time wherever the signatures differ.
#[must_use]
pub fn signed(key: &[u8], body: &[u8], signature: &str) -> bool {
    let Ok(claimed) = hex::decode(signature.trim()) else { return false };
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(key) else { return false };
    mac.update(body);
    mac.verify_slice(&claimed).is_ok()
}

/// What a webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Something that happened to a payment.
    Payment(Box<PaymentEvent>),
    /// Something this product has no use for (mandates, payouts, a dispute's later stages): acknowledged, not kept.
    Ignored {
        /// The sender's id of the event.
        event_id: EventId,
        /// The sender's word for what happened.
        event_type: String,
    },
}

impl Delivery {
    /// The sender's id of the event: a repeat of it changes nothing.
    #[must_use]
    pub const fn event_id(&self) -> Option<&EventId> {
        match self {
            Self::Payment(event) => event.event_id.as_ref(),
            Self::Ignored { event_id, .. } => Some(event_id),
        }
    }
}

/// Reads the body of a webhook that was sent for a profile. `now` stands in for a time the sender does not tell; `tables`
/// say what the codes of a failure mean.
///
/// # Errors
/// The first field that is missing, or is not what Hyperswitch sends there.
pub fn parse(profile: &ProfileId, body: &[u8], now: Time, tables: &DeclineTables) -> Result<Delivery, BadField> {
    let envelope: Envelope = json::read(body)?;
    let event = match envelope.content.kind.as_str() {
        "payment_details" => payment(&envelope, read_object(body)?, tables)?,
        "refund_details" => refund(read_object(body)?)?,
        "dispute_details" => dispute(read_object(body)?)?,
        _ => None,
    };
    let Some((told, event)) = event else {
        return Ok(Delivery::Ignored { event_id: envelope.event_id, event_type: envelope.event_type });
    };
    // A body of another profile than the address names is refused: its key was used for what is not its own.
    if let Some(told) = told.filter(|told| told != profile) {
        return Err(bad("profile_id", format!("`{told}` is not the profile of this address, `{profile}`")));
    }
    let occurred_at = event.occurred_at.or(envelope.timestamp).unwrap_or(now);
    Ok(Delivery::Payment(Box::new(event.of(profile, envelope.event_id, occurred_at))))
}

#[derive(Deserialize)]
struct Envelope {
    event_id: EventId,
    event_type: String,
    content: Content,
    timestamp: Option<Time>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "type")]
    kind: String,
}

/// The body again, with the object that its content type promises. Reading twice keeps the field's whole path in a
/// refusal, which serde's tagged enums lose.
fn read_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadField> {
    #[derive(Deserialize)]
    struct Body<T> {
        content: Inner<T>,
    }
    #[derive(Deserialize)]
    struct Inner<T> {
        object: T,
    }
    json::read::<Body<T>>(body).map(|body| body.content.object)
}

/// A payment, by the named fields of `PaymentsResponse` only: a webhook's `content.object`, or the answer to a question.
#[derive(Deserialize)]
pub(super) struct Payment {
    pub(super) payment_id: PaymentId,
    pub(super) profile_id: Option<ProfileId>,
    status: String,
    pub(super) amount: i64,
    pub(super) currency: Currency,
    pub(super) connector: Option<String>,
    pub(super) merchant_connector_id: Option<String>,
    payment_method: Option<String>,
    payment_method_type: Option<String>,
    payment_method_data: Option<MethodData>,
    authentication_type: Option<String>,
    next_action: Option<NextAction>,
    off_session: Option<bool>,
    mit_category: Option<String>,
    card_discovery: Option<String>,
    pub(super) error_code: Option<String>,
    unified_code: Option<String>,
    error_details: Option<ErrorDetails>,
    issuer_error_code: Option<String>,
    pub(super) attempt_count: Option<u16>,
    updated: Option<Time>,
    modified_at: Option<Time>,
}

#[derive(Deserialize)]
struct MethodData {
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    card_type: Option<String>,
    card_network: Option<String>,
    card_issuer: Option<String>,
    card_issuing_country: Option<String>,
    card_isin: Option<String>,
}

/// What the customer is to do next, by its kind.
#[derive(Deserialize)]
struct NextAction {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct ErrorDetails {
    unified_details: Option<UnifiedDetails>,
    issuer_details: Option<CodeOnly>,
    connector_details: Option<CodeOnly>,
}

#[derive(Deserialize)]
struct UnifiedDetails {
    category: Option<String>,
    standardised_code: Option<String>,
}

#[derive(Deserialize)]
struct CodeOnly {
    code: Option<String>,
}

/// `content.object` of a refund.
#[derive(Deserialize)]
struct Refund {
    payment_id: PaymentId,
    status: String,
    connector: Option<String>,
    merchant_connector_id: Option<String>,
    profile_id: Option<ProfileId>,
    updated_at: Option<Time>,
}

/// `content.object` of a dispute.
#[derive(Deserialize)]
struct Dispute {
    payment_id: PaymentId,
    dispute_status: String,
    connector: Option<String>,
    merchant_connector_id: Option<String>,
    profile_id: Option<ProfileId>,
}

/// An event, but for what the address and the envelope tell.
struct Told {
    payment: PaymentId,
    kind: EventKind,
    attempts_made: Option<u16>,
    account: Option<ConnectorAccount>,
    decline: Option<Decline>,
    amount: Option<Money>,
    context: Context,
    occurred_at: Option<Time>,
}

impl Told {
    fn of(self, profile: &ProfileId, event_id: EventId, occurred_at: Time) -> PaymentEvent {
        PaymentEvent {
            source: Source::Webhook,
            event_id: Some(event_id),
            profile: profile.clone(),
            payment: self.payment,
            attempt: self.attempts_made,
            account: self.account,
            kind: self.kind,
            decline: self.decline,
            amount: self.amount,
            context: self.context,
            latency_ms: None,
            attempts_made: self.attempts_made,
            occurred_at,
        }
    }
}

/// The profile an object says it is of, and its event; no event where it says nothing of an attempt.
type Read = Option<(Option<ProfileId>, Told)>;

/// The attempt it tells of is the last one made.
fn payment(envelope: &Envelope, object: Payment, tables: &DeclineTables) -> Result<Read, BadField> {
    let Some(kind) = kind_of(&object.status, &envelope.event_type) else { return Ok(None) };
    let kind =
        if kind == EventKind::ActionRequired && waits_for_3ds(&object) { EventKind::AuthenticationRequired } else { kind };
    let context = context(&object);
    let told = Told {
        kind,
        attempts_made: object.attempt_count.filter(|count| *count > 0),
        account: account(object.connector.as_deref(), object.merchant_connector_id.as_deref())?,
        decline: (kind == EventKind::Failed).then(|| decline(&object, &context, tables)),
        amount: Some(Money::of_payment(object.amount, object.currency).map_err(|problem| bad("amount", problem))?),
        context,
        occurred_at: object.updated.or(object.modified_at),
        payment: object.payment_id,
    };
    Ok(Some((object.profile_id, told)))
}

/// Only a refund that succeeded moved money. Its amount is not the payment's.
fn refund(object: Refund) -> Result<Read, BadField> {
    let account = account(object.connector.as_deref(), object.merchant_connector_id.as_deref())?;
    let told = after_payment(EventKind::Refunded, object.payment_id, account, object.updated_at);
    Ok((object.status == "succeeded").then_some((object.profile_id, told)))
}

/// Only the opening of a dispute is an event here; how it ends is no matter of routing.
fn dispute(object: Dispute) -> Result<Read, BadField> {
    let account = account(object.connector.as_deref(), object.merchant_connector_id.as_deref())?;
    let told = after_payment(EventKind::Disputed, object.payment_id, account, None);
    Ok((object.dispute_status == "dispute_opened").then_some((object.profile_id, told)))
}

/// Something that happened to a payment after its attempts.
fn after_payment(kind: EventKind, payment: PaymentId, account: Option<ConnectorAccount>, occurred_at: Option<Time>) -> Told {
    let context = Context::default();
    Told { payment, kind, attempts_made: None, account, decline: None, amount: None, context, occurred_at }
}

/// The intent's status tells most; a status of a later version falls back to the event's type.
fn kind_of(status: &str, event_type: &str) -> Option<EventKind> {
    match status {
        "succeeded" | "partially_captured" | "partially_captured_and_capturable" | "partially_captured_and_processing" => {
            Some(EventKind::Captured)
        }
        "requires_capture" | "partially_authorized_and_requires_capture" => Some(EventKind::Authorised),
        "failed" => Some(EventKind::Failed),
        "processing" => Some(EventKind::Processing),
        "requires_customer_action" | "requires_merchant_action" | "conflicted" | "review" => Some(EventKind::ActionRequired),
        "cancelled" | "expired" => Some(EventKind::Cancelled),
        "cancelled_post_capture" => Some(EventKind::Voided),
        _ => kind_of_type(event_type),
    }
}

/// Whether the customer's next action is 3DS: the switch says so, or it is a card's that is to be authenticated.
fn waits_for_3ds(object: &Payment) -> bool {
    let action = object.next_action.as_ref().and_then(|action| action.kind.as_deref());
    let card = object.payment_method.as_deref() == Some("card");
    action == Some("three_ds_invoke")
        || (object.status == "requires_customer_action" && card && object.authentication_type.as_deref() == Some("three_ds"))
}

fn kind_of_type(event_type: &str) -> Option<EventKind> {
    match event_type {
        "payment_succeeded" | "payment_captured" => Some(EventKind::Captured),
        "payment_authorized" => Some(EventKind::Authorised),
        "payment_failed" => Some(EventKind::Failed),
        "payment_processing" => Some(EventKind::Processing),
        "action_required" => Some(EventKind::ActionRequired),
        "payment_cancelled" | "payment_expired" => Some(EventKind::Cancelled),
        _ => None,
    }
}

pub(super) fn decline(object: &Payment, context: &Context, tables: &DeclineTables) -> Decline {
    let details = object.error_details.as_ref();
    let unified = details.and_then(|details| details.unified_details.as_ref());
    let issuer = details.and_then(|details| details.issuer_details.as_ref()?.code.as_deref());
    let connector = details.and_then(|details| details.connector_details.as_ref()?.code.as_deref());
    let codes = Codes {
        standardised: unified.and_then(|unified| unified.standardised_code.as_deref()),
        issuer: issuer.or(object.issuer_error_code.as_deref()),
        unified: object.unified_code.as_deref().or_else(|| unified?.category.as_deref()),
        connector: object.error_code.as_deref().or(connector),
    };
    tables.decline(&codes, &Decliner::of(object.connector.as_deref(), context))
}

/// What a card's data do not tell, or tell in words of their own, stays unknown.
pub(super) fn context(object: &Payment) -> Context {
    let card = object.payment_method_data.as_ref().and_then(|data| data.card.as_ref());
    Context {
        method: object.payment_method.as_deref().map(|word| Method::parse(word).unwrap_or(Method::Other)),
        network: card.and_then(|card| card.card_network.as_deref()).map(|word| Network::parse(word).unwrap_or(Network::Other)),
        country: card.and_then(|card| Country::parse(card.card_issuing_country.as_deref()?).ok()),
        bin: card.and_then(|card| Bin::parse(card.card_isin.as_deref()?).ok()),
        three_ds: object.authentication_type.as_deref().and_then(card_terms::three_ds),
        initiator: card_terms::initiator(object.off_session, object.mit_category.as_deref()),
        credential: card_terms::credential(object.card_discovery.as_deref(), object.payment_method_type.as_deref()),
        card_type: card_terms::card_type(
            card.and_then(|card| card.card_type.as_deref()),
            object.payment_method_type.as_deref(),
        ),
        issuer: card.and_then(|card| Issuer::parse(card.card_issuer.as_deref()?).ok()),
    }
}

fn account(connector: Option<&str>, reference: Option<&str>) -> Result<Option<ConnectorAccount>, BadField> {
    connector
        .map(|connector| ConnectorAccount::of(connector, reference).map_err(|problem| bad("connector", problem)))
        .transpose()
}

fn bad(name: &str, problem: String) -> BadField {
    BadField::new(format!("content.object.{name}"), problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CardType, Credential, DeclineClass, Initiator};

    fn parse(profile: &ProfileId, body: &[u8], now: Time) -> Result<Delivery, BadField> {
        super::parse(profile, body, now, &DeclineTables::built_in().unwrap())
    }

    const FAILED: &[u8] =
        include_bytes!("../../../tests/it/fixtures/hyperswitch/webhook.payment_failed.user_fault_insufficient_funds.body.json");

    fn profile() -> ProfileId {
        ProfileId::parse("pro_UfVajfSqskx9FjWfP5cP").unwrap()
    }

    #[test]
    fn reads_what_routing_needs() {
        let Delivery::Payment(event) = parse(&profile(), FAILED, Time::ZERO).unwrap() else { panic!("ignored") };
        assert_eq!(event.event_id.as_ref().unwrap().as_str(), "evt_019f3b8ed70e78728d5d949a2cde0001");
        assert_eq!(event.account.as_ref().unwrap().as_str(), "adyen:mca_TalfqFgCAtIdn1KQFRU1");
        assert_eq!((event.kind, event.attempt, event.attempts_made), (EventKind::Failed, Some(1), Some(1)));
        assert_eq!(event.amount.unwrap().to_string(), "USD 65.40");
        assert_eq!(event.decline.as_ref().unwrap().class, DeclineClass::User);
        let context = event.context;
        assert_eq!((context.method, context.network, context.three_ds), (Some(Method::Card), Some(Network::Visa), Some(false)));
        assert_eq!(context.bin.unwrap().number(), 411_111);
        assert_eq!((context.card_type, context.credential), (Some(CardType::Credit), Some(Credential::Pan)));
        assert_eq!((context.initiator, context.issuer), (None, None), "the switch does not tell");
        assert_eq!(event.occurred_at.to_string(), "2026-08-13T20:24:30.102Z");
        assert!(!format!("{event:?}").contains("Doe"));
    }

    #[test]
    fn who_asks_and_what_stands_for_the_card_are_read_where_the_switch_tells() {
        let check = |from: &str, to: &str, expected: &dyn Fn(Context) -> bool| {
            let body = String::from_utf8(FAILED.to_vec()).unwrap();
            assert!(body.contains(from), "{from}");
            let Delivery::Payment(event) = parse(&profile(), body.replacen(from, to, 1).as_bytes(), Time::ZERO).unwrap() else {
                panic!("ignored")
            };
            assert!(expected(event.context), "{to}: {:?}", event.context);
        };
        check(r#""off_session":null"#, r#""off_session":true"#, &|c| c.initiator == Some(Initiator::Merchant));
        check(r#""off_session":null"#, r#""off_session":false"#, &|c| c.initiator == Some(Initiator::Customer));
        check(r#""mit_category":null"#, r#""mit_category":"recurring""#, &|c| c.initiator == Some(Initiator::Merchant));
        check(r#""card_discovery":"manual""#, r#""card_discovery":"saved_card""#, &|c| {
            c.credential == Some(Credential::StoredCard)
        });
        check(r#""card_issuer":null"#, r#""card_issuer":"JP Morgan""#, &|c| {
            c.issuer.is_some_and(|i| i.as_str() == "JP MORGAN")
        });
        check(r#""card_issuer":null"#, r#""card_issuer":"4111111111111111""#, &|c| c.issuer.is_none());
    }

    #[test]
    fn a_customer_who_is_to_authenticate_is_told_from_one_who_is_to_do_something_else() {
        let check = |action: &str, authentication: &str, expected: EventKind| {
            let body = String::from_utf8(FAILED.to_vec()).unwrap();
            let body = body
                .replacen(r#""status":"failed""#, r#""status":"requires_customer_action""#, 1)
                .replacen(r#""next_action":null"#, &format!(r#""next_action":{action}"#), 1)
                .replacen(r#""authentication_type":"no_three_ds""#, &format!(r#""authentication_type":"{authentication}""#), 1);
            let Delivery::Payment(event) = parse(&profile(), body.as_bytes(), Time::ZERO).unwrap() else { panic!("ignored") };
            assert_eq!(event.kind, expected, "{action} {authentication}");
        };
        check(r#"{"type":"redirect_to_url","redirect_to_url":"https://x"}"#, "three_ds", EventKind::AuthenticationRequired);
        check(r#"{"type":"three_ds_invoke"}"#, "no_three_ds", EventKind::AuthenticationRequired);
        check(r#"{"type":"redirect_to_url","redirect_to_url":"https://x"}"#, "no_three_ds", EventKind::ActionRequired);
        check("null", "no_three_ds", EventKind::ActionRequired);
    }

    #[test]
    fn every_status_of_the_switch_has_a_meaning_or_none() {
        assert_eq!(kind_of("requires_capture", "payment_authorized"), Some(EventKind::Authorised));
        assert_eq!(kind_of("of_a_later_version", "payment_failed"), Some(EventKind::Failed));
        assert_eq!(kind_of("of_a_later_version", "payment_succeeded"), Some(EventKind::Captured));
        assert_eq!(kind_of("of_a_later_version", "of_a_later_version"), None);
    }

    #[test]
    fn a_refusal_names_the_field() {
        let check = |from: &str, to: &str, field: &str| {
            let body = String::from_utf8(FAILED.to_vec()).unwrap();
            assert!(body.contains(from), "{from}");
            let refused = parse(&profile(), body.replacen(from, to, 1).as_bytes(), Time::ZERO).unwrap_err();
            assert_eq!(refused.field, field, "{refused}");
        };
        check(r#""payment_id":"pay_6vacj5lnQX9BKSLeXYUy","#, "", "content.object.payment_id");
        check(r#""amount":6540"#, r#""amount":"6540""#, "content.object.amount");
        check(r#""currency":"USD""#, r#""currency":"XXZ""#, "content.object.currency");
        check("pro_UfVajfSqskx9FjWfP5cP", "pro_other", "content.object.profile_id");
        check(r#""updated":"2026-08-13T20:24:30.102Z""#, r#""updated":"today""#, "content.object.updated");
        check(r#""event_id":"evt_019f3b8ed70e78728d5d949a2cde0001","#, "", "event_id");
        check(r#""type":"payment_details","#, "", "content.type");
    }

    #[test]
    fn refunds_and_disputes_name_their_payment() {
        let body = |kind: &str, object: &str| {
            format!(
                r#"{{"event_id":"evt_1","event_type":"x","timestamp":"2026-08-13T20:24:30Z","content":{{"type":"{kind}","object":{object}}}}}"#
            )
        };
        let check = |kind, object, expected| {
            let delivery = parse(&profile(), body(kind, object).as_bytes(), Time::ZERO).unwrap();
            let found = if let Delivery::Payment(event) = delivery { Some(event.kind) } else { None };
            assert_eq!(found, expected, "{kind} {object}");
        };
        check(
            "refund_details",
            r#"{"payment_id":"pay_1","status":"succeeded","connector":"adyen"}"#,
            Some(EventKind::Refunded),
        );
        check("refund_details", r#"{"payment_id":"pay_1","status":"pending"}"#, None);
        check("dispute_details", r#"{"payment_id":"pay_1","dispute_status":"dispute_opened"}"#, Some(EventKind::Disputed));
        check("mandate_details", "{}", None);
    }

    #[test]
    fn a_signature_is_that_of_the_exact_bytes() {
        let headers: serde_json::Value = serde_json::from_slice(include_bytes!(
            "../../../tests/it/fixtures/hyperswitch/webhook.payment_failed.user_fault_insufficient_funds.headers.json"
        ))
        .unwrap();
        let (key, signature) =
            (headers["hash_key"].as_str().unwrap(), headers["headers"]["X-Webhook-Signature-512"].as_str().unwrap());
        assert!(signed(key.as_bytes(), FAILED, signature));
        assert!(signed(key.as_bytes(), FAILED, &signature.to_uppercase()));
        assert!(!signed(key.as_bytes(), &FAILED[1..], signature));
        assert!(!signed(b"another", FAILED, signature));
        assert!(!signed(key.as_bytes(), FAILED, "") && !signed(key.as_bytes(), FAILED, "zz"));
    }
}
