//! Two arms compared at any time, as often as one likes: a mixture sequential probability ratio test (mSPRT).
//!
//! Of two success rates with difference d and variance V, Λ = √(V/(V+τ²)) · exp(τ²d²/(2V(V+τ²))) is the likelihood ratio of
//! "they differ", mixed over differences of N(0, τ²), against "they do not". While they do not, it exceeds 1/α with a
//! probability of at most α, ever; so 1/Λ is a p-value that may be looked at after every outcome (Johari, Pekelis and Walsh,
//! "Always valid inference", 2015), and the interval that belongs to it holds at all times at once.

use crate::domain::numbers::as_f64;
use serde::{Deserialize, Serialize};

/// Variance of the differences that are looked for: a point, squared. Much smaller and a large loss is found late, much
/// larger and a small one.
const TAU_2: f64 = 1e-4;
/// Outcomes that each arm needs before anything is said: below, the normal approximation is poor.
pub(super) const LEAST: u64 = 200;

/// Outcomes of one arm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) answered: u64,
    pub(crate) approved: u64,
}

/// One look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    /// Success rate of the arm less that of the control.
    pub(crate) difference: f64,
    /// The likelihood ratio Λ.
    pub(crate) ratio: f64,
    variance: f64,
}

/// What all looks so far have shown of an arm against the control; where its rate drifts, all since then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sequential {
    /// The smallest 1/Λ: the p-value.
    pub(crate) p: f64,
    /// What all intervals have in common.
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Default for Sequential {
    fn default() -> Self {
        Self { p: 1.0, low: -1.0, high: 1.0 }
    }
}

impl Counts {
    /// Counts an outcome.
    pub(crate) const fn add(&mut self, approved: bool) {
        self.answered += 1;
        self.approved += approved as u64;
    }

    /// The success rate.
    pub(crate) fn rate(self) -> Option<f64> {
        (self.answered > 0).then(|| as_f64(self.approved) / as_f64(self.answered))
    }
}

impl Look {
    /// None where there are too few outcomes, or all of them were the same.
    pub(crate) fn at(control: Counts, arm: Counts) -> Option<Self> {
        if control.answered.min(arm.answered) < LEAST {
            return None;
        }
        let (p_control, p_arm) = (control.rate()?, arm.rate()?);
        let variance_of = |p: f64, counts: Counts| p * (1.0 - p) / as_f64(counts.answered);
        let variance = variance_of(p_control, control) + variance_of(p_arm, arm);
        if variance <= 0.0 {
            return None;
        }
        let difference = p_arm - p_control;
        let both = variance + TAU_2;
        let exponent = TAU_2 * difference * difference / (2.0 * variance * both);
        Some(Self { difference, ratio: (variance / both).sqrt() * libm::exp(exponent), variance })
    }

    /// Half of the interval's width, at an error probability.
    pub(crate) fn half_width(&self, alpha: f64) -> f64 {
        let (variance, both) = (self.variance, self.variance + TAU_2);
        (variance * both / TAU_2 * (2.0 * libm::log(1.0 / alpha) + libm::log(both / variance))).sqrt()
    }

    /// Whether the arm loses, at a one-sided error probability: only losses are looked for, so the ratio needs to reach half
    /// of what it needs where either would count.
    pub(crate) fn loses(&self, alpha: f64) -> bool {
        self.difference < 0.0 && self.ratio >= 1.0 / (2.0 * alpha)
    }
}

impl Sequential {
    /// Takes one more look in.
    pub(crate) fn take(&mut self, look: &Look, alpha: f64) {
        let half = look.half_width(alpha);
        let latest = Self { p: (1.0 / look.ratio).min(1.0), low: look.difference - half, high: look.difference + half };
        let both = Self { p: self.p.min(latest.p), low: self.low.max(latest.low), high: self.high.min(latest.high) };
        // Where a rate drifts the intervals may have nothing in common any more: the newest is what is known then. The p-value
        // goes with it, or one of a loss would prove what later is a gain.
        *self = if both.low > both.high { latest } else { both };
    }

