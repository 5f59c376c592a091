//! The Redis Stream of payment events, on a real redis-server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use apos::runtime::{Runtime, RuntimeConfig, StreamConfig};
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamPendingReply, StreamRangeReply};
use redis::{AsyncCommands, AsyncConnectionConfig, Client};

use crate::live::{config, until};
use crate::support::redis::Redis;

const KEY: &str = "payments";
const GROUP: &str = "apos";

/// The stream of a server, read by the runtime of a folder.
fn reading(folder: &tempfile::TempDir, redis: &Redis) -> RuntimeConfig {
    let stream = StreamConfig {
        url: redis.url(),
        key: KEY.to_owned(),
        group: GROUP.to_owned(),
        consumer: "one".to_owned(),
        claim_idle: Duration::from_millis(200),
        declines: Arc::default(),
    };
    RuntimeConfig { stream: Some(stream), ..config(folder.path()) }
}

/// A connection that waits as long as a loaded machine takes to write hundreds of entries to disk, one by one.
async fn connect(redis: &Redis) -> Result<MultiplexedConnection> {
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(20)));
    Ok(Client::open(redis.url())?.get_multiplexed_async_connection_with_config(&patient).await?)
}

/// Adds one authorised attempt for each number.
async fn add(redis: &mut MultiplexedConnection, numbers: std::ops::Range<u32>) -> Result<()> {
    let mut pipe = redis::pipe();
    for number in numbers {
        let event = format!(
            r#"{{"event_id":"evt_{number}","profile":"pro_1","payment":"pay_{number}","attempt":1,"account":"stripe:mca_1",
                "kind":"authorised","amount":6540,"currency":"EUR","method":"card","customer":{{"email":"ada@example.org"}}}}"#
        );
        pipe.xadd(KEY, "*", &[("event", event)]).ignore();
    }
    pipe.query_async::<()>(redis).await.context("entries cannot be added")
}

/// Entries that were delivered and not acknowledged.
async fn pending(redis: &mut MultiplexedConnection) -> Result<usize> {
    let reply: StreamPendingReply = redis.xpending(KEY, GROUP).await?;
    Ok(reply.count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entry_is_folded_once_and_acknowledged() -> Result<()> {
    let (folder, server) = (tempfile::tempdir()?, Redis::start()?);
    let mut redis = connect(&server).await?;
    add(&mut redis, 0..600).await?;
    let runtime = Runtime::start(reading(&folder, &server)).await?;
    add(&mut redis, 600..1_000).await?;
    let status = until("all are folded", &runtime.handle(), |status| status.statistics.approved >= 1_000).await?;
    assert_eq!((status.statistics.events, status.statistics.payments, status.statistics.repeats), (1_000, 1_000, 0));
    until("all are acknowledged", &runtime.handle(), |status| {
        status.stream.as_ref().is_some_and(|stream| stream.recorded == 1_000 && stream.dead == 0)
    })
    .await?;
    assert_eq!(pending(&mut redis).await?, 0);
    runtime.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_entries_go_to_the_dead_letters_with_the_reason() -> Result<()> {
    let (folder, server) = (tempfile::tempdir()?, Redis::start()?);
    let mut redis = connect(&server).await?;
    let hyperswitch = include_str!("fixtures/hyperswitch/kafka.payment_attempt.json");
    let no_kind = r#"{"profile":"pro_1","payment":"pay_bad","email":"ada@example.org"}"#;
    let bad: String = redis.xadd(KEY, "*", &[("event", no_kind)]).await?;
    let _: String = redis.xadd(KEY, "*", &[("note", "ada@example.org")]).await?;
    let _: String = redis.xadd(KEY, "*", &[(b"\xff\xfe", "v")]).await?;
    let _: String = redis.xadd(KEY, "*", &[("ada@example.org", "v")]).await?;
    let _: String = redis.xadd(KEY, "*", &[("event", hyperswitch)]).await?;
    let runtime = Runtime::start(reading(&folder, &server)).await?;
    let status = until("all five are dealt with", &runtime.handle(), |status| {
        status.stream.as_ref().is_some_and(|stream| stream.dead == 4 && stream.recorded == 1) && status.statistics.failed == 1
    })
    .await?;
    assert_eq!(status.statistics.events, 1);
    assert_eq!(pending(&mut redis).await?, 0);

    let letters: StreamRangeReply = redis.xrange_all(format!("{KEY}:dead")).await?;
    let field = |index: usize, name: &str| letters.ids[index].get::<String>(name).unwrap_or_default();
    assert_eq!(field(0, "reason"), "`kind` is missing");
    assert_eq!((field(0, "id"), field(0, "payment")), (bad, "pay_bad".to_owned()));
    assert!(field(1, "reason").contains("no field `event`"), "{}", field(1, "reason"));
    assert_eq!([field(1, "fields"), field(2, "fields"), field(3, "fields")], ["note", "[masked]", "[masked]"]);
    assert!(!format!("{letters:?}").contains("ada@"), "personal data stays out");
    runtime.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_consumer_left_is_claimed() -> Result<()> {
    let (folder, server) = (tempfile::tempdir()?, Redis::start()?);
    let mut redis = connect(&server).await?;
    add(&mut redis, 0..130).await?;
    let _: () = redis.xgroup_create(KEY, GROUP, "0").await?;
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(GROUP).arg("dead").arg("COUNT").arg(120).arg("STREAMS").arg(KEY).arg(">");
    let _: redis::Value = read.query_async(&mut redis).await?;
    assert_eq!(pending(&mut redis).await?, 120);

    let runtime = Runtime::start(reading(&folder, &server)).await?;
    let status = until("all are folded", &runtime.handle(), |status| status.statistics.approved == 130).await?;
    assert_eq!(status.stream.map(|stream| stream.claimed), Some(120));
    runtime.shutdown().await;
    assert_eq!(pending(&mut redis).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_counted_twice_when_redis_and_the_process_die() -> Result<()> {
    let (folder, mut server) = (tempfile::tempdir()?, Redis::start()?);
    add(&mut connect(&server).await?, 0..2_000).await?;
    let crashed = Runtime::start(reading(&folder, &server)).await?;
    until("some are folded", &crashed.handle(), |status| status.statistics.approved >= 100).await?;
    server.kill()?;
    let status = until("it is noticed", &crashed.handle(), |status| !status.degraded.is_empty()).await?;
    assert!(status.ready, "decisions go on");
    server.restart()?;
    until("more are folded", &crashed.handle(), |status| status.statistics.approved >= 1_000).await?;
    drop(crashed);

    let mut redis = connect(&server).await?;
    add(&mut redis, 2_000..3_000).await?;
    let runtime = Runtime::start(reading(&folder, &server)).await?;
    let all = until("all are folded", &runtime.handle(), |status| status.statistics.approved >= 3_000).await?;
    assert_eq!((all.statistics.approved, all.statistics.payments), (3_000, 3_000));
    assert!(!all.degraded.iter().any(|reason| reason.starts_with("stream")), "{:?}", all.degraded);
    runtime.shutdown().await;
    assert_eq!(pending(&mut redis).await?, 0);
    Ok(())
}
