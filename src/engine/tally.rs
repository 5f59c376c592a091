//! What turning attempts elsewhere would have come to: an estimate with its interval.
//!
//! For an attempt that ended as `y` and would have gone to an account of which the decision expected `p`, the gain is
//! `p − y`. What was expected is a model's word; the attempts that did go to that connector meanwhile tell how far it is
//! off. It learns as they come, so its error belongs to a moment: attempts are gathered until so many outcomes of the
//! connector were seen, and their `p` is corrected by the mean error of those. What is gathered last has too few of them:
//! there the correction is drawn towards none by how well the model claims to know (a normal prior).

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::domain::numbers::{Z95, as_f64};
use crate::domain::settings::Rates;
use crate::domain::{Candidate, Currency, Decision, Money};
use crate::engine::snapshot::Estimate;

/// How far the attempts turned may differ from those seen on a connector, in points of success (one standard deviation):
/// other merchants, other cards. Taken so that the intervals hold what a second run with every repair made tells
/// (`tests/it/shadow.rs`).
pub(crate) const TRANSFER: f64 = 0.03;
/// Connectors kept apart in one tally; beyond it the rest is left uncorrected.
const CONNECTORS: usize = 32;
/// Currencies kept apart.
const CURRENCIES: usize = 16;
/// Below so many attempts nothing is said but that there were too few.
const FEW: u64 = 20;
/// So many outcomes of a connector correct what was expected of it at a time; where there were fewer in all, the figure rests
/// on the model alone. Fewer say little (a standard deviation of 6 points), more come too late to belong to the moment.
const UNSEEN: u64 = 30;

/// An attempt that was decided, and what became of it.
pub(crate) struct Attempted<'d> {
    pub(crate) decision: &'d Arc<Decision>,
    pub(crate) approved: bool,
    pub(crate) amount: Option<Money>,
}

/// One connector that attempts were turned to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Target {
    connector: CompactString,
    /// Attempts turned there, each as much as it would have been made at all, and their amounts, major units.
    weight: f64,
    amounts: Vec<(Currency, f64)>,
    /// Attempts that went there by themselves.
    seen: u64,
    /// What is gathered now.
    now: Gathered,
    /// Corrections of what was gathered before: payments, and money by currency.
    corrected: Uncertain,
    corrected_money: Vec<(Currency, Uncertain)>,
}

/// Attempts turned to a connector for a while, and those that went there by themselves meanwhile.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Gathered {
    weight: f64,
    amounts: Vec<(Currency, f64)>,
    /// Σ weight × the standard deviation that the model claims of what it expects.
    doubt: f64,
    /// Those that went there: how many, the sum of their errors (outcome less expectation) and of their variances.
    seen: u64,
    error: f64,
    spread: f64,
}

/// Sums over attempts that would have been turned elsewhere.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    turned: u64,
    /// Σ (expected − happened), before the correction, and the variance of what luck would have made of it.
    gain: f64,
    luck: f64,
    /// The same in money, by currency, major units.
    money: Vec<(Currency, Uncertain)>,
    targets: Vec<Target>,
}

/// A sum and its variance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Uncertain {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

impl Uncertain {
    pub(crate) fn add(&mut self, other: Self) {
        self.mean += other.mean;
        self.variance += other.variance;
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        Self { mean: self.mean * factor, variance: self.variance * factor * factor }
    }

    /// The 95 % interval.
    pub(crate) fn range(self) -> (f64, f64) {
        let half = Z95 * self.variance.max(0.0).sqrt();
        (self.mean - half, self.mean + half)
    }
}

impl Tally {
    /// Attempts counted.
    pub(crate) const fn turned(&self) -> u64 {
        self.turned
    }

    /// An attempt that would have gone to another account. A repeated attempt would not have been made had an earlier one
    /// succeeded there: it counts by the chance that none had.
    pub(crate) fn turn(&mut self, attempted: &Attempted<'_>, other: &Candidate) {
        let p = other.expected;
        let earlier = attempted.decision.request.attempt.saturating_sub(1).min(8);
        let weight = (0..earlier).fold(1.0, |weight, _| weight * (1.0 - p));
        let gain = weight * p - if attempted.approved { 1.0 } else { 0.0 };
        let luck = weight * p * (1.0 - weight * p);
        self.turned += 1;
        self.gain += gain;
        self.luck += luck;
        let amount = attempted.amount.unwrap_or(attempted.decision.request.amount);
        if let Some(money) = of_currency(&mut self.money, amount.currency) {
            money.add(Uncertain { mean: gain, variance: luck }.times(amount.major()));
        }
        if let Some(target) = self.target(other.account.connector()) {
            target.turn(weight, p * (1.0 - p) * other.spread, amount);
        }
    }

