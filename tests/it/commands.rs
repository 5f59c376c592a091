//! The command line from outside: exit codes, what goes to which stream, when the demo may start by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test helpers fail by panicking")]

use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a run of the binary left.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A home folder of its own, so that nothing of this machine's user is seen or touched.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apos"));
        command.args(arguments).env_clear().env("HOME", self.0.path()).env("LANG", "C.UTF-8").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let output = self.command(arguments).envs(variables.iter().copied()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_so_on_standard_error() {
    let home = Home::new();
    for arguments in [&["--no-such-flag"][..], &["no-such-command"], &["config"], &["--role", "root"], &["man", "nothing"]] {
        let ran = home.run(arguments, &[]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.is_empty());
    }
}

#[test]
fn help_and_version_are_data() {
    let home = Home::new();
    let help = home.run(&["--help"], &[]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    for word in ["config", "completions", "--role", "--output", "130 interrupted"] {
        assert!(help.out.contains(word), "{word}: {}", help.out);
    }
    assert_eq!(home.run(&["--version"], &[]).out, format!("apos {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_manual_pages_come_from_the_same_definition() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell], &[]);
        assert!(script.code == Some(0) && script.out.contains("data-dir"), "{shell}");
    }
    let page = home.run(&["man"], &[]);
    assert!(page.out.contains(".TH apos") && page.out.contains("configuration"), "{}", page.out);
    assert!(home.run(&["man", "config"], &[]).out.contains("apos-config"));
}

#[test]
fn the_printed_configuration_reads_back_the_same() {
    let home = Home::new();
    let first = home.run(&["config", "print"], &[("APOS__ROUTING__EXPLORATION", "0.25")]);
    assert_eq!((first.code, first.err.as_str()), (Some(0), ""));
    assert!(first.out.contains("exploration = 0.25"));
    let file = home.write("printed.toml", &first.out);
    assert_eq!(home.run(&["config", "print", "--config", &file], &[]).out, first.out);
}

#[test]
fn a_bad_configuration_ends_with_2_and_names_the_line() {
    let home = Home::new();
    let file = home.write("bad.toml", "[healing]\nexpiry_s = 1\n");
    let ran = home.run(&["config", "check", "--config", &file], &[]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("bad.toml, line 2, column 12") && ran.err.contains("10 to 86400"), "{}", ran.err);
    let ran = home.run(&["config", "check"], &[("APOS__HEALING__EXPIRY_S", "soon")]);
    assert!(ran.code == Some(2) && ran.err.contains("APOS__HEALING__EXPIRY_S=soon"), "{}", ran.err);
}

#[test]
fn the_users_configuration_is_found_and_flags_win() {
    let home = Home::new();
    home.write(".config/apos/apos.toml", "[telemetry]\nlevel = \"warn\"\n[dashboard]\ntheme = \"mine\"\n");
    let ran = home.run(&["config", "print", "--log-level", "debug"], &[]);
    assert!(ran.out.contains("level = \"debug\"") && ran.out.contains("theme = \"mine\""), "{}", ran.out);
    let checked = home.run(&["config", "check"], &[]);
    assert!(
        checked.code == Some(0) && checked.out.is_empty() && checked.err.contains(".config/apos/apos.toml"),
        "{}",
        checked.err
    );
}

#[test]
fn no_secret_is_printed() {
    let home = Home::new();
    let secrets = [
        ("APOS_API_KEY__ADMIN", "0123456789abcdef0123456789abcdef"),
        ("APOS_WEBHOOK_KEY__pro_1", "swordfish"),
        ("APOS_REDIS_PASSWORD", "hunter2"),
    ];
    for arguments in [["config", "print"], ["config", "check"]] {
        let ran = home.run(&arguments, &secrets);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        for (_, secret) in secrets {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{secret}");
        }
    }
    assert!(home.run(&["config", "check"], &secrets).err.contains("pro_1"));
}

#[test]
fn nothing_starts_by_itself_where_something_is_set_up() {
    let refused = |home: &Home, arguments: &[&str], variables: &[(&str, &str)], what: &str| {
        let ran = home.run(arguments, variables);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{what}: {}", ran.err);
        for words in [what, "apos run", "apos demo"] {
            assert!(ran.err.contains(words), "{words}: {}", ran.err);
        }
    };
    refused(&Home::new(), &[], &[("APOS__API__LISTEN", "127.0.0.1:9000")], "APOS__API__LISTEN");
    let home = Home::new();
    home.write(".config/apos/apos.toml", "");
    refused(&home, &[], &[], "apos.toml");
    let home = Home::new();
    home.write(".local/share/apos/log.db", "");
    refused(&home, &[], &[], ".local/share/apos");
    let home = Home::new();
    home.write("elsewhere/log.db", "");
    let elsewhere = home.0.path().join("elsewhere");
    refused(&home, &["--data-dir", elsewhere.to_str().unwrap()], &[], "elsewhere");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let mut child = home.command(&["config", "print"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
