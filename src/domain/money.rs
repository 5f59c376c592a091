//! Money: whole minor units of one currency, never a float.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Country;

/// An ISO 4217 currency, by its alphabetic code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Parses an alphabetic ISO 4217 code, in either case.
    ///
    /// # Errors
    /// A sentence that names the code when ISO 4217 does not list it.
    pub fn parse(code: &str) -> Result<Self, String> {
        let upper = code.to_ascii_uppercase();
        iso_currency::Currency::from_code(&upper)
            .and_then(|_| <[u8; 3]>::try_from(upper.as_bytes()).ok())
            .map(Self)
            .ok_or_else(|| format!("`{code}` is not an ISO 4217 currency code such as EUR"))
    }

    /// The alphabetic code, upper case.
    #[must_use]
    pub fn code(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Digits after the decimal point: 2 for EUR, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn exponent(self) -> u32 {
        iso_currency::Currency::from_code(self.code()).and_then(iso_currency::Currency::exponent).map_or(2, u32::from)
    }

    /// Whether the currency is a country's own: ISO 4217 begins a national currency's code with its country's. `None` for
    /// what several countries share (`XOF`) or none has (`XAU`), except the euro.
    #[must_use]
    pub fn is_home(self, country: Country) -> Option<bool> {
        let [first, second, _] = self.0;
        match first {
            b'E' if second == b'U' => Some(EURO.contains(&country.code())),
            b'X' => None,
            _ => Some(country.code().as_bytes() == [first, second]),
        }
    }
}

/// Where the euro is the currency by law, from 2026-01-01: the members of the euro area, and Andorra, Monaco, San Marino and
/// the Holy See by agreement.
const EURO: [&str; 25] = [
    "AD", "AT", "BE", "BG", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR", "IE", "IT", "LT", "LU", "LV", "MC", "MT", "NL",
    "PT", "SI", "SK", "SM", "VA",
];

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.serialize_str(self.code()) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for Currency {
    /// Human-readable formats give the code; the binary one gives the three bytes that were written.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            let code = String::deserialize(from)?;
            Self::parse(&code).map_err(serde::de::Error::custom)
        } else {
            <[u8; 3]>::deserialize(from).map(Self)
        }
    }
}

/// An amount in minor units (cents, yen, fils) of one currency. May be negative: a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub minor: i64,
    /// The currency they are of.
    pub currency: Currency,
}

/// The largest amount of a payment that is accepted, in minor units: a trillion euros, or sixty million dollars' worth of
/// rupiah. More is a sender's mistake, and would drown every sum it enters; ninety thousand of it still fit an `i64`.
pub const PAYMENT_MAX: i64 = 100_000_000_000_000;

impl Money {
    /// The amount of a payment, as a sender tells it; 0 is a card that is only verified.
    ///
    /// # Errors
    /// A sentence that says what is allowed: 0 to [`PAYMENT_MAX`].
    pub fn of_payment(minor: i64, currency: Currency) -> Result<Self, String> {
        if (0..=PAYMENT_MAX).contains(&minor) {
            return Ok(Self::new(minor, currency));
        }
        Err(format!("{minor} is not the amount of a payment: allowed are 0 to {PAYMENT_MAX} minor units"))
    }

    /// So many minor units of a currency.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount in major units, for estimates and display only.
    #[must_use]
    pub fn major(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an estimate: 2^53 minor units are beyond any payment")]
        let minor = self.minor as f64;
        minor / f64::from(10_u32.pow(self.currency.exponent()))
    }
}

impl Money {
    /// As people read it, grouped; without its minor units from one hundred upwards: `EUR 1,204`, `EUR 65.40`.
    #[must_use]
    pub fn grouped(self) -> String {
        let major = self.major().abs();
        if major < 100.0 {
            return self.to_string();
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, not negative; saturates")]
        let digits = (libm::round(major) as u64).to_string();
        let mut text = format!("{} {}", self.currency, if self.minor < 0 { "-" } else { "" });
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    }
}

impl fmt::Display for Money {
    /// `EUR 65.40`, `JPY 1200`: grouping and symbols are the screen's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = self.currency.exponent();
        let unit = 10_i64.pow(exponent);
        let (sign, minor) = if self.minor < 0 { ("-", self.minor.unsigned_abs()) } else { ("", self.minor.unsigned_abs()) };
        let (whole, part) = (minor / unit.unsigned_abs(), minor % unit.unsigned_abs());
        if exponent == 0 {
            write!(f, "{} {sign}{whole}", self.currency)
        } else {
            write!(f, "{} {sign}{whole}.{part:0width$}", self.currency, width = exponent as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_exponent_of_its_currency() {
        let check = |minor, code, shown: &str| {
            assert_eq!(Money::new(minor, Currency::parse(code).unwrap()).to_string(), shown);
        };
        check(6540, "usd", "USD 65.40");
        check(-5, "EUR", "EUR -0.05");
        check(1200, "JPY", "JPY 1200");
        check(1234, "KWD", "KWD 1.234");
        let grouped = |minor| Money::new(minor, Currency::parse("EUR").unwrap()).grouped();
        assert_eq!([grouped(9_999), grouped(123_456_789), grouped(-123_456)], ["EUR 99.99", "EUR 1,234,568", "EUR -1,235"]);
        assert!(Currency::parse("EURO").is_err());
        assert!(Currency::parse("ZZZ").is_err());
    }

    #[test]
    fn a_currency_is_at_home_where_it_is_the_countrys_own() {
        let check = |currency: &str, country: &str, home: Option<bool>| {
            let is_home = Currency::parse(currency).unwrap().is_home(Country::parse(country).unwrap());
            assert_eq!(is_home, home, "{currency} in {country}");
        };
        check("USD", "US", Some(true));
        check("USD", "EC", Some(false));
        check("GBP", "DE", Some(false));
        check("EUR", "DE", Some(true));
        check("EUR", "SE", Some(false));
        check("XOF", "SN", None);
        assert!(EURO.is_sorted());
    }

    #[test]
    fn a_payment_has_an_amount_that_a_payment_can_have() {
        let of = |minor| Money::of_payment(minor, Currency::parse("EUR").unwrap());
        assert!([0, 1, PAYMENT_MAX].into_iter().all(|minor| of(minor).is_ok()));
        for minor in [-5, PAYMENT_MAX + 1, i64::MAX, i64::MIN] {
            assert!(of(minor).unwrap_err().contains("0 to 100000000000000"), "{minor}");
        }
    }
}
