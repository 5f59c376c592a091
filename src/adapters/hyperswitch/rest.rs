//! Calls to Hyperswitch's own API. So far it is only asked: nothing here changes anything at the switch.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use crate::domain::{PaymentId, ProfileId};

/// Largest answer read, in bytes: a payment with 64 attempts has some 100 kB.
const ANSWER_MAX: usize = 1_048_576;

/// Why the switch did not tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// There is no key for the profile.
    #[error("there is no key for this profile")]
    NoKey,
    /// It does not accept the key.
    #[error("it does not accept the key (HTTP {0})")]
    BadKey(u16),
    /// It knows no such payment.
    #[error("it knows no such payment (HTTP 404)")]
    NotFound,
    /// It is too busy, or in trouble: later it may answer.
    #[error("it answers HTTP {status}")]
    Busy {
        /// The status.
        status: u16,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
    /// It did not answer, or not to the end: later it may.
    #[error("{0}")]
    Silent(String),
    /// It answers what is not understood: asking again would change nothing.
    #[error("it answers what is not understood: {0}")]
    Strange(String),
}

/// Keys of the switch's API. Neither `Debug` nor anything else shows them.
#[derive(Clone, Default)]
pub struct ApiKeys {
    own: BTreeMap<ProfileId, HeaderValue>,
    others: Option<HeaderValue>,
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("own", &self.own.keys()).field("others", &self.others.is_some()).finish()
    }
}

impl ApiKeys {
    /// A key for each profile that has its own, and one for the others.
    ///
    /// # Errors
    /// A sentence that names the profile whose key cannot be sent; never the key.
    pub fn new<'a>(own: impl IntoIterator<Item = (ProfileId, &'a str)>, others: Option<&str>) -> Result<Self, String> {
        let key = |text: &str| {
            let mut key = HeaderValue::from_str(text).ok()?;
            key.set_sensitive(true);
            Some(key)
        };
        let refused = |whose: &str| format!("the key of {whose} holds a character that cannot be sent");
        let mut keys = Self::default();
        for (profile, text) in own {
            let sent = key(text).ok_or_else(|| refused(profile.as_str()))?;
            keys.own.insert(profile, sent);
        }
        keys.others = others.map(|text| key(text).ok_or_else(|| refused("all profiles"))).transpose()?;
        Ok(keys)
    }

    fn of(&self, profile: &ProfileId) -> Option<&HeaderValue> {
        self.own.get(profile).or(self.others.as_ref())
    }
}

/// The switch's API. Cheap to clone: clones share connections.
#[derive(Debug, Clone)]
pub struct Switch {
    http: Client,
    base: Url,
    keys: ApiKeys,
}

impl Switch {
    /// The API at an address; no answer may take longer than `timeout`.
    ///
    /// # Errors
    /// A sentence: the address is none, or this machine has no certificates to trust.
    pub fn new(base_url: &str, keys: ApiKeys, timeout: Duration) -> Result<Self, String> {
        // The process's one TLS provider. An error says that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = Url::parse(base_url).map_err(|error| format!("`{base_url}` is no address: {error}"))?;
        // A redirect would take the key to another server.
        let client = Client::builder().timeout(timeout).redirect(redirect::Policy::none()).build();
        Ok(Self { http: client.map_err(|error| error.to_string())?, base, keys })
    }

    /// The body of the answer to what became of a payment, its attempts in it; see [`super::attempts::parse`].
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn payment(&self, profile: &ProfileId, payment: &PaymentId) -> Result<Vec<u8>, AskError> {
        let key = self.keys.of(profile).ok_or(AskError::NoKey)?;
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| AskError::Strange("the address has no path".to_owned()))?
            .pop_if_empty()
            .extend(["payments", payment.as_str()]);
        url.set_query(Some("force_sync=false&expand_attempts=true"));
        let asked = self.http.get(url).header("api-key", key).header("accept", "application/json").send().await;
        let answer = asked.map_err(silent)?;
        match answer.status() {
            StatusCode::OK => read(answer).await,
            status => Err(refusal(status, &answer)),
        }
    }
}

fn refusal(status: StatusCode, answer: &Response) -> AskError {
    let code = status.as_u16();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => AskError::BadKey(code),
        StatusCode::NOT_FOUND => AskError::NotFound,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => busy(code, answer),
        _ if status.is_server_error() => busy(code, answer),
        _ => AskError::Strange(format!("HTTP {code}")),
    }
}

fn busy(status: u16, answer: &Response) -> AskError {
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    AskError::Busy { status, after: seconds.map(Duration::from_secs) }
}

/// The whole body, as long as it is not too large.
async fn read(mut answer: Response) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(silent)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(AskError::Strange(format!("more than {ANSWER_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Without the address: it holds the payment's id.
fn silent(error: reqwest::Error) -> AskError {
    AskError::Silent(crate::domain::wording::chain(&error.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_for_one_profile_or_all_others_and_are_not_shown() {
        let profile = |id| ProfileId::parse(id).unwrap();
        let keys = ApiKeys::new([(profile("pro_1"), "hunter1")], Some("hunter2")).unwrap();
        let key = |id| keys.of(&profile(id)).unwrap().to_str().unwrap().to_owned();
        assert_eq!((key("pro_1"), key("pro_2")), ("hunter1".to_owned(), "hunter2".to_owned()));
        assert!(!format!("{keys:?}").contains("hunter"), "{keys:?}");
        let refused = ApiKeys::new([(profile("pro_1"), "hun\nter")], None).unwrap_err();
        assert!(refused.contains("pro_1") && !refused.contains("ter\""), "{refused}");
        assert!(ApiKeys::default().of(&profile("pro_1")).is_none());
    }
}
