//! The layers: defaults, file, environment, flags, each over the ones before it.
//!
//! Each layer is read as a [`Config`] of its own first, so that what is wrong is named where it stands; then the
//! layers are merged key by key, and the whole is checked once more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, Contradiction, variables};
use crate::domain::{Settings, wording};

/// Variables that set a key of the configuration: `APOS__SECTION__KEY`.
pub const VARIABLE: &str = "APOS__";

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not TOML, has an unknown key or a bad value.
    #[error("{path}, line {line}, column {column}: {reason}\n  | {text}")]
    File {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// Counted from one, in characters.
        column: usize,
        /// What is wrong, and what is allowed.
        reason: String,
        /// The line; "(not shown)" where a secret may stand in it.
        text: String,
    },
    /// A variable has a bad value.
    #[error("the environment variable {variable}={text} is refused: {reason}")]
    Variable {
        /// Its name.
        variable: String,
        /// Its text.
        text: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// A variable that holds a secret is refused; its text is not shown.
    #[error("the environment variable {variable} is refused: {reason}")]
    Secret {
        /// Its name.
        variable: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// A variable that begins like one of ours and is none; its text is not shown: it may be a secret.
    #[error("the environment variable {variable} is not known: {remedy}")]
    Unknown {
        /// Its name.
        variable: String,
        /// What may have been meant.
        remedy: String,
    },
    /// A flag has a bad value.
    #[error("{flag} {text} is refused: {reason}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// Its value.
        text: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// Every value is fine, but not together.
    #[error("the configuration contradicts itself: {0}")]
    Contradiction(String),
}

impl ConfigError {
    /// A secret is refused.
    pub(crate) fn secret(variable: &str, reason: impl Into<String>) -> Self {
        Self::Secret { variable: variable.to_owned(), reason: reason.into() }
    }
}

/// The environment, as it was when the process started; a test makes its own.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    /// Names only: any of them may hold a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// This process's. A text that is not UTF-8 is taken with replacement characters: whoever parses it refuses it.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().map(|(name, text)| (lossy(&name), lossy(&text))).collect())
    }

    /// One that holds these variables.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
    }

    /// A variable's text; None when it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Variables by prefix, in order: name, what follows the prefix, text.
    pub fn starting_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, text)| Some((name.as_str(), name.strip_prefix(prefix)?, text.as_str())))
    }
}

fn lossy(text: &std::ffi::OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// A flag that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The flag, as it is typed.
    pub flag: &'static str,
    /// Section and key.
    pub key: [&'static str; 2],
    /// The value.
    pub text: String,
}

/// A configuration and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file, if one was read.
    pub file: Option<PathBuf>,
    /// The variables that set a key.
    pub variables: Vec<String>,
    /// Where `api.listen` was set: what other parts of the surroundings may forbid is told with its place.
    pub listen_set_by: String,
}

/// Reads and merges the layers.
///
/// # Errors
/// The first thing that is wrong, by layer.
pub fn load(file: Option<&Path>, environment: &Environment, flags: &[Override]) -> Result<Loaded, ConfigError> {
    let (mut merged, text) = file.map_or_else(|| Ok(Default::default()), read_file)?;
    let mut origins = Origins { file: file.map(|path| (path, text)), set: Vec::new(), otherwise: "the default" };
    let mut variables = Vec::new();
    for (variable, path, text) in environment.starting_with(VARIABLE) {
        let keys: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        let layer = layer(&keys, text).map_err(|reason| refused_variable(variable, (&keys, text), reason))?;
        merge(&mut merged, layer);
        origins.set.push((keys.join("."), variable));
        variables.push(variable.to_owned());
    }
    for Override { flag, key, text } in flags {
        let keys = key.map(str::to_owned);
        let layer = layer(&keys, text).map_err(|reason| ConfigError::Flag { flag, text: text.clone(), reason })?;
        merge(&mut merged, layer);
        origins.set.push((keys.join("."), flag));
    }
    let config: Config = merged.try_into().map_err(|error| ConfigError::Contradiction(reason(&error)))?;
    config.check().map_err(|contradiction| ConfigError::Contradiction(origins.explain(&contradiction, &config)))?;
    let listen_set_by = origins.of("api.listen");
    Ok(Loaded { config, file: file.map(Path::to_path_buf), variables, listen_set_by })
}

/// Reads a file alone: that it is TOML, that its keys exist and that each value is allowed.
///
/// # Errors
/// Where the file is wrong, and what is allowed there.
pub fn check_file(file: &Path) -> Result<(), ConfigError> {
    read_file(file).map(drop)
}

