//! `apos log`: looks after the log and its archive: what there is, whether it is whole, a stretch of it to take elsewhere.

mod export;
mod import;
mod pseudonym;
mod skip;
mod status;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;

use super::{Ended, Failure, Setup};
use crate::domain::Position;

/// What `apos log` does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum LogCommand {
    /// Show what there is: records, times, sizes, checkpoints, archive, lease
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Read every record of the archive and the log, and say where one is damaged, missing or changed; then exit with 1
    Verify {
        /// Fail unless the chain of hashes after this record is this one, as an earlier verify told it
        #[arg(long, value_name = "RECORD:HASH")]
        expect: Option<String>,
    },
    /// Write a stretch of time into one file, for apos replay --file and apos log import
    Export(ExportArguments),
    /// Leave out an entry that no replica can fold: the engine has halted there, and its status says so. An entry that can be
    /// folded is never left out
    Skip {
        /// Where it stands, as the status tells it: 1042.3
        position: Position,
        /// Why, in one line; the audit keeps it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Make a log of an exported file, in a folder of its own; of a damaged one, all before the damage
    Import {
        /// The exported file
        file: PathBuf,
        /// The new data folder, for --data-dir
        #[arg(long, value_name = "FOLDER")]
        into: PathBuf,
    },
}

/// What `apos log export` takes.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ExportArguments {
    /// The file to write; it must not exist
    pub file: PathBuf,
    /// Where to begin: 2026-08-13 03:12, 2026-08-13T03:12:07Z, or so long before the end: -2h [default: the first record]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Where to end, in the same forms [default: the last record]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Replace merchants, accounts, payments and people by pseudonyms; $`APOS_PSEUDONYM_KEY` is their key, and without one
    /// nobody can link two exports
    #[arg(long)]
    pub pseudonymise: bool,
}

/// Writes a stretch of the configured log into a file.
pub(super) fn export(arguments: &ExportArguments, setup: &Setup) -> Result<Ended, Failure> {
    export::run(arguments, setup)
}

pub(super) fn run(command: &LogCommand, setup: &Setup) -> Result<Ended, Failure> {
    match command {
        LogCommand::Status { json } => status::run(setup, *json),
        LogCommand::Verify { expect } => verify::run(setup, expect.as_deref()),
        LogCommand::Export(arguments) => export::run(arguments, setup),
        LogCommand::Skip { position, reason } => skip::run(*position, reason, setup),
        LogCommand::Import { file, into } => import::run(file, into),
    }
}
