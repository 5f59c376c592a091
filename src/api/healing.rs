//! `GET /healing`: what is proposed, under way and done.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{Api, ApiError, reply};
use crate::domain::settings::Levels;
use crate::domain::{Position, Time};
use crate::engine::snapshot::{ActionRow, Hindsight, Shadows};

#[derive(Serialize)]
struct View<'a> {
    position: Position,
    at: Time,
    autonomy: Option<&'a Levels>,
    /// How many wait for a person.
    pending: u32,
    actions: &'a [ActionRow],
    /// What each that was not executed would have brought.
    hindsights: &'a [Hindsight],
    /// The shadow ledger, by week and class.
    shadows: &'a Shadows,
}

/// The actions, pending ones first.
pub(super) async fn get(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let snapshot = api.handle.snapshot();
    Ok(reply::ok(&View {
        position: snapshot.position,
        at: snapshot.at,
        autonomy: snapshot.header.autonomy.as_ref(),
        pending: snapshot.header.pending_actions,
        actions: &snapshot.actions,
        hindsights: &snapshot.hindsights,
        shadows: &snapshot.shadows,
    }))
}
