//! `GET /v1/connectors`: what each connector can do, what it costs, and how it does.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{Api, ApiError, reply};
use crate::domain::settings::{Connector, Window};
use crate::domain::{ConnectorName, Position, Settings, Time};
use crate::engine::RoutingView;
use crate::engine::route::Outlook;
use crate::engine::snapshot::{AccountRow, ConnectorRow, Health};

#[derive(Serialize)]
struct View<'a> {
    position: Position,
    at: Time,
    connectors: Vec<One<'a>>,
}

/// A connector that is known by its traffic, by the configuration, or by both.
#[derive(Serialize)]
struct One<'a> {
    name: &'a ConnectorName,
    health: Health,
    /// Over the last minute.
    attempt_rate: Option<f64>,
    attempts: u64,
    /// Planned, and not over.
    maintenance: Vec<&'a Window>,
    /// As configured; null: it handles everything at no fee.
    configured: Option<&'a Connector>,
    accounts: Vec<Account<'a>>,
}

#[derive(Serialize)]
struct Account<'a> {
    #[serde(flatten)]
    row: &'a AccountRow,
    #[serde(flatten)]
    outlook: Outlook,
}

/// Every connector, by name.
pub(super) async fn get(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let (snapshot, view) = (api.handle.snapshot(), api.handle.view());
    let settings = view.settings();
    let unseen = settings.connectors.keys().filter(|name| !snapshot.connectors.iter().any(|row| row.name == **name));
    let mut connectors: Vec<One<'_>> = snapshot
        .connectors
        .iter()
        .map(|row| seen(row, &view, snapshot.at))
        .chain(unseen.map(|name| one(name, settings, snapshot.at)))
        .collect();
    connectors.sort_by_key(|one| one.name);
    Ok(reply::ok(&View { position: snapshot.position, at: snapshot.at, connectors }))
}

fn seen<'a>(row: &'a ConnectorRow, view: &'a RoutingView, at: Time) -> One<'a> {
    let account = |row: &'a AccountRow| Account { row, outlook: view.outlook(&row.account) };
    One {
        health: row.health,
        attempt_rate: row.attempt_rate,
        attempts: row.attempts,
        accounts: row.accounts.iter().map(account).collect(),
        ..one(&row.name, view.settings(), at)
    }
}

/// What the configuration says of it.
fn one<'a>(name: &'a ConnectorName, settings: &'a Settings, at: Time) -> One<'a> {
    let configured = settings.connectors.get(name);
    One {
        name,
        health: Health::Quiet,
        attempt_rate: None,
        attempts: 0,
        maintenance: configured.map(|connector| connector.planned(at).collect()).unwrap_or_default(),
        configured,
        accounts: Vec::new(),
    }
}
