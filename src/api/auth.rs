//! Who may do what: API keys with roles, the peer's secret, the keys of webhooks.
//!
//! Keys come from the environment and are kept as digests; a presented key is compared digest to digest, in constant
//! time, so that neither time nor a core dump tells one.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Api, ApiError};
use crate::domain::{OperatorName, Role};

/// The header of the peer's secret.
static PEER_SECRET: HeaderName = HeaderName::from_static("x-admin-secret");
/// The header of an API key, besides `Authorization: Bearer`.
static KEY: HeaderName = HeaderName::from_static("x-api-key");

/// SHA-256 of a secret. Secrets are random and long, so that no slower digest is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    fn is_of(&self, secret: &[u8]) -> bool {
        self.0.ct_eq(&Self::of(secret).0).into()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// API keys, each with its role.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<(Role, Fingerprint)>);

impl Keys {
    /// Takes keys in. An empty one is no key.
    pub fn new<'a>(keys: impl IntoIterator<Item = (Role, &'a str)>) -> Self {
        let given = keys.into_iter().filter(|(_, key)| !key.is_empty());
        Self(given.map(|(role, key)| (role, Fingerprint::of(key.as_bytes()))).collect())
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The highest role of a key. Every key is compared, so that the time taken tells nothing.
    fn role_of(&self, presented: &[u8]) -> Option<Role> {
        self.0.iter().fold(None, |found, (role, key)| if key.is_of(presented) { found.max(Some(*role)) } else { found })
    }

    fn reaches(&self, needed: Role) -> bool {
        self.0.iter().any(|(role, _)| *role >= needed)
    }
}

/// Who may make the peer's calls. All of them change something: a decision is recorded.
#[derive(Debug, Clone, Default)]
pub struct PeerAccess(Access);

#[derive(Debug, Clone, Default)]
enum Access {
    /// Nobody but the holders of an operator's key.
    #[default]
    Closed,
    /// Whoever sends the secret.
    Secret(Fingerprint),
    /// Everybody who reaches the listener: Hyperswitch sends no header while its `admin_secret` is empty.
    Open,
}

impl PeerAccess {
    /// Only holders of an operator's key.
    #[must_use]
    pub const fn closed() -> Self {
        Self(Access::Closed)
    }

    /// Whoever sends the secret. An empty one is none.
    #[must_use]
    pub fn secret(secret: &str) -> Self {
        if secret.is_empty() { Self::closed() } else { Self(Access::Secret(Fingerprint::of(secret.as_bytes()))) }
    }

    /// Everybody who reaches the listener.
    #[must_use]
    pub const fn open() -> Self {
        Self(Access::Open)
    }
}

/// A key that signs webhooks; shown to nobody.
#[derive(Clone)]
pub struct WebhookKey(String);

impl WebhookKey {
    /// Takes Hyperswitch's `payment_response_hash_key` in.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(key.to_owned())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

impl Api {
    /// Who asks, when they may do what needs a role.
    pub(super) fn require(&self, request: &HttpRequest, needed: Role) -> Result<OperatorName, ApiError> {
        let keys = &self.config.keys;
        if !keys.reaches(needed) {
            return Err(ApiError::NoKeyConfigured(needed));
        }
        let role = keys.role_of(presented(request).ok_or(ApiError::NoKey)?).ok_or(ApiError::UnknownKey)?;
        if role < needed {
            return Err(ApiError::RoleTooLow { has: role, needed });
        }
        OperatorName::parse(&format!("key:{}", role.as_str())).map_err(ApiError::Internal)
    }

    /// Reading needs no key on loopback, where whoever can connect can also read the files.
    pub(super) fn may_read(&self, request: &HttpRequest) -> Result<(), ApiError> {
        if self.config.listen.ip().is_loopback() {
            return Ok(());
        }
        self.require(request, Role::Viewer).map(drop)
    }

    /// Whether the caller may make the peer's calls.
    pub(super) fn is_peer(&self, request: &HttpRequest) -> Result<(), ApiError> {
        let by_secret = match &self.config.peer.0 {
            Access::Open => true,
            Access::Secret(secret) => {
                let sent = request.headers().get(&PEER_SECRET).map(HeaderValue::as_bytes);
                sent.is_some_and(|sent| secret.is_of(sent))
            }
            Access::Closed => false,
        };
        if by_secret || presented(request).and_then(|key| self.config.keys.role_of(key)) >= Some(Role::Operator) {
            return Ok(());
        }
        Err(if matches!(self.config.peer.0, Access::Closed) { ApiError::PeerClosed } else { ApiError::BadPeerSecret })
    }
}

/// The key a request presents.
fn presented(request: &HttpRequest) -> Option<&[u8]> {
    let headers = request.headers();
    let bearer = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    bearer.or_else(|| headers.get(&KEY).map(HeaderValue::as_bytes))
}

/// The token of `Bearer TOKEN`; the scheme's name is the same in either case (RFC 9110, 11.1).
fn bearer(credentials: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, token) = credentials.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_bearer_in_either_case() {
        for credentials in ["Bearer k", "bearer k", "BEARER  k"] {
            assert_eq!(bearer(credentials.as_bytes()), Some(&b"k"[..]), "{credentials}");
        }
        for credentials in ["Basic k", "Bearerk", "Bear", ""] {
            assert_eq!(bearer(credentials.as_bytes()), None, "{credentials}");
        }
    }

    #[test]
    fn a_key_has_its_role_and_shows_itself_to_nobody() {
        let keys = Keys::new([(Role::Viewer, "look"), (Role::Operator, "work"), (Role::Admin, "")]);
        assert_eq!(keys.role_of(b"work"), Some(Role::Operator));
        assert_eq!(keys.role_of(b"look"), Some(Role::Viewer));
        assert_eq!((keys.role_of(b""), keys.role_of(b"worker")), (None, None));
        assert!(keys.reaches(Role::Operator) && !keys.reaches(Role::Admin));
        let shown = format!("{keys:?} {:?} {:?}", PeerAccess::secret("work"), WebhookKey::new("work"));
        assert!(!shown.contains("work"), "{shown}");
    }
}
