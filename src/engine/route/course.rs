//! Who chooses for a payment: the engine, its arm of an experiment, or the static order.
//!
//! Which of them it is falls by lot, by the payment's own hash, so that a retry goes the same way; and the propensity of a
//! choice is its probability over that lot as well. The static order is the merchant's priority list or its rule if it has
//! one, else the order of the request's list, whatever scores and breakers say.

use smallvec::{SmallVec, smallvec};

use super::lottery::Lottery;
use super::rules::Ruling;
use super::score::Scored;
use super::{Asked, Chances, Choice, Draw, NoCandidate, RoutingView, arms, by_priority, choose, least_bad, sticky};
use crate::domain::settings::{Routing, WhenNoneLeft};
use crate::domain::{Approach, Exclusion, Note, Request};

/// Outcomes that must be behind a candidate's expectation before it counts as proven: then its standard deviation is below
/// half a logit, and it has been seen through more than a lucky streak.
const PROVEN: f64 = 50.0;

/// How the engine chooses, where that may differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tuning {
    /// Weight of the bonus for learning more (κ).
    pub(super) exploration: f64,
    /// Share of decisions drawn among those close to the best.
    pub(super) uniform_share: f64,
    /// Rules in their own order, and proven connectors only.
    pub(super) careful: bool,
    /// Whatever the merchant's priority list says, and within its rule in no given order.
    pub(super) free: bool,
    /// What is out of use gets probes.
    pub(super) probes: bool,
}

impl Tuning {
    /// As configured.
    pub(super) const fn of(routing: &Routing) -> Self {
        let Routing { exploration, uniform_share, .. } = *routing;
        Self { exploration, uniform_share, careful: false, free: false, probes: true }
    }

    /// Nothing is explored, and nothing is left to chance but probes.
    const CAREFUL: Self = Self { exploration: 0.0, uniform_share: 0.0, careful: true, free: false, probes: true };

    /// What the engine would choose where its choice is only noted, whatever the merchant's list says. Nothing is left to
    /// chance, and nothing is probed: a probe that is never sent would stay due, and be all that is noted.
    const fn in_shadow(routing: &Routing) -> Self {
        Self { uniform_share: 0.0, free: true, probes: false, ..Self::of(routing) }
    }
}

/// One way to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// The engine.
    Engine(Tuning),
    /// The static order.
    Static,
    /// The order of the request's list, whatever lists and rules say.
    Listed,
    /// The static order, but only proven connectors, and none whose breaker is open.
    Careful,
}

/// The ways that a payment could have gone, with the probability of each, and the one it goes.
pub(super) struct Course {
    ways: SmallVec<[(f64, Way); 4]>,
    own: usize,
    shadow: bool,
    notes: Vec<Note>,
}

impl Course {
    /// The course of a payment.
    pub(super) fn of(view: &RoutingView, request: &Request) -> Self {
        let adoption = view.adoption();
        let engine = Way::Engine(Tuning::of(&view.settings.routing));
        if adoption.is_plain() {
            return Self::only(engine, Vec::new()).experimenting(view, request);
        }
        if adoption.killed.is_some() {
            return Self::only(Way::Static, vec![Note::KillSwitch]);
        }
        let (shadow, percent) = adoption.of(view.profiles.get(&request.profile));
        if shadow {
            return Self { shadow, ..Self::only(Way::Static, Vec::new()) };
        }
        let careful = adoption.cautious.is_some();
        if percent == 100 && !careful {
            return Self::only(engine, Vec::new()).experimenting(view, request);
        }
        let lot = sticky::bucket("dial", &request.profile, &request.payment);
        let mut notes = Vec::new();
        if percent < 100 {
            notes.push(Note::Dial { percent, engine: lot < buckets(percent) });
        }
        if !careful {
            let ways = [(buckets(percent), engine), (sticky::BUCKETS, Way::Static)];
            return Self::by_lot(ways.into_iter(), lot, notes).experimenting(view, request);
        }
        notes.push(Note::Conservative);
        let shifted = percent.min(view.settings.adoption.conservative_shift);
        let engine = Way::Engine(Tuning::CAREFUL);
        let ways = [(buckets(shifted), engine), (buckets(percent), Way::Careful), (sticky::BUCKETS, Way::Static)];
        Self::by_lot(ways.into_iter(), lot, notes)
    }

