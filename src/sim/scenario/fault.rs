//! Faults: what goes wrong, when, where and how badly.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::field;
use crate::domain::{Bin, ConnectorName, ProfileId};

/// Kinds of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A connector answers with errors and time-outs. Strength: share of its attempts that fail; 0.98.
    Outage,
    /// A connector answers slowly and with errors now and then. Strength: share of its attempts that fail; 0.4.
    Brownout,
    /// A connector's latency is multiplied. Strength: the factor; 5.
    LatencySpike,
    /// One BIN fails, on one connector where one is named. Strength: share of these attempts that fail; 0.95.
    BinFailure,
    /// Traffic is multiplied, of one merchant where one is named. Strength: the factor; 4.
    TrafficSpike,
    /// Somebody tests stolen cards of one BIN at one merchant. Strength: such attempts for each ordinary one; 5.
    FraudBurst,
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
    /// The connector it hits: needed for an outage, brown-out or latency spike, possible for a failing BIN.
    #[serde(default)]
    pub connector: Option<ConnectorName>,
    /// The BIN it hits: needed for a failing BIN, possible for a fraud burst (by default the commonest).
    #[serde(default, deserialize_with = "field::optional_bin")]
    pub bin: Option<Bin>,
    /// The merchant it hits: possible for a traffic spike (by default all) and a fraud burst (by default the largest).
    #[serde(default)]
    pub merchant: Option<ProfileId>,
    /// How bad it is; what it measures is said with each kind.
    #[serde(default)]
    pub strength: Option<f64>,
}

impl FaultKind {
    /// The strength where none is given.
    const fn usual_strength(self) -> f64 {
        match self {
            Self::Outage => 0.98,
            Self::Brownout => 0.4,
            Self::BinFailure => 0.95,
            Self::LatencySpike | Self::FraudBurst => 5.0,
            Self::TrafficSpike => 4.0,
        }
    }

    /// Shares are at most 1; a factor beyond 100 is another world, not a fault.
    const fn allowed_strength(self) -> RangeInclusive<f64> {
        match self {
            Self::Outage | Self::Brownout | Self::BinFailure => 0.0..=1.0,
            Self::LatencySpike | Self::TrafficSpike => 1.0..=100.0,
            Self::FraudBurst => 0.1..=100.0,
        }
    }

    /// Which targets it (needs, may have), as (connector, bin, merchant).
    const fn targets(self) -> [(bool, bool); 3] {
        match self {
            Self::Outage | Self::Brownout | Self::LatencySpike => [(true, true), (false, false), (false, false)],
            Self::BinFailure => [(false, true), (true, true), (false, false)],
            Self::TrafficSpike => [(false, false), (false, false), (false, true)],
            Self::FraudBurst => [(false, false), (false, true), (false, true)],
        }
    }
}

impl Fault {
    /// How bad it is: as given, or as usual for its kind.
    #[must_use]
    pub fn strength(&self) -> f64 {
        self.strength.unwrap_or(self.kind.usual_strength())
    }

    /// Refuses a strength out of range, and targets that the kind lacks or cannot have.
    pub(super) fn check(&self) -> Result<(), String> {
        let allowed = self.kind.allowed_strength();
        if !allowed.contains(&self.strength()) {
            let (low, high) = (allowed.start(), allowed.end());
            return Err(format!("strength {} is out of range: allowed are {low} to {high}", self.strength()));
        }
        if self.lasts.is_zero() {
            return Err("`for` is out of range: a fault lasts 1ms or more".to_owned());
        }
        let given = [self.connector.is_some(), self.bin.is_some(), self.merchant.is_some()];
        for ((name, given), (needed, possible)) in
            ["connector", "bin", "merchant"].into_iter().zip(given).zip(self.kind.targets())
        {
            if needed && !given {
                return Err(format!("this kind of fault needs a `{name}`: say which one it hits"));
            }
            if given && !possible {
                return Err(format!("this kind of fault has no `{name}`: take the key out"));
            }
        }
        Ok(())
    }
}
