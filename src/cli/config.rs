//! `apos config print|check`.

use anyhow::Context;

use super::{ConfigCommand, Ended, Failure, Flags, Setup, output};
use crate::config::Environment;

pub(super) fn run(command: ConfigCommand, flags: &Flags, environment: &Environment) -> Result<Ended, Failure> {
    let setup = Setup::read(flags, environment)?;
    match command {
        ConfigCommand::Print => {
            let text = toml::to_string(&setup.loaded.config).context("the configuration cannot be written as TOML")?;
            output::data(text.as_bytes())?;
        }
        ConfigCommand::Check => {
            setup.check_live()?;
            output::talk(&sources(&setup));
        }
    }
    Ok(Ended::Fine)
}

/// Where the configuration came from, and which secrets there are, by name.
fn sources(setup: &Setup) -> String {
    let file = setup.loaded.file.as_ref().map_or("no file".to_owned(), |file| file.display().to_string());
    let roles: Vec<&str> = setup.secrets.api_keys.keys().map(|role| role.as_str()).collect();
    let profiles: Vec<&str> = setup.secrets.webhook_keys.keys().map(AsRef::as_ref).collect();
    format!(
        "The configuration is fine: {file}; variables: {}.\nAPI keys: {}. Webhook keys: {}.",
        listed(&setup.loaded.variables),
        listed(&roles),
        listed(&profiles)
    )
}

fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
