//! The log on a Redis Stream: record n is the entry `n-0`, so that Redis's order and ours are one.
//!
//! Keys, all in one slot of a cluster: `{key}:records` (the stream), `{key}:meta` (last number and time, lease),
//! `{key}:writer:<n>` (each writer's last append), `{key}:checkpoints` and `{key}:checkpoint:<position>`. Whatever must
//! be atomic is a script. Durability is the server's: `appendonly yes`, `appendfsync always`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};
use redis::{AsyncConnectionConfig, Client, RedisError, Script, cmd, pipe};
use tokio::sync::Mutex;

use super::{CHECKPOINT_PART, CHECKPOINTS_KEPT, LogError, Stamp, codec, decoded};
use crate::domain::{Body, Position, Record, Time};

/// A server that takes longer to connect is down.
const CONNECT: Duration = Duration::from_secs(2);

/// A server that takes longer to answer is down: a write with its fsync takes milliseconds.
const ANSWER: Duration = Duration::from_secs(5);

/// The first pause before an append whose answer was lost is repeated; doubled twice: a server that restarts is back by
/// then, and a caller does not wait for longer.
const RETRY: Duration = Duration::from_millis(100);

/// How long one read of the tail waits at the server, in milliseconds, before it asks again: only bounds how long a
/// dead connection goes unnoticed.
const BLOCK_MS: u64 = 1_000;

/// KEYS: records, meta, writer. ARGV: epoch, now, token, body. A writer that repeats a token (it never saw the answer)
/// gets the old answer. Numbers stay text where they can: Lua would print a time as 1.78e15.
const APPEND: &str = r"
local done = redis.call('HMGET', KEYS[3], 'token', 'number', 'at')
if done[1] == ARGV[3] then return {1, done[2], done[3]} end
local meta = redis.call('HMGET', KEYS[2], 'number', 'at', 'epoch')
local epoch = meta[3] or '0'
if ARGV[1] ~= '0' and ARGV[1] ~= epoch then return {0, epoch, '0'} end
local number = string.format('%.0f', tonumber(meta[1] or '0') + 1)
local at = ARGV[2]
if meta[2] and tonumber(meta[2]) > tonumber(at) then at = meta[2] end
redis.call('XADD', KEYS[1], number .. '-0', 'at', at, 'epoch', ARGV[1], 'body', ARGV[4])
redis.call('HSET', KEYS[2], 'number', number, 'at', at)
redis.call('HSET', KEYS[3], 'token', ARGV[3], 'number', number, 'at', at)
redis.call('EXPIRE', KEYS[3], 3600)
return {1, number, at}";

/// KEYS: meta. ARGV: holder, time to live in microseconds. Time is the server's. 0: another holds it.
const ACQUIRE: &str = r"
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local lease = redis.call('HMGET', KEYS[1], 'holder', 'expires')
if lease[1] and lease[1] ~= '' and tonumber(lease[2]) > now then return 0 end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'expires', string.format('%.0f', now + ARGV[2]))
return redis.call('HINCRBY', KEYS[1], 'epoch', 1)";

/// KEYS: meta. ARGV: holder, epoch, time to live in microseconds (0: give it back). Returns whether it was held.
const RENEW: &str = r"
local lease = redis.call('HMGET', KEYS[1], 'holder', 'epoch')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return 0 end
if ARGV[3] == '0' then redis.call('HSET', KEYS[1], 'holder', '') return 1 end
local clock = redis.call('TIME')
redis.call('HSET', KEYS[1], 'expires', string.format('%.0f', clock[1] * 1000000 + clock[2] + ARGV[3]))
return 1";

/// A log on a Redis Stream; clones are handles on the same connection.
#[derive(Debug, Clone)]
pub struct RedisStream {
    client: Client,
    connection: ConnectionManager,
    key: Arc<str>,
    /// None in a log that is only read.
    writer: Option<Arc<Writer>>,
}

/// This process, as a writer: its number, its appends so far, and the turn to append.
#[derive(Debug)]
struct Writer {
    number: u64,
    appends: AtomicU64,
    turn: Mutex<()>,
}

impl RedisStream {
    pub(super) async fn connect(url: &str, key: &str) -> Result<Self, LogError> {
        let mut log = Self::connect_read_only(url, key).await?;
        warn_unless_durable(&mut log.connection).await;
        let number = cmd("HINCRBY").arg(log.name("meta")).arg("writers").arg(1).query_async(&mut log.connection).await?;
        log.writer = Some(Arc::new(Writer { number, appends: AtomicU64::new(0), turn: Mutex::default() }));
        Ok(log)
    }

