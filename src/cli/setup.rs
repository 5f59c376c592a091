//! What every command begins with: the configuration, the secrets, the folders.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adapters::decline::DeclineTables;
use crate::config::{Ascii, Config, Environment, Loaded, Override, Secrets, check_names, load, paths};
use crate::domain::variables::{API_KEY, HYPERSWITCH_KEY, HYPERSWITCH_KEY_OF, WEBHOOK_KEY};
use crate::domain::{Role, wording};
use crate::telemetry;

use anyhow::Context;

use super::{Failure, Flags, Output, output};

/// What was read of this process's surroundings before anything starts.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The configuration and where it came from.
    pub loaded: Loaded,
    /// Secrets from the environment.
    pub secrets: Secrets,
    /// The environment.
    pub environment: Environment,
    /// The flags.
    pub flags: Flags,
}

impl Setup {
    /// Reads them.
    ///
    /// # Errors
    /// Usage: the first thing in file, environment or flags that is refused.
    pub fn read(flags: &Flags, environment: &Environment) -> Result<Self, Failure> {
        let file = flags.config.clone().or_else(|| paths::found_config(environment));
        let loaded = load(file.as_deref(), environment, &overrides(flags)?)?;
        let secrets = Secrets::read(environment)?;
        check_names(environment, &loaded.config)?;
        Ok(Self { loaded, secrets, environment: environment.clone(), flags: flags.clone() })
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// What decline codes mean: the built-in tables, under the operator's where a file is named.
    ///
    /// # Errors
    /// Usage: the file cannot be read, or what in it is refused, with its line.
    pub fn declines(&self) -> Result<Arc<DeclineTables>, Failure> {
        let file = &self.config().declines.file;
        if file.as_os_str().is_empty() {
            return Ok(Arc::new(DeclineTables::built_in().context("the built-in decline tables")?));
        }
        let named = format!("the decline tables {} (declines.file)", file.display());
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("{named} cannot be read: {error}; name another file, or none")))?;
        DeclineTables::overridden_by(&text).map(Arc::new).map_err(|refusal| Failure::usage(format!("{named}, {refusal}")))
    }

    /// What must hold before a live engine starts: every listed profile has a key, an address that others can reach needs
    /// an API key, and the decline tables can be read.
    ///
    /// # Errors
    /// Usage: which, and the remedy.
    pub fn check_live(&self) -> Result<(), Failure> {
        let config = self.config();
        if let Some(profile) = config.webhooks.profiles.iter().find(|id| !self.secrets.webhook_keys.contains_key(*id)) {
            return Err(Failure::usage(format!(
                "webhooks.profiles lists {profile}, but the environment has no {WEBHOOK_KEY}{profile}: set it to the \
                 profile's payment_response_hash_key"
            )));
        }
        let listen = config.api.listen;
        if !listen.ip().is_loopback() && self.secrets.api_keys.is_empty() {
            return Err(Failure::usage(format!(
                "api.listen is {listen} ({}), which other machines can reach, but there is no API key: set \
                 {API_KEY}ADMIN (openssl rand -hex 32) or listen on 127.0.0.1",
                self.loaded.listen_set_by
            )));
        }
        let secrets = &self.secrets;
        if config.hyperswitch.is_on() && secrets.hyperswitch_key.is_none() && secrets.hyperswitch_keys.is_empty() {
            return Err(Failure::usage(format!(
                "hyperswitch.base_url is set, but the environment has no {HYPERSWITCH_KEY} (or {HYPERSWITCH_KEY_OF}<PROFILE>): \
                 set it to the merchant's api-key"
            )));
        }
        self.declines().map(drop)
    }

    /// The folder of `log.db` and `tables.db`; not made here.
    ///
    /// # Errors
    /// Usage: there is no home folder and none is named.
    pub fn data_dir(&self) -> Result<PathBuf, Failure> {
        let named = Some(&self.config().data.dir).filter(|dir| !dir.as_os_str().is_empty()).cloned();
        named
            .or_else(|| paths::data_dir(&self.environment))
            .ok_or_else(|| Failure::usage("there is no home folder: name one for the data with --data-dir"))
    }

    /// What this screen may do: the configuration's role, lowered by the flag.
    #[must_use]
    pub fn role(&self) -> Role {
        let configured = self.config().dashboard.role;
        self.flags.role.map_or(configured, |flag| configured.min(flag.into()))
    }

    /// Whether to draw with ASCII alone.
    #[must_use]
    pub fn ascii(&self) -> bool {
        match self.config().dashboard.ascii {
            Ascii::Always => true,
            Ascii::Never => false,
            Ascii::Auto => !is_utf8_locale(&self.environment),
        }
    }

    /// Whether to draw without colour.
    #[must_use]
    pub fn no_color(&self) -> bool {
        self.flags.no_color || self.environment.get("NO_COLOR").is_some()
    }

    /// What to show: the flag's wish, else a screen where both ends are a terminal.
    #[must_use]
    pub fn output(&self) -> Output {
        let terminal = || std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        self.flags.output.unwrap_or_else(|| if terminal() { Output::Tui } else { Output::Plain })
    }

    /// Starts the log files. If they cannot be written, says so on standard error and goes on without.
    #[must_use = "dropping the guard ends the logs"]
    pub fn start_logs(&self) -> Option<telemetry::Guard> {
        let Some(folder) = paths::state_dir(&self.environment) else {
            output::talk("apos: there is no home folder, so no logs are written (set XDG_STATE_HOME)");
            return None;
        };
        match telemetry::start(&self.config().telemetry, &folder) {
            Ok(guard) => Some(guard),
            Err(error) => {
                output::talk(&format!("apos: no logs are written: {}", wording::chain(&error)));
                None
            }
        }
    }
}

