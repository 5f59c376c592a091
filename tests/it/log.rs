//! One suite for the log in memory, on SQLite and on a Redis Stream.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use apos::domain::entry::ENCODING;
use apos::domain::{Body, Position, Record, Time};
use apos::log::{Appender, CHECKPOINTS_KEPT, Log, LogError, codec};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::entries::{
    at, counted_bodies, every_body, fetched_bodies, later_bodies, of_the_first_release, payment, routing_bodies,
};
use crate::support::redis::Redis;

/// Nothing here takes longer than this, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a log lives, so that it can be opened again.
enum Home {
    Memory(Log),
    Sqlite(TempDir),
    Redis(Redis),
}

impl Home {
    #[expect(clippy::unnecessary_wraps, reason = "as its siblings, which can fail")]
    fn memory() -> Result<Self> {
        Ok(Self::Memory(Log::memory()))
    }

    fn sqlite() -> Result<Self> {
        Ok(Self::Sqlite(TempDir::with_prefix("apos-log-")?))
    }

    fn redis() -> Result<Self> {
        Redis::start().map(Self::Redis)
    }

    async fn open(&self) -> Result<Log> {
        Ok(match self {
            Self::Memory(log) => log.clone(),
            Self::Sqlite(folder) => Log::sqlite(&folder.path().join("log.db")).await?,
            Self::Redis(server) => Log::redis(&server.url(), "test").await?,
        })
    }

    /// Changes the file behind the log's back.
    async fn tamper(&self, sql: &'static str) -> Result<()> {
        let Self::Sqlite(folder) = self else { anyhow::bail!("only a file can be tampered with") };
        let mut file =
            SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(folder.path().join("log.db"))).await?;
        sqlx::query(sql).execute(&mut file).await?;
        Ok(())
    }

    /// As after a crash of the storage.
    async fn reopen(&mut self) -> Result<Log> {
        if let Self::Redis(server) = self {
            server.restart()?;
        }
        self.open().await
    }
}

macro_rules! on_every_log {
    ($($check:ident),+ $(,)?) => {
        on_every_log!(@ memory $($check),+);
        on_every_log!(@ sqlite $($check),+);
        on_every_log!(@ redis $($check),+);
    };
    (@ $home:ident $($check:ident),+) => {
        mod $home {
            $(#[tokio::test]
            async fn $check() -> anyhow::Result<()> {
                super::$check(super::Home::$home()?).await
            })+
        }
    };
}

on_every_log! {
    keeps_order_positions_and_every_kind_of_entry,
    time_never_runs_backwards,
    reads_in_batches_from_anywhere,
    tail_sees_every_record_once_while_others_append,
    tail_waits_and_a_dropped_wait_loses_nothing,
    reopening_keeps_all,
    checkpoints_newest_at_most_and_only_some_kept,
    trimming_keeps_the_end_and_says_what_is_missing,
    lease_excludes_expires_and_fences,
    lease_is_renewed_and_released,
    sixty_four_callers_get_positions_of_their_own,
}

fn ticks(count: usize) -> Vec<Body> {
    vec![Body::Ticked; count]
}

fn numbered(number: u64) -> Body {
    Body::Payment(Box::new(payment(number)))
}

async fn keeps_order_positions_and_every_kind_of_entry(home: Home) -> Result<()> {
    let log = home.open().await?;
    assert_eq!((log.first().await?, log.last().await?), (0, 0));
    let bodies = [every_body(), routing_bodies()].concat();
    let first = log.append(0, Time::from_secs(1), bodies.clone()).await?;
    let second = log.append(0, Time::from_secs(2), vec![numbered(1), numbered(2)]).await?;
    // Who appended it has it in memory still; another one reads what was written.
    for reader in [log.clone(), home.open().await?] {
        let read = reader.read(0, 10).await?;
        assert_eq!(read, [first.clone(), second.clone()]);
        assert_eq!(read[0].bodies, bodies);
    }
    let positions: Vec<Position> = second.entries().map(|entry| entry.position).collect();
    assert_eq!(positions, [at(2, 0), at(2, 1)]);
    assert_eq!((log.first().await?, log.last().await?), (1, 2));
    Ok(())
}

