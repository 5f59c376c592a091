//! Incidents: an anomaly from its detection to its end.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latest::Latest;
use super::shared::alike;
use super::{Anomaly, latency, parts_of, rate, volume};
use crate::domain::numbers::as_f64;
use crate::domain::settings::Detection;
use crate::domain::{ActionId, DeclineClass, IncidentId, Money, Time};
use crate::engine::monitor::{Monitor, Slice};
use crate::engine::route::RoutingView;
use crate::engine::snapshot::{AnomalyType, Evidence, IncidentRow, Severity};

/// Resolved incidents kept in State; the tables keep all.
const KEPT: usize = 100;
/// An open incident on which nothing was seen for so long is over: nobody can say more about it.
const SILENT: Duration = Duration::from_hours(1);
/// Attempts below which nothing is said about recovery.
const MIN_RECOVERY_ATTEMPTS: u64 = 5;
/// Attempts from which on the window is asked, and below which the latest ones are, whenever they were: where traffic
/// has left, there is a probe each ten seconds, three in a window.
const WINDOW_ATTEMPTS: u64 = 10;
/// While an incident grows worse its row is told anew no more often than this: six rows a minute for the tables.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// What became of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It was opened.
    Opened,
    /// It is graver than it was.
    Graver,
    /// What its row says is out of date: its worst is worse than was told, or another action answers it.
    Renewed,
    /// It is over.
    Over,
}

/// One incident.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub(crate) row: IncidentRow,
    pub(crate) slice: Slice,
    /// When the anomaly was seen last.
    last_bad: Time,
    /// Whether it looked recovered when it was judged last.
    looks_recovered: bool,
    /// The measurement as it is now; the row keeps the worst one.
    pub(crate) now: Evidence,
    /// The latest attempts since it was opened.
    latest: Latest,
    /// When its row was told last, and how grave it was then.
    told: (Time, Severity),
    /// Whether its row says more than was told.
    untold: bool,
}

/// All incidents that are open or lately resolved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Incidents {
    by_id: BTreeMap<IncidentId, Incident>,
    numbered: u64,
    /// Parts of a connector that were found failing while the rest of it looks bad too, and since when.
    pub(super) held: BTreeMap<Slice, Time>,
}

impl Incident {
    pub(crate) const fn is_open(&self) -> bool {
        self.row.resolved_at.is_none()
    }
}

impl Incident {
    /// Whether most of what should be approved fails, and nothing shows yet that this is over.
    pub(crate) fn is_critical(&self) -> bool {
        self.row.kind == AnomalyType::HighFailureRate && self.row.severity == Severity::Critical && !self.looks_recovered
    }

    /// How it does now: `connector adyen 0 % of 32 judged attempts`.
    pub(crate) fn in_short(&self) -> String {
        format!("{} {} of {} judged attempts", self.row.slice, percent(self.now.observed), self.now.samples)
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

    /// Whether an open incident of the kind is on the slice itself, on what it is a part of, or on everything.
    pub(crate) fn hits(&self, slice: Slice, kind: AnomalyType) -> bool {
        self.covers(slice, kind) || self.covers(Slice::All, kind)
    }

    /// When the latest incident on a slice was over; none while one is open, or where there was none.
    pub(crate) fn over_since(&self, slice: Slice) -> Option<Time> {
        self.iter().rev().find(|incident| incident.slice == slice)?.row.resolved_at
    }

    /// An attempt ended on these slices: recovery is judged by it.
    pub(crate) fn saw(&mut self, slices: &[Slice], failure: Option<DeclineClass>) {
        let excused = matches!(failure, Some(DeclineClass::User | DeclineClass::ScaRequired | DeclineClass::DataError));
        if excused {
            return;
        }
        for incident in self.by_id.values_mut().filter(|incident| incident.is_open() && slices.contains(&incident.slice)) {
            incident.latest.note(failure.is_none());
        }
    }

    /// Links an action to the incident it answers.
    pub(crate) fn link(&mut self, id: IncidentId, action: ActionId) {
        if let Some(incident) = self.by_id.get_mut(&id) {
            incident.row.actions.push(action);
            incident.untold = true;
        }
    }

    /// Opens an incident. A wider one replaces the narrower ones of its connector.
    pub(crate) fn open(&mut self, anomaly: Anomaly, monitor: &mut Monitor, view: &RoutingView) -> Vec<(Turn, IncidentRow)> {
        self.numbered += 1;
        let id = IncidentId(self.numbered);
        let mut changed = self.absorb(&anomaly, view.at);
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
            at_worst: Vec::new(),
            at_risk_total: None,
            actions: Vec::new(),
        };
        row.at_risk = at_risk(row.kind, &row.evidence, anomaly.slice, monitor);
        row.at_worst.clone_from(&row.at_risk);
        row.sentence = sentence(&row);
        let now = row.evidence.clone();
        changed.push((Turn::Opened, row.clone()));
        let incident = Incident {
            told: (view.at, row.severity),
            untold: false,
            row,
            slice: anomaly.slice,
            last_bad: view.at,
            looks_recovered: false,
            now,
            latest: Latest::default(),
        };
        self.by_id.insert(id, incident);
        if anomaly.kind == AnomalyType::HighFailureRate {
            freeze(monitor, anomaly.slice, true);
        }
        self.forget();
        changed
    }

