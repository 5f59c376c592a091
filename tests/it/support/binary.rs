//! The binary, run from outside.
#![allow(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What a run of the binary left.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Runs it on a data folder, as `ada`, with a home of its own.
pub(crate) fn apos(folder: &Path, arguments: &[&str]) -> Ran {
    let home = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_apos"));
    command.args(arguments).args(["--data-dir", folder.to_str().unwrap()]);
    command.env_clear().env("HOME", home.path()).env("TZ", "UTC").env("USER", "ada").stdin(Stdio::null());
    command.output().unwrap().into()
}