async fn time_never_runs_backwards(home: Home) -> Result<()> {
    let log = home.open().await?;
    // Beyond 2^53 / 10, where a float printed in short form would lose digits.
    let late = Time::from_micros(1_786_652_670_250_123);
    for (now, stamped) in
        [(late, late), (Time::from_secs(5), late), (late + Duration::from_micros(1), late + Duration::from_micros(1))]
    {
        assert_eq!(log.append(0, now, ticks(1)).await?.at, stamped);
    }
    let read: Vec<Time> = log.read(1, 10).await?.iter().map(|record| record.at).collect();
    assert_eq!(read, [late, late, late + Duration::from_micros(1)]);
    Ok(())
}

async fn reads_in_batches_from_anywhere(home: Home) -> Result<()> {
    let log = home.open().await?;
    for number in 1..=20 {
        log.append(0, Time::from_secs(1), vec![numbered(number)]).await?;
    }
    for (from, limit, expected) in [(0, 3, vec![1, 2, 3]), (18, 10, vec![18, 19, 20]), (21, 10, vec![]), (7, 1, vec![7])] {
        let numbers: Vec<u64> = log.read(from, limit).await?.iter().map(|record| record.number).collect();
        assert_eq!(numbers, expected);
    }
    Ok(())
}

async fn tail_sees_every_record_once_while_others_append(home: Home) -> Result<()> {
    const WRITERS: u64 = 4;
    const EACH: u64 = 50;
    let log = home.open().await?;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        // Two handles of their own, as two processes would have.
        let log = if writer % 2 == 0 { log.clone() } else { home.open().await? };
        writers.spawn(async move {
            for number in 0..EACH {
                log.append(0, Time::from_secs(1), vec![numbered(writer * EACH + number)]).await?;
            }
            Ok::<(), LogError>(())
        });
    }
    let followed = async {
        let (mut tail, mut seen) = (log.tail(0), BTreeSet::new());
        for number in 1..=WRITERS * EACH {
            let record = tail.next().await?;
            ensure!(record.number == number, "record {} came where {number} belongs", record.number);
            seen.insert(payment_of(&record)?);
        }
        Ok(seen)
    };
    let seen = tokio::time::timeout(PATIENCE, followed).await??;
    assert_eq!(seen.len() as u64, WRITERS * EACH);
    for written in writers.join_all().await {
        written?;
    }
    Ok(())
}

fn payment_of(record: &Record) -> Result<String> {
    match &record.bodies[..] {
        [Body::Payment(event)] => Ok(event.payment.to_string()),
        other => anyhow::bail!("not one payment: {other:?}"),
    }
}

async fn tail_waits_and_a_dropped_wait_loses_nothing(home: Home) -> Result<()> {
    let log = home.open().await?;
    log.append(0, Time::from_secs(1), ticks(1)).await?;
    let mut tail = log.tail(2);
    for number in 2..5 {
        let early = tokio::time::timeout(Duration::from_millis(20), tail.next()).await;
        assert!(early.is_err(), "{early:?} came before it was appended");
        log.append(0, Time::from_secs(1), ticks(1)).await?;
        assert_eq!(tokio::time::timeout(PATIENCE, tail.next()).await??.number, number);
    }
    Ok(())
}

async fn reopening_keeps_all(mut home: Home) -> Result<()> {
    let log = home.open().await?;
    let epoch = log.acquire_lease("one", PATIENCE, Time::from_secs(1)).await?.context("free")?;
    for number in 1..=5 {
        log.append(epoch, Time::from_secs(9), vec![numbered(number)]).await?;
    }
    log.save_checkpoint(at(3, 0), b"state").await?;
    let before = log.read(1, 10).await?;
    drop(log);
    let log = home.reopen().await?;
    assert_eq!(log.read(1, 10).await?, before);
    assert_eq!(log.load_checkpoint(None).await?, Some((at(3, 0), b"state".to_vec())));
    let next = log.append(epoch, Time::from_secs(2), ticks(1)).await?;
    assert_eq!((next.number, next.at), (6, Time::from_secs(9)));
    Ok(())
}

