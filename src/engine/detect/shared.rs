//! Volume that all traffic shares: one cause is one incident, not one for each merchant it shows on.

use super::{Anomaly, Incidents, volume};
use crate::engine::monitor::{Monitor, Slice};
use crate::engine::route::RoutingView;
use crate::engine::snapshot::{AnomalyType, Evidence};

/// A spike this many times as strong, or as weak, as that of all traffic still is a part of it: half a window's noise.
const SPIKE_APART: f64 = 1.5;
/// The same of a drop, in what is left of the usual: 0 to 1.
const DROP_APART: f64 = 0.2;

/// Leaves out merchants whose volume does what that of all traffic does, where that is an incident already or becomes one.
pub(super) fn leave_out(found: &mut Vec<Anomaly>, incidents: &Incidents) {
    let new =
        found.iter().filter(|anomaly| anomaly.slice == Slice::All).map(|anomaly| (anomaly.kind, anomaly.evidence.clone()));
    let open = incidents.open_ones().filter(|incident| incident.slice == Slice::All);
    let wholes: Vec<(AnomalyType, Evidence)> =
        new.chain(open.map(|incident| (incident.row.kind, incident.now.clone()))).collect();
    found.retain(|anomaly| {
        let part = |(kind, whole): &(AnomalyType, Evidence)| *kind == anomaly.kind && alike(*kind, &anomaly.evidence, whole);
        !(matches!(anomaly.slice, Slice::Merchant(_)) && wholes.iter().any(part))
    });
}

/// Whether all traffic does what a merchant's volume does, though it may be no incident yet.
pub(super) fn is_all_like(anomaly: &Anomaly, monitor: &Monitor, view: &RoutingView) -> bool {
    let all = monitor.get(Slice::All).and_then(|all| volume::measure(all, view.at, &view.settings.detection));
    matches!(anomaly.slice, Slice::Merchant(_)) && all.is_some_and(|all| alike(anomaly.kind, &anomaly.evidence, &all))
}

/// Whether two volumes are off their usual ones by about as much. Of other kinds, none is.
pub(super) fn alike(kind: AnomalyType, part: &Evidence, whole: &Evidence) -> bool {
    let ratio = |evidence: &Evidence| evidence.observed / evidence.baseline.max(f64::MIN_POSITIVE);
    let (part, whole) = (ratio(part), ratio(whole));
    match kind {
        AnomalyType::VolumeSpike => part <= SPIKE_APART * whole && whole <= SPIKE_APART * part,
        AnomalyType::VolumeDrop => (part - whole).abs() <= DROP_APART,
        AnomalyType::HighFailureRate | AnomalyType::UnusualPattern | AnomalyType::PotentialFraud => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    #[test]
    fn a_volume_is_a_part_where_it_is_off_by_about_as_much() {
        let seen = |observed| Evidence {
            metric: "payments a minute".to_owned(),
            observed,
            baseline: 100.0,
            samples: 100,
            window_s: 30,
            probability: 1e-9,
            at: Time::ZERO,
            series: Vec::new(),
        };
        let like = |kind, part, whole| alike(kind, &seen(part), &seen(whole));
        assert!(like(AnomalyType::VolumeSpike, 500.0, 400.0) && like(AnomalyType::VolumeSpike, 400.0, 500.0));
        assert!(!like(AnomalyType::VolumeSpike, 900.0, 400.0), "a merchant's own sale in a busy hour");
        assert!(like(AnomalyType::VolumeDrop, 0.0, 10.0) && !like(AnomalyType::VolumeDrop, 0.0, 60.0));
        assert!(!like(AnomalyType::HighFailureRate, 1.0, 1.0));
    }
}
