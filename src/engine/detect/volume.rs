//! Spikes and drops of volume: counts are Poisson, but burstier, so a ratio is asked for besides.

use super::Anomaly;
use crate::domain::Time;
use crate::domain::numbers::as_f64;
use crate::domain::settings::Detection;
use crate::engine::monitor::{Slice, Watched};
use crate::engine::snapshot::{AnomalyType, Evidence, Severity};

/// Payments expected (or, for a spike, seen) in the window before it is judged: below, chance and one big customer
/// make ratios of any size.
const MIN_PAYMENTS: f64 = 50.0;

/// A volume far above or below its baseline, if it is.
pub(crate) fn judge(slice: Slice, watched: &Watched, at: Time, detection: &Detection) -> Option<Anomaly> {
    let evidence = measure(watched, at, detection)?;
    let minutes = as_f64(evidence.window_s) / 60.0;
    let (seen, expected) = (evidence.observed * minutes, evidence.baseline * minutes);
    if evidence.probability > detection.max_probability {
        return None;
    }
    let kind = if seen >= MIN_PAYMENTS && seen >= detection.volume_spike * expected {
        AnomalyType::VolumeSpike
    } else if watched.baseline.is_steady() && expected >= MIN_PAYMENTS && seen <= detection.volume_drop * expected {
        AnomalyType::VolumeDrop
    } else {
        return None;
    };
    let severity = if kind == AnomalyType::VolumeDrop { Severity::Critical } else { Severity::Warning };
    Some(Anomaly { slice, kind, severity, evidence })
}

/// Payments a minute in the window beside the baseline; none before that is known, or where both are too few to judge.
pub(crate) fn measure(watched: &Watched, at: Time, detection: &Detection) -> Option<Evidence> {
    let per_second = watched.baseline.started_per_s()?;
    let window_s = detection.window_s;
    let started = watched.window.sums(at, window_s).started;
    let seen = as_f64(started);
    let expected = per_second * as_f64(window_s);
    if seen < MIN_PAYMENTS && expected < MIN_PAYMENTS {
        return None;
    }
    let per_minute = 60.0 / as_f64(window_s);
    Some(Evidence {
        metric: "payments a minute".to_owned(),
        observed: seen * per_minute,
        baseline: expected * per_minute,
        samples: started,
        window_s,
        probability: poisson_tail(seen, expected),
        at,
        series: watched.window.series(at).iter().map(|b| Some(f32::from(b.started))).collect(),
    })
}

/// Chernoff's bound on a Poisson count this far from its mean, on the side it lies: exp(k − λ − k·ln(k/λ)).
fn poisson_tail(seen: f64, expected: f64) -> f64 {
    if expected <= 0.0 {
        return 1.0;
    }
    let log = if seen <= 0.0 { 0.0 } else { seen * libm::log(seen / expected) };
    libm::exp(seen - expected - log).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_one_at_the_mean_and_tiny_far_from_it() {
        assert!((poisson_tail(100.0, 100.0) - 1.0).abs() < 1e-12);
        assert!(poisson_tail(250.0, 100.0) < 1e-20);
        assert!(poisson_tail(20.0, 100.0) < 1e-15);
        assert!(poisson_tail(110.0, 100.0) > 0.3);
    }
}
