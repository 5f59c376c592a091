//! The configuration: one typed value, layered, every key documented in `config/apos.toml`.
//!
//! Layers, each over the ones before it: the defaults here, the file, the environment (`APOS__SECTION__KEY`), flags.
//! An unknown key or a value out of range is refused where it stands: file, line and column, or the variable's or the
//! flag's name. Secrets are never part of it: they come from the environment alone (see [`secret`]), so that a
//! configuration may be printed, committed and compared.

pub mod hyperswitch;
pub mod layers;
pub mod paths;
pub mod secret;
pub mod server;
mod variables;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::settings::{
    Adoption, Connector, Deduplication, Detection, EventMonitor, Experiment, Healing, Learning, Levels, Merchant, Rates,
    Routing, Scaling, Settings, experiments, whole,
};
use crate::domain::{ConnectorName, ProfileId, Role};

pub use hyperswitch::Hyperswitch;
pub use layers::{ConfigError, Environment, Loaded, Override, beside, check_file, load};
pub use secret::{Secret, Secrets};
pub use server::{PostgresUrl, RedisUrl};
pub use variables::check_names;

/// The whole configuration of one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Seed of every draw the engine makes.
    pub seed: u64,
    /// `[log]`
    pub log: Log,
    /// `[tables]`
    pub tables: Tables,
    /// `[stream]`
    pub stream: Stream,
    /// `[hyperswitch]`
    pub hyperswitch: Hyperswitch,
    /// `[declines]`
    pub declines: Declines,
    /// `[api]`
    pub api: Api,
    /// `[webhooks]`
    pub webhooks: Webhooks,
    /// `[dashboard]`
    pub dashboard: Dashboard,
    /// `[telemetry]`
    pub telemetry: Telemetry,
    /// `[data]`
    pub data: Data,
    /// `[event_monitor]`, the engine's.
    pub event_monitor: EventMonitor,
    /// `[routing]`, the engine's.
    pub routing: Routing,
    /// `[learning]`, the engine's.
    pub learning: Learning,
    /// `[detection]`, the engine's.
    pub detection: Detection,
    /// `[healing]`, the engine's.
    pub healing: Healing,
    /// `[autonomy]`, the engine's.
    pub autonomy: Levels,
    /// `[adoption]`, the engine's.
    pub adoption: Adoption,
    /// `[scaling]`, the engine's.
    pub scaling: Scaling,
    /// `[deduplication]`, the engine's.
    pub deduplication: Deduplication,
    /// `[money]`, the engine's.
    pub money: Rates,
    /// `[connectors.NAME]`, the engine's.
    pub connectors: BTreeMap<ConnectorName, Connector>,
    /// `[merchants.PROFILE]`, the engine's.
    pub merchants: BTreeMap<ProfileId, Merchant>,
    /// `[experiments.NAME]`, the engine's.
    #[serde(deserialize_with = "experiments")]
    pub experiments: BTreeMap<CompactString, Experiment>,
}

impl Config {
    /// The engine's part: what enters the log as `Body::Configured`.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            seed: self.seed,
            event_monitor: self.event_monitor.clone(),
            routing: self.routing.clone(),
            learning: self.learning.clone(),
            detection: self.detection.clone(),
            healing: self.healing.clone(),
            autonomy: self.autonomy.clone(),
            adoption: self.adoption.clone(),
            scaling: self.scaling.clone(),
            deduplication: self.deduplication.clone(),
            fetching: self.hyperswitch.fetching(),
            money: self.money.clone(),
            connectors: self.connectors.clone(),
            merchants: self.merchants.clone(),
            experiments: self.experiments.clone(),
        }
    }

    /// What no single value can break: rules between two keys.
    ///
    /// # Errors
    /// The first one that is broken.
    pub fn check(&self) -> Result<(), Contradiction> {
        let scaling = &self.scaling;
        let check = |keys: [&'static str; 2], holds: bool, problem: &str| {
            if holds { Ok(()) } else { Err(Contradiction { keys, problem: problem.to_owned() }) }
        };
        let ordered = |keys, holds| check(keys, holds, "the first of these must not be above the second");
        ordered(["scaling.min_instances", "scaling.max_instances"], scaling.min_instances <= scaling.max_instances)?;
        ordered(["scaling.queue_down", "scaling.queue_up"], scaling.queue_down <= scaling.queue_up)?;
        ordered(["scaling.cpu_down_percent", "scaling.cpu_up_percent"], scaling.cpu_down_percent <= scaling.cpu_up_percent)?;
        ordered(
            ["scaling.memory_down_percent", "scaling.memory_up_percent"],
            scaling.memory_down_percent <= scaling.memory_up_percent,
        )?;
        ordered(["learning.min_outcomes", "learning.window"], self.learning.min_outcomes <= self.learning.window)?;
        let Some(reference) = self.money.reference else { return Ok(()) };
        let one = self.money.per_reference.get(&reference).is_some_and(|rate| (rate - 1.0).abs() < f64::EPSILON);
        let problem = format!("the table of rates must hold the reference currency at 1 ({reference} = 1.0)");
        check(["money.reference", "money.per_reference"], one, &problem)
    }
}

