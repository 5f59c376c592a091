//! `POST /rule/*`: the peer's rules for a merchant, kept and given back as they were stored.
//!
//! Hyperswitch writes them when a profile switches dynamic routing on. They tune the peer's own algorithms (windows,
//! hedging, elimination), which this product does not run; they are kept so that what was written can be read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::json::BadField;
use crate::domain::ProfileId;

/// `POST /rule/create` and `/rule/update`.
#[derive(Debug, Deserialize)]
pub struct RuleRequest {
    /// The profile.
    pub merchant_id: ProfileId,
    /// The rule.
    pub config: Rule,
}

/// `POST /rule/get` and `/rule/delete`.
#[derive(Debug, Deserialize)]
pub struct RuleQuery {
    /// The profile.
    pub merchant_id: ProfileId,
    /// The rule's kind.
    pub algorithm: RuleKind,
}

/// The kinds of rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RuleKind {
    /// Success rates.
    SuccessRate,
    /// Elimination of failing gateways.
    Elimination,
}

impl RuleKind {
    /// The peer's word, under which the rule is kept.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SuccessRate => "successRate",
            Self::Elimination => "elimination",
        }
    }

    /// The rule's name in the peer's sentences.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::SuccessRate => "Success Rate Configuration",
            Self::Elimination => "Elimination Configuration",
        }
    }
}

/// A rule, with every field the peer gives back.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", content = "data", rename_all = "camelCase")]
pub enum Rule {
    /// Success rates.
    SuccessRate(SuccessRate),
    /// Elimination of failing gateways.
    Elimination(Elimination),
}

impl Rule {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> RuleKind {
        match self {
            Self::SuccessRate(_) => RuleKind::SuccessRate,
            Self::Elimination(_) => RuleKind::Elimination,
        }
    }

    /// Refuses a rule that no success rate can meet, and numbers of which none is below 0.
    ///
    /// # Errors
    /// The field that cannot be.
    pub fn checked(&self) -> Result<(), BadField> {
        match self {
            Self::Elimination(Elimination { threshold, .. }) if !(0.0..=1.0).contains(threshold) => {
                Err(BadField::new("config.data.threshold", format!("{threshold} is no share: allowed are 0 to 1")))
            }
            Self::Elimination(rule) => {
                let latency = rule.txn_latency.as_ref().and_then(|latency| latency.get("gatewayLatency")?.as_f64());
                not_negative("config.data.txnLatency", &[("gatewayLatency", latency)])
            }
            Self::SuccessRate(rule) => rule.checked(),
        }
    }
}

impl SuccessRate {
    fn checked(&self) -> Result<(), BadField> {
        let own = [
            ("defaultLatencyThreshold", self.default_latency_threshold),
            ("defaultBucketSize", self.default_bucket_size.map(f64::from)),
            ("defaultHedgingPercent", self.default_hedging_percent),
            ("defaultLowerResetFactor", self.default_lower_reset_factor),
            ("defaultUpperResetFactor", self.default_upper_reset_factor),
            ("margin", self.margin),
        ];
        not_negative("config.data", &own)?;
        let mut levels = self.sub_level_input_config.iter().flatten().enumerate();
        levels.try_for_each(|(n, level)| level.checked(&format!("config.data.subLevelInputConfig[{n}]")))
    }
}

impl SubLevel {
    fn checked(&self, place: &str) -> Result<(), BadField> {
        let own = [
            ("latencyThreshold", self.latency_threshold),
            ("bucketSize", self.bucket_size.map(f64::from)),
            ("hedgingPercent", self.hedging_percent),
            ("lowerResetFactor", self.lower_reset_factor),
            ("upperResetFactor", self.upper_reset_factor),
        ];
        not_negative(place, &own)
    }
}

/// Refuses the first number below 0, by its field.
fn not_negative(place: &str, numbers: &[(&str, Option<f64>)]) -> Result<(), BadField> {
    match numbers.iter().find_map(|(field, number)| Some((field, (*number).filter(|number| *number < 0.0)?))) {
        Some((field, number)) => Err(BadField::new(format!("{place}.{field}"), format!("{number} is below 0"))),
        None => Ok(()),
    }
}

/// The peer's windows of success rates. Numbers are kept as they were written.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the peer's fields, which nothing here reads")]
pub struct SuccessRate {
    pub default_latency_threshold: Option<f64>,
    pub default_bucket_size: Option<i32>,
    pub default_hedging_percent: Option<f64>,
    pub default_lower_reset_factor: Option<f64>,
    pub default_upper_reset_factor: Option<f64>,
    pub default_gateway_extra_score: Option<Value>,
    pub sub_level_input_config: Option<Vec<SubLevel>>,
    pub margin: Option<f64>,
}

/// The same for one payment method.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the peer's fields, which nothing here reads")]
pub struct SubLevel {
    pub payment_method_type: Option<String>,
    pub payment_method: Option<String>,
    pub latency_threshold: Option<f64>,
    pub bucket_size: Option<i32>,
    pub hedging_percent: Option<f64>,
    pub lower_reset_factor: Option<f64>,
    pub upper_reset_factor: Option<f64>,
    pub gateway_extra_score: Option<Value>,
}

/// The peer's elimination of failing gateways.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the peer's fields, which nothing here reads")]
pub struct Elimination {
    pub threshold: f64,
    pub txn_latency: Option<Value>,
}

/// `{code, message, data}`: how the peer refuses on its rule and merchant routes.
#[derive(Debug, Serialize)]
pub struct RuleError<'a> {
    /// The peer's code.
    pub code: &'static str,
    /// A sentence.
    pub message: &'a str,
    /// Always null.
    pub data: Option<()>,
}
