//! How a model does: what was expected with it, and without it, against what happened.
//!
//! The weight is the share of what the model says that would have made the latest expectations best: with e what the bandit
//! alone was wrong by and d what the model would have changed, Brier(λ) = Σ(e − λd)², so λ = Σed ÷ Σd², held to 0 by
//! what is believed of a model that nothing is known of. It falls to 0 by itself where the model no longer tells anything.

use serde::{Deserialize, Serialize};

use super::drift::Traffic;
use crate::domain::model::Metrics;
use crate::domain::numbers::as_f64;
use crate::domain::{Model, Time};
use crate::engine::route::moved;

/// Outcomes over which the weight remembers: enough that its noise stays small, few enough that it follows half a day.
const MEMORY: f64 = 5_000.0;
/// What holds the weight to 0: belief that it is 0 ± 0.5, at an outcome's usual variance of 0.1.
const RIDGE: f64 = 0.4;
/// Outcomes over which what is shown of its drift fades.
const WATCHED: f64 = 1_000.0;
/// Standard errors of harm that are no chance, though it is looked for all the time: once in 30,000.
const HARMS: f64 = 4.0;
/// Outcomes of harm below which its standard error is not to be trusted.
const LEAST_HARM: u64 = 50;
/// Standard errors by which a model on trial must be better, looked at once: one that says nothing passes one time in twenty.
const BETTER: f64 = 1.645;
/// A weight below which a model no longer says anything.
const NOTHING: f64 = 0.02;

/// One outcome, as a model is judged on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    /// What the bandit alone expected.
    pub(super) expected: f64,
    /// What the model says of it, in logits.
    pub(super) offset: f64,
    /// What was expected with what is in place.
    pub(super) in_place: f64,
    /// What happened.
    pub(super) success: bool,
}

/// A published model and how it has done since.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// As it was published, but for its table and its traffic's shares.
    pub(super) model: Model,
    /// Kinds of payment, and connectors, that it tells apart.
    pub(super) size: (usize, usize),
    /// Bytes of its table.
    pub(super) bytes: usize,
    pub(super) published_at: Time,
    pub(super) accepted_at: Option<Time>,
    /// Why it is out of force, if it is.
    pub(super) out: Option<String>,
    pub(super) traffic: Traffic,
    /// Of the outcomes since it was published or accepted, those of which it said something.
    pub(super) told: u64,
    pub(super) sums: Sums,
    weight: Weight,
    harm: Harm,
    drift: Faded,
}

/// Sums of squared differences since a model was published, or accepted.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) outcomes: u64,
    pub(super) with: f64,
    pub(super) without: f64,
    pub(super) in_place: f64,
    /// Sum and sum of squares of how much better it was than what is in place.
    better: f64,
    better_squared: f64,
}

/// What the weight is made of.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Weight {
    product: f64,
    square: f64,
}

/// How much worse it has been than the bandit alone since it last was no worse: what good it did before that must not hide
/// what it does now.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Harm {
    outcomes: u64,
    sum: f64,
    square: f64,
}

/// A difference whose past fades.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Faded {
    count: f64,
    sum: f64,
}

impl Sums {
    fn add(&mut self, with: f64, judged: &Judged, squared: impl Fn(f64) -> f64) {
        let (with, without, in_place) = (squared(with), squared(judged.expected), squared(judged.in_place));
        self.outcomes += 1;
        self.with += with;
        self.without += without;
        self.in_place += in_place;
        self.better += in_place - with;
        self.better_squared += (in_place - with) * (in_place - with);
    }

    /// A sum as the mean of an outcome.
    pub(super) fn mean(&self, sum: f64) -> f64 {
        if self.outcomes == 0 { 0.0 } else { sum / as_f64(self.outcomes) }
    }

    /// Whether it was better than what is in place by more than chance explains.
    pub(super) fn is_better(&self) -> bool {
        exceeds(as_f64(self.outcomes), self.better, self.better_squared, BETTER)
    }
}

impl Weight {
    /// By its test: Σed of a mean follows from both Brier scores, for Brier(1) = Σ(e − d)².
    fn tested(metrics: &Metrics) -> Self {
        let Metrics { tested, brier, brier_without, changed } = *metrics;
        let count = as_f64(tested).min(MEMORY);
        Self { product: count * (brier_without - brier + changed) / 2.0, square: count * changed }
    }
}

impl Harm {
    fn add(&mut self, worse: f64) {
        (self.outcomes, self.sum, self.square) = (self.outcomes + 1, self.sum + worse, self.square + worse * worse);
        if self.sum <= 0.0 {
            *self = Self::default();
        }
    }

    fn is_no_chance(&self) -> bool {
        self.outcomes >= LEAST_HARM && exceeds(as_f64(self.outcomes), self.sum, self.square, HARMS)
    }
}

impl Faded {
    fn add(&mut self, value: f64) {
        let kept = 1.0 - 1.0 / WATCHED;
        (self.count, self.sum) = (self.count * kept + 1.0, self.sum * kept + value);
    }
}

/// Whether a sum of differences is above 0 by so many standard errors.
fn exceeds(count: f64, sum: f64, square: f64, errors: f64) -> bool {
    let variance = (square - sum * sum / count.max(1.0)).max(0.0);
    sum > 0.0 && sum > errors * variance.sqrt()
}

