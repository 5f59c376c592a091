//! The only place that prints: data to standard output, talk to standard error.

use std::io::{self, Write};

use anyhow::Context;

/// Whether anybody reads standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Somebody may.
    There,
    /// It has gone away (`| head`): no failure, but nothing more needs to be written.
    Gone,
}

/// Writes data to standard output, and tells whether it is still read.
///
/// # Errors
/// When standard output cannot be written.
pub(super) fn data(bytes: &[u8]) -> anyhow::Result<Reader> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error).context("standard output cannot be written"),
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
