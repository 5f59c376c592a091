//! Faults: what goes wrong, when, where, how badly, and how it comes and goes.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::field;
use crate::domain::{Bin, ConnectorName, Currency, Issuer, Network, ProfileId};

/// Kinds of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A connector answers with errors and time-outs, for one merchant where one is named. Strength: share of its
    /// attempts that fail; 0.98.
    Outage,
    /// A connector answers slowly and with errors now and then. Strength: share of its attempts that fail; 0.4.
    Brownout,
    /// A connector refuses our certificate or credentials, for one merchant where one is named. Strength: share of
    /// attempts that fail; 1.
    CredentialsExpired,
    /// A connector's latency is multiplied. Strength: the factor; 5.
    LatencySpike,
    /// One BIN fails, on one connector where one is named, else everywhere: its issuer is down. Strength: share of
    /// these attempts that fail; 0.95.
    BinFailure,
    /// An issuer is down: all its BINs fail, on one connector where one is named. Strength: share of these attempts that
    /// fail; 0.95.
    IssuerOutage,
    /// A card network fails, on one connector where one is named. Strength: share of these attempts that fail; 0.9.
    SchemeOutage,
    /// A connector is misconfigured for one currency. Strength: share of these attempts that fail; 1.
    CurrencyFailure,
    /// The 3DS provider is slow: authenticated payments take longer and more customers give up. Strength: the factor
    /// on their latency; 8.
    ThreeDsSlow,
    /// A rule is deployed that puts one connector first, for one merchant where one is named. Strength: none.
    BadRule,
    /// Traffic is multiplied, of one merchant where one is named. Strength: the factor; 4.
    TrafficSpike,
    /// A merchant bills its subscribers at once: many payments without a customer, more without funds. Strength: such
    /// payments for each ordinary one of the merchant; 10.
    BillingRun,
    /// Somebody tests stolen cards of one BIN at one merchant: small amounts. Strength: such attempts for each
    /// ordinary one; 5.
    FraudBurst,
    /// Somebody tries made-up card numbers of one BIN at one merchant: nearly all are refused. Strength: as above; 10.
    BinAttack,
    /// Stolen accounts of one merchant buy dearly, and are charged back later. Strength: as above; 0.5.
    AccountTakeover,
    /// The switch sends its webhooks more than once. Strength: times each is sent; 3.
    WebhookStorm,
    /// Webhooks come late. Strength: seconds; 120.
    WebhookDelay,
    /// Webhooks are lost. Strength: share; 0.5.
    WebhookLoss,
    /// The switch's clock is behind, so that what it tells seems old. Strength: seconds; 90.
    ClockSkew,
    /// The log takes nothing (Redis down, disk full): what happens meanwhile is spooled and comes when it is back.
    LogDown,
    /// The leading replica is dead and no other has taken over: no ticks, no samples, no actions.
    LeaderDown,
    /// The tables' database is slow (PostgreSQL under load): rows fall behind, and nothing else. Strength: seconds that a
    /// write takes; 30.
    TablesSlow,
}

/// How a fault comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// There from its first moment to its last.
    #[default]
    Step,
    /// Grows evenly from nothing to its full strength at its end.
    Ramp,
    /// There for half of each `period`, gone for the other half.
    Flap,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its kind.
    pub kind: FaultKind,
    /// When it begins, after the scenario's start.
    #[serde(deserialize_with = "field::duration")]
    pub at: Duration,
    /// How long it lasts.
    #[serde(rename = "for", deserialize_with = "field::duration")]
    pub lasts: Duration,
    /// How it comes and goes.
    #[serde(default)]
    pub shape: Shape,
    /// The length of one coming and going of a flapping fault.
    #[serde(default = "a_minute", deserialize_with = "field::duration")]
    pub period: Duration,
    /// Whether it was announced (maintenance, a sale, a billing run): then nobody is to be called for it.
    #[serde(default)]
    pub planned: bool,
    /// The connector it hits.
    #[serde(default)]
    pub connector: Option<ConnectorName>,
    /// The BIN it hits; of fraud by default the commonest.
    #[serde(default, deserialize_with = "field::optional_bin")]
    pub bin: Option<Bin>,
    /// The issuer whose cards it hits.
    #[serde(default)]
    pub issuer: Option<Issuer>,
    /// The network it hits.
    #[serde(default)]
    pub network: Option<Network>,
    /// The currency it hits.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// The merchant it hits; by default all, of fraud and billing the largest.
    #[serde(default)]
    pub merchant: Option<ProfileId>,
    /// How bad it is; what it measures is said with each kind.
    #[serde(default)]
    pub strength: Option<f64>,
}

const fn a_minute() -> Duration {
    Duration::from_mins(1)
}

/// Whether a kind of fault takes a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Must,
    May,
    Never,
}