    /// An attempt that ended where it was sent: how far off was what was expected of that connector?
    pub(crate) fn learn(&mut self, attempted: &Attempted<'_>) {
        let chosen = attempted.decision.chosen();
        if let Some(target) = self.target(chosen.account.connector()) {
            let happened = if attempted.approved { 1.0 } else { 0.0 };
            target.learn(happened, chosen.expected);
        }
    }

    fn target(&mut self, connector: &str) -> Option<&mut Target> {
        let place = self.targets.iter().position(|target| target.connector == connector);
        if place.is_none() && self.targets.len() < CONNECTORS {
            self.targets.push(Target { connector: connector.into(), ..Target::default() });
        }
        let place = place.or_else(|| self.targets.iter().position(|target| target.connector == connector))?;
        self.targets.get_mut(place)
    }

    /// Payments gained.
    pub(crate) fn payments(&self) -> Uncertain {
        let mut all = Uncertain { mean: self.gain, variance: self.luck };
        for target in &self.targets {
            all.add(target.corrected);
            all.add(target.now.correction().times(target.now.weight));
            all.add(transfer(target.weight));
        }
        all
    }

    /// Money gained, by currency, major units.
    pub(crate) fn money(&self) -> Vec<(Currency, Uncertain)> {
        let of = |&(currency, mut all): &(Currency, Uncertain)| {
            for target in &self.targets {
                all.add(sum_of(&target.corrected_money, currency));
                all.add(target.now.correction().times(sum_of(&target.now.amounts, currency)));
                all.add(transfer(sum_of(&target.amounts, currency)));
            }
            (currency, all)
        };
        self.money.iter().map(of).collect()
    }

    /// Money gained in the reference currency; none where a currency has no rate.
    pub(crate) fn total(&self, rates: &Rates) -> Option<Uncertain> {
        rates.reference?;
        let mut all = Uncertain::default();
        for (currency, gained) in self.money() {
            all.add(gained.times(1.0 / rates.per_reference.get(&currency)?));
        }
        Some(all)
    }

    /// The estimate for people.
    pub(crate) fn estimate(&self, rates: &Rates) -> Estimate {
        let payments = self.payments();
        let total = rates.reference.zip(self.total(rates));
        let in_minor = |currency, value| to_money(currency, value);
        Estimate {
            attempts: self.turned,
            payments: payments.mean,
            payments_range: payments.range(),
            amount: self.money().into_iter().map(|(currency, sum)| in_minor(currency, sum.mean)).collect(),
            total: total.map(|(currency, sum)| in_minor(currency, sum.mean)),
            total_range: total.map(|(currency, sum)| {
                let (low, high) = sum.range();
                (in_minor(currency, low), in_minor(currency, high))
            }),
            basis: self.basis(),
            warning: self.warning(),
        }
    }

    /// What the estimate rests on.
    fn basis(&self) -> String {
        let to = |target: &&Target| target.weight > 0.0;
        let named = self.targets.iter().filter(to).map(|target| {
            format!("{} ({} {})", target.connector, target.seen, if target.seen == 1 { "outcome" } else { "outcomes" })
        });
        let named: Vec<String> = named.collect();
        if named.is_empty() {
            return "no attempt yet that it would have turned".to_owned();
        }
        format!(
            "{} attempts it would have turned: what their decisions expected of the other account, corrected by what went \
             there meanwhile: {}",
            self.turned,
            named.join(", ")
        )
    }

    /// Where the data cannot say.
    pub(crate) fn warning(&self) -> Option<String> {
        if self.turned == 0 {
            return None;
        }
        if self.turned < FEW {
            return Some(format!("only {} attempts: too few to say", self.turned));
        }
        let unseen: Vec<&str> = self
            .targets
            .iter()
            .filter(|target| target.weight > 0.0 && target.seen < UNSEEN)
            .map(|target| target.connector.as_str())
            .collect();
        (!unseen.is_empty()).then(|| {
            format!("{} took fewer than {UNSEEN} attempts meanwhile: the figure rests on the model alone", unseen.join(", "))
        })
    }
}

impl Target {
    fn turn(&mut self, weight: f64, claimed: f64, amount: Money) {
        let major = weight * amount.major();
        self.weight += weight;
        self.now.weight += weight;
        self.now.doubt += weight * claimed;
        for amounts in [&mut self.amounts, &mut self.now.amounts] {
            if let Some(sum) = of_currency(amounts, amount.currency) {
                *sum += major;
            }
        }
    }

    fn learn(&mut self, happened: f64, expected: f64) {
        self.seen += 1;
        self.now.seen += 1;
        self.now.error += happened - expected;
        self.now.spread += expected * (1.0 - expected);
        if self.now.seen >= UNSEEN {
            let gathered = core::mem::take(&mut self.now);
            let correction = gathered.error_seen();
            self.corrected.add(correction.times(gathered.weight));
            for (currency, amount) in gathered.amounts {
                if let Some(money) = of_currency(&mut self.corrected_money, currency) {
                    money.add(correction.times(amount));
                }
            }
        }
    }
}

