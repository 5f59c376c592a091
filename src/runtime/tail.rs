//! From the log to the engine: every record in order, however often the log fails in between.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::actuators::Actuators;
use super::conditions::Conditions;
use super::replica::Published;
use super::status::SharedGauges;
use crate::domain::{Record, wording};
use crate::log::Log;

/// Pause after the log failed to give a record.
const PAUSE: Duration = Duration::from_millis(200);

/// Hands every record from `from` on to the engine; ends when the engine is gone.
pub(super) async fn follow(
    log: Log,
    from: oneshot::Receiver<u64>,
    records: mpsc::Sender<Record>,
    gauges: SharedGauges,
    conditions: Conditions,
) {
    let Ok(mut next) = from.await else { return };
    let mut tail = log.tail(next);
    loop {
        match tail.next().await {
            Ok(record) => {
                conditions.clear("log");
                next = record.number + 1;
                gauges.last_record.store(record.number, Ordering::Relaxed);
                if records.send(record).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                conditions.set("log", wording::chain(&error));
                tokio::time::sleep(PAUSE).await;
                tail = log.tail(next);
            }
        }
    }
}

/// Waits until all that the log held at the start is folded and shown, and a configuration is in force; then the engine is ready.
pub(super) async fn catch_up(
    log: Log,
    published: Arc<Published>,
    actuators: Actuators,
    gauges: SharedGauges,
    conditions: Conditions,
) {
    conditions.set("start", "folding the log");
    let last = loop {
        match log.last().await {
            Ok(last) => break last,
            Err(error) => {
                conditions.set("log", wording::chain(&error));
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    gauges.start.store(last, Ordering::Relaxed);
    published.shown_record(last).await;
    // The sender lives in `published`: waiting cannot end with an error.
    let _ = published.agenda().wait_for(|agenda| agenda.settings.is_some()).await.map(drop);
    published.shown_record(published.folded().record).await;
    if let Some(sample) = published.snapshot().scaling.sample {
        actuators.resume(sample.instances);
    }
    conditions.clear("start");
    // It is set here alone, once.
    let _ = gauges.ready.set(());
}
