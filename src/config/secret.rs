//! Secrets: read from the environment alone, shown to nobody.

use std::collections::BTreeMap;
use std::fmt;

use super::{ConfigError, Environment};
use crate::domain::variables::{API_KEY, HYPERSWITCH_KEY, HYPERSWITCH_KEY_OF, PEER_OPEN, PEER_SECRET, WEBHOOK_KEY};
use crate::domain::{ProfileId, Role};

/// Fewest characters of an API key: 128 bits in hexadecimal; anything shorter can be tried out.
const API_KEY_MIN: usize = 32;

/// A text that neither `Debug` nor `Display` shows; there is no way to serialise it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Every secret the environment holds, but passwords: those are asked for by the name the configuration gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// Keys that sign the webhooks of a profile (Hyperswitch's `payment_response_hash_key`).
    pub webhook_keys: BTreeMap<ProfileId, Secret>,
    /// Keys with which Hyperswitch is asked about payments of a profile.
    pub hyperswitch_keys: BTreeMap<ProfileId, Secret>,
    /// The same, for profiles without one of their own.
    pub hyperswitch_key: Option<Secret>,
    /// API keys, one a role.
    pub api_keys: BTreeMap<Role, Secret>,
    /// The secret that the switch sends with every call.
    pub peer_secret: Option<Secret>,
    /// Whether the switch's calls need no secret.
    pub peer_open: bool,
}

impl Secrets {
    /// Reads them.
    ///
    /// # Errors
    /// Names the variable, never its text: an empty one, a profile or a role that is none, a key that is too short.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let peer_secret = environment.get(PEER_SECRET).map(|text| Secret::new(text.to_owned()));
        let peer_open = switched_on(PEER_OPEN, environment)?;
        if peer_open && peer_secret.is_some() {
            let reason =
                format!("{PEER_SECRET} is set too, and would protect nothing while the calls are open: unset one of them");
            return Err(ConfigError::secret(PEER_OPEN, reason));
        }
        let mut secrets = Self { peer_secret, peer_open, ..Self::default() };
        secrets.webhook_keys = of_profiles(WEBHOOK_KEY, "Hyperswitch's payment_response_hash_key", environment)?;
        secrets.hyperswitch_keys = of_profiles(HYPERSWITCH_KEY_OF, "the merchant's api-key", environment)?;
        secrets.hyperswitch_key = environment.get(HYPERSWITCH_KEY).map(|text| Secret::new(text.to_owned()));
        for (variable, suffix, text) in environment.starting_with(API_KEY) {
            let role = role(suffix)
                .ok_or_else(|| ConfigError::secret(variable, "the name must end with VIEWER, OPERATOR or ADMIN"))?;
            if text.len() < API_KEY_MIN {
                let reason = format!("it is too short: use {API_KEY_MIN} characters or more (openssl rand -hex 32)");
                return Err(ConfigError::secret(variable, reason));
            }
            secrets.api_keys.insert(role, Secret::new(text.to_owned()));
        }
        Ok(secrets)
    }
}

/// A secret for each profile that the variables' names end with; `what` an empty one should hold.
fn of_profiles(prefix: &str, what: &str, environment: &Environment) -> Result<BTreeMap<ProfileId, Secret>, ConfigError> {
    let read = |(variable, suffix, text): (&str, &str, &str)| {
        let profile = ProfileId::parse(suffix).map_err(|reason| ConfigError::secret(variable, reason))?;
        if text.is_empty() {
            return Err(ConfigError::secret(variable, format!("it is empty: set {what}")));
        }
        Ok((profile, Secret::new(text.to_owned())))
    };
    environment.starting_with(prefix).map(read).collect()
}

fn switched_on(variable: &str, environment: &Environment) -> Result<bool, ConfigError> {
    match environment.get(variable) {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(ConfigError::secret(variable, "allowed are 0 and 1")),
    }
}

fn role(word: &str) -> Option<Role> {
    [Role::Viewer, Role::Operator, Role::Admin].into_iter().find(|role| role.as_str().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Secrets, ConfigError> {
        Secrets::read(&Environment::from_pairs([(name, text)]))
    }

    #[test]
    fn a_profile_with_a_key_is_known() {
        let secrets = read("APOS_WEBHOOK_KEY__pro_Ab1", "s3cr3t").unwrap();
        let profile = ProfileId::parse("pro_Ab1").unwrap();
        assert_eq!(secrets.webhook_keys.get(&profile).map(Secret::expose), Some("s3cr3t"));
        assert!(!format!("{secrets:?}").contains("s3cr3t"));
    }

    #[test]
    fn a_key_for_the_switch_is_for_all_profiles_or_for_one() {
        let pairs = [("APOS_HYPERSWITCH_KEY", "s3cr3t"), ("APOS_HYPERSWITCH_KEY__pro_Ab1", "0wn")];
        let secrets = Secrets::read(&Environment::from_pairs(pairs)).unwrap();
        let own = secrets.hyperswitch_keys.get(&ProfileId::parse("pro_Ab1").unwrap());
        assert_eq!(
            (secrets.hyperswitch_key.as_ref().map(Secret::expose), own.map(Secret::expose)),
            (Some("s3cr3t"), Some("0wn"))
        );
        assert!(read("APOS_HYPERSWITCH_KEY__pro_1", "").unwrap_err().to_string().contains("api-key"));
    }

    #[test]
    fn a_bad_secret_is_named_but_not_shown() {
        let refused = read("APOS_API_KEY__ADMIN", "swordfish").unwrap_err().to_string();
        assert!(refused.contains("APOS_API_KEY__ADMIN") && !refused.contains("swordfish"), "{refused}");
        assert!(read("APOS_API_KEY__ROOT", &"x".repeat(64)).unwrap_err().to_string().contains("OPERATOR"));
        assert!(read("APOS_PEER_OPEN", "yes").unwrap_err().to_string().contains("0 and 1"));
        let both = Secrets::read(&Environment::from_pairs([("APOS_PEER_OPEN", "1"), ("APOS_PEER_SECRET", "s")]));
        assert!(both.unwrap_err().to_string().contains("unset one"));
        assert!(read("APOS_WEBHOOK_KEY__pro_1", "").unwrap_err().to_string().contains("empty"));
    }
}
