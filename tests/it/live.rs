//! The runtime over real storage: what was acknowledged survives, is folded once, and reaches the tables once.
#![allow(clippy::unwrap_used, reason = "a test that fails, fails here")]

mod killed;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use apos::domain::{
    Autonomy, Body, Command, ConnectorAccount, Context, Decision, EffectResult, EventId, EventKind, Method, OperatorName,
    Order, PaymentEvent, PaymentId, ProfileId, Record, Request, ResourceSample, Settings, Time,
};
use apos::engine::route::rules::Terms;
use apos::engine::snapshot::ActionStatus;
use apos::engine::{self, State};
use apos::log::Log;
use apos::runtime::{
    DecideError, Durability, Handle, LogChoice, Receipt, RetentionConfig, Runtime, RuntimeConfig, Status, TablesChoice, Which,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::support::plain;

/// Far beyond what any wait here takes on a loaded machine; the longest healthy one is a lease that must lapse.
const PATIENCE: Duration = Duration::from_secs(40);

/// A runtime in a folder, on SQLite.
pub(crate) fn config(folder: &Path) -> RuntimeConfig {
    RuntimeConfig {
        data_dir: folder.to_owned(),
        settings: Arc::default(),
        log: LogChoice::Sqlite,
        tables: TablesChoice::None,
        stream: None,
        hyperswitch: None,
        durability: Durability::Behind,
        retention: RetentionConfig::default(),
    }
}

/// Looks at the status every 10 ms until it is as wanted.
pub(crate) async fn until(what: &str, handle: &Handle, wanted: impl Fn(&Status) -> bool) -> Result<Status> {
    let looks = async {
        loop {
            let status = handle.status();
            if wanted(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, looks).await;
    ensure!(seen.is_ok(), "waited in vain until {what}: {:#?}", handle.status());
    Ok(seen?)
}

/// A runtime that has folded what its log held, and decides.
pub(crate) async fn started(config: RuntimeConfig) -> Result<Runtime> {
    let runtime = Runtime::start(config).await?;
    until("ready", &runtime.handle(), |status| status.ready).await?;
    Ok(runtime)
}

fn profile() -> ProfileId {
    plain::profile("pro_1")
}

fn payment(number: u64) -> PaymentId {
    plain::payment(&format!("pay_{number}"))
}

fn accounts() -> Vec<ConnectorAccount> {
    ["stripe:mca_1", "adyen:mca_2", "checkout:mca_3"].map(plain::account).to_vec()
}

fn request(number: u64) -> Request {
    let context = Context { method: Some(Method::Card), ..Context::default() };
    Request { context, ..plain::request(profile(), payment(number).as_str(), accounts()) }
}

fn authorised(number: u64, account: &ConnectorAccount, occurred_at: Time) -> PaymentEvent {
    PaymentEvent {
        event_id: EventId::parse(&format!("evt_{number}")).ok(),
        latency_ms: Some(300),
        occurred_at,
        ..plain::event(profile(), payment(number).as_str(), account.clone(), EventKind::Authorised)
    }
}

/// Payments that are decided and then authorised, each event acknowledged.
async fn traffic(handle: &Handle, numbers: std::ops::Range<u64>) -> Result<()> {
    for number in numbers {
        let decision = handle.decide(request(number))?;
        let event = authorised(number, &decision.chosen().account, handle.now());
        let receipt = handle.accept(vec![event]).await?;
        ensure!(matches!(receipt, Receipt::Recorded(_)), "{receipt:?}");
    }
    Ok(())
}

/// The whole log.
async fn records(folder: &Path) -> Result<Vec<Record>> {
    let log = Log::sqlite(&folder.join("log.db")).await?;
    Ok(log.read(1, 1_000_000).await?)
}

/// The newest checkpoint's fingerprint, and that of the log folded from its beginning up to the same position.
async fn fingerprints(folder: &Path) -> Result<(blake3::Hash, blake3::Hash)> {
    let log = Log::sqlite(&folder.join("log.db")).await?;
    let (position, bytes) = log.load_checkpoint(None).await?.unwrap();
    let mut state = State::new();
    let mut effects = Vec::new();
    for entry in log.read(1, 1_000_000).await?.into_iter().flat_map(Record::entries) {
        if entry.position <= position {
            engine::apply(&mut state, &entry, &mut effects);
        }
    }
    Ok((State::restore(&bytes)?.fingerprint(), state.fingerprint()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_crash_and_is_counted_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let crashed = started(config(folder.path())).await?;
    until("ready", &crashed.handle(), |status| status.ready).await?;
    traffic(&crashed.handle(), 0..300).await?;
    drop(crashed);

    let restarted = started(config(folder.path())).await?;
    let handle = restarted.handle();
    let again = authorised(7, &accounts()[0], handle.now());
    ensure!(handle.accept(vec![again]).await? == Receipt::Repeated, "a repeated event id is not appended again");
    traffic(&handle, 300..400).await?;
    restarted.shutdown().await;
    let (saved, anew) = fingerprints(folder.path()).await?;
    assert_eq!(saved, anew, "live, and folded from the beginning");

    let third = started(config(folder.path())).await?;
    until("ready", &third.handle(), |status| status.ready).await?;
    traffic(&third.handle(), 400..500).await?;
    let status = until("all is counted", &third.handle(), |status| status.statistics.approved >= 500).await?;
    assert_eq!((status.statistics.events, status.statistics.repeats, status.statistics.payments), (500, 0, 500));
    third.shutdown().await;
    let (saved, anew) = fingerprints(folder.path()).await?;
    assert_eq!(saved, anew, "a checkpoint and the rest, and folded from the beginning");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_repeated_before_and_after_it_is_folded() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = started(config(folder.path())).await?;
    let handle = runtime.handle();
    let first = handle.decide(request(1))?;
    let mut other = request(1);
    other.eligible.reverse();
    assert_eq!(handle.decide(other.clone())?, first, "still on its way through the log");
    until("it is folded", &handle, |status| status.decisions.in_flight == 0 && status.statistics.decisions == 1).await?;
    assert_eq!(handle.decide(other)?, first, "from the view");
    let sync = RuntimeConfig { durability: Durability::Sync, log: LogChoice::Memory, ..config(folder.path()) };
    runtime.shutdown().await;

    let runtime = started(sync).await?;
    let decided = runtime.handle().decide_recorded(request(2), Which::Told, Terms::default()).await?;
    let recorded = runtime.handle().log().read(1, 10).await?.into_iter().flat_map(|record| record.bodies);
    assert!(recorded.into_iter().any(|body| body == Body::Decided(decided.clone())), "recorded before it is answered");
    runtime.shutdown().await;
    Ok(())
}

/// While the log is folded after a start nothing is decided: what was decided before would be decided again, elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_first_after_a_restart_is_answered_as_before() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = started(config(folder.path())).await?;
    let before: Vec<_> = (0..3_000).map(|number| runtime.handle().decide(request(number))).collect::<Result<_, _>>()?;
    runtime.shutdown().await;
    let runtime = Runtime::start(config(folder.path())).await?;
    let handle = runtime.handle();
    for (number, before) in (0..3_000).zip(before) {
        let after = loop {
            match handle.decide(request(number)) {
                Err(DecideError::NotReady) => tokio::time::sleep(Duration::from_millis(1)).await,
                answered => break answered?,
            }
        };
        ensure!(after == before, "payment {number}: {after:?}, and before the restart {before:?}");
    }
    runtime.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_is_decided_once_and_a_later_one_anew_before_and_after_the_fold() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = started(config(folder.path())).await?;
    let handle = runtime.handle();
    let ask = |attempt| handle.decide(Request { attempt, ..request(1) });
    let first = ask(1)?;
    assert_eq!(ask(1)?, first, "the same attempt, on its way through the log");
    let retry = ask(7)?;
    assert_eq!(retry.request.attempt, 7, "a later attempt, on the way through the log");
    until("both are folded", &handle, |status| status.decisions.in_flight == 0 && status.statistics.decisions == 2).await?;
    assert_eq!((ask(7)?, ask(1)?), (retry, first), "each as it was decided, from the view");
    assert!(matches!(ask(3), Err(DecideError::Overtaken { attempt: 3, latest: 7 })), "never decided, and over");
    assert_eq!(ask(8)?.request.attempt, 8, "a later attempt, from the view");
    until("that is folded", &handle, |status| status.statistics.decisions == 3).await?;

    let latest = async || handle.decide_recorded(request(1), Which::Latest, Terms::default()).await;
    assert_eq!(latest().await?.request.attempt, 8, "without a number, the attempt decided last");
    let failed = PaymentEvent {
        kind: EventKind::Failed,
        attempt: Some(8),
        ..authorised(1, &handle.decided(&profile(), &payment(1)).unwrap().chosen().account, handle.now())
    };
    handle.accept(vec![failed]).await?;
    until("the failure is folded", &handle, |status| status.statistics.failed == 1).await?;
    let next = latest().await?;
    assert_eq!(next.request.attempt, 9, "without a number, the next attempt once the last one has failed");
    assert_eq!(ask(8)?.request.attempt, 8, "by its number, a failed attempt's decision is repeated");
    runtime.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_merchant_is_refused_where_merchants_are_not_created() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut settings = Settings::default();
    settings.routing.auto_create_merchants = false;
    let runtime = started(RuntimeConfig { settings: settings.into(), ..config(folder.path()) }).await?;
    let handle = runtime.handle();
    assert!(matches!(handle.decide(request(1)), Err(DecideError::UnknownMerchant)));
    let position = handle.append(Body::MerchantConfigured { profile: profile(), priority: accounts() }).await?;
    handle.applied(position).await?;
    assert_eq!(handle.decide(request(1))?.chosen().account, accounts()[0]);
    runtime.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_tells_what_became_of_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = started(config(folder.path())).await?;
    let handle = runtime.handle();
    let order = |order| Command { operator: OperatorName::parse("ada").unwrap(), order };
    let missing = Order::Approve { action: "act-4711".parse().unwrap(), version: 1 };
    let refused = handle.command(order(missing)).await?;
    assert!(!refused.accepted && !refused.text.is_empty(), "{refused:?}");
    let level = Order::SetAutonomy { class: None, level: Autonomy::Observe };
    let set = handle.command(order(level)).await?;
    assert!(set.accepted, "{set:?}");
    assert_eq!(handle.snapshot().header.autonomy.clone().unwrap().scaling, Autonomy::Observe);
    runtime.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_one_of_200_commands_at_once_is_told_what_became_of_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = started(RuntimeConfig { log: LogChoice::Memory, ..config(folder.path()) }).await?;
    let handle = runtime.handle();
    let mut given = tokio::task::JoinSet::new();
    for number in 0..200 {
        let (handle, operator) = (handle.clone(), OperatorName::parse(&format!("ada_{number}")).unwrap());
        let order = Order::SetAutonomy { class: None, level: Autonomy::Suggest };
        given.spawn(async move { (operator.clone(), handle.command(Command { operator, order }).await) });
    }
    while let Some(told) = given.join_next().await {
        let (operator, outcome) = told?;
        let outcome = outcome?;
        ensure!(outcome.accepted && outcome.text.ends_with(&format!("set by {operator}")), "{operator}: {outcome:?}");
    }
    runtime.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_is_intended_executed_and_its_end_recorded() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut settings = Settings::default();
    settings.autonomy.scaling = Autonomy::Auto;
    let runtime = started(RuntimeConfig { settings: settings.into(), ..config(folder.path()) }).await?;
    let handle = runtime.handle();
    let full = ResourceSample { cpu_percent: 95.0, memory_percent: 90.0, queue_depth: 500, instances: 2 };
    handle.append(Body::Sampled(full)).await?;
    traffic(&handle, 0..5).await?;
    let done = |status: &ActionStatus| matches!(status, ActionStatus::InProgress | ActionStatus::Succeeded);
    let executed = || handle.snapshot().actions.iter().any(|action| done(&action.status) && action.verification.is_some());
    until("the action is executed", &handle, |_| executed()).await?;
    let snapshot = handle.snapshot();
    ensure!(snapshot.scaling.simulated, "{:?}", snapshot.scaling);
    for row in &snapshot.actions {
        let told = [&row.sentence, &row.against[0], &row.before_after[0].1];
        ensure!(told.iter().all(|text| text.contains("simulated")), "nothing was started, and it says so: {told:?}");
    }
    runtime.shutdown().await;
    let bodies = records(folder.path()).await?.into_iter().flat_map(|record| record.bodies);
    let acts: Vec<Body> = bodies.filter(|body| matches!(body, Body::Intended { .. } | Body::Ended { .. })).collect();
    let [Body::Intended { id, .. }, Body::Ended { id: end, result: EffectResult::Done }] = acts.as_slice() else {
        anyhow::bail!("one intent, then one end: {acts:?}")
    };
    assert_eq!(id, end);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_leads_and_the_other_takes_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let first = started(config(folder.path())).await?;
    until("the first leads", &first.handle(), |status| status.leader && status.epoch == 1).await?;
    let second = started(config(folder.path())).await?;
    traffic(&first.handle(), 0..50).await?;
    let follower = second.handle();
    until("the follower sees it", &follower, |status| status.statistics.approved == 50).await?;
    assert!(!follower.status().leader);
    first.shutdown().await;
    until("the follower leads", &follower, |status| status.leader && status.epoch == 2).await?;
    second.shutdown().await;
    let started = records(folder.path()).await?.into_iter().flat_map(|record| record.bodies);
    assert_eq!(started.filter(|body| matches!(body, Body::EngineStarted { .. })).count(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_hold_every_entry_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tables = || RuntimeConfig { tables: TablesChoice::Sqlite, ..config(folder.path()) };
    let crashed = started(tables()).await?;
    traffic(&crashed.handle(), 0..200).await?;
    until("some are written", &crashed.handle(), |status| status.tables.as_ref().is_some_and(|tables| tables.rows > 0)).await?;
    traffic(&crashed.handle(), 200..300).await?;
    drop(crashed);

    let restarted = started(tables()).await?;
    let handle = restarted.handle();
    traffic(&handle, 300..400).await?;
    restarted.shutdown().await;

    let mut database = SqliteConnectOptions::new().filename(folder.path().join("tables.db")).connect().await?;
    let mut count = async |table: &'static str, column: &'static str| -> Result<(i64, i64)> {
        let sql = format!("SELECT count(*), count(DISTINCT {column}) FROM {table}");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(&mut database).await?)
    };
    assert_eq!(count("payment_events", "payment").await?, (400, 400));
    let (decisions, payments) = count("routing_decisions", "payment").await?;
    assert_eq!(decisions, payments);
    let recorded = records(folder.path()).await?.into_iter().flat_map(|record| record.bodies);
    assert_eq!(usize::try_from(decisions)?, recorded.filter(|body| matches!(body, Body::Decided(_))).count());
    database.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_entry_halts_folding_but_not_decisions() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = started(config(folder.path())).await?;
    let handle = runtime.handle();
    traffic(&handle, 0..10).await?;
    let mut poison = Decision::clone(&*handle.decide(request(1_000))?);
    poison.chosen = 99;
    let position = handle.append(Body::Decided(poison.into())).await?;
    let status = until("it is noticed", &handle, |status| !status.ready).await?;
    let said = format!("engine: the entry at {position} cannot be folded");
    assert!(status.degraded.iter().any(|reason| reason.starts_with(&said)), "{:?}", status.degraded);
    assert!(handle.folded() < position);
    assert_eq!(handle.decide(request(2_000))?.candidates.len(), 3, "from the last view");
    let late = handle.accept(vec![authorised(2_000, &accounts()[0], handle.now())]).await?;
    assert!(matches!(late, Receipt::Recorded(recorded) if recorded > position), "intake stays durable: {late:?}");
    Ok(())
}
