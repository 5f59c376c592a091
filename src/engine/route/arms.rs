//! Experiments as decisions see them: which arm a payment falls into, and what each arm does.
//!
//! A payment is in one experiment at the most: the first by name whose scope and time it is in. Its bucket there is a hash
//! of the experiment's name and the payment, so that all its attempts are in one arm and one experiment tells nothing of
//! another. Payments beyond the arms' shares, or of an arm that was stopped, are routed as without it.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::course::{Tuning, Way};
use super::{RoutingView, sticky};
use crate::domain::change::ArmState;
use crate::domain::settings::{Arm, ArmPolicy, Experiment};
use crate::domain::{Note, Request, Time};

/// What became of arms: those that are not running, by experiment and arm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arms(BTreeMap<(CompactString, CompactString), ArmState>);

impl Arms {
    /// What an arm is.
    pub(crate) fn state(&self, experiment: &str, arm: &str) -> ArmState {
        if self.0.is_empty() {
            return ArmState::Running;
        }
        self.0.get(&(experiment.into(), arm.into())).copied().unwrap_or(ArmState::Running)
    }

    /// Stops, promotes or resumes an arm.
    pub(crate) fn set(&mut self, experiment: &str, arm: &str, state: ArmState) {
        let key = (experiment.into(), arm.into());
        if state == ArmState::Running {
            self.0.remove(&key);
        } else {
            self.0.insert(key, state);
        }
    }

    /// Forgets what became of an experiment's arms.
    pub(crate) fn forget(&mut self, experiment: &str) {
        self.0.retain(|(name, _), _| name != experiment);
    }

    /// The arm that the whole scope follows, if one was promoted.
    pub(crate) fn promoted<'e>(&self, name: &str, experiment: &'e Experiment) -> Option<&'e Arm> {
        experiment.arms.iter().find(|arm| self.state(name, &arm.name) == ArmState::Promoted)
    }

    /// The arms that run; fewer than two are no experiment any more.
    pub(crate) fn running(&self, name: &str, experiment: &Experiment) -> usize {
        experiment.arms.iter().filter(|arm| self.state(name, &arm.name) == ArmState::Running).count()
    }
}

/// Whether a time is within an experiment's.
pub(crate) fn is_on(experiment: &Experiment, at: Time) -> bool {
    experiment.start.is_none_or(|start| start <= at) && experiment.end.is_none_or(|end| at < end)
}

/// How the payments of an experiment's scope are split, and where one of them falls.
pub(super) struct Split {
    pub(super) ways: SmallVec<[(f64, Way); 4]>,
    pub(super) own: usize,
    pub(super) note: Option<Note>,
}

/// The split that a payment is in; none where it is in no experiment's scope.
pub(super) fn split(view: &RoutingView, request: &Request) -> Option<Split> {
    let arms = &view.arms;
    let in_scope = |experiment: &Experiment| {
        (experiment.merchants.is_empty() || experiment.merchants.contains(&request.profile))
            && (experiment.methods.is_empty() || request.context.method.is_some_and(|m| experiment.methods.contains(&m)))
    };
    let open = |name: &str, experiment: &Experiment| {
        arms.promoted(name, experiment).is_some() || (is_on(experiment, view.at) && arms.running(name, experiment) >= 2)
    };
    let mut experiments = view.settings.experiments.iter();
    let (name, experiment) = experiments.find(|(name, experiment)| in_scope(experiment) && open(name, experiment))?;
    let engine = Tuning::of(&view.settings.routing);
    if let Some(arm) = arms.promoted(name, experiment) {
        let note = Note::Promoted { experiment: name.clone(), arm: arm.name.clone() };
        return Some(Split { ways: smallvec::smallvec![(1.0, way(arm, engine))], own: 0, note: Some(note) });
    }
    let bucket = sticky::bucket(&format!("experiment {name}"), &request.profile, &request.payment);
    Some(fall(view, (name, experiment), bucket, engine))
}

/// Where a bucket falls: into a running arm, or to the engine as without the experiment.
fn fall(view: &RoutingView, (name, experiment): (&CompactString, &Experiment), bucket: u16, engine: Tuning) -> Split {
    let mut split = Split { ways: SmallVec::new(), own: 0, note: None };
    let (mut end, mut left) = (0_u16, sticky::BUCKETS);
    for arm in &experiment.arms {
        let begin = end;
        end = end.saturating_add(arm.buckets());
        if view.arms.state(name, &arm.name) != ArmState::Running {
            continue;
        }
        if (begin..end).contains(&bucket) {
            split.own = split.ways.len();
            split.note = Some(Note::Experiment { experiment: name.clone(), arm: arm.name.clone(), bucket });
        }
        left = left.saturating_sub(end - begin);
        split.ways.push((share(end - begin), way(arm, engine)));
    }
    if split.note.is_none() {
        split.own = split.ways.len();
    }
    if left > 0 || split.note.is_none() {
        split.ways.push((share(left), Way::Engine(engine)));
    }
    split
}

fn share(buckets: u16) -> f64 {
    f64::from(buckets) / f64::from(sticky::BUCKETS)
}

/// What an arm does.
fn way(arm: &Arm, engine: Tuning) -> Way {
    let tuned = Tuning {
        exploration: arm.exploration.unwrap_or(engine.exploration),
        uniform_share: arm.uniform_share.unwrap_or(engine.uniform_share),
        ..engine
    };
    match arm.policy {
        ArmPolicy::Engine => Way::Engine(tuned),
        ArmPolicy::Unpinned => Way::Engine(Tuning { free: true, ..tuned }),
        ArmPolicy::Priority => Way::Static,
        ArmPolicy::Static => Way::Listed,
    }
}
