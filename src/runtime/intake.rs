//! Taking events in: when may a sender be told "I have it"?
//!
//! Only once the event is durable in the log, or when the view has already seen the sender's id of it. Everything that
//! takes events in (webhooks, the stream, feedback) goes through here, so that there is one answer to that question.

use crate::domain::{Body, PaymentEvent, Position};
use crate::engine::route::RoutingView;
use crate::log::{Appender, LogError};

/// What an acknowledged event became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It is durable in the log, at or before this position.
    Recorded(Position),
    /// Its id was seen before: nothing changes.
    Repeated,
}

/// Why something could not be appended. The sender is not told "I have it" and may send it again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The log did not take it.
    #[error("the log did not take it")]
    Log(#[from] LogError),
    /// It is in the log, but folding stopped or fell far behind: what became of it is not known.
    #[error("recorded at {0}, but not folded in time; the status says why")]
    NotFolded(Position),
}

/// Whether the sender's id of an event was seen. Events without one are told apart by the engine alone.
fn repeated(view: &RoutingView, event: &PaymentEvent) -> bool {
    event.event_id.as_ref().is_some_and(|id| view.saw_event(&event.profile, id))
}

/// Acknowledges events: returns once every one that was not seen before is durable. Either all are acknowledged or none.
///
/// # Errors
/// When the log did not take them.
pub async fn accept(view: &RoutingView, appender: &Appender, events: Vec<PaymentEvent>) -> Result<Receipt, AppendError> {
    let fresh = events.into_iter().filter(|event| !repeated(view, event));
    let bodies: Vec<Body> = fresh.map(|event| Body::Payment(Box::new(event))).collect();
    if bodies.is_empty() {
        return Ok(Receipt::Repeated);
    }
    Ok(Receipt::Recorded(appender.append_many(bodies).await?))
}
