//! How far something has come, at standard error: one line that is written again, and gone at the end.

use std::io::IsTerminal;
use std::time::Duration;

use super::output;
use crate::runtime::clock::instant;

/// Columns of the bar.
const WIDTH: usize = 20;

/// Between two rewritings of a meter: often enough to look alive.
const EVERY: Duration = Duration::from_millis(100);

/// A progress bar; nothing is shown of what is over before its first look.
pub(super) struct Bar {
    what: &'static str,
    line: Line,
    shown: Option<u8>,
}

impl Bar {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, line: Line::new(), shown: None }
    }

    /// Shows a percentage, 0 to 100; always wants to go on.
    pub(super) fn see(&mut self, percent: u8) -> bool {
        if self.shown != Some(percent) {
            self.shown = Some(percent);
            let done = "#".repeat(usize::from(percent) * WIDTH / 100);
            self.line.show(&format!("apos: {} [{done:<WIDTH$}] {percent} %", self.what));
        }
        true
    }
}

/// Words on how far it is, however often they are given.
pub(super) struct Meter {
    line: Line,
    shown: Duration,
    began: std::time::Instant,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { line: Line::new(), shown: Duration::ZERO, began: instant() }
    }

    pub(super) fn show(&mut self, text: &str) {
        let now = instant().duration_since(self.began);
        if now >= self.shown + EVERY {
            self.shown = now;
            self.line.show(text);
        }
    }

    pub(super) fn clear(&mut self) {
        self.line.clear();
    }
}

/// The line itself; nothing where nobody watches.
struct Line {
    watched: bool,
    written: bool,
}

impl Line {
    fn new() -> Self {
        Self { watched: std::io::stderr().is_terminal(), written: false }
    }

    fn show(&mut self, text: &str) {
        if self.watched {
            self.written = true;
            output::progress(text);
        }
    }

    fn clear(&mut self) {
        if core::mem::take(&mut self.written) {
            output::progress("");
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}
