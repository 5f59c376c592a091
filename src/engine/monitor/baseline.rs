//! What is usual for a slice: its attempt rate, latency and volume.

use serde::{Deserialize, Serialize};

use super::window::Bucket;

/// Attempts after which a rate has faded to 1/e: long enough to be steady (±0.5 points at a rate of .9), short enough
/// to follow a day's drift at ordinary volumes.
const RATE_MEMORY: f64 = 5_000.0;
/// Seconds after which a volume has faded to 1/e: twenty minutes follow the daily season closely.
const VOLUME_MEMORY: f64 = 1_200.0;
/// Attempts a rate, and timed attempts a latency, needs before anything is judged by it.
const MIN_ATTEMPTS: f64 = 100.0;
/// Seconds a volume needs before it is judged by.
const MIN_SECONDS: f64 = 120.0;

/// Seconds with a payment a volume needs before its drop is judged: a burst of a few seconds is not usual, whatever it
/// comes to a minute. Whoever starts a payment every other second has them after four minutes.
const MIN_BUSY_SECONDS: f64 = 120.0;

/// Fading sums. What has been frozen learns nothing.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// Whether an incident is open on the slice.
    pub(crate) frozen: bool,
    attempts: f64,
    approved: f64,
    answered: f64,
    timed: f64,
    log_latency: f64,
    log_latency_squares: f64,
    seconds: f64,
    started: f64,
    /// Seconds in which a payment started.
    busy: f64,
}

impl Baseline {
    /// Learns one second that has left the judged window.
    pub(crate) fn learn(&mut self, second: &Bucket) {
        if self.frozen {
            return;
        }
        let keep = 1.0 - 1.0 / VOLUME_MEMORY;
        self.seconds = self.seconds * keep + 1.0;
        self.started = self.started * keep + f64::from(second.started);
        self.busy = self.busy * keep + f64::from(u8::from(second.started > 0));
        let attempts = f64::from(second.approved) + f64::from(second.failed);
        if attempts > 0.0 {
            let keep = libm::exp(-attempts / RATE_MEMORY);
            self.attempts = self.attempts * keep + attempts;
            self.approved = self.approved * keep + f64::from(second.approved);
            self.answered = self.answered * keep + attempts + f64::from(second.excused);
        }
        if second.timed > 0 {
            let timed = f64::from(second.timed);
            let keep = libm::exp(-timed / RATE_MEMORY);
            self.timed = self.timed * keep + timed;
            self.log_latency = self.log_latency * keep + f64::from(second.log_latency);
            self.log_latency_squares = self.log_latency_squares * keep + f64::from(second.log_latency_squares);
        }
    }

    /// The usual rate of the judged attempts (approved ÷ approved + failed, customers' faults left out), once known.
    pub(crate) fn rate(&self) -> Option<f64> {
        // Half a failure more than seen: nothing is believed to be perfect.
        (self.attempts >= MIN_ATTEMPTS).then(|| (self.approved / (self.attempts + 0.5)).min(0.999))
    }

    /// How many attempts are behind the usual rate.
    pub(crate) const fn attempts(&self) -> f64 {
        self.attempts
    }

    /// The usual attempt rate as screens show it: customers' faults included.
    pub(crate) fn attempt_rate(&self) -> Option<f64> {
        (self.attempts >= MIN_ATTEMPTS).then(|| self.approved / self.answered.max(1.0))
    }

    /// Mean and standard deviation of the logarithm of an attempt's latency, once known.
    pub(crate) fn log_latency(&self) -> Option<(f64, f64)> {
        (self.timed >= MIN_ATTEMPTS).then(|| {
            let mean = self.log_latency / self.timed;
            let variance = (self.log_latency_squares / self.timed - mean * mean).max(0.0);
            (mean, variance.sqrt().max(0.05))
        })
    }

    /// The usual number of payments started a second, once known.
    pub(crate) fn started_per_s(&self) -> Option<f64> {
        (self.seconds >= MIN_SECONDS).then(|| self.started / self.seconds)
    }

    /// Whether payments started over so long that their absence means something.
    pub(crate) fn is_steady(&self) -> bool {
        self.busy >= MIN_BUSY_SECONDS
    }
}
