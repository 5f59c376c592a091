//! The past: archive and log read as one, jumps that come to the same state as a fold, and damage that is told and
//! costs nothing before it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use apos::domain::entry::ENCODING;
use apos::domain::{Body, Position, Record, Time};
use apos::engine::{State, apply};
use apos::log::segment::{Header, Segment, SegmentError, Writer};
use apos::log::{Archive, Chain, History, Import, Log, LogError, Sealer};
use apos::runtime::past::{Index, PastError, Player, Reached};
use apos::sim::{Driver, Scenario, World};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::entries::payment;
use crate::support::redis::Redis;

mod cli;
mod damage;
mod retention;

const BUDGET: u64 = 1 << 30;

/// The records of a simulated outage, its warm-up left out.
pub(crate) fn night() -> Vec<Record> {
    let scenario = Scenario::find("outage").unwrap();
    let start = scenario.start;
    let world = World::new(scenario, 7);
    let settings = world.settings();
    let mut records = Vec::new();
    let mut driver = Driver::start(world, settings, &mut |record| records.push(record.clone()));
    driver.run_until(start + Duration::from_secs(40), &mut |record| records.push(record.clone()));
    // The engine need not know the usual for what is tested here: a few thousand entries are enough.
    let kept = records.len().min(4_000);
    records.truncate(kept);
    records
}

/// Records of one payment event each.
pub(crate) fn few(count: u64) -> Vec<Record> {
    let record = |number| Record {
        number,
        at: Time::from_secs(1_000 + i64::try_from(number / 2).unwrap()),
        epoch: 1,
        encoding: ENCODING,
        bodies: vec![Body::Payment(Box::new(payment(number)))],
    };
    (1..=count).map(record).collect()
}

/// The state after the first records.
fn folded(records: &[Record]) -> State {
    let (mut state, mut effects) = (State::new(), Vec::new());
    for entry in records.iter().cloned().flat_map(Record::entries) {
        apply(&mut state, &entry, &mut effects);
        effects.clear();
    }
    state
}

/// A data folder with these records in its log.
pub(crate) fn kept(runtime: &Runtime, records: &[Record]) -> TempDir {
    let folder = TempDir::with_prefix("apos-past-").unwrap();
    runtime.block_on(async {
        let import = Import::begin(&folder.path().join("log.db")).await.unwrap();
        import.push(records).await.unwrap();
        import.finish().await.unwrap();
    });
    folder
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn open(runtime: &Runtime, folder: &Path) -> History {
    let log = runtime.block_on(Log::sqlite_read_only(&folder.join("log.db"))).unwrap();
    History::of(log, &folder.join("archive"))
}

fn player(runtime: &Runtime, folder: &Path) -> Player {
    let index = Index::open(&folder.join("archive/checkpoints"), BUDGET);
    Player::open(open(runtime, folder), index, runtime.handle().clone()).unwrap()
}

/// Seals the records before number `before` and forgets them in the log.
fn seal(runtime: &Runtime, folder: &Path, records: &[Record], before: u64) {
    let mut sealer = Sealer::begin(&folder.join("archive"), 1, Chain::START).unwrap();
    for record in records.iter().filter(|record| record.number < before) {
        sealer.push(record).unwrap();
    }
    sealer.finish().unwrap();
    runtime.block_on(async {
        let log = Log::sqlite(&folder.join("log.db")).await.unwrap();
        log.trim(before).await.unwrap();
        log.close().await;
    });
}

/// All records, as many reads as it takes.
fn all(runtime: &Runtime, history: &History) -> Result<Vec<Record>, LogError> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let read = runtime.block_on(history.read(records.last().map_or(1, |last| last.number + 1)))?;
        if read.is_empty() {
            return Ok(records);
        }
        records.extend(read);
    }
}

