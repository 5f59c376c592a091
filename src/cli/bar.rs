//! How far something has come, at standard error: one line that is written again, and gone at the end.

use std::io::IsTerminal;

use super::output;

/// Columns of the bar.
const WIDTH: usize = 20;

/// A progress bar; nothing is shown of what is over before its first look, and nothing where nobody watches.
pub(super) struct Bar {
    what: &'static str,
    watched: bool,
    shown: Option<u8>,
}

impl Bar {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, watched: std::io::stderr().is_terminal(), shown: None }
    }

    /// Shows a percentage, 0 to 100; always wants to go on.
    pub(super) fn see(&mut self, percent: u8) -> bool {
        if self.watched && self.shown != Some(percent) {
            self.shown = Some(percent);
            let done = "#".repeat(usize::from(percent) * WIDTH / 100);
            output::progress(&format!("apos: {} [{done:<WIDTH$}] {percent} %", self.what));
        }
        true
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.shown.is_some() {
            output::progress("");
        }
    }
}
