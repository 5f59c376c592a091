//! `apos config print|check`. What any other command would refuse of a configuration, `check` refuses.

use anyhow::Context;

use super::{ConfigCommand, Ended, Failure, Flags, Setup, output, screen, wiring};
use crate::config::{Environment, Secrets};
use crate::tui::ui::{Mode, Pace};

pub(super) fn run(command: ConfigCommand, flags: &Flags, environment: &Environment) -> Result<Ended, Failure> {
    let setup = Setup::read(flags, environment)?;
    match command {
        ConfigCommand::Print => {
            let text = toml::to_string(&setup.loaded.config).context("the configuration cannot be written as TOML")?;
            output::data(text.as_bytes())?;
        }
        ConfigCommand::Check => {
            setup.check_live()?;
            // A screen would be refused for its theme or its operator's name: better now than at night.
            screen::options(&setup, Mode::Live, Pace { speed: 1.0, paused: false })?;
            output::talk(&sources(&setup));
            wiring::warn_of_open_folder(&setup)?;
        }
    }
    Ok(Ended::Fine)
}

/// Where the configuration came from, and which secrets the environment holds, by name.
fn sources(setup: &Setup) -> String {
    let file = setup.loaded.file.as_ref().map_or("no file".to_owned(), |file| file.display().to_string());
    let roles: Vec<&str> = setup.secrets.api_keys.keys().map(|role| role.as_str()).collect();
    let profiles: Vec<&str> = setup.secrets.webhook_keys.keys().map(AsRef::as_ref).collect();
    format!(
        "The configuration is fine: {file}; set in it by variables: {}.\nSecrets from variables: API keys: {}; webhook keys: {}; \
         Hyperswitch's keys: {}.\nThe switch's calls: {}.",
        listed(&setup.loaded.variables),
        listed(&roles),
        listed(&profiles),
        listed(&hyperswitch_keys(&setup.secrets)),
        peer_access(&setup.secrets)
    )
}

/// Whose payments Hyperswitch can be asked for.
fn hyperswitch_keys(secrets: &Secrets) -> Vec<&str> {
    let shared = secrets.hyperswitch_key.is_some().then_some("all profiles");
    shared.into_iter().chain(secrets.hyperswitch_keys.keys().map(AsRef::as_ref)).collect()
}

/// Who may make the switch's calls.
fn peer_access(secrets: &Secrets) -> &'static str {
    match (secrets.peer_open, &secrets.peer_secret) {
        (true, _) => "open to whoever reaches the listener (APOS_PEER_OPEN=1)",
        (false, Some(_)) => "with the secret in APOS_PEER_SECRET, or an operator's key",
        (false, None) => "with an operator's key only; set APOS_PEER_SECRET to the switch's admin_secret",
    }
}

fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
