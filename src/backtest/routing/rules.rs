//! The rules to beat: what switches do today, and textbook bandits.

use std::collections::{BTreeMap, VecDeque};

use super::case::{Case, Choice, Outcome, Payment};
use crate::backtest::doubly_robust::LEAST_PROPENSITY;
use crate::domain::Method;
use crate::domain::numbers::len_as_f64;
use crate::sim::chance::{Family, Stream};

/// Outcomes remembered per method and connector: the default of the rule that is most in use.
const LAST: usize = 125;
/// Share of payments that rule sends elsewhere, to keep its windows filled.
const HEDGE: f64 = 0.05;

/// The first of those with the highest value.
fn argmax(connectors: &[u16], value: impl Fn(u16) -> f64) -> u16 {
    let mut best = (connectors[0], f64::NEG_INFINITY);
    for connector in connectors {
        let value = value(*connector);
        if value > best.1 {
            best = (*connector, value);
        }
    }
    best.0
}

/// The draw of one payment: a stream of its own, so that one policy's draws move nothing in another's.
fn draw(family: &Family, payment: &Payment) -> Stream {
    let hash = blake3::hash(payment.id.as_str().as_bytes());
    let number = hash.as_bytes().iter().take(8).fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    family.stream(number)
}

fn among(connectors: &[u16], stream: &mut Stream) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the number of connectors")]
    let index = (stream.unit() * len_as_f64(connectors.len())) as usize;
    connectors[index.min(connectors.len() - 1)]
}

/// The last-N rule: windows begin full of successes, so that a connector never tried is tried.
#[derive(Debug)]
pub struct LastN {
    windows: BTreeMap<(Option<Method>, u16), (VecDeque<bool>, usize)>,
    draws: Family,
}

impl LastN {
    pub(super) fn new(seed: u64) -> Self {
        Self { windows: BTreeMap::new(), draws: Family::new(seed, "last-n") }
    }

    fn rate(&self, method: Option<Method>, connector: u16) -> f64 {
        self.windows.get(&(method, connector)).map_or(1.0, |(_, successes)| len_as_f64(*successes) / len_as_f64(LAST))
    }

    pub(super) fn choose(&self, payment: &Payment) -> Choice {
        let method = payment.context.method;
        let best = argmax(&payment.connectors, |c| self.rate(method, c));
        let mut stream = draw(&self.draws, payment);
        let others: Vec<u16> = payment.connectors.iter().copied().filter(|c| *c != best).collect();
        let hedged = stream.unit() < HEDGE && !others.is_empty();
        let connector = if hedged { among(&others, &mut stream) } else { best };
        let propensity = if hedged { HEDGE / len_as_f64(others.len()) } else { 1.0 - HEDGE };
        Choice { connector, expected: Some(self.rate(method, connector)), propensity }
    }

    pub(super) fn learn(&mut self, payment: &Payment, outcome: &Outcome) {
        let key = (payment.context.method, outcome.connector);
        let (window, successes) = self.windows.entry(key).or_insert_with(|| (VecDeque::from(vec![true; LAST]), LAST));
        *successes -= usize::from(window.pop_front().unwrap_or(false));
        window.push_back(outcome.success);
        *successes += usize::from(outcome.success);
    }
}

/// Discounted UCB (Garivier and Moulines 2011): every outcome fades all that came before it.
#[derive(Debug)]
pub struct Ucb {
    /// Discounted number and sum of outcomes, by connector.
    arms: Vec<(f64, f64)>,
}

impl Ucb {
    /// What an outcome fades the earlier ones by: a memory of 500 outcomes.
    const DISCOUNT: f64 = 0.998;
    /// Width of the bound; the usual √2 explores far too much where rates lie close together.
    const WIDTH: f64 = 0.25;

    pub(super) fn new(case: &Case) -> Self {
        Self { arms: vec![(0.0, 0.0); case.connectors.len()] }
    }

    fn mean(&self, connector: u16) -> f64 {
        let (count, sum) = self.arms[usize::from(connector)];
        (sum + 1.0) / (count + 1.0)
    }

    pub(super) fn choose(&self, payment: &Payment) -> Choice {
        let total: f64 = payment.connectors.iter().map(|c| self.arms[usize::from(*c)].0).sum();
        let width = libm::log(1.0 + total);
        let bound = |c: u16| self.mean(c) + Self::WIDTH * (width / (self.arms[usize::from(c)].0 + 1.0)).sqrt();
        let connector = argmax(&payment.connectors, bound);
        Choice { connector, expected: Some(self.mean(connector)), propensity: 1.0 }
    }

    pub(super) fn learn(&mut self, outcome: &Outcome) {
        for (count, sum) in &mut self.arms {
            *count *= Self::DISCOUNT;
            *sum *= Self::DISCOUNT;
        }
        let (count, sum) = &mut self.arms[usize::from(outcome.connector)];
        *count += 1.0;
        *sum += if outcome.success { 1.0 } else { 0.0 };
    }
}

