//! From a switch's error codes to whose fault a failed attempt is.
//!
//! A first table, of three vocabularies: Hyperswitch's standardised codes, the issuer's answer (ISO 8583, field 39) and
//! Hyperswitch's unified codes. The most specific one that says anything decides. Only codes are read, never messages:
//! those are free text and may hold anything.

use compact_str::CompactString;

use crate::domain::{Decline, DeclineClass};

/// Longest code kept. Hyperswitch's longest standardised one has 37 characters.
const CODE_MAX: usize = 40;

/// A run of so many digits could be a card number (the shortest has 12), so such a code is not kept.
const DIGITS_MAX: usize = 11;

/// The codes a failed attempt came with, each as its sender wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Codes<'a> {
    /// Hyperswitch's standardised code: `insufficient_funds`.
    pub standardised: Option<&'a str>,
    /// The issuer's answer: `51`.
    pub issuer: Option<&'a str>,
    /// Hyperswitch's unified code: `UE_3000`.
    pub unified: Option<&'a str>,
    /// The connector's own code.
    pub connector: Option<&'a str>,
}

impl Codes<'_> {
    /// Whose fault it is, and the most specific code that is fit to be kept.
    #[must_use]
    pub fn decline(&self) -> Decline {
        let class = self
            .standardised
            .and_then(of_standardised)
            .or_else(|| self.issuer.and_then(of_issuer))
            .or_else(|| self.unified.and_then(of_unified))
            .unwrap_or(DeclineClass::Unclassified);
        Decline { class, code: self.code() }
    }

    fn code(&self) -> CompactString {
        let told = |code: &&str| *code != "generic_unknown_error" && *code != "UE_9000" && fit(code);
        let issuer = || self.issuer.filter(told).map(|code| compact_str::format_compact!("issuer:{code}"));
        self.standardised
            .filter(told)
            .map(CompactString::from)
            .or_else(issuer)
            .or_else(|| self.connector.filter(told).map(CompactString::from))
            .or_else(|| self.unified.filter(told).map(CompactString::from))
            .unwrap_or_else(|| CompactString::const_new("unknown"))
    }
}

/// Whether a code is one: short, visible ASCII, and no card number.
pub(super) fn fit(code: &str) -> bool {
    let visible = !code.is_empty() && code.len() <= CODE_MAX && code.bytes().all(|byte| byte.is_ascii_graphic());
    let mut run = 0;
    let digits = code.bytes().all(|byte| {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        run <= DIGITS_MAX
    });
    visible && digits
}

/// Hyperswitch's standardised codes, but for `generic_unknown_error`, which says nothing.
///
/// What is wrong with an account as a whole (credentials, integration) is the gateway's: every payment sent there
/// fails. What an account lacks for some payments only (a currency, a card type) is mixed: it must count against the
/// account, and must not open its breaker for the others.
const STANDARDISED: &[(&str, DeclineClass)] = &[
    ("psp_acquirer_error", DeclineClass::Gateway),
    ("downstream_technical_issue", DeclineClass::Gateway),
    ("issuer_unavailable", DeclineClass::Gateway),
    ("rate_limit", DeclineClass::Gateway),
    ("transaction_timed_out", DeclineClass::Gateway),
    ("three_ds_authentication_service_issue", DeclineClass::Gateway),
    ("three_ds_configuration_issue", DeclineClass::Gateway),
    ("configuration_issue", DeclineClass::Gateway),
    ("invalid_credentials", DeclineClass::Gateway),
    ("merchant_inactive", DeclineClass::Gateway),
    ("integration_issue", DeclineClass::Gateway),
    ("integ_cryptographic_issue", DeclineClass::Gateway),
    ("do_not_honor", DeclineClass::Mixed),
    ("suspected_fraud", DeclineClass::Mixed),
    ("psp_fraud_engine_decline", DeclineClass::Mixed),
    ("velocity_or_limit_exceeded", DeclineClass::Mixed),
    ("transaction_not_permitted", DeclineClass::Mixed),
    ("card_not_supported_restricted", DeclineClass::Mixed),
    ("compliance_or_sanctions_restriction", DeclineClass::Mixed),
    ("cfg_pm_not_enabled_or_misconfigured", DeclineClass::Mixed),
    ("currency_or_corridor_not_enabled", DeclineClass::Mixed),
    ("wallet_or_token_config_issue", DeclineClass::Mixed),
    ("stored_credential_or_mit_not_enabled", DeclineClass::Mixed),
    ("insufficient_funds", DeclineClass::User),
    ("credit_limit_exceeded", DeclineClass::User),
    ("invalid_cvv", DeclineClass::User),
    ("invalid_card_number", DeclineClass::User),
    ("invalid_expiry_date", DeclineClass::User),
    ("account_closed_or_invalid", DeclineClass::User),
    ("card_lost_or_stolen", DeclineClass::User),
    ("incorrect_authentication_code", DeclineClass::User),
    ("authentication_failed", DeclineClass::User),
    ("authorization_missing_or_revoked", DeclineClass::User),
    ("payment_cancelled_by_user", DeclineClass::User),
    ("payment_method_issue", DeclineClass::User),
    ("payment_session_timeout", DeclineClass::User),
    ("pm_address_mismatch", DeclineClass::User),
    ("subscription_plan_inactive", DeclineClass::User),
    ("authentication_required", DeclineClass::ScaRequired),
    ("missing_or_invalid_param", DeclineClass::DataError),
    ("duplicate_request", DeclineClass::DataError),
    ("invalid_state", DeclineClass::DataError),
    ("operation_not_allowed", DeclineClass::DataError),
    ("three_ds_data_or_protocol_invalid", DeclineClass::DataError),
];

