//! Settings as an entry holds them: every key with its name.
//!
//! Entries are written by the order of their fields, which leaves no room for a new one. Settings get new keys with every
//! release, so they are written as names and values (`MessagePack`) in a string of bytes: a key that an older log has not
//! takes its default, and the default of a new key keeps what the engine did without it. What was read is written again as
//! it was, byte for byte: an archive's chain goes over it.

use std::ops::Deref;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Settings;

/// Settings of an entry.
#[derive(Debug, Clone)]
pub struct Recorded {
    settings: Arc<Settings>,
    /// The bytes they were read from, in our own encoding; none: they were never written.
    bytes: Option<Arc<[u8]>>,
}

impl Recorded {
    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }
}

impl From<Arc<Settings>> for Recorded {
    fn from(settings: Arc<Settings>) -> Self {
        Self { settings, bytes: None }
    }
}

impl From<Settings> for Recorded {
    fn from(settings: Settings) -> Self {
        Arc::new(settings).into()
    }
}

impl Deref for Recorded {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// What they say, however it was written.
impl PartialEq for Recorded {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Serialize for Recorded {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.bytes {
            _ if to.is_human_readable() => self.settings.serialize(to),
            Some(bytes) => bytes.serialize(to),
            None => rmp_serde::to_vec_named(&self.settings).map_err(S::Error::custom)?.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Recorded {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            return Settings::deserialize(from).map(Self::from);
        }
        let bytes = Vec::<u8>::deserialize(from)?;
        let settings = rmp_serde::from_slice(&bytes).map_err(D::Error::custom)?;
        Ok(Self { settings, bytes: Some(bytes.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(settings: &impl Serialize) -> Vec<u8> {
        postcard::to_stdvec(&rmp_serde::to_vec_named(settings).unwrap()).unwrap()
    }

    #[test]
    fn settings_are_read_as_they_were_written() {
        let text = "seed = 7\n[routing]\nexploration = 0.1\n[connectors.stripe]\nfee_percent = 1.4\n";
        let text = format!("{text}[merchants.pro_1]\npriority = [\"adyen:mca_1\"]\n");
        let settings: Settings = toml::from_str(&text).unwrap();
        let bytes = postcard::to_stdvec(&Recorded::from(settings.clone())).unwrap();
        assert_eq!(postcard::from_bytes::<Recorded>(&bytes).unwrap(), settings.into());
    }

    #[test]
    fn a_key_that_an_older_version_did_not_know_takes_its_default_and_is_not_written_again() {
        #[derive(Serialize)]
        struct Older {
            seed: u64,
            routing: OlderRouting,
        }
        #[derive(Serialize)]
        struct OlderRouting {
            exploration: f64,
        }
        let bytes = written(&Older { seed: 7, routing: OlderRouting { exploration: 0.5 } });
        let read = postcard::from_bytes::<Recorded>(&bytes).unwrap();
        let mut expected = Settings { seed: 7, ..Settings::default() };
        expected.routing.exploration = 0.5;
        assert_eq!(*read, expected);
        assert_eq!(postcard::to_stdvec(&read).unwrap(), bytes);
    }

    #[test]
    fn a_key_that_this_version_does_not_know_is_an_error_not_a_guess() {
        #[derive(Serialize)]
        struct Newer {
            clairvoyance: bool,
        }
        assert!(postcard::from_bytes::<Recorded>(&written(&Newer { clairvoyance: true })).is_err());
    }
}
