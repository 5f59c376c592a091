//! The calls Hyperswitch makes to the peer: `/decide-gateway`, `/update-gateway-score`, and behind them rules and
//! merchants.

pub(super) mod config;
pub(super) mod evaluate;
pub(super) mod features;
pub(super) mod hybrid;
pub(super) mod merchant;
pub(super) mod routing;
pub(super) mod rule;
pub(super) mod score;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::reply::{self, Arrived};
use super::{Api, ApiError};
use crate::adapters::json;
use crate::adapters::peer::score::{Kept, UpdateRequest, UpdateResponse};
use crate::adapters::peer::{DecideRequest, DecideResponse, RankingAlgorithm, Refusal};
use crate::domain::rule::Parameters;
use crate::domain::{Context, Decision};
use crate::engine::NoCandidate;
use crate::engine::route::rules::Terms;
use crate::runtime::{DecideError, Receipt, Which};

/// Why one of the two calls was refused.
enum Refused {
    /// As the peer refuses.
    Asked(Refusal),
    /// As every route here refuses, told in the peer's shape.
    Here(ApiError),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Here(error)
    }
}

impl From<json::BadField> for Refused {
    fn from(bad: json::BadField) -> Self {
        Self::Asked(Refusal::Unreadable(bad))
    }
}

impl From<DecideError> for Refused {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::UnknownMerchant => Self::Asked(Refusal::NoMerchant),
            DecideError::NoCandidate(NoCandidate::Unnamed) => Self::Asked(Refusal::NoGateway),
            DecideError::NoCandidate(left @ NoCandidate::Excluded(_)) => Self::Asked(Refusal::NoneLeft(left.to_string())),
            DecideError::NotReady | DecideError::NotRecorded(_) | DecideError::Overtaken { .. } => Self::Here(error.into()),
        }
    }
}

/// An error of this engine's, told in the peer's shape.
pub(super) fn refused(error: ApiError) -> HttpResponse {
    Refused::from(error).response()
}

impl Refused {
    fn response(self) -> HttpResponse {
        match self {
            Self::Asked(refusal) => reply::json(StatusCode::BAD_REQUEST, &refusal.body()),
            Self::Here(error) => {
                let refusal = Refusal::Other(error.code(), told(&error));
                let mut response = reply::json(error.status(), &refusal.body());
                error.say_when(&mut response);
                response
            }
        }
    }
}

/// An error as one sentence.
fn told(error: &ApiError) -> String {
    error.remedy().map_or_else(|| error.to_string(), |remedy| format!("{error}: {remedy}"))
}

/// `POST /decide-gateway`.
pub(super) async fn decide(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    let answer = decided(&request, body, &api).await.unwrap_or_else(Refused::response);
    api.requests.name(&request, api.handle.now(), answer)
}

async fn decided(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    let began = api.handle.now();
    api.is_peer(request)?;
    let mut asked: DecideRequest = json::read(&api.body(body)?)?;
    let decision = choose(&mut asked, (Context::default(), &Parameters::NONE), api).await?;
    Ok(reply::ok(&DecideResponse::new(&asked, &decision, microseconds(api.handle.now().since(began)))))
}

/// Decides as the peer is asked to. `told` is what the caller told besides, for routing and for the merchant's rule.
async fn choose(asked: &mut DecideRequest, told: (Context, &Parameters), api: &Api) -> Result<Arc<Decision>, Refused> {
    let ranking = asked.ranking_algorithm.unwrap_or_default();
    if matches!(ranking, RankingAlgorithm::DebitNetworks | RankingAlgorithm::DebitNetworksAndSuccessRates) {
        return Err(Refused::Asked(Refusal::NoDebitRouting(asked.merchant_id.clone())));
    }
    let named = asked.eligible_gateway_list.take();
    let eligible = named.unwrap_or_else(|| api.handle.view().accounts_of(&asked.merchant_id));
    if eligible.is_empty() {
        return Err(Refused::Asked(Refusal::NoGateway));
    }
    let mut request = asked.request(eligible)?;
    request.context = request.context.or(told.0);
    let terms = Terms { parameters: told.1, in_order: ranking == RankingAlgorithm::PriorityList };
    Ok(api.handle.decide_recorded(request, Which::Latest, terms).await?)
}

fn microseconds(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// `POST /update-gateway-score`.
pub(super) async fn update_score(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    let answer = updated(&request, body, &api).await.unwrap_or_else(Refused::response);
    api.requests.name(&request, api.handle.now(), answer)
}

/// Answers once the outcome is durable, whether or not payment and merchant are known. The peer refuses an unknown merchant's; what
/// happened is kept here, whoever it is of, also where unknown merchants are not created.
async fn updated(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let told: UpdateRequest = json::read(&api.body(body)?)?;
    let event = told.event(api.handle.now(), &api.config.declines)?;
    let payment_known = api.handle.knows(&told.merchant_id, &told.payment_id);
    let known_end = api.handle.view().known_end(&event);
    let (Receipt::Recorded(_) | Receipt::Spooled | Receipt::Repeated) =
        api.handle.accept(vec![event]).await.map_err(ApiError::from)?;
    Ok(reply::ok(&UpdateResponse {
        message: "Gateway score updated successfully",
        merchant_id: &told.merchant_id,
        gateway: &told.gateway,
        payment_id: &told.payment_id,
        apos: Kept { payment_known, known_end },
    }))
}
