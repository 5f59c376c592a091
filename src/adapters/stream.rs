//! The Redis Stream of payment events: what an entry looks like, and how it becomes a [`PaymentEvent`].
//!
//! An entry has one field, `event`, that holds one JSON object of one of two shapes. Fields with other names are
//! ignored and never stored, so that personal data stays out even where a sender adds it.
//!
//! **Our own**, with the names of [`PaymentEvent`]:
//!
//! ```json
//! {"event_id": "evt_1", "profile": "pro_1", "payment": "pay_1", "attempt": 1, "account": "stripe:mca_1",
//!  "kind": "failed", "decline": {"class": "gateway", "code": "905"}, "amount": 6540, "currency": "EUR",
//!  "method": "card", "network": "Visa", "country": "DE", "bin": "411111", "three_ds": false,
//!  "initiator": "customer", "credential": "pan", "card_type": "debit", "issuer": "Example Bank",
//!  "latency_ms": 812, "attempts_made": 1, "occurred_at": "2026-08-13T20:24:30.250Z"}
//! ```
//!
//! | field | | meaning |
//! |---|---|---|
//! | `profile`, `payment`, `kind` | required | the merchant, the payment, and a word of [`EventKind`] |
//! | `event_id` | | the sender's id: a repeat of it changes nothing. Absent: the entry's own id |
//! | `attempt` | | the attempt's number, from 1 |
//! | `account` | | `connector:merchant_connector_id`, or the connector alone |
//! | `decline` | on `failed` | `class`: `gateway`, `mixed`, `user`, `sca_required`, `data_error`, `unclassified`; absent: what is known of the connector's code; `code`: at most 40 visible characters |
//! | `amount`, `currency` | both or none | minor units, 0 to 10¹⁴; ISO 4217 |
//! | `method`, `network` | | by Hyperswitch's names; an unknown word counts as `other` |
//! | `country`, `bin` | | ISO 3166-1 alpha-2; six to eight digits |
//! | `initiator`, `credential`, `card_type` | | words of [`Initiator`], [`Credential`] and [`CardType`] |
//! | `issuer` | | the bank's name; at most 31 letters of it are kept |
//! | `latency_ms`, `attempts_made` | | whole numbers |
//! | `occurred_at` | | RFC 3339. Absent: the time in the entry's id |
//!
//! **Hyperswitch's** payment attempt event, as its Kafka topic `hyperswitch-payment-attempt-events` carries it,
//! recognised by its `attempt_id`; see [`attempt`].

pub mod attempt;

use compact_str::CompactString;
use serde::Deserialize;
use serde_json::Value;

use super::decline::{Codes, DeclineTables, Decliner};
use crate::domain::{
    Bin, CardType, ConnectorAccount, Context, Country, Credential, Currency, Decline, DeclineClass, EventId, EventKind,
    Initiator, Issuer, Method, Money, Network, PaymentEvent, PaymentId, ProfileId, Source, Time,
};

/// The field of an entry that holds the event.
pub const FIELD: &str = "event";

/// Largest event accepted, in bytes: thirty times Hyperswitch's. Larger ones are not what this stream is for.
pub const EVENT_MAX: usize = 64 * 1024;

/// Why an entry is no payment event. Never quotes what was found: it could be personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No field `event`, or not text.
    #[error("the entry has no field `event` with text in it")]
    NoEvent,
    /// Longer than [`EVENT_MAX`].
    #[error("`event` has {0} bytes; at most {EVENT_MAX} are allowed")]
    TooLong(usize),
    /// Not a JSON object.
    #[error("`event` is not a JSON object (line {line}, column {column})")]
    NotJson {
        /// Where reading stopped, from 1.
        line: usize,
        /// Where reading stopped, from 1.
        column: usize,
    },
    /// A required field is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field holds something else.
    #[error("`{field}` must be {expected}")]
    Invalid {
        /// The field's name.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

/// Reads the `event` of the entry `id` (`1526919030474-55`); `tables` say what the codes of a failure mean. `None` for a
/// well-formed event that says nothing new (the old row of an update).
///
/// # Errors
/// [`Malformed`], naming the field; nothing of its content.
pub fn parse(id: &str, event: &[u8], tables: &DeclineTables) -> Result<Option<PaymentEvent>, Malformed> {
    if event.len() > EVENT_MAX {
        return Err(Malformed::TooLong(event.len()));
    }
    let shape: Shape = read(event)?;
    if !shape.attempt_id.is_null() {
        return attempt::parse(id, &read(event)?, tables);
    }
    own(id, &read(event)?, tables).map(Some)
}

fn read<'de, T: Deserialize<'de>>(event: &'de [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(event).map_err(|error| Malformed::NotJson { line: error.line(), column: error.column() })
}

/// What tells the two shapes apart.
#[derive(Deserialize)]
struct Shape {
    #[serde(default)]
    attempt_id: Value,
}

/// Our own shape. Every field is any JSON, so that each can be refused by its name.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Own {
    event_id: Value,
    profile: Value,
    payment: Value,
    attempt: Value,
    account: Value,
    kind: Value,
    decline: Value,
    amount: Value,
    currency: Value,
    method: Value,
    network: Value,
    country: Value,
    bin: Value,
    three_ds: Value,
    initiator: Value,
    credential: Value,
    card_type: Value,
    issuer: Value,
    latency_ms: Value,
    attempts_made: Value,
    occurred_at: Value,
}

