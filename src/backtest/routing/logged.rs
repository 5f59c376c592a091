//! What a log can say of a policy that did not write it.
//!
//! Only the outcome of the connector that was chosen then is known. Where the propensity of that choice was recorded,
//! two estimates follow: self-normalised inverse propensity and doubly robust ([`DoublyRobust`]), the latter with each
//! connector's running mean as its model. Without propensities nothing unbiased can be said; the payments on which both
//! agree are shown, and said to be no more than that. The policy learns from those alone, so that its estimate is of what
//! it would have learnt itself.
//!
//! Of a payment that the policy sends where the log never does, nothing is known, and no model's word stands for it: it
//! widens the interval by all that its outcome could change. Where that is so of half of the payments there is no figure.

use serde::Serialize;

use super::case::{Case, Choice};
use crate::backtest::doubly_robust::{self, DoublyRobust, LEAST_PROPENSITY};
use crate::domain::numbers::len_as_f64;

/// Share of the payments without support above which the log says more of another policy than of this one.
const MOST_UNSUPPORTED: f64 = 0.5;
/// Payments' worth below which an estimate's own error is not to be trusted.
const LEAST_EFFECTIVE: f64 = 30.0;
/// Mean weight above which the propensities were not those of the choices: by chance it is 1.
const MOST_WEIGHT: f64 = 1.5;
/// Outcomes that a connector's mean is worth before it has any: then it is that of them all.
const PRIOR: f64 = 2.0;

/// What is estimated, and how surely.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Payments logged.
    pub payments: usize,
    /// The logged policy's own success rate.
    pub logged_success_rate: f64,
    /// Payments on which the policy chose as the log did: it has learnt from those.
    pub matched: usize,
    /// The success rate of those: biased, wherever the log's choice depended on the payment.
    pub matched_success_rate: Option<f64>,
    /// Payments whose propensity is recorded.
    pub with_propensity: usize,
    /// Propensities that were too small to be believed, and were raised to 0.001.
    pub raised: usize,
    /// Payments that the policy sends where the log never does: nothing is known of them.
    pub unsupported: usize,
    /// Self-normalised inverse propensity, of the payments with support; none without propensities.
    pub snips: Option<f64>,
    /// Doubly robust; none where something is lacking.
    pub doubly_robust: Option<f64>,
    /// Half of the 95 % interval of the doubly robust estimate, what the payments without support could change included.
    pub half_width_95: Option<f64>,
    /// Payments the weighted sample is worth (Kish).
    pub effective_samples: Option<f64>,
    /// Why there is no doubly robust estimate; none: there is one.
    pub lacking: Option<Lacking>,
}

/// What a log lacks, so that a policy cannot be judged on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lacking {
    /// Propensities, of all payments or of some.
    Propensities,
    /// Propensities that fit the choices: by these each choice would have to be far rarer than it is.
    FittingPropensities,
    /// Payments that were sent where the policy sends them.
    Support,
    /// Enough of those.
    Samples,
}

impl Estimate {
    /// The best estimate there is of the policy's success rate.
    #[must_use]
    pub fn best(&self) -> Option<f64> {
        if self.lacking == Some(Lacking::Propensities) { self.matched_success_rate } else { self.doubly_robust }
    }

    /// How sure that is, in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { payments, raised, unsupported, .. } = *self;
        let support = (unsupported > 0).then(|| {
            format!("no support for {unsupported} of {payments} payments: the policy sends them where the log never does")
        });
        let raised = (raised > 0).then(|| format!("{raised} propensities were below {LEAST_PROPENSITY}, and counted as that"));
        let said: Vec<String> = [self.figure()].into_iter().chain(support).chain(raised).collect();
        said.join("; ")
    }

    /// The figure that is believed, or why there is none.
    fn figure(&self) -> String {
        let percent = |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{:.2} %", value * 100.0));
        let (matched, worth) = (self.matched, self.effective_samples.unwrap_or(0.0));
        let snips = format!("self-normalised {}, worth {worth:.0} payments", percent(self.snips));
        match self.lacking {
            None => format!(
                "doubly robust {} ± {:.2} (95 %), {snips}; it learnt from the {matched} on which it chose as the log did, live \
                 it would from all: what that changes is not in the interval",
                percent(self.doubly_robust),
                self.half_width_95.unwrap_or(1.0) * 100.0,
            ),
            Some(Lacking::Propensities) => {
                let which = match self.with_propensity {
                    0 => "no propensities".to_owned(),
                    some => format!(
                        "propensities of {some} of {} payments alone (give them all, or judge those apart)",
                        self.payments
                    ),
                };
                format!(
                    "{which}: only the {matched} payments on which the policy chose as the log did; biased wherever that \
                     choice depended on the payment"
                )
            }
            Some(Lacking::FittingPropensities) => {
                "none: the propensities are not those of the log's choices, each of which they make far rarer than it is"
                    .to_owned()
            }
            Some(Lacking::Support) => format!("none: the log tells too little of where the policy sends payments ({snips})"),
            Some(Lacking::Samples) => format!("none: the log tells of too few payments that the policy sends so ({snips})"),
        }
    }
}

