//! A timer finer than tokio's, which goes by whole milliseconds: what is due would be sent in bursts, and the server be
//! charged for the wait.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::watch;

/// It goes so often. Several requests may come due in between: a wake-up for each would cost the server's processors more
/// than it tells.
const TICK: Duration = Duration::from_micros(200);

/// Ticks, counted by a thread that does nothing else.
#[derive(Debug)]
pub(crate) struct Timer {
    start: Instant,
    ticks: watch::Receiver<u32>,
}

impl Timer {
    /// A timer that starts at a time; its thread ends with it.
    pub(crate) fn starting_at(start: Instant) -> Self {
        let (told, ticks) = watch::channel(0);
        std::thread::spawn(move || {
            for tick in 1_u32.. {
                std::thread::sleep((start + TICK * tick).saturating_duration_since(Instant::now()));
                if told.send(tick).is_err() {
                    return;
                }
            }
        });
        Self { start, ticks }
    }

    /// Waits until the tick at or after a time; not at all where that has passed.
    pub(crate) async fn wait_until(&mut self, due: Instant) -> Result<()> {
        let ticks = due.saturating_duration_since(self.start).as_nanos().div_ceil(TICK.as_nanos());
        self.ticks.wait_for(|tick| u128::from(*tick) >= ticks).await.context("the timer's thread ended")?;
        Ok(())
    }
}
