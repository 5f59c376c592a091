//! `POST /routing/hybrid`: the merchant's rule and the engine's decision in one call, as Hyperswitch asks for each payment
//! of a profile that is cut over.
//!
//! The static half tells what `/decide-gateway` hides: BIN, network, country. It is the decision's context, and the rule
//! judged on all of it narrows the decision. Where nothing is decided it is remembered for the question that follows, whether
//! or not there is a rule to judge.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{Refused as DecideRefused, evaluate as evaluating, microseconds, rule::Refused};
use crate::adapters::json::{self, BadField};
use crate::adapters::peer::evaluate::{self, Connector, Each, EvaluateRequest, Evaluated};
use crate::adapters::peer::{DecideRequest, DecideResponse, Refusal};
use crate::api::Api;
use crate::api::reply::{self, Arrived};
use crate::domain::rule::Parameters;
use crate::domain::{ConnectorAccount, Context, Decision, Money, Rule};
use crate::engine::route::RoutingView;

#[derive(Deserialize)]
struct Asked {
    static_routing_request: Option<EvaluateRequest>,
    dynamic_routing_request: Option<DecideRequest>,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    static_routing: Option<&'a Evaluated<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dynamic_routing: Option<Dynamic<'a>>,
    evaluated_connectors: Each<'a>,
}

/// The decision, or, where none was made, what the caller said should then be used.
#[derive(Serialize)]
struct Dynamic<'a> {
    status: &'static str,
    decision: Option<DecideResponse<'a>>,
    fallback_connectors: Option<Vec<Connector<'a>>>,
}