impl Gathered {
    /// The mean error of what was seen: there is enough of it.
    fn error_seen(&self) -> Uncertain {
        let seen = as_f64(self.seen);
        Uncertain { mean: self.error / seen, variance: self.spread / (seen * seen) }
    }

    /// The mean error of what was seen so far, as a normal belief around none.
    fn correction(&self) -> Uncertain {
        if self.weight <= 0.0 {
            return Uncertain::default();
        }
        let claimed = self.doubt / self.weight;
        let prior = claimed * claimed + TRANSFER * TRANSFER;
        let seen = as_f64(self.seen);
        // Before anything is seen an attempt's outcome varies as much as it can.
        let spread = if self.seen > 0 { (self.spread / seen).max(0.02) } else { 0.25 };
        let worth = spread / prior;
        Uncertain { mean: self.error / (seen + worth), variance: spread / (seen + worth) }
    }
}

/// What is left of the model's error on attempts of another kind than were seen there: common to all of them.
fn transfer(turned: f64) -> Uncertain {
    Uncertain { mean: 0.0, variance: TRANSFER * TRANSFER }.times(turned)
}

fn sum_of<V: Copy + Default>(sums: &[(Currency, V)], currency: Currency) -> V {
    sums.iter().find(|(of, _)| *of == currency).map_or_else(V::default, |(_, sum)| *sum)
}

/// What is summed of a currency; none of a further one where there are too many.
fn of_currency<V: Default>(sums: &mut Vec<(Currency, V)>, currency: Currency) -> Option<&mut V> {
    let known = sums.iter().position(|(of, _)| *of == currency);
    if known.is_none() && sums.len() < CURRENCIES {
        sums.push((currency, V::default()));
    }
    let place = known.or_else(|| sums.len().checked_sub(1).filter(|last| sums[*last].0 == currency))?;
    sums.get_mut(place).map(|(_, sum)| sum)
}

/// An amount in major units as money.
pub(crate) fn to_money(currency: Currency, major: f64) -> Money {
    let unit = f64::from(10_u32.pow(currency.exponent()));
    #[expect(clippy::cast_possible_truncation, reason = "an estimate; saturates")]
    let minor = libm::round(major * unit) as i64;
    Money::new(minor, currency)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Request;
    use crate::domain::testing::{self, eur};

    fn candidate(name: &str, expected: f64) -> Candidate {
        Candidate { spread: 0.2, ..testing::candidate(name, expected) }
    }

    /// A decision on a hundred euros whose first candidate is chosen, of which `expected` was expected.
    fn decided(first: Candidate, second: Candidate, attempt: u16) -> Arc<Decision> {
        let decision = testing::decision(vec![first, second]);
        Arc::new(Decision { request: Request { attempt, amount: eur(10_000), ..decision.request }, ..decision })
    }

    #[test]
    fn what_is_seen_on_the_target_corrects_what_was_expected_of_it() {
        let mut tally = Tally::default();
        let failing = decided(candidate("adyen:a", 0.3), candidate("stripe:s", 0.9), 1);
        for _ in 0..200 {
            tally.turn(&Attempted { decision: &failing, approved: false, amount: None }, &failing.candidates[1]);
        }
        let alone = tally.payments();
        assert!((alone.mean - 180.0).abs() < 1e-9 && tally.warning().unwrap().contains("model alone"), "{alone:?}");
        // The target itself fails too: of what it was sent, half is approved.
        let there = decided(candidate("stripe:s", 0.9), candidate("adyen:a", 0.3), 1);
        for number in 0..2_000 {
            tally.learn(&Attempted { decision: &there, approved: number % 2 == 0, amount: None });
        }
        let seen = tally.payments();
        assert!((seen.mean - 100.0).abs() < 8.0 && tally.warning().is_none(), "{seen:?}");
        let (low, high) = seen.range();
        assert!(low < 100.0 && 100.0 < high && high - low < 60.0, "{low} {high}");
        let estimate = tally.estimate(&Rates::default());
        let total = estimate.total.unwrap().major();
        assert!((total - 100.0 * seen.mean).abs() < 1.0, "a hundred euros each: {total}");
    }

    #[test]
    fn a_repeated_attempt_counts_by_the_chance_that_it_was_needed() {
        let mut tally = Tally::default();
        for attempt in [1, 2] {
            let failing = decided(candidate("adyen:a", 0.3), candidate("stripe:s", 0.75), attempt);
            tally.turn(&Attempted { decision: &failing, approved: false, amount: None }, &failing.candidates[1]);
        }
        let gain = tally.payments().mean;
        assert!((gain - (0.75 + 0.25 * 0.75)).abs() < 1e-9, "{gain}");
        assert!(tally.warning().unwrap().contains("too few"));
    }
}
