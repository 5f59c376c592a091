//! The command line from outside: exit codes, what goes to which stream, when the demo may start by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test helpers fail by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::binary::Ran;

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
        self.command(arguments).envs(variables.iter().copied()).output().unwrap().into()
    }

    /// Starts a command and waits for the first line on one of its streams.
    fn start(&self, arguments: &[&str], variables: &[(&str, &str)], stream: Stream) -> (Running, String) {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        match stream {
            Stream::Out => BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap(),
            Stream::Err => BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap(),
        };
        (Running(child), line)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// Where the first line is waited for.
#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

/// A process that does not outlive its test.
struct Running(Child);

impl Running {
    /// Sends a signal and tells the exit code. The streams are read on, so that the process never waits for us.
    fn end(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        let mut rest = Vec::new();
        self.0.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_so_on_standard_error() {
    let home = Home::new();
    for arguments in [
        &["--no-such-flag"][..],
        &["no-such-command"],
        &["config"],
        &["--role", "root"],
        &["man", "nothing"],
        &["demo", "--speed", "0"],
    ] {
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
    home.write(".config/apos/apos.toml", "[telemetry]\nlevel = \"warn\"\n[dashboard]\ntheme = \"monochrome\"\n");
    let ran = home.run(&["config", "print", "--log-level", "debug"], &[]);
    assert!(ran.out.contains("level = \"debug\"") && ran.out.contains("theme = \"monochrome\""), "{}", ran.out);
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
fn a_check_tells_keys_set_by_variables_apart_from_secrets() {
    let variables = [
        ("APOS_API_KEY__ADMIN", "0123456789abcdef0123456789abcdef"),
        ("APOS_WEBHOOK_KEY__pro_1", "swordfish"),
        ("APOS_HYPERSWITCH_KEY", "hunter2"),
    ];
    let secrets = "Secrets from variables: API keys: admin; webhook keys: pro_1; Hyperswitch's keys: all profiles.";
    let told = Home::new().run(&["config", "check"], &variables).err;
    assert!(told.contains("set in it by variables: none.") && told.contains(secrets), "{told}");
    let told = Home::new().run(&["config", "check"], &[("APOS__API__WORKERS", "3")]).err;
    assert!(told.contains("set in it by variables: APOS__API__WORKERS.") && told.contains("API keys: none;"), "{told}");
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

#[test]
fn a_simulation_reports_the_same_for_the_same_seed() {
    let home = Home::new();
    let run = |seed: &str, form: &str| {
        home.run(&["simulate", "--scenario", "outage", "--seed", seed, "--until", "40s", "--report", form], &[])
    };
    let (first, second, other) = (run("1", "json"), run("1", "json"), run("2", "json"));
    assert_eq!(first.code, Some(0), "{}", first.err);
    let report = |ran: &Ran| {
        let mut report = serde_json::from_str::<serde_json::Value>(&ran.out).unwrap();
        for timed in ["wall_s", "world_s", "decide_s", "score_s", "apply_s", "ticks_s"] {
            assert!(report[timed].take().as_f64().unwrap() > 0.0, "{timed}");
        }
        report
    };
    assert_eq!(report(&first), report(&second));
    assert_ne!(report(&first)["fingerprint"], report(&other)["fingerprint"]);
    assert!(report(&first)["payments"].as_u64().unwrap() > 1_000, "{}", first.out);
    let text = run("1", "text");
    assert!(text.out.contains(report(&first)["fingerprint"].as_str().unwrap()), "{}", text.out);
}

#[test]
fn a_matrix_has_a_line_for_each_run_and_fails_where_a_scenario_is_not_met() {
    let home = Home::new();
    let matrix = ["simulate", "--scenario", "calm,outage", "--seed", "1..2", "--policy", "priority,oracle"];
    let ran = home.run(&[&matrix[..], &["--until", "30s", "--report", "json"]].concat(), &[]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 8), "{}", ran.err);
    let rate = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["success_rate"].as_f64().unwrap();
    assert!(ran.out.lines().collect::<Vec<_>>().chunks(2).all(|pair| rate(pair[0]) < rate(pair[1])), "{}", ran.out);
    let wanted = "name = \"wanted\"\ndescription = \"Too much is wanted.\"\nduration = \"5s\"\n[[expect]]\nsuccess_rate_at_least = 1.0\n";
    home.write("wanted.toml", wanted);
    let file = home.0.path().join("wanted.toml").display().to_string();
    let ran = home.run(&["simulate", "--scenario", &file, "--alone"], &[]);
    assert!(ran.code == Some(1) && ran.err.contains("a success rate of at least 1; seen: 0.9"), "{}", ran.err);
}

#[test]
fn what_a_run_did_not_come_to_is_told_and_never_counted_as_met() {
    let ran = Home::new().run(&["simulate", "--scenario", "outage", "--seed", "1..2", "--until", "10s", "--alone"], &[]);
    let expected = apos::sim::Scenario::named("outage").unwrap().expectations.len();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    let counted = lines.last().unwrap();
    let (runs, waiting) = counted.split_once("; ").unwrap_or_else(|| panic!("{}", ran.out));
    let waiting: usize = waiting.strip_suffix(" expectations not yet").unwrap().parse().unwrap();
    let met: usize = lines.iter().filter_map(|line| line.split_once(" met")?.0.rsplit(' ').next()?.parse::<usize>().ok()).sum();
    assert_eq!((runs, waiting + met), ("2 of 2 runs as they expect", 2 * expected), "{}", ran.out);
    assert!(waiting >= expected, "{}", ran.out);
}

/// A run that could not fail is not counted among those that did as they expect.
#[test]
fn a_run_without_expectations_has_nothing_to_judge() {
    let home = Home::new();
    home.write("idle.toml", "name = \"idle\"\nduration = \"2s\"\nwarm_up = \"0s\"\n");
    let file = home.0.path().join("idle.toml").display().to_string();
    let ran = home.run(&["simulate", "--scenario", &file, "--seed", "1..2", "--alone"], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.out.lines().last(), Some("0 of 0 runs as they expect; 2 have nothing to judge yet"), "{}", ran.out);
    let none = home.run(&["vopr", "--threads", "0"], &[]);
    assert!(none.code == Some(2) && none.err.contains("--threads must be at least 1"), "{}", none.err);
    let near = home.run(&["simulate", "--scenario", "outrage"], &[]);
    assert!(near.code == Some(2) && near.err.contains("`outrage` (did you mean outage?)"), "{}", near.err);
    let gone = home.run(&["simulate", "--scenario", "gone.toml"], &[]);
    assert!(gone.code == Some(2) && gone.err.contains("gone.toml cannot be read: No such file"), "{}", gone.err);
}

#[test]
fn a_log_is_kept_in_a_folder_that_has_none_yet() {
    let home = Home::new();
    let folder = home.0.path().join("kept").display().to_string();
    let keep =
        || home.run(&["simulate", "--scenario", "calm", "--seed", "1", "--until", "1s", "--alone", "--keep", &folder], &[]);
    assert_eq!(keep().code, Some(0));
    let again = keep();
    assert!(again.code == Some(2) && again.err.contains("log.db is there already: name another folder"), "{}", again.err);
}

#[test]
fn an_unknown_scenario_is_wrong_usage_and_lists_those_there_are() {
    let ran = Home::new().run(&["simulate", "--scenario", "outrage", "--seed", "1"], &[]);
    assert!(ran.code == Some(2) && ran.err.contains("outage") && ran.err.contains("calm"), "{}", ran.err);
}

#[test]
fn without_a_terminal_the_demo_writes_lines_and_signals_end_it_in_order() {
    let home = Home::new();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 0), (Signal::HUP, 0)] {
        let (running, line) = home.start(&["demo", "--speed", "5"], &[], Stream::Out);
        assert!(line.contains("payments/s"), "{line}");
        assert_eq!(running.end(signal), Some(code), "{signal:?}");
    }
    let (running, line) = home.start(&["demo", "--output", "json"], &[], Stream::Out);
    assert!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["header"].is_object(), "{line}");
    assert_eq!(running.end(Signal::TERM), Some(0));
}

#[test]
fn the_demo_says_what_of_a_configuration_a_simulated_world_does_not_use() {
    let home = Home::new();
    let file = home.write("mine.toml", "seed = 3\n[routing]\nexploration = 0.5\n[merchants.pro_1]\nname = \"Mine\"\n");
    let (running, line) = home.start(&["demo", "--config", &file], &[], Stream::Err);
    assert!(line == "apos: not used by a simulated world: seed, merchants\n", "{line}");
    assert_eq!(running.end(Signal::TERM), Some(0));
}

#[test]
fn the_demo_starts_by_itself_and_leaves_nothing_that_looks_set_up() {
    let home = Home::new();
    for _ in 0..2 {
        let (running, line) = home.start(&[], &[], Stream::Out);
        assert!(line.contains("payments/s"), "{line}");
        assert_eq!(running.end(Signal::TERM), Some(0));
    }
    assert!(!home.0.path().join(".local/share/apos").exists());
    let logs = std::fs::read_to_string(home.0.path().join(".local/state/apos/apos.log")).unwrap();
    let line: serde_json::Value = serde_json::from_str(logs.lines().next().unwrap()).unwrap();
    assert_eq!((&line["level"], &line["component"]), (&"INFO".into(), &"demo".into()));
}

#[test]
fn logs_that_cannot_be_written_are_told_and_nothing_else_changes() {
    let home = Home::new();
    home.write(".local/state", "a file where a folder should be");
    let ran = home.run(&["simulate", "--scenario", "calm", "--seed", "1", "--until", "1s"], &[]);
    assert!(ran.code == Some(0) && ran.err.contains("no logs are written"), "{}", ran.err);
}

#[test]
fn a_log_on_a_redis_that_does_not_answer_is_told_with_its_address_and_key() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://127.0.0.1:{}/0", free.local_addr().unwrap().port());
    drop(free);
    let environment = [("APOS__LOG__KIND", "redis"), ("APOS__LOG__REDIS_URL", url.as_str())];
    for command in [&["serve"][..], &["log", "verify"]] {
        let ran = Home::new().run(command, &environment);
        let told = format!("log.redis_url: {url} does not serve as the log: see that Redis runs there");
        assert!(ran.code == Some(1) && ran.err.contains(&told), "{command:?}: {}", ran.err);
    }
}

#[test]
fn serve_answers_until_it_is_stopped_and_comes_back() {
    let home = Home::new();
    for _ in 0..2 {
        let (running, line) = home.start(&["serve"], &[("APOS__API__LISTEN", "127.0.0.1:0")], Stream::Err);
        let address = line.trim().strip_prefix("apos: listening on http://").expect(&line).to_owned();
        assert!(get(&address, "/health").starts_with("HTTP/1.1 200"));
        assert_eq!(running.end(Signal::TERM), Some(0));
    }
    assert!(home.0.path().join(".local/share/apos/log.db").exists());
    let errors: Vec<String> = log_lines(home.0.path()).into_iter().filter(|line| line.contains("\"ERROR\"")).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_demo_nobody_reads_any_more_ends() {
    let home = Home::new();
    let (mut running, line) = home.start(&["demo", "--speed", "100", "--output", "plain"], &[], Stream::Out);
    assert!(line.contains("payments/s"), "{line}");
    drop(running.0.stdout.take());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn serve_goes_on_when_nobody_reads_its_lines() {
    let home = Home::new();
    let listen = [("APOS__API__LISTEN", "127.0.0.1:0")];
    let (mut running, line) = home.start(&["serve", "--output", "json"], &listen, Stream::Err);
    let address = line.trim().strip_prefix("apos: listening on http://").expect(&line).to_owned();
    let mut out = BufReader::new(running.0.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let position = || get(&address, "/status").rsplit("\r\n\r\n").next().unwrap().to_owned();
    let before: serde_json::Value = serde_json::from_str(&position()).unwrap();
    // Whoever asks makes no news: the engine's own ticks do, and each is a line that nobody takes.
    let told = |status: &serde_json::Value| status["runtime"]["log"]["folded"].clone();
    for _ in 0..2_000 {
        let now: serde_json::Value = serde_json::from_str(&position()).unwrap();
        if told(&now) != told(&before) {
            kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
            assert_eq!(running.0.wait().unwrap().code(), Some(0));
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it no longer answers with news: {before}");
}

#[test]
fn the_data_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let folder = home.0.path().join("data");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let variables = [("APOS__API__LISTEN", "127.0.0.1:0"), ("APOS__DATA__DIR", folder.to_str().unwrap())];
    let (running, line) = home.start(&["serve"], &variables, Stream::Err);
    assert!(line.contains("others on this machine can enter the data folder") && line.contains("chmod 700"), "{line}");
    let files = || std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
    for _ in 0..1_000 {
        if files().any(|entry| entry.file_name() == "tables.db") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let open: Vec<_> = files().filter(|entry| entry.metadata().unwrap().permissions().mode() & 0o077 != 0).collect();
    assert!(files().any(|entry| entry.file_name() == "log.db") && open.is_empty(), "{open:?}");
    drop(running);
}

#[test]
fn what_any_command_would_refuse_the_check_refuses() {
    let home = Home::new();
    let check = |arguments: &[&str], variables: &[(&str, &str)], said: &str| {
        let ran = home.run(&[&["config", "check"], arguments].concat(), variables);
        assert!(ran.code == Some(2) && ran.err.contains(said), "{arguments:?} {variables:?}: {}", ran.err);
    };
    check(&["--theme", "nosuch"], &[], "there is no theme `nosuch`");
    check(&[], &[("APOS__DASHBOARD__THEME", "nosuch")], "there is no theme `nosuch`");
    check(&[], &[("APOS_API_KEY_OPERATOR", "k")], "did you mean APOS_API_KEY__OPERATOR?");
    check(&[], &[("APOS_PEER_SECRET", "s"), ("APOS_PEER_OPEN", "1")], "unset one of them");
    check(&[], &[("APOS__MONEY__PER_REFERENCE__USD", "0")], "above 0");
    let fine = home.run(&["config", "check"], &[("APOS_PEER_SECRET", "s")]);
    assert!(fine.code == Some(0) && fine.err.contains("The switch's calls: with the secret"), "{}", fine.err);
}

#[test]
fn serve_refuses_what_it_cannot_do() {
    let home = Home::new();
    let open = home.run(&["serve"], &[("APOS__API__LISTEN", "0.0.0.0:0")]);
    assert!(
        open.code == Some(2) && open.err.contains("APOS_API_KEY__ADMIN") && open.err.contains("(APOS__API__LISTEN)"),
        "{}",
        open.err
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let ran = home.run(&["serve"], &[("APOS__API__LISTEN", &taken.local_addr().unwrap().to_string())]);
    assert!(ran.code == Some(1) && ran.err.contains("api.listen: cannot listen on"), "{}", ran.err);
    assert!(ran.err.contains("or choose another address"), "{}", ran.err);
    let file = home.write("open.toml", "[api]\nworkers = 1\nlisten = \"0.0.0.0:0\"\n");
    let ran = home.run(&["serve", "--config", &file], &[]);
    assert!(ran.code == Some(2) && ran.err.contains("open.toml, line 3"), "{}", ran.err);
    let missing = [("APOS__WEBHOOKS__PROFILES", "[\"pro_1\"]")];
    let ran = home.run(&["serve"], &missing);
    assert!(ran.code == Some(2) && ran.err.contains("APOS_WEBHOOK_KEY__pro_1"), "{}", ran.err);
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn log_lines(home: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(home.join(".local/state/apos/apos.log")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_hang_up_that_was_ignored_before_stays_ignored() {
    let home = Home::new();
    let mut command = Command::new("/bin/sh");
    // What nohup does, but for the redirections.
    command.args(["-c", "trap '' HUP; exec \"$0\" serve", env!("CARGO_BIN_EXE_apos")]).env_clear();
    command.env("HOME", home.0.path()).env("APOS__API__LISTEN", "127.0.0.1:0").stdin(Stdio::null());
    let mut running = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(running.0.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("listening"), "{line}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    assert_eq!(u64::from_str_radix(ignored.trim(), 16).unwrap() & 1, 1, "the mask is {ignored}");
    assert_eq!(running.end(Signal::TERM), Some(0));
}
