//! What counted in a decision besides success: fees and waiting, as they were when it was made.

use serde::{Deserialize, Serialize, Serializer};

use super::Decision;
use super::rough::told_fee;
use crate::domain::settings::Objective;

/// Steps of a latency within a factor of e: one is 4 %, less than an estimate of it is worth.
const STEPS: f64 = 24.0;

/// A latency as a decision keeps it: a step on a logarithmic scale, from 1 ms to 41 s in a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct LatencyStep(u8);

impl Serialize for LatencyStep {
    /// The step, in the log; to people and peers, whole milliseconds.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.serialize_f64(libm::round(self.ms())) } else { to.serialize_u8(self.0) }
    }
}

impl LatencyStep {
    /// The step nearest to a latency, given by the logarithm of its milliseconds; the ends of the scale stand for what is
    /// beyond them.
    #[must_use]
    pub fn of_log_ms(log_ms: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped; what is no number becomes 0")]
        let step = libm::round(log_ms * STEPS).clamp(0.0, 255.0) as u8;
        Self(step)
    }

    /// The latency, in milliseconds.
    #[must_use]
    pub fn ms(self) -> f64 {
        libm::exp(f64::from(self.0) / STEPS)
    }
}

/// What an attempt at a candidate costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The fee of an approved attempt, in minor units of the payment's currency.
    #[serde(rename = "fee_minor")]
    pub fee: f32,
    /// How long its answer usually takes.
    #[serde(rename = "latency_ms")]
    pub latency: LatencyStep,
}

/// What a decision's candidates cost, and what a merchant's objective made of that; the default one, which counts nothing but
/// success, where it had no part in the choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weighed {
    /// [`Objective::margin_percent`], as it was.
    pub margin_percent: f32,
    /// [`Objective::cost_weight`], as it was.
    pub cost_weight: f32,
    /// [`Objective::latency_percent_per_s`], as it was.
    pub latency_percent_per_s: f32,
    /// Index among the candidates of the one that success alone would have chosen.
    pub by_success: u16,
    /// What each costs, in the order of the candidates.
    pub costs: Vec<Cost>,
}

impl Weighed {
    /// The objective, as it was.
    #[must_use]
    pub fn objective(&self) -> Objective {
        Objective {
            margin_percent: f64::from(self.margin_percent),
            cost_weight: f64::from(self.cost_weight),
            latency_percent_per_s: f64::from(self.latency_percent_per_s),
        }
    }

    /// What an approved payment is worth, in minor units of its currency.
    #[must_use]
    pub fn worth(&self, decision: &Decision) -> f64 {
        self.objective().margin() * minor(decision)
    }

    /// What an attempt at a candidate is expected to be worth, fees and waiting taken off, in minor units.
    #[must_use]
    pub fn value(&self, decision: &Decision, index: usize) -> Option<f64> {
        let (candidate, cost) = (decision.candidates.get(index)?, self.costs.get(index)?);
        let value = cost.value(&self.objective(), minor(decision), candidate.expected);
        Some(value * self.worth(decision))
    }
}

impl Cost {
    /// A fee, in minor units, rounded as it will be told, and a latency.
    #[must_use]
    pub fn told(fee: f64, latency: LatencyStep) -> Self {
        Self { fee: told_fee(fee), latency }
    }

    /// What an attempt is worth whose probability of success is this, in worths of an approved payment: P × (1 − its fee) −
    /// waiting. `amount` is in minor units, above 0.
    #[must_use]
    pub fn value(self, objective: &Objective, amount: f64, probability: f64) -> f64 {
        probability * objective.net(f64::from(self.fee) / amount) - objective.waiting(self.latency.ms() / 1_000.0)
    }
}

/// The payment's amount in minor units.
fn minor(decision: &Decision) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an estimate: 2^53 minor units are beyond any payment")]
    let minor = decision.request.amount.minor as f64;
    minor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_kept_to_a_few_percent() {
        for ms in [1.0, 37.0, 250.0, 1_800.0, 40_000.0] {
            let kept = LatencyStep::of_log_ms(libm::log(ms)).ms();
            assert!((kept / ms - 1.0).abs() < 0.022, "{ms}: {kept}");
        }
        let cost = Cost { fee: 12.5, latency: LatencyStep::of_log_ms(libm::log(1_800.0)) };
        assert_eq!(serde_json::to_string(&cost).unwrap(), r#"{"fee_minor":12.5,"latency_ms":1808.0}"#);
        assert_eq!(postcard::from_bytes::<Cost>(&postcard::to_allocvec(&cost).unwrap()), Ok(cost));
        assert_eq!(LatencyStep::of_log_ms(-3.0), LatencyStep(0));
        assert_eq!(LatencyStep::of_log_ms(99.0), LatencyStep(255));
        assert_eq!(LatencyStep::of_log_ms(f64::NAN), LatencyStep(0));
    }
}