/// The engine's part of a recorded configuration with a file's keys laid over it: what the file leaves out stays as it was.
///
/// # Errors
/// As [`check_file`]; and where two keys of the whole contradict each other.
pub fn beside(recorded: &Settings, file: &Path) -> Result<Settings, ConfigError> {
    let (layer, text) = read_file(file)?;
    let mut merged = Table::try_from(recorded)
        .map_err(|error| ConfigError::Contradiction(format!("what was configured then cannot be written as TOML: {error}")))?;
    // It follows from a section of the program's own, which a log does not hold.
    merged.remove("fetching");
    merge(&mut merged, layer);
    let config: Config = merged.try_into().map_err(|error| ConfigError::Contradiction(reason(&error)))?;
    let origins = Origins { file: Some((file, text)), set: Vec::new(), otherwise: "as it was recorded" };
    config.check().map_err(|contradiction| ConfigError::Contradiction(origins.explain(&contradiction, &config)))?;
    Ok(Settings { fetching: recorded.fetching.clone(), ..config.settings() })
}

/// Who set which key: what a contradiction between two of them is told with.
struct Origins<'a> {
    file: Option<(&'a Path, String)>,
    /// Variables and flags by the key they set, in the order they came in force.
    set: Vec<(String, &'a str)>,
    /// Where what nobody set comes from.
    otherwise: &'static str,
}

impl Origins<'_> {
    /// The problem, and under it each key with its value and where that stands.
    fn explain(&self, contradiction: &Contradiction, config: &Config) -> String {
        let values = Table::try_from(config).unwrap_or_default();
        let lines = contradiction.keys.map(|key| {
            let value = key.split_once('.').and_then(|(section, name)| values.get(section)?.get(name));
            // A table is told by its place alone.
            let value = value.filter(|value| !value.is_table()).map_or_else(String::new, |value| format!(" = {value}"));
            format!("\n  {key}{value} ({})", self.of(key))
        });
        format!("{}:{}", contradiction.problem, lines.concat())
    }

    fn of(&self, key: &str) -> String {
        let within = |set: &str| set == key || set.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        if let Some((_, name)) = self.set.iter().rev().find(|(set, _)| within(set)) {
            return (*name).to_owned();
        }
        let in_file = self.file.as_ref().and_then(|(path, text)| Some((path, line_of(key, text)?)));
        in_file.map_or_else(|| self.otherwise.to_owned(), |(path, line)| format!("{}, line {line}", path.display()))
    }
}

/// The line of a key in a file, from 1.
fn line_of(key: &str, text: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let (section, name) = key.split_once('.')?;
    let value = document.get_ref().get(section)?.get_ref().as_table()?.get(name)?;
    Some(text.get(..value.span().start)?.matches('\n').count() + 1)
}

/// The file's keys, and its text.
fn read_file(path: &Path) -> Result<(Table, String), ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_path_buf(), source })?;
    let refused = |error: &toml::de::Error| refused_file(path, &text, error);
    toml::from_str::<Config>(&text).map_err(|error| refused(&error))?;
    let table = toml::from_str(&text).map_err(|error| refused(&error))?;
    Ok((table, text))
}

