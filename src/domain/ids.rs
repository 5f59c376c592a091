//! Identifiers: short texts and numbers that name things, each a type of its own.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::personal;

/// Longest identifier accepted. Hyperswitch's are at most 64 characters; the rest is room for a connector prefix.
pub const ID_MAX: usize = 128;

/// Accepts a non-empty text of at most [`ID_MAX`] visible characters.
fn checked(what: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if text.len() > ID_MAX {
        return Err(format!("{what} has {} bytes; at most {ID_MAX} are allowed", text.len()));
    }
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || is_unseen(c)) {
        return Err(format!("{what} holds white space, a control character or one that is not seen"));
    }
    Ok(())
}

/// Characters that are not seen, or that turn what follows them around: soft hyphen, zero-width ones, marks and
/// overrides of direction. With them two ids look alike that are not, or one reads on the screen as another.
const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// As [`checked`], and none of a person's data; the refusal does not repeat it. Only where a text is parsed: a log that
/// holds such an id is read all the same.
fn impersonal(what: &str, text: &str) -> Result<(), String> {
    match personal::named(text) {
        None => checked(what, text),
        Some(data) => Err(format!("{what} is or holds {data}: send the id itself, never data of a person")),
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(CompactString);

        impl $name {
            /// Parses the identifier.
            ///
            /// # Errors
            /// A sentence that says what is wrong: empty, longer than [`ID_MAX`], white space, control characters or
            /// characters that are not seen; where others show it, also a card number or an e-mail address.
            pub fn parse(text: &str) -> Result<Self, String> {
                $check($what, text).map(|()| Self(CompactString::from(text)))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        /// Equality, order and hash are the text's, so that a map can be asked with a text.
        impl core::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            /// Checked where a person or a peer wrote it; taken as it is from our own encoding.
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let human = from.is_human_readable();
                let text = CompactString::deserialize(from)?;
                if human {
                    $check($what, &text).map_err(serde::de::Error::custom)?;
                }
                Ok(Self(text))
            }
        }
    };
}

identifier!(
    /// A Hyperswitch business profile: what the peer's API calls `merchantId`, and what this product calls a merchant.
    ProfileId,
    "the merchant (profile) id",
    impersonal
);
identifier!(
    /// A payment, unique within its profile.
    PaymentId,
    "the payment id",
    impersonal
);
identifier!(
    /// A connector, the payment service provider's name: `stripe`.
    ConnectorName,
    "the connector name",
    impersonal
);
identifier!(
    /// A connector account, one merchant's configured instance of a connector: `stripe:mca_…`.
    ConnectorAccount,
    "the connector account",
    impersonal
);
identifier!(
    /// The sender's own identifier of an event: a webhook's `event_id`.
    EventId,
    "the event id",
    impersonal
);
identifier!(
    /// Who gave a command: an operator's name, or `apos` for the engine itself.
    OperatorName,
    "the operator name",
    checked
);

impl ConnectorAccount {
    /// The connector's part of the account: what stands before the first colon, or all of it.
    #[must_use]
    pub fn connector(&self) -> &str {
        self.0.split_once(':').map_or(self.0.as_str(), |(name, _)| name)
    }

    /// The connector, as a name; none where the account begins with the colon.
    #[must_use]
    pub fn connector_name(&self) -> Option<ConnectorName> {
        // Not parsed: what the log holds is folded as it is.
        let name = self.connector();
        (!name.is_empty()).then(|| ConnectorName(CompactString::from(name)))
    }

    /// The part after the colon (`mca_…`); empty where the account is a bare connector name.
    #[must_use]
    pub fn reference(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, reference)| reference)
    }

    /// The account a connector and its merchant-connector id name together.
    ///
    /// # Errors
    /// As [`ConnectorAccount::parse`].
    pub fn of(connector: &str, reference: Option<&str>) -> Result<Self, String> {
        match reference {
            Some(reference) => Self::parse(&format!("{connector}:{reference}")),
            None => Self::parse(connector),
        }
    }
}

