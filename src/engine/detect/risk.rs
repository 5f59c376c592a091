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
    total(incidents.open_ones().map(|incident| (incident.slice, incident.row.at_risk.as_slice())))
}

fn total<'i>(open: impl Iterator<Item = (Slice, &'i [Money])>) -> Sums {
    let (mut all, mut merchants) = (Sums::new(), Sums::new());
    let mut connectors = BTreeMap::<u32, [Sums; 3]>::new();
    for (slice, at_risk) in open {
        let into = match slice {
            Slice::All => &mut all,
            Slice::Merchant(_) => &mut merchants,
            Slice::Connector(c) => &mut connectors.entry(c).or_default()[0],
            Slice::Account(c, _) => &mut connectors.entry(c).or_default()[1],
            Slice::Bin(c, _) => &mut connectors.entry(c).or_default()[2],
        };
        for money in at_risk {
            add(into, *money);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Bin;

    #[test]
    fn what_incidents_share_counts_once() {
        let eur = Currency::parse("EUR").unwrap();
        let bin = |number| Slice::Bin(1, Bin::parse(number).unwrap());
        let check = |open: &[(Slice, i64)], minor: i64| {
            let open: Vec<_> = open.iter().map(|(slice, minor)| (*slice, [Money::new(*minor, eur)])).collect();
            let total = total(open.iter().map(|(slice, money)| (*slice, money.as_slice())));
            assert_eq!(total.get(&eur).copied().unwrap_or(0), minor, "{open:?}");
        };
        check(&[], 0);
        check(&[(Slice::Connector(1), 900), (bin("424242"), 300), (Slice::Account(1, 7), 200)], 900);
        check(&[(bin("424242"), 300), (bin("411111"), 100), (Slice::Account(1, 7), 350)], 400);
        check(&[(Slice::Connector(1), 900), (Slice::Connector(2), 100), (Slice::Merchant(3), 500)], 1_000);
        check(&[(Slice::Connector(1), 900), (Slice::All, 1_500)], 1_500);
    }
}
