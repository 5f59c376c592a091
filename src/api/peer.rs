//! The calls Hyperswitch makes to the peer: `/decide-gateway`, `/update-gateway-score`, and behind them rules and
//! merchants.

pub(super) mod merchant;
pub(super) mod rule;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::reply::{self, Arrived};
use super::{Api, ApiError};
use crate::adapters::json;
use crate::adapters::peer::score::{Kept, UpdateRequest, UpdateResponse};
use crate::adapters::peer::{DecideRequest, DecideResponse, RankingAlgorithm, Refusal};
use crate::runtime::{DecideError, Receipt};

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
            DecideError::NoCandidate(_) => Self::Asked(Refusal::NoGateway),
            DecideError::NotRecorded(_) => Self::Here(error.into()),
        }
    }
}

impl Refused {
    fn response(self) -> HttpResponse {
        let (status, refusal) = match self {
            Self::Asked(refusal) => (StatusCode::BAD_REQUEST, refusal),
            Self::Here(error) => (error.status(), Refusal::Other(error.code(), told(&error))),
        };
        reply::json(status, &refusal.body())
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
    api.may_call_as_peer(request)?;
    let mut asked: DecideRequest = json::read(&api.body(body)?)?;
    if asked.ranking_algorithm == Some(RankingAlgorithm::DebitNetworks) {
        return Err(Refused::Asked(Refusal::NoDebitRouting(asked.merchant_id)));
    }
    let view = api.handle.view();
    let named = asked.eligible_gateway_list.take();
    let eligible = named.unwrap_or_else(|| view.accounts_of(&asked.merchant_id));
    if eligible.is_empty() {
        return Err(Refused::Asked(Refusal::NoGateway));
    }
    let attempt = view.attempt_to_decide(&asked.merchant_id, &asked.payment_info.payment_id);
    let decision = api.handle.decide_recorded(asked.request(eligible, attempt)?).await?;
    Ok(reply::ok(&DecideResponse::new(&asked, &decision, milliseconds(api.handle.now().since(began)))))
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// `POST /update-gateway-score`.
pub(super) async fn update_score(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    let answer = updated(&request, body, &api).await.unwrap_or_else(Refused::response);
    api.requests.name(&request, api.handle.now(), answer)
}

/// Answers once the outcome is durable, whether or not the payment is known.
async fn updated(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.may_call_as_peer(request)?;
    let told: UpdateRequest = json::read(&api.body(body)?)?;
    let event = told.event(api.handle.now(), &api.config.declines)?;
    let payment_known = payment_known(api, &told);
    let (Receipt::Recorded(_) | Receipt::Spooled | Receipt::Repeated) =
        api.handle.accept(vec![event]).await.map_err(ApiError::from)?;
    Ok(reply::ok(&UpdateResponse {
        message: "Gateway score updated successfully",
        merchant_id: &told.merchant_id,
        gateway: &told.gateway,
        payment_id: &told.payment_id,
        apos: Kept { payment_known },
    }))
}

/// Whether anything was heard of the payment before this outcome.
fn payment_known(api: &Api, told: &UpdateRequest) -> bool {
    let (profile, payment) = (&told.merchant_id, &told.payment_id);
    api.handle.decided(profile, payment).is_some() || api.handle.view().next_attempt(profile, payment) > 1
}
