//! The decision engine: which connector account should this attempt go to, and why?
//!
//! [`decide`] is pure: a view, the attempts in flight that the view does not know yet, and the request. Its only
//! randomness is a hash of (seed, merchant, payment, attempt), so the same inputs give the same decision, anywhere.

mod adoption;
pub(crate) mod arms;
mod belief;
pub(crate) mod breaker;
mod calibration;
mod change_point;
mod confidence;
mod course;
mod customers;
mod eligibility;
mod features;
mod latency;
mod lottery;
mod offsets;
mod outlook;
mod pages;
mod proof;
pub mod rules;
mod score;
mod share;
pub(crate) mod silence;
mod slots;
mod standing;
pub(crate) mod sticky;
mod value;
mod view;
pub(crate) mod weights;
mod whose;

pub(crate) use adoption::Cautious;
pub(crate) use offsets::{Offsets, logits, moved};
pub use outlook::Outlook;
pub use standing::Standing;
pub(crate) use view::Account;
pub use view::RoutingView;
pub(crate) use weights::{Observation, Subject};

use course::{Course, Tuning};
use lottery::{Lottery, Places, places};
use rules::Ruling;
use score::Scored;
use smallvec::SmallVec;
use value::Pursuit;

use crate::domain::decision::ELIGIBLE_MAX;
use crate::domain::settings::{Connector, WhenNoneLeft};
use crate::domain::{Approach, Candidate, ConnectorAccount, Decision, Exclusion, Request, Time};

/// Outcomes between two probes of an account that are due by time: at most one payment in fifty is put at risk.
const LEAST_OUTCOMES_BETWEEN_PROBES: u64 = 50;

/// What is not on a list ranks after all that is: no list is longer.
const UNLISTED: usize = 100_000;

/// There was nothing to choose from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCandidate {
    /// The request's list of accounts is empty, or longer than a caller's may be.
    #[error("no connector account is eligible: the request must name 1 to {ELIGIBLE_MAX}")]
    Unnamed,
    /// Every account that the request names is excluded, and the configuration is to refuse then.
    #[error("no connector account is left: {}", .0.join("; "))]
    Excluded(
        /// Each with its reason: `stripe:mca_1: does not support USD`.
        Vec<String>,
    ),
}

impl NoCandidate {
    /// Every candidate, with why it is excluded.
    fn of(scored: &[Scored<'_>], request: &Request) -> Self {
        let told = |one: &Scored<'_>| Some(format!("{}: {}", one.account, one.excluded?.sentence(request)));
        Self::Excluded(scored.iter().filter_map(told).collect())
    }
}

/// The probabilities that the accounts of a request are chosen, in its order.
pub type Chances = SmallVec<[f64; 16]>;

/// Chooses an account for an attempt, no rule of the merchant's considered. `in_flight` counts the attempts on an account
/// that the deciding replica has started and its view does not show yet; `at` is log time on the deciding machine, by which
/// planned maintenance is judged.
///
/// # Errors
/// [`NoCandidate::Unnamed`] when the request lists no account, or more than [`ELIGIBLE_MAX`]; [`NoCandidate::Excluded`] when
/// none is left and the configuration is to refuse then.
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
    let asked = Asked::of(view, &request, at, ruling)?;
    let mut scored = score::all(view, in_flight, &asked);
    let draw = Draw::of(view.settings.seed, &request);
    let (choice, mut notes) = match step_up(view, &mut scored, &request) {
        Some(step_up) => (step_up, Vec::new()),
        None => Course::of(view, &request).choose(view, &mut scored, &asked, &draw)?,
    };
    let confidence = confidence::confidence(&scored, choice.index);
    notes.extend(value::note(asked.pursuit.as_ref(), &scored, &choice));
    notes.extend(score::model(view, &scored));
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

/// How likely [`decide_under`] is to choose each account of such a request, over its draws: of the one that it chooses this
/// is the propensity. What is missing to 1 would be refused.
///
/// # Errors
/// [`NoCandidate::Unnamed`], as [`decide`].
pub fn chances(
    view: &RoutingView,
    in_flight: &dyn Fn(&ConnectorAccount) -> u16,
    request: &Request,
    at: Time,
    ruling: Option<&Ruling<'_>>,
) -> Result<Chances, NoCandidate> {
    let asked = Asked::of(view, request, at, ruling)?;
    let mut scored = score::all(view, in_flight, &asked);
    Ok(match step_up(view, &mut scored, request) {
        Some(Choice { index, .. }) => {
            let chosen = scored[index].place;
            (0..scored.len()).map(|place| if place == chosen { 1.0 } else { 0.0 }).collect()
        }
        None => Course::of(view, request).chances(view, &mut scored, &asked),
    })
}

/// What is asked, and under what.
struct Asked<'a> {
    request: &'a Request,
    ruling: Option<&'a Ruling<'a>>,
    /// What the merchant wants besides success; none: nothing.
    pursuit: Option<Pursuit<'a>>,
    /// Whether it is told what candidates cost: that counts, or fees are known.
    priced: bool,
    /// Log time.
    at: Time,
}

