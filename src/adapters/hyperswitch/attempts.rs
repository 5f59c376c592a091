//! The attempts of one payment, as `GET /payments/{id}?expand_attempts=true` lists them, as payment events.
//!
//! The answer is the payment as a webhook carries it, with a list of its attempts. An attempt in it tells its number,
//! status, connector and codes, but not its account: that stays the connector's bare name here, unless it is the payment's
//! latest, whose account the payment tells.

use serde::Deserialize;

use super::webhook::{self, Payment};
use crate::adapters::card as card_terms;
use crate::adapters::decline::{Codes, DeclineTables, Decliner};
use crate::adapters::json::{self, BadField};
use crate::adapters::stream::attempt::{kind, number};
use crate::domain::{
    ConnectorAccount, Context, Decline, EventId, EventKind, Money, PaymentEvent, PaymentId, ProfileId, Source, Time,
};

/// Most attempts read of one payment: as many as the engine remembers.
const MAX_ATTEMPTS: usize = 64;

#[derive(Deserialize)]
struct Listed {
    attempts: Vec<Attempt>,
}

/// `PaymentAttemptResponse`, by its named fields only.
#[derive(Deserialize)]
struct Attempt {
    attempt_id: String,
    status: String,
    connector: Option<String>,
    /// Not told by the versions known; one that does is believed.
    merchant_connector_id: Option<String>,
    authentication_type: Option<String>,
    error_code: Option<String>,
    unified_code: Option<String>,
    modified_at: Time,
}

/// What all attempts of a payment have in common.
struct Common<'a> {
    profile: &'a ProfileId,
    payment: &'a Payment,
    made: u16,
    amount: Money,
    context: Context,
    tables: &'a DeclineTables,
}

/// Reads the switch's answer about a payment. An attempt of a status that this version has no name for is left out, and
/// stays unseen.
///
/// # Errors
/// The first field that is missing, is not what Hyperswitch sends there, or is of another payment. Its problem may repeat a
/// value of the body: it is not to be logged.
pub fn parse(
    (profile, asked): (&ProfileId, &PaymentId),
    body: &[u8],
    tables: &DeclineTables,
) -> Result<Vec<PaymentEvent>, BadField> {
    let payment: Payment = json::read(body)?;
    let Listed { attempts } = json::read(body)?;
    if payment.payment_id != *asked {
        return Err(BadField::new("payment_id", "another payment was asked for"));
    }
    if payment.profile_id.as_ref().is_some_and(|told| told != profile) {
        return Err(BadField::new("profile_id", "the payment is not of the profile that was asked for"));
    }
    if attempts.len() > MAX_ATTEMPTS {
        return Err(BadField::new("attempts", format!("more than {MAX_ATTEMPTS}")));
    }
    let listed = u16::try_from(attempts.len()).unwrap_or(u16::MAX);
    let common = Common {
        profile,
        made: payment.attempt_count.unwrap_or(0).max(listed),
        amount: Money::of_payment(payment.amount, payment.currency).map_err(|problem| BadField::new("amount", problem))?,
        context: webhook::context(&payment),
        tables,
        payment: &payment,
    };
    let mut events = Vec::with_capacity(attempts.len());
    for (index, attempt) in attempts.iter().enumerate() {
        let refused = |(field, problem): (&str, String)| BadField::new(format!("attempts[{index}].{field}"), problem);
        events.extend(common.event(attempt).map_err(refused)?);
    }
    events.sort_by_key(|event| event.attempt);
    Ok(events)
}

