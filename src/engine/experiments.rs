//! Experiments: what each arm came to, which one loses, and which one wins.
//!
//! A payment counts once, by the outcome of its first attempt: an arm that fails more would otherwise get more attempts by
//! that. Each arm is judged against the control after every outcome, by a test that may be looked at as often as one likes
//! ([`sequential`]). An arm that loses is stopped, and one that wins is promoted: as a proposal, or by itself, as the level
//! of autonomy for experiments says.

mod draft;
mod ratio;
mod sequential;
mod view;

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

pub(crate) use draft::drafts;
use sequential::{Counts, Look, Sequential};

use super::route::RoutingView;
use super::route::arms::Arms;
use crate::domain::change::ArmState;
use crate::domain::numbers::as_f64;
use crate::domain::settings::{Arm, Experiment};
use crate::domain::{Decision, Note, Position, Settings, Time};

/// One arm's figures.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct ArmFigures {
    /// Payments that were decided in it.
    assigned: u64,
    /// How many of all arms' payments its share has promised it, while it ran: one that is stopped gets no more of them.
    promised: f64,
    counts: Counts,
    /// Against the control; of the control itself nothing.
    versus: Sequential,
}

/// One experiment's figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    /// What they are of: another definition begins afresh.
    definition: Experiment,
    /// Decisions on views before this are of an earlier definition.
    from: Position,
    since: Time,
    /// In the order of the definition's arms.
    arms: Vec<ArmFigures>,
}

/// All experiments' figures, by name: as many as a configuration may have.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Experiments(BTreeMap<CompactString, Progress>);

impl Experiments {
    /// Takes over what a configuration says: a new or another experiment begins afresh, one that is gone is forgotten.
    pub(crate) fn configure(&mut self, settings: &Settings, view: &mut RoutingView) {
        let (from, since) = (view.position(), view.at());
        let same = |name: &str, progress: &Progress| {
            settings.experiments.get(name).is_some_and(|experiment| is_same(experiment, &progress.definition))
        };
        let gone: Vec<CompactString> =
            self.0.iter().filter(|(name, progress)| !same(name, progress)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.0.remove(&name);
            view.arms.forget(&name);
        }
        for (name, experiment) in &settings.experiments {
            let fresh = || Progress {
                definition: experiment.clone(),
                from,
                since,
                arms: vec![ArmFigures::default(); experiment.arms.len()],
            };
            self.0.entry(name.clone()).or_insert_with(fresh).definition.clone_from(experiment);
        }
    }

    /// A payment was decided for the first time.
    pub(crate) fn assigned(&mut self, decision: &Decision, arms: &Arms) {
        if let Some((name, progress, arm)) = self.of(decision) {
            progress.assign(name, arm, arms);
        }
    }

    /// The outcome of an attempt, once: it counts where it was the payment's first, in the arm that its decision notes.
    pub(crate) fn ended(&mut self, decision: &Decision, approved: bool) {
        let Some((_, progress, arm)) = self.of(decision) else { return };
        let alpha = progress.definition.alpha;
        progress.arms[arm].counts.add(approved);
        let control = progress.arms[0].counts;
        let touched = if arm == 0 { 1..progress.arms.len() } else { arm..arm + 1 };
        for one in &mut progress.arms[touched] {
            if let Some(look) = Look::at(control, one.counts) {
                one.versus.take(&look, alpha);
            }
        }
    }

    /// A first attempt's experiment, its figures, and the place of its arm.
    fn of<'d>(&mut self, decision: &'d Decision) -> Option<(&'d str, &mut Progress, usize)> {
        if decision.notes.is_empty() || decision.request.attempt != 1 {
            return None;
        }
        let (experiment, arm) = decision.notes.iter().find_map(|note| match note {
            Note::Experiment { experiment, arm, .. } => Some((experiment, arm)),
            _ => None,
        })?;
        let progress = self.0.get_mut(experiment).filter(|progress| progress.from <= decision.view)?;
        let place = progress.definition.arms.iter().position(|one| one.name == *arm)?;
        (place < progress.arms.len()).then_some((experiment.as_str(), progress, place))
    }
}

/// Whether what was counted of one counts for the other: all but its times.
fn is_same(one: &Experiment, other: &Experiment) -> bool {
    let Experiment { arms, merchants, methods, alpha, start: _, end: _ } = one;
    (arms, merchants, methods) == (&other.arms, &other.merchants, &other.methods) && alpha.to_bits() == other.alpha.to_bits()
}

impl Progress {
    /// How an arm stands against the control now; none for the control, and before there are enough outcomes.
    fn look(&self, arm: usize) -> Option<Look> {
        if arm == 0 {
            return None;
        }
        Look::at(self.arms.first()?.counts, self.arms.get(arm)?.counts)
    }

    /// A payment falls into an arm. It was promised, by their shares, to those that run: one that was decided just before
    /// its arm was stopped, to that arm as well.
    fn assign(&mut self, name: &str, own: usize, arms: &Arms) {
        let runs = |place: usize, arm: &Arm| place == own || arms.state(name, &arm.name) == ArmState::Running;
        let shares = self.definition.arms.iter().enumerate();
        let shares: Vec<f64> = shares.map(|(place, arm)| if runs(place, arm) { arm.share } else { 0.0 }).collect();
        let all: f64 = shares.iter().sum();
        for (figures, share) in self.arms.iter_mut().zip(&shares) {
            figures.promised += share / all;
        }
        self.arms[own].assigned += 1;
    }

    /// The probability of a split as far from what is promised as it is: of payments from the arms' shares, or of outcomes
    /// from the payments; the smaller one.
    fn split_probability(&self) -> Option<f64> {
        let of = |count: fn(&ArmFigures) -> u64, promised: fn(&ArmFigures) -> f64| {
            let counts: Vec<(u64, f64)> = self.arms.iter().map(|arm| (count(arm), promised(arm))).collect();
            ratio::probability(&counts)
        };
        let assigned = of(|arm| arm.assigned, |arm| arm.promised);
        let answered = of(|arm| arm.counts.answered, |arm| as_f64(arm.assigned));
        assigned.into_iter().chain(answered).min_by(f64::total_cmp)
    }

    /// Whether the split is not as promised: no winner is believed then.
    fn is_mismatched(&self) -> bool {
        self.split_probability().is_some_and(|probability| probability < ratio::MISMATCH)
    }
}
