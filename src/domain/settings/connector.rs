//! What a connector can do, when it is not there, and what it costs.
//!
//! An empty list handles everything, and what is not known of a payment keeps no connector from it. A fee row is the
//! opposite: a condition about something that is not known does not hold, so that the fallback's fee is taken.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::percent;
use crate::domain::money::PAYMENT_MAX;
use crate::domain::{ConnectorAccount, Context, Country, Currency, Method, Money, Network, Time};

/// What stands for the countries of the European Economic Area in a list of countries: where interchange is capped, and what
/// fee schedules call "EEA cards".
const EEA: &str = "EEA";
const EEA_COUNTRIES: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU",
    "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// What a connector can do and what it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Connector {
    /// Methods it handles; empty: all.
    pub methods: Vec<Method>,
    /// Currencies it handles; empty: all.
    pub currencies: Vec<Currency>,
    /// Card networks it handles; empty: all.
    pub networks: Vec<Network>,
    /// Issuing countries it handles; empty: all.
    #[serde(deserialize_with = "countries")]
    pub countries: Vec<Country>,
    /// Amounts it handles, by currency; any amount of a currency that is not among them.
    #[serde(deserialize_with = "amounts")]
    pub amounts: BTreeMap<Currency, AmountRange>,
    /// Which payments it handles: with 3DS, without, or both.
    pub three_ds: ThreeDs,
    /// When it is planned to be out of use.
    #[serde(deserialize_with = "windows")]
    pub maintenance: Vec<Window>,
    /// Fixed fee per approved attempt, in minor units of the payment's currency, where no row of `fees` fits.
    pub fee_minor: u64,
    /// Fee per approved attempt, percent of the amount, where no row of `fees` fits.
    #[serde(deserialize_with = "percent")]
    pub fee_percent: f64,
    /// The fee table: the first row that fits a payment is its fee.
    pub fees: Vec<Fee>,
}

/// Amounts that are handled, in minor units of their currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AmountRange {
    /// The smallest.
    pub min: i64,
    /// The largest.
    pub max: i64,
}

impl Default for AmountRange {
    fn default() -> Self {
        Self { min: 0, max: PAYMENT_MAX }
    }
}

/// Which payments a connector handles, by whether the customer is authenticated by 3DS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum ThreeDs {
    /// Both.
    #[default]
    Both,
    /// Only those that ask for 3DS.
    Only,
    /// Only those that do not.
    Never,
}

/// A planned stretch of time in which a connector, or some of its accounts, are out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Out of use from then on.
    pub start: Time,
    /// In use again from then on.
    pub end: Time,
    /// The accounts, by what stands behind the colon of their names; empty: all.
    #[serde(default)]
    pub accounts: Vec<CompactString>,
}

/// A row of the fee table: what an approved attempt costs that fits all its lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Fee {
    /// Methods it is for; empty: all.
    pub methods: Vec<Method>,
    /// Card networks it is for; empty: all.
    pub networks: Vec<Network>,
    /// Issuing countries it is for; empty: all.
    #[serde(deserialize_with = "countries")]
    pub countries: Vec<Country>,
    /// Currencies it is for; empty: all. A fixed fee in minor units means something else in each.
    pub currencies: Vec<Currency>,
    /// Fixed part, in minor units of the payment's currency.
    pub fee_minor: u64,
    /// Percent of the amount.
    #[serde(deserialize_with = "percent")]
    pub fee_percent: f64,
}

impl Connector {
    /// Whether any fee of it is known.
    #[must_use]
    pub fn has_fees(&self) -> bool {
        self.fee_minor > 0 || self.fee_percent > 0.0 || !self.fees.is_empty()
    }

    /// What an approved attempt costs, in minor units of the amount's currency.
    #[must_use]
    pub fn fee(&self, context: &Context, amount: Money) -> f64 {
        let row = self.fees.iter().find(|row| row.fits(context, amount.currency));
        let (minor, percent) = row.map_or((self.fee_minor, self.fee_percent), |row| (row.fee_minor, row.fee_percent));
        #[expect(clippy::cast_precision_loss, reason = "an estimate: 2^53 minor units are beyond any payment")]
        let (minor, amount) = (minor as f64, amount.minor.unsigned_abs() as f64);
        minor + percent / 100.0 * amount
    }

    /// The end of the planned stretch that an account is in at a time, if it is in one.
    #[must_use]
    pub fn maintained_until(&self, account: &ConnectorAccount, at: Time) -> Option<Time> {
        let now = self.maintenance.iter().filter(|window| window.start <= at && at < window.end);
        now.filter(|window| window.covers(account)).map(|window| window.end).max()
    }

    /// The planned stretches that are not over at a time.
    pub fn planned(&self, at: Time) -> impl Iterator<Item = &Window> {
        self.maintenance.iter().filter(move |window| at < window.end)
    }
}

impl Window {
    /// Whether it is about this account.
    #[must_use]
    pub fn covers(&self, account: &ConnectorAccount) -> bool {
        self.accounts.is_empty() || self.accounts.iter().any(|reference| reference == account.reference())
    }
}

impl Fee {
    fn fits(&self, context: &Context, currency: Currency) -> bool {
        fits(&self.methods, context.method)
            && fits(&self.networks, context.network)
            && fits(&self.countries, context.country)
            && fits(&self.currencies, Some(currency))
    }
}

fn fits<T: PartialEq>(list: &[T], known: Option<T>) -> bool {
    list.is_empty() || known.is_some_and(|known| list.contains(&known))
}

