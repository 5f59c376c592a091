//! `POST /routing/create`, `/update`, `/activate`, `/deactivate`, `/delete`, `/list/{profile}`, `/list/active/{profile}`.
//!
//! Each answers once the view has what it wrote, so that the next call sees it.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::rule::{RULE, Refused, admitted, profile_of};
use crate::adapters::json;
use crate::adapters::peer::routing::{ChosenRequest, CreateRequest, Listed, UpdateRequest, Written};
use crate::api::reply::{self, Arrived};
use crate::api::{Api, ApiError};
use crate::domain::rule::{RULES_BYTES_MAX, RULES_MAX};
use crate::domain::{Body, Position, ProfileId, Purpose, Rule, RuleId};
use crate::engine::route::RoutingView;

/// Keeps a new rule. It is not active.
pub(in crate::api) async fn create(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    created(&request, body, &api).await.unwrap_or_else(Refused::response)
}

/// Rewrites a rule that is not active.
pub(in crate::api) async fn update(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    updated(&request, body, &api).await.unwrap_or_else(Refused::response)
}

/// Puts a rule into force, in the place of the one that was.
pub(in crate::api) async fn activate(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    switched(&request, body, &api, true).await.unwrap_or_else(Refused::response)
}

/// Puts a rule out of force; one that is not in force stays so.
pub(in crate::api) async fn deactivate(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    switched(&request, body, &api, false).await.unwrap_or_else(Refused::response)
}

/// Forgets a rule that is not active.
pub(in crate::api) async fn delete(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    deleted(&request, body, &api).await.unwrap_or_else(Refused::response)
}

/// A merchant's rules.
pub(in crate::api) async fn list(path: web::Path<String>, request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    listed(&path, &request, &api, false).await.unwrap_or_else(Refused::response)
}

/// A merchant's active rules.
pub(in crate::api) async fn list_active(path: web::Path<String>, request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    listed(&path, &request, &api, true).await.unwrap_or_else(Refused::response)
}

async fn created(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let asked: CreateRequest = json::read(&api.body(body)?)?;
    let (profile, purpose) = (asked.created_by.clone(), asked.algorithm_for.unwrap_or(Purpose::Payment));
    let text = Box::new(asked.text()?);
    let view = api.handle.view();
    admitted(&view, &profile)?;
    if view.rules(&profile).len() >= RULES_MAX || RULES_BYTES_MAX - view.rule_bytes() < u64::from(text.bytes) {
        return Err(full());
    }
    let position = api.append(Body::RuleCreated { profile: profile.clone(), purpose, text }).await?;
    // Where another call took the last room first, there is no rule.
    let view = api.handle.view();
    let rule = view.rule(&profile, RuleId(position)).ok_or_else(full)?;
    Ok(reply::ok(&Written::of(rule)))
}

async fn updated(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let asked: UpdateRequest = json::read(&api.body(body)?)?;
    let profile = asked.created_by.clone();
    let id = idle(&api.handle.view(), &profile, &asked.routing_algorithm_id)?.id;
    let text = Box::new(asked.text()?);
    let position = api.append(Body::RuleUpdated { profile: profile.clone(), id, text: text.clone() }).await?;
    let view = api.handle.view();
    match view.rule(&profile, id).filter(|rule| rule.text == *text) {
        Some(rule) => Ok(reply::ok(&Written::of(rule))),
        None => Err(overtaken(position)),
    }
}

async fn switched(request: &HttpRequest, body: Arrived, api: &Api, active: bool) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let ChosenRequest { created_by: profile, routing_algorithm_id } = json::read(&api.body(body)?)?;
    let view = api.handle.view();
    let id = known(&view, &profile, &routing_algorithm_id)?.id;
    if view.is_active_rule(&profile, id) != active {
        api.append(Body::RuleActivated { profile, id, active }).await?;
    }
    Ok(HttpResponse::Ok().finish())
}

async fn deleted(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let ChosenRequest { created_by: profile, routing_algorithm_id } = json::read(&api.body(body)?)?;
    let id = idle(&api.handle.view(), &profile, &routing_algorithm_id)?.id;
    let position = api.append(Body::RuleDeleted { profile: profile.clone(), id }).await?;
    if api.handle.view().rule(&profile, id).is_some() {
        return Err(overtaken(position));
    }
    Ok(reply::ok(&json!({ "status": "deleted", "routing_algorithm_id": id })))
}

async fn listed(path: &str, request: &HttpRequest, api: &Api, active: bool) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let profile = profile_of(path)?;
    let view = api.handle.view();
    let write = move || {
        let shown = view.rules(&profile).iter().filter(|rule| !active || view.is_active_rule(&profile, rule.id));
        serde_json::to_vec(&shown.map(|rule| Listed::of(&profile, rule)).collect::<Vec<_>>())
    };
    Ok(reply::written_aside(write).await?)
}

/// A merchant's rule by the id that was sent.
fn known<'v>(view: &'v RoutingView, profile: &ProfileId, id: &str) -> Result<&'v Arc<Rule>, Refused> {
    let rule = id.parse::<RuleId>().ok().and_then(|id| view.rule(profile, id));
    rule.ok_or(Refused::Missing("routing_algorithm_id: Routing algorithm not found for the provided id"))
}

/// The same, where it is not active.
fn idle<'v>(view: &'v RoutingView, profile: &ProfileId, id: &str) -> Result<&'v Arc<Rule>, Refused> {
    let rule = known(view, profile, id)?;
    if view.is_active_rule(profile, rule.id) {
        return Err(Refused::Invalid(RULE, "routing_algorithm_id: the rule is active: deactivate it first".to_owned()));
    }
    Ok(rule)
}

fn full() -> Refused {
    let megabytes = RULES_BYTES_MAX / (1024 * 1024);
    let told = format!(
        "created_by: there is no room for the rule: a merchant has at most {RULES_MAX}, and all merchants' rules together \
         at most {megabytes} MiB; delete what is not needed"
    );
    Refused::Invalid(RULE, told)
}

/// Another call changed the rule between the look at it and the log.
fn overtaken(position: Position) -> Refused {
    ApiError::Refused(format!("another call changed the rule first; nothing was changed at {position}")).into()
}
