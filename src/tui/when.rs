//! A time as a person types it: a clock's time, a date, both, or so long before or after where they are.

use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::domain::Time;

/// What may be typed, for a refusal.
pub const FORMS: &str = "03:12, 03:12:07, 2026-08-13 03:12, 2026-08-13T03:12:07Z, -10m or +90s";

/// Reads a time. A clock's time alone is that of the day of `here`, or of the nearest day on which it lies within
/// `from` to `to`; what begins with a sign is counted from `here`.
///
/// # Errors
/// A sentence that says what may be typed.
pub fn parse(text: &str, zone: &TimeZone, here: Time, (from, to): (Time, Time)) -> Result<Time, String> {
    let text = text.trim();
    if let Some(span) = text.strip_prefix(['+', '-']) {
        let span = Duration::try_from(span.parse::<jiff::SignedDuration>().map_err(|_| refused(text))?);
        let span = span.map_err(|_| refused(text))?;
        return Ok(if text.starts_with('-') { here - span } else { here + span });
    }
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Ok(Time::from_micros(stamp.as_microsecond()));
    }
    if let Ok(clock) = text.parse::<civil::Time>() {
        let day = here.timestamp().to_zoned(zone.clone()).date();
        let on = |days: i64| {
            day.checked_add(jiff::Span::new().days(days)).ok().and_then(|day| instant(day.to_datetime(clock), zone))
        };
        let within = |time: &Time| (from..=to).contains(time);
        let days = std::iter::once(0).chain((1..=366).flat_map(|days| [-days, days]));
        return days.filter_map(on).find(within).or_else(|| on(0)).ok_or_else(|| refused(text));
    }
    let local = text.parse::<civil::DateTime>().or_else(|_| text.parse::<civil::Date>().map(|day| day.at(0, 0, 0, 0)));
    local.ok().and_then(|local| instant(local, zone)).ok_or_else(|| refused(text))
}

fn instant(local: civil::DateTime, zone: &TimeZone) -> Option<Time> {
    let stamp = local.to_zoned(zone.clone()).ok()?.timestamp();
    Some(Time::from_micros(stamp.as_microsecond()))
}

fn refused(text: &str) -> String {
    format!("`{text}` is not a time: write {FORMS}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let at = |text: &str| Time::parse_rfc3339(text).unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let (here, span) = (at("2026-08-13T01:30:00Z"), (at("2026-08-12T20:00:00Z"), at("2026-08-13T06:00:00Z")));
        let check = |typed: &str, meant: &str| assert_eq!(parse(typed, &zone, here, span), Ok(at(meant)), "{typed}");
        check("03:12", "2026-08-13T01:12:00Z");
        check("03:12:07", "2026-08-13T01:12:07Z");
        check("23:30", "2026-08-12T21:30:00Z");
        check("12:00", "2026-08-13T10:00:00Z");
        check("2026-08-13 03:12", "2026-08-13T01:12:00Z");
        check("2026-08-13T03:12:07", "2026-08-13T01:12:07Z");
        check("2026-08-13T03:12:07Z", "2026-08-13T03:12:07Z");
        check("2026-08-13", "2026-08-12T22:00:00Z");
        check("-10m", "2026-08-13T01:20:00Z");
        check(" +1h30m ", "2026-08-13T03:00:00Z");
        for typed in ["", "3 o'clock", "25:00", "-", "-x", "yesterday"] {
            assert!(parse(typed, &zone, here, span).unwrap_err().contains("03:12"), "{typed}");
        }
    }
}