impl Standing {
    /// A model that was just published, with the size of its table.
    pub(super) fn new(mut model: Model, size: (usize, usize), at: Time) -> Self {
        let bytes = core::mem::take(&mut model.blob).len();
        let traffic = Traffic::new(core::mem::take(&mut model.shares));
        let (told, sums, weight) = (0, Sums::default(), Weight::tested(&model.metrics));
        let (harm, drift) = (Harm::default(), Faded::default());
        Self { model, size, bytes, published_at: at, accepted_at: None, out: None, traffic, told, sums, weight, harm, drift }
    }

    /// How far it is believed, 0 to 1.
    pub(super) fn weight(&self) -> f64 {
        (self.weight.product / (self.weight.square + RIDGE)).clamp(0.0, 1.0)
    }

    /// What is expected with it.
    pub(super) fn expected(&self, judged: &Judged) -> f64 {
        moved(judged.expected, self.weight() * judged.offset)
    }

    /// Takes an outcome.
    pub(super) fn judge(&mut self, judged: &Judged) {
        let happened = if judged.success { 1.0 } else { 0.0 };
        let squared = |expected: f64| (happened - expected) * (happened - expected);
        let with = self.expected(judged);
        self.told += u64::from(judged.offset != 0.0);
        self.sums.add(with, judged, squared);
        let worse = squared(with) - squared(judged.expected);
        self.harm.add(worse);
        self.drift.add(worse);
        let (wrong, change) = (happened - judged.expected, moved(judged.expected, judged.offset) - judged.expected);
        let kept = 1.0 - 1.0 / MEMORY;
        self.weight.product = self.weight.product * kept + wrong * change;
        self.weight.square = self.weight.square * kept + change * change;
    }

    /// It is in force from now on: what it shows is counted afresh, what is believed of it stays.
    pub(super) fn accept(&mut self, at: Time) {
        self.accepted_at = Some(at);
        (self.told, self.sums, self.harm) = (0, Sums::default(), Harm::default());
    }

    /// Why it must not stay in force, if so.
    pub(super) fn fails(&self) -> Option<&'static str> {
        if self.sums.outcomes < 100 {
            return None;
        }
        if self.harm.is_no_chance() {
            return Some("expectations are worse with it than without it");
        }
        (self.weight() < NOTHING).then_some("it no longer tells anything that routing does not know by itself")
    }

    /// The Brier scores of the latest thousand outcomes or so, with it less without it: above 0 it harms.
    pub(super) fn drift(&self) -> Option<f64> {
        (self.drift.count > 0.0).then(|| self.drift.sum / self.drift.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::Window;

    fn standing() -> Standing {
        let model = Model {
            version: 1,
            hash: [7; 32],
            algorithm: "random_forest".into(),
            window: Window::default(),
            features: Vec::new(),
            metrics: Metrics::default(),
            shares: Vec::new(),
            blob: vec![0; 100],
        };
        Standing::new(model, (1, 2), Time::from_secs(1))
    }

    /// So many of a hundred succeed, where the bandit expects 0.8 and the model says so many logits more.
    fn hundred(standing: &mut Standing, succeed: u32, offset: f64) {
        for n in 0..100_u32 {
            let success = n * 37 % 100 < succeed;
            standing.judge(&Judged { expected: 0.8, offset, in_place: 0.8, success });
        }
    }

    #[test]
    fn a_model_that_is_right_gains_weight_and_is_better() {
        let mut standing = standing();
        assert!(standing.weight() < f64::EPSILON);
        // 0.8 moved by 0.81 logits is 0.9.
        (0..20).for_each(|_| hundred(&mut standing, 90, 0.81));
        assert!((standing.weight() - 0.95).abs() < 0.06, "{}", standing.weight());
        assert!(standing.sums.is_better(), "{:?}", standing.sums);
        assert!(standing.sums.mean(standing.sums.with) < standing.sums.mean(standing.sums.without));
        assert_eq!(standing.fails(), None);
    }

    #[test]
    fn a_model_begins_with_the_weight_that_its_test_gives_it() {
        // It moves 0.8 to 0.9, where 0.85 happens: half of what it says is right.
        let (without, with) = (0.85 * 0.04 + 0.15 * 0.64, 0.85 * 0.01 + 0.15 * 0.81);
        let metrics = Metrics { tested: 4_000, brier: with, brier_without: without, changed: 0.01 };
        let weight = Standing::new(Model { metrics, ..standing().model }, (1, 2), Time::from_secs(1)).weight();
        assert!((weight - 0.5).abs() < 0.01, "{weight}");
    }

    #[test]
    fn a_model_that_says_nothing_or_the_wrong_thing_has_no_weight() {
        for (succeed, offset) in [(80, 0.5), (70, 0.5), (90, -0.5), (80, 0.0)] {
            let mut standing = standing();
            (0..20).for_each(|_| hundred(&mut standing, succeed, offset));
            assert!(standing.weight() < 0.2, "{succeed} {offset}: {}", standing.weight());
            assert!(!standing.sums.is_better(), "{succeed} {offset}");
        }
    }

    #[test]
    fn where_the_world_changes_a_model_that_was_right_fails_within_some_hundred_outcomes() {
        let mut standing = standing();
        (0..40).for_each(|_| hundred(&mut standing, 92, 1.0));
        standing.accept(Time::from_secs(2));
        let hundreds = (1..30).find(|_| {
            hundred(&mut standing, 65, 1.0);
            standing.fails().is_some()
        });
        assert!(hundreds.is_some_and(|hundreds| hundreds <= 3), "{hundreds:?}");
    }
}
