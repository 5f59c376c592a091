//! Numbers, money and times as people read them.
//!
//! Ages and countdowns move in coarse steps: a screen on which nothing happens sends nothing.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::{Money, Time};
use crate::engine::snapshot::Evidence;

/// What stands where a figure does not exist.
pub const NONE: &str = "–";

/// A rate with one decimal: `91.2 %`.
#[must_use]
pub fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.into(), |v| format!("{:.1} %", v * 100.0))
}

/// A share in whole percent: `91 %`.
#[must_use]
pub fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.into(), |v| format!("{:.0} %", v * 100.0))
}

/// A whole number in groups of three: `12,408`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with as many decimals as its size deserves: `0.42`, `4.2`, `52`.
#[must_use]
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(whole(size)))
        }
        size if size >= 10.0 => format!("{value:.0}"),
        size if size >= 1.0 || size == 0.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, not negative; saturates")]
fn whole(value: f64) -> u64 {
    libm::round(value) as u64
}

/// Milliseconds: `212 ms`, `1.8 s`.
#[must_use]
pub fn latency(ms: Option<f64>) -> String {
    match ms {
        None => NONE.into(),
        Some(ms) if ms >= 1_000.0 => format!("{:.1} s", ms / 1_000.0),
        Some(ms) => format!("{ms:.0} ms"),
    }
}

/// An amount, grouped; without its minor units from one hundred upwards: `EUR 1,204`, `EUR 65.40`.
#[must_use]
pub fn money(amount: Money) -> String {
    amount.grouped()
}

/// Amounts by currency, the first three: `EUR 1,204 + USD 87.10`.
#[must_use]
pub fn amounts(list: &[Money]) -> String {
    /// A fourth currency would push the sentence off an 80-column line.
    const SHOWN: usize = 3;
    if list.is_empty() {
        return NONE.into();
    }
    let shown = list.iter().take(SHOWN).map(|amount| money(*amount));
    let more = list.len().checked_sub(SHOWN + 1).map(|beyond| format!("{} more", beyond + 1));
    shown.chain(more).collect::<Vec<_>>().join(" + ")
}

/// The largest amount, and how many other currencies there are: `EUR 1,204 +2 cur`. Largest by its number: no rates are known here.
#[must_use]
pub fn largest(list: &[Money]) -> String {
    let most = list.iter().copied().max_by(|a, b| a.major().total_cmp(&b.major()));
    match (most, list.len()) {
        (None, _) => NONE.into(),
        (Some(most), 1) => money(most),
        (Some(most), n) => format!("{} +{} cur", money(most), n - 1),
    }
}

/// A measured value in the unit its metric names.
#[must_use]
pub fn measure(metric: &str, value: f64) -> String {
    if metric.contains("rate") {
        percent(Some(value))
    } else if metric.contains("(ms)") {
        latency(Some(value))
    } else {
        number(value)
    }
}

/// The measurement in one line: value, sample, window, expectation, and how unlikely it is.
#[must_use]
pub fn evidence(evidence: &Evidence) -> String {
    let metric = &evidence.metric;
    // A count is its own sample: `4.0 of 2` would be no share of anything.
    let counts = metric.ends_with("a minute");
    // Customers' own declines are in no attempt rate that is judged, as they are in those of connectors' rows.
    let judged = if metric == "attempt rate" { " judged" } else { "" };
    let samples =
        if counts { format!(" ({} seen", count(evidence.samples)) } else { format!(" of {}{judged}", count(evidence.samples)) };
    format!(
        "{metric} {}{samples} in {} s{}, expected {}; by chance {}",
        measure(metric, evidence.observed),
        evidence.window_s,
        if counts { ")" } else { "" },
        measure(metric, evidence.baseline),
        chance(evidence.probability),
    )
}

/// A probability: `12 %`, `0.3 %`, `1 in 10^9`.
#[must_use]
pub fn chance(probability: f64) -> String {
    if probability >= 0.01 {
        percent(Some(probability))
    } else if probability >= 0.000_1 {
        format!("{:.2} %", probability * 100.0)
    } else if probability > 0.0 {
        format!("1 in 10^{:.0}", -libm::log10(probability))
    } else {
        // The smallest a float can tell apart from nothing.
        "less than 1 in 10^300".into()
    }
}

