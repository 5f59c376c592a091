//! `GET /anomalies`: incidents, open ones first.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{Api, ApiError, reply};
use crate::domain::{Position, Time};
use crate::engine::snapshot::IncidentRow;

#[derive(Serialize)]
struct View<'a> {
    position: Position,
    at: Time,
    open: u32,
    anomalies: &'a [IncidentRow],
}

/// The incidents.
pub(super) async fn get(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let snapshot = api.handle.snapshot();
    Ok(reply::ok(&View {
        position: snapshot.position,
        at: snapshot.at,
        open: snapshot.header.open_incidents,
        anomalies: &snapshot.incidents,
    }))
}
