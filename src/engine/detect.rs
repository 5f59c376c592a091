//! The anomaly detector: notices, localises and follows what is unusual.
//!
//! Judged once per tick, and only where there was news. A drop is looked for on connectors first; then it is asked
//! whether one account or one BIN explains it; a drop that all connectors share is not a connector's fault.

mod incident;
mod latency;
mod latest;
mod rate;
mod risk;
mod shared;
mod volume;

pub(crate) use incident::{Incident, Incidents, Turn, scaled};
pub(crate) use rate::{measure as measure_rate, of as rate_of};
pub(crate) use risk::at_risk;

use core::time::Duration;

use super::monitor::{Monitor, Slice};
use super::route::RoutingView;
use super::snapshot::{AnomalyType, Evidence, IncidentRow, Severity};
use crate::domain::Bin;

/// How long a part of a connector is held back while the rest of the connector looks bad too: five ticks, in which the
/// connector's own evidence of an outage is complete.
const HELD_BACK: Duration = Duration::from_secs(5);
/// Probability under the baseline below which the rest of a connector looks bad: one in a hundred by chance.
const LOOKS_BAD: f64 = 0.01;

/// What was found unusual about a slice.
#[derive(Debug, Clone)]
pub(crate) struct Anomaly {
    pub(crate) slice: Slice,
    pub(crate) kind: AnomalyType,
    pub(crate) severity: Severity,
    pub(crate) evidence: Evidence,
}

/// Judges all slices with news at the view's time. Returns the incidents of which there is something to tell, with what it is.
pub(crate) fn tick(incidents: &mut Incidents, monitor: &mut Monitor, view: &RoutingView) -> Vec<(Turn, IncidentRow)> {
    let touched = monitor.take_touched();
    monitor.advance(Slice::All, view.at);
    for &slice in &touched {
        monitor.advance(slice, view.at);
        monitor.judged(slice);
    }
    let mut changed = incidents.follow(monitor, view);
    let mut found = find(incidents, monitor, view, &touched);
    hold_back(&mut found, incidents, monitor, view);
    for anomaly in found {
        changed.extend(incidents.open(anomaly, monitor, view));
    }
    changed
}

/// All anomalies on slices with news on which no incident of the kind is open.
fn find(incidents: &Incidents, monitor: &Monitor, view: &RoutingView, touched: &[Slice]) -> Vec<Anomaly> {
    let detection = &view.settings.detection;
    let mut found = failing(incidents, monitor, view, touched);
    for &slice in touched {
        let Some(watched) = monitor.get(slice) else { continue };
        let failing = incidents.covers(slice, AnomalyType::HighFailureRate);
        if let (Slice::Connector(_), false) = (slice, failing) {
            found.extend(latency::judge(slice, watched, view.at, detection));
        }
    }
    // Merchants are judged without news too: silence is what is looked for.
    let merchants = monitor.range(Slice::Merchant(0)..=Slice::Merchant(u32::MAX));
    found.extend(merchants.filter_map(|(slice, watched)| volume::judge(slice, watched, view.at, detection)));
    found.extend(monitor.get(Slice::All).and_then(|watched| volume::judge(Slice::All, watched, view.at, detection)));
    found.retain(|anomaly| !incidents.covers(anomaly.slice, anomaly.kind));
    shared::leave_out(&mut found, incidents);
    found
}

/// Holds parts of a connector back while the rest of it looks bad too, and merchants while all traffic looks as they do:
/// the incident of the whole may be a tick away.
fn hold_back(found: &mut Vec<Anomaly>, incidents: &mut Incidents, monitor: &Monitor, view: &RoutingView) {
    incidents.held.retain(|_, since| view.at.since(*since) <= 2 * HELD_BACK);
    found.retain(|anomaly| {
        let around = match anomaly.kind {
            AnomalyType::HighFailureRate => is_bad_around(anomaly, monitor, view),
            AnomalyType::VolumeSpike | AnomalyType::VolumeDrop => shared::is_all_like(anomaly, monitor, view),
            AnomalyType::UnusualPattern | AnomalyType::PotentialFraud => false,
        };
        if !around {
            return true;
        }
        let since = *incidents.held.entry(anomaly.slice).or_insert(view.at);
        view.at.since(since) >= HELD_BACK
    });
}