/// Thompson sampling of a Beta belief per connector, by its normal limit.
#[derive(Debug)]
pub struct Thompson {
    /// Successes and failures, by connector, one each to begin with.
    arms: Vec<(f64, f64)>,
    draws: Family,
}

impl Thompson {
    pub(super) fn new(case: &Case, seed: u64) -> Self {
        Self { arms: vec![(1.0, 1.0); case.connectors.len()], draws: Family::new(seed, "thompson") }
    }

    pub(super) fn choose(&self, payment: &Payment) -> Choice {
        let mut stream = draw(&self.draws, payment);
        let samples: Vec<f64> = payment.connectors.iter().map(|c| self.sample(*c, &mut stream)).collect();
        let place = |c: u16| payment.connectors.iter().position(|other| *other == c).unwrap_or(0);
        let connector = argmax(&payment.connectors, |c| samples[place(c)]);
        let (successes, failures) = self.arms[usize::from(connector)];
        Choice { connector, expected: Some(successes / (successes + failures)), propensity: 1.0 }
    }

    fn sample(&self, connector: u16, stream: &mut Stream) -> f64 {
        let (a, b) = self.arms[usize::from(connector)];
        let (n, mean) = (a + b, a / (a + b));
        mean + (mean * (1.0 - mean) / (n + 1.0)).sqrt() * stream.normal()
    }

    pub(super) fn learn(&mut self, outcome: &Outcome) {
        let (successes, failures) = &mut self.arms[usize::from(outcome.connector)];
        *(if outcome.success { successes } else { failures }) += 1.0;
    }
}

/// The payment's first connector.
#[derive(Debug, Clone, Copy)]
pub struct Priority;

impl Priority {
    #[expect(clippy::unused_self, reason = "every policy is asked the same way")]
    pub(super) fn choose(self, payment: &Payment) -> Choice {
        Choice { connector: payment.connectors[0], expected: None, propensity: 1.0 }
    }
}

/// A fair draw.
#[derive(Debug)]
pub struct Uniform(Family);

impl Uniform {
    pub(super) fn new(seed: u64) -> Self {
        Self(Family::new(seed, "uniform"))
    }

    pub(super) fn choose(&self, payment: &Payment) -> Choice {
        let connector = among(&payment.connectors, &mut draw(&self.0, payment));
        Choice { connector, expected: None, propensity: 1.0 / len_as_f64(payment.connectors.len()) }
    }
}

/// The connector that is best for all payments together, in hindsight; where a payment cannot go there, its first. Of a log,
/// which knows each payment at one connector alone, it is the one with the best rate of its own payments, each weighted by
/// how seldom it is sent there, where that is told.
#[derive(Debug)]
pub struct Best(u16);

impl Best {
    pub(super) fn new(case: &Case) -> Self {
        if case.is_complete() { Self::of_all(case) } else { Self::of_a_log(case) }
    }

    fn of_a_log(case: &Case) -> Self {
        let mut rates = vec![(0.0, 0.0); case.connectors.len()];
        let told = case.outcomes.iter().flatten().all(|outcome| outcome.propensity.is_some());
        for outcome in case.outcomes.iter().flatten() {
            let propensity = outcome.propensity.filter(|_| told).unwrap_or(1.0).max(LEAST_PROPENSITY);
            if let Some((worth, weight)) = rates.get_mut(usize::from(outcome.connector)) {
                *worth += outcome.value() / propensity;
                *weight += 1.0 / propensity;
            }
        }
        let all: Vec<u16> = (0_u16..).take(rates.len().max(1)).collect();
        let rate = |connector: u16| rates.get(usize::from(connector)).map_or(0.0, |(worth, weight)| worth / weight.max(1.0));
        Self(argmax(&all, rate))
    }

    fn of_all(case: &Case) -> Self {
        let mut totals = vec![0.0; case.connectors.len()];
        for (payment, outcomes) in case.payments.iter().zip(&case.outcomes) {
            let value = |connector| outcomes.iter().find(|o| o.connector == connector).map(Outcome::value);
            let instead = payment.connectors.first().and_then(|first| value(*first)).unwrap_or(0.0);
            for (connector, total) in (0_u16..).zip(&mut totals) {
                *total += value(connector).unwrap_or(instead);
            }
        }
        let all: Vec<u16> = (0_u16..).take(totals.len().max(1)).collect();
        Self(argmax(&all, |c| totals.get(usize::from(c)).copied().unwrap_or(0.0)))
    }

    pub(super) fn choose(&self, payment: &Payment) -> Choice {
        let connector = if payment.connectors.contains(&self.0) { self.0 } else { payment.connectors[0] };
        Choice { connector, expected: None, propensity: 1.0 }
    }
}
