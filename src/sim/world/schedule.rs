//! What is bound to happen, in its order.

use crate::domain::{PaymentEvent, Request, Time};

/// Something that will happen.
#[derive(Debug, Clone)]
pub(super) struct Scheduled {
    pub(super) at: Time,
    /// In order of scheduling: what is due at the same time happens in this order.
    pub(super) number: u64,
    pub(super) what: Due,
}

/// What was scheduled.
#[derive(Debug, Clone)]
pub(super) enum Due {
    /// We are told of an attempt.
    Event(Box<PaymentEvent>),
    /// A customer tries again.
    Retry(Box<Request>),
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
