//! What is counted while the two folds go on beside each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Noticed;
use super::report::{Amount, Count, Example, Flow, Report, SecondOpinion, Success, side_by_side};
use crate::backtest::doubly_robust::{Choice, DoublyRobust};
use crate::domain::numbers::{Z95, as_f64};
use crate::domain::settings::Rates;
use crate::domain::{Approach, Currency, Decision, ProfileId, Time};
use crate::engine::snapshot::Estimate;
use crate::engine::{Attempted, TRANSFER, Tally, Uncertain, to_money};

/// Examples told: more than these nobody reads.
const EXAMPLES: usize = 10;
/// Differing attempts below which nothing can be said of them.
const FEW: u64 = 20;
/// Share of differing attempts that the log could not have sent there, above which that is warned of.
const UNSUPPORTED: f64 = 0.2;

/// Sums over the stretch.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    decisions: u64,
    differ: u64,
    flows: BTreeMap<(String, String), u64>,
    merchants: BTreeMap<ProfileId, u64>,
    methods: BTreeMap<&'static str, u64>,
    examples: Vec<Example>,
    outcomes: u64,
    approved: u64,
    robust: DoublyRobust,
    /// Amounts approved, major units.
    amounts: BTreeMap<Currency, f64>,
    turned: Tally,
    /// Differing attempts with an outcome, and those of them that the log could never have sent there.
    judged: u64,
    unsupported: u64,
    /// The model's own doubt of those, by where they would have gone.
    doubt: BTreeMap<String, f64>,
    certain: u64,
    /// How close to the best an account must be for the uniform slice to draw it, as it was configured then.
    margin: f64,
    pub(super) orders_left_out: u64,
    pub(super) configurations_left_out: u64,
    /// Decisions under another rule that may ask what is not recorded.
    pub(super) asked_more: u64,
}

impl Comparison {
    pub(super) fn new(margin: f64) -> Self {
        Self { margin, ..Self::default() }
    }

