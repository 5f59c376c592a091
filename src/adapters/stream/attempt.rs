//! Hyperswitch's payment attempt event (Kafka topic `hyperswitch-payment-attempt-events`), carried by the stream.
//!
//! Only the fields below are read. An update of an attempt is sent twice, as the old row (`sign_flag` −1) and as the
//! new one; the old row says nothing.

use compact_str::CompactString;
use serde::Deserialize;
use serde_json::Value;

use super::{Malformed, entry_time, identifier, money, payment_id, required, text, whole};
use crate::adapters::card as card_terms;
use crate::adapters::decline::{Codes, DeclineTables, Decliner};
use crate::domain::{
    Bin, ConnectorAccount, Context, Country, Decline, EventId, EventKind, Issuer, Method, Network, PaymentEvent, PaymentId,
    ProfileId, Source, Time,
};

/// The fields that are read, each any JSON so that it can be refused by its name.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Attempt {
    payment_id: Value,
    attempt_id: Value,
    profile_id: Value,
    merchant_id: Value,
    status: Value,
    amount: Value,
    currency: Value,
    connector: Value,
    merchant_connector_id: Value,
    payment_method: Value,
    payment_method_type: Value,
    payment_method_data: Value,
    card_network: Value,
    card_discovery: Value,
    authentication_type: Value,
    created_at: Value,
    modified_at: Value,
    error_code: Value,
    unified_code: Value,
    sign_flag: Value,
}

pub(super) fn parse(id: &str, attempt: &Attempt, tables: &DeclineTables) -> Result<Option<PaymentEvent>, Malformed> {
    if attempt.sign_flag.as_i64() == Some(-1) {
        return Ok(None);
    }
    let payment = payment_id("payment_id", &attempt.payment_id)?;
    let attempt_id = required("attempt_id", text("attempt_id", &attempt.attempt_id)?)?;
    let status = required("status", text("status", &attempt.status)?)?;
    let kind = kind(status).ok_or(Malformed::Invalid { field: "status", expected: "an attempt status of Hyperswitch" })?;
    let profile = if attempt.profile_id.is_null() {
        identifier("merchant_id", &attempt.merchant_id, ProfileId::parse)?
    } else {
        identifier("profile_id", &attempt.profile_id, ProfileId::parse)?
    };
    let context = context(attempt)?;
    Ok(Some(PaymentEvent {
        source: Source::Stream,
        event_id: Some(event_id(id, attempt_id, status, &attempt.modified_at)?),
        profile: required("profile_id", profile)?,
        attempt: number(&payment, attempt_id),
        payment,
        account: account(attempt)?,
        kind,
        decline: (kind == EventKind::Failed).then(|| decline(attempt, &context, tables)),
        amount: money(&attempt.amount, &attempt.currency)?,
        context,
        latency_ms: None,
        attempts_made: None,
        occurred_at: occurred_at(id, attempt)?,
    }))
}

/// What an attempt status of Hyperswitch says happened. A failed capture or void leaves the authorisation standing: the
/// attempt itself had been approved.
#[must_use]
pub fn kind(status: &str) -> Option<EventKind> {
    let lower = status.to_ascii_lowercase();
    Some(match lower.as_str() {
        "started" => EventKind::Started,
        "authentication_pending" => EventKind::AuthenticationRequired,
        "device_data_collection_pending" => EventKind::AuthenticationStarted,
        "authentication_successful" => EventKind::AuthenticationSucceeded,
        "payment_method_awaited" | "confirmation_awaited" | "unresolved" => EventKind::ActionRequired,
        "authorizing" | "pending" => EventKind::Processing,
        "authorized"
        | "partially_authorized"
        | "cod_initiated"
        | "capture_initiated"
        | "capture_failed"
        | "void_initiated"
        | "void_failed" => EventKind::Authorised,
        "charged" | "partial_charged" | "partial_charged_and_chargeable" => EventKind::Captured,
        "failure" | "authorization_failed" | "authentication_failed" | "router_declined" | "integrity_failure" => {
            EventKind::Failed
        }
        "voided" | "voided_post_charge" => EventKind::Voided,
        "auto_refunded" => EventKind::Refunded,
        "expired" => EventKind::Cancelled,
        _ => return None,
    })
}

/// The topic tells the connector's code and the unified one, and no issuer's.
fn decline(attempt: &Attempt, context: &Context, tables: &DeclineTables) -> Decline {
    let (connector, unified) = (attempt.error_code.as_str(), attempt.unified_code.as_str());
    let codes = Codes { unified, connector, ..Codes::default() };
    tables.decline(&codes, &Decliner::of(attempt.connector.as_str(), context))
}

/// The topic carries no event id: the attempt, its status and the second it changed are one.
fn event_id(id: &str, attempt_id: &str, status: &str, modified_at: &Value) -> Result<EventId, Malformed> {
    match whole::<i64>("modified_at", modified_at)? {
        Some(modified_at) => EventId::parse(&format!("{attempt_id}:{status}:{modified_at}"))
            .map_err(|_| Malformed::Invalid { field: "attempt_id", expected: "at most 64 visible characters" }),
        None => super::entry_id(id),
    }
}

/// The attempt's number: what follows the payment id in the attempt id (`pay_x_2`).
#[must_use]
pub fn number(payment: &PaymentId, attempt_id: &str) -> Option<u16> {
    attempt_id.strip_prefix(payment.as_str())?.strip_prefix('_')?.parse().ok().filter(|number| *number > 0)
}

