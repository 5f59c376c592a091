//! `POST /webhooks/hyperswitch/{profile}`: 2xx only once the event is durable.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::reply::{self, Arrived};
use super::{Api, ApiError};
use crate::adapters::hyperswitch::{self, Delivery};
use crate::domain::{EventId, Position, ProfileId, Time};
use crate::runtime::Receipt;

/// Webhooks since the start of the process.
#[derive(Debug, Default)]
pub(super) struct Counts {
    recorded: AtomicU64,
    spooled: AtomicU64,
    repeated: AtomicU64,
    ignored: AtomicU64,
    refused: AtomicU64,
    lines: Seldom,
}

/// Between two lines of the log about refused webhooks: whoever reaches the listener can send them as fast as it likes.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Says when a line of the log is due.
#[derive(Debug, Default)]
struct Seldom {
    /// When the next one is, in microseconds of log time.
    due: AtomicI64,
    left_out: AtomicU64,
}

impl Seldom {
    /// Whether something is to be told now, and if so, how much was left out since the line before.
    fn line(&self, now: Time) -> Option<u64> {
        let (due, next) = (self.due.load(Ordering::Relaxed), (now + LINE_EVERY).micros());
        let is_due = now.micros() >= due && self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_due {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        is_due.then(|| self.left_out.swap(0, Ordering::Relaxed))
    }
}

/// The same, read.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Counted {
    /// Durable in the log.
    recorded: u64,
    /// Durable in the spool: the log did not take it then.
    spooled: u64,
    /// Of an event seen before.
    repeated: u64,
    /// Of a kind that says nothing of a payment's attempts.
    ignored: u64,
    /// Unsigned, unknown or not understood.
    refused: u64,
}

impl Counts {
    pub(super) fn read(&self) -> Counted {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counted {
            recorded: read(&self.recorded),
            spooled: read(&self.spooled),
            repeated: read(&self.repeated),
            ignored: read(&self.ignored),
            refused: read(&self.refused),
        }
    }
}

/// What became of a webhook.
#[derive(Serialize)]
struct Taken<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
}

/// Takes a webhook in.
pub(super) async fn hyperswitch(
    path: web::Path<String>,
    request: HttpRequest,
    body: Arrived,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let taken = take(&path, &request, body, &api).await;
    if let Err(error) = &taken {
        api.webhooks.refused.fetch_add(1, Ordering::Relaxed);
        if let Some(left_out) = api.webhooks.lines.line(api.handle.now()) {
            // The message may repeat a value of the body, so only the field is logged.
            tracing::warn!(component = "api", code = error.code(), field = error.field(), left_out, "webhook refused");
        }
    }
    taken
}

async fn take(path: &str, request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, ApiError> {
    let profile = ProfileId::parse(path).map_err(|_| ApiError::UnknownProfile)?;
    let key = api.config.webhook_keys.get(&profile).ok_or(ApiError::UnknownProfile)?;
    let body = api.body(body)?;
    let signature = request.headers().get(hyperswitch::SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    if !signature.is_some_and(|signature| hyperswitch::signed(key.bytes(), &body, signature)) {
        return Err(ApiError::BadSignature);
    }
    let delivery = hyperswitch::parse(&profile, &body, api.handle.now(), &api.config.declines)?;
    let event_id = delivery.event_id().cloned();
    let (count, status, position) = match delivery {
        Delivery::Ignored { .. } => (&api.webhooks.ignored, "ignored", None),
        Delivery::Payment(event) => match api.handle.accept(vec![*event]).await? {
            Receipt::Recorded(position) => (&api.webhooks.recorded, "recorded", Some(position)),
            Receipt::Spooled => (&api.webhooks.spooled, "spooled", None),
            Receipt::Repeated => (&api.webhooks.repeated, "repeated", None),
        },
    };
    count.fetch_add(1, Ordering::Relaxed);
    Ok(reply::ok(&Taken { status, event_id: event_id.as_ref(), position }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_told_once_a_second_with_what_was_left_out() {
        let lines = Seldom::default();
        let refused = |ms| lines.line(Time::from_secs(100) + Duration::from_millis(ms));
        let told: Vec<Option<u64>> = [0, 1, 500, 999, 1_000, 1_001, 5_000].map(refused).into();
        assert_eq!(told, [Some(0), None, None, None, Some(3), None, Some(1)]);
    }
}
