//! A decision explained: why this account, from what the decision itself carries and nothing else.
//!
//! [`Explanation`] is what programs read, in JSON; its [`text`](Explanation::text) is what people read, one paragraph. Both
//! are made of the recorded decision alone, so that they are the same whenever and wherever they are made.

mod text;

use std::borrow::Cow;

use serde::Serialize;

use super::{Approach, Candidate, Cost, Decision, Exclusion, Note, Request, Weighed};
use crate::domain::{ConnectorAccount, Context, Method, Money, Network, PaymentId, Position, ProfileId, RuleId, Time};

/// What decides routes where no note names another: the model that learns as it goes.
const ONLINE_MODEL: &str = "online";

/// Standard deviations that leave one in forty on each side: a 95 % interval.
const INTERVAL: f64 = 1.96;

/// A decision, explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation<'d> {
    /// The merchant.
    pub profile: &'d ProfileId,
    /// The payment.
    pub payment: &'d PaymentId,
    /// The attempt, from 1.
    pub attempt: u16,
    /// The amount.
    pub amount: Money,
    /// What else was known of the payment.
    pub context: &'d Context,
    /// The account chosen.
    pub chosen: &'d ConnectorAccount,
    /// How it was chosen.
    pub approach: Approach,
    /// The same in words.
    pub because: String,
    /// Who was considered, in the order of preference; those excluded come last.
    pub candidates: Vec<Considered<'d>>,
    /// The merchant's routing rule, where it made a difference.
    pub rule: Option<RuleId>,
    /// What counted besides success, and what that changed; none: nothing did.
    pub objective: Option<Pursued<'d>>,
    /// What else shaped it, a sentence each: adoption, experiments.
    pub besides: Vec<String>,
    /// Probability that the chosen one is the best, 0 to 1.
    pub confidence: f64,
    /// Probability that such a payment goes there, 0 to 1.
    pub propensity: f64,
    /// The model that expected it: the version of the learnt one in force, else `online`.
    pub model: Cow<'static, str>,
    /// When it was decided, where that is known.
    pub decided_at: Option<Time>,
    /// The position of the log it was decided on.
    pub view: Position,
}

/// One candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Considered<'d> {
    /// The account.
    pub account: &'d ConnectorAccount,
    /// Why it could not be chosen, if so.
    pub excluded: Option<Exclusion>,
    /// The same in words, with what does not fit.
    pub reason: Option<String>,
    /// Expected probability of success, 0 to 1.
    pub expected: f64,
    /// Where it lies with a probability of 95 %, by what is not known of the connector itself.
    pub interval: [f64; 2],
    /// Outcomes that are known behind it.
    pub evidence: f64,
    /// What learning more about it was worth, in logits.
    pub bonus: f64,
    /// Attempts in flight on it that damped the bonus: those its view counted on the connector, and those on the account that
    /// only the deciding replica knew of. A decision of before both were told has the latter alone.
    pub pending: u32,
    /// What an attempt costs; none where no fee is known and nothing but success counted.
    pub cost: Option<Costs>,
}

/// What an attempt at a candidate costs, and is expected to be worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Costs {
    /// The fee if it is approved, in minor units.
    pub fee_minor: f64,
    /// How long its answer usually takes, in milliseconds.
    pub latency_ms: f64,
    /// Expected value with that taken off, in minor units; none where it had no part in the choice.
    pub value_minor: Option<f64>,
}

/// What a merchant wanted besides success, and what that changed against success alone. Amounts are expected, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pursued<'d> {
    /// What an approved payment is worth, percent of its amount.
    pub margin_percent: f32,
    /// How much fees count.
    pub cost_weight: f32,
    /// What a second of waiting costs, percent of the amount.
    pub latency_percent_per_s: f32,
    /// Whom success alone would have chosen.
    pub by_success: &'d ConnectorAccount,
    /// Probability of success given up against that one; below 0 where the chosen one's is the higher.
    pub success_given_up: f64,
    /// What that is worth.
    pub worth_given_up_minor: f64,
    /// Fees saved, over approvals and failures; below 0: more are paid.
    pub fees_saved_minor: f64,
    /// Waiting saved, in milliseconds; below 0: it is longer.
    pub waiting_saved_ms: f64,
}

impl<'d> Explanation<'d> {
    /// Explains a decision.
    #[must_use]
    pub fn of(decision: &'d Decision) -> Self {
        let Decision { request, decided_at, view, approach, candidates, propensity, confidence, notes, .. } = decision;
        let mut explanation = Self {
            profile: &request.profile,
            payment: &request.payment,
            attempt: request.attempt,
            amount: request.amount,
            context: &request.context,
            chosen: &decision.chosen().account,
            approach: *approach,
            because: text::because(*approach).to_owned(),
            candidates: candidates.iter().map(|candidate| Considered::of(candidate, request)).collect(),
            rule: decision.rule(),
            objective: None,
            besides: Vec::new(),
            confidence: *confidence,
            propensity: *propensity,
            model: decision.model().map_or(Cow::Borrowed(ONLINE_MODEL), |version| Cow::Owned(version.to_string())),
            decided_at: *decided_at,
            view: *view,
        };
        for note in notes {
            explanation.note(note, decision);
        }
        explanation
    }

