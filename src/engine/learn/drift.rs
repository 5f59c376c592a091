//! Drift of traffic: whether what is paid now is what a model was trained on.
//!
//! The population stability index of a feature, Σ (now − then)·ln(now ÷ then) over its values: below 0.1 nothing has
//! changed, above 0.25 another population pays: the usual reading in credit scoring.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::domain::model::{Cell, Shares};
use crate::domain::numbers::as_f64;
use crate::domain::{Country, Method, Network};

/// Payments of a generation: the index of the last complete one is shown. At fewer, chance alone would move it.
const GENERATION: u64 = 2_000;
/// Least share of a value: what was never met then must not make the index infinite now.
const LEAST: f64 = 0.001;

/// The word for what is not known.
const UNKNOWN: &str = "unknown";

/// The features that are compared, by their names in [`Shares`].
pub const COMPARED: [&str; 4] = ["method", "country", "network", "amount"];

/// The value of each compared feature of a payment, in words.
#[must_use]
pub fn values(cell: &Cell) -> [CompactString; COMPARED.len()] {
    Value::of(cell).map(Value::words)
}

/// A value of a compared feature; none where it is not known. They are compared with every outcome, so not as words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Value {
    Method(Option<Method>),
    Country(Option<Country>),
    Network(Option<Network>),
    Band(Option<u8>),
}

impl Value {
    /// Those of a payment, in the order of [`COMPARED`].
    const fn of(cell: &Cell) -> [Self; COMPARED.len()] {
        [Self::Method(cell.method), Self::Country(cell.country), Self::Network(cell.network), Self::Band(cell.band)]
    }

    fn words(self) -> CompactString {
        let words = match self {
            Self::Method(method) => method.map(|method| method.as_str().into()),
            Self::Country(country) => country.map(|country| country.code().into()),
            Self::Network(network) => network.map(|network| network.as_str().into()),
            Self::Band(band) => band.map(|band| compact_str::format_compact!("band {band}")),
        };
        words.unwrap_or(CompactString::const_new(UNKNOWN))
    }

    /// The value of the feature at a place of [`COMPARED`] that words say; none: no payment has such a one.
    fn parse(place: usize, words: &str) -> Option<Self> {
        let value = match place {
            0 => Self::Method(Method::parse(words)),
            1 => Self::Country(Country::parse(words).ok()),
            2 => Self::Network(Network::parse(words)),
            _ => Self::Band(words.strip_prefix("band ").and_then(|band| band.parse().ok())),
        };
        (value.words() == words).then_some(value)
    }
}

/// What a model was trained on, and what has been paid since.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Traffic {
    features: Vec<Compared>,
    counted: u64,
    /// The index and its feature, of the last generation that was complete.
    complete: Option<(f64, CompactString)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Compared {
    /// Which of [`COMPARED`] it is.
    place: usize,
    shares: Shares,
    /// The values that have shares; none where no payment has such a one.
    values: Vec<Option<Value>>,
    /// Payments of this generation with each value, those with none of them last.
    counts: Vec<u32>,
}

impl Traffic {
    pub(super) fn new(shares: Vec<Shares>) -> Self {
        let features = shares.into_iter().filter_map(Compared::new).collect();
        Self { features, counted: 0, complete: None }
    }

    /// Counts a payment.
    pub(super) fn count(&mut self, cell: &Cell) {
        let values = Value::of(cell);
        for one in &mut self.features {
            one.count(values[one.place]);
        }
        self.counted += 1;
        if self.counted == GENERATION {
            self.complete = self.worst();
            self.counted = 0;
            self.features.iter_mut().for_each(|one| one.counts.fill(0));
        }
    }

    /// The highest index of a feature, of the last complete generation.
    pub(super) const fn psi(&self) -> Option<&(f64, CompactString)> {
        self.complete.as_ref()
    }

    fn worst(&self) -> Option<(f64, CompactString)> {
        let indices = self.features.iter().map(|one| (one.index(self.counted), one.shares.feature.clone()));
        indices.max_by(|(a, _), (b, _)| a.total_cmp(b))
    }
}