fn own(id: &str, own: &Own, tables: &DeclineTables) -> Result<PaymentEvent, Malformed> {
    let kind = required("kind", text("kind", &own.kind)?)?;
    let kind = EventKind::parse(kind).ok_or(Malformed::Invalid { field: "kind", expected: EventKind::WORDS })?;
    let account = identifier("account", &own.account, ConnectorAccount::parse)?;
    let context = context(own)?;
    let decliner = Decliner::of(account.as_ref().map(ConnectorAccount::connector), &context);
    let decline = decline(kind, &own.decline, &decliner, tables)?;
    Ok(PaymentEvent {
        source: Source::Stream,
        event_id: Some(identifier("event_id", &own.event_id, EventId::parse)?.map_or_else(|| entry_id(id), Ok)?),
        profile: required("profile", identifier("profile", &own.profile, ProfileId::parse)?)?,
        payment: payment_id("payment", &own.payment)?,
        attempt: whole("attempt", &own.attempt)?,
        account,
        kind,
        decline,
        amount: money(&own.amount, &own.currency)?,
        context,
        latency_ms: whole("latency_ms", &own.latency_ms)?,
        attempts_made: whole("attempts_made", &own.attempts_made)?,
        occurred_at: occurred_at(id, &own.occurred_at)?,
    })
}

fn context(own: &Own) -> Result<Context, Malformed> {
    let country = text("country", &own.country)?.map(Country::parse).transpose();
    let bin = text("bin", &own.bin)?.map(Bin::parse).transpose();
    Ok(Context {
        method: text("method", &own.method)?.map(|word| Method::parse(word).unwrap_or(Method::Other)),
        network: text("network", &own.network)?.map(|word| Network::parse(word).unwrap_or(Network::Other)),
        country: country.map_err(|_| Malformed::Invalid { field: "country", expected: "a two-letter country code" })?,
        bin: bin.map_err(|_| Malformed::Invalid { field: "bin", expected: "six to eight digits" })?,
        three_ds: match &own.three_ds {
            Value::Null => None,
            Value::Bool(asked) => Some(*asked),
            _ => return Err(Malformed::Invalid { field: "three_ds", expected: "true or false" }),
        },
        initiator: word("initiator", &own.initiator, Initiator::parse, Initiator::WORDS)?,
        credential: word("credential", &own.credential, Credential::parse, Credential::WORDS)?,
        card_type: word("card_type", &own.card_type, CardType::parse, CardType::WORDS)?,
        issuer: word("issuer", &own.issuer, |name| Issuer::parse(name).ok(), "a bank's name, no card number")?,
    })
}

/// A word of a vocabulary.
fn word<T>(
    field: &'static str,
    value: &Value,
    parse: impl Fn(&str) -> Option<T>,
    expected: &'static str,
) -> Result<Option<T>, Malformed> {
    text(field, value)?.map(|word| parse(word).ok_or(Malformed::Invalid { field, expected })).transpose()
}

