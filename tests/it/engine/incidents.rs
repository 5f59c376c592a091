//! Incidents from outside: what is told of them while they are open, and what is none.

use apos::engine::snapshot::{IncidentRow, Severity};

use super::*;

/// Every row that the tables are told, and when.
fn told(log: &[Entry]) -> Vec<(Time, IncidentRow)> {
    let (mut state, mut effects, mut told) = (State::new(), Vec::new(), Vec::new());
    for entry in log {
        apply(&mut state, entry, &mut effects);
        for effect in effects.drain(..) {
            if let Effect::Incident(row) = effect {
                told.push((entry.at, *row));
            }
        }
    }
    told
}

#[test]
fn the_tables_follow_an_incident_while_it_grows_worse() {
    let (mut market, ..) = outage();
    market.run(30);
    let now = snapshot(&market.state).incidents.into_iter().next().unwrap();
    let rows: Vec<_> = told(&market.log).into_iter().filter(|(_, row)| row.id == now.id).collect();
    let (at, last) = rows.last().unwrap();
    assert!(rows.len() >= 3 && rows[0].1.evidence.samples < last.evidence.samples, "{rows:#?}");
    assert_eq!((last.severity, last.resolved_at, &last.actions), (Severity::Critical, None, &now.actions));
    assert!(now.evidence == last.evidence || now.evidence.at > *at, "what was the worst by then was told");
    for pair in rows.windows(2) {
        let apart = pair[1].0.since(pair[0].0);
        let graver = pair[1].1.severity > pair[0].1.severity;
        assert!(graver || apart >= Duration::from_secs(10), "told after {apart:?} without another severity");
    }
    assert_eq!(snapshot(&market.state).statistics.anomalies, 1, "however often it is told");
}
