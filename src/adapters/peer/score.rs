//! `POST /update-gateway-score`: an outcome, as a payment event.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::adapters::decline::{Codes, DeclineTables, Decliner};
use crate::adapters::json::BadField;
use crate::domain::{
    ConnectorAccount, Context, Decline, DeclineClass, EventKind, PaymentEvent, PaymentId, ProfileId, Source, Time,
};
use crate::engine::KnownEnd;

/// What Hyperswitch tells of an outcome; the last two come from other clients of the peer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateRequest {
    /// The profile.
    pub merchant_id: ProfileId,
    /// The account that was used.
    pub gateway: ConnectorAccount,
    /// The peer's word for the outcome.
    pub status: String,
    /// The payment.
    pub payment_id: PaymentId,
    /// The connector's error.
    pub error_info: Option<ErrorInfo>,
    /// How long it took.
    pub txn_latency: Option<TransactionLatency>,
}

/// The connector's error; its message is not read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorInfo {
    /// The connector's own code.
    pub error_code: Option<String>,
}

/// How long an attempt took.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionLatency {
    /// How long the connector took, in milliseconds.
    pub gateway_latency: Option<f64>,
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct UpdateResponse<'a> {
    /// The sentence Hyperswitch requires.
    pub message: &'static str,
    /// As asked.
    pub merchant_id: &'a ProfileId,
    /// As asked.
    pub gateway: &'a ConnectorAccount,
    /// As asked.
    pub payment_id: &'a PaymentId,
    /// What became of it here.
    pub apos: Kept,
}

/// What became of an outcome.
#[derive(Debug, Serialize)]
pub struct Kept {
    /// Whether the payment was known before. An outcome of an unknown one is kept all the same, and counts for the
    /// account it names. None while the log is folded after the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_known: Option<bool>,
    /// What it says of the attempt's end, where that is known: that it was so, or another; then it changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_end: Option<KnownEnd>,
}

impl UpdateRequest {
    /// The outcome as an event that happened `now`; `tables` say what a connector's code means.
    ///
    /// # Errors
    /// `status`, when it is none of the peer's words; the latency, when it is none.
    pub fn event(&self, now: Time, tables: &DeclineTables) -> Result<PaymentEvent, BadField> {
        let (word, meaning) = status(&self.status).ok_or_else(|| BadField::new("status", unknown(&self.status)))?;
        let kind = match meaning {
            Meaning::Is(kind) => kind,
            Meaning::Failed(_) => EventKind::Failed,
        };
        Ok(PaymentEvent {
            source: Source::Feedback,
            event_id: None,
            profile: self.merchant_id.clone(),
            payment: self.payment_id.clone(),
            attempt: None,
            account: Some(self.gateway.clone()),
            kind,
            decline: if let Meaning::Failed(class) = meaning { Some(self.decline(word, class, tables)) } else { None },
            amount: None,
            context: Context::default(),
            latency_ms: self.latency_ms()?,
            attempts_made: None,
            occurred_at: now,
        })
    }

    /// What the connector's code says; else what the peer's word does.
    fn decline(&self, word: &str, class: DeclineClass, tables: &DeclineTables) -> Decline {
        let connector = self.error_info.as_ref().and_then(|info| info.error_code.as_deref());
        if connector.is_none() {
            return Decline { class, code: CompactString::from(word.to_ascii_lowercase()) };
        }
        let codes = Codes { connector, ..Codes::default() };
        let decliner = Decliner { connector: Some(self.gateway.connector()), ..Decliner::default() };
        let told = tables.decline(&codes, &decliner);
        Decline { class: if told.class == DeclineClass::Unclassified { class } else { told.class }, code: told.code }
    }

    fn latency_ms(&self) -> Result<Option<u32>, BadField> {
        let Some(latency) = self.txn_latency.as_ref().and_then(|told| told.gateway_latency) else { return Ok(None) };
        if !(0.0..=f64::from(u32::MAX)).contains(&latency) {
            let problem = format!("{latency} is no number of milliseconds: allowed are 0 to {}", u32::MAX);
            return Err(BadField::new("txnLatency.gatewayLatency", problem));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range, checked here")]
        let latency_ms = latency as u32;
        Ok(Some(latency_ms))
    }
}

/// What one of the peer's words says of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Is(EventKind),
    Failed(DeclineClass),
}