/// Judges, decides, answers both.
pub(in crate::api) async fn hybrid(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> HttpResponse {
    let answer = answered(&request, body, &api).await.unwrap_or_else(|response| response);
    api.requests.name(&request, api.handle.now(), answer)
}

/// What the static half asked, checked.
struct Static {
    asked: EvaluateRequest,
    fallback: Vec<ConnectorAccount>,
    /// What it tells of the payment.
    context: Context,
    amount: Option<Money>,
}

async fn answered(request: &HttpRequest, body: Arrived, api: &Api) -> Result<HttpResponse, HttpResponse> {
    let began = api.handle.now();
    let (half, mut dynamic) = read(request, body, api).map_err(Refused::response)?;
    let view = api.handle.view();
    let rule = half.as_ref().map(|half| evaluating::active(&view, &half.asked.created_by, half.asked.algorithm_for));
    let judged = match (&half, &rule) {
        (Some(half), Some(Ok(rule))) => Some(judge(half, rule)),
        _ => None,
    };
    let mut decided = None;
    if let Some(asked) = &mut dynamic {
        // What is told of another merchant's payment says nothing of this one.
        let about = half.as_ref().filter(|half| half.asked.created_by == asked.merchant_id);
        let told = about.map(|half| (half.context, &half.asked.parameters.0));
        decided = Some(super::choose(asked, told.unwrap_or((Context::default(), &Parameters::NONE)), api).await);
    }
    if decided.as_ref().is_none_or(|decided| decided.as_ref().is_err_and(|refused| !refused.is_ours())) {
        remember(half.as_ref(), &view, api);
    }
    let fallback = half.as_ref().map(|half| half.fallback.as_slice()).unwrap_or_default();
    match (decided, judged, rule) {
        (Some(Ok(decision)), judged, _) => {
            let latency_us = microseconds(api.handle.now().since(began));
            Ok(by_decision(judged.as_ref(), dynamic.as_ref(), &decision, latency_us))
        }
        (Some(Err(refused)), _, _) if fallback.is_empty() || refused.is_ours() => Err(refused.response()),
        (Some(Err(_)), judged, _) => Ok(by_fallback(judged.as_ref(), fallback)),
        (None, Some(judged), _) => {
            let connectors = judged.order();
            let each = Each(&connectors);
            Ok(reply::ok(&Answer { static_routing: Some(&judged), dynamic_routing: None, evaluated_connectors: each }))
        }
        (None, None, rule) => Err(match rule {
            Some(Err(refused)) => refused.response(),
            _ => neither().response(),
        }),
    }
}

fn read(request: &HttpRequest, body: Arrived, api: &Api) -> Result<(Option<Static>, Option<DecideRequest>), Refused> {
    api.is_peer(request)?;
    let asked: Asked = json::read(&api.body(body)?)?;
    if asked.static_routing_request.is_none() && asked.dynamic_routing_request.is_none() {
        return Err(neither());
    }
    let half = asked.static_routing_request.map(|asked| {
        let within = |bad: BadField| BadField::new(format!("static_routing_request.{}", bad.field), bad.problem);
        let context = evaluate::context(&asked.parameters.0).map_err(within)?;
        let amount = evaluate::amount(&asked.parameters.0).map_err(within)?;
        let fallback = evaluate::fallback(asked.fallback_output.as_deref()).map_err(within)?;
        Ok::<_, BadField>(Static { asked, fallback, context, amount })
    });
    let (half, dynamic) = (half.transpose()?, asked.dynamic_routing_request);
    about_one_payment(half.as_ref(), dynamic.as_ref())?;
    Ok((half, dynamic))
}

/// Both halves are about one payment, where both name one.
fn about_one_payment(half: Option<&Static>, dynamic: Option<&DecideRequest>) -> Result<(), BadField> {
    let told = half.and_then(|half| half.asked.payment_id.as_ref());
    let asked = dynamic.map(|dynamic| &dynamic.payment_info.payment_id);
    if told.zip(asked).is_some_and(|(told, asked)| told != asked) {
        let problem = "it is not that of dynamic_routing_request.paymentInfo.paymentId: both halves are about one payment";
        return Err(BadField::new("static_routing_request.payment_id", problem));
    }
    Ok(())
}

fn neither() -> Refused {
    BadField::new("", "neither static_routing_request nor dynamic_routing_request is there").into()
}

fn judge<'a>(half: &'a Static, rule: &'a Arc<Rule>) -> Evaluated<'a> {
    let about = (half.asked.payment_id.as_ref(), &half.asked.parameters.0);
    let share = evaluating::share(rule, &half.asked.created_by, about);
    Evaluated::new(&rule.text.algorithm, about, &half.fallback, share)
}

/// Remembers what the static half tells of a payment that is not decided with it; nothing of a merchant that is not admitted.
fn remember(half: Option<&Static>, view: &RoutingView, api: &Api) {
    let Some(Static { asked: EvaluateRequest { created_by, payment_id: Some(payment), .. }, context, amount, .. }) = half
    else {
        return;
    };
    if *context != Context::default() && view.admits(created_by) {
        api.handle.tell(created_by, payment, (*context, *amount));
    }
}

fn by_decision(
    judged: Option<&Evaluated<'_>>,
    asked: Option<&DecideRequest>,
    decision: &Decision,
    latency_us: u64,
) -> HttpResponse {
    let decided = asked.map(|asked| DecideResponse::new(asked, decision, latency_us));
    let chosen = [&decision.chosen().account];
    reply::ok(&Answer {
        static_routing: judged,
        dynamic_routing: Some(Dynamic { status: "success", decision: decided, fallback_connectors: None }),
        evaluated_connectors: Each(&chosen),
    })
}

fn by_fallback(judged: Option<&Evaluated<'_>>, fallback: &[ConnectorAccount]) -> HttpResponse {
    let each: Vec<&ConnectorAccount> = fallback.iter().collect();
    let connectors = fallback.iter().map(Connector).collect();
    reply::ok(&Answer {
        static_routing: judged,
        dynamic_routing: Some(Dynamic { status: "fallback", decision: None, fallback_connectors: Some(connectors) }),
        evaluated_connectors: Each(&each),
    })
}

impl DecideRefused {
    /// Whether it is for a reason of this engine's, or of the question's own shape: no fallback hides that.
    fn is_ours(&self) -> bool {
        !matches!(self, Self::Asked(Refusal::NoGateway | Refusal::NoneLeft(_) | Refusal::NoMerchant))
    }
}
