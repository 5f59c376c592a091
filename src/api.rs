//! The HTTP API: actix-web, one file a resource.
//!
//! | routes | who may |
//! |---|---|
//! | `GET /health /health/ready` | everybody |
//! | `GET /status /analytics /anomalies /healing`, also under `/v1`; `GET /v1/actions /v1/decisions/{payment}` | on loopback everybody, else a viewer's key |
//! | `POST /v1/decisions`, `POST /v1/actions/{id}/approve, reject, override, undo` | an operator's key |
//! | `PUT /v1/autonomy` | an admin's key |
//! | `POST /webhooks/hyperswitch/{profile}` | whoever signs with the profile's key |
//! | the peer's calls | whoever sends the peer's secret, or an operator's key |
//!
//! Nothing here decides or computes: every answer is a [`Snapshot`](crate::engine::Snapshot), a decision of the
//! [`Handle`], or the position at which something became durable.

mod actions;
mod analytics;
mod anomalies;
pub mod auth;
mod decisions;
pub mod error;
mod healing;
mod health;
mod peer;
mod reply;
pub mod server;
mod status;
mod webhooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use actix_web::web::{self, ServiceConfig};

use crate::domain::ProfileId;
use crate::runtime::Handle;

pub use auth::{Keys, PeerAccess, WebhookKey};
pub use error::ApiError;
pub use server::{Server, StartError, start};

/// What the listener is started with. Secrets in it are digests, or shown to nobody.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Address and port; other than loopback only with API keys. Port 0: any free one.
    pub listen: SocketAddr,
    /// Worker threads; 0: one a core.
    pub workers: usize,
    /// Largest request body accepted, in bytes.
    pub max_body_bytes: usize,
    /// API keys.
    pub keys: Keys,
    /// Who may make the peer's calls.
    pub peer: PeerAccess,
    /// Keys that sign webhooks, by profile.
    pub webhook_keys: BTreeMap<ProfileId, WebhookKey>,
}

/// What every handler holds.
struct Api {
    handle: Handle,
    config: ApiConfig,
    webhooks: webhooks::Counts,
    requests: reply::RequestIds,
}

/// Every route.
fn routes(config: &mut ServiceConfig) {
    config
        .route("/decide-gateway", web::post().to(peer::decide))
        .route("/update-gateway-score", web::post().to(peer::update_score))
        .route("/merchant-account/create", web::post().to(peer::merchant::create))
        .route("/merchant-account/{profile}", web::get().to(peer::merchant::get))
        .route("/rule/create", web::post().to(peer::rule::create))
        .route("/rule/update", web::post().to(peer::rule::update))
        .route("/rule/get", web::post().to(peer::rule::get))
        .route("/rule/delete", web::post().to(peer::rule::delete))
        .route("/webhooks/hyperswitch/{profile}", web::post().to(webhooks::hyperswitch))
        .route("/health", web::get().to(health::alive))
        .route("/health/ready", web::get().to(health::ready))
        .configure(seed_routes)
        .service(
            web::scope("/v1")
                .route("/health", web::get().to(health::alive))
                .route("/decisions", web::post().to(decisions::decide))
                .route("/decisions/{payment}", web::get().to(decisions::get))
                .route("/actions", web::get().to(actions::list))
                .route("/actions/{id}", web::get().to(actions::get))
                .route("/actions/{id}/{verb}", web::post().to(actions::order))
                .route("/autonomy", web::put().to(actions::set_autonomy))
                .configure(seed_routes),
        );
}

/// The seed's routes that read the snapshot.
fn seed_routes(config: &mut ServiceConfig) {
    config
        .route("/status", web::get().to(status::get))
        .route("/analytics", web::get().to(analytics::get))
        .route("/anomalies", web::get().to(anomalies::get))
        .route("/healing", web::get().to(healing::get));
}
