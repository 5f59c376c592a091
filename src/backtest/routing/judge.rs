//! The replay: payments in the order of their times, outcomes revealed when they were known, and the report.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use serde::Serialize;

use super::case::Case;
use super::logged::{Estimate, Estimator};
use super::measure::Measures;
use super::policy::{Engine, Policy, PolicyName};
use crate::domain::{ConnectorAccount, Time};

/// A monotonic clock, for the time a decision takes.
pub type Clock<'a> = &'a dyn Fn() -> Duration;
/// Told how many payments of how many are done, every thousand or so.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// Payments between two reports of progress.
const PROGRESS_EVERY: usize = 1_000;

/// What a policy came to. Everything but the two times is the same on every run and machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whose figures these are.
    pub policy: PolicyName,
    /// Payments routed.
    pub payments: usize,
    /// Share approved, in expectation where the probabilities are known; of a log, the best estimate.
    pub success_rate: Option<f64>,
    /// The same had every payment gone to its best connector. None for a log.
    pub oracle_success_rate: Option<f64>,
    /// Payments of a thousand lost against that.
    pub regret_per_1000: Option<f64>,
    /// The connector that is best for all payments together, in hindsight.
    pub best_fixed: Option<ConnectorAccount>,
    /// Payments of a thousand it loses against each payment's best.
    pub best_fixed_regret_per_1000: Option<f64>,
    /// Payments of a thousand the last-125 rule loses against each payment's best.
    pub last_n_regret_per_1000: Option<f64>,
    /// Payments of a thousand this policy gains on the best fixed connector.
    pub gained_on_best_fixed_per_1000: Option<f64>,
    /// Payments of a thousand this policy gains on the last-125 rule.
    pub gained_on_last_n_per_1000: Option<f64>,
    /// Mean squared difference of the probability expected at the choice and what happened.
    pub brier: Option<f64>,
    /// Expected calibration error: the mean difference of the two over ten equal bins, weighted by their sizes.
    pub ece: Option<f64>,
    /// Mean time of a decision, in microseconds.
    pub us_per_decision: f64,
    /// Mean time in which an outcome is learnt, in microseconds.
    pub us_per_outcome: f64,
    /// For a log: what can be said of the policy, and how surely.
    pub estimate: Option<Estimate>,
    /// Hash of every choice, every expectation and, for the engine, its complete state.
    pub fingerprint: String,
}

/// Replays a case under a policy and measures; a complete case is also replayed under the rules to beat.
pub fn judge(case: &Case, name: PolicyName, engine: Engine<'_>, clock: Clock<'_>, progress: Progress<'_>) -> Report {
    let complete = case.is_complete();
    let passes = if complete { 3 } else { 1 };
    let total = case.payments.len() * passes;
    let mut measured = replay(case, name, engine, clock, &mut |done| progress(done, total));
    let estimate = (!complete).then(|| measured.estimator.estimate());
    let rule = |name, pass: usize, progress: &mut dyn FnMut(usize, usize)| {
        complete.then(|| {
            let before = pass * case.payments.len();
            replay(case, name, engine, clock, &mut |done| progress(before + done, total)).measures
        })
    };
    let fixed = rule(PolicyName::BestFixed, 1, progress);
    let last_n = rule(PolicyName::LastN, 2, progress);
    let Measures { success, oracle, calibration, .. } = &measured.measures;
    let regret = |measures: &Measures| (measures.oracle.mean() - measures.success.mean()) * 1_000.0;
    let gained = |other: &Measures| (success.mean() - other.success.mean()) * 1_000.0;
    let exact = |value: f64| complete.then_some(value);
    let success_rate = exact(success.mean()).or_else(|| estimate.as_ref().and_then(Estimate::best));
    Report {
        policy: name,
        payments: case.payments.len(),
        success_rate,
        oracle_success_rate: exact(oracle.mean()),
        regret_per_1000: exact(regret(&measured.measures)),
        best_fixed: fixed.as_ref().and_then(Measures::most_chosen).and_then(|c| case.connectors.get(c).cloned()),
        best_fixed_regret_per_1000: fixed.as_ref().map(regret),
        last_n_regret_per_1000: last_n.as_ref().map(regret),
        gained_on_best_fixed_per_1000: fixed.as_ref().map(gained),
        gained_on_last_n_per_1000: last_n.as_ref().map(gained),
        brier: calibration.brier(),
        ece: calibration.error(),
        us_per_decision: measured.measures.decisions.mean(),
        us_per_outcome: measured.measures.lessons.mean(),
        estimate,
        fingerprint: measured.measures.fingerprint(measured.policy.fingerprint()),
    }
}

/// A policy after a replay, and what was measured of it.
struct Measured {
    policy: Policy,
    measures: Measures,
    estimator: Estimator,
}

/// An outcome on its way: when it will be known, which choice it belongs to, which payment and outcome it is.
type Due = Reverse<Lesson>;

fn replay(case: &Case, name: PolicyName, engine: Engine<'_>, clock: Clock<'_>, progress: &mut dyn FnMut(usize)) -> Measured {
    let mut policy = Policy::new(name, case, engine);
    let mut measures = Measures::new(case.connectors.len());
    let mut estimator = Estimator::new(case);
    let mut due: BinaryHeap<Due> = BinaryHeap::new();
    for (index, payment) in case.payments.iter().enumerate() {
        while let Some(Reverse((at, payment_index, outcome_index))) = due.peek().copied().filter(|d| d.0.0 <= payment.at) {
            due.pop();
            learn(&mut policy, &mut measures, case, (at, payment_index, outcome_index), clock);
        }
        let before = clock();
        let choice = policy.choose(case, index);
        measures.decided(clock().saturating_sub(before));
        estimator.observe(case, index, &choice);
        let outcomes = &case.outcomes[index];
        let found = outcomes.iter().position(|outcome| outcome.connector == choice.connector);
        // A choice whose end no log tells has not happened (Li et al. 2011): in flight for ever, it would be taken for the
        // silence of a connector that hangs.
        if found.is_some() {
            policy.commit(case, index);
        }
        let name = case.connectors[usize::from(choice.connector)].as_str();
        measures.chose((&choice, name), found.map(|place| &outcomes[place]), outcomes);
        if let Some(place) = found {
            due.push(Reverse((payment.at + outcomes[place].observed_after, index, place)));
        }
        if index % PROGRESS_EVERY == 0 {
            progress(index);
        }
    }
    while let Some(Reverse((at, payment, outcome))) = due.pop() {
        learn(&mut policy, &mut measures, case, (at, payment, outcome), clock);
    }
    Measured { policy, measures, estimator }
}

/// An outcome and when it is known.
type Lesson = (Time, usize, usize);

fn learn(policy: &mut Policy, measures: &mut Measures, case: &Case, (at, payment, outcome): Lesson, clock: Clock<'_>) {
    let before = clock();
    policy.learn(case, payment, &case.outcomes[payment][outcome], at);
    measures.learnt(clock().saturating_sub(before));
}
