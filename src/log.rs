//! The log: one total order of records, durable before it is acknowledged. The truth; everything else follows from it.
//!
//! A record is the batch of one group commit. It is numbered from 1 without gaps, carries a time that never runs
//! backwards, and is never changed; old records are trimmed only behind a checkpoint. The log stores and orders: it
//! never looks into an entry, and decides nothing.
//!
//! Three places can hold it, a closed set: memory, an SQLite file, a Redis Stream.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::entry::ENCODING;
use crate::domain::{Body, Position, Record, Time};

pub mod appender;
pub mod archive;
mod chain;
pub mod codec;
mod durable;
pub mod history;
mod import;
pub mod ladder;
mod memory;
mod recent;
mod redis;
pub mod segment;
pub mod spool;
mod sqlite;
mod tail;
mod watching;

pub use appender::{Appender, GroupCommit};
pub use archive::{Archive, Sealer};
pub use chain::Chain;
pub use codec::CodecError;
pub use history::History;
pub use import::Import;
pub use ladder::Ladder;
pub use memory::Memory;
pub use redis::RedisStream;
pub use segment::SegmentError;
pub use spool::SpoolFile;
pub use sqlite::Sqlite;
pub use tail::Tail;

/// Checkpoints kept, the newest ones. Three: the newest may be damaged, the one before it may be too new for a
/// replay, and each may be hundreds of megabytes.
pub const CHECKPOINTS_KEPT: usize = 3;

/// Largest piece a checkpoint is stored in. An append waits behind at most one of them: 1 MiB takes about 5 ms.
const CHECKPOINT_PART: usize = 1 << 20;

/// A log. Clones are handles on the same one.
#[derive(Debug, Clone)]
pub enum Log {
    /// In memory.
    Memory(Memory),
    /// In an SQLite file.
    Sqlite(Sqlite),
    /// On a Redis Stream.
    Redis(RedisStream),
}