async fn checkpoints_newest_at_most_and_only_some_kept(home: Home) -> Result<()> {
    let log = home.open().await?;
    assert_eq!(log.load_checkpoint(None).await?, None);
    // More than two parts of a megabyte, and not compressible.
    let large: Vec<u8> = (0_u32..150_000).flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).take(2_500_000).collect();
    for (position, bytes) in [(at(1, 5), &b"a"[..]), (at(2, 0), &large), (at(2, 9), b"c"), (at(10, 0), b""), (at(10, 0), b"d")]
    {
        log.save_checkpoint(position, bytes).await?;
    }
    for (at_most, expected) in [
        (None, Some((at(10, 0), b"d".to_vec()))),
        (Some(at(9, 99)), Some((at(2, 9), b"c".to_vec()))),
        (Some(at(2, 9)), Some((at(2, 9), b"c".to_vec()))),
        (Some(at(2, 8)), Some((at(2, 0), large.clone()))),
        (Some(at(1, 99)), None),
    ] {
        assert!(log.load_checkpoint(at_most).await? == expected, "at most {at_most:?}");
    }
    assert_eq!(CHECKPOINTS_KEPT, 3, "the first of the four positions is the one forgotten");
    Ok(())
}

async fn trimming_keeps_the_end_and_says_what_is_missing(home: Home) -> Result<()> {
    let log = home.open().await?;
    for number in 1..=10 {
        log.append(0, Time::from_secs(7), vec![numbered(number)]).await?;
    }
    log.trim(4).await?;
    assert_eq!((log.first().await?, log.last().await?), (4, 10));
    assert_eq!(log.read(4, 100).await?.len(), 7);
    let missing = |outcome| matches!(outcome, Err(LogError::Missing { wanted: 2, found: 4 }));
    assert!(missing(log.read(2, 100).await.map(drop)));
    assert!(missing(log.tail(2).next().await.map(drop)));
    log.trim(999).await?;
    assert_eq!((log.first().await?, log.last().await?), (10, 10));
    let next = log.append(0, Time::from_secs(1), ticks(1)).await?;
    assert_eq!((next.number, next.at), (11, Time::from_secs(7)));
    Ok(())
}

/// Asks until the lease is free, on a clock that goes on by what was waited.
async fn acquired_later(log: &Log, holder: &str, mut now: Time) -> Result<u64> {
    const STEP: Duration = Duration::from_millis(5);
    for _ in 0..1_000 {
        if let Some(epoch) = log.acquire_lease(holder, PATIENCE, now).await? {
            return Ok(epoch);
        }
        tokio::time::sleep(STEP).await;
        now = now + STEP;
    }
    anyhow::bail!("the lease never ran out")
}

async fn lease_excludes_expires_and_fences(home: Home) -> Result<()> {
    let (one, two) = (home.open().await?, home.open().await?);
    let now = Time::from_secs(100);
    let old = one.acquire_lease("one", Duration::from_millis(200), now).await?.context("free")?;
    assert_eq!(two.acquire_lease("two", PATIENCE, now).await?, None);
    one.append(old, now, ticks(1)).await?;
    let new = acquired_later(&two, "two", now).await?;
    assert!(new > old);
    assert!(!one.renew_lease("one", old, PATIENCE, now).await?);
    let refused = one.append(old, now, ticks(1)).await;
    assert!(matches!(&refused, Err(LogError::Fenced { epoch, current }) if (*epoch, *current) == (old, new)), "{refused:?}");
    assert!(one.append(new + 1, now, ticks(1)).await.is_err(), "an epoch nobody was granted");
    assert_eq!(one.append(0, now, ticks(1)).await?.number, 2, "a writer without a lease is let in");
    assert_eq!(two.append(new, now, ticks(1)).await?.epoch, new);
    assert_eq!(two.last().await?, 3, "what was refused left nothing");
    Ok(())
}

