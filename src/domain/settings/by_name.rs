//! Settings in our own encoding: every key with its name.
//!
//! Entries are written by the order of their fields, which leaves no room for a new one. Settings get new keys with every
//! release, so they are written as names and values (`MessagePack`) in a string of bytes: a key that an older log has not
//! takes its default, and the default of a new key keeps what the engine did without it.

use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Settings;

pub(in crate::domain) fn serialize<S: Serializer>(settings: &Arc<Settings>, to: S) -> Result<S::Ok, S::Error> {
    if to.is_human_readable() {
        return settings.serialize(to);
    }
    rmp_serde::to_vec_named(settings).map_err(S::Error::custom)?.serialize(to)
}

pub(in crate::domain) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Settings>, D::Error> {
    if from.is_human_readable() {
        return Arc::deserialize(from);
    }
    rmp_serde::from_slice(&Vec::<u8>::deserialize(from)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Entry(#[serde(with = "super")] Arc<Settings>);

    fn written(settings: &impl Serialize) -> Vec<u8> {
        postcard::to_stdvec(&rmp_serde::to_vec_named(settings).unwrap()).unwrap()
    }

    #[test]
    fn settings_are_read_as_they_were_written() {
        let text = "seed = 7\n[routing]\nexploration = 0.1\n[connectors.stripe]\nfee_percent = 1.4\n";
        let text = format!("{text}[merchants.pro_1]\npriority = [\"adyen:mca_1\"]\n");
        let settings: Settings = toml::from_str(&text).unwrap();
        let bytes = postcard::to_stdvec(&Entry(Arc::new(settings.clone()))).unwrap();
        assert_eq!(postcard::from_bytes::<Entry>(&bytes).unwrap().0, settings.into());
    }

    #[test]
    fn a_key_that_an_older_version_did_not_know_takes_its_default() {
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
        let read = postcard::from_bytes::<Entry>(&bytes).unwrap().0;
        let mut expected = Settings { seed: 7, ..Settings::default() };
        expected.routing.exploration = 0.5;
        assert_eq!(*read, expected);
    }

    #[test]
    fn a_key_that_this_version_does_not_know_is_an_error_not_a_guess() {
        #[derive(Serialize)]
        struct Newer {
            clairvoyance: bool,
        }
        assert!(postcard::from_bytes::<Entry>(&written(&Newer { clairvoyance: true })).is_err());
    }
}
