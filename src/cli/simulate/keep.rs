//! Keeps a simulation's log, for a replay.

use std::path::Path;

use anyhow::Context;

use crate::cli::Failure;
use crate::domain::Record;
use crate::log::{Import, LogError};

/// Records written to a file together.
const TOGETHER: usize = 1_000;

/// Keeps a simulation's records in a log file.
pub(super) struct Keeper {
    import: Import,
    runtime: tokio::runtime::Runtime,
    waiting: Vec<Record>,
    /// What went wrong first.
    failed: Result<(), LogError>,
}

impl Keeper {
    pub(super) fn begin(folder: &Path) -> Result<Self, Failure> {
        let file = folder.join("log.db");
        if file.exists() {
            let shown = file.display();
            return Err(Failure::usage(format!(
                "{shown} is there already: name another folder with --keep, or remove the file"
            )));
        }
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
        let import = runtime.block_on(Import::begin(&file)).context("the log cannot be kept")?;
        Ok(Self { import, runtime, waiting: Vec::new(), failed: Ok(()) })
    }

    pub(super) fn push(&mut self, record: &Record) {
        self.waiting.push(record.clone());
        if self.waiting.len() >= TOGETHER {
            self.write();
        }
    }

    fn write(&mut self) {
        let records = std::mem::take(&mut self.waiting);
        if self.failed.is_ok() {
            self.failed = self.runtime.block_on(self.import.push(&records));
        }
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.write();
        self.failed.context("the log cannot be kept")?;
        self.runtime.block_on(self.import.finish()).context("the log cannot be kept")
    }
}