/// Two keys whose values are fine, but not together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The keys, as `section.key`.
    pub keys: [&'static str; 2],
    /// What must hold between them.
    pub problem: String,
}

/// Which log holds the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// `log.db` in the data folder.
    Sqlite,
    /// A Redis Stream; for several machines.
    Redis,
    /// Nothing outlives the process; for trials.
    Memory,
}

/// When a decision is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// At once; it goes to the log behind the answer.
    Behind,
    /// Once it is durable.
    Sync,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Which log.
    pub kind: LogKind,
    /// When a decision is answered; events are always durable before they are.
    pub durability: Durability,
    /// The Redis server, for `kind = "redis"`; without a password.
    pub redis_url: RedisUrl,
    /// The key of the stream there; the lease and the checkpoints lie beside it.
    #[serde(deserialize_with = "name")]
    pub redis_key: String,
    /// Name of the environment variable that holds the server's password; unset or empty there: no password.
    #[serde(deserialize_with = "variable")]
    pub redis_password_env: String,
    /// Records older than so many days are sealed into the archive and leave the log; 0: never.
    #[serde(deserialize_with = "whole::<_, 0, 36_500>")]
    pub keep_days: u64,
    /// Where the archive is; empty: `archive` in the data folder.
    pub archive_dir: PathBuf,
    /// Most disk that checkpoints for jumps in time may take, in MiB; 0: none are kept.
    #[serde(deserialize_with = "whole::<_, 0, 1_048_576>")]
    pub replay_mb: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            kind: LogKind::Sqlite,
            durability: Durability::Behind,
            redis_url: RedisUrl::local(),
            redis_key: "apos:log".to_owned(),
            redis_password_env: "APOS_REDIS_PASSWORD".to_owned(),
            keep_days: 30,
            archive_dir: PathBuf::new(),
            replay_mb: 4_096,
        }
    }
}

/// Which tables the projector writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TablesKind {
    /// `tables.db` in the data folder.
    Sqlite,
    /// `PostgreSQL`.
    Postgres,
    /// No tables: nothing is projected.
    None,
}

/// The tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tables {
    /// Which tables.
    pub kind: TablesKind,
    /// The `PostgreSQL` server and database, for `kind = "postgres"`; without a password.
    pub postgres_url: PostgresUrl,
    /// Name of the environment variable that holds the server's password; unset or empty there: no password.
    #[serde(deserialize_with = "variable")]
    pub postgres_password_env: String,
    /// Payment events and routing decisions older than so many days are deleted; 0: never.
    #[serde(deserialize_with = "whole::<_, 0, 36_500>")]
    pub keep_days: u64,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            kind: TablesKind::Sqlite,
            postgres_url: PostgresUrl::local(),
            postgres_password_env: "APOS_POSTGRES_PASSWORD".to_owned(),
            keep_days: 7,
        }
    }
}

/// The Redis Stream of payment events; read where `event_monitor.enabled` is true and a server is named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// The Redis server; empty: no stream is read. Without a password.
    #[serde(with = "server::optional")]
    pub redis_url: Option<RedisUrl>,
    /// Name of the environment variable that holds the server's password; unset or empty there: no password.
    #[serde(deserialize_with = "variable")]
    pub redis_password_env: String,
    /// The key of the stream; malformed entries go to `<key>:dead`, each with the reason.
    #[serde(deserialize_with = "name")]
    pub key: String,
    /// The consumer group, shared by every replica.
    #[serde(deserialize_with = "name")]
    pub group: String,
    /// This process's name in the group, the same after a restart; empty: the host name.
    pub consumer: String,
    /// An entry that a consumer left unacknowledged for so long is claimed by another, in milliseconds.
    #[serde(deserialize_with = "whole::<_, 100, 3_600_000>")]
    pub claim_idle_ms: u64,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            redis_url: None,
            redis_password_env: "APOS_REDIS_PASSWORD".to_owned(),
            key: "apos:payments".to_owned(),
            group: "apos".to_owned(),
            consumer: String::new(),
            claim_idle_ms: 30_000,
        }
    }
}

/// The listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Address and port; other than loopback only where an API key exists.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// Worker threads; 0: one a core.
    #[serde(deserialize_with = "whole::<_, 0, 256>")]
    pub workers: u64,
    /// Largest request body accepted, in bytes.
    #[serde(deserialize_with = "whole::<_, 1_024, 67_108_864>")]
    pub max_body_bytes: u64,
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080), workers: 0, max_body_bytes: 1_048_576 }
    }
}

