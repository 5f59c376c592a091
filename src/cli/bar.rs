//! How far something has come, at standard error: one line that is written again, and gone at the end.

use super::output;

/// Columns of the bar.
const WIDTH: usize = 20;

/// A progress bar; nothing is shown of what is over before its first look.
pub(super) struct Bar {
    what: &'static str,
    shown: Option<u8>,
}

impl Bar {
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, shown: None }
    }

    /// Shows a percentage, 0 to 100; always wants to go on.
    pub(super) fn see(&mut self, percent: u8) -> bool {
        if self.shown != Some(percent) {
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
