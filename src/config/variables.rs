//! Variables of the environment that look like ours and are none.
//!
//! A secret or a key under a misspelt name would be missing in silence, and found out in an incident.

use super::layers::VARIABLE;
use super::{Config, ConfigError, Environment};
use crate::domain::variables::{API_KEY, HYPERSWITCH_KEY, HYPERSWITCH_KEY_OF, PEER_OPEN, PEER_SECRET, WEBHOOK_KEY};

/// What every variable of ours begins with.
const OURS: &str = "APOS_";

/// Refuses a variable with a name that begins like ours and is none of them.
///
/// # Errors
/// [`ConfigError::Unknown`] with the nearest name there is.
pub fn check_names(environment: &Environment, config: &Config) -> Result<(), ConfigError> {
    let passwords = [&config.log.redis_password_env, &config.stream.redis_password_env, &config.tables.postgres_password_env];
    let known = |name: &str| {
        [VARIABLE, API_KEY, WEBHOOK_KEY, HYPERSWITCH_KEY_OF].iter().any(|prefix| name.starts_with(prefix))
            || [PEER_SECRET, PEER_OPEN, HYPERSWITCH_KEY, "APOS_REDIS_PASSWORD", "APOS_POSTGRES_PASSWORD"].contains(&name)
            || passwords.iter().any(|password| *password == name)
    };
    let unknown = environment.starting_with(OURS).find(|(name, rest, _)| !known(name) && !is_service_link(rest));
    match unknown {
        Some((name, ..)) => Err(ConfigError::Unknown { variable: name.to_owned(), remedy: remedy(name) }),
        None => Ok(()),
    }
}

/// Kubernetes tells every container of the services beside it: a service named `apos` makes `APOS_SERVICE_HOST`,
/// `APOS_PORT` and `APOS_PORT_8080_TCP_ADDR`. Nobody set those.
fn is_service_link(rest: &str) -> bool {
    let rest = format!("_{rest}");
    ["_SERVICE_HOST", "_PORT"].iter().any(|end| rest.ends_with(end))
        || ["_SERVICE_PORT", "_PORT_"].iter().any(|part| rest.contains(part))
}

/// What may have been meant by a name that is not known.
pub(super) fn remedy(name: &str) -> String {
    let nearest = names(name).into_iter().map(|known| (strsim::damerau_levenshtein(&known, name), known)).min();
    match nearest {
        // Further away it is another word, not a slip of the finger.
        Some((distance, known)) if distance * 3 <= name.len() => format!("did you mean {known}?"),
        _ => "unset it; the names there are stand in config/apos.toml".to_owned(),
    }
}

/// Every name there is. Those that end with a profile's id end as the misspelt one does.
fn names(misspelt: &str) -> Vec<String> {
    let mut names = vec![PEER_SECRET.to_owned(), PEER_OPEN.to_owned(), HYPERSWITCH_KEY.to_owned()];
    names.extend(["APOS_REDIS_PASSWORD", "APOS_POSTGRES_PASSWORD"].map(str::to_owned));
    names.extend(["VIEWER", "OPERATOR", "ADMIN"].map(|role| format!("{API_KEY}{role}")));
    let profile = misspelt.rsplit_once("KEY").map_or("", |(_, profile)| profile.trim_start_matches('_'));
    names.extend([WEBHOOK_KEY, HYPERSWITCH_KEY_OF].map(|prefix| format!("{prefix}{profile}")));
    // The defaults are plain data: they always have a TOML form.
    let sections = toml::Table::try_from(Config::default()).unwrap_or_default();
    for (section, keys) in sections {
        let section = format!("{VARIABLE}{}", section.to_uppercase());
        match keys.as_table() {
            Some(keys) => names.extend(keys.keys().map(|key| format!("{section}__{}", key.to_uppercase()))),
            None => names.push(section),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> Option<String> {
        let environment = Environment::from_pairs([(name, "hunter2")]);
        check_names(&environment, &Config::default()).err().map(|error| error.to_string())
    }

    #[test]
    fn a_slip_of_the_finger_is_refused_and_the_name_meant_is_told() {
        let check = |name, meant: &str| {
            let told = refused(name).unwrap();
            assert!(told.contains(name) && told.contains(meant) && !told.contains("hunter2"), "{told}");
        };
        check("APOS_API_KEY_OPERATOR", "did you mean APOS_API_KEY__OPERATOR?");
        check("APOS_PEER_SECERT", "did you mean APOS_PEER_SECRET?");
        check("APOS_LOG__KIND", "did you mean APOS__LOG__KIND?");
        check("APOS_LOG_KIND", "did you mean APOS__LOG__KIND?");
        check("APOS_WEBHOOK_KEY_pro_Ab1", "did you mean APOS_WEBHOOK_KEY__pro_Ab1?");
        check("APOS_HYPERSWICH_KEY", "did you mean APOS_HYPERSWITCH_KEY?");
        check("APOS_HYPERSWITCH_KEY_pro_Ab1", "did you mean APOS_HYPERSWITCH_KEY__pro_Ab1?");
        check("APOS_FAVOURITE_COLOUR", "config/apos.toml");
    }

    #[test]
    fn names_of_ours_and_of_nobody_are_let_be() {
        for name in [
            "APOS_PEER_SECRET",
            "APOS_API_KEY__ADMIN",
            "APOS_WEBHOOK_KEY__pro_1",
            "APOS_HYPERSWITCH_KEY",
            "APOS_HYPERSWITCH_KEY__pro_1",
            "APOS__LOG__KIND",
            "APOS_REDIS_PASSWORD",
            "APOS_SERVICE_HOST",
            "APOS_PORT",
            "APOS_API_PORT_8080_TCP_ADDR",
            "APOS_API_SERVICE_PORT_HTTP",
            "APOSTROPHE",
        ] {
            assert_eq!(refused(name), None, "{name}");
        }
        let config: Config = toml::from_str("[log]\nredis_password_env = \"APOS_MINE\"\n").unwrap();
        assert!(check_names(&Environment::from_pairs([("APOS_MINE", "x")]), &config).is_ok());
    }
}