/// Signed webhooks. A profile is known when the environment holds its key: `APOS_WEBHOOK_KEY__<PROFILE>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Profiles that must have a key: a missing one is told at start instead of at their first webhook.
    pub profiles: Vec<ProfileId>,
}

/// Decline classes: what a failed attempt's codes say of whose fault it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Declines {
    /// A file of the form of `config/declines.toml` whose tables stand before the built-in ones; empty: those alone.
    pub file: PathBuf,
}

/// When the screen draws with ASCII alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ascii {
    /// Where the locale is not UTF-8.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dashboard {
    /// The theme, by name, or the path of a theme file.
    #[serde(deserialize_with = "name")]
    pub theme: String,
    /// When to draw with ASCII alone.
    pub ascii: Ascii,
    /// How long a lone Esc is held back to see whether it begins an arrow key, in milliseconds; 0: 50, over SSH 100.
    #[serde(deserialize_with = "whole::<_, 0, 1_000>")]
    pub escape_ms: u64,
    /// What this screen may do. The flag `--role` can only lower it.
    pub role: Role,
    /// Who sits at this screen, as the audit trail names them; empty: the login name.
    pub operator: String,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self { theme: "calm".to_owned(), ascii: Ascii::Auto, escape_ms: 0, role: Role::Admin, operator: String::new() }
    }
}

/// The least severe level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// What somebody must look at.
    Error,
    /// What somebody may have to look at.
    Warn,
    /// What happened.
    Info,
    /// How it happened.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Logs of the program itself: JSON lines in files, never on the terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// The least severe level that is logged.
    pub level: Level,
    /// A file that would grow beyond this is rolled, in bytes.
    #[serde(deserialize_with = "whole::<_, 65_536, 1_073_741_824>")]
    pub max_file_bytes: u64,
    /// Files kept, the current one among them.
    #[serde(deserialize_with = "whole::<_, 1, 100>")]
    pub max_files: u64,
}

impl Default for Telemetry {
    /// Five files of 10 MiB: a day of INFO at a few lines a second, and never more than 50 MiB of disk.
    fn default() -> Self {
        Self { level: Level::Info, max_file_bytes: 10 * 1_048_576, max_files: 5 }
    }
}

/// The data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Holds `log.db` and `tables.db`; empty: `apos` in the XDG data folder.
    pub dir: PathBuf,
}

/// A non-empty text without white space or control characters: a key, a group, a theme.
fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if !text.is_empty() && !text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Ok(text);
    }
    Err(serde::de::Error::custom(format!("`{text}` is not allowed: a name without white space is")))
}

/// The name of an environment variable. A value that looks like a secret put there by mistake is not repeated.
fn variable<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts_well && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(text);
    }
    Err(serde::de::Error::custom("this must be the name of an environment variable such as APOS_REDIS_PASSWORD"))
}

fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| {
        serde::de::Error::custom(format!("`{text}` is not an address and a port such as 127.0.0.1:8080 or [::1]:8080"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_keep_their_own_rules() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(Config::default().settings(), Settings::default());
    }

    #[test]
    fn two_keys_that_contradict_each_other_are_both_named() {
        let check = |text: &str, keys: [&str; 2]| {
            assert_eq!(toml::from_str::<Config>(text).unwrap().check().unwrap_err().keys, keys, "{text}");
        };
        check("[scaling]\nmin_instances = 12\n", ["scaling.min_instances", "scaling.max_instances"]);
        check("[learning]\nmin_outcomes = 3_000\nwindow = 2_000\n", ["learning.min_outcomes", "learning.window"]);
        check("[money.per_reference]\nUSD = 1.08\n", ["money.reference", "money.per_reference"]);
        check("[money]\nreference = \"USD\"\n", ["money.reference", "money.per_reference"]);
    }

    #[test]
    fn a_bad_value_says_what_is_allowed() {
        let check = |text: &str, expected: &str| {
            let refused = toml::from_str::<Config>(text).unwrap_err().to_string();
            assert!(refused.contains(expected), "{text}: {refused}");
        };
        check("[log]\nkind = \"kafka\"\n", "`sqlite`, `redis`, `memory`");
        check("[api]\nlisten = \"8080\"\n", "such as 127.0.0.1:8080");
        check("[telemetry]\nmax_files = 0\n", "1 to 100");
        check("[log]\nredis_password_env = \"hunter 2\"\n", "name of an environment variable");
        check("[dashboard]\nrole = \"root\"\n", "`viewer`, `operator`, `admin`");
        check("[stream]\ngroup = \"\"\n", "a name without white space");
        check("[money.per_reference]\nEUR = 1\nUSD = 0\n", "line 3");
        check("[money.per_reference]\nUSD = inf\n", "above 0");
        check("[merchants.pro_1]\npriority = [\"adyen:a\", \"adyen:a\"]\n", "`adyen:a` twice");
    }
}
