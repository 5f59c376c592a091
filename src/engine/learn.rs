//! The learnt model: what is kept to train one on, which is in force, and whether it still deserves to be.
//!
//! Training is no part of the fold, and is never replayed: the leader trains on [`Lesson`]s and publishes a table. All the
//! rest is a function of the log, so that every replica agrees: a published model is on trial; each outcome is judged with
//! it, and with what is in place; after enough of them it comes into force or is turned down. One in force is watched, and
//! taken out where it does harm or no longer tells anything. Routing's own beliefs never learn from it: without it they are
//! what they would have been.

mod counts;
pub mod drift;
mod standing;
mod trainer;
mod view;

use std::collections::VecDeque;

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::route::{Offsets, RoutingView, logits};
use crate::domain::model::Cell;
use crate::domain::settings::Learning as Settings;
use crate::domain::{Model, Time};
use counts::Counts;
use standing::{Judged, Standing};

pub use trainer::{Course, Train, Trainer, Underway};

/// Outcomes between two looks at the model in force.
const LOOK_EVERY: u64 = 50;
/// Models that are over, kept to be shown.
const KEPT: usize = 12;
/// A model trained so many intervals ago is stale: something has kept it from being trained again.
const STALE_INTERVALS: u64 = 4;

/// An outcome, as a model may learn from it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// When it was folded.
    pub at: Time,
    /// The kind of payment.
    pub cell: Cell,
    /// The connector's number.
    pub connector: u32,
    /// The probability of success that routing's own beliefs expected, customers' faults apart.
    pub expected: f32,
    /// Whether it was approved; failures are the connector's, or may be.
    pub success: bool,
}

/// A model that is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Past {
    standing: Standing,
    ended_at: Time,
    verdict: String,
}

/// All that is known of models.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Learning {
    lessons: Vector<Lesson>,
    /// The latest version published.
    version: u32,
    published_at: Option<Time>,
    /// The one that was accepted last. What it says is in the routing view, unless it is out.
    champion: Option<Box<Standing>>,
    /// The one on trial, and what it says.
    challenger: Option<Box<(Standing, Offsets)>>,
    past: VecDeque<Past>,
    /// A new one is wanted before its time, since then.
    wanted: Option<Time>,
    /// Traffic is no longer what the champion was trained on.
    shifted: Option<String>,
    pub(crate) counts: Box<Counts>,
}

impl Learning {
    /// A model was published: it is on trial from now on. What is told of it, in words.
    pub(crate) fn publish(&mut self, model: &Model, view: &RoutingView) -> String {
        let version = model.version;
        if !view.settings.learning.enabled {
            return format!("model {version} is not tried: learning is off");
        }
        if version <= self.version {
            return format!("model {version} is not tried: model {} came before it", self.version);
        }
        let offsets = match model.table() {
            Ok(table) => Offsets::new(version, table, &view.connectors),
            Err(error) => return format!("model {version} is not tried: {error}"),
        };
        let told = format!("model {version} is on trial: trained on {} outcomes", model.window.outcomes);
        if let Some((before, _)) = self.challenger.take().map(|challenger| *challenger) {
            self.end(before, view.at, "displaced by a later one before its trial was over".to_owned());
        }
        let standing = Standing::new(model.clone(), offsets.size(), view.at);
        (self.version, self.published_at, self.wanted) = (version, Some(view.at), None);
        self.challenger = Some(Box::new((standing, offsets)));
        told
    }

    /// A configuration comes into force. What is told of the models then, in words.
    pub(crate) fn configure(&mut self, view: &mut RoutingView) -> Option<String> {
        if view.settings.learning.enabled { None } else { self.switch_off(view) }
    }

    /// An outcome that routing learnt from. What is told of the models then, in words.
    pub(crate) fn learn(&mut self, lesson: Lesson, view: &mut RoutingView) -> Option<String> {
        let settings = &view.settings.learning;
        if !settings.enabled {
            return None;
        }
        let window = usize::try_from(settings.window).unwrap_or(usize::MAX);
        while self.lessons.len() >= window {
            self.lessons.pop_front();
        }
        self.lessons.push_back(lesson);
        self.judge(&lesson, view);
        self.conclude(view).or_else(|| self.look(view))
    }

    /// Judges the outcome with the model in force, and with the one on trial.
    fn judge(&mut self, lesson: &Lesson, view: &mut RoutingView) {
        let Lesson { cell, connector, success, .. } = *lesson;
        let expected = f64::from(lesson.expected);
        let says = |offsets: &Offsets| logits(offsets.row_of(cell).step(Some(connector)));
        let mut in_place = expected;
        if let (Some(champion), Some(offsets)) = (&mut self.champion, &mut view.offsets) {
            let judged = Judged { expected, offset: says(offsets), in_place: expected, success };
            in_place = champion.expected(&judged);
            champion.judge(&judged);
            champion.traffic.count(&cell);
            offsets.weight = narrow(champion.weight());
        }
        if let Some((challenger, offsets)) = self.challenger.as_deref_mut() {
            challenger.judge(&Judged { expected, offset: says(offsets), in_place, success });
            challenger.traffic.count(&cell);
        }
    }

