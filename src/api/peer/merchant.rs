//! `POST /merchant-account/create`, `GET` and `DELETE /merchant-account/{profile}`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::rule::{Refused, profile_of};
use crate::adapters::json;
use crate::api::Api;
use crate::api::reply::{self, Arrived};
use crate::domain::{Body, ProfileId};

/// What is asked; the peer's own tuning beside it is not read.
#[derive(Deserialize)]
struct Asked {
    merchant_id: ProfileId,
}

#[derive(Serialize)]
struct Created<'a> {
    message: &'static str,
    merchant_id: &'a ProfileId,
    gateway_success_rate_based_decider_input: Option<()>,
    /// None is made: callers send the secret, or a key from the environment.
    api_key: Option<()>,
}

#[derive(Serialize)]
struct Found<'a> {
    merchant_id: &'a ProfileId,
    gateway_success_rate_based_decider_input: &'static str,
}

#[derive(Serialize)]
struct Deleted<'a> {
    message: &'static str,
    merchant_id: &'a ProfileId,
}

/// Makes a merchant known.
pub(in crate::api) async fn create(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    created(&request, body, &api).await.unwrap_or_else(Refused::response)
}

/// Tells whether a merchant is known.
pub(in crate::api) async fn get(path: web::Path<String>, request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    found(&path, &request, &api).unwrap_or_else(Refused::response)
}

/// Forgets how a merchant is routed: its priority list and its rules.
pub(in crate::api) async fn delete(path: web::Path<String>, request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    deleted(&path, &request, &api).await.unwrap_or_else(Refused::response)
}

/// A merchant that is known keeps its routing: creating it again must not take its priority list away.
async fn created(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let Asked { merchant_id } = json::read(&api.body(body)?)?;
    if api.handle.view().knows(&merchant_id) {
        return Err(Refused::Invalid("TE_03", "Merchant account already exists".to_owned()));
    }
    api.append(Body::MerchantConfigured { profile: merchant_id.clone(), priority: Vec::new() }).await?;
    Ok(reply::ok(&Created {
        message: "Merchant account created successfully",
        merchant_id: &merchant_id,
        gateway_success_rate_based_decider_input: None,
        api_key: None,
    }))
}

fn found(path: &str, request: &HttpRequest, api: &Api) -> Result<HttpResponse, Refused> {
    let profile = known(path, request, api)?;
    Ok(reply::ok(&Found { merchant_id: &profile, gateway_success_rate_based_decider_input: "" }))
}

async fn deleted(path: &str, request: &HttpRequest, api: &Api) -> Result<HttpResponse, Refused> {
    let profile = known(path, request, api)?;
    api.append(Body::MerchantDeleted { profile: profile.clone() }).await?;
    Ok(reply::ok(&Deleted { message: "Merchant account deleted successfully", merchant_id: &profile }))
}

/// The merchant a path names, when it is known and the caller may ask.
pub(super) fn known(path: &str, request: &HttpRequest, api: &Api) -> Result<ProfileId, Refused> {
    api.is_peer(request)?;
    let profile = profile_of(path)?;
    let known = api.handle.view().knows(&profile);
    known.then_some(profile).ok_or(Refused::Missing("Merchant account not found"))
}
