//! The API's one error: `{"error": {"code", "message", "field"?, "remedy"?}}`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use crate::adapters::json::BadField;
use crate::domain::variables::{API_KEY, PEER_OPEN, PEER_SECRET, WEBHOOK_KEY};
use crate::domain::{Role, wording};
use crate::runtime::{AppendError, DecideError, RecallError};

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The body, the path or the query was not understood.
    #[error("{0}")]
    BadField(BadField),
    /// The body is larger than allowed.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body did not arrive.
    #[error("the body could not be read: {0}")]
    BodyLost(String),
    /// Keys are configured and none was sent.
    #[error("this needs an API key")]
    NoKey,
    /// The key sent is none of those configured.
    #[error("the API key is not known")]
    UnknownKey,
    /// The key may not do this.
    #[error("this needs the role {}; the key has the role {}", needed.as_str(), has.as_str())]
    RoleTooLow {
        /// The key's role.
        has: Role,
        /// The role needed.
        needed: Role,
    },
    /// No key that could do this is configured.
    #[error("this needs an API key with the role {}, and none is configured", .0.as_str())]
    NoKeyConfigured(Role),
    /// The peer's calls are not open.
    #[error("the calls of the decision engine need a secret, and none is configured")]
    PeerClosed,
    /// The peer's secret is missing or wrong.
    #[error("the x-admin-secret header is missing or wrong")]
    BadPeerSecret,
    /// A webhook's signature is missing or wrong.
    #[error("the webhook's signature is missing or wrong")]
    BadSignature,
    /// A webhook for a profile that has no key.
    #[error("no webhook key is configured for this profile")]
    UnknownProfile,
    /// What the path names does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The path is known, but not with this method.
    #[error("this path does not take that method; it takes {0}")]
    MethodNotAllowed(String),
    /// The engine refused a command.
    #[error("{0}")]
    Refused(String),
    /// No decision was made.
    #[error(transparent)]
    Undecided(#[from] DecideError),
    /// The log did not take it.
    #[error(transparent)]
    NotTaken(#[from] AppendError),
    /// Our own mistake.
    #[error("{0}")]
    Internal(String),
}

impl From<RecallError> for ApiError {
    fn from(error: RecallError) -> Self {
        Self::Internal(wording::chain(&error))
    }
}

impl From<BadField> for ApiError {
    fn from(bad: BadField) -> Self {
        Self::BadField(bad)
    }
}

/// What the error says, as it is sent.
#[derive(Serialize)]
struct Body<'a> {
    error: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// The attempt of the payment that was decided last.
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_attempt: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl ApiError {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::BadField(_)
            | Self::BodyLost(_)
            | Self::Undecided(DecideError::UnknownMerchant | DecideError::NoCandidate(_)) => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoKey | Self::UnknownKey | Self::PeerClosed | Self::BadPeerSecret | Self::BadSignature => {
                StatusCode::UNAUTHORIZED
            }
            Self::RoleTooLow { .. } | Self::NoKeyConfigured(_) => StatusCode::FORBIDDEN,
            Self::UnknownProfile | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Refused(_) | Self::Undecided(DecideError::Overtaken { .. }) => StatusCode::CONFLICT,
            Self::Undecided(DecideError::NotRecorded(_) | DecideError::NotReady) | Self::NotTaken(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadField(_) => "bad_field",
            Self::TooLarge(_) => "too_large",
            Self::BodyLost(_) => "body_lost",
            Self::NoKey => "no_key",
            Self::UnknownKey => "unknown_key",
            Self::RoleTooLow { .. } => "role_too_low",
            Self::NoKeyConfigured(_) => "no_key_configured",
            Self::PeerClosed => "no_secret_configured",
            Self::BadPeerSecret => "bad_secret",
            Self::BadSignature => "bad_signature",
            Self::UnknownProfile => "unknown_profile",
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::Refused(_) => "refused",
            Self::Undecided(DecideError::UnknownMerchant) => "unknown_merchant",
            Self::Undecided(DecideError::NoCandidate(_)) => "no_candidate",
            Self::Undecided(DecideError::Overtaken { .. }) => "overtaken",
            Self::Undecided(DecideError::NotRecorded(_)) => "not_recorded",
            Self::Undecided(DecideError::NotReady) => "not_ready",
            Self::NotTaken(AppendError::Log(_) | AppendError::Spool(_)) => "log_unavailable",
            Self::NotTaken(AppendError::NotFolded(_)) => "not_folded",
            Self::Internal(_) => "internal",
        }
    }

    /// The field that is meant.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::BadField(bad) => Some(bad.field.as_str()).filter(|field| !field.is_empty()),
            Self::Undecided(DecideError::NoCandidate(_)) => Some("eligible"),
            Self::Undecided(DecideError::Overtaken { .. }) => Some("attempt"),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NoKey | Self::UnknownKey => {
                Some("send the key as `Authorization: Bearer KEY` or `x-api-key: KEY`".to_owned())
            }
            Self::NoKeyConfigured(role) => {
                Some(format!("set {API_KEY}{} (openssl rand -hex 32) and restart", role.as_str().to_uppercase()))
            }
            Self::PeerClosed => Some(format!(
                "set {PEER_SECRET} to Hyperswitch's [open_router] admin_secret; where that is empty and only the \
                 switch reaches this address, set {PEER_OPEN}=1"
            )),
            Self::BadPeerSecret => {
                Some(format!("{PEER_SECRET} here and [open_router] admin_secret in Hyperswitch must be equal"))
            }
            Self::BadSignature => Some(format!(
                "{WEBHOOK_KEY}<PROFILE> must be the profile's payment_response_hash_key; the signature is of the raw body"
            )),
            Self::UnknownProfile => {
                Some(format!("set {WEBHOOK_KEY}<PROFILE> to the profile's payment_response_hash_key and restart"))
            }
            Self::NotTaken(AppendError::NotFolded(_)) => Some(
                "it is recorded: ask what became of it before you send it again, for that would record it twice; /status tells \
                 how the engine does"
                    .to_owned(),
            ),
            Self::NotTaken(AppendError::Log(_) | AppendError::Spool(_)) | Self::Undecided(DecideError::NotRecorded(_)) => {
                Some("send it again; /status tells how the log does".to_owned())
            }
            Self::Undecided(DecideError::NotReady) => Some("ask again in a second; /health/ready tells when".to_owned()),
            Self::Undecided(DecideError::Overtaken { attempt, latest }) => Some(format!(
                "ask for attempt {latest}, or for a later one; GET /v1/decisions/{{payment}}?attempt={attempt} tells where \
                 attempt {attempt} was sent, if the tables still know it"
            )),
            _ => None,
        }
    }

    const fn latest_attempt(&self) -> Option<u16> {
        if let Self::Undecided(DecideError::Overtaken { latest, .. }) = self { Some(*latest) } else { None }
    }

    /// Whether the same request, sent again a moment later, may do what it did not do now.
    const fn is_worth_repeating(&self) -> bool {
        matches!(
            self,
            Self::NotTaken(AppendError::Log(_) | AppendError::Spool(_))
                | Self::Undecided(DecideError::NotRecorded(_) | DecideError::NotReady)
        )
    }

    /// Says when to ask again, where that is worth it.
    pub(super) fn say_when(&self, response: &mut HttpResponse) {
        if self.is_worth_repeating() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
    }

    /// The answer.
    #[must_use]
    pub fn response(&self) -> HttpResponse {
        let told = Told {
            code: self.code(),
            message: self.to_string(),
            field: self.field(),
            latest_attempt: self.latest_attempt(),
            remedy: self.remedy(),
        };
        let mut response = HttpResponse::build(self.status());
        if let Self::MethodNotAllowed(allowed) = self {
            response.insert_header((ALLOW, allowed.as_str()));
        }
        let mut response = response.json(Body { error: told });
        self.say_when(&mut response);
        response
    }
}

impl actix_web::ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Position;
    use crate::log::LogError;

    #[test]
    fn what_is_recorded_is_not_to_be_sent_again() {
        let check = |error: ApiError, retry_after: Option<&str>, expected: &str| {
            let response = error.response();
            let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            assert_eq!((response.status(), header), (StatusCode::SERVICE_UNAVAILABLE, retry_after), "{error}");
            assert!(error.remedy().is_some_and(|remedy| remedy.starts_with(expected)), "{error}: {:?}", error.remedy());
        };
        check(AppendError::Log(LogError::Closed).into(), Some("1"), "send it again");
        check(DecideError::NotRecorded(LogError::Closed).into(), Some("1"), "send it again");
        check(DecideError::NotReady.into(), Some("1"), "ask again");
        check(AppendError::NotFolded(Position::default()).into(), None, "it is recorded: ask");
    }
}
