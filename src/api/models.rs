//! `GET /v1/models`: the learnt model, its trial, its drift, and how well scores do.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{Api, ApiError, reply};
use crate::domain::{Position, Time};
use crate::engine::snapshot::LearningView;

#[derive(Serialize)]
struct View<'a> {
    position: Position,
    at: Time,
    #[serde(flatten)]
    learning: &'a LearningView,
}

/// The models.
pub(super) async fn get(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let snapshot = api.handle.snapshot();
    Ok(reply::ok(&View { position: snapshot.position, at: snapshot.at, learning: &snapshot.learning }))
}
