//! The archive: records that were sealed into segments before the log forgot them. A folder of files, read only here.
//!
//! Segments are named by their first and last record and follow one another; each begins with the chain that the one
//! before it ended with. What a crash left half written has no segment's name and is passed over.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::segment::{Block, Header, Sealed, Segment, SegmentError, Writer};
use super::{Chain, LogError};
use crate::domain::{Record, Time};

/// A segment is closed at this size: small enough to copy about, large enough that a year is some thousand files.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// The segments of a folder, as they were when it was looked at.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    segments: Vec<Segment>,
    /// Files with a segment's name that cannot be opened.
    unreadable: Vec<SegmentError>,
}

impl Archive {
    /// Looks into a folder; one that does not exist holds nothing.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = names.filter(|path| numbers(path).is_some()).collect();
        paths.sort_by_key(|path| numbers(path));
        let mut archive = Self::default();
        for path in paths {
            match Segment::open(&path) {
                Ok(segment) => archive.segments.push(segment),
                Err(error) => archive.unreadable.push(error),
            }
        }
        archive
    }

    /// One file as a whole archive: an export.
    #[must_use]
    pub fn of(segment: Segment) -> Self {
        Self { segments: vec![segment], unreadable: Vec::new() }
    }

    /// The segments, in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What is named like a segment and is none that can be opened.
    #[must_use]
    pub fn unreadable(&self) -> &[SegmentError] {
        &self.unreadable
    }

    /// The first record there is.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.segments.iter().find_map(Segment::first)
    }

    /// The last record there is.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.segments.iter().rev().find_map(Segment::last).map(|(last, _)| last)
    }

    /// The chain after a segment's last record, where some segment ends with it.
    #[must_use]
    pub fn chain_after(&self, record: u64) -> Option<Chain> {
        let ends = self.segments.iter().filter_map(|segment| segment.blocks().last());
        ends.filter(|block| block.last == record).map(|block| block.chain).next()
    }

    /// Records from number `from` on, as many as its block has; none where it holds no such record.
    ///
    /// # Errors
    /// Where it is damaged.
    pub fn read(&self, from: u64) -> Result<Vec<Record>, LogError> {
        let Some((segment, block)) = self.blocks().find(|(_, block)| (block.first..=block.last).contains(&from)) else {
            // A segment that should hold it but is damaged tells more than "missing".
            return match self.damage_at(from) {
                Some(damage) => Err(damage.into()),
                None => Ok(Vec::new()),
            };
        };
        let mut records = segment.read(block)?;
        records.retain(|record| record.number >= from);
        Ok(records)
    }

    /// The last record whose block begins at or before a time, as a place to look from.
    #[must_use]
    pub fn block_at(&self, time: Time) -> Option<&Block> {
        self.blocks().map(|(_, block)| block).take_while(|block| block.from <= time).last()
    }

    fn blocks(&self) -> impl Iterator<Item = (&Segment, &Block)> {
        self.segments.iter().flat_map(|segment| segment.blocks().iter().map(move |block| (segment, block)))
    }

    /// The damage because of which a record is not there.
    fn damage_at(&self, record: u64) -> Option<SegmentError> {
        let held = |segment: &&Segment| {
            let named = numbers(segment.path()).map_or(segment.header().first..=u64::MAX, |(first, last)| first..=last);
            named.contains(&record)
        };
        self.segments.iter().find(held).and_then(Segment::damage).cloned()
    }
}

/// The first and the last record by a segment's name: `records-000000000001-000000004711.seg`.
fn numbers(path: &Path) -> Option<(u64, u64)> {
    let name = path.file_name()?.to_str()?.strip_prefix("records-")?.strip_suffix(".seg")?;
    let (first, last) = name.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Seals records into segments, one after the other.
#[derive(Debug)]
pub struct Sealer {
    folder: PathBuf,
    open: Option<Writer>,
    next: u64,
    chain: Chain,
}

impl Sealer {
    /// Goes on at record `next`, after that chain. The folder is made where it does not exist.
    ///
    /// # Errors
    /// What the file system says.
    pub fn begin(folder: &Path, next: u64, chain: Chain) -> Result<Self, SegmentError> {
        fs::create_dir_all(folder).map_err(|source| SegmentError::Io {
            path: folder.to_path_buf(),
            deed: "made",
            source: Arc::new(source),
        })?;
        Ok(Self { folder: folder.to_path_buf(), open: None, next, chain })
    }

    /// Adds a record; closes the segment when it is large enough.
    ///
    /// # Errors
    /// [`SegmentError::OutOfOrder`], or what the file system says.
    pub fn push(&mut self, record: &Record) -> Result<(), SegmentError> {
        let writer = match &mut self.open {
            Some(writer) => writer,
            none => {
                let header = Header::new(self.next, self.chain);
                none.insert(Writer::create(&self.folder.join("records"), &header)?)
            }
        };
        writer.push(record)?;
        if writer.size() >= SEGMENT_BYTES {
            self.close()?;
        }
        Ok(())
    }

    /// Closes the last segment: all that was pushed is durable in the archive.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(mut self) -> Result<(), SegmentError> {
        self.close().map(drop)
    }

    fn close(&mut self) -> Result<Option<Sealed>, SegmentError> {
        let Some(writer) = self.open.take() else { return Ok(None) };
        let path = self.folder.join(format!("records-{:012}-{:012}.seg", self.next, writer.last()));
        let sealed = writer.finish(&path)?;
        (self.next, self.chain) = (sealed.last + 1, sealed.chain);
        Ok(Some(sealed))
    }
}
