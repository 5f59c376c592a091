//! Money at risk over all open incidents, each payment's loss counted once.
//!
//! Incidents overlap: a connector's holds those of its accounts and BINs, a merchant's payments go over connectors. Of
//! what may be the same payments the larger sum counts, by currency: a total that is never too high.

use std::collections::BTreeMap;

use super::Incidents;
use crate::domain::{Currency, Money};
use crate::engine::monitor::Slice;

/// Minor units a minute, by currency.
pub(crate) type Sums = BTreeMap<Currency, i64>;

/// What is lost a minute on all open incidents together.
pub(crate) fn at_risk(incidents: &Incidents) -> Sums {
    let (mut all, mut merchants) = (Sums::new(), Sums::new());
    let mut connectors = BTreeMap::<u32, [Sums; 3]>::new();
    for incident in incidents.open_ones() {
        let into = match incident.slice {
            Slice::All => &mut all,
            Slice::Merchant(_) => &mut merchants,
            Slice::Connector(c) => &mut connectors.entry(c).or_default()[0],
            Slice::Account(c, _) => &mut connectors.entry(c).or_default()[1],
            Slice::Bin(c, _) => &mut connectors.entry(c).or_default()[2],
        };
        incident.row.at_risk.iter().for_each(|money| add(into, *money));
    }
    let mut by_connector = Sums::new();
    for parts in connectors.into_values() {
        let largest = parts.into_iter().fold(Sums::new(), larger);
        for (currency, minor) in largest {
            add(&mut by_connector, Money::new(minor, currency));
        }
    }
    larger(larger(all, merchants), by_connector)
}

fn add(sums: &mut Sums, money: Money) {
    let sum = sums.entry(money.currency).or_default();
    *sum = sum.saturating_add(money.minor);
}

fn larger(mut one: Sums, other: Sums) -> Sums {
    for (currency, minor) in other {
        let sum = one.entry(currency).or_default();
        *sum = (*sum).max(minor);
    }
    one
}
