//! `GET /status`: how the engine does, and the payments.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{Api, ApiError, reply, webhooks};
use crate::domain::{Position, Time};
use crate::engine::snapshot::{AdoptionView, ConnectorRow, EventRow, Header, MerchantRow, ScalingView};
use crate::runtime::Status;

#[derive(Serialize)]
struct View<'a> {
    status: &'static str,
    position: Position,
    at: Time,
    header: &'a Header,
    adoption: &'a AdoptionView,
    connectors: &'a [ConnectorRow],
    merchants: &'a [MerchantRow],
    scaling: &'a ScalingView,
    /// The latest, the newest last.
    events: &'a [EventRow],
    webhooks: webhooks::Counted,
    runtime: Status,
}

/// The snapshot, and how the runtime does.
pub(super) async fn get(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let (snapshot, runtime) = (api.handle.snapshot(), api.handle.status());
    Ok(reply::ok(&View {
        status: if runtime.degraded.is_empty() { "ok" } else { "degraded" },
        position: snapshot.position,
        at: snapshot.at,
        header: &snapshot.header,
        adoption: &snapshot.adoption,
        connectors: &snapshot.connectors,
        merchants: &snapshot.merchants,
        scaling: &snapshot.scaling,
        events: &snapshot.events,
        webhooks: api.webhooks.read(),
        runtime,
    }))
}