/// Sums over a log.
#[derive(Debug, Clone)]
pub(super) struct Estimator {
    logged: (f64, f64),
    matched: (usize, f64),
    robust: DoublyRobust,
    /// Number and sum of the outcomes so far, by connector.
    means: Vec<(f64, f64)>,
    /// Whether the log ever chose it, by connector.
    ever: Vec<bool>,
    payments: usize,
    with_propensity: usize,
    raised: usize,
    unsupported: usize,
}

impl Estimator {
    pub(super) fn new(case: &Case) -> Self {
        let mut ever = vec![false; case.connectors.len()];
        case.outcomes.iter().flatten().for_each(|outcome| ever[usize::from(outcome.connector)] = true);
        Self {
            logged: (0.0, 0.0),
            matched: (0, 0.0),
            robust: DoublyRobust::default(),
            means: vec![(0.0, 0.0); case.connectors.len()],
            ever,
            payments: 0,
            with_propensity: 0,
            raised: 0,
            unsupported: 0,
        }
    }

    /// One payment: what the policy chose, against what is logged.
    pub(super) fn observe(&mut self, case: &Case, payment: usize, choice: &Choice) {
        let Some(logged) = case.outcomes[payment].first() else { return };
        let value = if logged.success { 1.0 } else { 0.0 };
        let same = logged.connector == choice.connector;
        let supported = same || logged.propensity.is_none_or(|propensity| self.supports(choice.connector, propensity));
        self.payments += 1;
        self.with_propensity += usize::from(logged.propensity.is_some());
        self.raised += usize::from(logged.propensity.is_some_and(|propensity| propensity < LEAST_PROPENSITY));
        self.unsupported += usize::from(!supported);
        self.logged = (self.logged.0 + 1.0, self.logged.1 + value);
        if same {
            self.matched = (self.matched.0 + 1, self.matched.1 + value);
        }
        if let Some(propensity) = logged.propensity.filter(|_| supported) {
            let expected = (self.mean(logged.connector), self.mean(choice.connector));
            // The policy's draws are its own: given them, it would choose so every time.
            let chance = if same { 1.0 } else { 0.0 };
            self.robust.observe(&doubly_robust::Choice { propensity: (propensity, chance), value, expected });
        }
        let (count, sum) = &mut self.means[usize::from(logged.connector)];
        *count += 1.0;
        *sum += value;
    }

    /// Whether a log that chose another connector with this propensity could have chosen this one.
    fn supports(&self, connector: u16, propensity: f64) -> bool {
        self.ever[usize::from(connector)] && propensity <= 1.0 - LEAST_PROPENSITY
    }

    fn mean(&self, connector: u16) -> f64 {
        let (count, sum) = self.means[usize::from(connector)];
        let overall = (self.logged.1 + 1.0) / (self.logged.0 + 2.0);
        (sum + PRIOR * overall) / (count + PRIOR)
    }

    pub(super) fn estimate(&self) -> Estimate {
        let robust = &self.robust;
        let missing = if self.with_propensity < self.payments { 0.0 } else { self.missing() };
        let lacking = self.lacking(missing);
        let weighted = robust.can_say() && !matches!(lacking, Some(Lacking::Propensities | Lacking::FittingPropensities));
        let value = robust.mean().clamp(0.0, 1.0);
        // What is not known may all have been approved, or none of it.
        let half = (1.0 - missing) * robust.half_width() + missing * value.max(1.0 - value);
        Estimate {
            payments: self.payments,
            logged_success_rate: self.logged.1 / self.logged.0.max(1.0),
            matched: self.matched.0,
            matched_success_rate: (self.matched.0 > 0).then(|| self.matched.1 / len_as_f64(self.matched.0)),
            with_propensity: self.with_propensity,
            raised: self.raised,
            unsupported: whole(missing * self.logged.0),
            snips: weighted.then(|| robust.snips()),
            doubly_robust: lacking.is_none().then_some(value),
            half_width_95: lacking.is_none().then(|| half.min(1.0)),
            effective_samples: weighted.then(|| robust.effective()),
            lacking,
        }
    }

    /// The share of the payments that the policy sends where the log never does: those of which that is certain, and those
    /// that the weights lack.
    fn missing(&self) -> f64 {
        let lacked = if self.robust.count() > 0.0 { (1.0 - self.robust.mean_weight()).max(0.0) } else { 0.0 };
        (len_as_f64(self.unsupported) + lacked * self.robust.count()) / self.logged.0.max(1.0)
    }

    fn lacking(&self, missing: f64) -> Option<Lacking> {
        let robust = &self.robust;
        if self.with_propensity < self.payments {
            // Estimates of a part of the log would be of that part only.
            Some(Lacking::Propensities)
        } else if robust.can_say() && robust.mean_weight() > MOST_WEIGHT {
            Some(Lacking::FittingPropensities)
        } else if !robust.can_say() || missing > MOST_UNSUPPORTED {
            Some(Lacking::Support)
        } else if robust.effective() < LEAST_EFFECTIVE {
            Some(Lacking::Samples)
        } else {
            None
        }
    }
}

fn whole(count: f64) -> usize {
    usize::try_from(crate::sim::chance::whole(count)).unwrap_or(usize::MAX)
}
