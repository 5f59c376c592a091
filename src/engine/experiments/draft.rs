//! What an experiment's figures call for: stopping the arm that loses, promoting the one that wins.

use super::{Look, Progress};
use crate::domain::Change;
use crate::domain::change::ArmState;
use crate::domain::settings::{Arm, Experiment};
use crate::engine::heal::{self, Draft, Site, Subject};
use crate::engine::route::arms;
use crate::engine::snapshot::{BlastRadius, Prediction};

/// Every proposal that the figures call for.
pub(crate) fn drafts(site: &Site<'_>) -> Vec<Draft> {
    let Site { view, experiments, .. } = site;
    let settings = view.settings();
    let running = experiments.0.iter().filter(|(name, progress)| {
        let on = settings.experiments.get(*name).is_some_and(|experiment| arms::is_on(experiment, view.at()));
        on && view.arms.promoted(name, &progress.definition).is_none()
    });
    running.flat_map(|(name, progress)| of(name, progress, site)).collect()
}

fn of(name: &str, progress: &Progress, site: &Site<'_>) -> Vec<Draft> {
    let alpha = progress.definition.alpha;
    let runs = |arm: &Arm| site.view.arms.state(name, &arm.name) == ArmState::Running;
    let looks: Vec<(usize, &Arm, Look)> = progress
        .definition
        .arms
        .iter()
        .enumerate()
        .filter(|(_, arm)| runs(arm))
        .filter_map(|(place, arm)| Some((place, arm, progress.look(place)?)))
        .collect();
    let about = |place: usize, arm, look| About { name, progress, place, arm, look, site };
    let losers = looks.iter().filter(|(.., look)| look.loses(alpha));
    let mut drafts: Vec<Draft> = losers.map(|(place, arm, look)| about(*place, arm, *look).stopped()).collect();
    let wins = |(place, _, look): &&(usize, &Arm, Look)| look.difference > 0.0 && progress.arms[*place].versus.wins();
    let best = looks.iter().filter(wins).max_by(|(.., a), (.., b)| a.difference.total_cmp(&b.difference));
    if let Some((place, arm, look)) = best.filter(|_| !progress.is_mismatched()) {
        drafts.push(about(*place, arm, *look).promoted());
    }
    drafts
}

/// An arm, and how it stands against the control.
struct About<'e> {
    name: &'e str,
    progress: &'e Progress,
    place: usize,
    arm: &'e Arm,
    look: Look,
    site: &'e Site<'e>,
}

impl About<'_> {
    fn stopped(&self) -> Draft {
        let what = format!("Stop arm {} of experiment {}: it loses {}", self.arm.name, self.name, self.points());
        Draft {
            confidence_basis: format!("one-sided, always valid: {}", self.counted()),
            confidence: 1.0 - (0.5 / self.look.ratio).min(1.0),
            against: vec!["what only later outcomes would have shown is not learnt any more".to_owned()],
            alternatives: vec!["Do nothing: its share of the payments goes on as the arm says".to_owned()],
            predicted: self.predicted(self.rate(self.place), self.rate(0)),
            undo: "u lets its share of the payments in again".to_owned(),
            ..self.draft(what, ArmState::Stopped, self.arm.share / 100.0)
        }
    }

    fn promoted(&self) -> Draft {
        let what = format!("Promote arm {} of experiment {}: it gains {}", self.arm.name, self.name, self.points());
        Draft {
            confidence_basis: format!("always valid: {}", self.counted()),
            confidence: 1.0 - self.progress.arms[self.place].versus.p,
            against: vec!["what won in this scope and time need not win in another".to_owned()],
            alternatives: vec!["Do nothing: the experiment goes on as it is".to_owned()],
            predicted: self.predicted(self.rate(0), self.rate(self.place)),
            undo: "u lets every arm have its share again".to_owned(),
            ..self.draft(what, ArmState::Promoted, 1.0)
        }
    }

    fn draft(&self, sentence: String, to: ArmState, share: f64) -> Draft {
        Draft {
            change: Change::SetArm { experiment: self.name.into(), arm: self.arm.name.clone(), from: ArmState::Running, to },
            subject: Subject::Arm { experiment: self.name.into(), arm: self.arm.name.clone(), to },
            sentence,
            incident: None,
            evidence: None,
            confidence: 0.0,
            confidence_basis: String::new(),
            against: Vec::new(),
            alternatives: Vec::new(),
            blast: self.blast(share),
            predicted: Prediction::default(),
            undo: String::new(),
            noticed_at: self.site.view.at(),
        }
    }

    /// What a share of the payments in scope are; of merchants' payments by its methods alone there are no more.
    fn blast(&self, share: f64) -> BlastRadius {
        let Experiment { merchants, methods, .. } = &self.progress.definition;
        let mut blast = heal::blast_in_scope(merchants, share, self.site);
        if !methods.is_empty() {
            blast.methods.clone_from(methods);
        }
        blast
    }

    /// "2.1 points (0.8 to 3.4)", whichever way.
    fn points(&self) -> String {
        let versus = &self.progress.arms[self.place].versus;
        let (a, b) = (100.0 * versus.low.abs(), 100.0 * versus.high.abs());
        let crosses = versus.low < 0.0 && versus.high > 0.0;
        let low = if crosses { 0.0 } else { a.min(b) };
        format!("{:.1} points ({low:.1} to {:.1})", 100.0 * self.look.difference.abs(), a.max(b))
    }

    fn counted(&self) -> String {
        let of = |place: usize| {
            let figures = &self.progress.arms[place];
            let rate = figures.counts.rate().unwrap_or(0.0);
            format!("{:.1} % of {} payments", 100.0 * rate, figures.counts.answered)
        };
        let control = self.progress.definition.arms.first().map_or("control", |arm| arm.name.as_str());
        format!("{}, against {} of {control}", of(self.place), of(0))
    }

    fn rate(&self, place: usize) -> Option<f64> {
        self.progress.arms.get(place)?.counts.rate()
    }

    fn predicted(&self, now: Option<f64>, after: Option<f64>) -> Prediction {
        Prediction { rate_now: now, rate_after: after, target: self.counted(), ..Prediction::default() }
    }
}
