//! An entry that cannot be folded: everything halts there, and goes on behind it by an admin's recorded order.

use std::sync::Arc;

use anyhow::Result;
use apos::domain::entry::ENCODING;
use apos::domain::{Body, Decision, Order, Record, Time};
use apos::log::Log;
use apos::runtime::{Runtime, RuntimeConfig, TablesChoice};
use tempfile::TempDir;

use crate::live::{config, until};
use crate::past::kept;
use crate::support::binary::{Ran, apos};
use crate::support::entries::{decision, payment};

/// A decision that chose none of its candidates: no version ever wrote one, and none can fold it.
fn poison() -> Body {
    Body::Decided(Arc::new(Decision { chosen: 9, ..decision(1) }))
}

/// Forty records of a payment event each; the thirtieth holds the poison behind it.
fn records() -> Vec<Record> {
    let bodies = |number| {
        let event = Body::Payment(Box::new(payment(number)));
        if number == 30 { vec![event, poison()] } else { vec![event] }
    };
    let at = |number| Time::from_secs(1_000 + i64::try_from(number).unwrap());
    (1..=40).map(|number| Record { number, at: at(number), epoch: 1, encoding: ENCODING, bodies: bodies(number) }).collect()
}

#[test]
fn only_what_cannot_be_folded_is_left_out_and_every_replay_agrees() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = kept(&runtime, &records());
    let replay = || apos(folder.path(), &["replay", "--headless", "--report", "json"]);
    let Ran { code, err, .. } = replay();
    assert!(code == Some(1) && err.contains("the entry at 30.1 cannot be folded"), "{err}");
    let refused = |arguments: &[&str], told: &str| {
        let Ran { code, err, .. } = apos(folder.path(), &[&["log", "skip"], arguments].concat());
        assert!(code == Some(2) && err.contains(told), "{arguments:?}: {err}");
    };
    refused(&["12.0", "--reason", "x"], "can be folded");
    refused(&["35.0", "--reason", "x"], "the entry at 30.1 cannot be folded and comes before 35.0");
    refused(&["30.7", "--reason", "x"], "there is no entry at 30.7");
    refused(&["30.1", "--reason", " "], "say why");
    refused(&["30.1", "--reason", "x", "--role", "operator"], "needs the role admin");
    let Ran { code, err, .. } = apos(folder.path(), &["log", "skip", "30.1", "--reason", "a decision without a choice"]);
    assert_eq!(code, Some(0), "{err}");
    let Ran { code, out: first, err } = replay();
    assert_eq!(code, Some(0), "{err}");
    let report: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(report["statistics"]["events"], 40, "all but the poison is folded: {report}");
    assert_eq!(replay().out, first, "and every time the same");
    refused(&["30.1", "--reason", "again"], "is left out already");
    // Who, why and what stand in the log, for the audit.
    let log = runtime.block_on(Log::sqlite_read_only(&folder.path().join("log.db"))).unwrap();
    let last = runtime.block_on(log.read(41, 9)).unwrap();
    let [Body::Commanded(command)] = &last[0].bodies[..] else { panic!("{last:?}") };
    let Order::Skip { position, reason } = &command.order else { panic!("{command:?}") };
    assert_eq!(
        (command.operator.as_str(), position.to_string().as_str(), reason.as_str()),
        ("ada", "30.1", "a decision without a choice")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_engine_and_its_tables_go_on_once_it_is_ordered() -> Result<()> {
    let folder = TempDir::new()?;
    let tabled = RuntimeConfig { tables: TablesChoice::Sqlite, ..config(folder.path()) };
    let engine = Runtime::start(tabled).await?;
    let handle = engine.handle();
    until("it is ready", &handle, |status| status.ready && status.leader).await?;
    let bad = handle.append(poison()).await?;
    handle.append(Body::Payment(Box::new(payment(1)))).await?;
    let halted = until("it has halted", &handle, |status| status.degraded.len() >= 2 && !status.ready).await?;
    let told = halted.degraded.join("\n");
    assert!(told.contains(&format!("apos log skip {bad} --reason")) && told.contains("the tables stay"), "{told}");
    assert_eq!(handle.snapshot().statistics.events, 0, "nothing behind it is folded");
    let (path, position) = (folder.path().to_owned(), bad.to_string());
    let skip = move || apos(&path, &["log", "skip", &position, "--reason", "a planted one"]);
    let Ran { code, err, .. } = tokio::task::spawn_blocking(skip).await?;
    assert_eq!(code, Some(0), "{err}");
    until("it goes on", &handle, |status| status.ready && status.statistics.events == 1 && status.degraded.is_empty()).await?;
    let said = handle.snapshot().events.iter().map(|row| row.text.clone()).collect::<Vec<_>>().join("\n");
    assert!(said.contains(&format!("the entry at {bad} is left out, ordered by ada: a planted one")), "{said}");
    // And once more from the beginning, by a process that begins with the order in its log.
    let expected = handle.folded();
    engine.shutdown().await;
    let again = Runtime::start(config(folder.path())).await?;
    let handle = again.handle();
    until("it is ready again", &handle, |status| status.ready && status.log.folded >= expected).await?;
    assert_eq!(handle.snapshot().statistics.events, 1);
    again.shutdown().await;
    Ok(())
}
