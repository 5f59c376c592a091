//! Who chooses for a payment: the engine, its arm of an experiment, or the static order.
//!
//! Which of them it is falls by lot, by the payment's own hash, so that a retry goes the same way; and the propensity of a
//! choice is its probability over that lot as well. The static order is the merchant's priority list or its rule if it has
//! one, else the order of the request's list, whatever scores and breakers say.

use smallvec::{SmallVec, smallvec};

use super::rules::Ruling;
use super::score::Scored;
use super::{Choice, Draw, RoutingView, arms, by_priority, choose, least_bad, sticky};
use crate::domain::settings::Routing;
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
}

impl Tuning {
    /// As configured.
    pub(super) const fn of(routing: &Routing) -> Self {
        Self { exploration: routing.exploration, uniform_share: routing.uniform_share, careful: false, free: false }
    }

    /// Nothing is explored, and nothing is left to chance but probes.
    const CAREFUL: Self = Self { exploration: 0.0, uniform_share: 0.0, careful: true, free: false };
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

/// What a request and its rule are.
pub(super) type Asked<'a> = (&'a Request, Option<&'a Ruling<'a>>);

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
        let lot = sticky::bucket("dial", &request.profile, &request.payment);
        let careful = adoption.cautious.is_some();
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
        asked: Asked<'_>,
        draw: &Draw,
    ) -> (Choice, Vec<Note>) {
        let Self { ways, own, shadow, mut notes } = self;
        if let [(_, Way::Engine(tuning))] = ways[..]
            && notes.is_empty()
        {
            return (choose(view, scored, asked, &tuning, draw), notes);
        }
        if let Some(ruling) = asked.1 {
            notes.push(told(ruling, asked.0));
        }
        let kept = Kept::of(scored);
        let mut elsewhere: SmallVec<[f64; 16]> = smallvec![0.0; scored.len()];
        for (_, (weight, way)) in ways.iter().enumerate().filter(|(index, _)| *index != own) {
            let choice = way.choose(view, scored, asked, draw);
            for (index, one) in scored.iter().enumerate() {
                elsewhere[one.place] += weight * choice.chance(index);
            }
            kept.restore(scored);
        }
        let engine = shadow.then(|| {
            let free = Tuning { free: true, ..Tuning::of(&view.settings.routing) };
            let choice = Way::Engine(free).choose(view, scored, asked, draw);
            let place = scored[choice.index].place;
            kept.restore(scored);
            place
        });
        let (weight, way) = ways[own];
        let mut choice = way.choose(view, scored, asked, draw);
        choice.propensity = weight * choice.propensity + elsewhere[scored[choice.index].place];
        let engine = engine.and_then(|place| scored.iter().position(|one| one.place == place));
        if let Some(engine) = engine.and_then(|index| u16::try_from(index).ok()) {
            notes.push(Note::Shadow { engine });
        }
        (choice, notes)
    }
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
    fn choose(self, view: &RoutingView, scored: &mut [Scored<'_>], asked: Asked<'_>, draw: &Draw) -> Choice {
        match self {
            Self::Engine(tuning) => {
                explore(scored, tuning.exploration);
                choose(view, scored, asked, &tuning, draw)
            }
            Self::Static => in_static_order(view, scored, asked),
            Self::Listed => {
                by_priority(scored, |_| None);
                first(scored)
            }
            Self::Careful => {
                explore(scored, Tuning::CAREFUL.exploration);
                if view.priority(&asked.0.profile).is_some() || asked.1.is_some() {
                    return in_static_order(view, scored, asked);
                }
                keep_to_proven(scored);
                scored.sort_by_key(|one| (one.excluded.is_some(), one.rank));
                first(scored)
            }
        }
    }
}

/// Gives the worth of learning more another weight.
fn explore(scored: &mut [Scored<'_>], weight: f64) {
    for one in scored {
        one.explore(weight);
    }
}

/// The merchant's priority list, else its rule, else the request's own order.
fn in_static_order(view: &RoutingView, scored: &mut [Scored<'_>], (request, ruling): Asked<'_>) -> Choice {
    match (view.priority(&request.profile), ruling) {
        (Some(order), _) => by_priority(scored, |account| order.iter().position(|named| named == account)),
        (None, Some(ruling)) => by_priority(scored, |account| ruling.rank(account)),
        (None, None) => by_priority(scored, |_| None),
    }
    first(scored)
}

fn first(scored: &mut [Scored<'_>]) -> Choice {
    if scored.iter().all(|one| one.excluded.is_some()) {
        return least_bad(scored);
    }
    Choice::certain(0, Approach::Static)
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
