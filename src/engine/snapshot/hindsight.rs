//! What was not done, in hindsight: what a proposal would have brought, and the sums of the weeks.

use serde::{Deserialize, Serialize};

use crate::domain::{ActionClass, ActionId, Money, Time};

/// What turning attempts elsewhere would have come to. Every figure is an estimate; `basis` says what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Estimate {
    /// Attempts it would have turned elsewhere, those with an outcome.
    pub attempts: u64,
    /// Payments more (or, negative, fewer) that would have succeeded.
    pub payments: f64,
    /// The same, its 95 % interval.
    pub payments_range: (f64, f64),
    /// Amount more, by currency.
    pub amount: Vec<Money>,
    /// The same in the reference currency, where every currency has a rate.
    pub total: Option<Money>,
    /// That, its 95 % interval.
    pub total_range: Option<(Money, Money)>,
    /// What it rests on, in words.
    pub basis: String,
    /// Where the data cannot say, in words.
    pub warning: Option<String>,
}

/// What one proposal would have brought, had it been approved when it was proposed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hindsight {
    /// The action.
    pub action: ActionId,
    /// When it was proposed, and followed from.
    pub since: Time,
    /// When what it answers was over, if it is; none while it is followed.
    pub until: Option<Time>,
    /// What it would have brought between the two.
    pub estimate: Estimate,
}

/// Repairs that nobody executed, summed: those that would have helped, or those that would have harmed.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct ShadowSum {
    /// How many repairs.
    pub repairs: u32,
    /// Payments saved, or harmed.
    pub payments: f64,
    /// The same, its 95 % interval.
    pub payments_range: (f64, f64),
    /// Amount, by currency.
    pub amount: Vec<Money>,
    /// Amount in the reference currency, where every currency has a rate.
    pub total: Option<Money>,
    /// That, its 95 % interval.
    pub total_range: Option<(Money, Money)>,
}

/// One class of action in one week.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShadowRow {
    /// The Monday it began with, 00:00 UTC.
    pub week: Time,
    /// The class.
    pub class: ActionClass,
    /// What the repairs that would have helped would have saved.
    pub saved: ShadowSum,
    /// What those that would have harmed would have cost.
    pub harmed: ShadowSum,
}

/// The shadow ledger: the running week and those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct Shadows {
    /// The Monday the running week began with, 00:00 UTC.
    pub week: Time,
    /// A row for each week and class with anything to tell, the oldest week first.
    pub rows: Vec<ShadowRow>,
}

impl Shadows {
    /// The running week's row of a class.
    #[must_use]
    pub fn of(&self, class: ActionClass) -> Option<&ShadowRow> {
        self.rows.iter().find(|row| row.week == self.week && row.class == class)
    }
}

impl ShadowRow {
    /// "2 repairs not executed: APOS would have saved EUR 41,200 (35,100 to 47,300), harmed EUR 310 (0 to 640)".
    #[must_use]
    pub fn sentence(&self) -> String {
        let repairs = self.saved.repairs + self.harmed.repairs;
        let repairs = if repairs == 1 { "1 repair".to_owned() } else { format!("{repairs} repairs") };
        let harmed =
            if self.harmed.repairs > 0 { format!(", harmed {}", self.harmed.worth()) } else { ", harmed none".to_owned() };
        let saved = if self.saved.repairs > 0 { self.saved.worth() } else { "none".to_owned() };
        format!("{repairs} not executed: APOS would have saved {saved}{harmed}")
    }
}

impl ShadowSum {
    /// The money where a total can be told, else the payments; with the interval.
    #[must_use]
    pub fn worth(&self) -> String {
        worth(self.payments, self.payments_range, self.total, self.total_range)
    }
}

impl Estimate {
    /// "612 payments (500 to 700), EUR 41,200 (35,100 to 47,300)": both with their intervals; less is told as lost.
    #[must_use]
    pub fn in_full(&self) -> String {
        let told = if self.payments >= 0.0 { self.clone() } else { self.negated() };
        let (low, high) = told.payments_range;
        let payments = format!("{:.0} payments ({low:.0} to {high:.0})", told.payments);
        match told.total.zip(told.total_range) {
            Some((total, (low, high))) => format!("{payments}, {} ({} to {})", total.grouped(), bare(low), bare(high)),
            None => payments,
        }
    }

    /// "EUR 41,200 (35,100 to 47,300), 612 payments": what more would have succeeded; less is told as lost.
    #[must_use]
    pub fn worth(&self) -> String {
        let told = if self.payments >= 0.0 { self.clone() } else { self.negated() };
        worth(told.payments, told.payments_range, told.total, told.total_range)
    }

    /// The same the other way round.
    fn negated(&self) -> Self {
        let money = |money: Money| Money::new(money.minor.saturating_neg(), money.currency);
        let (low, high) = self.payments_range;
        Self {
            payments: -self.payments,
            payments_range: (-high, -low),
            amount: self.amount.iter().copied().map(money).collect(),
            total: self.total.map(money),
            total_range: self.total_range.map(|(low, high)| (money(high), money(low))),
            ..self.clone()
        }
    }
}

fn worth(payments: f64, (low, high): (f64, f64), total: Option<Money>, range: Option<(Money, Money)>) -> String {
    match total.zip(range) {
        Some((total, (low, high))) => {
            format!("{} ({} to {}), {payments:.0} payments", total.grouped(), bare(low), bare(high))
        }
        None => format!("{payments:.0} payments ({low:.0} to {high:.0})"),
    }
}

/// An amount without its currency, which stands before it already.
fn bare(money: Money) -> String {
    let text = money.grouped();
    text.replacen(&format!("{} ", money.currency), "", 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    #[test]
    fn what_is_lost_is_told_with_both_its_intervals() {
        let eur = |minor| Money::new(minor, Currency::parse("EUR").unwrap());
        let lost = Estimate {
            payments: -612.4,
            payments_range: (-700.0, -500.0),
            total: Some(eur(-4_120_000)),
            total_range: Some((eur(-4_730_000), eur(-3_510_000))),
            ..Estimate::default()
        };
        assert_eq!(lost.in_full(), "612 payments (500 to 700), EUR 41,200 (35,100 to 47,300)");
        assert_eq!(lost.worth(), "EUR 41,200 (35,100 to 47,300), 612 payments");
        assert_eq!(Estimate { total: None, ..lost }.in_full(), "612 payments (500 to 700)");
    }

    #[test]
    fn a_row_says_what_was_left_in_one_sentence() {
        let eur = |minor| Money::new(minor, Currency::parse("EUR").unwrap());
        let sum = |repairs, total: Option<i64>| ShadowSum {
            repairs,
            payments: 612.4,
            payments_range: (500.0, 700.0),
            amount: Vec::new(),
            total: total.map(eur),
            total_range: total.map(|total| (eur(total / 2), eur(total * 2))),
        };
        let row = |saved, harmed| ShadowRow { week: Time::ZERO, class: ActionClass::Priority, saved, harmed };
        let check = |row: ShadowRow, expected: &str| assert_eq!(row.sentence(), expected);
        check(
            row(sum(2, Some(4_120_000)), sum(1, Some(30_000))),
            "3 repairs not executed: APOS would have saved EUR 41,200 (20,600 to 82,400), 612 payments, harmed EUR 300 (150 to 600), 612 payments",
        );
        check(
            row(sum(1, None), ShadowSum::default()),
            "1 repair not executed: APOS would have saved 612 payments (500 to 700), harmed none",
        );
    }
}