async fn lease_is_renewed_and_released(home: Home) -> Result<()> {
    let log = home.open().await?;
    let now = Time::from_secs(100);
    let short = Duration::from_millis(1);
    let first = log.acquire_lease("one", short, now).await?.context("free")?;
    assert!(log.renew_lease("one", first, PATIENCE, now).await?);
    assert_eq!(log.acquire_lease("two", PATIENCE, now + short * 10).await?, None, "renewed past its first end");
    assert_eq!(log.acquire_lease("one", PATIENCE, now).await?, None, "a request that comes late must not fence its holder");
    assert!(log.renew_lease("one", first, short, now).await?, "it did not");
    let again = acquired_later(&log, "one", now).await?;
    assert!(again > first, "a new leadership of the same holder fences what it was before");
    assert!(!log.renew_lease("one", first, PATIENCE, now).await?);
    log.release_lease("one", first).await?;
    assert_eq!(log.acquire_lease("two", PATIENCE, now).await?, None, "an old epoch releases nothing");
    log.release_lease("one", again).await?;
    assert!(log.acquire_lease("two", PATIENCE, now).await?.context("released")? > again);
    Ok(())
}

async fn sixty_four_callers_get_positions_of_their_own(home: Home) -> Result<()> {
    const CALLERS: u64 = 64;
    const EACH: u64 = 20;
    let log = home.open().await?;
    let (appender, commit) = Appender::new(log.clone(), || Time::from_secs(1));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        commit.run().await;
        Ok(Vec::new())
    });
    for caller in 0..CALLERS {
        let appender = appender.clone();
        tasks.spawn(async move {
            let mut mine = Vec::new();
            for number in 0..EACH {
                let id = caller * EACH + number;
                mine.push((appender.append(numbered(id)).await?, numbered(id)));
            }
            Ok::<_, LogError>(mine)
        });
    }
    drop(appender);
    let mut acknowledged = Vec::new();
    for mine in tasks.join_all().await {
        acknowledged.extend(mine?);
    }
    acknowledged.sort_by_key(|(position, _)| *position);
    let records = log.read(1, usize::MAX >> 1).await?;
    let held: Vec<(Position, Body)> =
        records.into_iter().flat_map(Record::entries).map(|entry| (entry.position, entry.body)).collect();
    assert_eq!(held.len() as u64, CALLERS * EACH);
    assert_eq!(held, acknowledged);
    Ok(())
}

