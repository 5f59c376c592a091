//! Time travel on a log of 10^7 entries of the mix: `cargo bench --bench replay`.
//!
//! The log is an SQLite file in a temporary folder, or in `$APOS_BENCH_FOLDER`, where it is kept and found again;
//! `$APOS_BENCH_ENTRIES` makes it another size.
//! Measured: a fold from the beginning to the end with decoding, the making of the ladder, and jumps to random times.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
#![allow(clippy::cast_precision_loss, missing_docs, reason = "counts far below 2^53")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use apos::domain::Body;
use apos::log::{History, Log};
use apos::runtime::past::{Index, Player};

#[allow(dead_code, reason = "shared with the bench of the engine, which uses more of it")]
mod mix;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Entries of the log.
const ENTRIES: u64 = 10_000_000;
/// Entries a record, as at some 8,000 entries a second.
const RECORD: usize = 60;
const JUMPS: usize = 60;
const BUDGET: u64 = 4 << 30;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let kept = std::env::var_os("APOS_BENCH_FOLDER").map(PathBuf::from);
    let temporary = tempfile::tempdir()?;
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let path = folder.join("log.db");
    if !path.exists() {
        runtime.block_on(write(folder))?;
    }
    let history = History::of(runtime.block_on(Log::sqlite_read_only(&path))?, &folder.join("archive"));
    let index = Index::open(&folder.join("archive/ladder"), BUDGET);
    let mut player = Player::open(history, index, runtime.handle().clone())?;
    fold(&mut player)?;
    complete(&player)?;
    jumps(&mut player)
}

async fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let begun = Instant::now();
    let beside = folder.join("log.part");
    let log = Log::sqlite(&beside).await?;
    let (mut mix, mut written, mut at) = (mix::Mix::new(10), 0, None);
    let mut bodies: Vec<Body> = Vec::new();
    let wanted = std::env::var("APOS_BENCH_ENTRIES").map_or(Ok(ENTRIES), |text| text.parse())?;
    while written < wanted {
        mix.pay();
        for entry in mix.entries.drain(..) {
            at = Some(entry.at);
            bodies.push(entry.body);
        }
        if bodies.len() >= RECORD {
            written += bodies.len() as u64;
            log.append(0, at.context("a time")?, std::mem::take(&mut bodies)).await?;
        }
    }
    log.close().await;
    std::fs::rename(&beside, folder.join("log.db"))?;
    let size = std::fs::metadata(folder.join("log.db"))?.len();
    println!("wrote {written} entries, {} MB, in {:.1} s", size >> 20, begun.elapsed().as_secs_f64());
    Ok(())
}

fn fold(player: &mut Player) -> Result<()> {
    let mut player = player.again()?;
    let (begun, last) = (Instant::now(), player.span().last);
    player.run_through(last, &mut |_| true)?;
    let (events, decisions) = player.state().folded();
    let seconds = begun.elapsed().as_secs_f64();
    println!("folded {} entries in {seconds:.1} s: {:.0} a second", events + decisions, (events + decisions) as f64 / seconds);
    let begun = Instant::now();
    let bytes = player.state().checkpoint();
    println!("checkpoint at the end: {} MB in {:.2} s", bytes.len() >> 20, begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let state = apos::engine::State::restore(&bytes)?;
    println!("restored in {:.2} s", begun.elapsed().as_secs_f64());
    drop(state);
    Ok(())
}

fn complete(player: &Player) -> Result<()> {
    let (begun, mut own) = (Instant::now(), player.again()?);
    // On a thread of its own, as in the program: it lowers its priority.
    let made = std::thread::scope(|scope| scope.spawn(move || Index::complete(&mut own, &mut |_| true)).join());
    made.map_err(|_| anyhow::anyhow!("the index panicked"))??;
    println!("the ladder is complete after {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn jumps(player: &mut Player) -> Result<()> {
    let span = player.span();
    let whole = span.to.since(span.from);
    let mut took: Vec<Duration> = Vec::new();
    for jump in 0..JUMPS {
        // Spread without any order: multiples of the golden ratio.
        let part = (jump as f64 * 0.618_033_988_75).fract();
        let target = span.from + whole.mul_f64(part);
        let begun = Instant::now();
        player.seek(target, &mut |_| true)?;
        took.push(begun.elapsed());
        anyhow::ensure!(player.state().at() <= target && target.since(player.state().at()) < Duration::from_secs(1));
    }
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64();
    println!("{JUMPS} jumps: p50 {:.2} s, p95 {:.2} s, longest {:.2} s", at(50), at(95), at(100));
    Ok(())
}
