//! The one table of routes: what is served, and what a path answers to other methods than its own.
//!
//! The switch makes four of the calls for every payment. They name their answers themselves; around all others a layer does.
//!
//! After a start the log is folded while the listener is up already. Whatever is answered out of the state waits for that here,
//! three seconds at most, and is then 503 `not_ready`: less than the state would be taken for all of it.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, Route};

use super::{
    Api, ApiError, actions, adoption, analytics, anomalies, connectors, decisions, experiments, healing, health, models,
    outcomes, peer, reply, status, webhooks,
};

/// A path, one of the methods it takes, and what answers. Those of one path stand together.
struct Endpoint {
    method: Method,
    path: &'static str,
    handler: fn() -> Route,
    start: Start,
}

/// What a call needs of what the log held at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// All of it.
    Needed,
    /// All of it, if it is folded in time: what is told here is taken in any case.
    Wanted,
    /// Nothing: it is answered at once.
    Unasked,
}

const fn endpoint(method: Method, path: &'static str, handler: fn() -> Route) -> Endpoint {
    Endpoint { method, path, handler, start: Start::Needed }
}

const fn get(path: &'static str, handler: fn() -> Route) -> Endpoint {
    endpoint(Method::GET, path, handler)
}

const fn post(path: &'static str, handler: fn() -> Route) -> Endpoint {
    endpoint(Method::POST, path, handler)
}

impl Endpoint {
    const fn taken_anyway(mut self) -> Self {
        self.start = Start::Wanted;
        self
    }

    const fn at_once(mut self) -> Self {
        self.start = Start::Unasked;
        self
    }
}

/// The peer's calls that are made for every payment: where does it go, and what became of it?
static OF_PAYMENTS: &[Endpoint] = &[
    post("/decide-gateway", || web::to(peer::decide)),
    post("/update-gateway-score", || web::to(peer::update_score)).taken_anyway(),
];

/// Those of them that ask for the merchant's rule too.
static OF_RULES: &[Endpoint] =
    &[post("/routing/evaluate", || web::to(peer::evaluate::one)), post("/routing/hybrid", || web::to(peer::hybrid::hybrid))];

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
    get("/health/diagnostics", || web::to(health::diagnostics)).at_once(),
    post("/webhooks/hyperswitch/{profile}", || web::to(webhooks::hyperswitch)).at_once(),
];

/// Under `/v1` alone.
static NATIVE: &[Endpoint] = &[
    post("/decisions", || web::to(decisions::decide)),
    get("/decisions/{payment}", || web::to(decisions::get)),
    post("/outcomes", || web::to(outcomes::tell)).taken_anyway(),
    get("/connectors", || web::to(connectors::get)),
    get("/models", || web::to(models::get)),
    get("/actions", || web::to(actions::list)),
    get("/actions/{id}", || web::to(actions::get)),
    post("/actions/{id}/{verb}", || web::to(actions::order)),
    endpoint(Method::PUT, "/autonomy", || web::to(actions::set_autonomy)),
    get("/adoption", || web::to(adoption::get)),
    endpoint(Method::PUT, "/adoption", || web::to(adoption::set)),
    endpoint(Method::PUT, "/kill-switch", || web::to(adoption::set_kill_switch)).at_once(),
    get("/experiments", || web::to(experiments::get)),
];

/// The seed's routes, at the root and under `/v1`.
static SEED: &[Endpoint] = &[
    get("/health", || web::to(health::alive)).at_once(),
    get("/health/ready", || web::to(health::ready)).at_once(),
    get("/status", || web::to(status::get)).at_once(),
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
    let peer = at("", OF_PAYMENTS).chain(at("", OF_RULES)).chain(at("", PEER));
    peer.chain(at("", SEED)).chain(at(V1, NATIVE)).chain(at(V1, SEED))
}

/// Puts the table in place.
pub(super) fn configure(config: &mut ServiceConfig) {
    let v1 = web::scope(V1)
        .wrap(from_fn(reply::checked))
        .configure(|config| add(config, NATIVE, |error| error.response()))
        .configure(|config| add(config, SEED, |error| error.response()));
    let others = web::scope("")
        .wrap(from_fn(reply::named))
        .configure(|config| add(config, PEER, peer::rule::refused))
        .configure(|config| add(config, SEED, |error| error.response()))
        .service(v1)
        .default_service(web::to(|| async { ApiError::NotFound("there is no such route".to_owned()).response() }));
    add(config, OF_PAYMENTS, peer::refused);
    add(config, OF_RULES, peer::rule::refused);
    config.service(others);
}

/// How the calls of a table are refused.
type Refuse = fn(ApiError) -> HttpResponse;

fn add(config: &mut ServiceConfig, list: &'static [Endpoint], refuse: Refuse) {
    for of_one_path in list.chunk_by(|one, next| one.path == next.path) {
        config.service(resource(of_one_path, refuse));
    }
}

/// A path with all its methods; to others it answers which it takes.
fn resource(endpoints: &'static [Endpoint], refuse: Refuse) -> Resource {
    let path = endpoints.first().map_or("", |endpoint| endpoint.path);
    let takes = |resource: Resource, endpoint: &Endpoint| resource.route(route(endpoint, refuse));
    let other = move |request: HttpRequest, api: Data<Api>| async move {
        let allowed: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.method.as_str()).collect();
        let answer = ApiError::MethodNotAllowed(allowed.join(", ")).response();
        api.requests.name(&request, api.handle.now(), answer)
    };
    endpoints.iter().fold(web::resource(path), takes).default_service(web::to(other))
}

/// What answers a path and method, once what it needs is folded.
fn route(endpoint: &Endpoint, refuse: Refuse) -> Route {
    let (route, start) = ((endpoint.handler)().method(endpoint.method.clone()), endpoint.start);
    if start == Start::Unasked {
        return route;
    }
    route.wrap(from_fn(move |request, next| folded(request, next, start, refuse)))
}

async fn folded<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    start: Start,
    refuse: Refuse,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if let Some(api) = request.app_data::<Data<Api>>().cloned()
        && let Err(not_ready) = api.handle.until_folded_start().await
        && start == Start::Needed
    {
        let answer = api.requests.name(request.request(), api.handle.now(), refuse(not_ready.into()));
        return Ok(request.into_response(answer));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
