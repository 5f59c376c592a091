//! Scores: what each candidate is expected to do, what is not known about it, and what finding out is worth.

use core::cmp::Ordering;

use super::belief::Belief;
use super::offsets::Row;
use super::value::{self, Pursuit};
use super::view::Account;
use super::weights::{Seen, Weights};
use super::{Asked, RoutingView, eligibility};
use crate::domain::decision::{Cost, roughly};
use crate::domain::{Candidate, ConnectorAccount, Exclusion, Note};

/// A candidate with its score.
pub(crate) struct Scored<'v> {
    pub(crate) account: ConnectorAccount,
    pub(crate) state: Option<&'v Account>,
    /// Its place in the caller's order.
    pub(crate) place: usize,
    /// Its place in the caller's order, or in the merchant's list.
    pub(crate) rank: usize,
    pub(crate) excluded: Option<Exclusion>,
    /// What it is chosen by.
    pub(crate) score: f64,
    /// What the merchant's objective makes of what is expected: where success alone counts, that itself.
    pub(crate) merit: f64,
    pub(crate) in_flight: u16,
    /// Attempts in flight on its connector that the view counts.
    folded: u32,
    /// What its attempt costs, where that is told.
    pub(super) cost: Option<Cost>,
    expected: f64,
    own: Belief,
    /// What learning more about it is worth, before the weight of that.
    worth: f64,
    pub(super) bonus: f64,
    pub(super) evidence: f64,
    /// Mean of what it shares with the others, in logits.
    shared: f64,
    /// Where it stands among the others: its own part or, under an objective, its merit.
    pub(super) stand: Belief,
    /// What the learnt model in force says of it.
    step: i8,
}

/// Scores every account of the request, in the request's order.
pub(super) fn all<'v>(
    view: &'v RoutingView,
    in_flight: &dyn Fn(&ConnectorAccount) -> u16,
    asked: &Asked<'_>,
) -> Vec<Scored<'v>> {
    let request = asked.request;
    let seen = view.weights.seen(&request.context, view.profiles.get(&request.profile), request.amount);
    let shared = view.weights.shared(&seen);
    let prior = Weights::own_prior(&seen);
    let model = view.offsets.as_ref().map(|offsets| offsets.row(&request.context, Some(request.amount)));
    let scorer = Scorer { view, asked, seen, shared, prior, model };
    request.eligible.iter().enumerate().map(|(rank, account)| scorer.score(rank, account, in_flight(account))).collect()
}

/// What all candidates of one request have in common.
struct Scorer<'v, 'a> {
    view: &'v RoutingView,
    asked: &'a Asked<'a>,
    seen: Seen,
    shared: Belief,
    /// Variance of an own part of which nothing is known.
    prior: f64,
    /// What the learnt model says of such a payment.
    model: Option<Row<'v>>,
}

impl<'v> Scorer<'v, '_> {
    /// `score = λ·o_c + Σμ_c + κ·√(V_c / (1 + ρ·V_c·pending_c))`: what the learnt model says, as far as it is believed, the
    /// connector's own part, and the worth of learning more of it.
    /// Attempts in flight shrink that worth: an unproven connector is never flooded while its outcomes are late.
    fn score(&self, rank: usize, account: &ConnectorAccount, in_flight: u16) -> Scored<'v> {
        let (view, asked) = (self.view, self.asked);
        let known = view.account(account);
        let (number, state) = known.unzip();
        let connector = self.connector(account, state);
        let part = view.weights.own(connector, number, &self.seen);
        let step = self.model.map_or(0, |row| row.step(connector));
        let own = self.model.map_or(part.belief, |row| part.belief.moved(row.weighted(step)));
        let own = state.map_or(own, |state| state.proof.doubted(own, self.shared, view.weights.learnt()));
        let expected = view.weights.expected(self.shared.plus(own));
        let routing = &view.settings.routing;
        let folded = connector.and_then(|c| view.pending.get(c as usize)).copied().unwrap_or(0);
        let pending = f64::from(folded) + f64::from(in_flight);
        let worth = (part.lasting / (1.0 + routing.pending_damping * part.lasting * pending)).sqrt();
        let told = view.settings.connectors.get(account.connector());
        let mut scored = Scored {
            account: account.clone(),
            state,
            place: rank,
            rank,
            excluded: eligibility::exclusion(told, asked.request, (account, state), asked.ruling, asked.at),
            score: 0.0,
            merit: expected,
            in_flight,
            folded,
            cost: None,
            expected,
            own,
            worth,
            bonus: 0.0,
            evidence: evidence(own.variance, self.prior, expected),
            shared: self.shared.mean,
            stand: own,
            step,
        };
        if asked.priced {
            scored.cost = Some(value::cost(told, asked.request, view.latencies.log_ms(connector, number)));
        }
        if let Some((pursuit, cost)) = asked.pursuit.as_ref().zip(scored.cost) {
            scored.weigh(pursuit, cost);
        }
        scored.explore(view, asked.pursuit.as_ref(), routing.exploration);
        scored
    }

    /// The connector's number: by its account, else by its name.
    fn connector(&self, account: &ConnectorAccount, state: Option<&Account>) -> Option<u32> {
        state.map(|s| s.connector).or_else(|| self.view.connectors.get(account.connector()))
    }
}

