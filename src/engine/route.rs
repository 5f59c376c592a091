//! The decision engine: which connector account should this attempt go to, and why?
//!
//! [`decide`] is pure: a view, the attempts in flight that the view does not know yet, and the request. Its only
//! randomness is a hash of (seed, merchant, payment, attempt), so the same inputs give the same decision, anywhere.

mod belief;
pub(crate) mod breaker;
mod calibration;
mod change_point;
mod customers;
mod features;
mod offsets;
pub mod rules;
mod score;
mod share;
pub(crate) mod silence;
mod slots;
mod view;
pub(crate) mod weights;

pub(crate) use offsets::{Offsets, logits, moved};
pub(crate) use view::Account;
pub use view::RoutingView;
pub(crate) use weights::{Observation, Subject};

use rules::Ruling;
use score::Scored;

use crate::domain::decision::ELIGIBLE_MAX;
use crate::domain::{Approach, Candidate, ConnectorAccount, Decision, Exclusion, Request, Time};

/// Outcomes between two probes of an account that are due by time: at most one payment in fifty is put at risk.
const LEAST_OUTCOMES_BETWEEN_PROBES: u64 = 50;

/// What is not on a list ranks after all that is: no list is longer.
const UNLISTED: usize = 100_000;

/// There was nothing to choose from: the request's list of accounts is empty, or longer than a caller's may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no connector account is eligible: the request must name 1 to {ELIGIBLE_MAX}")]
pub struct NoCandidate;

/// Chooses an account for an attempt, no rule of the merchant's considered. `in_flight` counts the attempts on an account
/// that the deciding replica has started and its view does not show yet; `at` is the deciding machine's time, which the
/// decision only carries.
///
/// # Errors
/// [`NoCandidate`] when the request lists no account, or more than [`ELIGIBLE_MAX`].
pub fn decide(
    view: &RoutingView,
    in_flight: &dyn Fn(&ConnectorAccount) -> u16,
    request: Request,
    at: Time,
) -> Result<Decision, NoCandidate> {
    decide_under(view, in_flight, request, at, None)
}

/// As [`decide`], among those that the merchant's rule allows.
///
/// # Errors
/// As [`decide`].
pub fn decide_under(
    view: &RoutingView,
    in_flight: &dyn Fn(&ConnectorAccount) -> u16,
    request: Request,
    at: Time,
    ruling: Option<&Ruling<'_>>,
) -> Result<Decision, NoCandidate> {
    if request.eligible.is_empty() || request.eligible.len() > ELIGIBLE_MAX {
        return Err(NoCandidate);
    }
    let mut scored = score::all(view, in_flight, &request, ruling);
    let draw = Draw::of(view.settings.seed, &request);
    let choice = choose(view, &mut scored, (&request, ruling), &draw);
    let confidence = score::confidence(&scored, choice.index);
    let notes = score::model(view, &scored).into_iter().collect();
    let chosen = u16::try_from(choice.index).unwrap_or(0);
    let candidates: Vec<Candidate> = scored.into_iter().map(Scored::into_candidate).collect();
    Ok(Decision {
        request,
        decided_at: Some(at),
        view: view.position,
        chosen,
        approach: choice.approach,
        candidates,
        propensity: choice.propensity,
        confidence,
        notes,
    })
}

/// The choice among the scored candidates.
struct Choice {
    index: usize,
    approach: Approach,
    propensity: f64,
}

