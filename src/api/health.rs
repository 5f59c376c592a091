//! `GET /health`, `GET /health/ready`: in the peer's words, with more beside them.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{Api, reply};
use crate::engine::snapshot::AdoptionView;

#[derive(Serialize)]
struct Health {
    message: &'static str,
    status: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<String>,
}

/// What is wrong, for whoever asks: not who ordered what, nor what they wrote.
fn public(degraded: Vec<String>) -> Vec<String> {
    let killed = |told: &String| told.starts_with(AdoptionView::KILLED);
    degraded.into_iter().map(|told| if killed(&told) { AdoptionView::KILLED.to_owned() } else { told }).collect()
}

/// The process answers.
pub(super) async fn alive(api: web::Data<Api>) -> HttpResponse {
    let status = api.handle.status();
    let word = if status.degraded.is_empty() { "ok" } else { "degraded" };
    reply::ok(&Health { message: "Health is good", status: word, version: status.version, degraded: public(status.degraded) })
}

/// The peer's words for its database; here they tell of the log.
#[derive(Serialize)]
struct Diagnostics {
    key_custodian_locked: bool,
    database: Database,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the peer's names")]
struct Database {
    database_connection: &'static str,
    database_read: &'static str,
    database_write: &'static str,
    database_delete: &'static str,
}

/// Whether the log is read and written, in the peer's shape. No key is in custody here, so none is locked.
pub(super) async fn diagnostics(api: web::Data<Api>) -> HttpResponse {
    let status = api.handle.status();
    let unwell = |part: &str| status.degraded.iter().any(|told| told.starts_with(part));
    let word = |works: bool| if works { "Working" } else { "Not Working" };
    let (read, written) = (word(status.ready), word(status.ready && !["log", "lease", "spool"].into_iter().any(unwell)));
    let database =
        Database { database_connection: read, database_read: read, database_write: written, database_delete: written };
    reply::ok(&Diagnostics { key_custodian_locked: false, database })
}

/// Decisions rest on all that is in the log.
pub(super) async fn ready(api: web::Data<Api>) -> HttpResponse {
    let status = api.handle.status();
    let (code, message, word) = match (status.ready, status.degraded.is_empty()) {
        (true, true) => (StatusCode::OK, "Up", "ok"),
        (true, false) => (StatusCode::OK, "Up", "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "Down", "not ready"),
    };
    let mut answer =
        reply::json(code, &Health { message, status: word, version: status.version, degraded: public(status.degraded) });
    if !status.ready {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}
