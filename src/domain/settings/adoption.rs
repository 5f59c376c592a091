//! `[adoption]`: how much of the traffic the engine routes, and when it routes with care.

use serde::{Deserialize, Deserializer, Serialize};

use super::{share, whole};

/// A percentage of payments, 0 to 100, whole.
fn percentage<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    whole::<_, 0, 100>(from).map(|percent| u8::try_from(percent).unwrap_or(100))
}

/// The same, where it may be left out.
fn optional_percentage<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    match Option::<u64>::deserialize(from)? {
        None => Ok(None),
        Some(percent) if percent <= 100 => Ok(u8::try_from(percent).ok()),
        Some(percent) => Err(serde::de::Error::custom(format!("{percent} is out of range: allowed are 0 to 100"))),
    }
}

/// How much of the traffic the engine routes, at start; operators move it while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adoption {
    /// Share of payments that the engine routes, percent; the rest get the static order.
    #[serde(deserialize_with = "percentage")]
    pub dial: u8,
    /// Whether every payment gets the static order, and what the engine would have chosen is recorded beside it.
    pub shadow: bool,
    /// Whether everything gets the static order, whatever else is said.
    pub kill_switch: bool,
    /// Whether the engine routes with care while errors are high and wide.
    pub conservative: bool,
    /// How far the attempt rate of all traffic must be below what is usual for that, in points (0 to 1).
    #[serde(deserialize_with = "share")]
    pub conservative_drop: f64,
    /// Most payments that are then moved off the static order by their scores, percent.
    #[serde(deserialize_with = "percentage")]
    pub conservative_shift: u8,
    /// It is over when the rate has been back above half of that drop for so many seconds.
    #[serde(deserialize_with = "whole::<_, 5, 3_600>")]
    pub conservative_calm_s: u64,
}

impl Default for Adoption {
    fn default() -> Self {
        Self {
            dial: 100,
            shadow: false,
            kill_switch: false,
            conservative: true,
            conservative_drop: 0.25,
            conservative_shift: 50,
            conservative_calm_s: 60,
        }
    }
}

/// What one merchant has apart from all; what is absent follows all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MerchantAdoption {
    /// Share of its payments that the engine routes, percent.
    #[serde(deserialize_with = "optional_percentage")]
    pub dial: Option<u8>,
    /// Whether it is in shadow.
    pub shadow: Option<bool>,
}

impl MerchantAdoption {
    /// Whether it follows all in everything.
    #[must_use]
    pub const fn follows(self) -> bool {
        self.dial.is_none() && self.shadow.is_none()
    }
}