fn of_standardised(code: &str) -> Option<DeclineClass> {
    STANDARDISED.iter().find(|(name, _)| *name == code).map(|(_, class)| *class)
}

/// The issuer's answer, ISO 8583 field 39 with the letters Visa and Mastercard added.
fn of_issuer(code: &str) -> Option<DeclineClass> {
    Some(match code {
        // Issuer, switch or acquirer not reachable, or a system error there.
        "06" | "19" | "68" | "90" | "91" | "92" | "96" => DeclineClass::Gateway,
        // Strong customer authentication wanted.
        "1A" | "65" => DeclineClass::ScaRequired,
        // Not sufficient funds, wrong or expired card, wrong PIN or CVV, lost or stolen, account closed.
        "14" | "33" | "38" | "41" | "43" | "46" | "51" | "52" | "53" | "54" | "55" | "75" | "78" | "82" | "N7" => {
            DeclineClass::User
        }
        // Do not honour, refer to issuer, not permitted, limits, suspected fraud: issuers judge acquirers differently.
        "01" | "02" | "04" | "05" | "07" | "57" | "58" | "59" | "61" | "62" | "63" | "93" | "R0" | "R1" | "R3" => {
            DeclineClass::Mixed
        }
        // The message was malformed, or names a merchant, an amount or a transaction that is none.
        "03" | "12" | "13" | "30" | "94" => DeclineClass::DataError,
        _ => return None,
    })
}

/// Hyperswitch's unified codes. `UE_9000` ("something went wrong") says nothing.
fn of_unified(code: &str) -> Option<DeclineClass> {
    match code {
        "UE_1000" => Some(DeclineClass::User),
        "UE_2000" | "UE_3000" => Some(DeclineClass::Gateway),
        "UE_4000" => Some(DeclineClass::DataError),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_code_decides() {
        let check = |standardised, issuer, unified, connector, class, code: &str| {
            let codes = Codes { standardised, issuer, unified, connector };
            assert_eq!(codes.decline(), Decline { class, code: code.into() }, "{codes:?}");
        };
        check(Some("insufficient_funds"), Some("51"), Some("UE_1000"), Some("12"), DeclineClass::User, "insufficient_funds");
        check(Some("psp_acquirer_error"), None, Some("UE_3000"), Some("905"), DeclineClass::Gateway, "psp_acquirer_error");
        check(Some("generic_unknown_error"), Some("05"), Some("UE_9000"), None, DeclineClass::Mixed, "issuer:05");
        check(None, Some("91"), Some("UE_1000"), None, DeclineClass::Gateway, "issuer:91");
        check(None, Some("1A"), None, None, DeclineClass::ScaRequired, "issuer:1A");
        check(None, None, Some("UE_9000"), Some("2"), DeclineClass::Unclassified, "2");
        check(None, None, Some("UE_4000"), None, DeclineClass::DataError, "UE_4000");
        check(None, None, None, None, DeclineClass::Unclassified, "unknown");
    }

    #[test]
    fn messages_and_card_numbers_are_not_kept_as_codes() {
        for unfit in ["Card declined for John Doe", "4242424242424242", "ref-411111111111", "", &"x".repeat(41), "né"] {
            let codes = Codes { connector: Some(unfit), ..Codes::default() };
            assert_eq!(codes.decline().code, "unknown", "{unfit}");
        }
    }
}