    /// Whether the arm wins: the interval, which holds at all times, is above 0.
    pub(crate) fn wins(&self) -> bool {
        self.low > 0.0
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    const fn of(approved: u64, answered: u64) -> Counts {
        Counts { answered, approved }
    }

    #[test]
    fn known_counts_give_the_known_ratios_p_values_and_intervals() {
        let check = |control: Counts, arm: Counts, ratio: f64, p: f64, half: f64| {
            let look = Look::at(control, arm).unwrap();
            let mut all = Sequential::default();
            all.take(&look, 0.05);
            assert!((look.ratio - ratio).abs() < 5e-7, "{}", look.ratio);
            assert!((all.p - p).abs() < 5e-7 && (look.half_width(0.05) - half).abs() < 5e-7, "{all:?} {look:?}");
            let middle = f64::midpoint(all.low, all.high);
            assert!((middle - look.difference).abs() < 1e-12 && (all.high - all.low - 2.0 * half).abs() < 1e-6);
        };
        check(of(4_500, 5_000), of(4_600, 5_000), 49.670_440, 0.020_133, 0.017_916);
        check(of(900, 1_000), of(930, 1_000), 2.431_594, 0.411_253, 0.050_670);
    }

    #[test]
    fn too_few_outcomes_and_outcomes_that_are_all_the_same_say_nothing() {
        assert_eq!(Look::at(of(100, 199), of(900, 1_000)), None);
        assert_eq!(Look::at(of(500, 500), of(500, 500)), None);
        assert!(Look::at(of(500, 500), of(499, 500)).is_some());
    }

    #[test]
    fn a_p_value_never_rises_and_an_interval_never_widens_while_nothing_drifts() {
        let mut all = Sequential::default();
        for (control, arm) in [(of(4_500, 5_000), of(4_600, 5_000)), (of(4_600, 5_100), of(4_650, 5_100))] {
            let before = all;
            all.take(&Look::at(control, arm).unwrap(), 0.05);
            assert!(all.p <= before.p && all.low >= before.low && all.high <= before.high);
        }
    }

    /// Looked at after every pair of outcomes, arms that are the same are told apart in fewer runs than alpha allows.
    #[test]
    fn arms_that_are_the_same_are_told_apart_in_fewer_runs_than_alpha() {
        let (runs, mut rejected, mut lost) = (400, 0, 0);
        for seed in 0..runs {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut approved = || rng.next_u32() < u32::MAX / 10 * 9;
            let (mut control, mut arm, mut all) = (Counts::default(), Counts::default(), Sequential::default());
            let (mut differs, mut loses) = (false, false);
            for _ in 0..5_000 {
                control.add(approved());
                arm.add(approved());
                if let Some(look) = Look::at(control, arm) {
                    all.take(&look, 0.05);
                    (differs, loses) = (differs || all.p <= 0.05, loses || look.loses(0.05));
                }
            }
            rejected += u32::from(differs);
            lost += u32::from(loses);
        }
        assert!(rejected <= 20 && lost <= 20, "of {runs} runs {rejected} are told apart, {lost} lose");
    }

    #[test]
    fn a_loss_is_found_on_one_side_alone() {
        let look = |arm| Look::at(of(4_500, 5_000), arm).unwrap();
        assert!(
            look(of(4_400, 5_000)).loses(0.05) && !look(of(4_600, 5_000)).loses(0.05) && !look(of(4_490, 5_000)).loses(0.05)
        );
    }

    /// An arm that lost, and then drifted to where it is no better, has not won; once it has gained for long it has.
    #[test]
    fn a_loss_proves_no_gain() {
        let mut all = Sequential::default();
        all.take(&Look::at(of(4_500, 5_000), of(4_300, 5_000)).unwrap(), 0.05);
        assert!(all.p < 0.001 && all.high < 0.0 && !all.wins(), "{all:?}");
        let even = Look::at(of(45_000, 50_000), of(45_005, 50_000)).unwrap();
        all.take(&even, 0.05);
        assert!(even.difference > 0.0 && !all.wins() && all.p > 0.05, "{all:?}");
        all.take(&Look::at(of(90_000, 100_000), of(91_000, 100_000)).unwrap(), 0.05);
        assert!(all.wins() && all.p < 0.05, "{all:?}");
    }
}
