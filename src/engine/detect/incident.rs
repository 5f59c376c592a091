//! Incidents: an anomaly from its detection to its end.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Anomaly, latency, parts_of, rate, volume};
use crate::domain::{ActionId, IncidentId, Money, Time};
use crate::engine::monitor::{Monitor, Slice};
use crate::engine::route::RoutingView;
use crate::engine::snapshot::{AnomalyType, IncidentRow, Severity};

/// Resolved incidents kept in State; the tables keep all.
const KEPT: usize = 100;
/// An open incident on which nothing was seen for so long is over: nobody can say more about it.
const SILENT: Duration = Duration::from_hours(1);
/// Attempts below which a window says nothing about recovery.
const MIN_RECOVERY_ATTEMPTS: u64 = 5;

/// One incident.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub(crate) row: IncidentRow,
    pub(crate) slice: Slice,
    /// When the anomaly was seen last.
    last_bad: Time,
    /// Whether the latest judged window looked recovered.
    looks_recovered: bool,
}

/// All incidents that are open or lately resolved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Incidents {
    by_id: BTreeMap<IncidentId, Incident>,
    numbered: u64,
}

impl Incident {
    pub(crate) const fn is_open(&self) -> bool {
        self.row.resolved_at.is_none()
    }
}

impl Incidents {
    /// Every incident, the oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Incident> {
        self.by_id.values()
    }

    /// Those that are open, the oldest first.
    pub(crate) fn open_ones(&self) -> impl Iterator<Item = &Incident> {
        self.iter().filter(|incident| incident.is_open())
    }

    /// The incident with this id.
    pub(crate) fn get(&self, id: IncidentId) -> Option<&Incident> {
        self.by_id.get(&id)
    }

    /// Whether an incident of a kind is open anywhere.
    pub(crate) fn any_open(&self, kind: AnomalyType) -> bool {
        self.open_ones().any(|incident| incident.row.kind == kind)
    }

    /// Whether an open incident of the kind is on the slice, or on the connector it is a part of.
    pub(crate) fn covers(&self, slice: Slice, kind: AnomalyType) -> bool {
        let whole = match slice {
            Slice::Account(connector, _) | Slice::Bin(connector, _) => Slice::Connector(connector),
            other => other,
        };
        self.open_ones().any(|incident| incident.row.kind == kind && (incident.slice == slice || incident.slice == whole))
    }

    /// Links an action to the incident it answers.
    pub(crate) fn link(&mut self, id: IncidentId, action: ActionId) {
        if let Some(incident) = self.by_id.get_mut(&id) {
            incident.row.actions.push(action);
        }
    }

    /// Opens an incident. A wider one replaces the narrower ones of its connector.
    pub(crate) fn open(&mut self, anomaly: Anomaly, monitor: &mut Monitor, view: &RoutingView) -> Vec<IncidentRow> {
        self.numbered += 1;
        let id = IncidentId(self.numbered);
        let mut row = IncidentRow {
            id,
            kind: anomaly.kind,
            slice: name(anomaly.slice, view),
            sentence: String::new(),
            severity: anomaly.severity,
            detected_at: view.at,
            resolved_at: None,
            evidence: anomaly.evidence,
            at_risk: Vec::new(),
            at_risk_total: None,
            actions: Vec::new(),
        };
        row.at_risk = at_risk(&row, anomaly.slice, monitor);
        row.sentence = sentence(&row);
        let mut changed = self.absorb(anomaly.slice, anomaly.kind, view.at);
        changed.push(row.clone());
        self.by_id.insert(id, Incident { row, slice: anomaly.slice, last_bad: view.at, looks_recovered: false });
        if anomaly.kind == AnomalyType::HighFailureRate {
            freeze(monitor, anomaly.slice, true);
        }
        self.forget();
        changed
    }

    /// Measures every open incident again; returns those that are resolved now.
    pub(crate) fn follow(&mut self, monitor: &mut Monitor, view: &RoutingView) -> Vec<IncidentRow> {
        let mut resolved = Vec::new();
        for incident in self.by_id.values_mut().filter(|incident| incident.is_open()) {
            monitor.advance(incident.slice, view.at);
            incident.measure(monitor, view);
            let quiet = Duration::from_secs(view.settings.detection.resolve_after_s);
            let over = view.at.since(incident.last_bad);
            if (incident.looks_recovered && over >= quiet) || over >= SILENT {
                incident.row.resolved_at = Some(view.at);
                incident.row.at_risk.clear();
                resolved.push((incident.slice, incident.row.clone()));
            }
        }
        for (slice, row) in &resolved {
            if row.kind == AnomalyType::HighFailureRate {
                freeze(monitor, *slice, false);
            }
        }
        if !resolved.is_empty() {
            // Another one may still be open on what was just let go.
            let failing = self.open_ones().filter(|incident| incident.row.kind == AnomalyType::HighFailureRate);
            failing.for_each(|incident| freeze(monitor, incident.slice, true));
        }
        resolved.into_iter().map(|(_, row)| row).collect()
    }

    /// Ends the narrower incidents of a connector when one on the whole connector opens.
    fn absorb(&mut self, slice: Slice, kind: AnomalyType, at: Time) -> Vec<IncidentRow> {
        let Slice::Connector(connector) = slice else { return Vec::new() };
        let mut ended = Vec::new();
        for incident in self.by_id.values_mut().filter(|i| i.row.resolved_at.is_none() && i.row.kind == kind) {
            if matches!(incident.slice, Slice::Account(c, _) | Slice::Bin(c, _) if c == connector) {
                incident.row.resolved_at = Some(at);
                incident.row.at_risk.clear();
                ended.push(incident.row.clone());
            }
        }
        ended
    }

    /// Forgets the oldest resolved ones beyond those kept.
    fn forget(&mut self) {
        while self.by_id.len() > KEPT {
            let Some(id) = self.by_id.iter().find(|(_, incident)| !incident.is_open()).map(|(id, _)| *id) else { return };
            self.by_id.remove(&id);
        }
    }
}

