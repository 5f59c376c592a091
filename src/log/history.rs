//! Archive and log read as one, or the records of one file. Reading only: nothing here can append.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::archive::Archive;
use super::segment::{Segment, SegmentError};
use super::{Log, LogError, contiguous};
use crate::domain::{Position, Record, Time};

/// Records read from the log at once.
const BATCH: usize = 512;

/// All records there are: those of the archive, then those of the log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct History {
    archive: Arc<ArcSwap<Archive>>,
    /// Where the archive is; none for a single file.
    folder: Option<PathBuf>,
    log: Option<Log>,
}

impl History {
    /// A log and its archive; the folder need not exist.
    #[must_use]
    pub fn of(log: Log, archive: &Path) -> Self {
        let opened = Arc::new(ArcSwap::from_pointee(Archive::open(archive)));
        Self { archive: opened, folder: Some(archive.to_path_buf()), log: Some(log) }
    }

    /// The records of one file, an export or a segment.
    ///
    /// # Errors
    /// When the file cannot be opened as one.
    pub fn file(path: &Path) -> Result<Self, LogError> {
        let archive = Archive::of(Segment::open(path)?);
        Ok(Self { archive: Arc::new(ArcSwap::from_pointee(archive)), folder: None, log: None })
    }

    /// The archive's part.
    #[must_use]
    pub fn archive(&self) -> Arc<Archive> {
        self.archive.load_full()
    }

    /// The log's part.
    #[must_use]
    pub const fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    /// The first damage of the archive's, or the file's, outline.
    #[must_use]
    pub fn damage(&self) -> Option<SegmentError> {
        self.archive.load().segments().iter().find_map(Segment::damage).cloned()
    }

    /// The first record's number; 0 where there is none.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn first(&self) -> Result<u64, LogError> {
        let archived = self.archive.load().first();
        match (archived, &self.log) {
            (Some(first), _) => Ok(first),
            (None, Some(log)) => log.first().await,
            (None, None) => Ok(0),
        }
    }

    /// The last record's number; 0 where there is none.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn last(&self) -> Result<u64, LogError> {
        let archived = self.archive.load().last().unwrap_or(0);
        match &self.log {
            Some(log) => Ok(log.last().await?.max(archived)),
            None => Ok(archived),
        }
    }

    /// Some records from number `from` on (0 means 1), in order and without gaps; none at the end.
    ///
    /// # Errors
    /// [`LogError::Missing`] for a gap, else which record cannot be read and why.
    pub async fn read(&self, from: u64) -> Result<Vec<Record>, LogError> {
        let from = from.max(1);
        let archived = self.archive.load().read(from)?;
        if !archived.is_empty() {
            return Ok(archived);
        }
        let Some(log) = &self.log else { return Ok(Vec::new()) };
        match self.read_log(log, from).await {
            // Sealed and trimmed since the archive was looked at.
            Err(LogError::Missing { .. }) if self.look_again() => {
                let archived = self.archive.load().read(from)?;
                if archived.is_empty() { self.read_log(log, from).await } else { Ok(archived) }
            }
            read => read,
        }
    }

    /// A damaged record among a batch must not hide those before it: they are read one by one.
    async fn read_log(&self, log: &Log, from: u64) -> Result<Vec<Record>, LogError> {
        match log.read(from, BATCH).await {
            Err(LogError::Unreadable { number, .. } | LogError::Missing { wanted: number, .. }) if number > from => {
                let limit = usize::try_from(number - from).unwrap_or(BATCH);
                contiguous(from, log.read(from, limit).await?)
            }
            // The file itself is damaged somewhere in the batch.
            Err(error @ LogError::DamagedFile(_)) => {
                for limit in [BATCH / 8, BATCH / 64, 1] {
                    match log.read(from, limit).await {
                        Ok(records) if !records.is_empty() => return Ok(records),
                        _ => {}
                    }
                }
                Err(error)
            }
            read => read,
        }
    }

    fn look_again(&self) -> bool {
        let Some(folder) = &self.folder else { return false };
        self.archive.store(Arc::new(Archive::open(folder)));
        true
    }

    /// One record.
    ///
    /// # Errors
    /// As [`History::read`]; [`LogError::Missing`] where there is none of this number.
    pub async fn record(&self, number: u64) -> Result<Record, LogError> {
        let archived = self.archive.load().read(number)?;
        let found = match (archived.into_iter().next(), &self.log) {
            (Some(record), _) => Some(record),
            (None, Some(log)) => log.read(number, 1).await?.into_iter().next(),
            (None, None) => None,
        };
        found.ok_or(LogError::Missing { wanted: number, found: 0 })
    }

    /// The number of the last record at or before a time; one less than the first where all are later.
    ///
    /// # Errors
    /// As [`History::record`].
    pub async fn record_at(&self, time: Time) -> Result<u64, LogError> {
        let (mut low, mut high) = (self.first().await?, self.last().await?);
        if low == 0 {
            return Ok(0);
        }
        // Within the archive the heads of blocks tell; in the log the records themselves.
        if let Some(block) = self.archive.load().block_at(time) {
            low = block.first;
            high = if time < block.to { block.last } else { high };
        }
        let mut before = low - 1;
        while low <= high {
            let middle = low + (high - low) / 2;
            match self.record(middle).await {
                Ok(record) if record.at <= time => (before, low) = (middle, middle + 1),
                // What cannot be read ends what can be shown.
                Ok(_) | Err(LogError::Unreadable { .. } | LogError::Archive(_) | LogError::Missing { .. }) => {
                    high = middle - 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(before)
    }

    /// The newest checkpoint at or before a position that the log keeps, or the state a file begins with.
    ///
    /// # Errors
    /// As [`Log::load_checkpoint`].
    pub async fn checkpoint(&self, at_most: Position) -> Result<Option<(Position, Vec<u8>)>, LogError> {
        if let Some(log) = &self.log {
            return log.load_checkpoint(Some(at_most)).await;
        }
        let state = self.archive.load().segments().first().map(Segment::state).transpose()?.flatten();
        Ok(state.filter(|(position, _)| *position <= at_most))
    }
}
