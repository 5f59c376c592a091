//! The words of a payment's line in the engine's own vocabularies, and what becomes of those that have none.

use std::collections::BTreeMap;

use super::read::Wrong;
use crate::domain::{Bin, Method, Network};

/// The first number of those that stand for words in the place of a BIN. A card number's first digit 9 is left to national
/// standards (ISO/IEC 7812): the networks issue none.
const FIRST_LABEL: usize = 900_000;
/// The last of them: no longer than a BIN.
const LAST_LABEL: usize = 999_999;

/// The words met so far that have no name here.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Methods and networks, and how many payments have them.
    pub(super) unnamed: BTreeMap<String, usize>,
    /// Words in the place of a BIN, each with its number.
    pub(super) labels: BTreeMap<String, usize>,
    /// Payments that have one.
    pub(super) labelled: usize,
}

impl Words {
    pub(super) fn method(&mut self, word: &str) -> Method {
        let known = Method::parse(word).or(match word.to_ascii_lowercase().as_str() {
            "credit" | "debit" | "credit_card" | "debit_card" => Some(Method::Card),
            "apple_pay" | "google_pay" | "paypal" => Some(Method::Wallet),
            "ideal" | "sofort" | "eps" | "giropay" | "netbanking" => Some(Method::BankRedirect),
            "bank" => Some(Method::BankTransfer),
            "sepa" | "ach" | "bacs" | "direct_debit" => Some(Method::BankDebit),
            "klarna" | "affirm" | "bnpl" => Some(Method::PayLater),
            "boleto" | "oxxo" | "konbini" => Some(Method::Voucher),
            "pix" => Some(Method::RealTimePayment),
            _ => None,
        });
        known.unwrap_or_else(|| {
            self.unnamed(format!("method {word}"));
            Method::Other
        })
    }

    pub(super) fn network(&mut self, word: &str) -> Network {
        let known = Network::parse(word).or(match word.to_ascii_lowercase().as_str() {
            "amex" | "american_express" => Some(Network::AmericanExpress),
            "mc" | "master_card" => Some(Network::Mastercard),
            "diners" => Some(Network::DinersClub),
            _ => None,
        });
        known.unwrap_or_else(|| {
            self.unnamed(format!("network {word}"));
            Network::Other
        })
    }

    /// A BIN; a word that is none is one of its own, so that payments with it stay together. Too many words are none.
    ///
    /// # Errors
    /// For more digits than a BIN has: that could be a card number.
    pub(super) fn bin(&mut self, word: String) -> Result<Option<Bin>, Wrong> {
        match Bin::parse(&word) {
            Ok(bin) => Ok(Some(bin)),
            Err(_) if word.is_empty() => Ok(None),
            Err(problem) if word.len() > 8 && word.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(("bin", format!("{problem}: cut it to its first eight")))
            }
            Err(_) => Ok(self.label(word)),
        }
    }

    fn label(&mut self, word: String) -> Option<Bin> {
        self.labelled += 1;
        let next = FIRST_LABEL + self.labels.len();
        if next > LAST_LABEL && !self.labels.contains_key(&word) {
            return None;
        }
        let number = self.labels.entry(word).or_insert(next);
        Bin::parse(&number.to_string()).ok()
    }

    fn unnamed(&mut self, word: String) {
        *self.unnamed.entry(word).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_in_the_place_of_a_bin_is_one_of_its_own() {
        let mut words = Words::default();
        let mut bin = |word: &str| words.bin(word.to_owned()).unwrap().map(Bin::number);
        let (first, second) = (bin("bin_3"), bin("12"));
        assert!(first.is_some() && second.is_some() && first != second);
        assert_eq!((bin("bin_3"), bin("411111"), bin("")), (first, Some(411_111), None));
        assert_eq!((words.labels.len(), words.labelled), (2, 3));
    }
}
