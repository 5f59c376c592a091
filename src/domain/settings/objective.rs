//! What a merchant wants of its routing besides success: what an approved payment is worth, what fees and waiting count.
//!
//! All of it is in shares of the payment's amount, so that one setting holds for every currency.

use serde::{Deserialize, Deserializer, Serialize};

use super::{number_within, percent};

/// Least share of its worth that an approved payment keeps when its fee is taken off. Where a fee eats the margin whole,
/// failing would be worth more than succeeding, and the dearest connector would be chosen for failing best.
const LEAST_NET: f64 = 0.01;

/// What a merchant's payments are routed for. By default success alone counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objective {
    /// What an approved payment is worth to the merchant, percent of its amount; above 0.
    #[serde(deserialize_with = "margin")]
    pub margin_percent: f64,
    /// How much a unit of fees counts beside a unit of that worth: 0 not at all, 1 as the money it is.
    #[serde(deserialize_with = "weight")]
    pub cost_weight: f64,
    /// What a second of waiting for the connector's answer costs, percent of the amount.
    #[serde(deserialize_with = "percent")]
    pub latency_percent_per_s: f64,
}

/// A margin, 0.1 to 1,000 percent: below, rounding decides; above, nothing but success would.
fn margin<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    number_within(from, 0.1, 1_000.0)
}

/// A weight, 0 to 100.
fn weight<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    number_within(from, 0.0, 100.0)
}

impl Default for Objective {
    fn default() -> Self {
        Self { margin_percent: 100.0, cost_weight: 0.0, latency_percent_per_s: 0.0 }
    }
}

impl Objective {
    /// Whether nothing but success counts.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.cost_weight <= 0.0 && self.latency_percent_per_s <= 0.0
    }

    /// What an approved attempt is worth with its fee taken off, in worths of an approved payment: 1 without a fee, never
    /// below a hundredth. `fee` is a share of the amount.
    #[must_use]
    pub fn net(&self, fee: f64) -> f64 {
        (1.0 - self.cost_weight * fee / self.margin()).max(LEAST_NET)
    }

    /// What waiting so many seconds costs, in worths of an approved payment.
    #[must_use]
    pub fn waiting(&self, seconds: f64) -> f64 {
        self.latency_percent_per_s / 100.0 * seconds / self.margin()
    }

    /// What an approved payment is worth, as a share of its amount.
    #[must_use]
    pub fn margin(&self) -> f64 {
        self.margin_percent / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_and_waiting_are_measured_in_worths_of_an_approved_payment() {
        let objective = Objective { margin_percent: 20.0, cost_weight: 1.0, latency_percent_per_s: 0.5 };
        assert!(!objective.is_success() && Objective::default().is_success());
        assert!((objective.net(0.02) - 0.9).abs() < 1e-12);
        assert!((objective.net(0.5) - LEAST_NET).abs() < 1e-12, "an approval is never worth less than a failure");
        assert!((objective.waiting(2.0) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn weights_out_of_range_are_refused() {
        for text in ["margin_percent = 0.0", "cost_weight = -1.0", "latency_percent_per_s = nan", "cost_weight = inf", "x = 1"]
        {
            assert!(toml::from_str::<Objective>(text).is_err(), "{text}");
        }
    }
}