    /// Measures every open incident again; returns those that are resolved now, and those whose row is to be told anew.
    pub(crate) fn follow(&mut self, monitor: &mut Monitor, view: &RoutingView) -> Vec<(Turn, IncidentRow)> {
        let (mut changed, mut resolved) = (Vec::new(), Vec::new());
        for incident in self.by_id.values_mut().filter(|incident| incident.is_open()) {
            monitor.advance(incident.slice, view.at);
            incident.measure(monitor, view);
            let quiet = Duration::from_secs(view.settings.detection.resolve_after_s);
            let over = view.at.since(incident.last_bad);
            if (incident.looks_recovered && over >= quiet) || over >= SILENT {
                incident.resolve(view.at);
                changed.push((Turn::Over, incident.row.clone()));
                resolved.push((incident.slice, incident.row.kind));
            } else if let Some(turn) = incident.tell(view.at) {
                changed.push((turn, incident.row.clone()));
            }
        }
        for (slice, kind) in &resolved {
            if *kind == AnomalyType::HighFailureRate {
                freeze(monitor, *slice, false);
            }
        }
        if !resolved.is_empty() {
            // Another one may still be open on what was just let go.
            let failing = self.open_ones().filter(|incident| incident.row.kind == AnomalyType::HighFailureRate);
            failing.for_each(|incident| freeze(monitor, incident.slice, true));
        }
        changed
    }

    /// Ends the narrower incidents that a wider one explains when it opens, and says so on them: those of a connector's
    /// parts, and merchants' volumes that do what all traffic does.
    fn absorb(&mut self, wider: &Anomaly, at: Time) -> Vec<(Turn, IncidentRow)> {
        let mut ended = Vec::new();
        for incident in self.by_id.values_mut().filter(|i| i.is_open() && i.row.kind == wider.kind) {
            let why = match (wider.slice, incident.slice) {
                (Slice::Connector(whole), Slice::Account(c, _) | Slice::Bin(c, _)) if c == whole => "the whole connector fails",
                (Slice::All, Slice::Merchant(_)) if alike(wider.kind, &incident.now, &wider.evidence) => "all traffic does",
                _ => continue,
            };
            incident.row.sentence = format!("{}; {why}", sentence(&incident.row));
            incident.row.resolved_at = Some(at);
            incident.row.at_risk.clear();
            ended.push((Turn::Over, incident.row.clone()));
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
            self.judge_latest(detection.min_drop, view.at);
            return;
        };
        self.row.at_risk = at_risk(kind, &evidence, self.slice, monitor);
        if kind == AnomalyType::HighFailureRate && evidence.samples < WINDOW_ATTEMPTS {
            self.judge_latest(detection.min_drop, view.at);
        } else {
            self.judge(&evidence, detection, view.at);
        }
        if harm(kind, &evidence) > harm(kind, &self.row.evidence) {
            self.row.evidence = evidence.clone();
            self.untold = true;
        }
        self.row.at_risk.iter().for_each(|money| raise(&mut self.row.at_worst, *money));
        self.now = evidence;
        self.row.sentence = format!("{}{}", sentence(&self.row), self.since());
    }

    /// What its row says that was not told yet: a graver incident at once, a worse one now and then.
    fn tell(&mut self, at: Time) -> Option<Turn> {
        let (told_at, severity) = self.told;
        let graver = self.row.severity > severity;
        let due = self.untold && at.since(told_at) >= TOLD_EVERY;
        if !(graver || due) {
            return None;
        }
        self.told = (at, self.row.severity);
        self.untold = false;
        Some(if graver { Turn::Graver } else { Turn::Renewed })
    }