/// Why the log could not do what was asked. Cheap to clone: every waiter of a group commit gets it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The writer's lease was taken over.
    #[error("epoch {epoch} may not append: the lease is at epoch {current}; another replica leads")]
    Fenced {
        /// The writer's epoch.
        epoch: u64,
        /// The newest epoch granted.
        current: u64,
    },
    /// A record's bytes cannot be read.
    #[error("record {number} of the log cannot be read")]
    Unreadable {
        /// The record.
        number: u64,
        /// What is wrong with it, and what to do.
        #[source]
        source: CodecError,
    },
    /// A checkpoint's bytes cannot be read.
    #[error("the checkpoint at {position} cannot be read; an older one, or the log from its start, can stand in")]
    BadCheckpoint {
        /// Where it was taken.
        position: Position,
        /// What is wrong with it.
        #[source]
        source: CodecError,
    },
    /// The record asked for is not there, though a later one is.
    #[error("record {wanted} of the log is missing, the next is {found}: it was trimmed, or the log lost it")]
    Missing {
        /// The record asked for.
        wanted: u64,
        /// The next one there is.
        found: u64,
    },
    /// Entries cannot be encoded.
    #[error("the entries cannot be encoded")]
    Encoding(#[from] CodecError),
    /// Another program writes to our stream.
    #[error("entry {id} of the stream is not a record of this log: another program writes to its key")]
    Foreign {
        /// The entry.
        id: String,
    },
    /// The file belongs to a newer program.
    #[error("the log's file has layout {found}, this program knows {known}; use the newer program")]
    NewerLayout {
        /// The file's layout.
        found: i64,
        /// The newest layout known here.
        known: i64,
    },
    /// The file is not what SQLite wrote.
    #[error(
        "it is damaged, or no SQLite file at all: restore it from a backup, or move it away and a new log begins \
         (`apos log export` saves what can still be read)"
    )]
    DamagedFile(#[source] Arc<sqlx::Error>),
    /// The folder cannot be written, and records wait beside the file.
    #[error(
        "its folder cannot be written, and SQLite needs to, for records wait in log.db-wal beside it: copy the folder to \
         where you may write, and name it by --data-dir"
    )]
    ReadOnlyFolder,
    /// The file holds something else.
    #[error("it is the SQLite file of another program: choose another folder by --data-dir")]
    ForeignFile,
    /// SQLite failed.
    #[error("the log's SQLite file failed")]
    Sqlite(#[source] Arc<sqlx::Error>),
    /// Redis failed, or cannot be reached.
    #[error("the log's Redis failed")]
    Redis(#[from] ::redis::RedisError),
    /// A segment of the archive, or an export, cannot be read.
    #[error(transparent)]
    Archive(#[from] SegmentError),
    /// It was opened to be read.
    #[error("the log was opened to be read only")]
    ReadOnly,
    /// Too much waits to be appended.
    #[error("the log does not keep up: {waiting} appends wait")]
    QueueFull {
        /// How many wait.
        waiting: usize,
    },
    /// The appender has ended; the program is shutting down.
    #[error("the log is closed")]
    Closed,
}

/// What an append gave a record.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    number: u64,
    at: Time,
}

impl From<sqlx::Error> for LogError {
    fn from(error: sqlx::Error) -> Self {
        if durable::is_damage(&error) { Self::DamagedFile(Arc::new(error)) } else { Self::Sqlite(Arc::new(error)) }
    }
}

impl Log {
    /// An empty log in memory.
    #[must_use]
    pub fn memory() -> Self {
        Self::Memory(Memory::new())
    }

    /// The log in an SQLite file, created if it is missing.
    ///
    /// # Errors
    /// When the file cannot be opened, is no SQLite database, or is of a newer program.
    pub async fn sqlite(path: &Path) -> Result<Self, LogError> {
        Ok(Self::Sqlite(Sqlite::open(path).await?))
    }

    /// The log on the Redis Stream `{key}:records`, created if it is missing; its other keys begin with `{key}:` too.
    ///
    /// # Errors
    /// When the URL is not one, or the server does not answer.
    pub async fn redis(url: &str, key: &str) -> Result<Self, LogError> {
        Ok(Self::Redis(RedisStream::connect(url, key).await?))
    }

    /// The log in an SQLite file that another process may be writing: nothing can be appended, no lease taken.
    ///
    /// # Errors
    /// When the file does not exist, is no log, or is of a newer program.
    pub async fn sqlite_read_only(path: &Path) -> Result<Self, LogError> {
        Ok(Self::Sqlite(Sqlite::open_read_only(path).await?))
    }

    /// As [`Log::redis`], but nothing is written there: nothing can be appended, no lease taken.
    ///
    /// # Errors
    /// As there.
    pub async fn redis_read_only(url: &str, key: &str) -> Result<Self, LogError> {
        Ok(Self::Redis(RedisStream::connect_read_only(url, key).await?))
    }

    /// What holds it: `memory`, `sqlite` or `redis`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Sqlite(_) => "sqlite",
            Self::Redis(_) => "redis",
        }
    }

    /// Appends one record; it is durable when this returns. Its time is `now`, or its predecessor's if that is later.
    ///
    /// `epoch` is the writer's lease; 0 for a writer without one, which is always let in.
    ///
    /// # Errors
    /// [`LogError::Fenced`] when the epoch is not the newest one granted; otherwise what the storage says. After an
    /// error of the storage the record may have been written all the same.
    ///
    /// # Panics
    /// When `bodies` is empty: an empty record has no position.
    pub async fn append(&self, epoch: u64, now: Time, bodies: Vec<Body>) -> Result<Record, LogError> {
        let Stamp { number, at } = self.commit(epoch, now, &bodies).await?;
        Ok(Record { number, at, epoch, encoding: ENCODING, bodies })
    }

    /// As [`Log::append`], for a caller that keeps the entries in case they must be appended again.
    async fn commit(&self, epoch: u64, now: Time, bodies: &[Body]) -> Result<Stamp, LogError> {
        assert!(!bodies.is_empty(), "a record holds at least one entry");
        match self {
            Self::Memory(log) => log.commit(epoch, now, bodies),
            Self::Sqlite(log) => log.commit(epoch, now, bodies).await,
            Self::Redis(log) => log.commit(epoch, now, bodies).await,
        }
    }

    /// Up to `limit` records from number `from` on (0 means 1); fewer, or none, where the log ends.
    ///
    /// # Errors
    /// [`LogError::Missing`] when record `from` was trimmed, [`LogError::Unreadable`], or what the storage says.
    pub async fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, LogError> {
        let from = from.max(1);
        let records = match self {
            Self::Memory(log) => log.read(from, limit),
            Self::Sqlite(log) => log.read(from, limit).await?,
            Self::Redis(log) => log.read(from, limit).await?,
        };
        contiguous(from, records)
    }

    /// Follows the log from record `from` on (0 means 1).
    #[must_use]
    pub fn tail(&self, from: u64) -> Tail {
        Tail::new(self.clone(), from.max(1))
    }

    /// The first record's number; 0 while the log is empty.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn first(&self) -> Result<u64, LogError> {
        match self {
            Self::Memory(log) => Ok(log.ends().0),
            Self::Sqlite(log) => log.first().await,
            Self::Redis(log) => log.first().await,
        }
    }

    /// The last record's number; 0 while the log is empty.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn last(&self) -> Result<u64, LogError> {
        match self {
            Self::Memory(log) => Ok(log.ends().1),
            Self::Sqlite(log) => log.last().await,
            Self::Redis(log) => log.last().await,
        }
    }

    /// Keeps a checkpoint of the state after the entry at `position`, and forgets all but the newest
    /// [`CHECKPOINTS_KEPT`]. A second one at the same position replaces the first.
    ///
    /// # Errors
    /// What the storage says; the older checkpoints are untouched then.
    pub async fn save_checkpoint(&self, position: Position, bytes: &[u8]) -> Result<(), LogError> {
        self.save_packed_checkpoint(position, &codec::pack(bytes)?).await
    }

    /// As [`Log::save_checkpoint`], of bytes that [`codec::pack_written`] made: packing takes a processor for a while, and the
    /// caller may have a better thread for it.
    ///
    /// # Errors
    /// As there.
    pub async fn save_packed_checkpoint(&self, position: Position, packed: &[u8]) -> Result<(), LogError> {
        match self {
            Self::Memory(log) => {
                log.save_checkpoint(position, &codec::unpack(packed)?);
                Ok(())
            }
            Self::Sqlite(log) => log.save_checkpoint(position, packed).await,
            Self::Redis(log) => log.save_checkpoint(position, packed).await,
        }
    }

    /// The newest checkpoint at or before `at_most` (the newest of all when that is absent), with its position.
    ///
    /// # Errors
    /// [`LogError::BadCheckpoint`], which names the position below which to ask again; or what the storage says.
    pub async fn load_checkpoint(&self, at_most: Option<Position>) -> Result<Option<(Position, Vec<u8>)>, LogError> {
        const END: Position = Position { record: u64::MAX, index: u32::MAX };
        let at_most = at_most.unwrap_or(END);
        let found = match self {
            Self::Memory(log) => return Ok(log.load_checkpoint(at_most)),
            Self::Sqlite(log) => log.load_checkpoint(at_most).await?,
            Self::Redis(log) => log.load_checkpoint(at_most).await?,
        };
        let Some((position, bytes)) = found else { return Ok(None) };
        let bytes = codec::unpack(&bytes).map_err(|source| LogError::BadCheckpoint { position, source })?;
        Ok(Some((position, bytes)))
    }

    /// Says where the log's file is cut off, if it is: records up to [`Log::last`] can be read all the same, by a log that
    /// is opened to be read only.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn cut(&self) -> Result<Option<String>, LogError> {
        match self {
            Self::Sqlite(log) => log.cut().await,
            Self::Memory(_) | Self::Redis(_) => Ok(None),
        }
    }

    /// Where there are checkpoints, the oldest first.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn checkpoints(&self) -> Result<Vec<Position>, LogError> {
        match self {
            Self::Memory(log) => Ok(log.checkpoints()),
            Self::Sqlite(log) => log.checkpoints().await,
            Self::Redis(log) => log.checkpoints().await,
        }
    }

    /// The lease: its epoch, and who holds it.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn lease(&self) -> Result<(u64, Option<String>), LogError> {
        match self {
            Self::Memory(log) => Ok(log.lease()),
            Self::Sqlite(log) => log.lease().await,
            Self::Redis(log) => log.lease().await,
        }
    }

    /// Forgets the records before number `before`. The last record always stays: the next one's number and time
    /// follow from it.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn trim(&self, before: u64) -> Result<(), LogError> {
        match self {
            Self::Memory(log) => {
                log.trim(before);
                Ok(())
            }
            Self::Sqlite(log) => log.trim(before).await,
            Self::Redis(log) => log.trim(before).await,
        }
    }

    /// Asks for the lease: its new epoch, or `None` while it is held and has not run out. Not even its holder is given a
    /// new epoch then: a request that was given up and arrives late would fence the leadership that a later one opened.
    ///
    /// `now` is the asking machine's clock; Redis, shared by many machines, uses its own instead.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn acquire_lease(&self, holder: &str, ttl: Duration, now: Time) -> Result<Option<u64>, LogError> {
        match self {
            Self::Memory(log) => Ok(log.acquire_lease(holder, ttl, now)),
            Self::Sqlite(log) => log.acquire_lease(holder, ttl, now).await,
            Self::Redis(log) => log.acquire_lease(holder, ttl).await,
        }
    }

    /// Prolongs a lease to `now + ttl`; false when another holder, or another epoch, has taken it over.
    ///
    /// # Errors
    /// What the storage says; the lease runs on as it was.
    pub async fn renew_lease(&self, holder: &str, epoch: u64, ttl: Duration, now: Time) -> Result<bool, LogError> {
        match self {
            Self::Memory(log) => Ok(log.renew_lease(holder, epoch, ttl, now)),
            Self::Sqlite(log) => log.renew_lease(holder, epoch, ttl, now).await,
            Self::Redis(log) => log.renew_lease(holder, epoch, ttl).await,
        }
    }

    /// Closes what holds the log, when nobody needs it any more; what is asked of it later fails.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(log) => log.close().await,
            Self::Memory(_) | Self::Redis(_) => {}
        }
    }

    /// Gives a lease back before it runs out; one that was taken over meanwhile is left alone.
    ///
    /// # Errors
    /// What the storage says; the lease runs out by itself then.
    pub async fn release_lease(&self, holder: &str, epoch: u64) -> Result<(), LogError> {
        match self {
            Self::Memory(log) => {
                log.release_lease(holder, epoch);
                Ok(())
            }
            Self::Sqlite(log) => log.release_lease(holder, epoch).await,
            Self::Redis(log) => log.release_lease(holder, epoch).await,
        }
    }
}

/// Numbers have no gaps, so a record that is not where it belongs was lost.
fn contiguous(from: u64, records: Vec<Record>) -> Result<Vec<Record>, LogError> {
    match records.iter().zip(from..).find(|(record, wanted)| record.number != *wanted) {
        None => Ok(records),
        Some((record, wanted)) => Err(LogError::Missing { wanted, found: record.number }),
    }
}

/// A record from what a storage keeps of it.
fn decoded(number: u64, at: i64, epoch: u64, body: &[u8]) -> Result<Record, LogError> {
    let (encoding, bodies) = codec::decode(body).map_err(|source| LogError::Unreadable { number, source })?;
    Ok(Record { number, at: Time::from_micros(at), epoch, encoding, bodies })
}
