//! `GET /analytics`: aggregates since the start of the log's day, UTC.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{Api, ApiError, reply};
use crate::domain::{Position, Time};
use crate::engine::snapshot::{Analytics, Statistics};

#[derive(Serialize)]
struct View<'a> {
    position: Position,
    at: Time,
    analytics: &'a Analytics,
    /// Since the log began.
    statistics: &'a Statistics,
    /// Share of the attempts made that are seen, 0 to 1, since the log began.
    attempts_coverage: Option<f64>,
}

/// The aggregates.
pub(super) async fn get(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let snapshot = api.handle.snapshot();
    Ok(reply::ok(&View {
        position: snapshot.position,
        at: snapshot.at,
        analytics: &snapshot.analytics,
        statistics: &snapshot.statistics,
        attempts_coverage: snapshot.statistics.attempts_coverage(),
    }))
}