/// The peer's words. `DECLINED` is in neither of the peer's own lists, though its documents call it a failure.
const STATUSES: &[(&str, Meaning)] = &[
    ("CHARGED", Meaning::Is(EventKind::Captured)),
    ("AUTHORIZED", Meaning::Is(EventKind::Authorised)),
    ("COD_INITIATED", Meaning::Is(EventKind::Authorised)),
    ("VOIDED", Meaning::Is(EventKind::Voided)),
    ("VOIDED_POST_CHARGE", Meaning::Is(EventKind::Voided)),
    ("VOID_INITIATED", Meaning::Is(EventKind::Authorised)),
    ("VOID_FAILED", Meaning::Is(EventKind::Authorised)),
    ("CAPTURE_INITIATED", Meaning::Is(EventKind::Authorised)),
    ("CAPTURE_FAILED", Meaning::Is(EventKind::Authorised)),
    ("TO_BE_CHARGED", Meaning::Is(EventKind::Authorised)),
    ("PARTIAL_CHARGED", Meaning::Is(EventKind::Captured)),
    ("AUTO_REFUNDED", Meaning::Is(EventKind::Refunded)),
    ("AUTHENTICATION_FAILED", Meaning::Failed(DeclineClass::User)),
    ("AUTHORIZATION_FAILED", Meaning::Failed(DeclineClass::Unclassified)),
    ("JUSPAY_DECLINED", Meaning::Failed(DeclineClass::Mixed)),
    ("DECLINED", Meaning::Failed(DeclineClass::Unclassified)),
    ("FAILURE", Meaning::Failed(DeclineClass::Unclassified)),
    ("STARTED", Meaning::Is(EventKind::Started)),
    ("PENDING_VBV", Meaning::Is(EventKind::AuthenticationRequired)),
    ("VBV_SUCCESSFUL", Meaning::Is(EventKind::AuthenticationSucceeded)),
    ("AUTHORIZING", Meaning::Is(EventKind::Processing)),
    ("PENDING", Meaning::Is(EventKind::Processing)),
    ("NOP", Meaning::Is(EventKind::Processing)),
];

/// Finds a word in either spelling: the peer's `VBV_SUCCESSFUL`, and Hyperswitch's `V_B_V_SUCCESSFUL`.
fn status(told: &str) -> Option<(&'static str, Meaning)> {
    let letters = |word: &'static str| word.bytes().filter(|byte| *byte != b'_');
    let same = |word| told.bytes().filter(|byte| *byte != b'_').eq(letters(word));
    STATUSES.iter().find(|(word, _)| same(word)).copied()
}

fn unknown(told: &str) -> String {
    let allowed: Vec<&str> = STATUSES.iter().map(|(word, _)| *word).collect();
    format!("`{}` is none of {}", told.chars().take(40).collect::<String>(), allowed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(status: &str, error: Option<&str>) -> UpdateRequest {
        UpdateRequest {
            merchant_id: ProfileId::parse("pro_1").unwrap(),
            gateway: ConnectorAccount::parse("stripe:mca_1").unwrap(),
            status: status.to_owned(),
            payment_id: PaymentId::parse("pay_1").unwrap(),
            error_info: error.map(|code| ErrorInfo { error_code: Some(code.to_owned()) }),
            txn_latency: None,
        }
    }

    #[test]
    fn both_spellings_of_a_status_are_one() {
        for (peers, hyperswitchs) in
            [("VBV_SUCCESSFUL", "V_B_V_SUCCESSFUL"), ("COD_INITIATED", "C_O_D_INITIATED"), ("PENDING_VBV", "PENDING_V_B_V")]
        {
            assert!(status(peers).is_some());
            assert_eq!(status(peers), status(hyperswitchs));
        }
    }

    #[test]
    fn an_unknown_status_names_the_field_and_the_words_allowed() {
        let refused = update("CHARGE", None).event(Time::ZERO, &DeclineTables::built_in().unwrap()).unwrap_err();
        assert_eq!(refused.field, "status");
        assert!(refused.problem.contains("`CHARGE` is none of CHARGED,") && refused.problem.contains("FAILURE"), "{refused}");
    }

    #[test]
    fn a_latency_that_is_none_is_refused_by_its_field() {
        let event = |gateway_latency| {
            let told = UpdateRequest {
                txn_latency: Some(TransactionLatency { gateway_latency: Some(gateway_latency) }),
                ..update("CHARGED", None)
            };
            told.event(Time::ZERO, &DeclineTables::built_in().unwrap()).map(|event| event.latency_ms)
        };
        assert_eq!(event(250.0), Ok(Some(250)));
        for latency in [-1.0, 1e10] {
            assert_eq!(event(latency).unwrap_err().field, "txnLatency.gatewayLatency");
        }
    }

    #[test]
    fn a_failure_carries_its_code_never_its_message() {
        let code = |status, error| {
            update(status, error)
                .event(Time::ZERO, &DeclineTables::built_in().unwrap())
                .unwrap()
                .decline
                .map(|decline| decline.code)
        };
        assert_eq!(code("FAILURE", Some("2")).as_deref(), Some("2"));
        assert_eq!(code("FAILURE", Some("Refused by the issuer")).as_deref(), Some("unknown"));
        assert_eq!(code("AUTHORIZATION_FAILED", None).as_deref(), Some("authorization_failed"));
        assert_eq!(code("CHARGED", None), None);
    }

    #[test]
    fn a_code_that_is_known_says_more_than_the_status() {
        let tables = DeclineTables::built_in().unwrap();
        let class = |status, error| update(status, error).event(Time::ZERO, &tables).unwrap().decline.map(|told| told.class);
        assert_eq!(class("FAILURE", Some("authentication_required")), Some(DeclineClass::ScaRequired));
        assert_eq!(class("AUTHENTICATION_FAILED", Some("nobody_knows")), Some(DeclineClass::User));
        assert_eq!(class("FAILURE", Some("nobody_knows")), Some(DeclineClass::Unclassified));
    }
}
