//! From a switch's error codes to whose fault a failed attempt is.
//!
//! Codes come in four vocabularies: Hyperswitch's standardised codes, the issuer's answer (ISO 8583, field 39),
//! the connector's own, and Hyperswitch's unified codes. What they mean stands in [`DeclineTables`], dated, in a file;
//! the most specific vocabulary that says anything decides. Only codes are read, never messages: those are free text and
//! may hold anything.

mod file;
mod table;

pub use file::Refusal;
pub use table::{DeclineTables, Meaning};

use compact_str::CompactString;

use crate::domain::{Context, Country, Decline, DeclineClass, Network};

/// Longest code kept. Hyperswitch's longest standardised one has 37 characters.
const CODE_MAX: usize = 40;

/// Most digits in a row, whatever separates them: more could be a card number (the shortest has 12), so such a code is not
/// kept. Only a letter ends a row.
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

/// Who declined, as far as it is known: one code means different things from different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decliner<'a> {
    /// The connector's name: its own codes are looked up under it.
    pub connector: Option<&'a str>,
    /// The card's network.
    pub network: Option<Network>,
    /// The issuer's country.
    pub country: Option<Country>,
}

impl<'a> Decliner<'a> {
    /// A connector, and the issuer of the payment's card.
    #[must_use]
    pub const fn of(connector: Option<&'a str>, context: &Context) -> Self {
        Self { connector, network: context.network, country: context.country }
    }
}

impl DeclineTables {
    /// Whose fault it is, and the most specific code that is fit to be kept.
    #[must_use]
    pub fn decline(&self, codes: &Codes<'_>, decliner: &Decliner<'_>) -> Decline {
        let told = self.meanings(codes, decliner);
        let class = told.iter().find_map(|(_, meaning)| match meaning {
            Some(Meaning::Class(class)) => Some(*class),
            Some(Meaning::Nothing) | None => None,
        });
        let kept = told.into_iter().find_map(|(code, meaning)| code.filter(|_| meaning != Some(Meaning::Nothing)));
        Decline {
            class: class.unwrap_or(DeclineClass::Unclassified),
            code: kept.unwrap_or_else(|| CompactString::const_new(Decline::NO_CODE)),
        }
    }

    /// Each code as it is kept, if it is fit to be, and what it means; the most specific vocabulary first.
    fn meanings(&self, codes: &Codes<'_>, decliner: &Decliner<'_>) -> [(Option<CompactString>, Option<Meaning>); 4] {
        let keep = |code: &str| fit(code).then(|| CompactString::from(code));
        let prefixed = |code: &str| fit(code).then(|| compact_str::format_compact!("issuer:{code}"));
        let Codes { standardised, issuer, unified, connector } = *codes;
        [
            (standardised.and_then(keep), standardised.and_then(|code| self.standardised(code))),
            (issuer.and_then(prefixed), issuer.and_then(|code| self.issuer(code, decliner.network, decliner.country))),
            (connector.and_then(keep), connector.and_then(|code| self.connector(decliner.connector?, code))),
            (unified.and_then(keep), unified.and_then(|code| self.unified(code))),
        ]
    }
}

