//! Scenario files: what a simulated world is like, and what goes wrong in it.
//!
//! Every field has a default, so that a file says only what is special about it; `config/scenarios/calm.toml` lists
//! every key with its default. A value that cannot be is refused with the file, the line, what is allowed and what
//! to do about it.

mod check;
mod embedded;
mod everyday;
pub mod expect;
pub mod fault;
mod field;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compact_str::CompactString;
use serde::Deserialize;
use toml::Spanned;

use crate::domain::settings::{Experiment, experiments};
use crate::domain::{Bin, CardType, ConnectorName, Country, Currency, Issuer, Method, ProfileId, Time};

pub use expect::{Expectation, Expected, Need};
pub use fault::{Fault, FaultKind};
pub use field::parse_duration;

/// A simulated world's description.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Its name, as `--scenario` takes it.
    pub name: String,
    /// One sentence: what happens in it.
    pub description: String,
    /// The seed used where the caller gives none.
    pub seed: u64,
    /// Payments a second, mean over a day.
    #[serde(deserialize_with = "field::rate")]
    pub payments_per_s: f64,
    /// The simulated time it starts at.
    #[serde(deserialize_with = "field::instant")]
    pub start: Time,
    /// How long the world has been running when it starts: what is usual must be known before something is unusual.
    #[serde(deserialize_with = "field::duration")]
    pub warm_up: Duration,
    /// How long `apos simulate` runs it where the caller does not say; 1 ms or more.
    #[serde(deserialize_with = "field::span")]
    pub duration: Duration,
    /// Amplitude of the daily season, 0 (flat) to 0.95: traffic peaks at 15:00 UTC and is lowest at 03:00.
    #[serde(deserialize_with = "field::amplitude")]
    pub season: f64,
    /// Traffic of Saturdays and Sundays against that of other days.
    #[serde(deserialize_with = "field::factor")]
    pub weekend: f64,
    /// Coefficient of variation of the rate from minute to minute: 0 makes arrivals Poisson, more negative binomial.
    #[serde(deserialize_with = "field::deviation")]
    pub dispersion: f64,
    /// How many merchants there are besides those listed under `merchant`.
    #[serde(deserialize_with = "field::merchants")]
    pub merchants: usize,
    /// How many of those are pinned to a priority list.
    pub pinned: Spanned<usize>,
    /// The connector that pinned merchants have as their first choice; by default the cheapest one.
    pub pinned_first: Option<Spanned<ConnectorName>>,
    /// How unevenly traffic spreads over merchants: the k-th has a weight of 1 ÷ k^skew (Zipf).
    #[serde(deserialize_with = "field::skew")]
    pub merchant_skew: f64,
    /// Share of attempts that fail at the customer (no funds, wrong CVV), whatever the connector.
    #[serde(deserialize_with = "field::share")]
    pub customer_declines: f64,
    /// Share of a connector's own failures that are technical; the rest are issuers' (do not honour).
    #[serde(deserialize_with = "field::share")]
    pub technical: f64,
    /// Share of attempts the customer abandons (3DS left open): no answer ever comes.
    #[serde(deserialize_with = "field::share")]
    pub abandoned: f64,
    /// Share of card payments that are authenticated by 3DS.
    #[serde(deserialize_with = "field::share")]
    pub three_ds: f64,
    /// Share of card payments that merchants ask for by themselves: a stored card, no customer, no 3DS.
    #[serde(deserialize_with = "field::share")]
    pub merchant_initiated: f64,
    /// Share of failed payments that their customers try again, up to twice, 15 to 75 s later.
    #[serde(deserialize_with = "field::share")]
    pub customer_retries: f64,
    /// Whether the switch itself sends a payment on to the merchant's next account when a gateway failed: we are told
    /// of the last attempt alone.
    pub auto_retry: bool,
    /// Standard deviation, in logits, of what a (connector, method, country or BIN) adds to a connector's rate.
    #[serde(deserialize_with = "field::deviation")]
    pub slice_deviation: f64,
    /// Methods and how often each is used.
    pub methods: Spanned<BTreeMap<Method, f64>>,
    /// Countries and how often each is met.
    pub countries: Spanned<BTreeMap<Country, f64>>,
    /// Currencies merchants sell in, and how many of them do.
    pub currencies: Spanned<BTreeMap<Currency, f64>>,
    /// Amounts.
    pub ticket: Ticket,
    /// Cards.
    #[serde(rename = "bin")]
    pub bins: Vec<CardRange>,
    /// How outcomes reach us.
    pub outcomes: Outcomes,
    /// What follows an approval.
    pub aftermath: Aftermath,
    /// What the switch runs on.
    pub switch: Capacity,
    /// Connectors, by name. A file that names any names them all.
    pub connectors: BTreeMap<ConnectorName, Spanned<ConnectorProfile>>,
    /// Merchants of special interest; they come first in the order of size.
    #[serde(rename = "merchant")]
    pub listed: Vec<Spanned<MerchantProfile>>,
    /// Experiments that the engine runs, as `[experiments.NAME]` of the configuration has them.
    #[serde(deserialize_with = "experiments")]
    pub experiments: BTreeMap<CompactString, Experiment>,
    /// What goes wrong.
    #[serde(rename = "fault")]
    pub faults: Vec<Spanned<Fault>>,
    /// What the engine must achieve.
    #[serde(rename = "expect")]
    pub expectations: Vec<Spanned<Expectation>>,
}

