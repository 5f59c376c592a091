//! The spool, under a real redis-server that goes down and comes back.
#![allow(clippy::unwrap_used, reason = "a test that fails, fails here")]

use std::ops::Range;

use anyhow::{Result, ensure};
use apos::api::ApiError;
use apos::domain::{Body, EventId, EventKind, PaymentEvent};
use apos::log::Log;
use apos::runtime::{AppendError, Handle, LogChoice, Receipt, Runtime, RuntimeConfig};

use crate::live::{config, until};
use crate::support::plain;
use crate::support::redis::Redis;

const KEY: &str = "apos:log";

/// A runtime in a folder whose log is on a server.
fn on(server: &Redis, folder: &tempfile::TempDir) -> RuntimeConfig {
    RuntimeConfig { log: LogChoice::Redis { url: server.url(), key: KEY.to_owned() }, ..config(folder.path()) }
}

/// Delivers one outcome for each number; how many were recorded, and how many spooled.
async fn deliver(handle: &Handle, numbers: Range<u32>) -> Result<(u32, u32)> {
    let (mut recorded, mut spooled) = (0, 0);
    for number in numbers {
        match handle.accept(vec![outcome(handle, number)]).await? {
            Receipt::Recorded(_) => recorded += 1,
            Receipt::Spooled => spooled += 1,
            Receipt::Repeated => {}
        }
    }
    Ok((recorded, spooled))
}

fn outcome(handle: &Handle, number: u32) -> PaymentEvent {
    let (profile, account) = (plain::profile("pro_1"), plain::account("stripe:mca_1"));
    PaymentEvent {
        event_id: EventId::parse(&format!("evt_{number}")).ok(),
        occurred_at: handle.now(),
        ..plain::event(profile, &format!("pay_{number}"), account, EventKind::Authorised)
    }
}

/// The numbers of the outcomes in the log, in its order.
async fn logged(server: &Redis) -> Result<Vec<u32>> {
    let records = Log::redis(&server.url(), KEY).await?.read(1, 100_000).await?;
    let number = |body: &Body| match body {
        Body::Payment(event) => event.payment.as_str().strip_prefix("pay_")?.parse().ok(),
        _ => None,
    };
    Ok(records.iter().flat_map(|record| &record.bodies).filter_map(number).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_while_redis_is_down_is_in_the_log_once_and_in_order_when_it_is_back() -> Result<()> {
    let (folder, mut server) = (tempfile::tempdir()?, Redis::start()?);
    let runtime = Runtime::start(on(&server, &folder)).await?;
    let handle = runtime.handle();
    until("ready", &handle, |status| status.ready).await?;
    assert_eq!(deliver(&handle, 0..50).await?, (50, 0));

    server.kill()?;
    assert_eq!(deliver(&handle, 50..200).await?, (0, 150));
    let status = handle.status();
    assert_eq!(status.spool.map(|spool| (spool.depth, spool.oldest_s.is_some())), Some((150, true)));
    ensure!(status.degraded.iter().any(|part| part.starts_with("spool:")), "{:?}", status.degraded);

    server.restart()?;
    let all = |status: &apos::runtime::Status| status.statistics.approved == 200 && status.spool.unwrap().depth == 0;
    let status = until("all are counted and the spool is empty", &handle, all).await?;
    assert_eq!((status.statistics.payments, status.statistics.contradictions), (200, 0));
    assert_eq!(deliver(&handle, 200..210).await?, (10, 0), "new ones go to the log again");
    runtime.shutdown().await;
    assert_eq!(logged(&server).await?, (0..210).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_a_crash_left_is_emptied_after_the_next_start() -> Result<()> {
    let (folder, mut server) = (tempfile::tempdir()?, Redis::start()?);
    let crashed = Runtime::start(on(&server, &folder)).await?;
    until("ready", &crashed.handle(), |status| status.ready).await?;
    server.kill()?;
    assert_eq!(deliver(&crashed.handle(), 0..20).await?, (0, 20));
    drop(crashed);

    server.restart()?;
    let restarted = Runtime::start(on(&server, &folder)).await?;
    let handle = restarted.handle();
    until("all are counted", &handle, |status| status.statistics.approved == 20 && status.spool.unwrap().depth == 0).await?;
    restarted.shutdown().await;
    assert_eq!(logged(&server).await?, (0..20).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_log_and_spool_the_sender_is_told_to_come_again() -> Result<()> {
    let (folder, mut server) = (tempfile::tempdir()?, Redis::start()?);
    let runtime = Runtime::start(on(&server, &folder)).await?;
    let handle = runtime.handle();
    until("ready", &handle, |status| status.ready).await?;
    // No file can be made where a folder is.
    std::fs::create_dir(folder.path().join("spool.db"))?;
    server.kill()?;
    let refused = handle.accept(vec![outcome(&handle, 1)]).await.unwrap_err();
    ensure!(matches!(refused, AppendError::Spool(_)), "{refused:?}");
    let response = ApiError::from(refused).response();
    assert_eq!((response.status().as_u16(), response.headers().contains_key("retry-after")), (503, true));
    drop(runtime);
    Ok(())
}
