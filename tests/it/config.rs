//! The configuration as a user meets it: the documented file, its line numbers, the layers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test helpers fail by panicking")]

use std::path::PathBuf;

use apos::config::{Config, ConfigError, Environment, Override, load};

const DOCUMENTED: &str = include_str!("../../config/apos.toml");

/// Loads a file with this text, no variables and no flags.
fn load_text(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apos.toml");
    std::fs::write(&path, text).unwrap();
    load(Some(&path), &Environment::default(), &[]).map(|loaded| loaded.config)
}

/// Every key of a table by its dotted path.
fn keys(prefix: &str, value: &toml::Value, into: &mut Vec<String>) {
    match value.as_table() {
        Some(table) => table.iter().for_each(|(key, inner)| keys(&format!("{prefix}.{key}"), inner, into)),
        None => into.push(prefix.to_owned()),
    }
}

#[test]
fn the_documented_file_is_the_default() {
    assert_eq!(load_text(DOCUMENTED).unwrap(), Config::default());
}

#[test]
fn the_documented_file_has_every_key_with_a_comment() {
    let (mut expected, mut documented) = (Vec::new(), Vec::new());
    keys("", &toml::Value::try_from(Config::default()).unwrap(), &mut expected);
    keys("", &toml::from_str::<toml::Value>(DOCUMENTED).unwrap(), &mut documented);
    expected.sort();
    documented.sort();
    assert_eq!(documented, expected);
    for block in DOCUMENTED.split("\n\n").filter(|block| block.lines().any(|line| line.contains(" = "))) {
        assert!(block.lines().any(|line| line.starts_with('#')), "no comment in:\n{block}");
    }
}

#[test]
fn a_bad_file_is_refused_with_file_line_and_column() {
    let check = |text: &str, place: &str, expected: &str| {
        let refused = load_text(text).unwrap_err().to_string();
        assert!(refused.contains("apos.toml, ") && refused.contains(place) && refused.contains(expected), "{refused}");
    };
    check("seed = 1\n\n[routing]\nexploratoin = 1.0\n", "line 4, column 1", "unknown field `exploratoin`, expected one of");
    check("[event_monitor]\nbatch_size = 0\n", "line 2, column 14", "allowed are 1 to 10000");
    check("[event_monitor]\nbatch_size = \"ä\" \n", "line 2, column 14", "expected a whole number");
    check("[apii]\nlisten = 1\n", "line 1", "unknown field `apii`");
    check("[log]\nkind = \n", "line 2", "");
}

#[test]
fn a_contradiction_is_told_with_file_line_and_value() {
    let check = |text: &str, told: [&str; 2]| {
        let refused = load_text(text).unwrap_err().to_string();
        assert!(told.iter().all(|part| refused.contains(part)), "{refused}");
    };
    check(
        "[scaling]\nqueue_up = 50\nmin_instances = 30\n",
        ["scaling.min_instances = 30 (/", "apos.toml, line 3)\n  scaling.max_instances = 10 (the default)"],
    );
    check("[money]\n\n[money.per_reference]\nUSD = 1.08\n", ["EUR = 1.0", "apos.toml, line 3)"]);
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    let refused = load_text("[log]\nredis_url = \"redis://:hunter2@db/0\"\n").unwrap_err().to_string();
    assert!(refused.contains("line 2") && refused.contains("redis_password_env"), "{refused}");
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[test]
fn a_line_is_repeated_only_where_it_holds_a_bad_value_of_a_known_key() {
    let check = |text: &str, shown: bool| {
        let refused = load_text(text).unwrap_err().to_string();
        assert!(refused.contains(if shown { "hunter2" } else { "(not shown)" }), "{refused}");
        assert_eq!(refused.contains("hunter2"), shown, "{refused}");
    };
    check("[log]\nkind = \"hunter2\"\n", true);
    check("[hyperswitch]\napi_key = \"hunter2\"\n", false);
    check("hyperswitch = { api_key = \"hunter2\" }\n", false);
    check("[hyperswitch]\napi_key = hunter2\n", false);
    check("peer_secret = \"hunter2\"\n", false);
    check("[log]\nredis_url = [\"redis://:hunter2@db\"]\n", false);
    check("log = { kind = 1, redis_url = \"redis://:hunter2@db\" }\n", false);
}

#[test]
fn later_layers_win() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apos.toml");
    std::fs::write(&path, "[dashboard]\ntheme = \"file\"\nescape_ms = 70\n[telemetry]\nmax_files = 2\n").unwrap();
    let environment = Environment::from_pairs([("APOS__DASHBOARD__THEME", "variable"), ("APOS__TELEMETRY__LEVEL", "warn")]);
    let flag = Override { flag: "--log-level", key: ["telemetry", "level"], text: "trace".to_owned() };
    let loaded = load(Some(&path), &environment, &[flag]).unwrap();
    let config = loaded.config;
    assert_eq!((config.dashboard.theme.as_str(), config.dashboard.escape_ms), ("variable", 70));
    assert_eq!((config.telemetry.level.as_str(), config.telemetry.max_files), ("trace", 2));
    assert_eq!(config.telemetry.max_file_bytes, Config::default().telemetry.max_file_bytes);
    assert_eq!(loaded.variables, ["APOS__DASHBOARD__THEME", "APOS__TELEMETRY__LEVEL"]);
}

#[test]
fn a_missing_file_says_which() {
    let path = PathBuf::from("/nonexistent/apos.toml");
    let refused = load(Some(&path), &Environment::default(), &[]).unwrap_err();
    assert!(refused.to_string().contains("/nonexistent/apos.toml"), "{refused}");
}