/// Effective sample size behind a belief: how many outcomes at this rate shrink the prior variance to what it is now.
pub(super) fn evidence(variance: f64, prior: f64, expected: f64) -> f64 {
    let curvature = (expected * (1.0 - expected)).max(0.02);
    ((1.0 / variance.max(1e-9) - 1.0 / prior.max(1e-9)) / curvature).max(0.0)
}

/// What the learnt model in force had to do with it, for candidates in the order of preference.
pub(crate) fn model(view: &RoutingView, scored: &[Scored<'_>]) -> Option<Note> {
    let offsets = view.offsets.as_ref()?;
    let says = scored.iter().any(|one| one.step != 0);
    let steps = if says { scored.iter().map(|one| one.step).collect() } else { smallvec::SmallVec::new() };
    Some(Note::Model { version: offsets.version, weight: offsets.weight, steps })
}

impl Scored<'_> {
    /// Takes in what the merchant wants besides success.
    fn weigh(&mut self, pursuit: &Pursuit<'_>, cost: Cost) {
        let slope = pursuit.slope(cost, self.expected);
        self.merit = pursuit.value(cost, self.expected);
        self.stand = Belief { mean: self.merit, variance: slope * slope * self.own.variance };
    }

    /// Gives the worth of learning more a weight in the score. Under an objective it is part of the probability of success
    /// that the candidate could turn out to have, so that where nothing else differs the order is the one of success alone.
    pub(super) fn explore(&mut self, view: &RoutingView, pursuit: Option<&Pursuit<'_>>, weight: f64) {
        self.bonus = weight * self.worth;
        let own = self.own.mean + self.bonus;
        self.score = match (pursuit, self.cost) {
            (Some(pursuit), Some(cost)) => {
                pursuit.value(cost, view.weights.expected(Belief { mean: self.shared + own, variance: 0.0 }))
            }
            _ => own,
        };
    }

    /// The available before the excluded, then the higher score, then the caller's order.
    pub(crate) fn by_score(a: &Self, b: &Self) -> Ordering {
        let excluded = a.excluded.is_some().cmp(&b.excluded.is_some());
        excluded.then_with(|| b.score.total_cmp(&a.score)).then_with(|| a.rank.cmp(&b.rank))
    }

    /// In the order of success alone, whatever the objective.
    pub(super) fn by_success(a: &Self, b: &Self) -> Ordering {
        let score = |one: &Self| one.own.mean + one.bonus;
        a.hopeless().cmp(&b.hopeless()).then_with(|| score(b).total_cmp(&score(a))).then_with(|| a.rank.cmp(&b.rank))
    }

    /// How little sense it would make to send the payment there, least first: it is open; it is out of use; that was planned;
    /// it cannot have the payment.
    pub(super) const fn hopeless(&self) -> u8 {
        match self.excluded {
            None => 0,
            Some(Exclusion::Maintenance) => 2,
            Some(excluded) if excluded.is_final() => 3,
            Some(_) => 1,
        }
    }

    /// The candidate as the decision records it.
    pub(crate) fn into_candidate(self) -> Candidate {
        Candidate {
            account: self.account,
            excluded: self.excluded,
            expected: told(self.expected),
            spread: roughly(self.own.variance.sqrt()),
            bonus: roughly(self.bonus),
            pending: self.in_flight,
            evidence: roughly(self.evidence),
            folded: Some(self.folded),
        }
    }
}

/// A probability as it is told: in single precision, for it is learnt from.
#[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
const fn told(number: f64) -> f64 {
    number as f32 as f64
}
