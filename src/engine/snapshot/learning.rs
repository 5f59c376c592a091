//! What screens and the API see of the learnt model.

use compact_str::CompactString;
use serde::Serialize;

use crate::domain::Time;
use crate::domain::model::{Metrics, Window};

/// The learnt model, and how well scores do.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct LearningView {
    /// Whether models are trained and count.
    pub enabled: bool,
    /// What is wrong with the model, and what happens meanwhile; none while nothing is.
    pub alert: Option<String>,
    /// Outcomes kept to train on.
    pub outcomes: u64,
    /// When a model is to be trained next; in the past: it is being trained. None while there is too little to train on.
    pub next_training: Option<Time>,
    /// The model in force, or the last that was.
    pub champion: Option<ModelRow>,
    /// The model on trial.
    pub challenger: Option<ModelRow>,
    /// Models that are over, the newest last; at most 12.
    pub past: Vec<ModelRow>,
    /// What decisions showed, against what happened: ten bins of the latest 10,000 to 20,000 outcomes; empty bins left out.
    pub calibration: Vec<CalibrationRow>,
    /// Expected calibration error of those: the mean difference of the two, weighted by the bins' sizes. None without any.
    pub calibration_error: Option<f64>,
    /// How often the account chosen first was the best one.
    pub accuracy: Accuracy,
    /// How sure the latest 10,000 to 20,000 decisions were: their numbers by tenths of the confidence, the least first.
    pub confidence: [u64; 10],
}

/// A model and how it does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRow {
    /// Its number.
    pub version: u32,
    /// Where it stands.
    pub status: ModelStatus,
    /// The first twelve digits of the BLAKE3 of its table.
    pub hash: String,
    /// What trained it.
    pub algorithm: CompactString,
    /// When it was published.
    pub published_at: Time,
    /// When it came into force, if it did.
    pub accepted_at: Option<Time>,
    /// When it was over, if it is.
    pub ended_at: Option<Time>,
    /// What was found of it in the end: why it was turned down, or is out of force.
    pub verdict: Option<String>,
    /// What it was trained on.
    pub window: Window,
    /// What it looks at.
    pub features: Vec<CompactString>,
    /// How it did in its trainer's own test.
    pub metrics: Metrics,
    /// Kinds of payment that it tells apart.
    pub cells: usize,
    /// Connectors that it knows.
    pub connectors: usize,
    /// Bytes of its table.
    pub bytes: usize,
    /// How far it is believed, 0 to 1; 0 when it is out of force.
    pub weight: f64,
    /// Outcomes since it came into force; of one on trial, since it was published.
    pub outcomes: u64,
    /// Of those, the ones of which it said something.
    pub told: u64,
    /// Mean squared error over those, with it.
    pub brier: Option<f64>,
    /// By routing's own beliefs alone.
    pub brier_without: Option<f64>,
    /// With what was in place besides it.
    pub brier_in_place: Option<f64>,
    /// With it less without it, over the latest thousand or so: above 0 it harms.
    pub brier_drift: Option<f64>,
    /// The population stability index that is highest, of the latest complete 2,000 payments, and its feature.
    pub psi: Option<(f64, CompactString)>,
}

/// Where a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// It has its part in the scores.
    InForce,
    /// It was in force, and failed.
    OutOfForce,
    /// It is judged on outcomes, and counts for nothing yet.
    OnTrial,
    /// It is over: turned down, replaced, or displaced.
    Over,
}

impl ModelStatus {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::OutOfForce => "out of force",
            Self::OnTrial => "on trial",
            Self::Over => "over",
        }
    }
}

/// A bin of what decisions showed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CalibrationRow {
    /// Its lower edge; it is a tenth wide.
    pub from: f64,
    /// Outcomes of it.
    pub outcomes: u64,
    /// Mean probability shown.
    pub shown: f64,
    /// Share approved.
    pub approved: f64,
}

/// How good a choice was in hindsight, of the latest 10,000 to 20,000 outcomes. That is known only where the account chosen
/// failed and another one was tried: of an approval nobody knows whether others would have approved too, so none is counted
/// for the choice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
pub struct Accuracy {
    /// What is counted, in words: [`Accuracy::COUNTS`].
    pub counts: &'static str,
    /// Accounts that failed too, after another one had failed.
    pub no_better: u64,
    /// Accounts that approved after another one had failed.
    pub better: u64,
    /// Outcomes of payments of which no other account had failed: they tell of no choice.
    pub untried: u64,
    /// Those that did no better, of both. None where no other account was tried.
    pub share: Option<f64>,
}

impl Accuracy {
    /// What is counted, in words.
    pub const COUNTS: &'static str = "accounts tried after the one chosen had failed; share: those that did no better. What \
         others would have made of a payment that the one chosen approved, nobody knows";
}