/// How amounts are distributed: log-normal.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ticket {
    /// The median, in major units of the euro; other currencies by the reference rates.
    #[serde(deserialize_with = "field::positive")]
    pub median: f64,
    /// Standard deviation of its logarithm.
    #[serde(deserialize_with = "field::deviation")]
    pub sigma: f64,
}

/// A range of card numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardRange {
    /// Its first six to eight digits, in quotation marks.
    #[serde(deserialize_with = "field::bin")]
    pub bin: Bin,
    /// Where its cards are issued.
    pub country: Country,
    /// How often it is met among the cards of that country.
    #[serde(default = "field::one", deserialize_with = "field::positive")]
    pub weight: f64,
    /// How its cards are paid for.
    #[serde(default = "field::credit")]
    pub card_type: CardType,
    /// Who issues them.
    #[serde(default)]
    pub issuer: Option<Issuer>,
}

/// How outcomes reach us while no fault disturbs them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcomes {
    /// Share that comes late.
    #[serde(deserialize_with = "field::share")]
    pub late: f64,
    /// By how much, on average; exponentially distributed.
    #[serde(deserialize_with = "field::duration")]
    pub late_by: Duration,
    /// Share that never comes.
    #[serde(deserialize_with = "field::share")]
    pub lost: f64,
    /// How often a second the switch is asked for attempts that it hides; 0: never.
    #[serde(deserialize_with = "field::limit")]
    pub fetches_per_s: f64,
    /// How long after it became known that there are some it is asked at the earliest.
    #[serde(deserialize_with = "field::duration")]
    pub fetched_after: Duration,
}

/// What follows an approval.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aftermath {
    /// Share of authorised payments that are captured.
    #[serde(deserialize_with = "field::share")]
    pub captures: f64,
    /// How long after the approval.
    #[serde(deserialize_with = "field::duration")]
    pub capture_after: Duration,
    /// Share of approved payments that are refunded.
    #[serde(deserialize_with = "field::share")]
    pub refunds: f64,
    /// How long after the approval.
    #[serde(deserialize_with = "field::duration")]
    pub refund_after: Duration,
    /// Share of approved payments that are disputed; of fraud, most are.
    #[serde(deserialize_with = "field::share")]
    pub chargebacks: f64,
    /// How long after the approval.
    #[serde(deserialize_with = "field::duration")]
    pub chargeback_after: Duration,
}

/// What the switch runs on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capacity {
    /// Instances at the start.
    #[serde(deserialize_with = "field::instances")]
    pub instances: u16,
    /// Payments a second that fill one instance.
    #[serde(deserialize_with = "field::rate")]
    pub payments_per_s: f64,
}

/// What a connector is like.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectorProfile {
    /// Share of attempts that succeed over the scenario's ordinary traffic, the customers' own failures counted in.
    #[serde(deserialize_with = "field::share")]
    pub success: f64,
    /// Fixed fee for an approved attempt, minor units.
    pub fee_minor: u64,
    /// Fee for an approved attempt, percent of the amount.
    #[serde(deserialize_with = "field::percent")]
    pub fee_percent: f64,
    /// Median latency, milliseconds.
    #[serde(deserialize_with = "field::positive")]
    pub latency_ms: f64,
    /// 95th percentile of latency, milliseconds; not below the median.
    #[serde(deserialize_with = "field::positive")]
    pub latency_ms_p95: f64,
    /// Attempts a second it takes; what comes beyond is refused. 0: no limit.
    #[serde(deserialize_with = "field::limit")]
    pub limit_per_s: f64,
    /// Methods it handles; empty: all.
    pub methods: Vec<Method>,
    /// Currencies it handles; empty: all.
    pub currencies: Vec<Currency>,
}

