//! Makes a log of records that exist already: an import, or a simulation that is kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sqlite::Sqlite;
use super::{LogError, SegmentError, codec};
use crate::domain::{Position, Record};

/// A log file that is being made. It may be opened as any other once it is finished.
#[derive(Debug)]
pub struct Import {
    log: Sqlite,
    path: PathBuf,
    beside: PathBuf,
}

impl Import {
    /// Begins a file that will be called `path`; nothing is there until [`Import::finish`].
    ///
    /// # Errors
    /// When there is a file of this name, or none can be made.
    pub async fn begin(path: &Path) -> Result<Self, LogError> {
        let refused = |path: &Path, deed, kind: io::ErrorKind| SegmentError::Io {
            path: path.to_path_buf(),
            deed,
            source: Arc::new(kind.into()),
        };
        if path.exists() {
            return Err(refused(path, "made", io::ErrorKind::AlreadyExists).into());
        }
        let beside = path.with_extension("part");
        if beside.exists() {
            // What an import that was killed left.
            std::fs::remove_file(&beside).map_err(|error| refused(&beside, "removed", error.kind()))?;
        }
        Ok(Self { log: Sqlite::open(&beside).await?, path: path.to_path_buf(), beside })
    }

    /// Adds records, as they are. Each must follow the one before it.
    ///
    /// # Errors
    /// What the file says.
    pub async fn push(&self, records: &[Record]) -> Result<(), LogError> {
        self.log.adopt(records).await
    }

    /// Adds the state before the first record: a fold begins there.
    ///
    /// # Errors
    /// What the file says.
    pub async fn state(&self, position: Position, bytes: &[u8]) -> Result<(), LogError> {
        self.log.save_checkpoint(position, &codec::pack(bytes)?).await
    }

    /// Closes the file and gives it its name.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn finish(self) -> Result<(), LogError> {
        self.log.close().await;
        std::fs::rename(&self.beside, &self.path).map_err(|source| {
            let source = Arc::new(source);
            LogError::from(SegmentError::Io { path: self.path.clone(), deed: "given its name", source })
        })
    }
}