#[test]
fn archive_and_log_are_read_as_one() {
    let (runtime, records) = (runtime(), few(3_000));
    let folder = kept(&runtime, &records);
    let before = open(&runtime, folder.path());
    seal(&runtime, folder.path(), &records, 2_000);
    // One that was opened before the sealing finds what moved; one opened after it too.
    for history in [before, open(&runtime, folder.path())] {
        assert_eq!(all(&runtime, &history).unwrap(), records);
        let ends = runtime.block_on(async { (history.first().await.unwrap(), history.last().await.unwrap()) });
        assert_eq!(ends, (1, 3_000));
        for (time, record) in [(0, 0), (999, 0), (1_000, 1), (1_001, 3), (1_700, 1_401), (2_200, 2_401), (9_999, 3_000)] {
            assert_eq!(runtime.block_on(history.record_at(Time::from_secs(time))).unwrap(), record, "at {time}");
        }
        assert_eq!(runtime.block_on(history.record(1_999)).unwrap(), records[1_998]);
    }
}

#[test]
fn what_is_in_neither_is_missing() {
    let (runtime, records) = (runtime(), few(100));
    let folder = kept(&runtime, &records);
    seal(&runtime, folder.path(), &records, 50);
    let segment = fs::read_dir(folder.path().join("archive")).unwrap().flatten().next().unwrap().path();
    fs::remove_file(segment).unwrap();
    let history = open(&runtime, folder.path());
    assert!(matches!(all(&runtime, &history), Err(LogError::Missing { wanted: 1, found: 50 })));
    let index = Index::open(&folder.path().join("none"), BUDGET);
    let refused = Player::open(history, index, runtime.handle().clone()).err().unwrap();
    assert!(matches!(refused, PastError::NoBeginning { first: 50 }), "{refused}");
}

#[test]
fn a_log_opened_to_be_read_takes_nothing() {
    let runtime = runtime();
    let folder = kept(&runtime, &few(3));
    runtime.block_on(async {
        let log = Log::sqlite_read_only(&folder.path().join("log.db")).await.unwrap();
        let now = Time::from_secs(9_999);
        assert!(matches!(log.append(0, now, vec![Body::Ticked]).await, Err(LogError::ReadOnly)));
        assert!(matches!(log.acquire_lease("me", Duration::from_secs(1), now).await, Err(LogError::ReadOnly)));
        assert!(matches!(log.trim(2).await, Err(LogError::ReadOnly)));
        assert!(matches!(log.save_checkpoint(Position::default(), b"x").await, Err(LogError::ReadOnly)));
        // Beside it a process that writes goes on, and is followed.
        let writing = Log::sqlite(&folder.path().join("log.db")).await.unwrap();
        writing.append(0, now, vec![Body::Ticked]).await.unwrap();
        assert_eq!((log.last().await.unwrap(), log.read(4, 9).await.unwrap().len()), (4, 1));
    });
}

#[test]
fn a_redis_log_is_replayed_and_takes_nothing_either() {
    let (runtime, server) = (runtime(), Redis::start().unwrap());
    runtime.block_on(async {
        let log = Log::redis(&server.url(), "test").await.unwrap();
        for record in few(30) {
            log.append(0, record.at, record.bodies).await.unwrap();
        }
    });
    let log = runtime.block_on(Log::redis_read_only(&server.url(), "test")).unwrap();
    runtime.block_on(async {
        let now = Time::from_secs(9_999);
        assert!(matches!(log.append(0, now, vec![Body::Ticked]).await, Err(LogError::ReadOnly)));
        assert!(matches!(log.acquire_lease("me", Duration::from_secs(1), now).await, Err(LogError::ReadOnly)));
        assert!(matches!(log.save_checkpoint(Position::default(), b"x").await, Err(LogError::ReadOnly)));
        assert!(matches!(log.trim(2).await, Err(LogError::ReadOnly)));
    });
    let folder = TempDir::new().unwrap();
    let history = History::of(log, &folder.path().join("archive"));
    let records = all(&runtime, &history).unwrap();
    assert_eq!(records.len(), 30);
    let mut player = Player::open(history, Index::open(folder.path(), BUDGET), runtime.handle().clone()).unwrap();
    player.seek(records[9].at, &mut |_| true).unwrap();
    let number = records.iter().take_while(|record| record.at <= records[9].at).count();
    assert_eq!(player.state().fingerprint(), folded(&records[..number]).fingerprint());
}

