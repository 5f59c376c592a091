//! What a backtest is about: payments, and what became (or would have become) of each at each connector.

use std::time::Duration;

use smallvec::SmallVec;

use crate::domain::{ConnectorAccount, Context, Decline, Money, PaymentId, ProfileId, Time};

/// One payment.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// When it has to be routed.
    pub at: Time,
    /// The merchant.
    pub merchant: ProfileId,
    /// The amount.
    pub amount: Money,
    /// What else is known of it.
    pub context: Context,
    /// Where it may go, in the merchant's order: indices into [`Case::connectors`].
    pub connectors: SmallVec<[u16; 8]>,
}

/// What became of a payment at one connector, or would have.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The connector: an index into [`Case::connectors`].
    pub connector: u16,
    /// Whether it was approved.
    pub success: bool,
    /// The probability of that, where a simulation knows it.
    pub p: Option<f64>,
    /// How long the connector took to answer, in milliseconds.
    pub latency_ms: Option<u32>,
    /// How long after the choice the answer was known.
    pub observed_after: Duration,
    /// Why it failed.
    pub decline: Option<Decline>,
    /// The probability with which the logged policy chose this connector.
    pub propensity: Option<f64>,
}

impl Outcome {
    /// The success in expectation: the probability where it is known, else what happened.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.p.unwrap_or(if self.success { 1.0 } else { 0.0 })
    }
}

/// Payments in the order of their times, each with its outcomes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Case {
    /// Every connector (or connector account) that a payment may go to.
    pub connectors: Vec<ConnectorAccount>,
    /// The payments, by time.
    pub payments: Vec<Payment>,
    /// For each payment its outcomes: one (logged) or one for each of its connectors (simulated).
    pub outcomes: Vec<SmallVec<[Outcome; 8]>>,
}

impl Case {
    /// A payment's outcome at a connector, where it is known.
    #[must_use]
    pub fn outcome(&self, payment: usize, connector: u16) -> Option<&Outcome> {
        self.outcomes[payment].iter().find(|outcome| outcome.connector == connector)
    }

    /// Whether every payment's outcome is known for all of its connectors.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let complete = |(payment, outcomes): (&Payment, &SmallVec<[Outcome; 8]>)| payment.connectors.len() == outcomes.len();
        self.payments.iter().zip(&self.outcomes).all(complete)
    }
}

/// What a policy chose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The connector: an index into [`Case::connectors`].
    pub connector: u16,
    /// The probability of success the policy expects of it, if it expects any.
    pub expected: Option<f64>,
    /// The probability with which the policy chose it.
    pub propensity: f64,
}
