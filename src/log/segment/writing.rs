//! Writing a file of records.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{END, HEADER, Header, MAGIC, RECORDS, STATE, SegmentError, VERSION, frame_hash, frame_head, io_error};
use crate::domain::{Position, Record, Time};
use crate::log::{Chain, codec};

/// A block is closed when its records take this many bytes: a jump into the file unpacks one block, in about 1 ms, and
/// damage costs one block at most.
const BLOCK_BYTES: usize = 256 * 1024;

/// Or when it has so many records.
const BLOCK_RECORDS: usize = 512;

/// zstd's default level: sealing is done in the background, and what is sealed is kept for long.
const LEVEL: i32 = 3;

/// A file that is being written; nothing is under its name until [`Writer::finish`].
#[derive(Debug)]
pub struct Writer {
    file: BufWriter<File>,
    /// Where it is written.
    beside: PathBuf,
    next: u64,
    chain: Chain,
    block: Vec<(i64, u64, Vec<u8>)>,
    block_bytes: usize,
    written: u64,
    sealed: Sealed,
}

/// What a finished file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The last record; one below the first in a file without records.
    pub last: u64,
    /// The time of the first record.
    pub from: Time,
    /// The time of the last one.
    pub to: Time,
    /// How many records.
    pub records: u64,
    /// How many entries.
    pub entries: u64,
    /// The chain after the last record.
    pub chain: Chain,
}

impl Writer {
    /// Begins a file that will be called `path`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(path: &Path, header: &Header) -> Result<Self, SegmentError> {
        let beside = path.with_extension("part");
        let file = File::create(&beside).map_err(io_error(&beside, "created"))?;
        let sealed = Sealed {
            last: header.first.saturating_sub(1),
            from: Time::ZERO,
            to: Time::ZERO,
            records: 0,
            entries: 0,
            chain: header.before,
        };
        let (next, chain) = (header.first, header.before);
        let block = Vec::new();
        let mut writer = Self { file: BufWriter::new(file), beside, next, chain, block, block_bytes: 0, written: 0, sealed };
        writer.bytes(&[MAGIC, &[VERSION]])?;
        let body = postcard::to_stdvec(header).map_err(codec::content)?;
        writer.frame(HEADER, &[&body])?;
        Ok(writer)
    }

    /// Adds the state before the first record, packed by [`codec::pack_written`]: whoever reads the file begins there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn state(&mut self, position: Position, packed: &[u8]) -> Result<(), SegmentError> {
        let head = postcard::to_stdvec(&position).map_err(codec::content)?;
        self.frame(STATE, &[&head, packed])
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`SegmentError::OutOfOrder`], or what the file system says.
    pub fn push(&mut self, record: &Record) -> Result<(), SegmentError> {
        if record.number != self.next {
            return Err(SegmentError::OutOfOrder { wanted: self.next, found: record.number });
        }
        let body = codec::encode_plain(record)?;
        if self.sealed.records == 0 {
            self.sealed.from = record.at;
        }
        self.chain = self.chain.link(record, &body);
        self.next += 1;
        self.sealed.records += 1;
        self.sealed.entries += record.bodies.len() as u64;
        (self.sealed.last, self.sealed.to) = (record.number, record.at);
        self.block_bytes += body.len();
        self.block.push((record.at.micros(), record.epoch, body));
        if self.block_bytes >= BLOCK_BYTES || self.block.len() >= BLOCK_RECORDS { self.close_block() } else { Ok(()) }
    }

    /// The last record added.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.sealed.last
    }

    /// Bytes written so far, the block being filled left out.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.written
    }

    /// Ends the file, makes it durable and gives it its name.
    ///
    /// # Errors
    /// What the file system says; the file is not under its name then.
    pub fn finish(mut self, path: &Path) -> Result<Sealed, SegmentError> {
        self.close_block()?;
        self.sealed.chain = self.chain;
        let counts = [self.sealed.records.to_le_bytes(), self.sealed.entries.to_le_bytes()].concat();
        let chain = self.chain;
        self.frame(END, &[&counts, chain.bytes()])?;
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(io_error(&self.beside, "written"))?;
        fs::rename(&self.beside, path).map_err(io_error(path, "given its name"))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder, "synced"))?;
        Ok(self.sealed)
    }

    fn close_block(&mut self) -> Result<(), SegmentError> {
        let (Some(first), Some(last)) = (self.block.first(), self.block.last()) else { return Ok(()) };
        let count = u32::try_from(self.block.len()).unwrap_or(u32::MAX);
        let mut head = Vec::with_capacity(super::BLOCK_HEAD);
        head.extend((self.next - u64::from(count)).to_le_bytes());
        head.extend(count.to_le_bytes());
        head.extend(first.0.to_le_bytes());
        head.extend(last.0.to_le_bytes());
        head.extend(self.chain.bytes());
        let records = postcard::to_stdvec(&self.block).map_err(codec::content)?;
        let packed = zstd::bulk::compress(&records, LEVEL).map_err(codec::content)?;
        self.block.clear();
        self.block_bytes = 0;
        self.frame(RECORDS, &[&head, &packed])
    }

    fn frame(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), SegmentError> {
        let length = parts.iter().map(|part| part.len()).sum();
        self.bytes(&[&frame_head(kind, length)])?;
        self.bytes(parts)?;
        self.bytes(&[frame_hash(kind, parts).as_bytes()])
    }

    fn bytes(&mut self, parts: &[&[u8]]) -> Result<(), SegmentError> {
        for part in parts {
            self.file.write_all(part).map_err(io_error(&self.beside, "written"))?;
            self.written += part.len() as u64;
        }
        Ok(())
    }
}