/// Countries by their codes, or `EEA` for all of those.
fn countries<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Country>, D::Error> {
    if !from.is_human_readable() {
        return Vec::deserialize(from);
    }
    let words = Vec::<CompactString>::deserialize(from)?;
    let codes = words.iter().flat_map(|word| match word.as_str() {
        EEA => EEA_COUNTRIES.to_vec(),
        code => vec![code],
    });
    codes.map(|code| Country::parse(code).map_err(|problem| D::Error::custom(format!("{problem}, or {EEA}")))).collect()
}

/// Ranges whose ends are in order. Checked where a person wrote them; taken as they are from our own encoding.
fn amounts<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Currency, AmountRange>, D::Error> {
    let human = from.is_human_readable();
    let amounts = BTreeMap::<Currency, AmountRange>::deserialize(from)?;
    let wrong = amounts.iter().find(|(_, range)| range.min < 0 || range.min > range.max);
    match wrong.filter(|_| human) {
        Some((currency, AmountRange { min, max })) => {
            Err(D::Error::custom(format!("{min} to {max} is no range of {currency}: min must be 0 to max")))
        }
        None => Ok(amounts),
    }
}

/// Windows that end after they start. Checked as [`amounts`].
fn windows<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Window>, D::Error> {
    let human = from.is_human_readable();
    let windows = Vec::<Window>::deserialize(from)?;
    match windows.iter().find(|window| human && window.end <= window.start) {
        Some(Window { start, end, .. }) => {
            Err(D::Error::custom(format!("a maintenance window must end after it starts: {start} to {end}")))
        }
        None => Ok(windows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Recorded;
    use crate::domain::{ConnectorName, Settings};

    const FULL: &str = r#"
        networks = ["visa"]
        countries = ["US", "EEA"]
        amounts = { EUR = { min = 100, max = 500000 }, JPY = { max = 90000 } }
        three_ds = "never"
        fee_minor = 30
        fee_percent = 2.9
        maintenance = [{ start = "2026-08-13T20:00:00Z", end = "2026-08-13T22:00:00Z", accounts = ["mca_1"] }]
        [[fees]]
        methods = ["card"]
        networks = ["visa", "mastercard"]
        countries = ["EEA"]
        fee_minor = 10
        fee_percent = 0.5
        [[fees]]
        currencies = ["JPY"]
        fee_percent = 3.0
    "#;

    fn connector() -> Connector {
        toml::from_str(FULL).unwrap()
    }

    #[test]
    fn all_of_it_is_read_and_the_log_keeps_it() {
        let stripe = connector();
        assert_eq!((stripe.countries.len(), stripe.three_ds), (31, ThreeDs::Never));
        let settings =
            Settings { connectors: [(ConnectorName::parse("stripe").unwrap(), stripe)].into(), ..Settings::default() };
        let bytes = postcard::to_stdvec(&Recorded::from(settings.clone())).unwrap();
        assert_eq!(*postcard::from_bytes::<Recorded>(&bytes).unwrap(), settings);
        let bytes = postcard::to_stdvec(&settings).unwrap();
        assert_eq!(postcard::from_bytes::<Settings>(&bytes).unwrap(), settings);
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_value() {
        let check = |text: &str, told: &str| {
            let refused = toml::from_str::<Connector>(text).unwrap_err().to_string();
            assert!(refused.contains(told), "{refused}");
        };
        check("countries = [\"Europe\"]", "EEA");
        check("amounts = { EUR = { min = 5, max = 4 } }", "5 to 4 is no range of EUR");
        check("amounts = { EUR = { min = -1 } }", "-1 to");
        check("fees = [{ fee_percent = 101.0 }]", "allowed are 0 to 100");
        check("fees = [{ region = \"EEA\" }]", "unknown field `region`");
        check("three_ds = \"sometimes\"", "sometimes");
        let window = "maintenance = [{ start = \"2026-08-13T22:00:00Z\", end = \"2026-08-13T22:00:00Z\" }]";
        check(window, "must end after it starts");
    }

    #[test]
    fn the_first_row_that_fits_is_the_fee_and_what_is_unknown_fits_none() {
        let check = |context: Context, minor, currency: &str, expected: f64| {
            let fee = connector().fee(&context, Money::new(minor, Currency::parse(currency).unwrap()));
            assert!((fee - expected).abs() < 1e-9, "{context:?}: {fee}");
        };
        let known = Context {
            method: Some(Method::Card),
            network: Some(Network::Visa),
            country: Country::parse("DE").ok(),
            ..Context::default()
        };
        check(known, 10_000, "EUR", 60.0);
        check(Context { country: Country::parse("US").ok(), ..known }, 10_000, "EUR", 320.0);
        check(Context { country: None, ..known }, 10_000, "EUR", 320.0);
        check(Context::default(), 1_000, "JPY", 30.0);
    }

    #[test]
    fn maintenance_is_from_its_start_to_before_its_end_and_of_its_accounts() {
        let at = |text: &str| Time::parse_rfc3339(text).unwrap();
        let until = |account: &str, time: &str| {
            connector().maintained_until(&ConnectorAccount::parse(account).unwrap(), at(time)).map(Time::secs)
        };
        let end = Some(at("2026-08-13T22:00:00Z").secs());
        assert_eq!(until("stripe:mca_1", "2026-08-13T19:59:59Z"), None);
        assert_eq!(until("stripe:mca_1", "2026-08-13T20:00:00Z"), end);
        assert_eq!(until("stripe:mca_1", "2026-08-13T22:00:00Z"), None);
        assert_eq!(until("stripe:mca_2", "2026-08-13T21:00:00Z"), None);
    }
}
