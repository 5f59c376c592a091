//! What is shown where there is no screen: lines of text or of JSON, made from snapshots.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::Output;
use crate::domain::{ActionId, IncidentId, Position, Time};
use crate::engine::Snapshot;
use crate::engine::snapshot::{ActionStatus, Header, Statistics};

/// A status line a second: what a person can follow and a file can hold.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Turns snapshots into lines: one of status a second, and one whenever an incident or an action changes.
#[derive(Debug)]
pub(super) struct Lines {
    form: Output,
    status_at: Option<Duration>,
    position: Position,
    /// Incidents seen, and whether each was resolved.
    incidents: BTreeMap<IncidentId, bool>,
    actions: BTreeMap<ActionId, ActionStatus>,
}

/// One line of JSON.
#[derive(Serialize)]
struct JsonLine<'a> {
    position: Position,
    at: String,
    header: &'a Header,
    statistics: &'a Statistics,
}

impl Lines {
    pub(super) fn new(form: Output) -> Self {
        let (incidents, actions) = (BTreeMap::new(), BTreeMap::new());
        Self { form, status_at: None, position: Position::default(), incidents, actions }
    }

    /// The lines that a snapshot calls for at a wall time, each with its end.
    pub(super) fn see(&mut self, snapshot: &Snapshot, now: Duration) -> Vec<String> {
        let mut lines = if self.form == Output::Json { Vec::new() } else { self.changes(snapshot) };
        let due = self.status_at.is_none_or(|at| now >= at + STATUS_EVERY);
        if due && snapshot.position != self.position {
            (self.status_at, self.position) = (Some(now), snapshot.position);
            lines.push(if self.form == Output::Json { json(snapshot) } else { status(snapshot) });
        }
        lines
    }

    fn changes(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let mut lines = Vec::new();
        for incident in &snapshot.incidents {
            let resolved = incident.resolved_at.is_some();
            if self.incidents.insert(incident.id, resolved) != Some(resolved) {
                let word = if resolved { "resolved" } else { "incident" };
                lines.push(line(snapshot.at, word, &incident.id.to_string(), &incident.sentence));
            }
        }
        for action in &snapshot.actions {
            if self.actions.insert(action.id, action.status) != Some(action.status) {
                lines.push(line(snapshot.at, action.status.as_str(), &action.id.to_string(), &action.sentence));
            }
        }
        lines
    }
}

fn line(at: Time, word: &str, id: &str, sentence: &str) -> String {
    format!("{at}  {word:<11} {id}: {sentence}\n")
}

fn status(snapshot: &Snapshot) -> String {
    let header = &snapshot.header;
    let percent = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let mut status = format!(
        "{}  {:.1} payments/s, attempt rate {} of {} (expected {}), {} incidents, {} to approve",
        snapshot.at,
        header.payments_per_s,
        percent(header.attempt_rate),
        header.attempts,
        percent(header.baseline_rate),
        header.open_incidents,
        header.pending_actions,
    );
    if let Some(total) = header.at_risk.total.filter(|total| total.minor > 0) {
        // Writing to a String cannot fail.
        let _ = write!(status, ", {total} a minute at risk");
    }
    status.push('\n');
    status
}

fn json(snapshot: &Snapshot) -> String {
    let Snapshot { position, at, header, statistics, .. } = snapshot;
    let line = JsonLine { position: *position, at: at.to_string(), header, statistics };
    // Plain data with text keys: it always has a JSON form.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(record: u64) -> Snapshot {
        let header = Header { payments_per_s: 49.96, attempt_rate: Some(0.912), attempts: 3_000, ..Header::default() };
        let position = Position { record, index: 0 };
        Snapshot { position, at: Time::from_secs(1_700_000_000), header, ..Snapshot::default() }
    }

    #[test]
    fn a_status_line_a_second_and_none_without_news() {
        let mut lines = Lines::new(Output::Plain);
        let ms = Duration::from_millis;
        let seen: Vec<usize> = [(1, 0), (2, 500), (3, 1_000), (3, 2_500), (4, 2_600)]
            .map(|(record, at)| lines.see(&snapshot(record), ms(at)).len())
            .to_vec();
        assert_eq!(seen, [1, 0, 1, 0, 1]);
    }

    #[test]
    fn a_line_of_text_is_read_by_people() {
        let [line] = &Lines::new(Output::Plain).see(&snapshot(1), Duration::ZERO)[..] else { panic!("one line") };
        let expected =
            "2023-11-14T22:13:20.000Z  50.0 payments/s, attempt rate 91.2 % of 3000 (expected –), 0 incidents, 0 to approve\n";
        assert_eq!(line, expected);
    }

    #[test]
    fn a_line_of_json_is_read_by_programs() {
        let [line] = &Lines::new(Output::Json).see(&snapshot(1), Duration::ZERO)[..] else { panic!("one line") };
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&value["header"]["attempts"], &value["at"]), (&3_000.into(), &"2023-11-14T22:13:20.000Z".into()));
    }
}
