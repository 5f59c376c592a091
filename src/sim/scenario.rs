//! Scenario files: what a simulated world is like, and what goes wrong in it.
//!
//! Every field has a default, so that a file says only what is special about it; `config/scenarios/calm.toml` lists
//! every key with its default. A value that cannot be is refused with the file, the line, what is allowed and what
//! to do about it.

mod everyday;
pub mod fault;
mod field;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::domain::{Bin, ConnectorName, Country, Currency, Method, ProfileId, Time};

pub use fault::{Fault, FaultKind};
pub use field::parse_duration;

/// The scenarios inside the program, by name.
const EMBEDDED: [(&str, &str); 8] = [
    ("calm", include_str!("../../config/scenarios/calm.toml")),
    ("outage", include_str!("../../config/scenarios/outage.toml")),
    ("brownout", include_str!("../../config/scenarios/brownout.toml")),
    ("black-friday", include_str!("../../config/scenarios/black-friday.toml")),
    ("latency", include_str!("../../config/scenarios/latency.toml")),
    ("bin-failure", include_str!("../../config/scenarios/bin-failure.toml")),
    ("day", include_str!("../../config/scenarios/day.toml")),
    ("fraud-burst", include_str!("../../config/scenarios/fraud-burst.toml")),
];

/// The largest share of attempts that can succeed, whatever a file says: no connector approves everything, and the
/// logit of a rate of 1 is infinite.
const SUCCESS_MAX: f64 = 0.995;

