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
mod routes;
pub mod server;
mod status;
mod webhooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::adapters::decline::DeclineTables;
use crate::domain::{Body, Position, ProfileId};
use crate::runtime::Handle;

pub use auth::{Keys, PeerAccess, WebhookKey};
pub use error::ApiError;
pub use routes::served;
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

impl Api {
    /// Appends an entry, and returns once the view has it, so that the next call sees it.
    async fn append(&self, body: Body) -> Result<Position, ApiError> {
        let position = self.handle.append(body).await?;
        self.handle.applied(position).await?;
        Ok(position)
    }
}
