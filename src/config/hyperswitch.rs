//! `[hyperswitch]`: the switch's own API, which is asked for attempts that its webhooks hide.

use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::settings::{Fetching, whole};

/// The switch's API. Its keys come from the environment: `APOS_HYPERSWITCH_KEY`, `APOS_HYPERSWITCH_KEY__<PROFILE>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hyperswitch {
    /// Where it is; empty: nothing is asked of it.
    #[serde(deserialize_with = "base_url")]
    pub base_url: String,
    /// Requests a second, on average.
    #[serde(deserialize_with = "whole::<_, 1, 1_000>")]
    pub requests_per_s: u64,
    /// Requests at once, after a pause.
    #[serde(deserialize_with = "whole::<_, 1, 1_000>")]
    pub burst: u64,
    /// How long one answer may take, in milliseconds.
    #[serde(deserialize_with = "whole::<_, 100, 60_000>")]
    pub timeout_ms: u64,
    /// How long other sources have to tell of attempts by themselves, in milliseconds.
    #[serde(deserialize_with = "whole::<_, 0, 600_000>")]
    pub delay_ms: u64,
    /// The most payments that wait to be asked for; the oldest go first.
    #[serde(deserialize_with = "whole::<_, 1, 100_000>")]
    pub max_waiting: u64,
}

impl Default for Hyperswitch {
    fn default() -> Self {
        Self { base_url: String::new(), requests_per_s: 5, burst: 10, timeout_ms: 5_000, delay_ms: 2_000, max_waiting: 10_000 }
    }
}

impl Hyperswitch {
    /// Whether it is asked anything.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.base_url.is_empty()
    }

    /// The engine's part.
    #[must_use]
    pub const fn fetching(&self) -> Fetching {
        Fetching { max_waiting: if self.is_on() { self.max_waiting } else { 0 } }
    }
}

/// `http://host[:port][/path]` or `https://…`, or nothing. What carries a user or a password is not repeated.
fn base_url<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let rest = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let (authority, _) = rest.map_or(("", ""), |rest| rest.split_at(rest.find('/').unwrap_or(rest.len())));
    let plain = !authority.is_empty() && !text.chars().any(|c| c.is_control() || c.is_whitespace() || "@?#".contains(c));
    if text.is_empty() || plain {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(serde::de::Error::custom(
        "this must be the address of Hyperswitch's API such as https://hyperswitch.internal:8080, without user, password or \
         query; its key comes from the environment: APOS_HYPERSWITCH_KEY",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Hyperswitch, String> {
        toml::from_str(&format!("base_url = \"{url}\"")).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn an_address_is_plain_and_carries_no_secret() {
        for (url, kept) in [
            ("", ""),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://switch.example/api/", "https://switch.example/api"),
        ] {
            assert_eq!(read(url).unwrap().base_url, kept);
        }
        for url in ["switch:8080", "ftp://switch", "https://", "https://me:hunter2@switch", "https://switch?key=hunter2"] {
            let refused = read(url).unwrap_err();
            assert!(refused.contains("APOS_HYPERSWITCH_KEY") && !refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn the_engine_lets_payments_wait_only_where_somebody_asks() {
        assert_eq!(Hyperswitch::default().fetching().max_waiting, 0);
        assert_eq!(read("http://switch").unwrap().fetching().max_waiting, 10_000);
    }
}