    /// The same, with the engine's part of it split among the arms of the experiment that the payment is in the scope of.
    fn experimenting(mut self, view: &RoutingView, request: &Request) -> Self {
        if view.settings.experiments.is_empty() {
            return self;
        }
        // Where there is one, the engine's way is the first.
        let Some(&(weight, Way::Engine(_))) = self.ways.first() else { return self };
        let Some(split) = arms::split(view, request) else { return self };
        let others = split.ways.len();
        if self.own == 0 {
            self.own = split.own;
            self.notes.extend(split.note);
        } else {
            self.own += others - 1;
        }
        let rest = self.ways.drain(..).skip(1).collect::<SmallVec<[(f64, Way); 4]>>();
        self.ways.extend(split.ways.into_iter().map(|(share, way)| (weight * share, way)));
        self.ways.extend(rest);
        self
    }

    fn only(way: Way, notes: Vec<Note>) -> Self {
        Self { ways: smallvec![(1.0, way)], own: 0, shadow: false, notes }
    }

    /// The ways by the buckets that each ends before, in order, and the one that a bucket falls into.
    fn by_lot(ends: impl Iterator<Item = (u16, Way)>, lot: u16, notes: Vec<Note>) -> Self {
        let mut course = Self { ways: SmallVec::new(), own: 0, shadow: false, notes };
        let mut begin = 0;
        for (end, way) in ends.filter(|(end, _)| *end > 0) {
            if end <= begin {
                continue;
            }
            if (begin..end).contains(&lot) {
                course.own = course.ways.len();
            }
            course.ways.push((f64::from(end - begin) / f64::from(sticky::BUCKETS), way));
            begin = end;
        }
        course
    }