#[tokio::test]
async fn a_damaged_record_is_named_and_the_ones_before_it_are_read() -> Result<()> {
    let home = Home::sqlite()?;
    let log = home.open().await?;
    for number in 1..=3 {
        log.append(0, Time::from_secs(1), vec![numbered(number)]).await?;
    }
    home.tamper("UPDATE records SET body = substr(body, 1, length(body) - 1) WHERE number = 2").await?;
    let log = home.open().await?;
    assert_eq!(log.read(1, 1).await?.len(), 1);
    let error = anyhow::Error::from(log.read(1, 3).await.err().context("record 2 is damaged")?);
    let said = format!("{error:#}");
    assert!(said.contains("record 2") && said.contains("backup"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_left_alone() -> Result<()> {
    let home = Home::sqlite()?;
    drop(home.open().await?);
    home.tamper("PRAGMA user_version = 99").await?;
    let refused = home.open().await.err().context("refused")?.to_string();
    assert!(refused.contains("99") && refused.contains("newer program"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_log_is_left_alone_and_the_remedy_named() -> Result<()> {
    let check = async |content: &[u8], says: &str| {
        let folder = TempDir::with_prefix("apos-log-")?;
        let path = folder.path().join("log.db");
        std::fs::write(&path, content)?;
        let refused = Log::sqlite(&path).await.err().context("refused")?.to_string();
        ensure!(refused.contains(says), "{refused}");
        Ok(std::fs::read(&path)?)
    };
    let noise = [0xa5; 9_000];
    assert_eq!(check(&noise, "restore it from a backup").await?, noise);
    let folder = TempDir::with_prefix("apos-log-")?;
    let path = folder.path().join("theirs.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut theirs = SqliteConnection::connect_with(&options).await?;
    sqlx::query("CREATE TABLE theirs (a)").execute(&mut theirs).await?;
    theirs.close().await?;
    check(&std::fs::read(&path)?, "of another program").await?;
    Ok(())
}

#[tokio::test]
async fn what_is_queued_while_redis_is_down_arrives_when_it_is_back() -> Result<()> {
    let mut server = Redis::start()?;
    let log = Log::redis(&server.url(), "test").await?;
    let (appender, commit) = Appender::new(log.clone(), || Time::from_secs(1));
    let mut tasks = JoinSet::new();
    tasks.spawn(commit.run());
    appender.append(numbered(0)).await?;
    server.kill()?;
    appender.append_behind(numbered(1))?;
    assert!(appender.append(numbered(2)).await.is_err(), "not durable, so not acknowledged");
    server.restart()?;
    appender.append_behind(numbered(3))?;
    let mut tail = log.tail(1);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let record = tokio::time::timeout(PATIENCE, tail.next()).await??;
        seen.extend(record.bodies);
    }
    assert_eq!(seen, [0, 1, 3].map(numbered));
    appender.close().await;
    tasks.join_all().await;
    assert_eq!(appender.dropped(), 0);
    Ok(())
}

/// What a golden record holds: its bytes, as kept from the release that introduced its encoding.
fn golden(name: &str) -> Result<Vec<u8>> {
    let file = golden_file(name);
    let text = std::fs::read_to_string(&file).with_context(|| format!("{}; APOS_BLESS=1 writes it", file.display()))?;
    Ok(hex::decode(text.split_whitespace().collect::<String>())?)
}

fn golden_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/log").join(name)
}

/// Compares an encoding with the golden one, or keeps it when `APOS_BLESS=1`.
fn check_golden(name: &str, bodies: &[Body]) -> Result<()> {
    if std::env::var_os("APOS_BLESS").is_some_and(|set| set == "1") {
        let encoded = codec::encode(bodies)?;
        let lines: Vec<String> = encoded.chunks(60).map(hex::encode).collect();
        std::fs::write(golden_file(name), lines.join("\n") + "\n")?;
    }
    let kept = golden(name)?;
    let (encoding, read) = codec::decode(&kept)?;
    ensure!((encoding, &read[..]) == (ENCODING, bodies), "{name} decodes to other entries: logs would be misread");
    // Payloads, not files: another release of zstd may compress differently. And what was read, not what it equals: settings
    // that are written anew have the keys that came since.
    ensure!(
        codec::unpack(&kept)? == codec::unpack(&codec::encode(&read)?)?,
        "{name}: the same entries are now encoded differently"
    );
    Ok(())
}

#[test]
fn records_of_the_present_encoding_are_read_and_written_as_ever() -> Result<()> {
    check_golden("record_3_zstd.hex", &every_body())?;
    check_golden("record_3_later.hex", &later_bodies())?;
    check_golden("record_3_fetched.hex", &fetched_bodies())?;
    check_golden("record_3_counted.hex", &counted_bodies())?;
    check_golden("record_3_plain.hex", &[Body::Ticked, numbered(1)])
}

/// A record of an older encoding is read, and written again byte for byte: an archive's chain goes over those bytes.
fn check_older(encoding: u8, name: &str, bodies: Vec<Body>) -> Result<()> {
    let kept = golden(name)?;
    ensure!(codec::decode(&kept)? == (encoding, bodies.clone()), "{name} decodes to other entries: old logs would be misread");
    let record = Record { number: 1, at: Time::ZERO, epoch: 0, encoding, bodies };
    ensure!(codec::unpack(&codec::encode_again(&record)?)? == codec::unpack(&kept)?, "{name} is written otherwise");
    Ok(())
}

#[test]
fn records_of_older_encodings_are_still_read() -> Result<()> {
    check_older(1, "record_1_zstd.hex", of_the_first_release())?;
    let told_less = of_the_first_release().into_iter().filter(|body| matches!(body, Body::Payment(_)));
    check_older(1, "record_1_plain.hex", [Body::Ticked].into_iter().chain(told_less).collect())?;
    check_older(2, "record_2_zstd.hex", every_body())?;
    check_older(2, "record_2_rules.hex", routing_bodies())?;
    check_older(2, "record_2_plain.hex", vec![Body::Ticked, numbered(1)])
}
