//! A point in time, as the log tells it.

use core::ops::{Add, Sub};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since the Unix epoch, UTC. The log's own time is monotone; nothing in the core reads a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Serialize for Time {
    /// RFC 3339 to people and peers, in full microseconds; the number in our own encoding.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(&self.timestamp()) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            let text = compact_str::CompactString::deserialize(from)?;
            Self::parse_rfc3339(&text).map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(from).map(Self)
        }
    }
}

impl Time {
    /// The Unix epoch; also "before anything happened" in a fresh state.
    pub const ZERO: Self = Self(0);

    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since the Unix epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// From whole seconds since the Unix epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Parses RFC 3339 (`2026-08-13T20:24:30.250Z`).
    ///
    /// # Errors
    /// A sentence that names what was found, when the text is not an RFC 3339 instant.
    pub fn parse_rfc3339(text: &str) -> Result<Self, String> {
        text.parse::<jiff::Timestamp>()
            .map(|stamp| Self(stamp.as_microsecond()))
            .map_err(|_| format!("`{text}` is not an RFC 3339 time such as 2026-08-13T20:24:30.250Z"))
    }

    /// The instant for formatting at an edge; the ends of the range are clamped to what `jiff` can show.
    #[must_use]
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc3339() {
        let time = Time::parse_rfc3339("2026-08-13T20:24:30.250Z").unwrap();
        assert_eq!(time.millis(), 1_786_652_670_250);
        assert_eq!(time.to_string(), "2026-08-13T20:24:30.250Z");
        assert!(Time::parse_rfc3339("yesterday").is_err());
    }

    #[test]
    fn people_read_rfc3339_and_the_log_keeps_the_number() {
        let time = Time::from_micros(1_786_652_670_250_001);
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(json, "\"2026-08-13T20:24:30.250001Z\"");
        assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
        let bytes = postcard::to_allocvec(&time).unwrap();
        assert_eq!(postcard::from_bytes::<i64>(&bytes).unwrap(), time.micros());
        assert_eq!(postcard::from_bytes::<Time>(&bytes).unwrap(), time);
    }

    #[test]
    fn a_span_never_runs_backwards() {
        let (early, late) = (Time::from_secs(10), Time::from_secs(12));
        assert_eq!(late.since(early), Duration::from_secs(2));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
