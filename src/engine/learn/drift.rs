//! Drift of traffic: whether what is paid now is what a model was trained on.
//!
//! The population stability index of a feature, Σ (now − then)·ln(now ÷ then) over its values: below 0.1 nothing has
//! changed, above 0.25 another population pays: the usual reading in credit scoring.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::domain::model::{Cell, Shares};

/// Payments of a generation: the index of the last one or two is shown. At fewer, chance alone would move it.
const GENERATION: u64 = 2_000;
/// Least share of a value: what was never met then must not make the index infinite now.
const LEAST: f64 = 0.001;

/// The features that are compared, by their names in [`Shares`].
pub const COMPARED: [&str; 4] = ["method", "country", "network", "amount"];

/// The value of each compared feature of a payment.
#[must_use]
pub fn values(cell: &Cell) -> [CompactString; COMPARED.len()] {
    let unknown = || CompactString::const_new("unknown");
    let band = |band: u8| {
        use core::fmt::Write;
        let mut text = CompactString::const_new("band ");
        // Writing to a string cannot fail.
        let _ = write!(text, "{band}");
        text
    };
    [
        cell.method.map_or_else(unknown, |method| method.as_str().into()),
        cell.country.map_or_else(unknown, |country| country.code().into()),
        cell.network.map_or_else(unknown, |network| network.as_str().into()),
        cell.band.map_or_else(unknown, band),
    ]
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
    shares: Shares,
    /// Payments of this generation with each value, those with none of them last.
    counts: Vec<u32>,
}

impl Traffic {
    pub(super) fn new(shares: Vec<Shares>) -> Self {
        let compared = |shares: Shares| Compared { counts: vec![0; shares.values.len() + 1], shares };
        Self { features: shares.into_iter().map(compared).collect(), counted: 0, complete: None }
    }

    /// Counts a payment.
    pub(super) fn count(&mut self, cell: &Cell) {
        let values = values(cell);
        for one in &mut self.features {
            let Some(place) = COMPARED.iter().position(|name| *name == one.shares.feature) else { continue };
            let known = one.shares.values.iter().position(|(value, _)| *value == values[place]);
            if let Some(count) = one.counts.get_mut(known.unwrap_or(one.shares.values.len())) {
                *count = count.saturating_add(1);
            }
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
    fn index(&self, counted: u64) -> f64 {
        let listed: f64 = self.shares.values.iter().map(|(_, share)| f64::from(*share)).sum();
        let then = self.shares.values.iter().map(|(_, share)| f64::from(*share)).chain([1.0 - listed]);
        let now = self.counts.iter().map(|count| f64::from(*count) / super::as_f64(counted.max(1)));
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

    #[test]
    fn nothing_is_said_before_a_generation_is_complete() {
        let mut traffic = traffic();
        (1..GENERATION).for_each(|_| traffic.count(&paid("US")));
        assert_eq!(traffic.psi(), None);
    }
}
