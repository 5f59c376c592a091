//! `/v1/decisions`: where should this attempt go, where was it sent, and why?

use actix_web::http::header::{ACCEPT, ContentType};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::reply::{self, Arrived};
use super::{Api, ApiError};
use crate::adapters::json::{self, BadField};
use crate::domain::decision::{Explanation, single, told};
use crate::domain::{
    Approach, Bin, Candidate, CardType, ConnectorAccount, Context, Country, Credential, Currency, Decision, Initiator, Issuer,
    Method, Money, Network, Note, PaymentId, Position, ProfileId, Request, Role, RuleId,
};
use crate::engine::route::rules::Terms;
use crate::runtime::Which;

/// `POST /v1/decisions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    profile: ProfileId,
    payment: PaymentId,
    /// From 1. One that is decided asks for its own decision again, as it was; where that is no longer held in memory and
    /// a later attempt was decided since, the answer is 409. A later one is decided anew, since who sends it knows that the
    /// attempt before is over. Absent: the latest decision again, or the next attempt's where that one is known to have
    /// failed. What a repeat says of amount and context changes nothing; accounts that leave out the recorded one ask for
    /// another decision of the latest attempt, and are 409 for one before it.
    attempt: Option<u16>,
    amount: AskedAmount,
    #[serde(default)]
    context: AskedContext,
    /// 1 to 100 accounts; one that is named again counts once, where it stood first, as in the peer's calls.
    eligible: Vec<ConnectorAccount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedAmount {
    minor: i64,
    currency: Currency,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedContext {
    method: Option<Method>,
    network: Option<Network>,
    country: Option<Country>,
    bin: Option<String>,
    three_ds: Option<bool>,
    initiator: Option<Initiator>,
    credential: Option<Credential>,
    card_type: Option<CardType>,
    issuer: Option<Issuer>,
}

/// The query of `GET /v1/decisions/{payment}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    profile: Option<String>,
    /// From 1; absent: the latest.
    attempt: Option<String>,
    /// `json` or `text`; absent: as the `Accept` header says, else JSON.
    format: Option<String>,
}

/// A decision, as it is answered.
#[derive(Serialize)]
struct View<'a> {
    profile: &'a ProfileId,
    payment: &'a PaymentId,
    attempt: u16,
    account: &'a ConnectorAccount,
    approach: Approach,
    #[serde(serialize_with = "single")]
    expected: f64,
    confidence: f64,
    propensity: f64,
    /// The position it was decided on.
    view: Position,
    /// The merchant's routing rule, where it made a difference.
    rule: Option<RuleId>,
    /// The version of the learnt model in force, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<u32>,
    /// In the order of preference.
    #[serde(serialize_with = "told::candidates")]
    candidates: &'a [Candidate],
    /// What else shaped it.
    #[serde(serialize_with = "told::notes")]
    notes: &'a [Note],
}

impl<'a> View<'a> {
    fn of(decision: &'a Decision) -> Self {
        let Decision { request, view, approach, candidates, propensity, confidence, notes, .. } = decision;
        Self {
            profile: &request.profile,
            payment: &request.payment,
            attempt: request.attempt,
            account: &decision.chosen().account,
            approach: *approach,
            expected: decision.chosen().expected,
            confidence: *confidence,
            propensity: *propensity,
            view: *view,
            rule: decision.rule(),
            model: decision.model(),
            candidates,
            notes,
        }
    }
}

/// A decision with its reasons.
#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    view: View<'a>,
    explanation: Explanation<'a>,
}

/// Decides, and records the decision.
pub(super) async fn decide(request: HttpRequest, body: Arrived, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.require(&request, Role::Operator)?;
    let asked: Asked = json::read(&api.body(body)?)?;
    let which = if asked.attempt.is_some() { Which::Told } else { Which::Latest };
    let decision = api.handle.decide_recorded(asked.request()?, which, Terms::default()).await?;
    Ok(reply::ok(&View::of(&decision)))
}

/// The decision of a payment's attempt, the latest where none is named, open or not, explained: in JSON, or as one paragraph.
pub(super) async fn get(path: web::Path<String>, request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    api.may_read(&request)?;
    let query: Query = reply::query(&request)?;
    let profile = query.profile.as_deref().ok_or_else(|| BadField::new("profile", "missing: add ?profile=…"))?;
    let profile = ProfileId::parse(profile).map_err(|problem| BadField::new("profile", problem))?;
    let payment = PaymentId::parse(&path).map_err(|problem| BadField::new("payment", problem))?;
    let (attempt, as_text) = (query.attempt()?, wants_text(&query, &request)?);
    let open = match attempt {
        Some(attempt) => api.handle.decided_for(&profile, &payment, attempt),
        None => api.handle.decided(&profile, &payment),
    };
    let decision = if open.is_some() { open } else { api.handle.recalled(&profile, &payment, attempt).await? };
    let which = attempt.map(|attempt| format!("attempt {attempt} of ")).unwrap_or_default();
    let decision =
        decision.ok_or_else(|| ApiError::NotFound(format!("no decision is known for {which}{payment} of {profile}")))?;
    let explanation = Explanation::of(&decision);
    if as_text {
        return Ok(HttpResponse::Ok().insert_header(ContentType::plaintext()).body(explanation.text() + "\n"));
    }
    Ok(reply::ok(&Explained { view: View::of(&decision), explanation }))
}

impl Query {
    fn attempt(&self) -> Result<Option<u16>, BadField> {
        let Some(text) = &self.attempt else { return Ok(None) };
        let number = text.parse().ok().filter(|number| *number > 0);
        number.map(Some).ok_or_else(|| BadField::new("attempt", format!("a whole number of 1 to {} is wanted", u16::MAX)))
    }
}

/// Whether the answer is to be read by a person: the query says so or, where it says nothing, what the caller likes best.
fn wants_text(query: &Query, request: &HttpRequest) -> Result<bool, BadField> {
    let accepted = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    match query.format.as_deref() {
        None => Ok(accepted.trim_start().starts_with("text/plain")),
        Some("text") => Ok(true),
        Some("json") => Ok(false),
        Some(_) => Err(BadField::new("format", "allowed are json and text")),
    }
}

impl Asked {
    /// The request; of the first attempt, where none is named.
    fn request(self) -> Result<Request, BadField> {
        let AskedContext { method, network, country, bin, three_ds, initiator, credential, card_type, issuer } = self.context;
        let attempt = self.attempt.unwrap_or(1);
        if attempt == 0 {
            return Err(BadField::new("attempt", "0 is no attempt: they count from 1"));
        }
        let AskedAmount { minor, currency } = self.amount;
        let amount = Money::of_payment(minor, currency).map_err(|problem| BadField::new("amount.minor", problem))?;
        let eligible = Request::distinct(self.eligible).map_err(|problem| BadField::new("eligible", problem))?;
        if let Some(unknown) = country.filter(|country| !country.is_assigned()) {
            return Err(BadField::new("context.country", format!("`{unknown}` is no country's code (ISO 3166-1 alpha-2)")));
        }
        let bin = bin.map(|digits| Bin::parse(&digits)).transpose().map_err(|problem| BadField::new("context.bin", problem))?;
        Ok(Request {
            profile: self.profile,
            payment: self.payment,
            attempt,
            amount,
            context: Context { method, network, country, bin, three_ds, initiator, credential, card_type, issuer },
            eligible,
        })
    }
}
