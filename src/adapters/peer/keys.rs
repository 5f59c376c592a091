//! What routing rules may be about: the keys of Hyperswitch's rule builder, and the values each can have.
//!
//! Words are compared without regard to case, spaces and underscores: `Visa`, `VISA` and `visa` are one.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::domain::country::COUNTRIES;
use crate::domain::rule::same_word;
use crate::domain::{Country, Currency, Network};

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
}

/// What the values of a key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers, 0 or more; amounts are in minor units.
    Number,
    /// These words, separated by spaces.
    Words(&'static str),
    /// Hyperswitch's names of countries.
    Country,
    /// ISO 4217 codes.
    Currency,
    /// Card networks, in any of their spellings.
    Network,
    /// Any text.
    Text,
    /// So many digits.
    Digits(usize),
    /// A key and a value of the payment's own metadata.
    Metadata,
}

/// The key of a name.
#[must_use]
pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Kind {
    /// Whether values of it are words: `enum_variant` to the peer.
    #[must_use]
    pub const fn is_words(self) -> bool {
        matches!(self, Self::Words(_) | Self::Country | Self::Currency | Self::Network)
    }

    /// Whether it has the word.
    #[must_use]
    pub fn has(self, word: &str) -> bool {
        match self {
            Self::Words(words) => words.split(' ').any(|known| same_word(known, word)),
            Self::Country => Country::named(word).is_some(),
            Self::Currency => Currency::parse(word).is_ok(),
            Self::Network => Network::spelt(word).is_some(),
            Self::Number | Self::Text | Self::Digits(_) | Self::Metadata => false,
        }
    }

    /// Every word it has, separated by commas; none where it has no words.
    fn words(self) -> Option<String> {
        let networks = || Network::ALL.iter().filter(|network| **network != Network::Other).map(|network| network.as_str());
        let words: Vec<&str> = match self {
            Self::Words(words) => words.split(' ').collect(),
            Self::Country => COUNTRIES.iter().map(|(_, name)| *name).collect(),
            Self::Currency => CURRENCIES.split(' ').collect(),
            Self::Network => networks().collect(),
            Self::Number | Self::Text | Self::Digits(_) | Self::Metadata => return None,
        };
        Some(words.join(", "))
    }

    /// The peer's name for such a key.
    const fn peers_name(self) -> &'static str {
        match self {
            Self::Number => "integer",
            Self::Words(_) | Self::Country | Self::Currency | Self::Network => "enum",
            Self::Text | Self::Digits(_) => "str_value",
            Self::Metadata => "udf",
        }
    }
}

/// The answer to `GET /config/routing-keys`.
#[derive(Debug, Serialize)]
pub struct RoutingKeys {
    keys: Catalogue,
}

impl RoutingKeys {
    /// Every key there is.
    #[must_use]
    pub const fn all() -> Self {
        Self { keys: Catalogue }
    }
}

#[derive(Debug)]
struct Catalogue;

impl Serialize for Catalogue {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(KEYS.len()))?;
        for key in KEYS {
            map.serialize_entry(key.name, &View::of(key.kind))?;
        }
        map.end()
    }
}

/// A key, as it is answered.
#[derive(Serialize)]
struct View {
    r#type: &'static str,
    values: Option<String>,
    min_value: Option<u64>,
    max_value: Option<u64>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    exact_length: Option<usize>,
    regex: Option<String>,
}

impl View {
    fn of(kind: Kind) -> Self {
        let digits = if let Kind::Digits(digits) = kind { Some(digits) } else { None };
        Self {
            r#type: kind.peers_name(),
            values: kind.words(),
            min_value: (kind == Kind::Number).then_some(0),
            max_value: None,
            min_length: (kind == Kind::Text).then_some(1),
            max_length: None,
            exact_length: digits,
            regex: digits.map(|digits| format!("^[0-9]{{{digits}}}$")),
        }
    }
}

