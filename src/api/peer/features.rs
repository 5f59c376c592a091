//! `GET /merchant-account/{profile}/features`, `POST …/features/{feature}`, `GET` and `POST …/debit-routing`.
//!
//! The peer's switches for how it keeps scores. What they switch on, this engine does always or in its own way: they are
//! kept and given back, and change nothing. Debit routing cannot be switched on, for there is none yet.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::merchant::known;
use super::rule::{Refused, store};
use crate::adapters::json::{self, BadField};
use crate::api::Api;
use crate::api::reply::{self, Arrived};
use crate::domain::ProfileId;

/// The peer's features, in its order.
const FEATURES: [&str; 7] = [
    "gsm-scoring-filter",
    "explore-exploit-srv3",
    "ab-test-real-payments",
    "multi-objective-routing",
    "elimination",
    "auto-calibration",
    "autopilot",
];

#[derive(Deserialize)]
struct Switch {
    enabled: bool,
}

#[derive(Serialize)]
struct Features<'a> {
    merchant_id: &'a ProfileId,
    features: Vec<Feature>,
}

#[derive(Serialize)]
struct Feature {
    feature: &'static str,
    enabled: bool,
}

#[derive(Serialize)]
struct DebitRouting<'a> {
    merchant_id: &'a ProfileId,
    debit_routing_enabled: bool,
}

/// Every feature of a merchant.
pub(in crate::api) async fn list(path: web::Path<String>, request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    known(&path, &request, &api).map_or_else(Refused::response, |profile| shown(&profile, &api))
}

/// Keeps one of them.
pub(in crate::api) async fn set(
    path: web::Path<(String, String)>,
    request: HttpRequest,
    body: Arrived,
    api: web::Data<Api>,
) -> HttpResponse {
    kept(&path, &request, body, &api).await.unwrap_or_else(Refused::response)
}

/// Whether debit networks are ranked: they are not.
pub(in crate::api) async fn debit_routing(path: web::Path<String>, request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    known(&path, &request, &api).map_or_else(Refused::response, |profile| off(&profile))
}

/// Refuses to switch debit routing on.
pub(in crate::api) async fn set_debit_routing(
    path: web::Path<String>,
    request: HttpRequest,
    body: Arrived,
    api: web::Data<Api>,
) -> HttpResponse {
    switched(&path, &request, body, &api).unwrap_or_else(Refused::response)
}

async fn kept(
    (profile, feature): &(String, String),
    request: &HttpRequest,
    body: Arrived,
    api: &Api,
) -> Result<HttpResponse, Refused> {
    let profile = known(profile, request, api)?;
    let Some(feature) = FEATURES.into_iter().find(|known| known == feature) else {
        return Err(BadField::new("feature", format!("it is none of {}", FEATURES.join(", "))).into());
    };
    let Switch { enabled } = json::read(&api.body(body)?)?;
    store(api, &profile, &kept_as(feature), if enabled { ON } else { "" }.to_owned()).await?;
    Ok(shown(&profile, api))
}

/// The name under which a feature is kept: the peer has a rule called `elimination` too.
fn kept_as(feature: &str) -> String {
    format!("feature/{feature}")
}

/// What is kept of a feature that is on; an empty text is nothing kept.
const ON: &str = "true";

fn shown(profile: &ProfileId, api: &Api) -> HttpResponse {
    let view = api.handle.view();
    let one = |feature| Feature { feature, enabled: view.peer_rule(profile, &kept_as(feature)).is_some() };
    reply::ok(&Features { merchant_id: profile, features: FEATURES.map(one).into() })
}

fn switched(path: &str, request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    let profile = known(path, request, api)?;
    let Switch { enabled } = json::read(&api.body(body)?)?;
    if enabled {
        let told = "enabled: debit networks are not ranked here yet, so this cannot be switched on";
        return Err(Refused::Invalid("TE_05", told.to_owned()));
    }
    Ok(off(&profile))
}

fn off(profile: &ProfileId) -> HttpResponse {
    reply::ok(&DebitRouting { merchant_id: profile, debit_routing_enabled: false })
}
