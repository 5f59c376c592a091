//! How a payment stands when it is asked where its attempt goes.

use std::borrow::Cow;
use std::sync::Arc;

use crate::domain::{Context, Decision};
use crate::engine::payments::Payment;

/// What a view knows of a payment; of one it does not know, what holds of every new one.
#[derive(Debug)]
pub struct Standing<'v>(pub(super) Option<Cow<'v, Payment>>);

impl Standing<'_> {
    /// Whether anything is known of it.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Its latest decision, while it is open, whatever became of it.
    #[must_use]
    pub fn decision(&self) -> Option<&Arc<Decision>> {
        self.0.as_ref()?.decision.as_ref()
    }

    /// The decision of one attempt, while it is open and that decision is kept.
    #[must_use]
    pub fn decision_of(&self, attempt: u16) -> Option<&Arc<Decision>> {
        self.0.as_ref()?.decision_of(attempt)
    }

    /// The number of the attempt decided last; 0 where none was, or it is no longer open.
    #[must_use]
    pub fn latest(&self) -> u16 {
        self.decision().map_or(0, |latest| latest.request.attempt)
    }

    /// The attempt that a request without a number is about: the one decided last, unless it has failed, for then the
    /// request is for the next.
    #[must_use]
    pub fn attempt_to_decide(&self) -> u16 {
        let known = self.0.as_ref();
        known.map_or(1, |payment| payment.to_repeat().map_or_else(|| payment.next_attempt(), |d| d.request.attempt))
    }

    /// What is known of it from every source, while it is open.
    #[must_use]
    pub fn context(&self) -> Context {
        self.0.as_ref().map_or_else(Context::default, |payment| payment.context)
    }
}
