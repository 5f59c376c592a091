//! The program's own logs: their fields, their files, and that errors are counted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test helpers fail by panicking")]

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use apos::config::Level;
use apos::telemetry::{self, RollingFile};
use serde_json::Value;
use tracing::Subscriber as _;

/// A writer that keeps what it is given.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that `work` logs at a level.
fn lines(level: Level, work: impl FnOnce()) -> Vec<Value> {
    let kept = Kept::default();
    let writer = kept.clone();
    tracing::subscriber::with_default(telemetry::subscriber(level, move || writer.clone()), work);
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_has_the_fields_other_programs_look_for() {
    let lines = lines(Level::Info, || {
        tracing::info!(
            target: "apos::engine",
            component = "decision_engine",
            payment_id = "pay_123",
            connector = %"stripe",
            confidence = 0.85,
            "Routing \"decision\" made"
        );
    });
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["component"], "decision_engine");
    assert_eq!(line["message"], "Routing \"decision\" made");
    assert_eq!(
        (&line["payment_id"], &line["connector"], &line["confidence"]),
        (&"pay_123".into(), &"stripe".into(), &0.85.into())
    );
    let timestamp = line["timestamp"].as_str().unwrap();
    assert!(timestamp.ends_with('Z') && apos::domain::Time::parse_rfc3339(timestamp).is_ok(), "{timestamp}");
}

#[test]
fn the_component_is_the_module_where_none_is_given_and_spans_add_their_fields() {
    let lines = lines(Level::Info, || {
        let span = tracing::info_span!(target: "apos::api", "request", payment_id = "pay_9");
        span.in_scope(|| tracing::warn!(target: "apos::runtime::intake", error = %"broken", "not taken"));
    });
    assert_eq!(lines[0]["component"], "runtime::intake");
    assert_eq!((&lines[0]["payment_id"], &lines[0]["error"]), (&"pay_9".into(), &"broken".into()));
}

#[test]
fn the_level_holds_for_us_and_libraries_only_warn() {
    let levels = |level| -> Vec<String> {
        let lines = lines(level, || {
            tracing::debug!(target: "apos::log", "ours, debug");
            tracing::info!(target: "apos::log", "ours, info");
            tracing::info!(target: "sqlx::query", "theirs, info");
            tracing::warn!(target: "sqlx::query", "theirs, warn");
        });
        lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(levels(Level::Info), ["ours, info", "theirs, warn"]);
    assert_eq!(levels(Level::Debug), ["ours, debug", "ours, info", "theirs, warn"]);
    assert!(levels(Level::Error).is_empty());
}

/// What nobody reads costs nothing: libraries' events below the level are turned away before they are made.
#[test]
fn what_is_not_written_is_not_built() {
    let deepest = |level| telemetry::subscriber(level, std::io::sink).max_level_hint();
    assert_eq!(deepest(Level::Info), Some(tracing::level_filters::LevelFilter::INFO));
    assert_eq!(deepest(Level::Debug), Some(tracing::level_filters::LevelFilter::DEBUG));
}

#[test]
fn an_error_is_counted_even_where_it_is_not_written() {
    let before = telemetry::errors();
    lines(Level::Error, || {
        tracing::error!(target: "somebody::else", "one");
        tracing::warn!("no error");
    });
    assert!(telemetry::errors() > before);
}

#[test]
fn files_are_rolled_before_they_exceed_their_cap_and_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/apos.log");
    let mut file = RollingFile::open(&path, 25, 3).unwrap();
    for number in 0..10 {
        file.write_all(format!("line {number:04}\n").as_bytes()).unwrap();
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join("deep").join(name)).unwrap();
    assert_eq!(read("apos.log"), "line 0008\nline 0009\n");
    assert_eq!(read("apos.log.1"), "line 0006\nline 0007\n");
    assert_eq!(read("apos.log.2"), "line 0004\nline 0005\n");
    assert_eq!(names(&folder.path().join("deep")), ["apos.log", "apos.log.1", "apos.log.2"]);
}

#[test]
fn a_second_process_that_rolls_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apos.log");
    let (mut first, mut second) = (RollingFile::open(&path, 20, 2).unwrap(), RollingFile::open(&path, 20, 2).unwrap());
    for name in ["a", "b", "c"] {
        first.write_all(format!("first {name}\n").as_bytes()).unwrap();
    }
    for name in ["a", "b", "c"] {
        second.write_all(format!("second {name}\n").as_bytes()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "first c\nsecond c\n");
    assert_eq!(names(folder.path()), ["apos.log", "apos.log.1"]);
}

#[test]
fn one_file_is_kept_where_one_is_asked_for_and_a_restart_appends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apos.log");
    RollingFile::open(&path, 20, 1).unwrap().write_all(b"0123456789\n").unwrap();
    RollingFile::open(&path, 20, 1).unwrap().write_all(b"abc\n").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "0123456789\nabc\n");
    RollingFile::open(&path, 20, 1).unwrap().write_all(b"new file\n").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "new file\n");
    assert_eq!(names(folder.path()), ["apos.log"]);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
