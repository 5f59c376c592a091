//! Benches of the log: `cargo bench --bench log`.
//!
//! What a caller of a durable append waits for is fdatasync, about 0.3 ms on the machine the README's figures are from:
//! one caller alone gets 3,000 a second at best. With 64 callers waiting, whoever comes during one fdatasync shares the
//! next, so that appends grow by the size of the group and the disk does what it did.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures by the clock and prints")]
#![allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use apos::domain::{Body, Position, Time};
use apos::log::{Appender, Log, codec};
use apos::store::{Row, Tables};
use tempfile::TempDir;
use tokio::task::JoinSet;

#[path = "../it/support/entries.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod entries;
#[path = "../it/support/plain.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod plain;
#[path = "../it/support/port.rs"]
mod port;
#[path = "../it/support/redis.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod redis;

const CALLERS: usize = 64;
const SPAN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<()> {
    encoding()?;
    let folder = TempDir::with_prefix("apos-bench-")?;
    println!("\ndurable appends, {CALLERS} callers waiting, {} s each", SPAN.as_secs());
    println!("{:<8} {:>12} {:>12} {:>10}", "log", "appends/s", "records/s", "a record");
    appends(Log::memory()).await?;
    appends(Log::sqlite(&folder.path().join("log.db")).await?).await?;
    match redis::Redis::start() {
        Ok(server) => appends(Log::redis(&server.url(), "bench").await?).await?,
        Err(error) => println!("redis    left out: {error:#}"),
    }
    rows(&folder).await
}

/// An event and a decision in turn: the mix of a busy switch.
fn body(number: u64) -> Body {
    if number.is_multiple_of(2) {
        Body::Payment(Box::new(entries::payment(number)))
    } else {
        Body::Decided(std::sync::Arc::new(entries::decision(number)))
    }
}

/// How long something takes, the best of many tries.
fn best(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn encoding() -> Result<()> {
    println!("{:<16} {:>10} {:>10} {:>12} {:>12} {:>12}", "record of", "postcard", "stored", "encode", "decode", "decode");
    for count in [1, 64, 4_096] {
        let bodies: Vec<Body> = (0..count).map(body).collect();
        let bytes = codec::encode(&bodies)?;
        let plain = codec::unpack(&bytes)?.len();
        let encode = best(|| codec::encode(black_box(&bodies)).map(drop).context("encode"))?;
        let decode = best(|| codec::decode(black_box(&bytes)).map(drop).context("decode"))?;
        let (mb, each) = (plain as f64 / 1e6, count as f64);
        println!(
            "{count:>7} entries {plain:>8} B {:>8} B {:>7.0} MB/s {:>7.0} MB/s {:>7.2} µs/e",
            bytes.len(),
            mb / encode,
            mb / decode,
            decode / each * 1e6
        );
    }
    Ok(())
}

async fn appends(log: Log) -> Result<()> {
    let kind = log.kind();
    let start = Instant::now();
    let (appender, commit) = Appender::new(log.clone(), move || Time::from_secs(1) + start.elapsed());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS as u64 {
        let appender = appender.clone();
        callers.spawn(async move {
            let mut done = 0_u64;
            while start.elapsed() < SPAN {
                appender.append(body(caller + done)).await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    drop(appender);
    let mut served = JoinSet::new();
    served.spawn(commit.run());
    let mut total = 0;
    for done in callers.join_all().await {
        total += done?;
    }
    let (seconds, records) = (start.elapsed().as_secs_f64(), log.last().await?);
    served.join_all().await;
    println!(
        "{kind:<8} {:>12.0} {:>12.0} {:>10.1}",
        total as f64 / seconds,
        records as f64 / seconds,
        total as f64 / records as f64
    );
    Ok(())
}

/// The projector's side: rows into tables, 2,000 entries a transaction.
async fn rows(folder: &TempDir) -> Result<()> {
    let tables = Tables::sqlite(&folder.path().join("tables.db")).await?;
    tables.migrate().await?;
    let total = 200_000;
    let rows: Vec<Row> = (1..=total).map(row).collect();
    let start = Instant::now();
    for batch in rows.chunks(2_000) {
        tables.write(batch, batch.last().context("a batch has rows")?.position()).await?;
    }
    println!("\nrows into SQLite's tables: {:.0}/s", total as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

fn row(number: u64) -> Row {
    let (position, at) = (Position { record: number, index: 0 }, Time::from_secs(1));
    match body(number) {
        Body::Decided(decision) => Row::Decision { position, at, decision },
        _ => Row::Payment { position, at, event: Box::new(entries::payment(number)) },
    }
}