/// A failure always has a decline, be it an unclassified one; nothing else has one. A sender that tells the class knows
/// best; else the connector's table may know its code.
fn decline(
    kind: EventKind,
    value: &Value,
    decliner: &Decliner<'_>,
    tables: &DeclineTables,
) -> Result<Option<Decline>, Malformed> {
    if kind != EventKind::Failed {
        return Ok(None);
    }
    if !(value.is_null() || value.is_object()) {
        return Err(Malformed::Invalid { field: "decline", expected: "an object with `class` and `code`" });
    }
    let invalid = |field, expected| Malformed::Invalid { field, expected };
    let class = text("decline.class", &value["class"])?
        .map(|word| DeclineClass::parse(word).ok_or(invalid("decline.class", DeclineClass::WORDS)))
        .transpose()?;
    let code = text("decline.code", &value["code"])?;
    if code.is_some_and(|code| !super::decline::fit(code)) {
        return Err(invalid("decline.code", "at most 40 visible ASCII characters, no card number"));
    }
    let told = tables.decline(&Codes { connector: code, ..Codes::default() }, decliner);
    Ok(Some(match class {
        None => told,
        Some(class) => Decline { class, code: CompactString::from(code.unwrap_or(Decline::NO_CODE)) },
    }))
}

fn money(amount: &Value, currency: &Value) -> Result<Option<Money>, Malformed> {
    let currency = match text("currency", currency)? {
        None if amount.is_null() => return Ok(None),
        None => return Err(Malformed::Missing("currency")),
        Some(code) => Currency::parse(code)
            .map_err(|_| Malformed::Invalid { field: "currency", expected: "an ISO 4217 code such as EUR" })?,
    };
    let minor = required("amount", whole::<i64>("amount", amount)?)?;
    let expected = "minor units, 0 to 10^14";
    Money::of_payment(minor, currency).map(Some).map_err(|_| Malformed::Invalid { field: "amount", expected })
}

fn occurred_at(id: &str, value: &Value) -> Result<Time, Malformed> {
    match text("occurred_at", value)? {
        None => Ok(entry_time(id)),
        Some(text) => Time::parse_rfc3339(text).map_err(|_| Malformed::Invalid {
            field: "occurred_at",
            expected: "an RFC 3339 time such as 2026-08-13T20:24:30Z",
        }),
    }
}

/// The time Redis put into an entry's id; the epoch for an id made up by its sender.
fn entry_time(id: &str) -> Time {
    Time::from_millis(id.split('-').next().and_then(|millis| millis.parse().ok()).unwrap_or(0))
}

/// The identity of an event whose sender gave it none: its place in the stream, which a second delivery repeats.
fn entry_id(id: &str) -> Result<EventId, Malformed> {
    EventId::parse(&format!("entry:{id}")).map_err(|_| Malformed::Missing("event_id"))
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Malformed> {
    value.ok_or(Malformed::Missing(field))
}

fn text<'v>(field: &'static str, value: &'v Value) -> Result<Option<&'v str>, Malformed> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(Malformed::Invalid { field, expected: "text" }),
    }
}

fn identifier<T>(field: &'static str, value: &Value, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>, Malformed> {
    let expected = "1 to 128 visible characters without white space, no card number and no e-mail address";
    text(field, value)?.map(|text| parse(text).map_err(|_| Malformed::Invalid { field, expected })).transpose()
}

/// A payment's id, which is kept and shown: no number of a card and no address of a person.
fn payment_id(field: &'static str, value: &Value) -> Result<PaymentId, Malformed> {
    let expected =
        "the payment's own id: 1 to 128 visible characters without white space, no card number and no e-mail address";
    let text = required(field, text(field, value)?)?;
    PaymentId::parse(text).map_err(|_| Malformed::Invalid { field, expected })
}

