//! Where files lie: the XDG base directories, for this program.
//!
//! Written out instead of taken from a crate: it is one rule (an absolute path in the variable, else a folder under
//! `$HOME`), and on macOS too users of terminal programs expect the same folders.

use std::path::{Path, PathBuf};

use super::Environment;

/// The configuration every user of the machine shares.
pub const SYSTEM_CONFIG: &str = "/etc/apos/apos.toml";

/// Holds `log.db` and `tables.db`: `$XDG_DATA_HOME/apos`. None without a home.
#[must_use]
pub fn data_dir(environment: &Environment) -> Option<PathBuf> {
    base(environment, "XDG_DATA_HOME", ".local/share")
}

/// Holds the logs of the program itself: `$XDG_STATE_HOME/apos`. None without a home.
#[must_use]
pub fn state_dir(environment: &Environment) -> Option<PathBuf> {
    base(environment, "XDG_STATE_HOME", ".local/state")
}

/// The user's configuration: `$XDG_CONFIG_HOME/apos/apos.toml`. None without a home.
#[must_use]
pub fn user_config(environment: &Environment) -> Option<PathBuf> {
    base(environment, "XDG_CONFIG_HOME", ".config").map(|folder| folder.join("apos.toml"))
}

/// The configuration that is read when no flag names one: the user's, else the system's, else none.
#[must_use]
pub fn found_config(environment: &Environment) -> Option<PathBuf> {
    user_config(environment).into_iter().chain([PathBuf::from(SYSTEM_CONFIG)]).find(|path| path.exists())
}

/// The standard says that a relative path in a variable is to be ignored.
fn base(environment: &Environment, variable: &str, under_home: &str) -> Option<PathBuf> {
    let absolute = |name| environment.get(name).map(Path::new).filter(|path| path.is_absolute());
    let base = absolute(variable).map(Path::to_path_buf).or_else(|| absolute("HOME").map(|home| home.join(under_home)))?;
    Some(base.join("apos"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_first_unless_they_are_relative() {
        let check = |pairs: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(data_dir(&Environment::from_pairs(pairs.iter().copied())), expected.map(PathBuf::from));
        };
        check(&[("HOME", "/home/a"), ("XDG_DATA_HOME", "/data")], Some("/data/apos"));
        check(&[("HOME", "/home/a"), ("XDG_DATA_HOME", "data")], Some("/home/a/.local/share/apos"));
        check(&[("HOME", "/home/a")], Some("/home/a/.local/share/apos"));
        check(&[], None);
    }
}
