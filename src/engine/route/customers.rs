//! What customers get wrong themselves: insufficient funds, a wrong code, an authentication that is asked for.
//!
//! Such a failure would have happened at any connector, so it must not teach the scores anything; its share is learnt
//! here and taken off what is expected. Only where it rises on one connector alone is it that connector's.

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::share::Share;

/// Outcomes over which a share is taken: long enough to be steady, short enough to follow a day.
const MEMORY: f64 = 2_000.0;
/// A connector's own share is judged over fewer.
const OWN_MEMORY: f64 = 200.0;
/// Share expected before anything is learnt.
const PRIOR: f64 = 0.03;
/// Standard deviations above the others' share from which it is the connector's own fault: once in 30,000 by chance.
const TOO_MANY: f64 = 4.0;

/// The share of customers' own failures, altogether and by connector.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Customers {
    all: Share,
    by_connector: Vector<Share>,
}

impl Customers {
    /// The share of attempts that fail by the customer's own fault, wherever they are sent.
    pub(super) fn share(&self) -> f64 {
        self.all.estimate(PRIOR)
    }

    /// Counts an outcome; `true` where it failed by the customer's own fault and the connector has no more of those
    /// than others: nobody is to blame.
    pub(super) fn excuse(&mut self, connector: u32, fault: bool) -> bool {
        while self.by_connector.len() <= connector as usize {
            self.by_connector.push_back(Share::default());
        }
        let expected = self.share();
        let Some(own) = self.by_connector.get_mut(connector as usize) else { return fault };
        own.add(fault, OWN_MEMORY);
        let too_many = own.exceeds(expected, TOO_MANY);
        // What is the connector's must not become what is expected of all.
        if !too_many {
            self.all.add(fault, MEMORY);
        }
        fault && !too_many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customers_fault_is_excused_unless_one_connector_alone_has_so_many() {
        let mut customers = Customers::default();
        let excused = (0..2_000).filter(|n| customers.excuse(n % 2, n % 20 < 2)).count();
        assert_eq!(excused, 200, "one in ten, on both connectors alike");
        assert!((customers.share() - 0.1).abs() < 0.02, "{}", customers.share());
        let excused = (0..100).filter(|_| customers.excuse(0, true)).count();
        assert!(excused < 30, "{excused} of a hundred in a row on one connector");
        assert!(customers.excuse(1, true), "the other one is not blamed");
    }
}
