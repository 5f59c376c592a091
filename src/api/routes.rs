//! The one table of routes: what is served, and what a path answers to other methods than its own.
//!
//! The switch makes four of the calls for every payment. They name their answers themselves; around all others a layer does.

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, Resource, Route};

use super::{
    Api, ApiError, actions, adoption, analytics, anomalies, connectors, decisions, experiments, healing, health, models,
    outcomes, peer, reply, status, webhooks,
};

/// A path, one of the methods it takes, and what answers. Those of one path stand together.
struct Endpoint {
    method: Method,
    path: &'static str,
    handler: fn() -> Route,
}

const fn endpoint(method: Method, path: &'static str, handler: fn() -> Route) -> Endpoint {
    Endpoint { method, path, handler }
}

const fn get(path: &'static str, handler: fn() -> Route) -> Endpoint {
    endpoint(Method::GET, path, handler)
}

const fn post(path: &'static str, handler: fn() -> Route) -> Endpoint {
    endpoint(Method::POST, path, handler)
}

/// The peer's calls that are made for every payment.
static OF_PAYMENTS: &[Endpoint] = &[
    post("/decide-gateway", || web::to(peer::decide)),
    post("/update-gateway-score", || web::to(peer::update_score)),
    post("/routing/evaluate", || web::to(peer::evaluate::one)),
    post("/routing/hybrid", || web::to(peer::hybrid::hybrid)),
];

/// The peer's other calls: merchants, rules, settings; and webhooks.
static PEER: &[Endpoint] = &[
    post("/merchant-account/create", || web::to(peer::merchant::create)),
    get("/merchant-account/{profile}", || web::to(peer::merchant::get)),
    endpoint(Method::DELETE, "/merchant-account/{profile}", || web::to(peer::merchant::delete)),
    get("/merchant-account/{profile}/features", || web::to(peer::features::list)),
    post("/merchant-account/{profile}/features/{feature}", || web::to(peer::features::set)),
    get("/merchant-account/{profile}/debit-routing", || web::to(peer::features::debit_routing)),
    post("/merchant-account/{profile}/debit-routing", || web::to(peer::features::set_debit_routing)),
    post("/rule/create", || web::to(peer::rule::create)),
    post("/rule/update", || web::to(peer::rule::update)),
    post("/rule/get", || web::to(peer::rule::get)),
    post("/rule/delete", || web::to(peer::rule::delete)),
    post("/routing/create", || web::to(peer::routing::create)),
    post("/routing/update", || web::to(peer::routing::update)),
    post("/routing/activate", || web::to(peer::routing::activate)),
    post("/routing/deactivate", || web::to(peer::routing::deactivate)),
    post("/routing/delete", || web::to(peer::routing::delete)),
    post("/routing/list/active/{profile}", || web::to(peer::routing::list_active)),
    post("/routing/list/{profile}", || web::to(peer::routing::list)),
    post("/routing/evaluate/batch", || web::to(peer::evaluate::batch)),
    get("/config/routing-keys", || web::to(peer::config::routing_keys)),
    post("/config-sr-dimension", || web::to(peer::config::set_dimension)),
    get("/config-sr-dimension/{profile}", || web::to(peer::config::dimension)),
    post("/gateway-score/reset", || web::to(peer::score::reset)),
    get("/health/diagnostics", || web::to(health::diagnostics)),
    post("/webhooks/hyperswitch/{profile}", || web::to(webhooks::hyperswitch)),
];

/// Under `/v1` alone.
static NATIVE: &[Endpoint] = &[
    post("/decisions", || web::to(decisions::decide)),
    get("/decisions/{payment}", || web::to(decisions::get)),
    post("/outcomes", || web::to(outcomes::tell)),
    get("/connectors", || web::to(connectors::get)),
    get("/models", || web::to(models::get)),
    get("/actions", || web::to(actions::list)),
    get("/actions/{id}", || web::to(actions::get)),
    post("/actions/{id}/{verb}", || web::to(actions::order)),
    endpoint(Method::PUT, "/autonomy", || web::to(actions::set_autonomy)),
    get("/adoption", || web::to(adoption::get)),
    endpoint(Method::PUT, "/adoption", || web::to(adoption::set)),
    endpoint(Method::PUT, "/kill-switch", || web::to(adoption::set_kill_switch)),
    get("/experiments", || web::to(experiments::get)),
];

/// The seed's routes, at the root and under `/v1`.
static SEED: &[Endpoint] = &[
    get("/health", || web::to(health::alive)),
    get("/health/ready", || web::to(health::ready)),
    get("/status", || web::to(status::get)),
    get("/analytics", || web::to(analytics::get)),
    get("/anomalies", || web::to(anomalies::get)),
    get("/healing", || web::to(healing::get)),
];

/// The scope of the native calls.
const V1: &str = "/v1";

/// Method and path of everything that is served, as the paths are written here: `{profile}` stands for any.
pub fn served() -> impl Iterator<Item = (Method, String)> {
    let at = |scope: &'static str, list: &'static [Endpoint]| {
        list.iter().map(move |endpoint| (endpoint.method.clone(), format!("{scope}{}", endpoint.path)))
    };
    at("", OF_PAYMENTS).chain(at("", PEER)).chain(at("", SEED)).chain(at(V1, NATIVE)).chain(at(V1, SEED))
}

/// Puts the table in place.
pub(super) fn configure(config: &mut ServiceConfig) {
    let v1 = web::scope(V1)
        .wrap(from_fn(reply::checked))
        .configure(|config| add(config, NATIVE))
        .configure(|config| add(config, SEED));
    let others = web::scope("")
        .wrap(from_fn(reply::named))
        .configure(|config| add(config, PEER))
        .configure(|config| add(config, SEED))
        .service(v1)
        .default_service(web::to(|| async { ApiError::NotFound("there is no such route".to_owned()).response() }));
    add(config, OF_PAYMENTS);
    config.service(others);
}

fn add(config: &mut ServiceConfig, list: &'static [Endpoint]) {
    for of_one_path in list.chunk_by(|one, next| one.path == next.path) {
        config.service(resource(of_one_path));
    }
}

/// A path with all its methods; to others it answers which it takes.
fn resource(endpoints: &'static [Endpoint]) -> Resource {
    let path = endpoints.first().map_or("", |endpoint| endpoint.path);
    let takes = |resource: Resource, endpoint: &Endpoint| resource.route((endpoint.handler)().method(endpoint.method.clone()));
    let other = move |request: HttpRequest, api: Data<Api>| async move {
        let allowed: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.method.as_str()).collect();
        let answer = ApiError::MethodNotAllowed(allowed.join(", ")).response();
        api.requests.name(&request, api.handle.now(), answer)
    };
    endpoints.iter().fold(web::resource(path), takes).default_service(web::to(other))
}
