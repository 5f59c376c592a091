//! `GET /v1/experiments`: the experiments and what their arms came to.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{Api, ApiError, reply};
use crate::domain::{Position, Time};
use crate::engine::snapshot::ExperimentRow;

#[derive(Serialize)]
struct View<'a> {
    position: Position,
    at: Time,
    experiments: &'a [ExperimentRow],
}

/// The experiments, by name.
pub(super) async fn get(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let snapshot = api.handle.snapshot();
    Ok(reply::ok(&View { position: snapshot.position, at: snapshot.at, experiments: &snapshot.experiments }))
}