/// Whether a slice is a part of a connector, and the rest of that looks bad too.
fn is_bad_around(anomaly: &Anomaly, monitor: &Monitor, view: &RoutingView) -> bool {
    let (Slice::Account(connector, _) | Slice::Bin(connector, _)) = anomaly.slice else { return false };
    let (Some(whole), Some(part)) = (monitor.get(Slice::Connector(connector)), monitor.get(anomaly.slice)) else {
        return false;
    };
    let seconds = anomaly.evidence.window_s;
    let rest = whole.window.sums(view.at, seconds).without(&part.window.sums(view.at, seconds));
    rate::improbability(&rest, &whole.baseline) <= LOOKS_BAD
}

/// Drops of the attempt rate, each on the narrowest slice that explains it.
fn failing(incidents: &Incidents, monitor: &Monitor, view: &RoutingView, touched: &[Slice]) -> Vec<Anomaly> {
    let judge = |slice: Slice| rate::judge(slice, monitor.get(slice)?, view.at, &view.settings.detection);
    let connectors: Vec<Slice> = touched.iter().copied().filter(|slice| matches!(slice, Slice::Connector(_))).collect();
    let dropped: Vec<Anomaly> = connectors.iter().filter_map(|slice| judge(*slice)).collect();
    let judged = connectors.iter().filter(|slice| enough(**slice, monitor, view)).count();
    if dropped.len() >= 2
        && dropped.len() == judged
        && let Some(all) = judge(Slice::All)
    {
        return vec![all];
    }
    let mut found: Vec<Anomaly> = dropped.into_iter().map(|anomaly| narrow(anomaly, monitor, view)).collect();
    let open_rate = incidents.any_open(AnomalyType::HighFailureRate);
    for &slice in touched {
        let apart = match slice {
            Slice::Account(connector, _) | Slice::Bin(connector, _) => {
                let whole = Slice::Connector(connector);
                !incidents.covers(whole, AnomalyType::HighFailureRate) && !found.iter().any(|a| within(a.slice, connector))
            }
            Slice::Merchant(_) => !open_rate && found.is_empty(),
            Slice::All | Slice::Connector(_) => false,
        };
        if apart {
            found.extend(judge(slice));
        }
    }
    found
}

/// Whether a slice has had enough attempts lately to be judged by its rate.
fn enough(slice: Slice, monitor: &Monitor, view: &RoutingView) -> bool {
    let detection = &view.settings.detection;
    monitor
        .get(slice)
        .is_some_and(|watched| watched.window.sums(view.at, detection.window_s).judged() >= detection.min_attempts)
}

/// Whether a slice is a connector, or a part of it.
fn within(slice: Slice, connector: u32) -> bool {
    matches!(slice, Slice::Connector(c) | Slice::Account(c, _) | Slice::Bin(c, _) if c == connector)
}

/// The account or BIN that explains a connector's drop: without it, the rest is as it should be. Else the connector.
fn narrow(anomaly: Anomaly, monitor: &Monitor, view: &RoutingView) -> Anomaly {
    let Slice::Connector(connector) = anomaly.slice else { return anomaly };
    let Some(whole) = monitor.get(anomaly.slice) else { return anomaly };
    let detection = &view.settings.detection;
    let seconds = anomaly.evidence.window_s;
    let total = whole.window.sums(view.at, seconds);
    let parts = parts_of(connector)
        .into_iter()
        .flat_map(|range| monitor.range(range))
        .map(|(slice, part)| (slice, part.window.sums(view.at, seconds)));
    let worst = parts.max_by_key(|(_, sums)| sums.failed);
    let Some((slice, part)) = worst else { return anomaly };
    let rest = total.without(&part);
    let healthy = rest.judged() >= detection.min_attempts / 2
        && rate::of(&rest).is_some_and(|rate| rate >= anomaly.evidence.baseline - detection.min_drop / 2.0);
    if !healthy {
        return anomaly;
    }
    let evidence =
        Evidence { samples: part.judged(), observed: rate::of(&part).unwrap_or(anomaly.evidence.observed), ..anomaly.evidence };
    Anomaly { slice, evidence, ..anomaly }
}

/// Ranges of slices that are parts of a connector: its accounts, then BINs on it.
pub(crate) fn parts_of(connector: u32) -> [core::ops::RangeInclusive<Slice>; 2] {
    let (first, last) = (Bin::LOWEST, Bin::HIGHEST);
    [
        Slice::Account(connector, 0)..=Slice::Account(connector, u32::MAX),
        Slice::Bin(connector, first)..=Slice::Bin(connector, last),
    ]
}
