//! The HTTP API: actix-web, one file a resource.
//!
//! | routes | who may |
//! |---|---|
//! | `GET /health /health/ready`, also under `/v1` | everybody |
//! | `GET /status /analytics /anomalies /healing`, also under `/v1`; `GET /v1/actions /v1/connectors /v1/models /v1/decisions/{payment}` | on loopback everybody, else a viewer's key |
//! | `POST /v1/decisions /v1/outcomes`, `POST /v1/actions/{id}/approve, reject, override, undo, reopen` | an operator's key |
//! | `GET /v1/adoption /v1/experiments` | as `GET /status` |
//! | `PUT /v1/kill-switch` | an operator's key |
//! | `PUT /v1/autonomy /v1/adoption` | an admin's key |
//! | `POST /webhooks/hyperswitch/{profile}` | whoever signs with the profile's key |
//! | the peer's calls: `POST /decide-gateway /update-gateway-score /rule/create, update, get, delete /merchant-account/create`, `GET` and `DELETE /merchant-account/{profile}` `/merchant-account/{profile}/features` and `/debit-routing`; `POST /routing/create, update, activate, deactivate, delete, list, list/active, evaluate, evaluate/batch, hybrid`; `/config/routing-keys /config-sr-dimension /gateway-score/reset` | whoever sends the peer's secret, or an operator's key |
//! | `GET /health/diagnostics` | everybody |
//!
//! Nothing here decides or computes: every answer is a [`Snapshot`](crate::engine::Snapshot), a decision of the
//! [`Handle`], or the position at which something became durable.

mod actions;
mod adoption;
mod analytics;
mod anomalies;
pub mod auth;
mod connectors;
mod decisions;
pub mod error;
mod experiments;
mod healing;
mod health;
mod models;
mod outcomes;
mod peer;
mod reply;
pub mod server;
mod status;
mod webhooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Resource, Route};

use crate::adapters::decline::DeclineTables;
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
    /// What decline codes mean.
    pub declines: Arc<DeclineTables>,
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
        .service(post("/decide-gateway", web::to(peer::decide)))
        .service(post("/update-gateway-score", web::to(peer::update_score)))
        .service(post("/merchant-account/create", web::to(peer::merchant::create)))
        .service(
            web::resource("/merchant-account/{profile}")
                .route(web::get().to(peer::merchant::get))
                .route(web::delete().to(peer::merchant::delete))
                .default_service(other_method("GET, DELETE")),
        )
        .service(post("/rule/create", web::to(peer::rule::create)))
        .service(post("/rule/update", web::to(peer::rule::update)))
        .service(post("/rule/get", web::to(peer::rule::get)))
        .service(post("/rule/delete", web::to(peer::rule::delete)))
        .configure(routing_routes)
        .service(post("/webhooks/hyperswitch/{profile}", web::to(webhooks::hyperswitch)))
        .configure(seed_routes)
        .service(
            web::scope("/v1")
                .wrap(from_fn(reply::checked))
                .wrap(from_fn(reply::named))
                .service(post("/decisions", web::to(decisions::decide)))
                .service(post("/outcomes", web::to(outcomes::tell)))
                .service(get("/decisions/{payment}", web::to(decisions::get)))
                .service(get("/connectors", web::to(connectors::get)))
                .service(get("/models", web::to(models::get)))
                .service(get("/actions", web::to(actions::list)))
                .service(get("/actions/{id}", web::to(actions::get)))
                .service(post("/actions/{id}/{verb}", web::to(actions::order)))
                .service(
                    web::resource("/autonomy").route(web::put().to(actions::set_autonomy)).default_service(other_method("PUT")),
                )
                .service(
                    web::resource("/adoption")
                        .route(web::get().to(adoption::get))
                        .route(web::put().to(adoption::set))
                        .default_service(other_method("GET, PUT")),
                )
                .service(
                    web::resource("/kill-switch")
                        .route(web::put().to(adoption::set_kill_switch))
                        .default_service(other_method("PUT")),
                )
                .service(get("/experiments", web::to(experiments::get)))
                .configure(seed_routes),
        );
}

/// The peer's routing rules, and its settings.
fn routing_routes(config: &mut ServiceConfig) {
    config
        .service(post("/routing/create", web::to(peer::routing::create)))
        .service(post("/routing/update", web::to(peer::routing::update)))
        .service(post("/routing/activate", web::to(peer::routing::activate)))
        .service(post("/routing/deactivate", web::to(peer::routing::deactivate)))
        .service(post("/routing/delete", web::to(peer::routing::delete)))
        .service(post("/routing/list/active/{profile}", web::to(peer::routing::list_active)))
        .service(post("/routing/list/{profile}", web::to(peer::routing::list)))
        .service(post("/routing/evaluate", web::to(peer::evaluate::one)))
        .service(post("/routing/evaluate/batch", web::to(peer::evaluate::batch)))
        .service(post("/routing/hybrid", web::to(peer::hybrid::hybrid)))
        .service(get("/config/routing-keys", web::to(peer::config::routing_keys)))
        .service(post("/config-sr-dimension", web::to(peer::config::set_dimension)))
        .service(get("/config-sr-dimension/{profile}", web::to(peer::config::dimension)))
        .service(post("/gateway-score/reset", web::to(peer::score::reset)))
        .service(get("/merchant-account/{profile}/features", web::to(peer::features::list)))
        .service(post("/merchant-account/{profile}/features/{feature}", web::to(peer::features::set)))
        .service(
            web::resource("/merchant-account/{profile}/debit-routing")
                .route(web::get().to(peer::features::debit_routing))
                .route(web::post().to(peer::features::set_debit_routing))
                .default_service(other_method("GET, POST")),
        )
        .service(get("/health/diagnostics", web::to(health::diagnostics)).wrap(from_fn(reply::named)));
}

/// The seed's routes that read the snapshot.
fn seed_routes(config: &mut ServiceConfig) {
    config
        .service(get("/health", web::to(health::alive)).wrap(from_fn(reply::named)))
        .service(get("/health/ready", web::to(health::ready)).wrap(from_fn(reply::named)))
        .service(get("/status", web::to(status::get)))
        .service(get("/analytics", web::to(analytics::get)))
        .service(get("/anomalies", web::to(anomalies::get)))
        .service(get("/healing", web::to(healing::get)));
}

fn get(path: &str, handler: Route) -> Resource {
    web::resource(path).route(handler.method(Method::GET)).default_service(other_method("GET"))
}

fn post(path: &str, handler: Route) -> Resource {
    web::resource(path).route(handler.method(Method::POST)).default_service(other_method("POST"))
}

/// What a known path answers to other methods than its own.
fn other_method(allowed: &'static str) -> Route {
    web::to(move || async move { ApiError::MethodNotAllowed(allowed).response() })
}
