//! `[learning]`: the model that is trained beside the fold.

use serde::{Deserialize, Serialize};

use super::{factor, whole};

/// The learnt model: when it is trained, on what, and what it has to show before it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Learning {
    /// Whether the leader trains models, and whether one that proved itself counts in decisions: nothing has shown yet that
    /// routing is better with one, so it is switched on deliberately.
    pub enabled: bool,
    /// A model is trained again after so many seconds of log time.
    #[serde(deserialize_with = "whole::<_, 10, 2_592_000>")]
    pub interval_s: u64,
    /// After a model failed, or traffic changed, it is trained again after so many seconds: what has changed must show in
    /// what is trained on.
    #[serde(deserialize_with = "whole::<_, 1, 2_592_000>")]
    pub retry_s: u64,
    /// How many of the latest outcomes are kept to train on.
    #[serde(deserialize_with = "whole::<_, 1_000, 200_000>")]
    pub window: u64,
    /// No model is trained on fewer.
    #[serde(deserialize_with = "whole::<_, 500, 200_000>")]
    pub min_outcomes: u64,
    /// Outcomes over which a new model must beat what is in place.
    #[serde(deserialize_with = "whole::<_, 100, 100_000>")]
    pub trial_outcomes: u64,
    /// Population stability index above which traffic is no longer what a model was trained on.
    #[serde(deserialize_with = "factor")]
    pub max_psi: f64,
}

impl Default for Learning {
    fn default() -> Self {
        Self {
            enabled: false,
            interval_s: 21_600,
            retry_s: 900,
            window: 50_000,
            min_outcomes: 5_000,
            trial_outcomes: 2_000,
            max_psi: 0.25,
        }
    }
}