impl<'a> Asked<'a> {
    fn of(view: &'a RoutingView, request: &'a Request, at: Time, ruling: Option<&'a Ruling<'a>>) -> Result<Self, NoCandidate> {
        if request.eligible.is_empty() || request.eligible.len() > ELIGIBLE_MAX {
            return Err(NoCandidate::Unnamed);
        }
        let pursuit = Pursuit::of(view, request);
        let priced = pursuit.is_some() || view.settings.connectors.values().any(Connector::has_fees);
        Ok(Self { request, ruling, pursuit, priced, at: at.max(view.at) })
    }
}

/// The choice among the scored candidates.
struct Choice {
    index: usize,
    approach: Approach,
    propensity: f64,
}

/// Orders the candidates by preference and chooses as the engine does: in the order of the merchant's rule where that was
/// asked for; else a probe if one is due, else by the merchant's list, else by score with a uniform slice.
fn choose(view: &RoutingView, scored: &mut [Scored<'_>], asked: &Asked<'_>, tuning: &Tuning) -> Lottery {
    let pinned = view.priority(&asked.request.profile).filter(|_| !tuning.free);
    let follows = |ruling: &&Ruling<'_>| pinned.is_none() && ((ruling.in_order && !tuning.free) || tuning.careful);
    let ordered = asked.ruling.filter(follows);
    match (pinned, ordered) {
        (Some(order), _) => by_priority(scored, |account| order.iter().position(|named| named == account)),
        (None, Some(ruling)) => by_priority(scored, |account| ruling.rank(account)),
        (None, None) => {
            if tuning.careful {
                course::keep_to_proven(scored);
            }
            scored.sort_by(Scored::by_score);
        }
    }
    let open = scored.iter().filter(|s| s.excluded.is_none()).count();
    let refuses = open == 0 && view.settings.routing.when_none_left == WhenNoneLeft::Refuse;
    if let Some(ruling) = ordered.filter(|_| !refuses) {
        return Lottery::certain(0, Approach::Rule(ruling.rule));
    }
    if open == 0 && !refuses {
        return least_bad(scored);
    }
    let first = match pinned {
        // Probes flow all the same, or nobody would see an account recover.
        _ if refuses => Lottery::refusal(),
        _ if open == 1 => Lottery::certain(0, Approach::Single),
        Some(_) => Lottery::certain(0, Approach::Priority),
        None => {
            let best = Lottery::certain(0, Approach::Bandit);
            best.or_close(&scored[..open], view.settings.routing.uniform_margin, tuning.uniform_share)
        }
    };
    if !tuning.probes {
        return first;
    }
    let probes = probes(scored);
    match due_probe(view, scored, &probes) {
        Some(probe) => Lottery::certain(probe, Approach::Probe),
        None => first.or_probe(probes, view.settings.routing.probe_share),
    }
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
fn least_bad(scored: &mut [Scored<'_>]) -> Lottery {
    scored.sort_by(|a, b| {
        a.hopeless().cmp(&b.hopeless()).then_with(|| b.score.total_cmp(&a.score)).then_with(|| a.rank.cmp(&b.rank))
    });
    Lottery::certain(0, Approach::LeastBad)
}

/// Accounts that may be probed: open or excluded, able to do the payment.
fn probes(scored: &[Scored<'_>]) -> Places {
    places(scored.len(), |i| matches!(scored[i].excluded, Some(Exclusion::BreakerOpen | Exclusion::Operator)))
}

/// Besides by its share of traffic, a probe is due because there has been none for a while and none is in flight; or, once
/// one has succeeded, as soon as none is in flight, for then the next ones tell soon whether the account is well.
fn due_probe(view: &RoutingView, scored: &[Scored<'_>], probes: &Places) -> Option<usize> {
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
        // What is planned to be out of use is known to fail.
        let able = one.excluded.is_none_or(|excluded| !excluded.is_final() && excluded != Exclusion::Maintenance);
        able && one.in_flight == 0 && view.is_unseen(&one.account, interval)
    };
    probes.iter().map(|place| usize::from(*place)).find(|i| due(i)).or_else(|| (0..scored.len()).find(unseen))
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
