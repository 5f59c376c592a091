//! What is expected of an account for a payment of which nothing is known: how it stands beside the others.

use serde::Serialize;

use super::RoutingView;
use super::score::evidence;
use super::weights::{Seen, Weights};
use crate::domain::ConnectorAccount;

/// An account's prospects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outlook {
    /// Expected probability of success, 0 to 1.
    pub expected: f64,
    /// Effective sample size behind it, in outcomes.
    pub samples: f64,
    /// How long an answer usually takes, in milliseconds.
    pub latency_ms: f64,
}

impl RoutingView {
    /// An account's prospects; of one that is not known, what its connector's or the priors say.
    #[must_use]
    pub fn outlook(&self, account: &ConnectorAccount) -> Outlook {
        let nothing = Seen::default();
        let (number, state) = self.account(account).unzip();
        let connector = state.map(|state| state.connector).or_else(|| self.connectors.get(account.connector()));
        let (own, shared) = (self.weights.own(connector, number, &nothing).belief, self.weights.shared(&nothing));
        let own = state.map_or(own, |state| state.proof.doubted(own, shared, self.weights.learnt()));
        let expected = self.weights.expected(shared.plus(own));
        Outlook {
            expected,
            samples: evidence(own.variance, Weights::own_prior(&nothing), expected),
            latency_ms: libm::exp(self.latencies.log_ms(connector, number)),
        }
    }
}
