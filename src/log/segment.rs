//! A file of records: a segment of the archive, or an export.
//!
//! ```text
//! magic    "APOSLOG" and the format's version, 1
//! frames   kind, 1 byte │ length of the body, 4, little-endian │ body │ BLAKE3 of all that, 32
//!   h      the header, in postcard; the first frame
//!   s      the state before the first record: its position and the packed checkpoint; where the file has one
//!   r      records: number of the first, count, times of first and last, chain after the last; then zstd of them
//!   e      the end: records, entries, chain. A file without it is cut off
//! ```
//!
//! A file is written beside its name, synced and then renamed: under its name it is complete, or was damaged later.
//! Reading tells where it is damaged, to the byte and the record, and gives everything before.

mod reading;
mod writing;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use reading::{Block, Segment};
pub use writing::{Sealed, Writer};

use super::{Chain, CodecError};

const MAGIC: &[u8; 7] = b"APOSLOG";

/// The format this program writes, and the newest it reads.
const VERSION: u8 = 1;

const HEADER: u8 = b'h';
const STATE: u8 = b's';
const RECORDS: u8 = b'r';
const END: u8 = b'e';

/// Kind and length.
const FRAME_HEAD: usize = 5;

/// The hash after the body.
const FRAME_HASH: usize = 32;

/// Number, count, two times, chain: what is known of a block of records without unpacking it.
const BLOCK_HEAD: usize = 8 + 4 + 8 + 8 + 32;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the program that wrote it.
    pub program: String,
    /// The number of its first record.
    pub first: u64,
    /// The chain before that record; [`Chain::START`] where nothing before it was at hand.
    pub before: Chain,
    /// Whether merchants, payments and people go by pseudonyms.
    pub pseudonymised: bool,
}

impl Header {
    /// The header of a file that begins with record `first`, written by this program.
    #[must_use]
    pub fn new(first: u64, before: Chain) -> Self {
        Self { program: env!("CARGO_PKG_VERSION").to_owned(), first, before, pseudonymised: false }
    }
}

/// Why a file of records cannot be written or read. Cheap to clone, as the log's errors are.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SegmentError {
    /// The file system refused.
    #[error("{} cannot be {deed}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        deed: &'static str,
        /// What it says.
        #[source]
        source: Arc<io::Error>,
    },
    /// It is no file of records.
    #[error("{} is no file of records: it does not begin like one", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{} has format {found}, this program reads up to {VERSION}; use the newer program", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u8,
    },
    /// Something was written behind what it holds.
    #[error(
        "{} ends at byte {offset}, and {bytes} bytes follow that are not its own: all its records can be read; cut them off",
        path.display()
    )]
    Trailing {
        /// The file.
        path: PathBuf,
        /// Where it ends.
        offset: u64,
        /// How many bytes follow.
        bytes: u64,
    },
    /// The bytes are not those that were written.
    #[error(
        "{} is damaged at byte {offset}: {what}; record {record} and what follows in it cannot be read, all before can",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged frame begins.
        offset: u64,
        /// The first record that is not readable.
        record: u64,
        /// What is wrong.
        what: String,
    },
    /// Records do not follow one another.
    #[error("record {found} came where {wanted} belongs")]
    OutOfOrder {
        /// The number that belongs there.
        wanted: u64,
        /// The one that came.
        found: u64,
    },
    /// Records cannot be encoded.
    #[error("the records cannot be encoded")]
    Encoding(#[from] CodecError),
}

fn io_error(path: &Path, deed: &'static str) -> impl FnOnce(io::Error) -> SegmentError {
    let path = path.to_path_buf();
    move |source| SegmentError::Io { path, deed, source: Arc::new(source) }
}

/// The hash that ends a frame.
fn frame_hash(kind: u8, parts: &[&[u8]]) -> blake3::Hash {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&frame_head(kind, length));
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

fn frame_head(kind: u8, length: usize) -> [u8; FRAME_HEAD] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [kind, a, b, c, d]
}
