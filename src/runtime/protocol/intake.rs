//! Intake: when may a sender be told "I have it"?
//!
//! Only once every event that the view has not seen is durable: in the log, or in the spool while the log does not take
//! it. A lost answer of the log is no yes and no no: the events go to the spool, and to the log once more from there,
//! where the engine counts them once.

use super::{Bug, Planted, Route};

/// The next thing to do about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Append it to the log.
    Append,
    /// Write it to the spool.
    Spool,
    /// Tell the sender "I have it".
    Acknowledge,
    /// Tell the sender to come again.
    Refuse,
}

/// The rule; deliveries are independent of each other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Intake {
    planted: Planted,
}

impl Intake {
    /// The rule, with a bug where a test plants one.
    #[must_use]
    pub const fn new(planted: Planted) -> Self {
        Self { planted }
    }

    /// A delivery of which `fresh` events were not seen before; `route` is where new events go now.
    #[must_use]
    pub const fn arrived(fresh: usize, route: Route) -> Next {
        match (fresh, route) {
            (0, _) => Next::Acknowledge,
            (_, Route::Log) => Next::Append,
            (_, Route::File) => Next::Spool,
        }
    }

    /// Whether to tell the sender while the log is still asked: never, but for a planted bug.
    #[must_use]
    pub fn early(self) -> bool {
        self.planted.has(Bug::AcknowledgesEarly)
    }

    /// The log took it (`true`), or refused it or did not answer.
    #[must_use]
    pub fn appended(self, taken: bool) -> Next {
        if taken || self.planted.has(Bug::TrustsLostAnswers) { Next::Acknowledge } else { Next::Spool }
    }

    /// The spool has it on disk, or failed, or is full.
    #[must_use]
    pub const fn spooled(taken: bool) -> Next {
        if taken { Next::Acknowledge } else { Next::Refuse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_told_only_what_is_durable() {
        let intake = Intake::default();
        assert_eq!(Intake::arrived(0, Route::File), Next::Acknowledge, "all of it was seen");
        assert_eq!((Intake::arrived(2, Route::Log), Intake::arrived(2, Route::File)), (Next::Append, Next::Spool));
        assert_eq!((intake.appended(true), intake.appended(false)), (Next::Acknowledge, Next::Spool));
        assert_eq!((Intake::spooled(true), Intake::spooled(false)), (Next::Acknowledge, Next::Refuse));
    }
}
