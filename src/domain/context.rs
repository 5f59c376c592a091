//! What is known about a payment besides its amount, when it is routed or judged.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::personal;
use super::{Bin, CardType, Country, Credential, Initiator, Method, Network};

/// What is known about a payment besides its amount. What is missing stays unknown; it is never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Context {
    /// The payment method.
    pub method: Option<Method>,
    /// The card network.
    pub network: Option<Network>,
    /// The issuing country.
    pub country: Option<Country>,
    /// The card's BIN.
    pub bin: Option<Bin>,
    /// Whether 3DS is asked for.
    pub three_ds: Option<bool>,
    /// Who asks for the payment.
    pub initiator: Option<Initiator>,
    /// What stands for the card.
    pub credential: Option<Credential>,
    /// How the card is paid for.
    pub card_type: Option<CardType>,
    /// Who issued the card.
    pub issuer: Option<Issuer>,
}

impl Context {
    /// This context with every unknown filled from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            method: self.method.or(other.method),
            network: self.network.or(other.network),
            country: self.country.or(other.country),
            bin: self.bin.or(other.bin),
            three_ds: self.three_ds.or(other.three_ds),
            initiator: self.initiator.or(other.initiator),
            credential: self.credential.or(other.credential),
            card_type: self.card_type.or(other.card_type),
            issuer: self.issuer.or(other.issuer),
        }
    }
}

/// Longest name of an issuer kept, in bytes: banks are told apart by less, and a context stays small enough to be copied.
const ISSUER_MAX: usize = 31;

/// A run of so many digits is no part of a bank's name; it could be one of a card number.
const DIGITS_MAX: usize = 5;

/// A card issuer's name, as BIN tables have it: upper case, at most 31 bytes; what is longer is cut.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issuer {
    letters: [u8; ISSUER_MAX],
    length: u8,
}

impl Issuer {
    /// Parses a bank's name. Case and white space do not matter; a letter beyond ASCII becomes `?`.
    ///
    /// # Errors
    /// A sentence when there is no letter in it, more than five digits in a row, a card number, its groups apart, or an address; it never
    /// repeats the text.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some(data) = personal::within(name) {
            return Err(format!("it holds {data}: decisions keep the issuer's name, so leave that out"));
        }
        Self::read(name)
    }

    /// As the log has it: what was recorded before card numbers were looked for is read all the same.
    fn read(name: &str) -> Result<Self, String> {
        let (mut letters, mut length, mut digits) = ([0; ISSUER_MAX], 0, 0);
        for (index, word) in name.split_whitespace().enumerate() {
            for letter in (index > 0).then_some(' ').into_iter().chain(word.chars()) {
                digits = if letter.is_ascii_digit() { digits + 1 } else { 0 };
                if digits > DIGITS_MAX {
                    return Err(format!("an issuer's name has at most {DIGITS_MAX} digits in a row"));
                }
                if let Some(place) = letters.get_mut(length) {
                    *place = u8::try_from(letter).ok().filter(|byte| (b' '..=b'~').contains(byte)).unwrap_or(b'?');
                    length += 1;
                }
            }
        }
        letters.make_ascii_uppercase();
        if !letters.iter().any(u8::is_ascii_alphabetic) {
            return Err("an issuer's name has a letter in it".to_owned());
        }
        // A cut may leave a space at the end, which would not be read back.
        while length > 0 && letters[length - 1] == b' ' {
            length -= 1;
            letters[length] = 0;
        }
        Ok(Self { letters, length: u8::try_from(length).unwrap_or(0) })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.letters.get(..usize::from(self.length)).and_then(|name| core::str::from_utf8(name).ok()).unwrap_or("?")
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Issuer {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Issuer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = if from.is_human_readable() { Self::parse } else { Self::read };
        read(&CompactString::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_reads_back_however_it_was_written() {
        let check = |written: &str, expected: &str| {
            let issuer = Issuer::parse(written).unwrap();
            assert_eq!(issuer.as_str(), expected);
            assert_eq!(Issuer::parse(issuer.as_str()), Ok(issuer));
            let bytes = postcard::to_allocvec(&issuer).unwrap();
            assert_eq!(postcard::from_bytes::<Issuer>(&bytes).unwrap(), issuer);
        };
        check(" JPMorgan  Chase\tBank, N.A. ", "JPMORGAN CHASE BANK, N.A.");
        check("Crédit Agricole", "CR?DIT AGRICOLE");
        check("A bank whose name is cut after 3 words", "A BANK WHOSE NAME IS CUT AFTER");
    }

    #[test]
    fn what_could_be_a_card_number_is_no_issuer_and_is_not_repeated() {
        for refused in [
            "",
            "   ",
            "12",
            "bank 4111111111111111",
            "John 4111 1111 1111 1111",
            "4111-1111-1111-1111 A",
            "BANK ada@example.org",
        ] {
            let said = Issuer::parse(refused).unwrap_err();
            assert!(!said.contains("4111"), "{said}");
            assert!(serde_json::from_str::<Issuer>(&format!("\"{refused}\"")).is_err());
        }
        assert!(Issuer::parse("Bank 24").is_ok() && Issuer::parse("Bank 4111 1111 1111 1112").is_ok());
        let stored = postcard::to_allocvec("JOHN 4111 1111 1111 1111").unwrap();
        let issuer: Issuer = postcard::from_bytes(&stored).unwrap();
        assert_eq!(issuer.as_str(), "JOHN 4111 1111 1111 1111", "a log that holds one is read");
    }

    #[test]
    fn what_is_unknown_is_filled_and_what_is_known_stays() {
        let card = Context { card_type: Some(CardType::Debit), ..Context::default() };
        let other = Context {
            card_type: Some(CardType::Credit),
            initiator: Some(Initiator::Merchant),
            credential: Some(Credential::NetworkToken),
            issuer: Issuer::parse("A").ok(),
            ..Context::default()
        };
        assert_eq!(card.or(other), Context { card_type: Some(CardType::Debit), ..other });
    }
}