/// POSIX: `LC_ALL`, else `LC_CTYPE`, else `LANG` decides. None of them set is the C locale, which is ASCII.
fn is_utf8_locale(environment: &Environment) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| environment.get(name)).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The flags that set a key of the configuration.
fn overrides(flags: &Flags) -> Result<Vec<Override>, Failure> {
    let mut overrides = Vec::new();
    if let Some(folder) = &flags.data_dir {
        let text = utf8(folder, "--data-dir")?;
        overrides.push(Override { flag: "--data-dir", key: ["data", "dir"], text });
    }
    if let Some(level) = flags.log_level {
        let text = level.as_str().to_owned();
        overrides.push(Override { flag: "--log-level", key: ["telemetry", "level"], text });
    }
    if let Some(theme) = &flags.theme {
        overrides.push(Override { flag: "--theme", key: ["dashboard", "theme"], text: theme.clone() });
    }
    if flags.ascii {
        overrides.push(Override { flag: "--ascii", key: ["dashboard", "ascii"], text: "always".to_owned() });
    }
    Ok(overrides)
}

fn utf8(path: &Path, flag: &str) -> Result<String, Failure> {
    let text = path.to_str().ok_or_else(|| Failure::usage(format!("{flag} {} is not UTF-8", path.display())))?;
    Ok(text.to_owned())
}

/// What is set up on this machine, as far as `apos` without a command must know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Each thing that is set up, in words.
    pub found: Vec<String>,
}

impl Surroundings {
    /// Looks for a data folder, a configuration, and variables of this program.
    #[must_use]
    pub fn look(flags: &Flags, environment: &Environment) -> Self {
        let mut found = Vec::new();
        let configs =
            flags.config.clone().into_iter().chain(paths::user_config(environment)).chain([paths::SYSTEM_CONFIG.into()]);
        found.extend(configs.filter(|path| path.exists()).map(|path| format!("the configuration {}", path.display())));
        let data = flags.data_dir.clone().or_else(|| paths::data_dir(environment));
        found.extend(data.filter(|path| path.exists()).map(|path| format!("the data folder {}", path.display())));
        found.extend(environment.starting_with("APOS_").map(|(name, _, _)| format!("the environment variable {name}")));
        Self { found }
    }