/// The currencies that are shown; a rule may name any of ISO 4217.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLF \
     CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL \
     HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD \
     MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR \
     RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD \
     TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL";

/// Every key, by Hyperswitch's names.
#[rustfmt::skip]
static KEYS: &[Key] = &[
    Key { name: "amount", kind: Kind::Number },
    Key { name: "authentication_type", kind: Kind::Words("three_ds no_three_ds") },
    Key { name: "bank_debit", kind: Kind::Words("ach sepa sepa_guarenteed_debit eft_debit_order bacs becs") },
    Key {
        name: "bank_redirect",
        kind: Kind::Words(
            "giropay ideal sofort eft eps bancontact_card blik local_bank_redirect online_banking_thailand \
             online_banking_czech_republic online_banking_finland online_banking_fpx online_banking_poland \
             online_banking_slovakia przelewy24 trustly bizum interac open_banking_uk open_banking_pis",
        ),
    },
    Key {
        name: "bank_transfer",
        kind: Kind::Words(
            "ach sepa sepa_bank_transfer bacs multibanco pix pse permata_bank_transfer bca_bank_transfer bni_va bri_va \
             cimb_va danamon_va mandiri_va local_bank_transfer instant_bank_transfer",
        ),
    },
    Key { name: "billing_country", kind: Kind::Country },
    Key { name: "business_country", kind: Kind::Country },
    Key { name: "business_label", kind: Kind::Text },
    Key { name: "capture_method", kind: Kind::Words("automatic manual manual_multiple scheduled sequential_automatic") },
    Key { name: "card", kind: Kind::Words("debit credit") },
    Key { name: "card_bin", kind: Kind::Digits(6) },
    Key { name: "card_discovery", kind: Kind::Words("manual saved_card click_to_pay") },
    Key { name: "card_network", kind: Kind::Network },
    Key { name: "card_redirect", kind: Kind::Words("knet benefit momo_atm card_redirect") },
    Key { name: "card_type", kind: Kind::Words("debit credit") },
    Key { name: "crypto", kind: Kind::Words("crypto_currency") },
    Key { name: "currency", kind: Kind::Currency },
    Key { name: "extended_card_bin", kind: Kind::Digits(8) },
    Key { name: "gift_card", kind: Kind::Words("givex pay_safe_card") },
    Key { name: "issuer_country", kind: Kind::Country },
    Key { name: "issuer_name", kind: Kind::Text },
    Key { name: "mandate_acceptance_type", kind: Kind::Words("online offline") },
    Key { name: "mandate_type", kind: Kind::Words("single_use multi_use") },
    Key {
        name: "customer_device_display_size",
        kind: Kind::Words(
            "size320x568 size375x667 size390x844 size414x896 size428x926 size768x1024 size834x1112 size834x1194 \
             size1024x1366 size1280x720 size1366x768 size1440x900 size1920x1080 size2560x1440 size3840x2160 size500x600 \
             size600x400 size360x640 size412x915 size800x1280",
        ),
    },
    Key { name: "customer_device_platform", kind: Kind::Words("web android ios") },
    Key { name: "customer_device_type", kind: Kind::Words("mobile tablet desktop gaming_console") },
    Key { name: "metadata", kind: Kind::Metadata },
    Key { name: "payment_amount", kind: Kind::Number },
    Key { name: "surcharge_amount", kind: Kind::Number },
    Key { name: "mobile_payment", kind: Kind::Words("direct_carrier_billing") },
    Key { name: "network_token", kind: Kind::Words("network_token") },
    Key { name: "open_banking", kind: Kind::Words("open_banking_pis") },
    Key { name: "pay_later", kind: Kind::Words("affirm alma afterpay_clearpay klarna pay_bright atome walley") },
    Key {
        name: "payment_method",
        kind: Kind::Words(
            "card card_redirect pay_later wallet bank_redirect bank_transfer crypto bank_debit reward real_time_payment \
             upi voucher gift_card open_banking mobile_payment network_token",
        ),
    },
    Key {
        name: "payment_method_type",
        kind: Kind::Words(
            "ach affirm afterpay_clearpay alfamart ali_pay ali_pay_hk alma amazon_pay apple_pay atome bacs \
             bancontact_card becs benefit bizum blik boleto bca_bank_transfer bni_va bri_va card card_redirect cimb_va \
             classic_reward credit crypto_currency cashapp dana danamon_va debit duit_now efecty eft eps fps evoucher \
             giropay givex google_pay go_pay gcash ideal interac indomaret klarna kakao_pay local_bank_redirect \
             mandiri_va knet mb_way mobile_pay momo momo_atm multibanco online_banking_thailand \
             online_banking_czech_republic online_banking_finland online_banking_fpx online_banking_poland \
             online_banking_slovakia oxxo pago_efectivo permata_bank_transfer open_banking_uk pay_bright paypal paze \
             pix pay_safe_card przelewy24 prompt_pay pse red_compra red_pagos samsung_pay sepa sepa_bank_transfer \
             sofort swish touch_n_go trustly twint upi_collect upi_intent vipps viet_qr venmo walley we_chat_pay \
             seven_eleven lawson mini_stop family_mart seicomart pay_easy local_bank_transfer mifinity open_banking_pis \
             direct_carrier_billing instant_bank_transfer",
        ),
    },
    Key {
        name: "payment_type",
        kind: Kind::Words(
            "normal new_mandate update_mandate setup_mandate recurring_mandate non_mandate ppt_mandate",
        ),
    },
    Key { name: "real_time_payment", kind: Kind::Words("fps duit_now prompt_pay viet_qr") },
    Key { name: "reward", kind: Kind::Words("evoucher classic_reward") },
    Key { name: "setup_future_usage", kind: Kind::Words("on_session off_session") },
    Key { name: "transaction_initiator", kind: Kind::Words("customer merchant") },
    Key { name: "upi", kind: Kind::Words("upi_collect upi_intent upi_qr") },
    Key {
        name: "voucher",
        kind: Kind::Words(
            "boleto efecty pago_efectivo red_compra red_pagos indomaret alfamart oxxo seven_eleven lawson mini_stop \
             family_mart seicomart pay_easy",
        ),
    },
    Key {
        name: "wallet",
        kind: Kind::Words(
            "amazon_pay apple_pay google_pay paypal ali_pay ali_pay_hk dana mb_way mobile_pay samsung_pay twint vipps \
             touch_n_go swish we_chat_pay go_pay gcash momo kakao_pay cashapp mifinity paze",
        ),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_in_every_spelling_and_no_other_is() {
        let check =
            |name: &str, word: &str, known: bool| assert_eq!(key(name).unwrap().kind.has(word), known, "{name}: {word}");
        for word in ["visa", "VISA", "Visa", "visaCard", "Master Card", "master_card", "masterCard", "amex", "JCB"] {
            check("card_network", word, true);
        }
        check("card_network", "Vista", false);
        check("payment_method_type", "apple_pay", true);
        check("payment_method_type", "applepay", true);
        check("payment_method_type", "apple pie", false);
        check("billing_country", "Netherlands", true);
        check("billing_country", "Atlantis", false);
        check("currency", "EUR", true);
        check("currency", "USDT", false);
        check("amount", "1", false);
    }

    #[test]
    fn what_is_shown_is_known() {
        for key in KEYS {
            let words = key.kind.words().unwrap_or_default();
            for word in words.split(", ").filter(|word| !word.is_empty()) {
                assert!(key.kind.has(word), "{}: {word}", key.name);
            }
        }
        let shown = serde_json::to_value(RoutingKeys::all()).unwrap();
        assert_eq!(shown["keys"]["card_bin"]["exact_length"], 6);
        assert_eq!(shown["keys"]["amount"]["type"], "integer");
    }
}