/// Longest profile id (Hyperswitch's own limit) and connector name; an account, made of both, then fits its own limit.
const PROFILE_MAX: usize = 64;
const NAME_MAX: usize = 48;

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
    /// How long `apos simulate` runs it where the caller does not say.
    #[serde(deserialize_with = "field::duration")]
    pub duration: Duration,
    /// Amplitude of the daily season, 0 (flat) to 0.95: traffic peaks at 15:00 UTC and is lowest at 03:00.
    #[serde(deserialize_with = "field::amplitude")]
    pub season: f64,
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
    /// What the switch runs on.
    pub switch: Capacity,
    /// Connectors, by name. A file that names any names them all.
    pub connectors: BTreeMap<ConnectorName, Spanned<ConnectorProfile>>,
    /// Merchants of special interest; they come first in the order of size.
    #[serde(rename = "merchant")]
    pub listed: Vec<Spanned<MerchantProfile>>,
    /// What goes wrong.
    #[serde(rename = "fault")]
    pub faults: Vec<Spanned<Fault>>,
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
    #[error("no scenario is called `{name}`; there are {known}. Give one of these names, or the path of a scenario file")]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The file could not be read.
    #[error("the scenario file {} cannot be read; check the path, or give the name of an embedded scenario: {known}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The names there are.
        known: String,
        /// What the operating system says.
        source: std::io::Error,
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
        EMBEDDED.iter().map(|(name, _)| *name).collect()
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
        match EMBEDDED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(&format!("config/scenarios/{name}.toml"), text),
            None => Err(ScenarioError::UnknownName { name: name.to_owned(), known: Self::names().join(", ") }),
        }
    }

    /// The scenario in a file.
    ///
    /// # Errors
    /// When the file cannot be read or says something that cannot be; the error names the line.
    pub fn load(file: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(file).map_err(|source| ScenarioError::Unreadable {
            file: file.to_owned(),
            known: Self::names().join(", "),
            source,
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
            toml::from_str(text).map_err(|e| refused((e.span().unwrap_or_default(), e.message().to_owned())))?;
        scenario.check().map_err(refused)?;
        Ok(scenario)
    }

    /// What no single field can see: that names refer to something, and that every payment has somewhere to go.
    fn check(&self) -> Result<(), (Range<usize>, String)> {
        self.check_weights()?;
        self.check_connectors()?;
        self.check_merchants()?;
        for fault in &self.faults {
            self.check_fault(fault.get_ref()).map_err(|message| (fault.span(), message))?;
        }
        Ok(())
    }

    fn check_weights(&self) -> Result<(), (Range<usize>, String)> {
        field::check_weights("methods", &self.methods)?;
        field::check_weights("countries", &self.countries)?;
        field::check_weights("currencies", &self.currencies)
    }

    fn check_connectors(&self) -> Result<(), (Range<usize>, String)> {
        for (name, spanned) in &self.connectors {
            let connector = spanned.get_ref();
            let refuse = |message: String| Err((spanned.span(), format!("connector {name}: {message}")));
            if name.as_str().len() > NAME_MAX {
                return refuse(format!("the name is too long: allowed are up to {NAME_MAX} characters"));
            }
            if connector.latency_ms_p95 < connector.latency_ms {
                return refuse(format!("latency_ms_p95 must not be below latency_ms, {}", connector.latency_ms));
            }
            let most = (1.0 - self.customer_declines) * SUCCESS_MAX;
            if !(0.01..=most).contains(&connector.success) {
                return refuse(format!(
                    "success {} is out of range: allowed are 0.01 to {most:.3}, as customer_declines is {}",
                    connector.success, self.customer_declines
                ));
            }
        }
        self.check_coverage()
    }

    /// Every payment must have somewhere to go.
    fn check_coverage(&self) -> Result<(), (Range<usize>, String)> {
        let handled =
            |method, currency| self.connectors.values().any(|connector| connector.get_ref().handles(method, currency));
        let written = self.connectors.values().map(Spanned::span).find(|span| !span.is_empty());
        for &method in self.methods.get_ref().keys() {
            if let Some(currency) = self.currencies.get_ref().keys().find(|currency| !handled(method, **currency)) {
                let message = format!("no connector handles {method} in {currency}: add both to one, or take the method out");
                return Err((written.unwrap_or_else(|| self.methods.span()), message));
            }
        }
        Ok(())
    }

    fn check_merchants(&self) -> Result<(), (Range<usize>, String)> {
        if *self.pinned.get_ref() > self.merchants {
            return Err((
                self.pinned.span(),
                format!("pinned is out of range: allowed are 0 to {} (merchants)", self.merchants),
            ));
        }
        if self.merchants + self.listed.len() == 0 {
            return Err((self.pinned.span(), "there are no merchants: set merchants to 1 or more".to_owned()));
        }
        self.check_profiles()?;
        if let Some(first) = &self.pinned_first {
            self.known_connector(first.get_ref()).map_err(|message| (first.span(), message))?;
        }
        for merchant in &self.listed {
            for name in &merchant.get_ref().priority {
                self.known_connector(name).map_err(|message| (merchant.span(), message))?;
            }
        }
        Ok(())
    }

    fn check_profiles(&self) -> Result<(), (Range<usize>, String)> {
        let mut seen = BTreeSet::new();
        for merchant in &self.listed {
            let profile = &merchant.get_ref().profile;
            if profile.as_str().len() > PROFILE_MAX {
                return Err((
                    merchant.span(),
                    format!("the profile id is too long: allowed are up to {PROFILE_MAX} characters"),
                ));
            }
            if !seen.insert(profile) {
                return Err((merchant.span(), format!("the profile {profile} is listed twice: give each merchant its own")));
            }
        }
        Ok(())
    }

    fn check_fault(&self, fault: &Fault) -> Result<(), String> {
        fault.check()?;
        if let Some(name) = &fault.connector {
            self.known_connector(name)?;
        }
        if let Some(profile) = &fault.merchant
            && !self.all_merchants().iter().any(|merchant| merchant.profile == *profile)
        {
            let known: Vec<String> =
                self.all_merchants().iter().take(30).map(|merchant| merchant.profile.to_string()).collect();
            return Err(format!("no merchant is called `{profile}`: there are {}", known.join(", ")));
        }
        if let Some(bin) = fault.bin
            && !self.bins.iter().any(|range| range.bin == bin)
        {
            let known: Vec<String> = self.bins.iter().map(|range| range.bin.to_string()).collect();
            return Err(format!("no bin {bin} is met in this scenario: there are {}", known.join(", ")));
        }
        Ok(())
    }

    fn known_connector(&self, name: &ConnectorName) -> Result<(), String> {
        if self.connectors.contains_key(name) {
            return Ok(());
        }
        let known: Vec<&str> = self.connectors.keys().map(ConnectorName::as_str).collect();
        Err(format!("no connector is called `{name}`: there are {}", known.join(", ")))
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
