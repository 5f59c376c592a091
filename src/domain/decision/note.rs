//! What else shaped a decision, besides what its candidates tell.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Candidate, Weighed};
use crate::domain::RuleId;

/// What else shaped a decision. Variants are only ever added, at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The kill switch was pulled: the static order, whatever the engine thinks.
    KillSwitch,
    /// The merchant is in shadow: the static order was answered.
    Shadow {
        /// Index, among the candidates, of the one that the engine would have chosen.
        engine: u16,
    },
    /// Only a share of the payments is the engine's to route.
    Dial {
        /// That share, percent.
        percent: u8,
        /// Whether this payment is in it; else it got the static order.
        engine: bool,
    },
    /// Errors were high and wide: no exploration, no experiments, rules and proven connectors only.
    Conservative,
    /// The merchant's rule, where a static order was possible besides the engine's choice: what the propensity rests on.
    Ruling {
        /// The rule.
        rule: RuleId,
        /// Whether the caller asked for its order.
        in_order: bool,
        /// The accounts that it allows in its order, by their places in the request.
        order: Vec<u8>,
    },
    /// The payment is in an experiment.
    Experiment {
        /// The experiment.
        experiment: CompactString,
        /// The arm, which said how to choose.
        arm: CompactString,
        /// The payment's bucket, 0 to 9,999.
        bucket: u16,
    },
    /// An experiment's whole scope follows an arm that won.
    Promoted {
        /// The experiment.
        experiment: CompactString,
        /// The arm.
        arm: CompactString,
    },
    /// What each candidate costs, where fees are known or something other than success counted for the merchant: what that was.
    Objective(Weighed),
    /// A learnt model was in force, and had its part in the scores.
    Model {
        /// Its version.
        version: u32,
        /// How far it was believed, 0 to 1.
        weight: f32,
        /// What it said of each candidate, in their order, in 64ths of a logit; all of it counts times the weight. Empty: it
        /// says nothing of such a payment.
        steps: SmallVec<[i8; 16]>,
    },
}

impl Note {
    /// The version of the learnt model, of a note about one.
    #[must_use]
    pub const fn model(&self) -> Option<u32> {
        if let Self::Model { version, .. } = self { Some(*version) } else { None }
    }

    /// What it says, for people: one sentence without a full stop. `candidates` are those of its decision.
    #[must_use]
    pub fn sentence(&self, candidates: &[Candidate]) -> String {
        match self {
            Self::KillSwitch => "the kill switch is pulled: the static order was answered".to_owned(),
            Self::Shadow { engine } => match candidates.get(usize::from(*engine)) {
                Some(one) => format!("in shadow: the static order was answered, the engine would have chosen {}", one.account),
                None => "in shadow: the static order was answered".to_owned(),
            },
            Self::Dial { percent, engine: true } => format!("one of the {percent} % of payments that the engine routes"),
            Self::Dial { percent, engine: false } => {
                format!("the engine routes {percent} % of the payments, and not this one: the static order was answered")
            }
            Self::Conservative => {
                "routing was conservative: errors were high and wide, so nothing was explored and only proven connectors were \
                 used"
                    .to_owned()
            }
            Self::Experiment { experiment, arm, bucket } => {
                format!("chosen as arm {arm} of experiment {experiment} says, bucket {bucket}")
            }
            Self::Promoted { experiment, arm } => format!("chosen as arm {arm} says, which won experiment {experiment}"),
            Self::Ruling { rule, .. } => format!("the static order is that of the merchant's rule {rule}"),
            Self::Objective(_) => "chosen by expected value: fees and waiting counted beside success".to_owned(),
            Self::Model { version, steps, .. } if steps.is_empty() => {
                format!("the learnt model {version} was in force, and says nothing of such a payment")
            }
            Self::Model { version, weight, .. } => {
                format!("the learnt model {version} had its part in the scores, at a weight of {weight:.2}")
            }
        }
    }
}
