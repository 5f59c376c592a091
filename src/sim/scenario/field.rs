//! Single values of a scenario file, refused with what is allowed; the file's line is named by the parser around it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::domain::{Bin, CardType, Time};

/// Units of a duration and their length in microseconds.
const UNITS: [(&str, u64); 5] =
    [("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

/// The longest duration accepted, a year: simulated days are what scenarios are made of.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Reads `90s`, `8m`, `1h30m`, `250ms`, `2d`.
///
/// # Errors
/// A sentence that names the text and what is allowed.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let refuse = || format!("`{text}` is not a duration: write whole numbers with ms, s, m, h or d, such as 90s or 1h30m");
    let (mut rest, mut micros) = (text.trim(), 0_u64);
    if rest.is_empty() {
        return Err(refuse());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let length = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, length)| *length);
        let part = length.and_then(|length| number.parse::<u64>().ok()?.checked_mul(length)).ok_or_else(refuse)?;
        micros = micros.checked_add(part).ok_or_else(refuse)?;
        rest = &rest[digits + letters..];
    }
    let duration = Duration::from_micros(micros);
    if duration > LONGEST { Err(format!("`{text}` is out of range: allowed are durations up to 365d")) } else { Ok(duration) }
}

pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(from)?).map_err(Error::custom)
}

/// A duration in which something can happen.
pub(super) fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    match duration(from)? {
        Duration::ZERO => Err(Error::custom("0s is out of range: allowed are durations from 1ms to 365d")),
        span => Ok(span),
    }
}

pub(super) fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    Time::parse_rfc3339(&String::deserialize(from)?).map_err(Error::custom)
}

pub(super) fn bin<'de, D: Deserializer<'de>>(from: D) -> Result<Bin, D::Error> {
    Bin::parse(&String::deserialize(from)?).map_err(Error::custom)
}

pub(super) fn optional_bin<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bin>, D::Error> {
    bin(from).map(Some)
}

/// A rate a second: below 0.01 nothing happens within a minute; above 20,000 no two cores keep up at ×1.
pub(super) fn rate<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    within(f64::deserialize(from)?, 0.01..=20_000.0)
}

pub(super) fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    within(f64::deserialize(from)?, 0.0..=1.0)
}

/// The season's amplitude: below 1, or the night would have no traffic at all and the next arrival no time.
pub(super) fn amplitude<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    within(f64::deserialize(from)?, 0.0..=0.95)
}

/// A factor on traffic: a weekend of nothing would leave the next arrival without a time.
pub(super) fn factor<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    within(f64::deserialize(from)?, 0.05..=20.0)
}

/// A rate limit; 0 is none.
pub(super) fn limit<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    within(f64::deserialize(from)?, 0.0..=100_000.0)
}

pub(super) fn percent<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    within(f64::deserialize(from)?, 0.0..=100.0)
}

pub(super) fn positive<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    within(f64::deserialize(from)?, 0.01..=1_000_000.0)
}

/// Standard deviations of logarithms and logits: at 3 the values differ by e³ = 20 already.
pub(super) fn deviation<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    within(f64::deserialize(from)?, 0.0..=3.0)
}

/// The Zipf exponent: at 3 the largest merchant has five sixths of all traffic.
pub(super) fn skew<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    within(f64::deserialize(from)?, 0.0..=3.0)
}

pub(super) fn merchants<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    within(usize::deserialize(from)?, 0..=100_000)
}

pub(super) fn instances<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    within(u16::deserialize(from)?, 1..=10_000)
}

pub(super) const fn one() -> f64 {
    1.0
}

pub(super) const fn credit() -> CardType {
    CardType::Credit
}

fn within<T: PartialOrd + Display, E: Error>(value: T, allowed: std::ops::RangeInclusive<T>) -> Result<T, E> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    Err(E::custom(format!("{value} is out of range: allowed are {} to {}", allowed.start(), allowed.end())))
}

/// Weights of a table must be positive numbers, and at least one.
pub(super) fn check_weights<K: Display>(name: &str, table: &Spanned<BTreeMap<K, f64>>) -> Result<(), (Range<usize>, String)> {
    let refuse = |message: String| Err((table.span(), message));
    if table.get_ref().is_empty() {
        return refuse(format!("{name} is empty: give at least one, such as a name and a weight of 1.0"));
    }
    for (key, weight) in table.get_ref() {
        if !(weight.is_finite() && *weight > 0.0) {
            return refuse(format!("{name}: the weight {weight} of {key} is out of range: allowed are numbers above 0"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let check = |text: &str, seconds: f64| assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        check("90s", 90.0);
        check("8m", 480.0);
        check("1h30m", 5_400.0);
        check("250ms", 0.25);
        check("2d", 172_800.0);
        for wrong in ["", "8", "m", "8 m", "-3s", "1y", "1.5h", "3600000000000d", "366d"] {
            assert!(parse_duration(wrong).is_err_and(|message| message.contains(wrong)), "{wrong}");
        }
    }
}
