//! `POST /rule/create`, `/rule/update`, `/rule/get`, `/rule/delete`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::told;
use crate::adapters::json::{self, BadField};
use crate::adapters::peer::rule::{Rule, RuleError, RuleKind, RuleQuery, RuleRequest};
use crate::api::reply::{self, Arrived};
use crate::api::{Api, ApiError};
use crate::domain::rule::RULE_BYTES_MAX;
use crate::domain::{Body, ProfileId};
use crate::engine::route::RoutingView;

/// Why a call for a rule or a merchant was refused.
pub(super) enum Refused {
    /// There is one already, or a body that was not understood: 400.
    Invalid(&'static str, String),
    /// There is none: 404.
    Missing(&'static str),
    /// As every route here refuses, told in the peer's shape.
    Here(ApiError),
}

/// The peer's code for rules.
pub(super) const RULE: &str = "TE_04";

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Here(error)
    }
}

impl From<BadField> for Refused {
    fn from(bad: BadField) -> Self {
        Self::Invalid("TE_00", bad.to_string())
    }
}

/// An error of this engine's, told in the shape of the peer's rules.
pub(in crate::api) fn refused(error: ApiError) -> HttpResponse {
    Refused::from(error).response()
}

impl Refused {
    pub(super) fn response(self) -> HttpResponse {
        let refused = |status, code, message: &str| reply::json(status, &RuleError { code, message, data: None });
        match self {
            Self::Invalid(code, message) => refused(StatusCode::BAD_REQUEST, code, &message),
            Self::Missing(message) => refused(StatusCode::NOT_FOUND, RULE, message),
            Self::Here(error) => {
                let mut response = refused(error.status(), error.code(), &told(&error));
                error.say_when(&mut response);
                response
            }
        }
    }
}

/// A rule, as it is answered.
#[derive(Serialize)]
struct View<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    merchant_id: &'a ProfileId,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a Rule>,
}

/// Stores a rule that is not there yet.
pub(in crate::api) async fn create(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    written(&request, body, &api, Write::Create).await.unwrap_or_else(Refused::response)
}

/// Replaces a rule.
pub(in crate::api) async fn update(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    written(&request, body, &api, Write::Update).await.unwrap_or_else(Refused::response)
}

/// Gives a rule back as it was stored.
pub(in crate::api) async fn get(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    found(&request, body, &api).unwrap_or_else(Refused::response)
}

/// Forgets a rule.
pub(in crate::api) async fn delete(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    deleted(&request, body, &api).await.unwrap_or_else(Refused::response)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Create,
    Update,
}

async fn written(request: &HttpRequest, body: Arrived, api: &Api, write: Write) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let RuleRequest { merchant_id, config } = json::read(&api.body(body)?)?;
    config.checked()?;
    let kind = config.kind();
    let (view, exists) = (api.handle.view(), exists(api, &merchant_id, kind));
    admitted(&view, &merchant_id)?;
    let done = match (write, exists) {
        (Write::Create, true) => return Err(Refused::Invalid(RULE, "Rule configuration already exists".to_owned())),
        (Write::Update, false) => return Err(NONE),
        (Write::Create, false) => "created",
        (Write::Update, true) => "updated",
    };
    store(api, &merchant_id, kind.as_str(), text(&config)?).await?;
    let message = Some(format!("{} {done} successfully", kind.title()));
    Ok(reply::ok(&View { message, merchant_id: &merchant_id, config: Some(&config) }))
}

fn found(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let RuleQuery { merchant_id, algorithm } = json::read(&api.body(body)?)?;
    let view = api.handle.view();
    let rule = view.peer_rule(&merchant_id, algorithm.as_str()).ok_or(NONE)?;
    let config: Rule = serde_json::from_str(rule).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(reply::ok(&View { message: None, merchant_id: &merchant_id, config: Some(&config) }))
}

async fn deleted(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let RuleQuery { merchant_id, algorithm } = json::read(&api.body(body)?)?;
    if !exists(api, &merchant_id, algorithm) {
        return Err(NONE);
    }
    store(api, &merchant_id, algorithm.as_str(), String::new()).await?;
    let message = Some(format!("{} deleted successfully", algorithm.title()));
    Ok(reply::ok(&View { message, merchant_id: &merchant_id, config: None }))
}

/// The merchant that a path names.
pub(super) fn profile_of(path: &str) -> Result<ProfileId, Refused> {
    ProfileId::parse(path).map_err(|problem| Refused::Invalid("TE_00", format!("merchant_id: {problem}")))
}

/// Whether anything may be kept of a merchant: it is known, or unknown ones are created.
pub(super) fn admitted(view: &RoutingView, profile: &ProfileId) -> Result<(), Refused> {
    view.admits(profile).then_some(()).ok_or_else(|| Refused::Invalid("TE_03", "Merchant not found".to_owned()))
}

const NONE: Refused = Refused::Missing("Rule configuration not found");

fn exists(api: &Api, profile: &ProfileId, kind: RuleKind) -> bool {
    api.handle.view().peer_rule(profile, kind.as_str()).is_some()
}

/// The rule as it is kept; it is in memory and in every checkpoint, so that it must not be large.
fn text(rule: &Rule) -> Result<String, Refused> {
    let text = serde_json::to_string(rule).map_err(|error| ApiError::Internal(error.to_string()))?;
    if text.len() > RULE_BYTES_MAX {
        let told = format!("it has {} bytes; a rule has at most {RULE_BYTES_MAX}", text.len());
        return Err(BadField::new("config", told).into());
    }
    json::impersonal("config", &text)?;
    Ok(text)
}

/// An empty rule is a rule deleted.
pub(super) async fn store(api: &Api, profile: &ProfileId, kind: &str, rule: String) -> Result<(), ApiError> {
    let stored = Body::PeerRuleStored { profile: profile.clone(), kind: kind.to_owned(), rule };
    api.append(stored).await.map(drop)
}
