//! Reading a file of records, up to where it is damaged.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    BLOCK_HEAD, END, FRAME_HASH, FRAME_HEAD, HEADER, Header, MAGIC, RECORDS, STATE, SegmentError, VERSION, frame_hash, io_error,
};
use crate::domain::{Position, Record, Time};
use crate::log::{Chain, codec};

/// A block of records, as the file tells of it without its being unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its first record.
    pub first: u64,
    /// Its last record.
    pub last: u64,
    /// The time of the first.
    pub from: Time,
    /// The time of the last.
    pub to: Time,
    /// The chain after the last.
    pub chain: Chain,
    frame: Frame,
}

/// Where a frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    kind: u8,
    offset: u64,
    length: usize,
}

/// An open file of records. Reading takes no turn: it may be shared.
#[derive(Debug, Clone)]
pub struct Segment {
    path: Arc<Path>,
    file: Arc<File>,
    size: u64,
    header: Header,
    state: Option<Frame>,
    blocks: Arc<Vec<Block>>,
    /// Entries, where the file has its end.
    entries: Option<u64>,
    damage: Option<SegmentError>,
}

impl Segment {
    /// Opens a file and looks where its blocks are; none is unpacked. A file that is damaged further on opens, and
    /// tells so by [`Segment::damage`].
    ///
    /// # Errors
    /// When the file cannot be opened, is not one of records, is of a newer program, or has a damaged header.
    pub fn open(path: &Path) -> Result<Self, SegmentError> {
        let mut file = File::open(path).map_err(io_error(path, "opened"))?;
        let size = file.metadata().map_err(io_error(path, "opened"))?.len();
        let mut magic = [0; MAGIC.len() + 1];
        let begun = file.read(&mut magic).map_err(io_error(path, "read"))?;
        if begun < magic.len() || magic[..MAGIC.len()] != *MAGIC {
            return Err(SegmentError::Foreign { path: path.to_path_buf() });
        }
        if magic[MAGIC.len()] != VERSION {
            return Err(SegmentError::Newer { path: path.to_path_buf(), found: magic[MAGIC.len()] });
        }
        let header = Header { program: String::new(), first: 1, before: Chain::START, pseudonymised: false };
        let mut segment = Self {
            path: path.into(),
            file: Arc::new(file),
            size,
            header,
            state: None,
            blocks: Arc::default(),
            entries: None,
            damage: None,
        };
        let mut offset = magic.len() as u64;
        let first = segment.frame(offset)?;
        if first.kind != HEADER {
            return Err(segment.damaged(offset, 0, "it has no header"));
        }
        let body = segment.body(first, 0)?;
        segment.header = postcard::from_bytes(&body).map_err(|error| segment.damaged(offset, 0, &error.to_string()))?;
        offset = first.after();
        segment.damage = segment.scan(offset).err();
        Ok(segment)
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of itself.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Its blocks, in order; those before the damage where there is one.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The first record it has; none in a file without records.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.blocks.first().map(|block| block.first)
    }

    /// The last record it has, and its time.
    #[must_use]
    pub fn last(&self) -> Option<(u64, Time)> {
        self.blocks.last().map(|block| (block.last, block.to))
    }

    /// Entries, as its end tells; none where the end is missing.
    #[must_use]
    pub const fn entries(&self) -> Option<u64> {
        self.entries
    }

    /// What is wrong with its outline: cut off, or a frame that cannot be. A block's content is checked when it is read.
    #[must_use]
    pub const fn damage(&self) -> Option<&SegmentError> {
        self.damage.as_ref()
    }

    /// The state before its first record, where it has one.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`].
    pub fn state(&self) -> Result<Option<(Position, Vec<u8>)>, SegmentError> {
        let Some(frame) = self.state else { return Ok(None) };
        let first = self.header.first;
        let body = self.body(frame, first)?;
        let refused = |what: &str| self.damaged(frame.offset, first, what);
        let (position, packed) = postcard::take_from_bytes::<Position>(&body).map_err(|error| refused(&error.to_string()))?;
        Ok(Some((position, codec::unpack(packed).map_err(|error| refused(&error.to_string()))?)))
    }

    /// The records of a block, its hash and numbers checked.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`], or what the file system says.
    pub fn read(&self, block: &Block) -> Result<Vec<Record>, SegmentError> {
        let body = self.body(block.frame, block.first)?;
        let refused = |what: String| self.damaged(block.frame.offset, block.first, &what);
        let packed = body.get(BLOCK_HEAD..).unwrap_or_default();
        let plain = zstd::stream::decode_all(packed).map_err(|error| refused(error.to_string()))?;
        let kept: Vec<(i64, u64, &[u8])> = postcard::from_bytes(&plain).map_err(|error| refused(error.to_string()))?;
        let record = |(number, (at, epoch, body)): (u64, (i64, u64, &[u8]))| {
            let (encoding, bodies) =
                codec::decode(body).map_err(|error| self.damaged(block.frame.offset, number, &error.to_string()))?;
            Ok(Record { number, at: Time::from_micros(at), epoch, encoding, bodies })
        };
        (block.first..=block.last).zip(kept).map(record).collect()
    }