    /// Ends a trial that is long enough.
    fn conclude(&mut self, view: &mut RoutingView) -> Option<String> {
        let enough = view.settings.learning.trial_outcomes;
        if self.challenger.as_deref().is_none_or(|(challenger, _)| challenger.sums.outcomes < enough) {
            return None;
        }
        let (mut challenger, mut offsets) = *self.challenger.take()?;
        let version = challenger.model.version;
        let sums = challenger.sums;
        let scores = format!(
            "Brier {:.5} against {:.5} in place, {:.5} by routing alone, over {} outcomes",
            sums.mean(sums.with),
            sums.mean(sums.in_place),
            sums.mean(sums.without),
            sums.outcomes
        );
        if !sums.is_better() {
            self.end(challenger, view.at, format!("turned down: {scores}"));
            return Some(format!("model {version} is turned down: {scores}"));
        }
        challenger.accept(view.at);
        self.shifted = None;
        offsets.weight = narrow(challenger.weight());
        view.offsets = Some(offsets);
        if let Some(before) = self.champion.replace(Box::new(challenger)) {
            let verdict = before.out.clone().unwrap_or_else(|| format!("model {version} is better"));
            self.end(*before, view.at, verdict);
        }
        Some(format!("model {version} is in force: {scores}"))
    }

    /// Looks, now and then, at whether the model in force deserves it.
    fn look(&mut self, view: &mut RoutingView) -> Option<String> {
        let champion = self.champion.as_mut().filter(|champion| champion.out.is_none())?;
        if !champion.sums.outcomes.is_multiple_of(LOOK_EVERY) {
            return None;
        }
        let version = champion.model.version;
        if let Some(reason) = champion.fails() {
            champion.out = Some(reason.to_owned());
            (view.offsets, self.wanted) = (None, Some(view.at));
            return Some(format!("model {version} is out of force: {reason}; routing goes on by itself, a new one is trained"));
        }
        let most = view.settings.learning.max_psi;
        let (psi, feature) = champion.traffic.psi()?;
        if *psi > most && self.shifted.is_none() {
            let shifted = format!("traffic is not what model {version} was trained on: {feature} has moved (PSI {psi:.2})");
            self.wanted = Some(view.at);
            self.shifted = Some(shifted.clone());
            return Some(format!("{shifted}; a new one is trained"));
        }
        // Half of it, or it would come and go.
        if *psi < most / 2.0 && self.shifted.take().is_some() {
            return Some(format!("traffic is again what model {version} was trained on"));
        }
        None
    }

    /// Learning is off: nothing is kept for it, and no model counts.
    fn switch_off(&mut self, view: &mut RoutingView) -> Option<String> {
        self.lessons = Vector::new();
        view.offsets = None;
        (self.wanted, self.shifted) = (None, None);
        if let Some((challenger, _)) = self.challenger.take().map(|challenger| *challenger) {
            self.end(challenger, view.at, "learning was switched off".to_owned());
        }
        let champion = self.champion.take()?;
        let told = format!("model {} is out of force: learning was switched off", champion.model.version);
        self.end(*champion, view.at, "learning was switched off".to_owned());
        Some(told)
    }

    fn end(&mut self, standing: Standing, ended_at: Time, verdict: String) {
        if self.past.len() == KEPT {
            self.past.pop_front();
        }
        self.past.push_back(Past { standing, ended_at, verdict });
    }

    /// What is kept to train on, the oldest first.
    pub(crate) const fn lessons(&self) -> &Vector<Lesson> {
        &self.lessons
    }

    /// The version that the next model has.
    pub(crate) const fn next_version(&self) -> u32 {
        self.version.saturating_add(1)
    }

    /// When a model is to be trained next; none while there is too little to train on, or learning is off.
    pub(crate) fn due(&self, settings: &Settings) -> Option<Time> {
        let seconds = core::time::Duration::from_secs;
        if !settings.enabled || (self.lessons.len() as u64) < settings.min_outcomes {
            return None;
        }
        let Some(published_at) = self.published_at else { return Some(Time::ZERO) };
        let usual = published_at + seconds(settings.interval_s);
        // What is on trial is waited for, unless there is so little traffic that the next one's time comes before.
        let early = self.wanted.filter(|_| self.challenger.is_none()).map(|since| since + seconds(settings.retry_s));
        Some(early.map_or(usual, |early| early.min(usual)))
    }

    /// What is wrong with the model, if something is: routing goes on without it, or it should be trained again.
    pub(crate) fn alert(&self, settings: &Settings, at: Time) -> Option<String> {
        let champion = self.champion.as_ref().filter(|_| settings.enabled)?;
        let version = champion.model.version;
        if let Some(reason) = &champion.out {
            return Some(format!("model {version} is out of force: {reason}"));
        }
        let oldest = core::time::Duration::from_secs(settings.interval_s.saturating_mul(STALE_INTERVALS));
        let stale = at.since(champion.model.window.to) > oldest;
        self.shifted.clone().or_else(|| stale.then(|| format!("model {version} is stale: it was not trained again")))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounded on purpose: a decision tells it in single precision")]
const fn narrow(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests;
