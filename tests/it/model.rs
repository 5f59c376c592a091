//! The learnt model through the runtime: trained by its own thread on real outcomes, published, tried, in force, kept over a
//! restart, and taken out when the world turns.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use apos::domain::settings::Learning;
use apos::domain::{
    ConnectorAccount, Context, Decline, DeclineClass, EventKind, Method, Money, PaymentEvent, Record, Request, Settings,
};
use apos::engine::snapshot::{LearningView, ModelStatus};
use apos::log::Log;
use apos::runtime::{Handle, RuntimeConfig};

use crate::live::{self, config, until};
use crate::support::plain;
use crate::support::recomputed::recomputed;

/// Outcomes at a time: one record of the log holds some of them.
const BATCH: u64 = 64;
/// The trainer runs only where a processor is idle: on a loaded machine it waits for one.
const PATIENCE: Duration = Duration::from_mins(2);

const CONNECTORS: [&str; 3] = ["adyen", "checkout", "stripe"];

fn learning(folder: &Path) -> RuntimeConfig {
    let learning = Learning {
        enabled: true,
        min_outcomes: 1_500,
        trial_outcomes: 600,
        interval_s: 2_592_000,
        retry_s: 1,
        ..Learning::default()
    };
    RuntimeConfig { settings: Arc::new(Settings { learning, ..Settings::default() }), ..config(folder) }
}

fn account(connector: usize) -> ConnectorAccount {
    plain::account(&format!("{}:mca_1", CONNECTORS[connector]))
}

fn amount(large: bool) -> Money {
    plain::eur(if large { 50_000 } else { 1_000 })
}

fn context() -> Context {
    Context { method: Some(Method::Card), ..Context::default() }
}

/// An attempt that the switch routed by itself: it tells of every connector alike.
fn outcome(n: u64, turned: bool, handle: &Handle) -> PaymentEvent {
    let (connector, large) = (usize::try_from(n % 3).unwrap(), (n / 3).is_multiple_of(2));
    // Adyen takes large amounts well and small ones badly, stripe the other way round; later they have changed places.
    let approved = match (connector, (large != turned)) {
        (0, true) | (2, false) => 96,
        (0, false) | (2, true) => 66,
        _ => 82,
    };
    let success = n / 6 * 37 % 100 < approved;
    let kind = if success { EventKind::Captured } else { EventKind::Failed };
    PaymentEvent {
        decline: (!success).then(|| Decline { class: DeclineClass::Mixed, code: "do_not_honor".into() }),
        amount: Some(amount(large)),
        context: context(),
        latency_ms: Some(300),
        occurred_at: handle.now(),
        ..plain::event(plain::profile("pro_1"), &format!("pay_{n}"), account(connector), kind)
    }
}

fn request(n: u64, large: bool) -> Request {
    let eligible = (0..CONNECTORS.len()).map(account).collect();
    let asked = plain::request(plain::profile("pro_1"), &format!("asked_{n}"), eligible);
    Request { amount: amount(large), context: context(), ..asked }
}

/// So many further outcomes; `n` is the next one's number.
async fn traffic(handle: &Handle, n: &mut u64, count: u64, turned: bool) -> Result<()> {
    for _ in 0..count.div_ceil(BATCH) {
        let events = (0..BATCH).map(|i| outcome(*n + i, turned, handle)).collect();
        handle.accept(events).await?;
        *n += BATCH;
    }
    Ok(())
}

/// Looks at the models until they are as wanted.
async fn models(what: &str, handle: &Handle, wanted: impl Fn(&LearningView) -> bool) -> Result<LearningView> {
    let looks = async {
        loop {
            let view = handle.snapshot().learning.clone();
            if wanted(&view) {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, looks).await;
    ensure!(seen.is_ok(), "waited in vain until {what}: {:#?}", handle.snapshot().learning);
    Ok(seen?)
}

/// Every recorded decision is computed again from the log alone; in so many a learnt model had its part.
async fn recomputed_with_a_model(folder: &Path) -> Result<usize> {
    let log = Log::sqlite(&folder.join("log.db")).await?;
    let entries: Vec<_> = log.read(1, 1_000_000).await?.into_iter().flat_map(Record::entries).collect();
    Ok(recomputed(&entries).0.iter().filter(|decision| decision.model().is_some()).count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_trained_tried_used_kept_over_a_restart_and_taken_out_when_the_world_turns() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = live::started(learning(folder.path())).await?;
    let handle = runtime.handle();
    until("ready", &handle, |status| status.ready && status.leader).await?;
    let mut n = 0;
    traffic(&handle, &mut n, 1_600, false).await?;
    let view = models("a model is published", &handle, |view| view.challenger.is_some()).await?;
    let challenger = view.challenger.unwrap();
    ensure!(challenger.metrics.brier < challenger.metrics.brier_without, "{challenger:#?}");
    ensure!(handle.decide(request(1, true))?.model().is_none(), "on trial it counts for nothing");

    traffic(&handle, &mut n, 700, false).await?;
    let view = models("it is in force", &handle, |view| view.champion.is_some()).await?;
    ensure!(view.champion.as_ref().is_some_and(|row| row.brier.is_none() || row.weight > 0.3), "{view:#?}");
    let decision = handle.decide(request(2, true))?;
    ensure!(decision.model() == Some(1), "{decision:#?}");
    runtime.shutdown().await;

    let runtime = live::started(learning(folder.path())).await?;
    let handle = runtime.handle();
    until("ready", &handle, |status| status.ready && status.leader).await?;
    ensure!(handle.decide(request(3, false))?.model() == Some(1), "as before the restart");

    // What was learnt is now the wrong way round.
    while handle.snapshot().learning.champion.as_ref().is_none_or(|row| row.status == ModelStatus::InForce) {
        ensure!(n < 20_000, "{:#?}", handle.snapshot().learning);
        traffic(&handle, &mut n, BATCH, true).await?;
    }
    let view = models("it is out of force", &handle, |view| view.alert.is_some()).await?;
    ensure!(view.champion.is_some_and(|row| row.status == ModelStatus::OutOfForce), "{:?}", view.alert);
    let status = handle.status();
    ensure!(
        status.ready && status.degraded.iter().any(|part| part.starts_with("model: model 1 is out of force")),
        "{status:#?}"
    );
    ensure!(handle.decide(request(4, true))?.model().is_none());
    let view = models("a new one is trained", &handle, |view| view.challenger.is_some()).await?;
    ensure!(view.challenger.is_some_and(|row| row.version == 2));
    runtime.shutdown().await;
    ensure!(recomputed_with_a_model(folder.path()).await? == 2, "two decisions were made with a model");
    Ok(())
}