fn whole<T: TryFrom<i64>>(field: &'static str, value: &Value) -> Result<Option<T>, Malformed> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_i64().and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or(Malformed::Invalid { field, expected: "a whole number in range" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(id: &str, event: &[u8]) -> Result<Option<PaymentEvent>, Malformed> {
        super::parse(id, event, &DeclineTables::built_in().unwrap())
    }

    const ID: &str = "1786652670250-3";

    fn event(json: &str) -> PaymentEvent {
        parse(ID, json.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn the_documented_event_is_read_whole() {
        let read = event(
            r#"{"event_id":"evt_1","profile":"pro_1","payment":"pay_1","attempt":1,"account":"stripe:mca_1","kind":"failed",
                "decline":{"class":"gateway","code":"905"},"amount":6540,"currency":"EUR","method":"card","network":"Visa",
                "country":"DE","bin":"411111","three_ds":false,"latency_ms":812,"attempts_made":2,"initiator":"merchant",
                "credential":"network_token","card_type":"debit","issuer":"Example Bank",
                "occurred_at":"2026-08-13T20:24:30.250Z","email":"ada@example.org"}"#,
        );
        let decline = read.decline.unwrap();
        assert_eq!((decline.class, decline.code.as_str()), (DeclineClass::Gateway, "905"));
        assert_eq!(read.amount.unwrap().to_string(), "EUR 65.40");
        assert_eq!((read.attempt, read.latency_ms, read.attempts_made), (Some(1), Some(812), Some(2)));
        assert_eq!(read.context.bin.unwrap().number(), 411_111);
        assert_eq!((read.context.initiator, read.context.card_type), (Some(Initiator::Merchant), Some(CardType::Debit)));
        assert_eq!(read.context.credential, Some(Credential::NetworkToken));
        assert_eq!(read.context.issuer.unwrap().as_str(), "EXAMPLE BANK");
        assert_eq!(read.occurred_at.millis(), 1_786_652_670_250);
    }

    #[test]
    fn what_is_left_out_is_unknown_or_comes_from_the_entry() {
        let read = event(r#"{"profile":"pro_1","payment":"pay_1","kind":"failed","method":"barter"}"#);
        assert_eq!(read.event_id.unwrap().as_str(), "entry:1786652670250-3");
        assert_eq!(read.occurred_at, Time::from_millis(1_786_652_670_250));
        assert_eq!(read.decline.unwrap().class, DeclineClass::Unclassified);
        assert_eq!((read.context.method, read.account, read.amount), (Some(Method::Other), None, None));
        let read = event(
            r#"{"profile":"pro_1","payment":"pay_1","kind":"failed","account":"checkout:mca_1","decline":{"code":"20154"}}"#,
        );
        assert_eq!(read.decline.unwrap().class, DeclineClass::ScaRequired);
    }

    #[test]
    fn a_malformed_event_is_refused_by_field_and_never_quoted() {
        let check = |json: &str, said: &str| {
            let refused = parse(ID, json.as_bytes()).unwrap_err().to_string();
            let quoted = refused.contains("SECRET") || refused.contains("1111");
            assert!(refused.contains(said) && !quoted, "{json}: {refused}");
        };
        check("SECRET", "not a JSON object");
        check(r#""SECRET""#, "not a JSON object");
        check("[]", "missing");
        check(r#"{"payment":"pay_1","kind":"started"}"#, "`profile` is missing");
        check(r#"{"profile":"pro_1","payment":"SECRET name","kind":"started"}"#, "`payment` must be");
        check(r#"{"profile":"pro_1","payment":"4111111111111111","kind":"started"}"#, "no card number");
        check(r#"{"profile":"pro_1","payment":"SECRET@example.org","kind":"started"}"#, "no e-mail address");
        check(r#"{"payment_id":"4111-1111-1111-1111","attempt_id":"a_1"}"#, "`payment_id` must be the payment's own id");
        check(r#"{"profile":"pro_1","payment":"p","kind":"SECRET"}"#, "`kind` must be");
        check(r#"{"profile":"pro_1","payment":"p","kind":"started","amount":1}"#, "`currency` is missing");
        check(r#"{"profile":"pro_1","payment":"p","kind":"started","amount":-1,"currency":"EUR"}"#, "`amount` must be");
        check(
            r#"{"profile":"pro_1","payment":"p","kind":"started","amount":9223372036854775807,"currency":"EUR"}"#,
            "0 to 10^14",
        );
        check(r#"{"profile":"pro_1","payment":"p","kind":"started","amount":1.5,"currency":"EUR"}"#, "`amount` must be");
        check(r#"{"profile":"pro_1","payment":"p","kind":"started","currency":"SECRET"}"#, "`currency` must be");
        check(r#"{"profile":"pro_1","payment":"p","kind":"started","bin":"SECRET4111111111111111"}"#, "`bin` must be");
        check(r#"{"profile":"pro_1","payment":"p","kind":"started","attempt":-1}"#, "`attempt` must be");
        check(r#"{"profile":"pro_1","payment":"p","kind":"started","initiator":"SECRET"}"#, "`initiator` must be");
        check(r#"{"profile":"pro_1","payment":"p","kind":"started","issuer":"SECRET 4111111111111111"}"#, "`issuer` must be");
        for class in DeclineClass::ALL {
            check(
                r#"{"profile":"pro_1","payment":"p","kind":"failed","decline":{"class":"SECRET"}}"#,
                &format!("`{}`", class.as_str()),
            );
        }
        check(r#"{"profile":"pro_1","payment":"p","kind":"failed","decline":{"code":"SECRET was here"}}"#, "`decline.code`");
        check(&format!(r#"{{"profile":"{}"}}"#, "x".repeat(EVENT_MAX)), "bytes");
    }
}