    /// Judges whether a window looks recovered.
    fn judge(&mut self, evidence: &Evidence, detection: &Detection, at: Time) {
        let (seen, usual) = (evidence.observed, evidence.baseline);
        let (judged, recovered) = match self.row.kind {
            AnomalyType::HighFailureRate => (true, seen >= usual - detection.min_drop / 2.0),
            AnomalyType::UnusualPattern => {
                (evidence.samples >= MIN_RECOVERY_ATTEMPTS, seen <= usual * detection.latency_ratio.sqrt())
            }
            AnomalyType::VolumeDrop => (true, seen >= usual * detection.volume_drop.sqrt()),
            AnomalyType::VolumeSpike | AnomalyType::PotentialFraud => (true, seen <= usual * detection.volume_spike.sqrt()),
        };
        if judged {
            self.recovered(recovered, at);
        }
        if judged && self.row.kind == AnomalyType::HighFailureRate {
            self.row.severity = self.row.severity.max(rate::severity(evidence));
        }
    }

    /// Judges by the latest attempts, where the window holds too few.
    fn judge_latest(&mut self, min_drop: f64, at: Time) {
        if self.row.kind != AnomalyType::HighFailureRate {
            return;
        }
        if let Some(recovered) = self.latest.reach(self.row.evidence.baseline - min_drop / 2.0) {
            self.recovered(recovered, at);
        }
    }

    const fn recovered(&mut self, recovered: bool, at: Time) {
        self.looks_recovered = recovered;
        if !recovered {
            self.last_bad = at;
        }
    }

    /// It is over: what it was at its worst stays.
    fn resolve(&mut self, at: Time) {
        self.row.resolved_at = Some(at);
        self.row.at_risk.clear();
        let words = if self.looks_recovered { "recovered" } else { "nothing was seen of it any more" };
        self.row.sentence = format!("{}; {words}{}", sentence(&self.row), self.latest_words());
    }

    /// How it does since it was at its worst, in words that follow the sentence.
    fn since(&self) -> String {
        let (now, worst) = (&self.now, &self.row.evidence);
        if now.at == worst.at {
            return String::new();
        }
        match self.row.kind {
            AnomalyType::HighFailureRate if now.samples < WINDOW_ATTEMPTS => match self.latest_words() {
                words if words.is_empty() => words,
                words => format!("; now{}", words.trim_start_matches(':')),
            },
            AnomalyType::HighFailureRate => {
                format!("; now {} of {}", percent(now.observed), now.samples)
            }
            AnomalyType::UnusualPattern => format!("; now {:.0} ms", now.observed),
            AnomalyType::VolumeSpike | AnomalyType::VolumeDrop | AnomalyType::PotentialFraud => {
                format!("; now {:.0}", now.observed)
            }
        }
    }

    /// `: 90 % of the latest 10 judged attempts`, where there were enough.
    fn latest_words(&self) -> String {
        let rate = (self.row.kind == AnomalyType::HighFailureRate).then(|| self.latest.rate()).flatten();
        rate.map_or_else(String::new, |rate| {
            format!(": {} of the latest {} judged attempts", percent(rate), self.latest.count())
        })
    }
}

/// How bad a measurement is, to tell the worst: how far it is off, and of how many attempts, as a standard error has it.
fn harm(kind: AnomalyType, evidence: &Evidence) -> f64 {
    let weight = as_f64(evidence.samples).sqrt();
    match kind {
        AnomalyType::HighFailureRate => (evidence.baseline - evidence.observed) * weight,
        AnomalyType::UnusualPattern => (evidence.observed - evidence.baseline) * weight,
        AnomalyType::VolumeDrop => evidence.baseline - evidence.observed,
        AnomalyType::VolumeSpike | AnomalyType::PotentialFraud => evidence.observed - evidence.baseline,
    }
}

/// Raises the amount of a currency to at least this one.
fn raise(amounts: &mut Vec<Money>, money: Money) {
    match amounts.iter_mut().find(|known| known.currency == money.currency) {
        Some(known) => known.minor = known.minor.max(money.minor),
        None => amounts.push(money),
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
fn at_risk(kind: AnomalyType, evidence: &Evidence, slice: Slice, monitor: &Monitor) -> Vec<Money> {
    if kind != AnomalyType::HighFailureRate || evidence.observed >= evidence.baseline {
        return Vec::new();
    }
    let Some(watched) = monitor.get(slice) else { return Vec::new() };
    let lost_per_min = (evidence.baseline - evidence.observed) * as_f64(evidence.samples) * 60.0 / as_f64(evidence.window_s);
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

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// The one sentence a person reads first: how it was at its worst. Judged attempts are those that were approved or failed;
/// what was declined for the customer's own reasons says nothing of a connector, and is in no number here.
fn sentence(row: &IncidentRow) -> String {
    let e = &row.evidence;
    let subject = row.slice.strip_prefix("connector ").unwrap_or(&row.slice);
    match row.kind {
        AnomalyType::HighFailureRate => format!(
            "{subject} {}: {} of {} judged attempts approved in {} s, expected {}",
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