    /// Why `apos` without a command refuses, if it does: it must never show a simulation to somebody who meant the
    /// real thing, nor start the real thing by accident.
    ///
    /// # Errors
    /// Usage: what was found, and how to start either.
    pub fn allow_demo(&self) -> Result<(), Failure> {
        let Some(first) = self.found.first() else { return Ok(()) };
        let more = if self.found.len() > 1 { format!(" (and {} more)", self.found.len() - 1) } else { String::new() };
        Err(Failure::usage(format!(
            "something is set up here: {first}{more}. Say what to start:\n  apos run    the live dashboard and engine\n  apos \
             demo   a simulated world; nothing real is touched"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::RoleName;

    fn setup(flags: &Flags, pairs: &[(&str, &str)]) -> Result<Setup, Failure> {
        Setup::read(flags, &Environment::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn a_role_is_only_lowered() {
        let role = |configured, flag| {
            setup(&Flags { role: flag, ..Flags::default() }, &[("APOS__DASHBOARD__ROLE", configured)]).unwrap().role()
        };
        assert_eq!(role("operator", Some(RoleName::Admin)), Role::Operator);
        assert_eq!(role("operator", Some(RoleName::Viewer)), Role::Viewer);
        assert_eq!(role("admin", None), Role::Admin);
    }

    #[test]
    fn ascii_follows_the_locale_unless_told() {
        let ascii = |flags: Flags, pairs: &[(&str, &str)]| setup(&flags, pairs).unwrap().ascii();
        assert!(!ascii(Flags::default(), &[("LANG", "de_DE.UTF-8")]));
        assert!(ascii(Flags::default(), &[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]));
        assert!(ascii(Flags::default(), &[]));
        assert!(ascii(Flags { ascii: true, ..Flags::default() }, &[("LANG", "C.UTF-8")]));
    }

    #[test]
    fn a_listed_profile_needs_its_key() {
        let pairs = [("APOS__WEBHOOKS__PROFILES", "[\"pro_1\"]"), ("APOS_WEBHOOK_KEY__pro_1", "k")];
        assert!(setup(&Flags::default(), &pairs).unwrap().check_live().is_ok());
        let refused = setup(&Flags::default(), &pairs[..1]).unwrap().check_live().unwrap_err();
        assert!(refused.to_string().contains("APOS_WEBHOOK_KEY__pro_1"), "{refused}");
    }

    #[test]
    fn a_switch_that_is_asked_needs_a_key() {
        let pairs = [("APOS__HYPERSWITCH__BASE_URL", "http://127.0.0.1:8080"), ("APOS_HYPERSWITCH_KEY__pro_1", "k")];
        assert!(setup(&Flags::default(), &pairs).unwrap().check_live().is_ok());
        let refused = setup(&Flags::default(), &pairs[..1]).unwrap().check_live().unwrap_err();
        assert!(refused.to_string().contains("APOS_HYPERSWITCH_KEY"), "{refused}");
    }

    #[test]
    fn an_address_others_can_reach_needs_a_key() {
        let key = "k".repeat(32);
        let pairs = [("APOS__API__LISTEN", "0.0.0.0:8080"), ("APOS_API_KEY__ADMIN", key.as_str())];
        assert!(setup(&Flags::default(), &pairs).unwrap().check_live().is_ok());
        let refused = setup(&Flags::default(), &pairs[..1]).unwrap().check_live().unwrap_err();
        assert!(refused.to_string().contains("APOS_API_KEY__ADMIN"), "{refused}");
    }

    #[test]
    fn decline_tables_of_ones_own_are_read_at_start_or_refused_with_their_line() {
        use crate::adapters::decline::{Codes, Decliner};
        use crate::domain::DeclineClass;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            setup(&Flags::default(), &[("APOS__DECLINES__FILE", file.to_str().unwrap())]).unwrap()
        };
        let table = |class: &str| {
            format!(
                "[[table]]\nvocabulary = \"connector\"\nconnectors = [\"acme\"]\ndated = 2026-11-22\nsource = \"us\"\n{class}\n"
            )
        };
        let tables = read(&table("user = [\"E7\"]")).declines().unwrap();
        let codes = Codes { connector: Some("E7"), ..Codes::default() };
        let acme = Decliner { connector: Some("acme"), ..Decliner::default() };
        assert_eq!(tables.decline(&codes, &acme).class, DeclineClass::User);

        let refused = read(&table("customer = [\"E7\"]")).check_live().unwrap_err().to_string();
        for told in ["mine.toml", "line 6", "`customer`", "`user`"] {
            assert!(refused.contains(told), "{told}: {refused}");
        }
        let missing = setup(&Flags::default(), &[("APOS__DECLINES__FILE", "/nowhere/mine.toml")]).unwrap();
        assert!(missing.check_live().unwrap_err().to_string().contains("/nowhere/mine.toml"));
    }

    #[test]
    fn the_demo_starts_by_itself_only_where_nothing_is_set_up() {
        let home = tempfile::tempdir().unwrap();
        let home_path = home.path().to_str().unwrap();
        let look =
            |pairs: &[(&str, &str)]| Surroundings::look(&Flags::default(), &Environment::from_pairs(pairs.iter().copied()));
        assert!(look(&[("HOME", home_path)]).allow_demo().is_ok());
        let refused = look(&[("HOME", home_path), ("APOS__SEED", "1")]).allow_demo().unwrap_err().to_string();
        assert!(refused.contains("APOS__SEED") && refused.contains("apos run") && refused.contains("apos demo"), "{refused}");
        std::fs::create_dir_all(home.path().join(".local/share/apos")).unwrap();
        assert!(look(&[("HOME", home_path)]).allow_demo().unwrap_err().to_string().contains("data folder"));
    }
}