    /// Finds the blocks, up to the end or to what cannot be.
    fn scan(&mut self, mut offset: u64) -> Result<(), SegmentError> {
        let mut next = self.header.first;
        loop {
            let frame = self.frame(offset).map_err(|_| self.cut(offset, next))?;
            match frame.kind {
                STATE if self.blocks.is_empty() && self.state.is_none() => self.state = Some(frame),
                RECORDS => {
                    let block = self.block(frame, next)?;
                    next = block.last + 1;
                    Arc::make_mut(&mut self.blocks).push(block);
                }
                END => return self.end(frame, next),
                kind => return Err(self.damaged(offset, next, &format!("there is no frame of kind {kind}"))),
            }
            offset = frame.after();
        }
    }

    fn block(&self, frame: Frame, next: u64) -> Result<Block, SegmentError> {
        let mut head = [0; BLOCK_HEAD];
        if frame.length < BLOCK_HEAD {
            return Err(self.damaged(frame.offset, next, "a block is shorter than its head"));
        }
        self.file.read_exact_at(&mut head, frame.offset + FRAME_HEAD as u64).map_err(io_error(&self.path, "read"))?;
        let mut bytes = &head[..];
        let (first, count) = (u64::from_le_bytes(take(&mut bytes)), u32::from_le_bytes(take(&mut bytes)));
        let times = [i64::from_le_bytes(take(&mut bytes)), i64::from_le_bytes(take(&mut bytes))].map(Time::from_micros);
        if first != next || count == 0 {
            return Err(self.damaged(
                frame.offset,
                next,
                &format!("a block of {count} records from {first} on is out of place"),
            ));
        }
        let last = first.saturating_add(u64::from(count) - 1);
        Ok(Block { first, last, from: times[0], to: times[1], chain: Chain::from_bytes(take(&mut bytes)), frame })
    }

    /// The last frame tells how much there is and where the chain ends.
    fn end(&mut self, frame: Frame, next: u64) -> Result<(), SegmentError> {
        let body = self.body(frame, next)?;
        let mut bytes = &body[..];
        let (records, entries) = (u64::from_le_bytes(take(&mut bytes)), u64::from_le_bytes(take(&mut bytes)));
        let chain = self.blocks.last().map_or(self.header.before, |block| block.chain);
        if body.len() != 48 || records != next - self.header.first || Chain::from_bytes(take(&mut bytes)) != chain {
            return Err(self.damaged(frame.offset, next, "its end does not fit what it holds"));
        }
        self.entries = Some(entries);
        match self.size.saturating_sub(frame.after()) {
            0 => Ok(()),
            bytes => Err(SegmentError::Trailing { path: PathBuf::from(&*self.path), offset: frame.after(), bytes }),
        }
    }

    /// The frame at an offset, as far as it lies within the file.
    fn frame(&self, offset: u64) -> Result<Frame, SegmentError> {
        let mut head = [0; FRAME_HEAD];
        self.file.read_exact_at(&mut head, offset).map_err(|_| self.cut(offset, self.header.first))?;
        let [kind, length @ ..] = head;
        let frame = Frame { kind, offset, length: u32::from_le_bytes(length) as usize };
        if frame.after() > self.size { Err(self.cut(offset, self.header.first)) } else { Ok(frame) }
    }

    /// A frame's body, its hash checked.
    fn body(&self, frame: Frame, record: u64) -> Result<Vec<u8>, SegmentError> {
        let mut bytes = vec![0; frame.length + FRAME_HASH];
        let read = self.file.read_exact_at(&mut bytes, frame.offset + FRAME_HEAD as u64);
        read.map_err(|_| self.cut(frame.offset, record))?;
        let hash = bytes.split_off(frame.length);
        if frame_hash(frame.kind, &[&bytes]).as_bytes()[..] == hash[..] {
            Ok(bytes)
        } else {
            Err(self.damaged(frame.offset, record, "its hash does not match"))
        }
    }

    fn cut(&self, offset: u64, record: u64) -> SegmentError {
        self.damaged(offset, record, "it is cut off there")
    }

    fn damaged(&self, offset: u64, record: u64, what: &str) -> SegmentError {
        SegmentError::Damaged { path: PathBuf::from(&*self.path), offset, record, what: what.to_owned() }
    }
}

impl Frame {
    /// Where the next one begins.
    const fn after(self) -> u64 {
        self.offset + (FRAME_HEAD + self.length + FRAME_HASH) as u64
    }
}

/// The next bytes; zeros where there are none left, which no check lets through.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let Some((taken, rest)) = bytes.split_first_chunk::<N>() else { return [0; N] };
    *bytes = rest;
    *taken
}