/// Orders the candidates by preference and chooses: the account where the customer is to be authenticated; else in the order
/// of the merchant's rule where that was asked for; else a probe if one is due, else by the merchant's list, else by score
/// with a uniform slice.
fn choose(
    view: &RoutingView,
    scored: &mut [Scored<'_>],
    (request, ruling): (&Request, Option<&Ruling<'_>>),
    draw: &Draw,
) -> Choice {
    if let Some(step_up) = step_up(view, scored, request) {
        return step_up;
    }
    let pinned = view.priority(&request.profile);
    let ordered = ruling.filter(|ruling| ruling.in_order);
    match (pinned, ordered) {
        (Some(order), _) => by_priority(scored, |account| order.iter().position(|named| named == account)),
        (None, Some(ruling)) => {
            by_priority(scored, |account| ruling.rank(account));
            return Choice { index: 0, approach: Approach::Rule(ruling.rule), propensity: 1.0 };
        }
        (None, None) => scored.sort_by(Scored::by_score),
    }
    let open = scored.iter().filter(|s| s.excluded.is_none()).count();
    if open == 0 {
        return least_bad(scored);
    }
    let probes = probes(scored);
    if let Some(probe) = draw_probe(view, scored, &probes, draw) {
        return probe;
    }
    let left = if probes.is_empty() { 1.0 } else { 1.0 - view.settings.routing.probe_share };
    if open == 1 {
        return Choice { index: 0, approach: Approach::Single, propensity: left };
    }
    if pinned.is_some() {
        return Choice { index: 0, approach: Approach::Priority, propensity: left };
    }
    by_bandit(view, &scored[..open], draw, left)
}

/// Where the issuer wants the customer authenticated, the next attempt stays where the payment is, whatever rules, lists,
/// scores and breakers say: another connector would only be asked for the same. An account that the caller no longer allows
/// is the caller's to give up.
fn step_up(view: &RoutingView, scored: &mut [Scored<'_>], request: &Request) -> Option<Choice> {
    let account = view.step_up(&request.profile, &request.payment, request.attempt)?;
    scored.iter().find(|one| one.account == *account)?;
    for other in scored.iter_mut().filter(|one| one.account != *account) {
        other.excluded = Some(Exclusion::StepUp);
    }
    scored.sort_by_key(|one| (one.account != *account, one.rank));
    Some(Choice { index: 0, approach: Approach::StepUp, propensity: 1.0 })
}

/// Puts the merchant's order first, then the caller's; what is excluded goes last. A pinned merchant's list is obeyed
/// whatever the scores and breakers say: to change it is a repair that a person approves.
fn by_priority(scored: &mut [Scored<'_>], place: impl Fn(&ConnectorAccount) -> Option<usize>) {
    for candidate in scored.iter_mut() {
        if candidate.excluded == Some(Exclusion::BreakerOpen) {
            candidate.excluded = None;
        }
        candidate.rank = place(&candidate.account).unwrap_or(UNLISTED + candidate.rank);
    }
    scored.sort_by_key(|s| (s.excluded.is_some(), s.rank));
}

/// Everything is excluded: the highest score among those that can do the payment at all.
fn least_bad(scored: &mut [Scored<'_>]) -> Choice {
    let incapable = |s: &Scored<'_>| matches!(s.excluded, Some(Exclusion::Method | Exclusion::Currency | Exclusion::Rule(_)));
    scored.sort_by(|a, b| {
        incapable(a).cmp(&incapable(b)).then_with(|| b.score.total_cmp(&a.score)).then_with(|| a.rank.cmp(&b.rank))
    });
    Choice { index: 0, approach: Approach::LeastBad, propensity: 1.0 }
}

/// Accounts that may be probed: open or excluded, able to do the payment.
fn probes(scored: &[Scored<'_>]) -> Vec<usize> {
    (0..scored.len()).filter(|&i| matches!(scored[i].excluded, Some(Exclusion::BreakerOpen | Exclusion::Operator))).collect()
}

/// A probe is due by its share of traffic; or because there has been none for a while and none is in flight; or, once
/// one has succeeded, as soon as none is in flight, for then the next ones tell soon whether the account is well.
fn draw_probe(view: &RoutingView, scored: &[Scored<'_>], probes: &[usize], draw: &Draw) -> Option<Choice> {
    let routing = &view.settings.routing;
    let interval = core::time::Duration::from_secs(routing.probe_interval_s);
    // A probe is a payment at risk: where traffic is thin, time alone must not make every tenth one.
    let rested = |a: &Account| {
        view.at.since(a.last_attempt) >= interval && view.weights.learnt() - a.learnt_before >= LEAST_OUTCOMES_BETWEEN_PROBES
    };
    let recovering = |a: &Account| a.breaker.open.is_some() && a.breaker.probe_successes > 0;
    let due = |i: &usize| {
        scored[*i].state.is_some_and(|a| a.pending == 0 && (recovering(a) || rested(a))) && scored[*i].in_flight == 0
    };
    // What is in trouble is probed even where nothing excludes it: traffic that was moved away would never see it recover.
    let unseen = |i: &usize| {
        let one = &scored[*i];
        let able = !matches!(one.excluded, Some(Exclusion::Method | Exclusion::Currency | Exclusion::Rule(_)));
        able && one.in_flight == 0 && view.is_unseen(&one.account, interval)
    };
    if let Some(index) = probes.iter().copied().find(|i| due(i)).or_else(|| (0..scored.len()).find(unseen)) {
        return Some(Choice { index, approach: Approach::Probe, propensity: 1.0 });
    }
    let count = probes.len();
    if count == 0 || draw.probe >= routing.probe_share {
        return None;
    }
    let index = probes[draw.pick(count)];
    Some(Choice { index, approach: Approach::Probe, propensity: routing.probe_share / as_f64(count) })
}

/// The highest score, or, in the uniform slice, a fair draw among those whose expectation is close to the best one.
fn by_bandit(view: &RoutingView, open: &[Scored<'_>], draw: &Draw, left: f64) -> Choice {
    let routing = &view.settings.routing;
    let best = open.iter().map(|s| s.expected).fold(0.0, f64::max);
    let close: Vec<usize> = (0..open.len()).filter(|&i| open[i].expected >= best - routing.uniform_margin).collect();
    let epsilon = if close.is_empty() { 0.0 } else { routing.uniform_share };
    let uniform = |index: usize| if close.contains(&index) { epsilon / as_f64(close.len()) } else { 0.0 };
    if draw.uniform < epsilon {
        let index = close[draw.pick(close.len())];
        let greedy = if index == 0 { 1.0 - epsilon } else { 0.0 };
        return Choice { index, approach: Approach::Uniform, propensity: left * (greedy + uniform(index)) };
    }
    Choice { index: 0, approach: Approach::Bandit, propensity: left * (1.0 - epsilon + uniform(0)) }
}

/// The randomness of one decision.
struct Draw {
    probe: f64,
    uniform: f64,
    pick: u64,
}

impl Draw {
    fn of(seed: u64, request: &Request) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(request.profile.as_str().as_bytes()).update(&[0]);
        hasher.update(request.payment.as_str().as_bytes()).update(&[0]).update(&request.attempt.to_le_bytes());
        let mut out = [0; 24];
        hasher.finalize_xof().fill(&mut out);
        let word = |i: usize| out[i * 8..].iter().take(8).rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        Self { probe: unit(word(0)), uniform: unit(word(1)), pick: word(2) }
    }

    /// A fair index below `count`; the bias of the remainder is below 2⁻⁵⁰.
    fn pick(&self, count: usize) -> usize {
        usize::try_from(self.pick % count as u64).unwrap_or(0)
    }
}

/// The upper 53 bits as a number in [0, 1).
fn unit(word: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    let value = (word >> 11) as f64;
    value / 9_007_199_254_740_992.0
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