/// Whether a code is one: short, visible ASCII, no card number and no address.
pub(super) fn fit(code: &str) -> bool {
    let visible = !code.is_empty() && code.len() <= CODE_MAX && code.bytes().all(|byte| byte.is_ascii_graphic());
    let digits = |row: &str| row.bytes().filter(u8::is_ascii_digit).count();
    visible && !code.contains('@') && code.split(|c: char| c.is_ascii_alphabetic()).all(|row| digits(row) <= DIGITS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> DeclineTables {
        DeclineTables::built_in().unwrap()
    }

    #[test]
    fn the_most_specific_code_decides() {
        let (tables, adyen) = (built_in(), Decliner { connector: Some("adyen"), ..Decliner::default() });
        let check = |standardised, issuer, unified, connector, class, code: &str| {
            let codes = Codes { standardised, issuer, unified, connector };
            assert_eq!(tables.decline(&codes, &adyen), Decline { class, code: code.into() }, "{codes:?}");
        };
        check(Some("insufficient_funds"), Some("51"), Some("UE_1000"), Some("12"), DeclineClass::User, "insufficient_funds");
        check(Some("psp_acquirer_error"), None, Some("UE_3000"), Some("905"), DeclineClass::Gateway, "psp_acquirer_error");
        check(Some("generic_unknown_error"), Some("05"), Some("UE_9000"), None, DeclineClass::Mixed, "issuer:05");
        check(None, Some("91"), Some("UE_1000"), None, DeclineClass::Gateway, "issuer:91");
        check(None, Some("1A"), None, None, DeclineClass::ScaRequired, "issuer:1A");
        check(None, None, Some("UE_1000"), Some("4"), DeclineClass::Gateway, "4");
        check(None, None, Some("UE_9000"), Some("nobody_knows"), DeclineClass::Unclassified, "nobody_knows");
        check(Some("of_a_later_version"), Some("91"), None, None, DeclineClass::Gateway, "of_a_later_version");
        check(None, None, Some("UE_4000"), None, DeclineClass::DataError, "UE_4000");
        check(None, None, Some("UE_9000"), None, DeclineClass::Unclassified, "unknown");
        check(None, None, None, None, DeclineClass::Unclassified, "unknown");
    }

    #[test]
    fn an_issuers_code_means_what_its_network_and_region_mean_by_it() {
        use DeclineClass::{Mixed, ScaRequired, Unclassified, User};
        let tables = built_in();
        let check = |code, network, country: &str, class| {
            let decliner = Decliner { network, country: Country::parse(country).ok(), ..Decliner::default() };
            let codes = Codes { issuer: Some(code), ..Codes::default() };
            assert_eq!(tables.decline(&codes, &decliner).class, class, "{code} {network:?} {country}");
        };
        check("65", Some(Network::Mastercard), "DE", ScaRequired);
        check("65", Some(Network::Mastercard), "GB", ScaRequired);
        check("65", Some(Network::Mastercard), "US", Mixed);
        check("65", Some(Network::Mastercard), "", Mixed);
        check("65", Some(Network::Visa), "DE", Mixed);
        check("1A", Some(Network::Visa), "US", ScaRequired);
        check("82", Some(Network::Mastercard), "US", Mixed);
        check("82", Some(Network::Visa), "US", User);
        check("130", Some(Network::AmericanExpress), "FR", ScaRequired);
        check("130", Some(Network::Visa), "FR", Unclassified);
        check("5", None, "", Mixed);
        check("1a", None, "", ScaRequired);
    }

    #[test]
    fn a_connectors_code_is_its_own() {
        let tables = built_in();
        let class = |connector, code| {
            let codes = Codes { connector: Some(code), ..Codes::default() };
            tables.decline(&codes, &Decliner { connector, ..Decliner::default() }).class
        };
        assert_eq!(class(Some("stripe"), "authentication_required"), DeclineClass::ScaRequired);
        assert_eq!(class(Some("checkout"), "20154"), DeclineClass::ScaRequired);
        assert_eq!(class(Some("paypal"), "5120"), DeclineClass::User);
        assert_eq!(class(Some("adyen"), "12"), DeclineClass::User);
        assert_eq!(class(Some("worldpay"), "12"), DeclineClass::Mixed);
        assert_eq!(class(Some("nobody"), "12"), DeclineClass::Unclassified);
        assert_eq!(class(None, "12"), DeclineClass::Unclassified);
    }

    #[test]
    fn messages_and_card_numbers_are_not_kept_as_codes() {
        let tables = built_in();
        let kept = |code: &str| {
            let codes = Codes { connector: Some(code), ..Codes::default() };
            tables.decline(&codes, &Decliner::default()).code
        };
        for unfit in ["Card declined for John Doe", "4242424242424242", "ref-411111111111", "", &"x".repeat(41), "né"] {
            assert_eq!(kept(unfit), "unknown", "{unfit}");
        }
        for parted in ["4111-1111-1111-1111", "4111.1111.1111.1111", "ref_4111/11-11:1111", "4-1-1-1-1-1-1-1-1-1-1-1"] {
            assert_eq!(kept(parted), "unknown", "{parted}");
        }
        for fit in ["41111111111", "411-1111-1111", "x4111-1111y1111-1111z", "2006:101.05_7"] {
            assert_eq!(kept(fit), fit);
        }
    }
}
