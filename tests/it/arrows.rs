//! Arrows between the folders of `src` point down only, as `ARCHITECTURE.md` draws them.
//!
//! Every path that leaves its folder (`crate::…`, or enough `super::`) is an arrow; one that is not in the table
//! below fails with its file and line.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test helpers fail by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Which parts may use which. The lowest come first; a part may always use itself.
const ALLOWED: [(&str, &[&str]); 18] = [
    ("domain", &[]),
    ("engine", &["domain"]),
    ("log", &["domain", "engine"]),
    ("store", &["domain", "engine"]),
    ("adapters", &["domain", "engine"]),
    ("runtime", &["domain", "engine", "log", "store", "adapters"]),
    ("api", &["domain", "engine", "log", "store", "adapters", "runtime"]),
    // The screen draws from a snapshot and gives commands: it may not even see the runtime.
    ("tui", &["domain", "engine"]),
    // The world plays the switch and the customers: it must not know what the engine thinks of them.
    ("sim", &["domain"]),
    ("sim/driver", &["domain", "engine", "sim"]),
    ("sim/trial", &["domain", "engine", "sim"]),
    // The fault simulator drives the runtime's own machines.
    ("sim/vopr", &["domain", "engine", "log", "runtime", "sim"]),
    // It judges what the engine does, on files or on scenarios of its own.
    ("backtest", &["domain", "engine", "adapters", "sim"]),
    ("config", &["domain"]),
    ("telemetry", &["config"]),
    (
        "cli",
        &["domain", "engine", "log", "store", "adapters", "runtime", "api", "tui", "sim", "backtest", "config", "telemetry"],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

#[test]
fn arrows_point_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&source);
    assert!(files.len() > 20, "only {} files found in {}", files.len(), source.display());
    let mut wrong = Vec::new();
    for file in files {
        let path = file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        wrong.extend(violations(&path, &std::fs::read_to_string(&file).unwrap()));
    }
    assert!(wrong.is_empty(), "arrows that point up:\n{}", wrong.join("\n"));
}

#[test]
fn every_part_of_the_crate_is_in_the_table() {
    let library = include_str!("../../src/lib.rs");
    let parts: BTreeSet<&str> = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let table: BTreeSet<&str> = ALLOWED.iter().map(|(part, _)| *part).filter(|part| !part.contains('/')).collect();
    assert_eq!(table, parts.into_iter().chain(["main", "lib"]).collect());
}

#[test]
fn a_planted_arrow_is_caught() {
    let check = |path: &str, text: &str, expected: &[&str]| assert_eq!(violations(path, text), expected, "{path}: {text}");
    check("engine/route.rs", "//! Doc.\nuse crate::runtime::Handle;\n", &["src/engine/route.rs:2: engine → runtime"]);
    check("tui/view/queue.rs", "use crate::{\n    domain::Time,\n    log,\n};\n", &["src/tui/view/queue.rs:3: tui → log"]);
    check("domain/ids.rs", "fn f() { crate::engine::apply() }\n", &["src/domain/ids.rs:1: domain → engine"]);
    check("log.rs", "use super::api::Server;\n", &["src/log.rs:1: log → api"]);
    check("log/sqlite.rs", "use super::super::{domain::Time, store::Tables};\n", &["src/log/sqlite.rs:1: log → store"]);
    check("sim/world.rs", "use crate::engine::snapshot;\n", &["src/sim/world.rs:1: sim → engine"]);
    check("main.rs", "fn main() { apos::runtime::start() }\n", &["src/main.rs:1: main → runtime"]);
}

#[test]
fn what_is_no_arrow_is_let_through() {
    let check = |path: &str, text: &str| assert_eq!(violations(path, text), Vec::<String>::new(), "{path}: {text}");
    check("engine/route.rs", "//! See [`crate::runtime`].\nuse crate::domain::Time;\nuse crate::engine::State;\n");
    check("engine/route.rs", "let s = 1; // as crate::runtime does\n");
    check("sim/driver.rs", "use crate::engine::Effect;\nuse crate::sim::World;\n");
    check("tui/ui.rs", "use super::view::log;\npub(crate) fn f() {}\nuse crate::{domain::{Time, log}};\n");
}

/// The arrows of one file (its path is relative to `src`) that the table does not have.
fn violations(path: &str, text: &str) -> Vec<String> {
    let modules: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    let part = part_of(&modules);
    let allowed = ALLOWED.iter().find(|(name, _)| *name == part).map_or(&[][..], |(_, allowed)| allowed);
    let code = without_comments(text);
    let home = modules[0];
    let arrow = |(offset, target): (usize, String)| {
        let is_part = ALLOWED.iter().any(|(name, _)| *name == target);
        let fine = target == home || allowed.contains(&target.as_str()) || !is_part;
        let line = code[..offset].matches('\n').count() + 1;
        (!fine).then(|| format!("src/{path}:{line}: {part} → {target}"))
    };
    targets(&code, modules.len()).into_iter().filter_map(arrow).collect()
}

/// The part a file belongs to: its folder, or the folder's file with rules of its own.
fn part_of<'a>(modules: &[&'a str]) -> &'a str {
    match modules {
        ["sim", "driver", ..] => "sim/driver",
        ["sim", "trial", ..] => "sim/trial",
        ["sim", "vopr", ..] => "sim/vopr",
        _ => modules[0],
    }
}

/// The same text with comments blanked, so that offsets and lines stay.
fn without_comments(text: &str) -> String {
    let blank = |line: &str| match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => format!("{}\n", &line[..at]),
        _ => format!("{line}\n"),
    };
    text.lines().map(blank).collect()
}

/// First segments after a path to the crate's root, each with its offset.
fn targets(code: &str, depth: usize) -> Vec<(usize, String)> {
    let root = "super::".repeat(depth);
    let mut found = Vec::new();
    for prefix in ["crate::", "apos::", root.as_str()] {
        for (start, _) in code.match_indices(prefix) {
            let within_a_word = code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if !within_a_word {
                found.extend(segments(code, start + prefix.len()));
            }
        }
    }
    found
}

/// The segment at an offset, or each first segment of the group in braces there.
fn segments(code: &str, start: usize) -> Vec<(usize, String)> {
    if !code[start..].starts_with('{') {
        return vec![(start, word(code, start))];
    }
    let (mut found, mut depth, mut expects) = (Vec::new(), 0_usize, false);
    for (offset, character) in code[start..].char_indices() {
        match character {
            '{' => {
                depth += 1;
                expects = depth == 1;
            }
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' => expects = depth == 1,
            c if c.is_alphanumeric() && expects => {
                found.push((start + offset, word(code, start + offset)));
                expects = false;
            }
            _ => {}
        }
    }
    found
}

fn word(code: &str, start: usize) -> String {
    code[start..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