macro_rules! serial_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl Serialize for $name {
            /// The id's text to people and peers; the number in our own encoding.
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                if to.is_human_readable() { to.collect_str(self) } else { self.0.serialize(to) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if from.is_human_readable() {
                    CompactString::deserialize(from)?.parse().map_err(serde::de::Error::custom)
                } else {
                    u64::deserialize(from).map(Self)
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl core::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                text.strip_prefix($prefix)
                    .and_then(|rest| rest.parse().ok())
                    .map(Self)
                    .ok_or_else(|| format!(concat!("`{}` is not an id such as ", $prefix, "17"), text))
            }
        }
    };
}

serial_id!(
    /// An action, numbered from 1 in the order of the log, so that people can say it to each other: `act-17`.
    ActionId,
    "act-"
);
serial_id!(
    /// An incident (an anomaly record), numbered from 1 in the order of the log: `inc-5`.
    IncidentId,
    "inc-"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_knows_its_connector() {
        let account = ConnectorAccount::parse("stripe:mca_1").unwrap();
        assert_eq!((account.connector(), account.reference()), ("stripe", "mca_1"));
        assert_eq!(account.connector_name(), ConnectorName::parse("stripe").ok());
        assert_eq!(ConnectorAccount::parse(":mca_1").unwrap().connector_name(), None);
        assert_eq!(ConnectorAccount::parse("adyen").unwrap().connector(), "adyen");
    }

    #[test]
    fn bad_identifiers_say_what_is_wrong() {
        assert!(PaymentId::parse("").unwrap_err().contains("empty"));
        assert!(PaymentId::parse("a b").unwrap_err().contains("white space"));
        for unseen in ["pay\u{202e}1", "pay\u{200b}1", "\u{feff}pay", "pay\u{2066}1", "pay\u{ad}1", "pay\u{1b}1"] {
            assert!(PaymentId::parse(unseen).unwrap_err().contains("not seen"), "{unseen:?}");
        }
        assert!(PaymentId::parse("Zahlung-münchen-日本").is_ok());
        assert!(PaymentId::parse(&"x".repeat(129)).unwrap_err().contains("129"));
    }

    #[test]
    fn nothing_is_named_by_a_persons_data_but_a_log_that_holds_such_ids_is_read() {
        fn check<T: serde::de::DeserializeOwned + AsRef<str>>(parse: impl Fn(&str) -> Result<T, String>, personal: &str) {
            let refused = parse(personal).map(|id| id.as_ref().to_owned()).unwrap_err();
            assert!(refused.contains("send the id") && !refused.contains(personal), "{refused}");
            assert!(serde_json::from_str::<T>(&format!("\"{personal}\"")).is_err());
            let stored = postcard::to_allocvec(personal).unwrap();
            assert_eq!(postcard::from_bytes::<T>(&stored).unwrap().as_ref(), personal);
        }
        for personal in ["4111111111111111", "ada@example.org"] {
            check(PaymentId::parse, personal);
            check(ProfileId::parse, personal);
            check(ConnectorName::parse, personal);
            check(ConnectorAccount::parse, personal);
        }
        check(ConnectorAccount::parse, "stripe:4111-1111-1111-1111");
        let account: ConnectorAccount = postcard::from_bytes(&postcard::to_allocvec("4111111111111111:a").unwrap()).unwrap();
        assert_eq!(account.connector_name().unwrap().as_str(), "4111111111111111", "it keeps its connector");
    }

    #[test]
    fn action_ids_read_back() {
        let id = ActionId(17);
        assert_eq!(id.to_string(), "act-17");
        assert_eq!("act-17".parse::<ActionId>(), Ok(id));
        assert!("inc-17".parse::<ActionId>().is_err());
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"act-17\"");
        assert_eq!(serde_json::from_str::<ActionId>("\"act-17\"").unwrap(), id);
        assert_eq!(postcard::from_bytes::<ActionId>(&postcard::to_allocvec(&id).unwrap()).unwrap(), id);
    }
}
