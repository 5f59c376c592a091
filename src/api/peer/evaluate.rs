//! `POST /routing/evaluate`, `/routing/evaluate/batch`: what a merchant's active rule says of a payment.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};

use super::rule::{RULE, Refused};
use crate::adapters::json::{self, BadField};
use crate::adapters::peer::evaluate::{self, BATCH_MAX, BatchRequest, EvaluateRequest, Evaluated};
use crate::api::Api;
use crate::api::reply::{self, Arrived};
use crate::domain::rule::Parameters;
use crate::domain::{PaymentId, ProfileId, Purpose, Rule};
use crate::engine::route::RoutingView;
use crate::engine::route::rules::lot;

/// What the rule says of one payment.
pub(in crate::api) async fn one(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    let answer = evaluated(&request, body, &api).unwrap_or_else(Refused::response);
    api.requests.name(&request, api.handle.now(), answer)
}

/// What it says of several, answered in their order.
pub(in crate::api) async fn batch(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    evaluated_each(&request, body, &api).unwrap_or_else(Refused::response)
}

fn evaluated(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let asked: EvaluateRequest = json::read(&api.body(body)?)?;
    let fallback = evaluate::fallback(asked.fallback_output.as_deref())?;
    let view = api.handle.view();
    let rule = active(&view, &asked.created_by, asked.algorithm_for)?;
    let about = (asked.payment_id.as_ref(), &asked.parameters.0);
    Ok(reply::ok(&Evaluated::new(&rule.text.algorithm, about, &fallback, share(rule, &asked.created_by, about))))
}

fn evaluated_each(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, Refused> {
    api.is_peer(request)?;
    let asked: BatchRequest = json::read(&api.body(body)?)?;
    if asked.requests.is_empty() || asked.requests.len() > BATCH_MAX {
        let told = format!("it has {} questions; allowed are 1 to {BATCH_MAX}", asked.requests.len());
        return Err(BadField::new("requests", told).into());
    }
    let fallback = evaluate::fallback(asked.fallback_output.as_deref())?;
    let view = api.handle.view();
    let rule = active(&view, &asked.created_by, asked.algorithm_for)?;
    let answers: Vec<Evaluated<'_>> = asked
        .requests
        .iter()
        .map(|question| {
            let about = (question.payment_id.as_ref(), &question.parameters.0);
            Evaluated::new(&rule.text.algorithm, about, &fallback, share(rule, &asked.created_by, about))
        })
        .collect();
    Ok(reply::ok(&answers))
}

/// The merchant's active rule; of payments, unless another purpose is asked for.
pub(super) fn active<'v>(
    view: &'v RoutingView,
    profile: &ProfileId,
    purpose: Option<Purpose>,
) -> Result<&'v Arc<Rule>, Refused> {
    view.active_rule(profile, purpose.unwrap_or(Purpose::Payment)).ok_or_else(|| {
        Refused::Invalid(RULE, format!("No active routing algorithm found for the created_by entity : {profile}"))
    })
}

/// The hundredth that a payment falls into. Without an id, what is told stands for it: equal questions fall into one.
pub(super) fn share(rule: &Rule, profile: &ProfileId, (payment, told): (Option<&PaymentId>, &Parameters)) -> u8 {
    if let Some(payment) = payment {
        return lot(rule.id, profile, payment);
    }
    let digest = blake3::hash(format!("{told:?}").as_bytes()).to_hex();
    PaymentId::parse(&digest).map_or(0, |payment| lot(rule.id, profile, &payment))
}
