//! Features from history: how far a connector's outcomes were from what routing expected of them, by what a payment is.
//!
//! Trees take numbers. A BIN or a country is none, so each stands for the mean of what was left over there, held to 0 where
//! there was little. A lesson's own encoding knows only the lessons before it: what it is to predict must not be in it.

use std::collections::HashMap;

use crate::domain::model::Cell;
use crate::domain::{Bin, Country, Method, Network};
use crate::engine::learn::Lesson;

/// What a model looks at, in the order of its columns.
pub(super) const FEATURES: [&str; COLUMNS] = [
    "connector",
    "connector × method",
    "connector × country",
    "connector × network",
    "connector × bin",
    "connector × amount",
    "connector × method × country",
    "connector × method × amount",
    "connector × country × amount",
    "method",
    "amount",
];
const COLUMNS: usize = 11;
/// Of those, the ones that are means of what was left over.
const ENCODED: usize = 9;

/// Lessons that count as nothing left over, in each mean: a handful must not look like a rule.
const HELD: f64 = 30.0;

/// What a mean is taken over. Parts of a payment that are not known have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Connector(u32),
    Method(u32, Method),
    Country(u32, Country),
    Network(u32, Network),
    Bin(u32, Bin),
    Amount(u32, u8),
    MethodCountry(u32, Method, Country),
    MethodAmount(u32, Method, u8),
    CountryAmount(u32, Country, u8),
}

/// The keys of a payment at a connector, in the order of the columns.
fn keys(cell: &Cell, connector: u32) -> [Option<Key>; ENCODED] {
    let Cell { method, country, network, bin, band } = *cell;
    [
        Some(Key::Connector(connector)),
        method.map(|method| Key::Method(connector, method)),
        country.map(|country| Key::Country(connector, country)),
        network.map(|network| Key::Network(connector, network)),
        bin.map(|bin| Key::Bin(connector, bin)),
        band.map(|band| Key::Amount(connector, band)),
        method.zip(country).map(|(method, country)| Key::MethodCountry(connector, method, country)),
        method.zip(band).map(|(method, band)| Key::MethodAmount(connector, method, band)),
        country.zip(band).map(|(country, band)| Key::CountryAmount(connector, country, band)),
    ]
}

/// What was left over so far, by key.
#[derive(Debug, Default)]
pub(super) struct History(HashMap<Key, (f64, f64)>);

impl History {
    /// The columns of a payment at a connector, by all that was seen.
    pub(super) fn columns(&self, cell: &Cell, connector: u32) -> Vec<f64> {
        let mean = |key: Option<Key>| {
            let (count, sum) = key.and_then(|key| self.0.get(&key)).copied().unwrap_or_default();
            sum / (count + HELD)
        };
        let method = cell.method.map_or(-1.0, |method| f64::from(method as u8));
        let band = cell.band.map_or(-1.0, f64::from);
        keys(cell, connector).map(mean).into_iter().chain([method, band]).collect()
    }

    /// Sees a lesson.
    pub(super) fn see(&mut self, lesson: &Lesson) {
        for key in keys(&lesson.cell, lesson.connector).into_iter().flatten() {
            let (count, sum) = self.0.entry(key).or_default();
            (*count, *sum) = (*count + 1.0, *sum + left_over(lesson));
        }
    }
}

/// What routing was wrong by: what is to be predicted.
pub(super) fn left_over(lesson: &Lesson) -> f64 {
    let happened = if lesson.success { 1.0 } else { 0.0 };
    happened - f64::from(lesson.expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    #[test]
    fn a_mean_is_held_to_nothing_where_little_was_seen_and_knows_only_its_own_kind() {
        let cell = Cell { method: Some(Method::Card), band: Some(2), ..Cell::default() };
        let lesson = Lesson { at: Time::ZERO, cell, connector: 3, expected: 0.75, success: true };
        let mut history = History::default();
        assert_eq!(history.columns(&cell, 3)[..ENCODED], [0.0; ENCODED]);
        (0..30).for_each(|_| history.see(&lesson));
        let columns = history.columns(&cell, 3);
        assert_eq!(columns.len(), FEATURES.len());
        assert!((columns[0] - 0.125).abs() < 1e-9 && (columns[7] - 0.125).abs() < 1e-9, "{columns:?}");
        assert!(columns[2].abs() < 1e-9, "no country was told");
        assert_eq!(history.columns(&cell, 4)[..ENCODED], [0.0; ENCODED], "another connector");
    }
}