fn account(attempt: &Attempt) -> Result<Option<ConnectorAccount>, Malformed> {
    let Some(connector) = text("connector", &attempt.connector)? else { return Ok(None) };
    let reference = text("merchant_connector_id", &attempt.merchant_connector_id)?;
    ConnectorAccount::of(connector, reference)
        .map(Some)
        .map_err(|_| Malformed::Invalid { field: "connector", expected: "a connector's name without white space" })
}

fn context(attempt: &Attempt) -> Result<Context, Malformed> {
    let card = card(attempt);
    let network = text("card_network", &attempt.card_network)?.or(card.card_network.as_deref());
    let method_type = text("payment_method_type", &attempt.payment_method_type)?;
    Ok(Context {
        method: text("payment_method", &attempt.payment_method)?.map(|word| Method::parse(word).unwrap_or(Method::Other)),
        network: network.map(|word| Network::parse(word).unwrap_or(Network::Other)),
        country: card.card_issuing_country.and_then(|code| Country::parse(&code).ok()),
        bin: card.card_isin.and_then(|digits| Bin::parse(&digits).ok()),
        three_ds: text("authentication_type", &attempt.authentication_type)?.and_then(card_terms::three_ds),
        // The topic does not say who asks.
        initiator: None,
        credential: card_terms::credential(text("card_discovery", &attempt.card_discovery)?, method_type),
        card_type: card_terms::card_type(card.card_type.as_deref(), method_type),
        issuer: card.card_issuer.and_then(|name| Issuer::parse(&name).ok()),
    })
}

#[derive(Deserialize, Default)]
struct MethodData {
    #[serde(default)]
    card: Card,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Card {
    card_isin: Option<CompactString>,
    card_network: Option<CompactString>,
    card_issuing_country: Option<CompactString>,
    card_type: Option<CompactString>,
    card_issuer: Option<CompactString>,
}

/// The card's own data, out of JSON within JSON. What cannot be read there is unknown: methods other
/// than cards have other contents.
fn card(attempt: &Attempt) -> Card {
    let data = match &attempt.payment_method_data {
        Value::String(json) => serde_json::from_str::<MethodData>(json).ok(),
        object => MethodData::deserialize(object).ok(),
    };
    data.unwrap_or_default().card
}

/// Hyperswitch writes seconds since the epoch here.
fn occurred_at(id: &str, attempt: &Attempt) -> Result<Time, Malformed> {
    let modified = whole("modified_at", &attempt.modified_at)?;
    let seconds = if modified.is_some() { modified } else { whole("created_at", &attempt.created_at)? };
    Ok(seconds.map_or_else(|| entry_time(id), Time::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::DeclineClass;

    fn parse(id: &str, event: &[u8]) -> Result<Option<PaymentEvent>, Malformed> {
        super::super::parse(id, event, &DeclineTables::built_in().unwrap())
    }

    const EVENT: &str = r#"{"payment_id":"pay_6v","merchant_id":"merchant_1","attempt_id":"pay_6v_2","status":"failure","amount":6540,
        "currency":"USD","connector":"adyen","error_message":"Acquirer error","payment_method":"card","authentication_type":"no_three_ds",
        "created_at":1786652668,"modified_at":1786652670,"error_code":"4","unified_code":"UE_3000","merchant_connector_id":"mca_T",
        "payment_method_data":"{\"card\":{\"last4\":\"1111\",\"card_isin\":\"411111\",\"card_network\":\"Visa\"}}",
        "profile_id":"pro_U","card_network":"Visa","sign_flag":1}"#;

    #[test]
    fn an_attempt_event_is_read() {
        let read = parse("1-0", EVENT.as_bytes()).unwrap().unwrap();
        assert_eq!((read.profile.as_str(), read.payment.as_str(), read.attempt), ("pro_U", "pay_6v", Some(2)));
        assert_eq!(read.account.unwrap().as_str(), "adyen:mca_T");
        assert_eq!((read.kind, read.occurred_at), (EventKind::Failed, Time::from_secs(1_786_652_670)));
        let decline = read.decline.unwrap();
        assert_eq!((decline.class, decline.code.as_str()), (DeclineClass::Gateway, "4"));
        assert_eq!(read.context.bin.unwrap().number(), 411_111);
        assert_eq!((read.context.network, read.context.three_ds), (Some(Network::Visa), Some(false)));
        assert_eq!(read.event_id.unwrap().as_str(), "pay_6v_2:failure:1786652670");
    }

    #[test]
    fn the_old_row_of_an_update_says_nothing() {
        let old = EVENT.replace(r#""sign_flag":1"#, r#""sign_flag":-1"#);
        assert_eq!(parse("1-0", old.as_bytes()), Ok(None));
    }

    #[test]
    fn statuses_mean_what_the_switch_means() {
        let check = |status, success| assert_eq!(kind(status).unwrap().success(), success, "{status}");
        check("CHARGED", Some(true));
        check("capture_failed", Some(true));
        check("authorization_failed", Some(false));
        check("pending", None);
        check("authentication_pending", None);
        check("authentication_failed", Some(false));
        assert_eq!(kind("authentication_successful"), Some(EventKind::AuthenticationSucceeded));
        assert_eq!(kind("teleported"), None);
    }
}