impl Common<'_> {
    fn event(&self, attempt: &Attempt) -> Result<Option<PaymentEvent>, (&'static str, String)> {
        let Some(kind) = kind(&attempt.status) else { return Ok(None) };
        let number = number(&self.payment.payment_id, &attempt.attempt_id);
        let latest = number == Some(self.made);
        let three_ds = attempt.authentication_type.as_deref().and_then(card_terms::three_ds).or(self.context.three_ds);
        let context = Context { three_ds, ..self.context };
        let id = format!("{}:{}:{}", attempt.attempt_id, attempt.status, attempt.modified_at.secs());
        Ok(Some(PaymentEvent {
            source: Source::Fetch,
            event_id: Some(EventId::parse(&id).map_err(|problem| ("attempt_id", problem))?),
            profile: self.profile.clone(),
            payment: self.payment.payment_id.clone(),
            attempt: number,
            account: self.account(attempt, latest).map_err(|problem| ("connector", problem))?,
            kind,
            decline: (kind == EventKind::Failed).then(|| self.decline(attempt, &context, latest)),
            amount: Some(self.amount),
            context,
            latency_ms: None,
            attempts_made: Some(self.made),
            occurred_at: attempt.modified_at,
        }))
    }

    fn account(&self, attempt: &Attempt, latest: bool) -> Result<Option<ConnectorAccount>, String> {
        let Some(connector) = attempt.connector.as_deref() else { return Ok(None) };
        let of_payment = self.payment.merchant_connector_id.as_deref();
        let of_payment = of_payment.filter(|_| latest && self.payment.connector.as_deref() == Some(connector));
        ConnectorAccount::of(connector, attempt.merchant_connector_id.as_deref().or(of_payment)).map(Some)
    }

    /// Of the latest attempt the payment tells more codes than the list does.
    fn decline(&self, attempt: &Attempt, context: &Context, latest: bool) -> Decline {
        if latest && self.payment.error_code == attempt.error_code {
            return webhook::decline(self.payment, context, self.tables);
        }
        let (unified, connector) = (attempt.unified_code.as_deref(), attempt.error_code.as_deref());
        let codes = Codes { unified, connector, ..Codes::default() };
        self.tables.decline(&codes, &Decliner::of(attempt.connector.as_deref(), context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DeclineClass, Network};
    use serde_json::{Value, json};

    const ANSWER: &[u8] = include_bytes!("../../../tests/it/fixtures/hyperswitch/payment.expand_attempts.json");

    fn read(body: &[u8]) -> Result<Vec<PaymentEvent>, BadField> {
        let (profile, payment) = ("pro_UfVajfSqskx9FjWfP5cP", "pay_6vacj5lnQX9BKSLeXYUy");
        let asked = (&ProfileId::parse(profile).unwrap(), &PaymentId::parse(payment).unwrap());
        parse(asked, body, &DeclineTables::built_in().unwrap())
    }

    #[test]
    fn every_attempt_is_an_event_of_its_own() {
        let events = read(ANSWER).unwrap();
        let told: Vec<_> = events.iter().map(|e| (e.attempt, e.account.as_ref().unwrap().as_str(), e.kind)).collect();
        assert_eq!(
            told,
            [
                (Some(1), "adyen", EventKind::Failed),
                (Some(2), "checkout", EventKind::Failed),
                (Some(3), "stripe:mca_Xs7hFGhWq2Hb", EventKind::Captured),
            ]
        );
        let class = |index: usize| events[index].decline.as_ref().map(|decline| (decline.class, decline.code.as_str()));
        assert_eq!(class(0), Some((DeclineClass::Gateway, "4")));
        assert_eq!(class(1), Some((DeclineClass::User, "20051")));
        assert_eq!(class(2), None);
        assert_eq!(events[0].event_id.as_ref().unwrap().as_str(), "pay_6vacj5lnQX9BKSLeXYUy_1:failure:1786652669");
        assert!(events.iter().all(|event| event.attempts_made == Some(3) && event.context.network == Some(Network::Visa)));
        assert!(!format!("{events:?}").contains("Rosalind"));
    }

    #[test]
    fn what_is_of_another_payment_or_no_list_is_refused_by_its_field() {
        let check = |path: &str, value: Value, field: &str| {
            let mut answer: Value = serde_json::from_slice(ANSWER).unwrap();
            *answer.pointer_mut(path).unwrap() = value;
            assert_eq!(read(&serde_json::to_vec(&answer).unwrap()).unwrap_err().field, field, "{path}");
        };
        check("/payment_id", json!("pay_other"), "payment_id");
        check("/profile_id", json!("pro_other"), "profile_id");
        check("/attempts", Value::Null, "attempts");
        check("/attempts/1/attempt_id", json!("a b"), "attempts[1].attempt_id");
        check("/attempts/1/modified_at", json!("yesterday"), "attempts[1].modified_at");
        let attempt: Value = serde_json::from_slice::<Value>(ANSWER).unwrap()["attempts"][0].take();
        check("/attempts", json!(vec![attempt; 65]), "attempts");
        assert_eq!(read(b"<html>").unwrap_err().field, "");
    }

    #[test]
    fn a_status_of_a_later_version_stays_unseen() {
        let mut answer: Value = serde_json::from_slice(ANSWER).unwrap();
        answer["attempts"][1]["status"] = json!("teleported");
        let events = read(&serde_json::to_vec(&answer).unwrap()).unwrap();
        assert_eq!(events.iter().map(|event| event.attempt).collect::<Vec<_>>(), [Some(1), Some(3)]);
    }
}
