//! The past: the engine's state at any time of the log and its archive, by the nearest checkpoint and a fold from there.
//!
//! A [`Player`] holds nothing that could act: no appender, no lease, no executor. What folding asks for is dropped.

mod ahead;
mod index;
mod news;
mod player;

use std::path::{Path, PathBuf};

pub use index::{Covered, Index, rung_of};
pub use news::News;
pub use player::Player;

use crate::domain::{Position, Time};
use crate::log::LogError;

/// The folder of the checkpoints for jumps, within the archive.
#[must_use]
pub fn ladder_dir(archive: &Path) -> PathBuf {
    archive.join("checkpoints")
}

/// Why the past cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// There is no record at all.
    #[error("the log holds nothing yet")]
    Empty,
    /// What came before was trimmed and not archived, and no checkpoint that can be read stands in for it.
    #[error("the log begins at record {first}; what came before is in no archive here, and no checkpoint stands in for it")]
    NoBeginning {
        /// The first record there is.
        first: u64,
    },
    /// Reading failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The engine cannot fold an entry.
    #[error("the entry at {position} cannot be folded by this version; what comes before it can be shown")]
    Poison {
        /// Where it stands.
        position: Position,
    },
    /// A thread cannot be started.
    #[error("a thread cannot be started")]
    Thread(#[from] std::io::Error),
}

/// What there is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first time that can be shown.
    pub from: Time,
    /// The last one.
    pub to: Time,
    /// The first record whose fold can be shown.
    pub first: u64,
    /// The last record.
    pub last: u64,
}

/// How far a jump has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records folded.
    pub done: u64,
    /// Records to be folded, those among them.
    pub of: u64,
}

impl Progress {
    /// 0 to 100.
    #[must_use]
    pub fn percent(self) -> u8 {
        u8::try_from(self.done.saturating_mul(100).checked_div(self.of).unwrap_or(100).min(100)).unwrap_or(100)
    }
}

/// Whether folding went all the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Where it was to go.
    There,
    /// The end of what there is.
    End,
    /// Who watches the progress broke it off; the state is good, and somewhere on the way.
    BrokenOff,
}

/// Told the progress about a hundred times a second; false breaks off.
pub type Watch<'a> = &'a mut dyn FnMut(Progress) -> bool;
