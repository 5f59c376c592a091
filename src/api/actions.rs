//! `/v1/actions`: approve, reject, override, undo, reopen; `/v1/autonomy`: how much is done without asking.
//!
//! Every order carries the version of the action its giver was shown; the engine refuses one that is out of date.

use actix_web::{HttpRequest, HttpResponse, web};
use compact_str::CompactString;
use serde::Deserialize;

use super::reply::{self, Arrived};
use super::{Api, ApiError, healing};
use crate::adapters::json::{self, BadField};
use crate::domain::{ActionClass, ActionId, Autonomy, Change, Command, Order, Role, personal, wording};
use crate::engine::snapshot::CommandOutcome;

/// `POST /v1/actions/{id}/{verb}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderBody {
    version: u32,
    #[serde(default)]
    reason: CompactString,
    change: Option<Change>,
}

/// `PUT /v1/autonomy`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AutonomyBody {
    class: Option<ActionClass>,
    level: Autonomy,
}

/// All actions, as `/healing` gives them.
pub(super) async fn list(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    healing::get(request, api).await
}

/// One action.
pub(super) async fn get(path: web::Path<String>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let id = action(&path)?;
    let snapshot = api.handle.snapshot();
    let row = snapshot.actions.iter().find(|row| row.id == id);
    row.map(reply::ok).ok_or_else(|| ApiError::NotFound(format!("there is no action {id}")))
}

/// Approves, rejects, overrides, undoes or reopens an action.
pub(super) async fn order(
    path: web::Path<(String, String)>,
    request: HttpRequest,
    body: Arrived,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let operator = api.require(&request, Role::Operator)?;
    let (id, verb) = path.into_inner();
    let id = action(&id)?;
    let order = read_order(id, &verb, json::read(&api.body(body)?)?)?;
    let known = |api: &Api| api.handle.snapshot().actions.iter().any(|row| row.id == id);
    match give(&api, Command { operator, order }).await {
        Err(ApiError::Refused(reason)) if !known(&api) => Err(ApiError::NotFound(reason)),
        answer => answer,
    }
}

/// Sets the level of autonomy.
pub(super) async fn set_autonomy(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let operator = api.require(&request, Role::Admin)?;
    let AutonomyBody { class, level } = json::read(&api.body(body)?)?;
    give(&api, Command { operator, order: Order::SetAutonomy { class, level } }).await
}

/// Gives a command and answers what became of it.
pub(super) async fn give(api: &Api, command: Command) -> Result<HttpResponse, ApiError> {
    accepted(api, command).await.map(|outcome| reply::ok(&outcome))
}

/// Gives a command that must be carried out.
pub(super) async fn accepted(api: &Api, command: Command) -> Result<CommandOutcome, ApiError> {
    let outcome = api.handle.command(command).await?;
    if outcome.accepted { Ok(outcome) } else { Err(ApiError::Refused(outcome.text)) }
}

fn action(text: &str) -> Result<ActionId, ApiError> {
    text.parse().map_err(|problem: String| BadField::new("id", problem).into())
}

/// A reason as it is kept: short enough for one line, nothing of a person's in it, and nothing that moves a terminal.
pub(super) fn checked_reason(reason: &str) -> Result<CompactString, ApiError> {
    /// Longest reason, in characters: it is shown on one line.
    const MAX: usize = 200;
    if reason.chars().count() > MAX {
        return Err(BadField::new("reason", format!("longer than {MAX} characters")).into());
    }
    if let Some(data) = personal::within(reason) {
        return Err(BadField::new("reason", format!("it holds {data}: the audit keeps it, so leave that out")).into());
    }
    Ok(reason.chars().map(wording::printable).collect())
}

fn read_order(action: ActionId, verb: &str, body: OrderBody) -> Result<Order, ApiError> {
    let OrderBody { version, reason, change } = body;
    let reason = checked_reason(&reason)?;
    match verb {
        "approve" => Ok(Order::Approve { action, version }),
        "reject" => Ok(Order::Reject { action, version, reason }),
        "override" => {
            let change = change.ok_or_else(|| BadField::new("change", "missing"))?;
            Ok(Order::Override { action, version, change })
        }
        "undo" => Ok(Order::Undo { action, version }),
        "reopen" => Ok(Order::Reopen { action, version }),
        _ => Err(ApiError::NotFound(format!("`{verb}` is none of approve, reject, override, undo, reopen"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_keeps_nothing_that_moves_a_terminal() {
        let reason = "not\u{1b}[2J\ntonight\u{202e}!".into();
        let Ok(order) = read_order(ActionId(1), "reject", OrderBody { version: 1, reason, change: None }) else {
            panic!("a reason is cleaned, not refused")
        };
        assert_eq!(order, Order::Reject { action: ActionId(1), version: 1, reason: "not [2J tonight !".into() });
    }
}
