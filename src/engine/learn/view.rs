//! What of the models is shown.

use super::counts::{BINS, Counts, Latest};
use super::standing::Standing;
use super::{Learning, Past};
use crate::domain::Time;
use crate::domain::model::short_hash;
use crate::domain::numbers::as_f64;
use crate::domain::settings::Learning as Settings;
use crate::engine::snapshot::{Accuracy, CalibrationRow, LearningView, ModelRow, ModelStatus};

impl Learning {
    /// What screens and the API show.
    pub(crate) fn view(&self, settings: &Settings, at: Time) -> LearningView {
        let calibration = calibration(&self.counts);
        LearningView {
            enabled: settings.enabled,
            alert: self.alert(settings, at),
            outcomes: self.lessons.len() as u64,
            next_training: self.due(settings),
            champion: self.champion.as_ref().map(|standing| {
                let out = standing.out.clone();
                row(standing, if out.is_some() { ModelStatus::OutOfForce } else { ModelStatus::InForce }, out)
            }),
            challenger: self.challenger.as_deref().map(|(standing, _)| row(standing, ModelStatus::OnTrial, None)),
            past: self.past.iter().map(past).collect(),
            calibration_error: error(&calibration),
            calibration,
            accuracy: accuracy(&self.counts),
            confidence: sums(&self.counts.confidence),
        }
    }
}

fn past(past: &Past) -> ModelRow {
    ModelRow { ended_at: Some(past.ended_at), ..row(&past.standing, ModelStatus::Over, Some(past.verdict.clone())) }
}

fn row(standing: &Standing, status: ModelStatus, verdict: Option<String>) -> ModelRow {
    let (model, sums) = (&standing.model, &standing.sums);
    let mean = |sum| (sums.outcomes > 0).then(|| sums.mean(sum));
    let counts = matches!(status, ModelStatus::InForce | ModelStatus::OnTrial);
    ModelRow {
        version: model.version,
        status,
        hash: short_hash(&model.hash),
        algorithm: model.algorithm.clone(),
        published_at: standing.published_at,
        accepted_at: standing.accepted_at,
        ended_at: None,
        verdict,
        window: model.window,
        features: model.features.clone(),
        metrics: model.metrics,
        cells: standing.size.0,
        connectors: standing.size.1,
        bytes: standing.bytes,
        weight: if counts { standing.weight() } else { 0.0 },
        outcomes: sums.outcomes,
        told: standing.told,
        brier: mean(sums.with),
        brier_without: mean(sums.without),
        brier_in_place: mean(sums.in_place),
        brier_drift: standing.drift(),
        psi: standing.traffic.psi().cloned(),
    }
}

fn sums(latest: &Latest<[u64; BINS]>) -> [u64; BINS] {
    let [before, running] = latest.both();
    core::array::from_fn(|bin| before[bin] + running[bin])
}

fn calibration(counts: &Counts) -> Vec<CalibrationRow> {
    let [before, running] = counts.calibration.both();
    let rows = (0_u8..).zip(before.iter().zip(running)).map(|(bin, (before, running))| {
        let outcomes = before.outcomes + running.outcomes;
        let mean = |sum: f64| sum / as_f64(outcomes.max(1));
        CalibrationRow {
            from: f64::from(bin) / 10.0,
            outcomes,
            shown: mean(before.shown + running.shown),
            approved: mean(as_f64(before.approved + running.approved)),
        }
    });
    rows.filter(|row| row.outcomes > 0).collect()
}

fn error(rows: &[CalibrationRow]) -> Option<f64> {
    let outcomes: u64 = rows.iter().map(|row| row.outcomes).sum();
    let sum: f64 = rows.iter().map(|row| as_f64(row.outcomes) * (row.shown - row.approved).abs()).sum();
    (outcomes > 0).then(|| sum / as_f64(outcomes))
}

fn accuracy(counts: &Counts) -> Accuracy {
    let [before, running] = counts.hindsight.both();
    let (no_better, better) = (before.no_better + running.no_better, before.better + running.better);
    let known = no_better + better;
    let share = (known > 0).then(|| as_f64(no_better) / as_f64(known));
    Accuracy { counts: Accuracy::COUNTS, no_better, better, untried: before.untried + running.untried, share }
}
