//! Reading bodies and writing answers.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::{Api, ApiError};
use crate::domain::Time;

/// A body as it arrives: whole, or why not.
pub(super) type Arrived = Result<Bytes, actix_web::Error>;

/// The header that names a request in the logs of both sides.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Room for an answer of ten candidates, so that writing it allocates once.
const ANSWER_BYTES: usize = 2_048;

impl Api {
    /// The body, when it arrived whole and within the limit.
    pub(super) fn body(&self, arrived: Arrived) -> Result<Bytes, ApiError> {
        arrived.map_err(|error| match error.as_response_error().status_code() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge(self.config.max_body_bytes),
            _ => ApiError::BodyLost(error.to_string()),
        })
    }
}

/// An answer in JSON.
pub(super) fn json<T: Serialize>(status: StatusCode, value: &T) -> HttpResponse {
    let mut body = Vec::with_capacity(ANSWER_BYTES);
    match serde_json::to_writer(&mut body, value) {
        Ok(()) => HttpResponse::build(status).insert_header(ContentType::json()).body(body),
        Err(error) => ApiError::Internal(format!("the answer could not be written: {error}")).response(),
    }
}

/// An answer in JSON, 200.
pub(super) fn ok<T: Serialize>(value: &T) -> HttpResponse {
    json(StatusCode::OK, value)
}

/// Names requests that bring no name.
#[derive(Debug, Default)]
pub(super) struct RequestIds(AtomicU64);

impl RequestIds {
    /// Names the answer as its request was named; a request without a name gets one, unique in this process.
    pub(super) fn name(&self, request: &HttpRequest, now: Time, mut response: HttpResponse) -> HttpResponse {
        let name = request.headers().get(&REQUEST_ID).cloned().or_else(|| self.make(now));
        if let Some(name) = name {
            response.headers_mut().insert(REQUEST_ID.clone(), name);
        }
        response
    }

    fn make(&self, now: Time) -> Option<HeaderValue> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&now.micros().to_be_bytes());
        bytes[8..].copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        HeaderValue::from_str(uuid::Uuid::new_v8(bytes).hyphenated().encode_lower(&mut text)).ok()
    }
}