    pub(super) async fn connect_read_only(url: &str, key: &str) -> Result<Self, LogError> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(1);
        let connection = client.get_connection_manager_with_config(config).await?;
        Ok(Self { client, connection, key: key.into(), writer: None })
    }

    /// One append at a time: the server remembers each writer's last one only.
    pub(super) async fn commit(&self, epoch: u64, now: Time, bodies: &[Body]) -> Result<Stamp, LogError> {
        let body = codec::encode(bodies)?;
        let writer = self.writer()?;
        let _turn = writer.turn.lock().await;
        let token = writer.appends.fetch_add(1, Ordering::Relaxed);
        let script = Script::new(APPEND);
        let once = || async {
            let mut call = script.key(self.name("records"));
            call.key(self.name("meta")).key(self.name(&format!("writer:{}", writer.number)));
            call.arg(epoch).arg(now.micros()).arg(token).arg(&body);
            call.invoke_async::<(u8, u64, i64)>(&mut self.connection.clone()).await
        };
        // Repeating is safe, by the token; it tells a lost answer from a lost append.
        let patience = ExponentialBuilder::default().with_min_delay(RETRY).with_max_times(3);
        match once.retry(patience).when(RedisError::is_io_error).await? {
            (0, current, _) => Err(LogError::Fenced { epoch, current }),
            (_, number, at) => Ok(Stamp { number, at: Time::from_micros(at) }),
        }
    }

    pub(super) async fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, LogError> {
        let found: StreamRangeReply = cmd("XRANGE")
            .arg(self.name("records"))
            .arg(format!("{from}-0"))
            .arg("+")
            .arg("COUNT")
            .arg(limit)
            .query_async(&mut self.connection.clone())
            .await?;
        found.ids.iter().map(record).collect()
    }

    /// A connection of its own: waiting blocks it.
    pub(super) async fn reader(&self) -> Result<StreamReader, LogError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER + Duration::from_millis(BLOCK_MS)));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(StreamReader { connection, records: self.name("records") })
    }

    pub(super) async fn first(&self) -> Result<u64, LogError> {
        let found: StreamRangeReply = cmd("XRANGE")
            .arg(self.name("records"))
            .arg("-")
            .arg("+")
            .arg("COUNT")
            .arg(1)
            .query_async(&mut self.connection.clone())
            .await?;
        found.ids.first().map_or(Ok(0), number)
    }

    pub(super) async fn last(&self) -> Result<u64, LogError> {
        let last: Option<u64> =
            cmd("HGET").arg(self.name("meta")).arg("number").query_async(&mut self.connection.clone()).await?;
        Ok(last.unwrap_or(0))
    }

    /// In parts, so that appends go on between them; the field in `checkpoints`, written last, makes them one.
    pub(super) async fn save_checkpoint(&self, position: Position, bytes: &[u8]) -> Result<(), LogError> {
        self.writer()?;
        let mut connection = self.connection.clone();
        let parts = self.name(&format!("checkpoint:{position}"));
        cmd("UNLINK").arg(&parts).exec_async(&mut connection).await?;
        for part in bytes.chunks(CHECKPOINT_PART) {
            cmd("RPUSH").arg(&parts).arg(part).exec_async(&mut connection).await?;
        }
        cmd("HSET")
            .arg(self.name("checkpoints"))
            .arg(position.to_string())
            .arg(bytes.len())
            .exec_async(&mut connection)
            .await?;
        for old in self.checkpoints().await?.iter().rev().skip(CHECKPOINTS_KEPT) {
            let mut forget = pipe();
            forget.atomic().hdel(self.name("checkpoints"), old.to_string()).unlink(self.name(&format!("checkpoint:{old}")));
            forget.exec_async(&mut connection).await?;
        }
        Ok(())
    }

    pub(super) async fn load_checkpoint(&self, at_most: Position) -> Result<Option<(Position, Vec<u8>)>, LogError> {
        let Some(position) = self.checkpoints().await?.into_iter().rev().find(|position| *position <= at_most) else {
            return Ok(None);
        };
        let parts: Vec<Vec<u8>> = cmd("LRANGE")
            .arg(self.name(&format!("checkpoint:{position}")))
            .arg(0)
            .arg(-1)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(Some((position, parts.concat())))
    }

    pub(super) async fn trim(&self, before: u64) -> Result<(), LogError> {
        self.writer()?;
        let before = before.min(self.last().await?);
        cmd("XTRIM")
            .arg(self.name("records"))
            .arg("MINID")
            .arg(format!("{before}-0"))
            .exec_async(&mut self.connection.clone())
            .await?;
        Ok(())
    }

    pub(super) async fn acquire_lease(&self, holder: &str, ttl: Duration) -> Result<Option<u64>, LogError> {
        self.writer()?;
        let script = Script::new(ACQUIRE);
        let mut call = script.key(self.name("meta"));
        let epoch = call.arg(holder).arg(micros(ttl)).invoke_async(&mut self.connection.clone()).await?;
        Ok(Some(epoch).filter(|epoch| *epoch != 0))
    }

    pub(super) async fn renew_lease(&self, holder: &str, epoch: u64, ttl: Duration) -> Result<bool, LogError> {
        self.writer()?;
        let script = Script::new(RENEW);
        let mut call = script.key(self.name("meta"));
        // Never 0, which means to give it back.
        call.arg(holder).arg(epoch).arg(micros(ttl).max(1));
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    pub(super) async fn release_lease(&self, holder: &str, epoch: u64) -> Result<(), LogError> {
        self.writer()?;
        let script = Script::new(RENEW);
        let mut call = script.key(self.name("meta"));
        call.arg(holder).arg(epoch).arg(0).invoke_async::<bool>(&mut self.connection.clone()).await?;
        Ok(())
    }

    pub(super) async fn lease(&self) -> Result<(u64, Option<String>), LogError> {
        let found: (Option<u64>, Option<String>) =
            cmd("HMGET").arg(self.name("meta")).arg("epoch").arg("holder").query_async(&mut self.connection.clone()).await?;
        Ok((found.0.unwrap_or(0), found.1.filter(|holder| !holder.is_empty())))
    }

    fn writer(&self) -> Result<&Writer, LogError> {
        self.writer.as_deref().ok_or(LogError::ReadOnly)
    }

    /// Where there are checkpoints, the oldest first.
    pub(super) async fn checkpoints(&self) -> Result<Vec<Position>, LogError> {
        let names: Vec<String> = cmd("HKEYS").arg(self.name("checkpoints")).query_async(&mut self.connection.clone()).await?;
        let mut positions: Vec<Position> = names.iter().filter_map(|name| name.parse().ok()).collect();
        positions.sort_unstable();
        Ok(positions)
    }

    fn name(&self, part: &str) -> String {
        format!("{{{}}}:{part}", self.key)
    }
}