/// How sure a proposal is: certainty is never claimed.
#[must_use]
pub fn confidence(value: f64) -> String {
    if value > 0.99 { "over 99 %".into() } else { percent(Some(value)) }
}

/// An age in coarse steps: `now`, `4 min`, `3 h`, `2 d`.
#[must_use]
pub fn age(span: Duration) -> String {
    match span.as_secs() {
        0..60 => "now".into(),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..86_400 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// How long ago something was, in the same steps: `under a minute ago`, `4 min ago`.
#[must_use]
pub fn ago(span: Duration) -> String {
    if span < Duration::from_mins(1) { "under a minute ago".into() } else { format!("{} ago", age(span)) }
}

/// What is left, in coarse steps: minutes, and in the last one tens of seconds.
#[must_use]
pub fn left(span: Duration) -> String {
    match span.as_secs() {
        s if s >= 60 => format!("{} min", s / 60),
        s => format!("{} s", s.div_ceil(10) * 10),
    }
}

/// What is left, to the second: `4:32`.
#[must_use]
pub fn left_exactly(span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds >= 3_600 {
        format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    } else {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }
}

/// The minute: `03:14`.
#[must_use]
pub fn minute(at: Time, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%H:%M").to_string()
}

/// The second: `03:14:07`.
#[must_use]
pub fn second(at: Time, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%H:%M:%S").to_string()
}

/// The millisecond: `03:14:07.120`.
#[must_use]
pub fn instant(at: Time, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%H:%M:%S.%3f").to_string()
}

/// The day: `2026-08-13`.
#[must_use]
pub fn date(at: Time, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%Y-%m-%d").to_string()
}

/// The offset from UTC in force then: `+00:00`.
#[must_use]
pub fn offset(at: Time, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%:z").to_string()
}

fn zoned(at: Time, zone: &TimeZone) -> jiff::Zoned {
    at.timestamp().to_zoned(zone.clone())
}

/// `1 action`, `3 actions`.
#[must_use]
pub fn plural(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {one}s", count(n as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    #[test]
    fn figures_read_well() {
        assert_eq!([count(7), count(999), count(1_000), count(1_234_567)], ["7", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [number(0.0), number(0.42), number(4.21), number(51.7), number(-12_345.0)],
            ["0.0", "0.42", "4.2", "52", "-12,345"]
        );
        assert_eq!([rate(Some(0.9123)), rate(None), percent(Some(0.005))], ["91.2 %", NONE, "0 %"]);
        assert_eq!([latency(Some(212.4)), latency(Some(1_840.0))], ["212 ms", "1.8 s"]);
        assert_eq!(
            [chance(0.2), chance(0.003), chance(1e-9), chance(0.0)],
            ["20 %", "0.30 %", "1 in 10^9", "less than 1 in 10^300"]
        );
        assert_eq!([plural(1, "action"), plural(2, "action")], ["1 action", "2 actions"]);
    }

    #[test]
    fn money_drops_cents_where_they_do_not_matter() {
        let check = |minor, code, shown: &str| assert_eq!(money(Money::new(minor, Currency::parse(code).unwrap())), shown);
        check(6_540, "EUR", "EUR 65.40");
        check(123_456_789, "EUR", "EUR 1,234,568");
        check(-123_456, "USD", "USD -1,235");
        check(12_000, "JPY", "JPY 12,000");
    }

    #[test]
    fn spans_move_in_coarse_steps() {
        let s = Duration::from_secs;
        assert_eq!([ago(s(59)), ago(s(60))], ["under a minute ago", "1 min ago"]);
        assert_eq!([age(s(59)), age(s(60)), age(s(7_300)), age(s(200_000))], ["now", "1 min", "2 h", "2 d"]);
        assert_eq!([left(s(272)), left(s(59)), left(s(1)), left(s(0))], ["4 min", "60 s", "10 s", "0 s"]);
        assert_eq!([left_exactly(s(272)), left_exactly(s(3_661))], ["4:32", "1:01:01"]);
    }

    #[test]
    fn times_know_their_offset() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        let at = Time::parse_rfc3339("2026-08-13T02:04:05Z").unwrap();
        assert_eq!([minute(at, &zone), second(at, &zone), offset(at, &zone)], ["23:04", "23:04:05", "-03:00"]);
        assert_eq!(instant(at + Duration::from_micros(120_999), &zone), "23:04:05.120");
    }
}
