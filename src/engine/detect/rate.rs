//! A drop of the success rate, judged with its sample size.

use super::Anomaly;
use crate::domain::Time;
use crate::domain::numbers::as_f64;
use crate::domain::settings::Detection;
use crate::engine::monitor::{Baseline, Slice, Sums, Watched};
use crate::engine::snapshot::{AnomalyType, Evidence, Severity};

/// Below this share of the baseline a drop is worth a page.
const CRITICAL_SHARE: f64 = 0.6;

/// Approved ÷ judged attempts; none without any.
pub(crate) fn of(sums: &Sums) -> Option<f64> {
    (sums.judged() > 0).then(|| as_f64(sums.approved) / as_f64(sums.judged()))
}

/// BINs are watched by the hundred where connectors are few: each has a hundredth of the chance of a false alarm.
const BINS: f64 = 100.0;

/// The most improbable drop over a short, the configured and the longest window, if any is improbable enough.
pub(crate) fn judge(slice: Slice, watched: &Watched, at: Time, detection: &Detection) -> Option<Anomaly> {
    let baseline = watched.baseline.rate()?;
    let most_probable = detection.max_probability / if matches!(slice, Slice::Bin(..)) { BINS } else { 1.0 };
    let windows = [(detection.window_s / 3).max(5), detection.window_s, 60];
    let evidence = windows
        .into_iter()
        .filter_map(|window_s| measure(watched, at, window_s, baseline))
        .filter(|e| e.samples >= detection.min_attempts)
        .filter(|e| e.baseline - e.observed >= detection.min_drop && e.probability <= most_probable)
        .min_by(|a, b| a.probability.total_cmp(&b.probability))?;
    Some(Anomaly { slice, kind: AnomalyType::HighFailureRate, severity: severity(&evidence), evidence })
}

/// How bad a drop is.
pub(crate) fn severity(evidence: &Evidence) -> Severity {
    if evidence.observed < CRITICAL_SHARE * evidence.baseline { Severity::Critical } else { Severity::Warning }
}

/// What a window shows, beside the baseline; none without judged attempts.
pub(crate) fn measure(watched: &Watched, at: Time, window_s: u64, baseline: f64) -> Option<Evidence> {
    let sums = watched.window.sums(at, window_s);
    let observed = of(&sums)?;
    Some(Evidence {
        metric: "attempt rate".to_owned(),
        observed,
        baseline,
        samples: sums.judged(),
        window_s,
        probability: tail(observed, baseline, as_f64(sums.judged()), watched.baseline.attempts()),
        at,
        series: series(watched, at),
    })
}

/// Probability of sums as bad as these where this is usual; 1 without any, or before that is known.
pub(crate) fn improbability(sums: &Sums, usual: &Baseline) -> f64 {
    let seen = of(sums).zip(usual.rate());
    seen.map_or(1.0, |(observed, baseline)| tail(observed, baseline, as_f64(sums.judged()), usual.attempts()))
}

/// Attempt rate by second.
fn series(watched: &Watched, at: Time) -> Vec<Option<f32>> {
    let rate = |approved: u16, failed: u16| {
        let judged = f32::from(approved) + f32::from(failed);
        (judged > 0.0).then(|| f32::from(approved) / judged)
    };
    watched.window.series(at).iter().map(|b| rate(b.approved, b.failed)).collect()
}

/// Probability of seeing a rate this low or lower in n attempts where m attempts before had the rate p: Chernoff's bound
/// on both, exp(−n·KL(observed ‖ r) − m·KL(p ‖ r)), at the rate r that explains both best. What is usual of a slice that is
/// hardly known is itself chance: of a hundred BINs with a hundred attempts each, one looks three points better than it is.
/// For a slice that is known well, r is p, and this the plain bound.
fn tail(observed: f64, p: f64, n: f64, m: f64) -> f64 {
    if observed >= p {
        return 1.0;
    }
    let term = |q: f64, r: f64| if q <= 0.0 { 0.0 } else { q * libm::log(q / r) };
    let apart = |q: f64, r: f64| term(q, r) + term(1.0 - q, 1.0 - r);
    let both = (n * observed + m * p) / (n + m);
    libm::exp(-n * apart(observed, both) - m * apart(p, both))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_samples_prove_little() {
        let known = 1e12;
        assert!(tail(0.5, 0.9, 4.0, known) > 0.05);
        assert!(tail(0.5, 0.9, 60.0, known) < 1e-10);
        assert!((tail(0.95, 0.9, 60.0, known) - 1.0).abs() < f64::EPSILON);
        assert!(tail(0.0, 0.9, 10.0, known) < 1.1e-10, "ten failures in a row at .9: 10^-10");
    }

    #[test]
    fn what_is_usual_of_a_slice_that_is_hardly_known_proves_little() {
        let of_42 = |m: f64| tail(0.76, 0.97, 42.0, m);
        assert!(of_42(1e12) < 1e-5 && of_42(5_000.0) < 1e-5, "{}", of_42(5_000.0));
        assert!(of_42(100.0) > 1e-4, "{}", of_42(100.0));
        assert!(tail(0.3, 0.93, 42.0, 100.0) < 1e-5, "an outage shows all the same");
    }
}