#[test]
fn every_jump_comes_to_the_state_of_a_fold() {
    let (runtime, records) = (runtime(), night());
    let folder = kept(&runtime, &records);
    seal(&runtime, folder.path(), &records, records.len() as u64 / 2);
    let mut player = player(&runtime, folder.path());
    let last = records.len() as u64;
    let check = |player: &mut Player, number: u64| {
        let reached = player.seek_record(number, &mut |_| true).unwrap();
        assert_eq!(reached, Reached::There);
        let expected = folded(&records[..usize::try_from(number).unwrap()]);
        assert_eq!(player.state().fingerprint(), expected.fingerprint(), "record {number}");
    };
    for number in [last / 3, last, 1, last - 1, last / 2, last / 2 - 1, 0, 7] {
        check(&mut player, number);
    }
    // And by time: the last record of its instant.
    let at = records[100].at;
    player.seek(at, &mut |_| true).unwrap();
    let number = records.iter().take_while(|record| record.at <= at).count();
    assert_eq!(player.state().fingerprint(), folded(&records[..number]).fingerprint());
    let (reached, decided) = player.next_decision(&mut |_| true).unwrap();
    let position = player.state().position();
    let record = &records[usize::try_from(position.record).unwrap() - 1];
    assert_eq!((reached, &record.bodies[position.index as usize]), (Reached::There, &Body::Decided(decided.unwrap())));
    assert!(position.record > number as u64 && record.at >= at);
}

#[test]
fn the_index_is_made_once_and_a_foreign_or_damaged_rung_does_no_harm() {
    let (runtime, records) = (runtime(), night());
    let folder = kept(&runtime, &records);
    let last = records.len() as u64;
    let ladder = folder.path().join("archive/checkpoints");
    let mut seen = Vec::new();
    Index::complete(&mut player(&runtime, folder.path()), &mut |covered| {
        seen.push(covered.percent);
        true
    })
    .unwrap();
    assert_eq!(seen.last(), Some(&100));
    let rungs = || -> BTreeSet<_> { fs::read_dir(&ladder).unwrap().flatten().map(|entry| entry.path()).collect() };
    assert_eq!(rungs().len(), 1, "the end: the whole is shorter than two rungs are apart");
    let mut again = player(&runtime, folder.path());
    Index::complete(&mut again, &mut |_| true).unwrap();
    assert_eq!(again.folded(), 0, "nothing is folded twice");
    // The rung at the end is used; then it is damaged; then it belongs to another log.
    let expected = folded(&records).fingerprint();
    let goes_to_end = |player: &mut Player| {
        player.seek_record(last, &mut |_| true).unwrap();
        assert_eq!(player.state().fingerprint(), expected);
        player.folded()
    };
    assert_eq!(goes_to_end(&mut again), 0);
    let rung = rungs().pop_first().unwrap();
    let whole = fs::read(&rung).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() - 100;
    damaged[middle] ^= 1;
    fs::write(&rung, damaged).unwrap();
    assert!(goes_to_end(&mut player(&runtime, folder.path())) > 1_000, "folded instead");
    let mut other = records.clone();
    other[usize::try_from(last).unwrap() - 1].at = other[usize::try_from(last).unwrap() - 1].at + Duration::from_secs(1);
    let elsewhere = kept(&runtime, &other);
    fs::create_dir_all(elsewhere.path().join("archive/checkpoints")).unwrap();
    fs::write(elsewhere.path().join("archive/checkpoints").join(rung.file_name().unwrap()), whole).unwrap();
    let mut foreign = player(&runtime, elsewhere.path());
    foreign.seek_record(last, &mut |_| true).unwrap();
    assert_eq!(foreign.state().fingerprint(), folded(&other).fingerprint());
    assert!(foreign.folded() > 1_000);
}

#[test]
fn a_watched_jump_can_be_broken_off_and_gone_on_with() {
    let (runtime, records) = (runtime(), night());
    let folder = kept(&runtime, &records);
    let mut player = player(&runtime, folder.path());
    let mut told = Vec::new();
    let reached = player.seek_record(records.len() as u64, &mut |progress| {
        told.push(progress.percent());
        false
    });
    assert_eq!((reached.unwrap(), told.len()), (Reached::BrokenOff, 1));
    assert!((1..100).contains(&told[0]));
    player.seek_record(records.len() as u64, &mut |_| true).unwrap();
    assert_eq!(player.state().fingerprint(), folded(&records).fingerprint());
}
