//! Taking events in: does what the [`Intake`] machine says, against the log and the spool.
//!
//! Everything that takes events in (webhooks, the stream, feedback) goes through here, so that there is one answer to
//! the question when a sender may be told "I have it".

use super::arriving::{Arriving, Claimed};
use super::protocol::{Intake, Next, Route};
use super::spool::{SpoolDoor, SpoolError};
use crate::domain::{Body, PaymentEvent, Position};
use crate::engine::route::RoutingView;
use crate::log::{Appender, LogError};

/// What an acknowledged event became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It is durable in the log, at or before this position.
    Recorded(Position),
    /// The log does not take it now; it is durable in the spool, and will be in the log once.
    Spooled,
    /// Its id was seen before: nothing changes.
    Repeated,
}

/// Why something could not be appended. The sender is not told "I have it" and may send it again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The log did not take it.
    #[error("the log did not take it")]
    Log(#[from] LogError),
    /// Neither the log nor the spool took it.
    #[error("neither the log nor the spool took it")]
    Spool(#[from] SpoolError),
    /// It is in the log, but folding stopped or fell far behind: what became of it is not known.
    #[error("recorded at {0}, but not folded in time; the status says why")]
    NotFolded(Position),
}

/// Whether the sender's id of an event was seen. Events without one are told apart by the engine alone.
fn repeated(view: &RoutingView, event: &PaymentEvent) -> bool {
    event.event_id.as_ref().is_some_and(|id| view.saw_event(&event.profile, id))
}

/// Acknowledges events: returns once every one that was not seen before is durable, those that somebody else is taking in
/// at the same time among them. Either all are acknowledged or none. Without a spool (a log in memory) the log alone can
/// make them so.
///
/// # Errors
/// When neither the log nor the spool took them.
pub(super) async fn accept(
    view: &RoutingView,
    arriving: &Arriving,
    appender: &Appender,
    spool: Option<&SpoolDoor>,
    events: Vec<PaymentEvent>,
) -> Result<Receipt, AppendError> {
    let mut left: Vec<PaymentEvent> = events.into_iter().filter(|event| !repeated(view, event)).collect();
    if !left.is_empty() && left.iter().all(|event| event.event_id.is_none()) {
        // Nobody else can be taking them in.
        return record(appender, spool, left).await;
    }
    let mut receipt = Receipt::Repeated;
    while !left.is_empty() {
        let Claimed { events, claim, others } = arriving.claim(left);
        if !events.is_empty() {
            receipt = record(appender, spool, events).await?;
        }
        claim.durable();
        // Its own are durable by now, so that two who wait for each other come to an end.
        left = Vec::new();
        for (event, other) in others {
            if !other.durable().await {
                left.push(event);
            }
        }
    }
    Ok(receipt)
}

/// Makes events durable.
async fn record(appender: &Appender, spool: Option<&SpoolDoor>, events: Vec<PaymentEvent>) -> Result<Receipt, AppendError> {
    let bodies: Vec<Body> = events.into_iter().map(|event| Body::Payment(Box::new(event))).collect();
    let route = spool.map_or(Route::Log, SpoolDoor::route);
    if Intake::arrived(bodies.len(), route) == Next::Acknowledge {
        return Ok(Receipt::Repeated);
    }
    let Some(spool) = spool else { return Ok(Receipt::Recorded(appender.append_many(bodies).await?)) };
    if route == Route::Log {
        let outcome = appender.append_many(bodies.clone()).await;
        match (Intake::default().appended(outcome.is_ok()), outcome) {
            (_, Ok(position)) => return Ok(Receipt::Recorded(position)),
            // Nothing is wrong with the log: shutting down, or an entry that cannot be written anywhere.
            (_, Err(error @ (LogError::Closed | LogError::Encoding(_)))) => return Err(error.into()),
            (_, Err(_)) => {}
        }
    }
    spool.write(bodies).await?;
    Ok(Receipt::Spooled)
}