impl Compared {
    /// None of a feature that is not compared.
    fn new(shares: Shares) -> Option<Self> {
        let place = COMPARED.iter().position(|name| *name == shares.feature)?;
        let values: Vec<_> = shares.values.iter().map(|(words, _)| Value::parse(place, words)).collect();
        Some(Self { place, counts: vec![0; values.len() + 1], values, shares })
    }

    fn count(&mut self, value: Value) {
        let known = self.values.iter().position(|one| *one == Some(value));
        if let Some(count) = self.counts.get_mut(known.unwrap_or(self.values.len())) {
            *count = count.saturating_add(1);
        }
    }

    fn index(&self, counted: u64) -> f64 {
        let listed: f64 = self.shares.values.iter().map(|(_, share)| f64::from(*share)).sum();
        let then = self.shares.values.iter().map(|(_, share)| f64::from(*share)).chain([1.0 - listed]);
        let now = self.counts.iter().map(|count| f64::from(*count) / as_f64(counted.max(1)));
        then.zip(now)
            .map(|(then, now)| {
                let (then, now) = (then.max(LEAST), now.max(LEAST));
                (now - then) * libm::log(now / then)
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Country, Method};

    fn paid(country: &str) -> Cell {
        Cell { method: Some(Method::Card), country: Country::parse(country).ok(), ..Cell::default() }
    }

    fn traffic() -> Traffic {
        let share = |feature: &str, values: &[(&str, f32)]| Shares {
            feature: feature.into(),
            values: values.iter().map(|(value, share)| ((*value).into(), *share)).collect(),
        };
        Traffic::new(vec![share("method", &[("card", 1.0)]), share("country", &[("DE", 0.5), ("FR", 0.3)])])
    }

    fn index_of(shares: [u64; 3]) -> (f64, CompactString) {
        let mut traffic = traffic();
        for n in 0..GENERATION {
            let place = n * 10 / GENERATION;
            let country = if place < shares[0] {
                "DE"
            } else if place < shares[0] + shares[1] {
                "FR"
            } else {
                "US"
            };
            traffic.count(&paid(country));
        }
        traffic.psi().cloned().unwrap()
    }

    #[test]
    fn the_index_is_0_for_the_same_traffic_and_grows_with_the_change() {
        let (same, _) = index_of([5, 3, 2]);
        assert!(same < 1e-6, "{same}");
        let (shifted, feature) = index_of([2, 3, 5]);
        // (0.2 − 0.5)·ln(0.2 ÷ 0.5) + 0 + (0.5 − 0.2)·ln(0.5 ÷ 0.2)
        assert!((shifted - 0.6 * libm::log(2.5)).abs() < 1e-6, "{shifted}");
        assert_eq!(feature, "country");
        assert!(index_of([0, 0, 10]).0.is_finite(), "what is gone, and what is new, counts finitely");
    }

    /// A model's shares name values in words, those of a trainer of another version too.
    #[test]
    fn words_and_values_are_the_same() {
        let cell = Cell { network: Some(Network::Visa), band: Some(3), ..paid("DE") };
        for cell in [cell, Cell::default()] {
            for (place, (value, words)) in Value::of(&cell).into_iter().zip(values(&cell)).enumerate() {
                assert_eq!(Value::parse(place, &words), Some(value), "{words}");
            }
        }
        assert_eq!(values(&cell), ["card", "DE", "Visa", "band 3"]);
        for (place, words) in [(0, "barter"), (1, "Atlantis"), (2, "band 3"), (3, "DE"), (3, "band x")] {
            assert_eq!(Value::parse(place, words), None, "{words}");
        }
    }

    #[test]
    fn nothing_is_said_before_a_generation_is_complete() {
        let mut traffic = traffic();
        (1..GENERATION).for_each(|_| traffic.count(&paid("US")));
        assert_eq!(traffic.psi(), None);
    }
}
