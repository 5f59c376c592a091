//! The only place that prints: data to standard output, talk to standard error.

use std::io::{self, Write};

use anyhow::Context;

/// Writes data to standard output. A reader that has gone away (`| head`) is no failure: there is nobody to tell.
///
/// # Errors
/// When standard output cannot be written.
pub(super) fn data(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output cannot be written"),
    }
}

/// Says a line to the person at standard error, as well as it goes: if that is closed, nobody is listening.
pub(super) fn talk(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Shows how far something has come, in place of what was shown before; nothing clears the line.
pub(super) fn progress(line: &str) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "\r{line}\x1b[K").and_then(|()| err.flush());
}