impl FaultKind {
    /// The strength where none is given.
    const fn usual_strength(self) -> f64 {
        match self {
            Self::Outage => 0.98,
            Self::Brownout => 0.4,
            Self::BinFailure | Self::IssuerOutage => 0.95,
            Self::SchemeOutage => 0.9,
            Self::CredentialsExpired | Self::CurrencyFailure | Self::BadRule | Self::LogDown | Self::LeaderDown => 1.0,
            Self::LatencySpike | Self::FraudBurst => 5.0,
            Self::TablesSlow => 30.0,
            Self::ThreeDsSlow => 8.0,
            Self::TrafficSpike => 4.0,
            Self::BillingRun | Self::BinAttack => 10.0,
            Self::AccountTakeover | Self::WebhookLoss => 0.5,
            Self::WebhookStorm => 3.0,
            Self::WebhookDelay => 120.0,
            Self::ClockSkew => 90.0,
        }
    }

    /// Shares are at most 1; a factor beyond 100, or an hour of delay, is another world, not a fault.
    const fn allowed_strength(self) -> RangeInclusive<f64> {
        match self {
            Self::Outage
            | Self::Brownout
            | Self::CredentialsExpired
            | Self::BinFailure
            | Self::IssuerOutage
            | Self::SchemeOutage
            | Self::CurrencyFailure
            | Self::WebhookLoss => 0.0..=1.0,
            Self::LatencySpike | Self::ThreeDsSlow | Self::TrafficSpike => 1.0..=100.0,
            Self::BillingRun | Self::FraudBurst | Self::BinAttack | Self::AccountTakeover => 0.1..=100.0,
            Self::BadRule | Self::LogDown | Self::LeaderDown => 1.0..=1.0,
            Self::WebhookStorm => 2.0..=10.0,
            Self::WebhookDelay | Self::ClockSkew | Self::TablesSlow => 1.0..=3_600.0,
        }
    }

    /// Which of connector, bin, issuer, network, currency and merchant it takes.
    const fn targets(self) -> [Takes; 6] {
        use Takes::{May, Must, Never};
        match self {
            Self::Outage | Self::CredentialsExpired | Self::BadRule => [Must, Never, Never, Never, Never, May],
            Self::Brownout | Self::LatencySpike => [Must, Never, Never, Never, Never, Never],
            Self::BinFailure => [May, Must, Never, Never, Never, Never],
            Self::IssuerOutage => [May, Never, Must, Never, Never, Never],
            Self::SchemeOutage => [May, Never, Never, Must, Never, Never],
            Self::CurrencyFailure => [Must, Never, Never, Never, Must, Never],
            Self::TrafficSpike | Self::BillingRun | Self::AccountTakeover => [Never, Never, Never, Never, Never, May],
            Self::FraudBurst | Self::BinAttack => [Never, May, Never, Never, Never, May],
            Self::ThreeDsSlow
            | Self::WebhookStorm
            | Self::WebhookDelay
            | Self::WebhookLoss
            | Self::ClockSkew
            | Self::LogDown
            | Self::LeaderDown
            | Self::TablesSlow => [Never; 6],
        }
    }

    /// Whether it ever comes halfway: half a bad rule or half a dead leader is none.
    const fn comes_gradually(self) -> bool {
        !matches!(self, Self::BadRule | Self::LogDown | Self::LeaderDown | Self::WebhookStorm)
    }
}

impl Fault {
    /// How bad it is at its worst: as given, or as usual for its kind.
    #[must_use]
    pub fn strength(&self) -> f64 {
        self.strength.unwrap_or(self.kind.usual_strength())
    }

    /// Refuses a strength or shape out of range, and targets that the kind lacks or cannot have.
    pub(super) fn check(&self) -> Result<(), String> {
        let allowed = self.kind.allowed_strength();
        if !allowed.contains(&self.strength()) {
            let (low, high) = (allowed.start(), allowed.end());
            return Err(format!("strength {} is out of range: allowed are {low} to {high}", self.strength()));
        }
        if self.lasts.is_zero() {
            return Err("`for` is out of range: a fault lasts 1ms or more".to_owned());
        }
        if self.shape == Shape::Ramp && !self.kind.comes_gradually() {
            return Err("such a fault is there or not: its shape is `step` or `flap`".to_owned());
        }
        if self.period < Duration::from_secs(2) || self.period > self.lasts.max(a_minute()) {
            return Err("`period` is out of range: allowed are 2s to the fault's own length".to_owned());
        }
        self.check_targets()
    }

    fn check_targets(&self) -> Result<(), String> {
        let given = [
            ("connector", self.connector.is_some()),
            ("bin", self.bin.is_some()),
            ("issuer", self.issuer.is_some()),
            ("network", self.network.is_some()),
            ("currency", self.currency.is_some()),
            ("merchant", self.merchant.is_some()),
        ];
        for ((name, given), takes) in given.into_iter().zip(self.kind.targets()) {
            if takes == Takes::Must && !given {
                return Err(format!("such a fault needs a `{name}`: say which one it hits"));
            }
            if takes == Takes::Never && given {
                return Err(format!("such a fault has no `{name}`: take the key out"));
            }
        }
        Ok(())
    }
}