fn refused_file(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_text = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    ConfigError::File {
        path: path.to_path_buf(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        text: if may_be_shown(text, line_text, &reason(error)) { line_text.to_owned() } else { "(not shown)".to_owned() },
        reason: reason(error),
    }
}

/// Whether a refused line holds nothing but a bad value of a known key. A secret is put under a key that there is not, or in
/// a line that is no TOML: what cannot be read is not repeated.
fn may_be_shown(file: &str, line: &str, reason: &str) -> bool {
    let is_read = toml::de::DeTable::parse(file).is_ok() && !reason.starts_with("unknown field");
    is_read && !line.contains(ADDRESS) && !shows_secret(reason)
}

/// The text of a variable is shown where it is a bad value of a known key, and no secret stands in it.
fn refused_variable(variable: &str, (keys, text): (&[String], &str), reason: String) -> ConfigError {
    let variable = variable.to_owned();
    if reason.starts_with("unknown field") || !is_within_table(keys) {
        return ConfigError::Unknown { remedy: variables::remedy(&variable), variable };
    }
    if shows_secret(&reason) || keys.last().is_some_and(|key| key.ends_with(ADDRESS)) {
        return ConfigError::Secret { variable, reason };
    }
    ConfigError::Variable { variable, text: text.to_owned(), reason }
}

/// Whether what the last key stands in is a table; every one of them has a default.
fn is_within_table(keys: &[String]) -> bool {
    let defaults = Table::try_from(Config::default()).ok().map(Value::Table);
    let within = keys.split_last().map_or(keys, |(_, within)| within);
    within.iter().try_fold(defaults.as_ref(), |table, key| Some(table?.get(key))).flatten().is_some_and(Value::is_table)
}

/// Keys that end so hold an address, in which a password may have been written.
const ADDRESS: &str = "_url";

/// A line that is refused because of a password in it is not repeated.
fn shows_secret(reason: &str) -> bool {
    reason.contains("password") || reason.contains("environment variable")
}

fn reason(error: &toml::de::Error) -> String {
    wording::plain(error.message().trim_end(), "a table of keys")
}

/// One key's layer. The text is read as a TOML value where it is one and fits, else as a string: nobody wants to
/// write quotes inside a variable.
fn layer(keys: &[String], text: &str) -> Result<Table, String> {
    let literal = text.parse::<Value>().ok().map(|value| checked(keys, value));
    match literal {
        Some(Ok(table)) => Ok(table),
        Some(Err(reason)) => checked(keys, Value::String(text.to_owned())).map_err(|_| reason),
        None => checked(keys, Value::String(text.to_owned())),
    }
}

fn checked(keys: &[String], value: Value) -> Result<Table, String> {
    let nested = keys.iter().rev().fold(value, |inner, key| Value::Table(Table::from_iter([(key.clone(), inner)])));
    let Value::Table(table) = nested else { return Err("no key is named".to_owned()) };
    let config: Result<Config, _> = table.clone().try_into();
    config.map(|_| table).map_err(|error| reason(&error))
}

fn merge(into: &mut Table, layer: Table) {
    for (key, value) in layer {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogKind;

    fn with(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        load(None, &Environment::from_pairs(pairs.iter().copied()), &[]).map(|loaded| loaded.config)
    }

    #[test]
    fn a_variable_needs_no_quotes() {
        let config = with(&[
            ("APOS__LOG__KIND", "redis"),
            ("APOS__EVENT_MONITOR__BATCH_SIZE", "10"),
            ("APOS__EVENT_MONITOR__IGNORE", "[\"refunded\"]"),
            ("APOS__DASHBOARD__THEME", "1984"),
            ("APOS__API__LISTEN", "127.0.0.1:9000"),
            ("APOS__SEED", "7"),
        ])
        .unwrap();
        assert_eq!((config.log.kind, config.event_monitor.batch_size, config.seed), (LogKind::Redis, 10, 7));
        assert_eq!((config.dashboard.theme.as_str(), config.api.listen.port()), ("1984", 9000));
        assert_eq!(config.event_monitor.ignore.len(), 1);
    }

    #[test]
    fn a_bad_variable_is_named_with_its_text() {
        let check = |variable: &str, text: &str, expected: &str| {
            let refused = with(&[(variable, text)]).unwrap_err().to_string();
            assert!(refused.contains(&format!("{variable}={text}")) && refused.contains(expected), "{refused}");
        };
        check("APOS__EVENT_MONITOR__BATCH_SIZE", "0", "1 to 10000");
        check("APOS__EVENT_MONITOR__BATCH_SIZE", "many", "expected a whole number");
        check("APOS__LOG", "sqlite", "expected a table of keys");
        check("APOS__ROUTING__EXPLORATION", "much", "expected a number");
    }

    #[test]
    fn a_variable_that_sets_no_key_is_named_without_its_text() {
        let check = |variable: &str, expected: &str| {
            let refused = with(&[(variable, "hunter2")]).unwrap_err().to_string();
            assert!(refused.contains(variable) && refused.contains(expected) && !refused.contains("hunter2"), "{refused}");
        };
        check("APOS__PEER_SECRET", "did you mean APOS_PEER_SECRET?");
        check("APOS__API_KEY__ADMIN", "did you mean APOS_API_KEY__ADMIN?");
        check("APOS__WEBHOOK_KEY__pro_1", "did you mean APOS_WEBHOOK_KEY__pro_1?");
        check("APOS__HYPERSWITCH_KEY", "did you mean APOS_HYPERSWITCH_KEY?");
        check("APOS__HYPERSWITCH__API_KEY", "did you mean APOS_HYPERSWITCH_KEY?");
        check("APOS__LOG__KIND__PASSWORD", "config/apos.toml");
        check("APOS__ROUTING__EXPLORATOIN", "did you mean APOS__ROUTING__EXPLORATION?");
        check("APOS__", "config/apos.toml");
    }

    #[test]
    fn a_bad_flag_is_named_with_its_text() {
        let flag = Override { flag: "--theme", key: ["dashboard", "theme"], text: "no such".to_owned() };
        let refused = load(None, &Environment::default(), &[flag]).unwrap_err().to_string();
        assert!(refused.starts_with("--theme no such is refused: "), "{refused}");
    }

    #[test]
    fn a_variable_is_not_lost_among_siblings() {
        let config = with(&[("APOS__SCALING__MIN_INSTANCES", "3"), ("APOS__SCALING__MAX_INSTANCES", "4")]).unwrap();
        assert_eq!((config.scaling.min_instances, config.scaling.max_instances), (3, 4));
        let refused = with(&[("APOS__SCALING__MIN_INSTANCES", "30")]).unwrap_err().to_string();
        let told = ["scaling.min_instances = 30 (APOS__SCALING__MIN_INSTANCES)", "scaling.max_instances = 10 (the default)"];
        assert!(told.iter().all(|line| refused.contains(line)), "{refused}");
    }

    #[test]
    fn a_password_in_a_variable_is_not_repeated() {
        for text in ["redis://:hunter2@db", "[\"redis://:hunter2@db\"]"] {
            let refused = with(&[("APOS__LOG__REDIS_URL", text)]).unwrap_err().to_string();
            assert!(refused.contains("APOS__LOG__REDIS_URL") && !refused.contains("hunter2"), "{refused}");
        }
    }
}