    /// Takes a note in: each kind has its own place.
    fn note(&mut self, note: &Note, decision: &'d Decision) {
        match note {
            Note::Objective(weighed) => {
                self.objective = Pursued::of(weighed, decision);
                for (index, one) in self.candidates.iter_mut().enumerate() {
                    one.cost = Costs::of(weighed, decision, index);
                }
            }
            Note::KillSwitch
            | Note::Shadow { .. }
            | Note::Dial { .. }
            | Note::Conservative
            | Note::Ruling { .. }
            | Note::Experiment { .. }
            | Note::Promoted { .. }
            | Note::Model { .. } => self.besides.push(note.sentence(&decision.candidates)),
        }
    }
}

impl<'d> Considered<'d> {
    fn of(candidate: &'d Candidate, request: &Request) -> Self {
        let Candidate { account, excluded, expected, spread, bonus, evidence, .. } = candidate;
        Self {
            account,
            excluded: *excluded,
            reason: excluded.map(|excluded| excluded.sentence(request)),
            expected: *expected,
            interval: interval(*expected, *spread),
            evidence: *evidence,
            bonus: *bonus,
            pending: candidate.in_flight(),
            cost: None,
        }
    }
}

impl Costs {
    fn of(weighed: &Weighed, decision: &Decision, index: usize) -> Option<Self> {
        let cost = weighed.costs.get(index)?;
        let value_minor = weighed.value(decision, index).filter(|_| !weighed.objective().is_success());
        Some(Self { fee_minor: f64::from(cost.fee), latency_ms: cost.latency.ms(), value_minor })
    }
}

impl<'d> Pursued<'d> {
    /// What choosing by an objective changed; none where it had no part in it, or the note does not fit the decision.
    #[must_use]
    pub fn of(weighed: &Weighed, decision: &'d Decision) -> Option<Self> {
        if weighed.objective().is_success() {
            return None;
        }
        let expected = |index: usize| Some((decision.candidates.get(index)?, weighed.costs.get(index)?));
        let (chosen, cost) = expected(usize::from(decision.chosen))?;
        let (by_success, other_cost) = expected(usize::from(weighed.by_success))?;
        let success_given_up = by_success.expected - chosen.expected;
        let fees = |candidate: &Candidate, cost: &Cost| candidate.expected * f64::from(cost.fee);
        Some(Self {
            margin_percent: weighed.margin_percent,
            cost_weight: weighed.cost_weight,
            latency_percent_per_s: weighed.latency_percent_per_s,
            by_success: &by_success.account,
            success_given_up,
            worth_given_up_minor: success_given_up * weighed.worth(decision),
            fees_saved_minor: fees(by_success, other_cost) - fees(chosen, cost),
            waiting_saved_ms: other_cost.latency.ms() - cost.latency.ms(),
        })
    }
}

/// The probabilities so many logits below and above one. The ends of the scale have no logit: they stay what they are.
fn interval(expected: f64, spread: f64) -> [f64; 2] {
    let shifted = |logits: f64| {
        let odds = expected / (1.0 - expected) * libm::exp(logits);
        if odds.is_finite() { odds / (1.0 + odds) } else { expected }
    };
    [shifted(-INTERVAL * spread), shifted(INTERVAL * spread)]
}

impl Exclusion {
    /// The reason in words, with what of the payment does not fit.
    #[must_use]
    pub fn sentence(self, request: &Request) -> String {
        let Request { context, amount, .. } = request;
        let lacks =
            |what: Option<&str>| what.map_or_else(|| self.as_str().to_owned(), |what| format!("does not support {what}"));
        match self {
            Self::Method => lacks(context.method.map(Method::as_str)),
            Self::Currency => lacks(Some(amount.currency.code())),
            Self::Network => lacks(context.network.map(Network::as_str)),
            Self::Country => lacks(context.country.map(|country| format!("cards issued in {country}")).as_deref()),
            Self::Amount => lacks(Some(&format!("an amount of {amount}"))),
            Self::ThreeDs => lacks(context.three_ds.map(|asked| if asked { "3DS" } else { "a payment without 3DS" })),
            Self::Rule(rule) => format!("{}: {rule}", self.as_str()),
            Self::BreakerOpen | Self::Operator | Self::StepUp | Self::Maintenance | Self::Unproven => self.as_str().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
