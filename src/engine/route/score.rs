//! Scores: what each candidate is expected to do, what is not known about it, and what finding out is worth.

use core::cmp::Ordering;

use super::RoutingView;
use super::belief::Belief;
use super::offsets::Row;
use super::rules::Ruling;
use super::view::Account;
use super::weights::{Seen, Weights};
use crate::domain::{Candidate, ConnectorAccount, Exclusion, Note, Request, Settings};

/// A candidate with its score.
pub(crate) struct Scored<'v> {
    pub(crate) account: ConnectorAccount,
    pub(crate) state: Option<&'v Account>,
    /// Its place in the caller's order, or in the merchant's list.
    pub(crate) rank: usize,
    pub(crate) excluded: Option<Exclusion>,
    pub(crate) expected: f64,
    pub(crate) score: f64,
    pub(crate) in_flight: u16,
    own: Belief,
    bonus: f64,
    evidence: f64,
    /// What the learnt model in force says of it.
    step: i8,
}

/// Scores every account of the request, in the request's order.
pub(crate) fn all<'v>(
    view: &'v RoutingView,
    in_flight: &dyn Fn(&ConnectorAccount) -> u16,
    request: &Request,
    ruling: Option<&Ruling<'_>>,
) -> Vec<Scored<'v>> {
    let seen = view.weights.seen(&request.context, view.profiles.get(&request.profile), request.amount);
    let shared = view.weights.shared(&seen);
    let prior = Weights::own_prior(&seen);
    let model = view.offsets.as_ref().map(|offsets| offsets.row(&request.context, Some(request.amount)));
    let scorer = Scorer { view, request, ruling, seen, shared, prior, model };
    request.eligible.iter().enumerate().map(|(rank, account)| scorer.score(rank, account, in_flight(account))).collect()
}

/// What all candidates of one request have in common.
struct Scorer<'v, 'r> {
    view: &'v RoutingView,
    request: &'r Request,
    ruling: Option<&'r Ruling<'r>>,
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
        let known = self.view.account(account);
        let state = known.map(|(_, state)| state);
        let connector = self.connector(account, state);
        let part = self.view.weights.own(connector, known.map(|(number, _)| number), &self.seen);
        let step = self.model.map_or(0, |row| row.step(connector));
        let own = self.model.map_or(part.belief, |row| part.belief.moved(row.weighted(step)));
        let expected = self.view.weights.expected(self.shared.plus(own));
        let routing = &self.view.settings.routing;
        let folded = connector.and_then(|c| self.view.pending.get(c as usize)).copied().unwrap_or(0);
        let pending = f64::from(folded) + f64::from(in_flight);
        let bonus = routing.exploration * (part.lasting / (1.0 + routing.pending_damping * part.lasting * pending)).sqrt();
        Scored {
            account: account.clone(),
            state,
            rank,
            excluded: self.exclusion(account, state),
            expected,
            score: own.mean + bonus,
            in_flight,
            own,
            bonus,
            evidence: evidence(own.variance, self.prior, expected),
            step,
        }
    }

    /// Why the account cannot be chosen, if so. Where a rule keeps it out, no probe goes there either.
    fn exclusion(&self, account: &ConnectorAccount, state: Option<&Account>) -> Option<Exclusion> {
        let kept_out = self.ruling.filter(|ruling| ruling.rank(account).is_none());
        incapable(&self.view.settings, self.request, account)
            .or_else(|| kept_out.map(|ruling| Exclusion::Rule(ruling.rule)))
            .or_else(|| state.and_then(out_of_use))
    }

    /// The connector's number: by its account, else by its name.
    fn connector(&self, account: &ConnectorAccount, state: Option<&Account>) -> Option<u32> {
        state.map(|s| s.connector).or_else(|| self.view.connectors.get(account.connector()))
    }
}

/// Effective sample size behind a belief: how many outcomes at this rate shrink the prior variance to what it is now.
fn evidence(variance: f64, prior: f64, expected: f64) -> f64 {
    let curvature = (expected * (1.0 - expected)).max(0.02);
    ((1.0 / variance.max(1e-9) - 1.0 / prior.max(1e-9)) / curvature).max(0.0)
}

/// What of the payment the connector does not handle, if so.
fn incapable(settings: &Settings, request: &Request, account: &ConnectorAccount) -> Option<Exclusion> {
    let connector = settings.connectors.get(account.connector())?;
    if let Some(method) = request.context.method
        && !connector.methods.is_empty()
        && !connector.methods.contains(&method)
    {
        return Some(Exclusion::Method);
    }
    let foreign = !connector.currencies.is_empty() && !connector.currencies.contains(&request.amount.currency);
    foreign.then_some(Exclusion::Currency)
}

/// Why the account is out of use, if so.
fn out_of_use(state: &Account) -> Option<Exclusion> {
    match state {
        Account { excluded: Some(_), .. } => Some(Exclusion::Operator),
        Account { breaker, .. } if breaker.open.is_some() => Some(Exclusion::BreakerOpen),
        _ => None,
    }
}

/// Probability that the candidate at `index` is the best: Φ((m₁−m₂)/√(V₁+V₂)) against the best other one.
pub(crate) fn confidence(scored: &[Scored<'_>], index: usize) -> f64 {
    let chosen = &scored[index];
    let others = scored.iter().enumerate().filter(|(i, s)| *i != index && s.excluded.is_none());
    let Some((_, rival)) = others.max_by(|(_, a), (_, b)| a.own.mean.total_cmp(&b.own.mean)) else { return 1.0 };
    let spread = (chosen.own.variance + rival.own.variance).sqrt().max(1e-9);
    let z = (chosen.own.mean - rival.own.mean) / spread;
    0.5 * libm::erfc(-z / core::f64::consts::SQRT_2)
}

/// What the learnt model in force had to do with it, for candidates in the order of preference.
pub(crate) fn model(view: &RoutingView, scored: &[Scored<'_>]) -> Option<Note> {
    let offsets = view.offsets.as_ref()?;
    let says = scored.iter().any(|one| one.step != 0);
    let steps = if says { scored.iter().map(|one| one.step).collect() } else { smallvec::SmallVec::new() };
    Some(Note::Model { version: offsets.version, weight: offsets.weight, steps })
}

impl Scored<'_> {
    /// The available before the excluded, then the higher score, then the caller's order.
    pub(crate) fn by_score(a: &Self, b: &Self) -> Ordering {
        let excluded = a.excluded.is_some().cmp(&b.excluded.is_some());
        excluded.then_with(|| b.score.total_cmp(&a.score)).then_with(|| a.rank.cmp(&b.rank))
    }

    /// The candidate as the decision records it.
    pub(crate) fn into_candidate(self) -> Candidate {
        Candidate {
            account: self.account,
            excluded: self.excluded,
            expected: told(self.expected),
            spread: told(self.own.variance.sqrt()),
            bonus: told(self.bonus),
            pending: self.in_flight,
            evidence: told(self.evidence),
        }
    }
}

/// A number as it is told: in single precision, seven digits, which halves what the log keeps of a decision.
#[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
const fn told(number: f64) -> f64 {
    number as f32 as f64
}
