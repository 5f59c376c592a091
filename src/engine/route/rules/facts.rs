//! What is known of a payment, by the keys of the rule builder: what the caller told, else what its request says.

use compact_str::{CompactString, format_compact};

use crate::domain::rule::{Parameters, Value, same_word};
use crate::domain::{Country, Network, Request};

/// Everything known of a payment.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the caller told to judge rules on.
    pub parameters: &'a Parameters,
    /// What is asked, where it is a decision.
    pub request: Option<&'a Request>,
}

/// One thing known of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact<'a> {
    Number(u64),
    Word(Word<'a>),
    Text(CompactString),
}

/// A word of a vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// A network, whatever its spelling.
    Network(Network),
    /// Another one.
    Other(&'a str),
}

impl Word<'_> {
    /// Whether it is the rule's word.
    pub(super) fn is(self, word: &str) -> bool {
        match self {
            Self::Network(network) => Network::spelt(word) == Some(network),
            Self::Other(known) => same_word(known, word),
        }
    }
}

/// The key whose words have many spellings.
const NETWORK: &str = "card_network";

impl<'a> Facts<'a> {
    /// What is known by a key.
    pub(super) fn get(&self, key: &str) -> Option<Fact<'a>> {
        self.told(key).or_else(|| self.asked(key))
    }

    /// The value of a key of the payment's own metadata.
    pub(super) fn metadata(&self, key: &str) -> Option<&'a str> {
        self.parameters.metadata(key)
    }

    fn told(&self, key: &str) -> Option<Fact<'a>> {
        Some(match self.parameters.get(key)? {
            Value::Number(number) => Fact::Number(*number),
            Value::Word(word) => Fact::Word(match Network::spelt(word).filter(|_| key == NETWORK) {
                Some(network) => Word::Network(network),
                None => Word::Other(word),
            }),
            Value::Text(text) => Fact::Text(text.clone()),
            // Lists and references belong to rules: of a payment they say nothing.
            Value::Metadata(..) | Value::Global(_) | Value::Numbers(_) | Value::Words(_) | Value::Ranges(_) => return None,
        })
    }

    fn asked(&self, key: &str) -> Option<Fact<'a>> {
        let request = self.request?;
        let context = &request.context;
        Some(match key {
            "amount" => Fact::Number(u64::try_from(request.amount.minor).ok()?),
            "currency" => Fact::Word(Word::Other(request.amount.currency.code())),
            "payment_method" => Fact::Word(Word::Other(context.method?.as_str())),
            NETWORK => Fact::Word(Word::Network(context.network?)),
            "issuer_country" => Fact::Word(Word::Other(context.country.and_then(Country::name)?)),
            "authentication_type" => Fact::Word(Word::Other(if context.three_ds? { "three_ds" } else { "no_three_ds" })),
            // The first six digits; an eight-digit BIN answers the longer key too.
            "card_bin" => Fact::Text(CompactString::from(format_compact!("{}", context.bin?).get(..6)?)),
            "extended_card_bin" => Fact::Text(Some(format_compact!("{}", context.bin?)).filter(|bin| bin.len() == 8)?),
            _ => return None,
        })
    }
}
