//! A running engine whose old records go into the archive, and whose past stays whole.

use apos::runtime::{Handle, RetentionConfig, Runtime as Engine, RuntimeConfig, TablesChoice};
use apos::store::Tables;

use super::*;
use crate::live::{config, until};

/// Far beyond what any wait here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Everything is old at once, and looked for often.
fn strict(folder: &Path) -> RuntimeConfig {
    let retention = RetentionConfig {
        log: Some(Duration::ZERO),
        tables: Some(Duration::ZERO),
        jump_bytes: BUDGET,
        every: Duration::from_millis(50),
        ..RetentionConfig::default()
    };
    RuntimeConfig { retention, tables: TablesChoice::Sqlite, ..config(folder) }
}

async fn started(config: RuntimeConfig) -> Result<Engine> {
    let engine = Engine::start(config).await?;
    until("it leads", &engine.handle(), |status| status.ready && status.leader).await?;
    Ok(engine)
}

async fn traffic(handle: &Handle, from: u64) -> Result<()> {
    for number in from..from + 40 {
        handle.accept(vec![payment(number)]).await?;
    }
    Ok(())
}

/// The tables, once they are connected.
async fn tables(handle: &Handle) -> Result<Tables> {
    let connected = async {
        loop {
            if let Some(tables) = handle.tables() {
                return tables;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    Ok(tokio::time::timeout(PATIENCE, connected).await?)
}

/// Waits until the log begins later than at its first record.
async fn trimmed(folder: &Path) -> Result<u64> {
    let log = Log::sqlite_read_only(&folder.join("log.db")).await?;
    let looks = async {
        loop {
            let first = log.first().await?;
            if first > 1 {
                return Ok(first);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looks).await?
}

#[tokio::test(flavor = "multi_thread")]
async fn old_records_go_into_the_archive_and_the_past_stays_whole() -> Result<()> {
    let folder = TempDir::with_prefix("apos-retention-")?;
    // Each stop leaves a checkpoint, in the log and in the ladder.
    for life in 0..3 {
        let engine = started(RuntimeConfig { retention: strict(folder.path()).retention, ..config(folder.path()) }).await?;
        traffic(&engine.handle(), life * 40).await?;
        engine.shutdown().await;
    }
    let engine = started(strict(folder.path())).await?;
    let first = trimmed(folder.path()).await?;
    traffic(&engine.handle(), 500).await?;
    tables(&engine.handle()).await?;
    engine.shutdown().await;

    let log = Log::sqlite_read_only(&folder.path().join("log.db")).await?;
    let checkpoints = log.checkpoints().await?;
    assert!(first <= checkpoints[checkpoints.len() - 2].record, "{first}, {checkpoints:?}");
    let history = History::of(log.clone(), &folder.path().join("archive"));
    let mut records: Vec<Record> = Vec::new();
    loop {
        let read = history.read(records.last().map_or(1, |last| last.number + 1)).await?;
        if read.is_empty() {
            break;
        }
        records.extend(read);
    }
    let (position, bytes) = log.load_checkpoint(None).await?.unwrap();
    assert_eq!(records.last().unwrap().number, position.record, "the last stop left a checkpoint at the end");
    assert_eq!(blake3::hash(&bytes), folded(&records).fingerprint());
    let events = records.iter().flat_map(|record| &record.bodies).filter(|body| matches!(body, Body::Payment(_))).count();
    assert_eq!(events, 160, "none is lost, none is twice");

    // A jump to before the log's own beginning, from a rung the engine left.
    let handle = tokio::runtime::Handle::current();
    let place = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let index = Index::open(&apos::runtime::past::ladder_dir(&place.join("archive")), BUDGET);
        let mut player = Player::open(history, index, handle).unwrap();
        let early = records.iter().position(|record| record.number + 1 == first).unwrap();
        player.seek_record(first - 1, &mut |_| true).unwrap();
        assert_eq!(player.state().fingerprint(), folded(&records[..=early]).fingerprint());
        player.seek_record(position.record, &mut |_| true).unwrap();
        assert!(player.folded() < records.len() as u64, "a rung saved the rest");
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_left_the_log_is_found_in_the_archive() -> Result<()> {
    let folder = TempDir::with_prefix("apos-retention-")?;
    let request = crate::support::entries::decision(7_000).request;
    let (profile, payment) = (request.profile.clone(), request.payment.clone());
    let mut made = Some(request);
    let mut decided = None;
    for life in 0..3 {
        let engine = started(config(folder.path())).await?;
        if let Some(request) = made.take() {
            decided = Some(engine.handle().decide(request)?);
        }
        traffic(&engine.handle(), life * 40).await?;
        engine.shutdown().await;
    }
    let strict = strict(folder.path());
    let retention = RetentionConfig { tables: None, ..strict.retention.clone() };
    let engine = started(RuntimeConfig { retention, ..strict }).await?;
    // Records leave the log once the tables have seen them.
    trimmed(folder.path()).await?;
    assert_eq!(engine.handle().recalled(&profile, &payment, None).await?, decided);
    engine.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_what_the_tables_have_not_seen() -> Result<()> {
    let folder = TempDir::with_prefix("apos-retention-")?;
    for life in 0..3 {
        let engine = started(config(folder.path())).await?;
        traffic(&engine.handle(), life * 40).await?;
        engine.shutdown().await;
    }
    // The tables cannot be opened: what they will need stays.
    fs::create_dir(folder.path().join("tables.db"))?;
    let engine = started(strict(folder.path())).await?;
    let rounds = tokio::time::timeout(Duration::from_millis(600), trimmed(folder.path())).await;
    assert!(rounds.is_err(), "{rounds:?}");
    fs::remove_dir(folder.path().join("tables.db"))?;
    trimmed(folder.path()).await?;
    let tables = tables(&engine.handle()).await?;
    let pruned = async {
        while tables.counts().await.unwrap().payment_events > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, pruned).await?;
    engine.shutdown().await;
    Ok(())
}