impl Incident {
    fn measure(&mut self, monitor: &Monitor, view: &RoutingView) {
        let detection = &view.settings.detection;
        let Some(watched) = monitor.get(self.slice) else { return };
        let kind = self.row.kind;
        let evidence = match kind {
            AnomalyType::HighFailureRate => rate::measure(watched, view.at, detection.window_s, self.row.evidence.baseline),
            AnomalyType::UnusualPattern => latency::measure(watched, view.at, detection),
            AnomalyType::VolumeSpike | AnomalyType::VolumeDrop | AnomalyType::PotentialFraud => {
                volume::measure(watched, view.at, detection)
            }
        };
        let Some(evidence) = evidence else {
            self.row.at_risk.clear();
            return;
        };
        let (seen, usual) = (evidence.observed, evidence.baseline);
        let (judged, recovered) = match kind {
            AnomalyType::HighFailureRate => {
                (evidence.samples >= MIN_RECOVERY_ATTEMPTS, seen >= usual - detection.min_drop / 2.0)
            }
            AnomalyType::UnusualPattern => {
                (evidence.samples >= MIN_RECOVERY_ATTEMPTS, seen <= usual * detection.latency_ratio.sqrt())
            }
            AnomalyType::VolumeDrop => (true, seen >= usual * detection.volume_drop.sqrt()),
            AnomalyType::VolumeSpike | AnomalyType::PotentialFraud => (true, seen <= usual * detection.volume_spike.sqrt()),
        };
        if judged {
            self.looks_recovered = recovered;
            if !recovered {
                self.last_bad = view.at;
            }
        }
        if kind == AnomalyType::HighFailureRate && judged {
            self.row.severity = self.row.severity.max(rate::severity(&evidence));
        }
        self.row.evidence = evidence;
        self.row.at_risk = at_risk(&self.row, self.slice, monitor);
        self.row.sentence = sentence(&self.row);
    }
}

/// Freezes the baselines a failing slice would spoil: its own, all traffic's, and those of its parts.
fn freeze(monitor: &mut Monitor, slice: Slice, frozen: bool) {
    monitor.freeze(slice, frozen);
    monitor.freeze(Slice::All, frozen);
    if let Slice::Connector(connector) = slice {
        let parts: Vec<Slice> =
            parts_of(connector).into_iter().flat_map(|range| monitor.range(range)).map(|(slice, _)| slice).collect();
        for part in parts {
            monitor.freeze(part, frozen);
        }
    }
}

/// (expected − observed) × attempts a minute × mean ticket, by currency; nothing where nothing is lost.
fn at_risk(row: &IncidentRow, slice: Slice, monitor: &Monitor) -> Vec<Money> {
    let evidence = &row.evidence;
    if row.kind != AnomalyType::HighFailureRate || evidence.observed >= evidence.baseline {
        return Vec::new();
    }
    let Some(watched) = monitor.get(slice) else { return Vec::new() };
    let lost_per_min =
        (evidence.baseline - evidence.observed) * rate::as_f64(evidence.samples) * 60.0 / rate::as_f64(evidence.window_s);
    watched.tickets().map(|(share, ticket)| scaled(ticket, share * lost_per_min)).filter(|money| money.minor > 0).collect()
}

/// An amount times a factor, to the nearest minor unit.
pub(crate) fn scaled(money: Money, factor: f64) -> Money {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an estimate; saturates")]
    let minor = libm::round(money.minor as f64 * factor) as i64;
    Money::new(minor, money.currency)
}

/// What an incident is about, in words.
pub(crate) fn name(slice: Slice, view: &RoutingView) -> String {
    let connector = |c: u32| view.connectors.name(c).map_or("?", |name| name.as_str());
    match slice {
        Slice::All => "all traffic".to_owned(),
        Slice::Connector(c) => format!("connector {}", connector(c)),
        Slice::Account(_, a) => format!("account {}", view.account_names.name(a).map_or("?", |name| name.as_str())),
        Slice::Bin(c, bin) => format!("{} × BIN {bin}", connector(c)),
        Slice::Merchant(m) => format!("merchant {}", view.profiles.name(m).map_or("?", |name| name.as_str())),
    }
}

/// The one sentence a person reads first.
fn sentence(row: &IncidentRow) -> String {
    let e = &row.evidence;
    let subject = row.slice.strip_prefix("connector ").unwrap_or(&row.slice);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    match row.kind {
        AnomalyType::HighFailureRate => format!(
            "{subject} {}: {} of {} attempts approved in {} s, expected {}",
            if row.severity == Severity::Critical { "fails" } else { "degraded" },
            percent(e.observed),
            e.samples,
            e.window_s,
            percent(e.baseline),
        ),
        AnomalyType::UnusualPattern => {
            format!(
                "{subject} is slow: {:.0} ms mean of {} attempts in {} s, usually {:.0} ms",
                e.observed, e.samples, e.window_s, e.baseline
            )
        }
        AnomalyType::VolumeSpike | AnomalyType::PotentialFraud => {
            format!(
                "{subject}: {:.0} payments a minute, {:.1}× the usual {:.0}",
                e.observed,
                e.observed / e.baseline.max(1.0),
                e.baseline
            )
        }
        AnomalyType::VolumeDrop => {
            format!("{subject} is quiet: {:.0} payments a minute, usually {:.0}", e.observed, e.baseline)
        }
    }
}
