//! Bugs that tests plant into the machines, to see that the simulator catches them.
//!
//! Only the crate's own unit tests can plant one: elsewhere [`Planted`] has no size and every question is answered with
//! no, so that the compiler drops the branch.

/// One mistake in one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Intake tells the sender "I have it" when it has asked the log, before the log answered.
    AcknowledgesEarly,
    /// Intake takes an answer that was lost for a yes.
    TrustsLostAnswers,
    /// The spool forgets entries when it hands them to the log, before the log has them.
    ForgetsFirst,
    /// New events go to the log while older ones still wait in the spool.
    OvertakesTheSpool,
    /// A lease is counted from its answer instead of from its request.
    LeaseFromAnswer,
    /// The lease is not looked at before a call is sent.
    SendsWithoutLease,
    /// An act is sent when its intent was asked for, before the log has it.
    ActsBeforeIntent,
    /// An act that an earlier leadership may have sent is sent again without a look at the target.
    RepeatsBlindly,
    /// The cursor is written before the rows, in a transaction of its own.
    CursorFirst,
    /// After a crash rows at and before the cursor are written again.
    ForgetsTheCursor,
}

impl Bug {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::AcknowledgesEarly,
        Self::TrustsLostAnswers,
        Self::ForgetsFirst,
        Self::OvertakesTheSpool,
        Self::LeaseFromAnswer,
        Self::SendsWithoutLease,
        Self::ActsBeforeIntent,
        Self::RepeatsBlindly,
        Self::CursorFirst,
        Self::ForgetsTheCursor,
    ];
}

/// The bug planted in a machine, if any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Planted(#[cfg(test)] Option<Bug>);

impl Planted {
    /// This one.
    #[cfg(test)]
    pub(crate) const fn one(bug: Bug) -> Self {
        Self(Some(bug))
    }

    /// Whether a machine is to make this mistake: never outside tests.
    #[must_use]
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "nothing is planted outside tests"))]
    pub(crate) fn has(self, bug: Bug) -> bool {
        #[cfg(test)]
        return self.0 == Some(bug);
        #[cfg(not(test))]
        {
            let _ = bug;
            false
        }
    }
}
