//! Payment events: one fact about one attempt, as a source told it.

use std::fmt;
use std::time::Duration;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ConnectorAccount, Context, DeclineClass, EventId, EventKind, Money, PaymentId, ProfileId, Source, Time};

/// An ISO 3166-1 alpha-2 country code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Parses two letters, in either case.
    ///
    /// # Errors
    /// A sentence that names the text when it is not two ASCII letters.
    pub fn parse(code: &str) -> Result<Self, String> {
        match code.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(format!("`{code}` is not a two-letter country code such as DE")),
        }
    }

    /// The two letters, upper case.
    #[must_use]
    pub fn code(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.serialize_str(self.code()) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for Country {
    /// Two letters where a person or a peer wrote it; the two bytes from our own encoding.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            let code = CompactString::deserialize(from)?;
            Self::parse(&code).map_err(serde::de::Error::custom)
        } else {
            <[u8; 2]>::deserialize(from).map(Self)
        }
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// The first six to eight digits of a card number; never more of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bin(u32);

impl Bin {
    /// Below every BIN, for ranges.
    pub const LOWEST: Self = Self(0);
    /// Above every BIN, for ranges.
    pub const HIGHEST: Self = Self(u32::MAX);

    /// Parses six to eight digits.
    ///
    /// # Errors
    /// A sentence that gives the length found; never the digits, which could be a card number.
    pub fn parse(digits: &str) -> Result<Self, String> {
        if !(6..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("a BIN is six to eight digits; this has {} characters", digits.chars().count()));
        }
        digits.parse().map(Self).map_err(|_| "a BIN is six to eight digits".to_owned())
    }

    /// The digits as a number, for keys; a BIN with leading zeros is not issued.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Bin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Bin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// Whose fault it is.
    pub class: DeclineClass,
    /// The most specific code known (standardised, unified or the connector's own); never a free text.
    pub code: CompactString,
}

impl Decline {
    /// What stands for the code where none was told.
    pub const NO_CODE: &'static str = "unknown";
}

/// One fact about one attempt of one payment, as a source told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentEvent {
    /// Where it came from.
    pub source: Source,
    /// The sender's id of the event, where it has one: a repeat of it changes nothing.
    pub event_id: Option<EventId>,
    /// The merchant.
    pub profile: ProfileId,
    /// The payment.
    pub payment: PaymentId,
    /// The attempt's number from 1, where the source tells it.
    pub attempt: Option<u16>,
    /// The connector account that was used, where known.
    pub account: Option<ConnectorAccount>,
    /// What happened.
    pub kind: EventKind,
    /// The decline, on a failure.
    pub decline: Option<Decline>,
    /// The payment's amount, where the source tells it.
    pub amount: Option<Money>,
    /// What else is known of the payment.
    pub context: Context,
    /// How long the connector took to answer, in milliseconds, where known.
    pub latency_ms: Option<u32>,
    /// How many attempts the switch has made so far, where known: more than were seen are "attempts unseen".
    pub attempts_made: Option<u16>,
    /// When it happened by the source's clock; the log clamps it to its own time.
    pub occurred_at: Time,
}

/// An event older than this when it arrives teaches and counts in its own time, but says nothing about volume,
/// silence or latency now. A minute: longer than any healthy webhook delay, shorter than Hyperswitch's first retry.
pub const LATE_AFTER: Duration = Duration::from_mins(1);
