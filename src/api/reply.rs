//! Reading bodies and writing answers.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Api, ApiError};
use crate::adapters::json::BadField;
use crate::domain::Time;

/// A body as it arrives: whole, or why not.
pub(super) type Arrived = Result<Bytes, actix_web::Error>;

/// The header that names a request in the logs of both sides.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

static JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The one call of `/v1` that takes a query.
const TAKES_QUERY: &str = "/v1/decisions/{payment}";

/// Room for an answer of ten candidates, so that writing it allocates once.
const ANSWER_BYTES: usize = 4_096;

impl Api {
    /// The body, when it arrived whole and within the limit.
    pub(super) fn body(&self, arrived: Arrived) -> Result<Bytes, ApiError> {
        arrived.map_err(|error| match error.as_response_error().status_code() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge(self.config.max_body_bytes),
            _ => ApiError::BodyLost(error.to_string()),
        })
    }
}

/// The query, every key of it known.
pub(super) fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    let read = web::Query::<T>::from_query(request.query_string()).map(web::Query::into_inner);
    read.map_err(|error| BadField::new("the query", error.to_string()).into())
}

/// Around every call of `/v1`: a query where none is taken is refused by its first key, so that a typing error does not pass
/// for an answer.
pub(super) async fn checked<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let takes_query = request.match_pattern().is_some_and(|pattern| pattern == TAKES_QUERY);
    let key = request.query_string().split(['&', '=']).next().filter(|key| !key.is_empty() && !takes_query);
    let Some(key) = key else { return Ok(next.call(request).await?.map_into_boxed_body()) };
    let refused = ApiError::from(BadField::new(key, "unknown: this call takes no query")).response();
    Ok(request.into_response(refused))
}

/// Names the answer as its request was named, or anew; one that has a name keeps it.
pub(super) async fn named<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let api = request.app_data::<web::Data<Api>>().cloned();
    let mut answer = next.call(request).await?;
    if answer.headers().contains_key(&REQUEST_ID) {
        return Ok(answer);
    }
    let name = api.and_then(|api| api.requests.name_for(answer.request(), api.handle.now()));
    if let Some(name) = name {
        answer.headers_mut().insert(REQUEST_ID.clone(), name);
    }
    Ok(answer)
}

/// An answer in JSON.
pub(super) fn json<T: Serialize>(status: StatusCode, value: &T) -> HttpResponse {
    let mut body = Vec::with_capacity(ANSWER_BYTES);
    match serde_json::to_writer(&mut body, value) {
        Ok(()) => HttpResponse::build(status).insert_header((CONTENT_TYPE, JSON.clone())).body(body),
        Err(error) => ApiError::Internal(format!("the answer could not be written: {error}")).response(),
    }
}

/// An answer in JSON, 200.
pub(super) fn ok<T: Serialize>(value: &T) -> HttpResponse {
    json(StatusCode::OK, value)
}

/// An answer in JSON, 200, that is so large that it is written aside: not on a thread that others' answers wait for.
pub(super) async fn written_aside(
    write: impl FnOnce() -> serde_json::Result<Vec<u8>> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    match web::block(write).await {
        Ok(Ok(body)) => Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON.clone())).body(body)),
        Ok(Err(error)) => Err(ApiError::Internal(format!("the answer could not be written: {error}"))),
        Err(error) => Err(ApiError::Internal(format!("the answer could not be written: {error}"))),
    }
}

/// Names requests that bring no name.
#[derive(Debug, Default)]
pub(super) struct RequestIds(AtomicU64);

impl RequestIds {
    /// Names the answer as its request was named; a request without a name gets one, unique in this process.
    pub(super) fn name(&self, request: &HttpRequest, now: Time, mut response: HttpResponse) -> HttpResponse {
        if let Some(name) = self.name_for(request, now) {
            response.headers_mut().insert(REQUEST_ID.clone(), name);
        }
        response
    }

    fn name_for(&self, request: &HttpRequest, now: Time) -> Option<HeaderValue> {
        request.headers().get(&REQUEST_ID).cloned().or_else(|| self.make(now))
    }

    fn make(&self, now: Time) -> Option<HeaderValue> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&now.micros().to_be_bytes());
        bytes[8..].copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        HeaderValue::from_str(uuid::Uuid::new_v8(bytes).hyphenated().encode_lower(&mut text)).ok()
    }
}
