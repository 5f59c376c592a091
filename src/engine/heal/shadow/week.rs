//! The sums of the weeks: what was saved or harmed by nobody having acted, by class of action.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::settings::Rates;
use crate::domain::{ActionClass, Currency, Time};
use crate::engine::snapshot::{ShadowRow, ShadowSum, Shadows};
use crate::engine::tally::{Tally, Uncertain, to_money};

/// Weeks kept, the running one among them: two months, for a comparison with the month before.
const KEPT: usize = 9;
const DAY_S: i64 = 86_400;
/// The first day of the log's time, 1970-01-01, was a Thursday.
const DAYS_BEFORE_MONDAY: i64 = 3;

/// The sums of one class of action.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Sum {
    repairs: u32,
    payments: Uncertain,
    money: Vec<(Currency, Uncertain)>,
}

/// A class's repairs in a week.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Class {
    /// Of those that would have helped.
    saved: Sum,
    /// Of those that would have harmed, what they would have cost.
    harmed: Sum,
}

/// One week, Monday to Sunday, UTC.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Week {
    start: Time,
    classes: [Class; ActionClass::ALL.len()],
}

/// The latest weeks, the running one last.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Weeks(VecDeque<Week>);

impl Sum {
    fn add(&mut self, tally: &Tally, sign: f64) {
        self.repairs = self.repairs.saturating_add(1);
        self.payments.add(tally.payments().times(sign));
        for (currency, gained) in tally.money() {
            let gained = gained.times(sign);
            match self.money.binary_search_by_key(&currency, |(of, _)| *of) {
                Ok(place) => self.money[place].1.add(gained),
                Err(place) => self.money.insert(place, (currency, gained)),
            }
        }
    }

    fn view(&self, rates: &Rates) -> ShadowSum {
        let mut total = Some(Uncertain::default());
        for (currency, sum) in &self.money {
            let rate = rates.per_reference.get(currency);
            total = total.zip(rate).map(|(mut total, rate)| {
                total.add(sum.times(1.0 / rate));
                total
            });
        }
        let total = rates.reference.zip(total);
        ShadowSum {
            repairs: self.repairs,
            payments: self.payments.mean,
            payments_range: self.payments.range(),
            amount: self.money.iter().map(|(currency, sum)| to_money(*currency, sum.mean)).collect(),
            total: total.map(|(currency, sum)| to_money(currency, sum.mean)),
            total_range: total.map(|(currency, sum)| {
                let (low, high) = sum.range();
                (to_money(currency, low), to_money(currency, high))
            }),
        }
    }
}

impl Class {
    /// Takes over what a repair that turned anything would have come to.
    fn add(&mut self, tally: &Tally) {
        if tally.turned() == 0 {
            return;
        }
        let saves = tally.payments().mean >= 0.0;
        if saves { self.saved.add(tally, 1.0) } else { self.harmed.add(tally, -1.0) }
    }
}

impl Weeks {
    /// Books a repair that was never executed into the week that it ended in.
    pub(super) fn book(&mut self, class: ActionClass, tally: &Tally, at: Time) {
        let start = week_of(at);
        if self.0.back().is_none_or(|week| week.start < start) {
            self.0.push_back(Week { start, ..Week::default() });
        }
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
        if let Some(week) = self.0.back_mut() {
            week.classes[class as usize].add(tally);
        }
    }

    /// The running week with what is still followed in it, and the weeks before.
    pub(super) fn view(&self, open: &[(ActionClass, &Tally)], rates: &Rates, at: Time) -> Shadows {
        let start = week_of(at);
        let running = self.0.back().filter(|week| week.start == start).cloned();
        let mut running = running.unwrap_or(Week { start, ..Week::default() });
        for (class, tally) in open {
            running.classes[*class as usize].add(tally);
        }
        let before = self.0.iter().filter(|week| week.start < start);
        let rows = before.chain([&running]).flat_map(|week| {
            ActionClass::ALL.into_iter().zip(&week.classes).map(|(class, sums)| ShadowRow {
                week: week.start,
                class,
                saved: sums.saved.view(rates),
                harmed: sums.harmed.view(rates),
            })
        });
        Shadows { week: start, rows: rows.filter(|row| row.saved.repairs + row.harmed.repairs > 0).collect() }
    }
}

/// The Monday that a time's week began with.
fn week_of(at: Time) -> Time {
    let days = at.secs().div_euclid(DAY_S);
    let monday = (days + DAYS_BEFORE_MONDAY).div_euclid(7) * 7 - DAYS_BEFORE_MONDAY;
    Time::from_secs(monday * DAY_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday() {
        let at = |text: &str| Time::parse_rfc3339(text).unwrap();
        for (time, monday) in [
            ("2026-08-13T03:12:07Z", "2026-08-10T00:00:00Z"),
            ("2026-08-10T00:00:00Z", "2026-08-10T00:00:00Z"),
            ("2026-08-09T23:59:59Z", "2026-08-03T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z"),
        ] {
            assert_eq!(week_of(at(time)), at(monday), "{time}");
        }
    }

    #[test]
    fn weeks_are_kept_apart_and_the_oldest_goes() {
        let mut weeks = Weeks::default();
        for number in 0..12 {
            weeks.book(ActionClass::Priority, &Tally::default(), Time::from_secs(number * 7 * DAY_S));
        }
        assert_eq!(weeks.0.len(), KEPT);
        let view = weeks.view(&[], &Rates::default(), Time::from_secs(12 * 7 * DAY_S));
        assert!(view.rows.is_empty(), "nothing was turned, so there is nothing to tell");
    }
}
