//! `GET /health`, `GET /health/ready`: in the peer's words, with more beside them.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{Api, reply};

#[derive(Serialize)]
struct Health {
    message: &'static str,
    status: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<String>,
}

/// The process answers.
pub(super) async fn alive(api: web::Data<Api>) -> HttpResponse {
    let status = api.handle.status();
    let word = if status.degraded.is_empty() { "ok" } else { "degraded" };
    reply::ok(&Health { message: "Health is good", status: word, version: status.version, degraded: status.degraded })
}

/// Decisions rest on all that is in the log.
pub(super) async fn ready(api: web::Data<Api>) -> HttpResponse {
    let status = api.handle.status();
    let (code, message, word) = match (status.ready, status.degraded.is_empty()) {
        (true, true) => (StatusCode::OK, "Up", "ok"),
        (true, false) => (StatusCode::OK, "Up", "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "Down", "not ready"),
    };
    reply::json(code, &Health { message, status: word, version: status.version, degraded: status.degraded })
}