/// A merchant of special interest.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantProfile {
    /// Its profile id; by convention `pro_` and a short word.
    pub profile: ProfileId,
    /// The name shown on screens.
    #[serde(default)]
    pub name: String,
    /// The currency it sells in; by default one of the scenario's.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// The connectors it is pinned to, first choice first; by default the bandit chooses.
    #[serde(default)]
    pub priority: Vec<ConnectorName>,
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// No embedded scenario has the name.
    #[error(
        "no scenario is called `{name}`{nearest}; there are {known}. Give one of these names, or the path of a scenario file"
    )]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The name that was probably meant, as a question; empty where none is near.
        nearest: String,
        /// The names there are.
        known: String,
    },
    /// The file could not be read.
    #[error("the scenario file {} cannot be read: {cause}; check the path, or give the name of an embedded scenario: {known}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The names there are.
        known: String,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// The file says something that cannot be.
    #[error("{file}:{line}: {message}. Correct that line; config/scenarios/calm.toml shows every key with its default")]
    Invalid {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what is allowed.
        message: String,
    },
}

impl Scenario {
    /// When the world's first event may happen: the start, less the time it warms up.
    #[must_use]
    pub fn origin(&self) -> Time {
        self.start - self.warm_up
    }

    /// Names of the embedded scenarios.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        embedded::ALL.iter().map(|(name, _)| *name).collect()
    }

    /// The scenario of a name, or else in a file: what `--scenario NAME|FILE` means.
    ///
    /// # Errors
    /// As [`Scenario::named`] for a plain word, as [`Scenario::load`] for what looks like a path.
    pub fn find(name_or_file: &str) -> Result<Self, ScenarioError> {
        let path = Path::new(name_or_file);
        let like_a_path = path.components().count() > 1 || path.extension().is_some();
        if like_a_path { Self::load(path) } else { Self::named(name_or_file) }
    }

    /// The embedded scenario of a name.
    ///
    /// # Errors
    /// When there is none of that name; the error lists those there are.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        match embedded::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(&format!("config/scenarios/{name}.toml"), text),
            None => Err(ScenarioError::UnknownName {
                name: name.to_owned(),
                nearest: place::nearest(name, &Self::names()),
                known: Self::names().join(", "),
            }),
        }
    }

    /// The scenario in a file.
    ///
    /// # Errors
    /// When the file cannot be read or says something that cannot be; the error names the line.
    pub fn load(file: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(file).map_err(|cause| ScenarioError::Unreadable {
            file: file.to_owned(),
            known: Self::names().join(", "),
            cause,
        })?;
        Self::parse(&file.display().to_string(), &text)
    }

    /// The scenario in a text; `file` is what errors call it.
    ///
    /// # Errors
    /// When the text says something that cannot be; the error names the line.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let refused = |(span, message): (Range<usize>, String)| ScenarioError::Invalid {
            file: file.to_owned(),
            line: text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1,
            message: message.trim_end_matches('.').replace('\n', "; "),
        };
        let scenario: Self =
            toml::from_str(text).map_err(|e| refused((e.span().unwrap_or_default(), place::in_words(e.message()))))?;
        scenario.check().map_err(|(span, message)| refused((place::of_key(text, span, &message), message)))?;
        Ok(scenario)
    }

    /// All merchants, the largest first: those the file lists, then as many others as it wants.
    pub(super) fn all_merchants(&self) -> Vec<MerchantProfile> {
        let mut all: Vec<MerchantProfile> = self.listed.iter().map(|merchant| merchant.get_ref().clone()).collect();
        let listed: BTreeSet<ProfileId> = all.iter().map(|merchant| merchant.profile.clone()).collect();
        let others = (0..).map_while(everyday::merchant).filter(|(profile, _)| !listed.contains(profile));
        all.extend(others.take(self.merchants).map(|(profile, name)| MerchantProfile {
            profile,
            name,
            currency: None,
            priority: Vec::new(),
        }));
        all
    }
}

impl ConnectorProfile {
    /// Whether it handles payments by a method in a currency.
    #[must_use]
    pub fn handles(&self, method: Method, currency: Currency) -> bool {
        (self.methods.is_empty() || self.methods.contains(&method))
            && (self.currencies.is_empty() || self.currencies.contains(&currency))
    }
}