/// A connection that waits for records.
#[derive(Debug)]
pub(super) struct StreamReader {
    connection: MultiplexedConnection,
    records: String,
}

impl StreamReader {
    /// Waits a while for records from number `from` on; empty when none came.
    pub(super) async fn read(&mut self, from: u64, limit: usize) -> Result<Vec<Record>, LogError> {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(limit).arg("BLOCK").arg(BLOCK_MS);
        // XREAD gives what comes after an id.
        read.arg("STREAMS").arg(&self.records).arg(format!("{}-0", from - 1));
        let found: Option<StreamReadReply> = read.query_async(&mut self.connection).await?;
        found.iter().flat_map(|reply| &reply.keys).flat_map(|stream| &stream.ids).map(record).collect()
    }
}

/// A server that forgets what it acknowledged makes the log forget: say so. A server that will not tell is believed.
async fn warn_unless_durable(connection: &mut ConnectionManager) {
    for (name, wanted) in [("appendonly", "yes"), ("appendfsync", "always")] {
        let told: Result<Vec<String>, RedisError> = cmd("CONFIG").arg("GET").arg(name).query_async(connection).await;
        if let Ok([_, found]) = told.as_deref()
            && found != wanted
        {
            tracing::warn!(
                component = "log",
                "Redis has {name} {found}: a crash of it may lose acknowledged events; set it to {wanted}"
            );
        }
    }
}

fn record(entry: &StreamId) -> Result<Record, LogError> {
    let number = number(entry)?;
    let (Some(at), Some(epoch), Some(body)) = (entry.get("at"), entry.get("epoch"), entry.get::<Vec<u8>>("body")) else {
        return Err(LogError::Unreadable { number, source: codec::CodecError::Short(0) });
    };
    decoded(number, at, epoch, &body)
}

fn number(entry: &StreamId) -> Result<u64, LogError> {
    let number = entry.id.strip_suffix("-0").and_then(|number| number.parse().ok());
    number.ok_or_else(|| LogError::Foreign { id: entry.id.clone() })
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
