//! Expectations: what the engine must achieve in a scenario, so that the scenario is also a test.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::field;

/// A later part of the product that an expectation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Detection of more than rates, latency and volume on connectors, accounts, BINs and merchants.
    Eyes,
    /// Actions beyond priority lists, exclusions and instances.
    Hands,
}

/// One expectation, as a file writes it: one of the keys that say what is expected, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Part of the product that it waits for: until then it is reported as `not yet`, never as met.
    #[serde(default)]
    pub needs: Option<Need>,
    /// The fault it is about, counted from 1 in the order of the file.
    #[serde(default = "first")]
    pub fault: usize,
    /// An incident that the fault explains is opened within so long after the fault's start.
    #[serde(default, deserialize_with = "optional_duration")]
    pub detected_within: Option<Duration>,
    /// With `detected_within`: the slice it is opened on, such as `connector adyen`.
    #[serde(default)]
    pub slice: Option<String>,
    /// An action of this kind is proposed during the fault: `reorder_priority`, `exclude_account`, `restore_account`,
    /// `scale`.
    #[serde(default)]
    pub proposed: Option<String>,
    /// This arm of an experiment is proposed to be stopped, and no other.
    #[serde(default)]
    pub arm_stopped: Option<String>,
    /// Share of what a perfect reaction from detection on would have saved, against fixed priority, that was saved;
    /// 0 to 1.
    #[serde(default)]
    pub saved_share_at_least: Option<f64>,
    /// Share of payments that succeed; 0 to 1.
    #[serde(default)]
    pub success_rate_at_least: Option<f64>,
    /// Incidents that no fault explains.
    #[serde(default)]
    pub false_incidents_at_most: Option<usize>,
}

/// What is expected.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A fault, counted from 0, is noticed in time, on a slice where one is named.
    Detected {
        /// The fault.
        fault: usize,
        /// After its start.
        within: Duration,
        /// The slice, or any.
        slice: Option<String>,
    },
    /// An action of a kind is proposed during a fault, counted from 0.
    Proposed {
        /// The fault.
        fault: usize,
        /// The kind of its change.
        change: String,
    },
    /// An arm of an experiment is proposed to be stopped, and no other.
    ArmStopped(String),
    /// At least this share of the savable was saved.
    SavedShare(f64),
    /// At least this share of payments succeeds.
    SuccessRate(f64),
    /// At most so many incidents that no fault explains.
    FalseIncidents(usize),
}

const fn first() -> usize {
    1
}

fn optional_duration<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    field::duration(from).map(Some)
}

/// Kinds of change an action can make.
const CHANGES: [&str; 4] = ["reorder_priority", "exclude_account", "restore_account", "scale"];

impl Expectation {
    /// What is expected, of a scenario with so many faults.
    ///
    /// # Errors
    /// A sentence that says which keys do not go together, or which value cannot be.
    pub fn expected(&self, faults: usize) -> Result<Expected, String> {
        let fault = self.fault.checked_sub(1).ok_or("faults are counted from 1: there is no fault 0")?;
        let given: Vec<Expected> = [
            self.detected_within.map(|within| Expected::Detected { fault, within, slice: self.slice.clone() }),
            self.proposed.clone().map(|change| Expected::Proposed { fault, change }),
            self.arm_stopped.clone().map(Expected::ArmStopped),
            self.saved_share_at_least.map(Expected::SavedShare),
            self.success_rate_at_least.map(Expected::SuccessRate),
            self.false_incidents_at_most.map(Expected::FalseIncidents),
        ]
        .into_iter()
        .flatten()
        .collect();
        let [expected] = <[Expected; 1]>::try_from(given).map_err(|_| {
            "an expectation says one thing: give one of detected_within, proposed, arm_stopped, saved_share_at_least, \
             success_rate_at_least, false_incidents_at_most"
        })?;
        self.check(&expected, faults)?;
        Ok(expected)
    }

    fn check(&self, expected: &Expected, faults: usize) -> Result<(), String> {
        if self.slice.is_some() && !matches!(expected, Expected::Detected { .. }) {
            return Err("`slice` belongs to `detected_within`: take it out".to_owned());
        }
        match expected {
            Expected::Detected { fault, .. } | Expected::Proposed { fault, .. } if *fault >= faults => Err(match faults {
                0 => "it is about a fault, and this scenario has none: add a [[fault]], or take it out".to_owned(),
                _ => format!("there is no fault {}: this scenario has {faults}", fault.saturating_add(1)),
            }),
            Expected::Proposed { change, .. } if !CHANGES.contains(&change.as_str()) => {
                Err(format!("no action is called `{change}`: there are {}", CHANGES.join(", ")))
            }
            Expected::SavedShare(share) | Expected::SuccessRate(share) if !(0.0..=1.0).contains(share) => {
                let key = if self.saved_share_at_least.is_some() { "saved_share_at_least" } else { "success_rate_at_least" };
                Err(format!("{key} {share} is out of range: allowed are 0 to 1"))
            }
            _ => Ok(()),
        }
    }
}
