//! Expected value: what a merchant's objective makes of what is expected of a candidate.
//!
//! Everything is measured in worths of an approved payment, so that without fees and waiting the value is the probability of
//! success itself, and margins given in points of success hold for both.

use super::score::Scored;
use super::{Choice, RoutingView};
use crate::domain::decision::{Cost, LatencyStep, Note, Weighed};
use crate::domain::settings::{Connector, Objective};
use crate::domain::{Approach, Request};

/// What an attempt costs, rounded as it will be told. `log_ms` is the logarithm of the milliseconds its answer usually takes.
pub(super) fn cost(told: Option<&Connector>, request: &Request, log_ms: f64) -> Cost {
    let fee = told.map_or(0.0, |connector| connector.fee(&request.context, request.amount));
    Cost::told(fee, LatencyStep::of_log_ms(log_ms))
}

/// An objective other than success, and the payment it is pursued for.
pub(super) struct Pursuit<'v> {
    objective: &'v Objective,
    /// The payment's amount, in minor units; above 0.
    amount: f64,
}

impl<'v> Pursuit<'v> {
    /// The merchant's objective; none where success alone counts. A payment of nothing (a card that is only verified) has no
    /// worth to weigh a fee against: there, too.
    pub(super) fn of(view: &'v RoutingView, request: &Request) -> Option<Self> {
        let objective = &view.settings.merchants.get(&request.profile)?.objective;
        #[expect(clippy::cast_precision_loss, reason = "an estimate: 2^53 minor units are beyond any payment")]
        let amount = request.amount.minor as f64;
        (!objective.is_success() && amount > 0.0).then_some(Self { objective, amount })
    }

    /// What an attempt of this probability of success is worth.
    pub(super) fn value(&self, cost: Cost, probability: f64) -> f64 {
        cost.value(self.objective, self.amount, probability)
    }

    /// What a logit more or less of it is worth, at this probability.
    pub(super) fn slope(&self, cost: Cost, probability: f64) -> f64 {
        probability * (1.0 - probability) * self.objective.net(f64::from(cost.fee) / self.amount)
    }
}

/// What is noted of a decision whose candidates' costs are told: the objective, where it had a part in the choice, and whom
/// success alone would have chosen.
pub(super) fn note(pursuit: Option<&Pursuit<'_>>, scored: &[Scored<'_>], choice: &Choice) -> Option<Note> {
    let costs: Vec<Cost> = scored.iter().filter_map(|one| one.cost).collect();
    if costs.is_empty() {
        return None;
    }
    let pursued = pursuit.filter(|_| matches!(choice.approach, Approach::Bandit | Approach::Uniform | Approach::LeastBad));
    let best = scored.iter().enumerate().min_by(|(_, a), (_, b)| Scored::by_success(a, b)).map(|(index, _)| index);
    let by_success = best.filter(|_| pursued.is_some()).unwrap_or(choice.index);
    let objective = pursued.map_or_else(Objective::default, |pursuit| *pursuit.objective);
    let Objective { margin_percent, cost_weight, latency_percent_per_s } = objective;
    #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
    let [margin_percent, cost_weight, latency_percent_per_s] =
        [margin_percent, cost_weight, latency_percent_per_s].map(|weight| weight as f32);
    let by_success = u16::try_from(by_success).unwrap_or(0);
    Some(Note::Objective(Weighed { margin_percent, cost_weight, latency_percent_per_s, by_success, costs }))
}
