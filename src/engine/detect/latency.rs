//! An increase of latency, judged on the logarithm: latencies are skewed and multiply.

use super::Anomaly;
use crate::domain::Time;
use crate::domain::numbers::as_f64;
use crate::domain::settings::Detection;
use crate::engine::monitor::{Slice, Watched};
use crate::engine::snapshot::{AnomalyType, Evidence, Severity};

/// Standard errors the mean must lie above its baseline: one in a billion by chance for one test; there are thousands a day.
const MIN_Z: f64 = 6.0;

/// A mean latency that is too far above its baseline, if it is.
pub(crate) fn judge(slice: Slice, watched: &Watched, at: Time, detection: &Detection) -> Option<Anomaly> {
    let evidence = measure(watched, at, detection)?;
    let high = evidence.samples >= detection.min_attempts
        && evidence.observed >= detection.latency_ratio * evidence.baseline
        && evidence.probability <= normal_tail(MIN_Z);
    high.then_some(Anomaly { slice, kind: AnomalyType::UnusualPattern, severity: Severity::Warning, evidence })
}

/// The geometric mean latency of the window beside its baseline; none without timed attempts.
pub(crate) fn measure(watched: &Watched, at: Time, detection: &Detection) -> Option<Evidence> {
    let (mean, deviation) = watched.baseline.log_latency()?;
    let sums = watched.window.sums(at, detection.window_s);
    if sums.timed == 0 {
        return None;
    }
    let timed = as_f64(sums.timed);
    let observed = sums.log_latency / timed;
    let z = (observed - mean) / (deviation / timed.sqrt());
    Some(Evidence {
        metric: "mean latency (ms)".to_owned(),
        observed: libm::exp(observed),
        baseline: libm::exp(mean),
        samples: sums.timed,
        window_s: detection.window_s,
        probability: normal_tail(z),
        at,
        series: series(watched, at),
    })
}

/// Mean latency by second.
fn series(watched: &Watched, at: Time) -> Vec<Option<f32>> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds for a sparkline")]
    let mean = |sum: f32, n: u16| (n > 0).then(|| libm::exp(f64::from(sum) / f64::from(n)) as f32);
    watched.window.series(at).iter().map(|b| mean(b.log_latency, b.timed)).collect()
}

/// Probability that a standard normal exceeds z.
fn normal_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z / core::f64::consts::SQRT_2)
}