    /// Chooses, and notes what shaped the choice. The candidates are in the request's order.
    pub(super) fn choose(
        self,
        view: &RoutingView,
        scored: &mut [Scored<'_>],
        asked: &Asked<'_>,
        draw: &Draw,
    ) -> Result<(Choice, Vec<Note>), NoCandidate> {
        let (weight, way) = self.ways[self.own];
        if let ([(_, Way::Engine(tuning))], []) = (&self.ways[..], &self.notes[..]) {
            let choice = drawn(&choose(view, scored, asked, tuning), scored, asked, draw)?;
            return Ok((choice, self.notes));
        }
        let elsewhere = self.chances_but(Some(self.own), view, scored, asked);
        let kept = Kept::of(scored);
        let engine = if self.shadow { unshadowed(view, scored, asked, draw) } else { None };
        kept.restore(scored);
        let mut choice = drawn(&way.lottery(view, scored, asked), scored, asked, draw)?;
        choice.propensity = weight * choice.propensity + elsewhere[scored[choice.index].place];
        let mut notes = self.notes;
        notes.extend(asked.ruling.map(|ruling| told(ruling, asked.request)));
        let engine = engine.and_then(|place| scored.iter().position(|one| one.place == place));
        notes.extend(engine.and_then(|index| u16::try_from(index).ok()).map(|engine| Note::Shadow { engine }));
        Ok((choice, notes))
    }

    /// How likely each account is over all the ways. The candidates are in the request's order.
    pub(super) fn chances(&self, view: &RoutingView, scored: &mut [Scored<'_>], asked: &Asked<'_>) -> Chances {
        self.chances_but(None, view, scored, asked)
    }

    /// How likely each account is by all the ways but one; the candidates are in the request's order, and left as they were.
    fn chances_but(&self, own: Option<usize>, view: &RoutingView, scored: &mut [Scored<'_>], asked: &Asked<'_>) -> Chances {
        let kept = Kept::of(scored);
        let mut chances: Chances = smallvec![0.0; scored.len()];
        for (_, (weight, way)) in self.ways.iter().enumerate().filter(|(index, _)| Some(*index) != own) {
            let lottery = way.lottery(view, scored, asked);
            for (index, one) in scored.iter().enumerate() {
                chances[one.place] += weight * lottery.chance(index);
            }
            kept.restore(scored);
        }
        chances
    }
}

/// What a draw makes of it: the candidate it falls on, with the probability of that.
fn drawn(lottery: &Lottery, scored: &[Scored<'_>], asked: &Asked<'_>, draw: &Draw) -> Result<Choice, NoCandidate> {
    let (index, approach) = lottery.drawn(draw).ok_or_else(|| NoCandidate::of(scored, asked.request))?;
    Ok(Choice { index, approach, propensity: lottery.chance(index) })
}

/// The place of the one that the engine would have chosen; none where it would have refused.
fn unshadowed(view: &RoutingView, scored: &mut [Scored<'_>], asked: &Asked<'_>, draw: &Draw) -> Option<usize> {
    let engine = Way::Engine(Tuning::in_shadow(&view.settings.routing));
    let (index, _) = engine.lottery(view, scored, asked).drawn(draw)?;
    Some(scored[index].place)
}

/// Buckets of a percentage.
const fn buckets(percent: u8) -> u16 {
    percent as u16 * (sticky::BUCKETS / 100)
}

/// The rule's order, for whoever computes the decision again: a static order follows it.
fn told(ruling: &Ruling<'_>, request: &Request) -> Note {
    let ranked = request.eligible.iter().zip(0_u8..).filter_map(|(account, place)| Some((ruling.rank(account)?, place)));
    let mut ranked: Vec<(usize, u8)> = ranked.collect();
    ranked.sort_unstable();
    Note::Ruling { rule: ruling.rule, in_order: ruling.in_order, order: ranked.into_iter().map(|(_, place)| place).collect() }
}

impl Way {
    /// Orders the candidates by preference, and says how likely each is.
    fn lottery(self, view: &RoutingView, scored: &mut [Scored<'_>], asked: &Asked<'_>) -> Lottery {
        match self {
            Self::Engine(tuning) => {
                explore(view, scored, asked, tuning.exploration);
                choose(view, scored, asked, &tuning)
            }
            Self::Static => in_static_order(view, scored, asked),
            Self::Listed => {
                by_priority(scored, |_| None);
                first(view, scored)
            }
            Self::Careful => {
                explore(view, scored, asked, Tuning::CAREFUL.exploration);
                if view.priority(&asked.request.profile).is_some() || asked.ruling.is_some() {
                    return in_static_order(view, scored, asked);
                }
                keep_to_proven(scored);
                scored.sort_by_key(|one| (one.excluded.is_some(), one.rank));
                first(view, scored)
            }
        }
    }
}

/// Gives the worth of learning more another weight.
fn explore(view: &RoutingView, scored: &mut [Scored<'_>], asked: &Asked<'_>, weight: f64) {
    for one in scored {
        one.explore(view, asked.pursuit.as_ref(), weight);
    }
}

/// The merchant's priority list, else its rule, else the request's own order.
fn in_static_order(view: &RoutingView, scored: &mut [Scored<'_>], asked: &Asked<'_>) -> Lottery {
    match (view.priority(&asked.request.profile), asked.ruling) {
        (Some(order), _) => by_priority(scored, |account| order.iter().position(|named| named == account)),
        (None, Some(ruling)) => by_priority(scored, |account| ruling.rank(account)),
        (None, None) => by_priority(scored, |_| None),
    }
    first(view, scored)
}

fn first(view: &RoutingView, scored: &mut [Scored<'_>]) -> Lottery {
    if scored.iter().any(|one| one.excluded.is_none()) {
        return Lottery::certain(0, Approach::Static);
    }
    if view.settings.routing.when_none_left == WhenNoneLeft::Refuse {
        return Lottery::refusal();
    }
    least_bad(scored)
}

/// Excludes what too little is known of, unless nothing else is left.
pub(super) fn keep_to_proven(scored: &mut [Scored<'_>]) {
    let proven = |one: &Scored<'_>| one.evidence >= PROVEN;
    if scored.iter().any(|one| one.excluded.is_none() && proven(one)) {
        for one in scored.iter_mut().filter(|one| one.excluded.is_none() && !proven(one)) {
            one.excluded = Some(Exclusion::Unproven);
        }
    }
}

/// The candidates as they were scored.
struct Kept(SmallVec<[(Option<Exclusion>, f64, f64); 16]>);

impl Kept {
    /// The candidates must be in the request's order.
    fn of(scored: &[Scored<'_>]) -> Self {
        Self(scored.iter().map(|one| (one.excluded, one.score, one.bonus)).collect())
    }

    fn restore(&self, scored: &mut [Scored<'_>]) {
        scored.sort_by_key(|one| one.place);
        for (one, kept) in scored.iter_mut().zip(&self.0) {
            (one.excluded, one.score, one.bonus) = *kept;
            one.rank = one.place;
        }
    }
}