    /// A decision as it was, and as it would have been.
    pub(super) fn decided(&mut self, at: Time, recorded: &Decision, other: &Decision) {
        self.decisions += 1;
        let (from, to) = (&recorded.chosen().account, &other.chosen().account);
        if from == to {
            return;
        }
        self.differ += 1;
        let named = if from.connector() == to.connector() {
            (from.to_string(), to.to_string())
        } else {
            (from.connector().to_owned(), to.connector().to_owned())
        };
        *self.flows.entry(named).or_default() += 1;
        *self.merchants.entry(recorded.request.profile.clone()).or_default() += 1;
        let method = recorded.request.context.method.map_or("unknown", crate::domain::Method::as_str);
        *self.methods.entry(method).or_default() += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(Example {
                at,
                payment: recorded.request.payment.clone(),
                merchant: recorded.request.profile.clone(),
                was: from.clone(),
                was_by: recorded.approach,
                other: to.clone(),
                other_by: other.approach,
            });
        }
    }

    /// An attempt ended as it was decided. `chance` is the probability with which the other would have chosen that, too.
    pub(super) fn ended(&mut self, recorded: &Arc<Decision>, (other, chance): (&Decision, f64), approved: bool) {
        let value = if approved { 1.0 } else { 0.0 };
        let (chosen, account) = (recorded.chosen(), &other.chosen().account);
        let same = chosen.account == *account;
        let instead = recorded.candidates.iter().find(|candidate| candidate.account == *account);
        let expected = (chosen.expected, instead.map_or(chosen.expected, |candidate| candidate.expected));
        self.outcomes += 1;
        self.approved += u64::from(approved);
        self.robust.observe(&Choice { propensity: (recorded.propensity, chance), value, expected });
        let amount = recorded.request.amount;
        *self.amounts.entry(amount.currency).or_default() += value * amount.major();
        let attempted = Attempted { decision: recorded, approved, amount: None };
        self.turned.learn(&attempted);
        if let Some(instead) = instead.filter(|_| !same) {
            self.turned.turn(&attempted, instead);
            self.judged += 1;
            self.certain += u64::from(recorded.propensity >= 1.0);
            if !is_supported(recorded, instead.expected, self.margin) {
                self.unsupported += 1;
                let p = instead.expected;
                let claimed = p * (1.0 - p) * instead.spread;
                *self.doubt.entry(account.connector().to_owned()).or_default() +=
                    (claimed * claimed + TRANSFER * TRANSFER).sqrt();
            }
        }
    }

    pub(super) fn report(self, (from, to): (Time, Time), (was, other): (&Noticed, &Noticed), rates: &Rates) -> Report {
        let turned = self.turned.estimate(rates);
        let (success, second_opinion, amounts) = (self.success(&turned), self.second_opinion(), self.amounts());
        let mut warnings = self.warnings();
        warnings.extend(super::report::unverified(from, other).filter(|_| self.differ > 0));
        let count = |(name, count): (String, u64)| Count { name, count };
        let mut flows: Vec<Flow> = self.flows.into_iter().map(|((from, to), count)| Flow { from, to, count }).collect();
        flows.sort_by_key(|flow| core::cmp::Reverse(flow.count));
        let mut merchants: Vec<Count> = self.merchants.into_iter().map(|(id, n)| count((id.to_string(), n))).collect();
        merchants.sort_by_key(|row| core::cmp::Reverse(row.count));
        let mut methods: Vec<Count> = self.methods.into_iter().map(|(name, n)| count((name.to_owned(), n))).collect();
        methods.sort_by_key(|row| core::cmp::Reverse(row.count));
        Report {
            from,
            to,
            decisions: self.decisions,
            differ: self.differ,
            flows,
            merchants,
            methods,
            examples: self.examples,
            incidents: side_by_side(from, was, other),
            actions_was: super::report::actions(from, was),
            actions_other: super::report::actions(from, other),
            success,
            second_opinion,
            amounts,
            turned,
            warnings,
            orders_left_out: self.orders_left_out,
            configurations_left_out: self.configurations_left_out,
        }
    }

    /// What was, and with what those turned would have brought.
    fn success(&self, turned: &Estimate) -> Success {
        let share = |approved: f64| (self.outcomes > 0).then(|| (approved / as_f64(self.outcomes)).clamp(0.0, 1.0));
        let (approved, (low, high)) = (as_f64(self.approved), turned.payments_range);
        Success {
            outcomes: self.outcomes,
            was: share(approved),
            other: share(approved + turned.payments),
            other_range: share(approved + low).zip(share(approved + high)),
        }
    }

    fn second_opinion(&self) -> Option<SecondOpinion> {
        let doubt = self.doubt.values().map(|sum| sum * sum).sum::<f64>().sqrt() / as_f64(self.outcomes.max(1));
        self.robust.can_say().then(|| SecondOpinion {
            other: self.robust.mean(),
            half_width_95: self.robust.half_width().hypot(Z95 * doubt),
            effective_samples: self.robust.effective(),
        })
    }

    fn amounts(&self) -> Vec<Amount> {
        let turned: BTreeMap<Currency, Uncertain> = self.turned.money().into_iter().collect();
        let amount = |(&currency, &was): (&Currency, &f64)| {
            let more = turned.get(&currency).copied().unwrap_or_default();
            let (low, high) = more.range();
            let money = |more| to_money(currency, was + more);
            Amount { was: money(0.0), other: money(more.mean), other_range: (money(low), money(high)) }
        };
        self.amounts.iter().map(amount).collect()
    }

    /// Where the data cannot say, in words.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.differ > 0 && self.judged < FEW {
            warnings.push(format!(
                "only {} of the {} decisions that differ have an outcome: too few to say what the difference is worth",
                self.judged, self.differ
            ));
        }
        let share = as_f64(self.unsupported) / as_f64(self.judged.max(1));
        if share > UNSUPPORTED {
            warnings.push(format!(
                "{:.0} % of the attempts that differ could not have gone there then (a fixed list, or too far from the best): no \
                 propensity speaks for them, the figures rest on the model",
                share * 100.0
            ));
        }
        if self.certain > 0 {
            warnings.push(format!(
                "{} attempts that differ were decided with propensity 1: nothing was left to chance, so nothing corrects the model \
                 there",
                self.certain
            ));
        }
        if self.asked_more > 0 {
            warnings.push(format!(
                "{} decisions fell under other rules that ask of a payment: they are judged on its request alone, since what its \
                 caller told besides (metadata, say) is not recorded",
                self.asked_more
            ));
        }
        warnings.extend(self.turned.warning());
        warnings
    }
}

/// Whether the log's own draw could have chosen that account: the uniform slice draws among those close to the best.
fn is_supported(recorded: &Decision, expected: f64, margin: f64) -> bool {
    let open = recorded.candidates.iter().filter(|candidate| candidate.excluded.is_none());
    let best = open.map(|candidate| candidate.expected).fold(0.0, f64::max);
    matches!(recorded.approach, Approach::Bandit | Approach::Uniform) && expected >= best - margin
}
