//! Incidents from outside: what is told of them while they are open, and what is none.

use apos::engine::snapshot::{Health, IncidentRow, Severity};

use super::*;

impl Market {
    /// Seconds of traffic, a payment each so many milliseconds, with the ticks the state asks for.
    fn rush(&mut self, seconds: u64, every_ms: u64) {
        for _ in 0..seconds {
            for _ in 0..1_000 / every_ms {
                self.at = self.at + Duration::from_millis(every_ms);
                self.pay();
            }
            self.tick();
        }
    }

    /// Seconds of nothing.
    fn silence(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.at = self.at + Duration::from_secs(1);
            self.tick();
        }
    }

    fn tick(&mut self) {
        if self.state.deadline().is_some_and(|due| due <= self.at) {
            self.push(Body::Ticked);
        }
    }

    /// The kinds and slices of all incidents, the open ones first.
    fn incidents(&self) -> Vec<(AnomalyType, String)> {
        snapshot(&self.state).incidents.into_iter().map(|row| (row.kind, row.slice)).collect()
    }
}

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

#[test]
fn a_burst_of_a_few_seconds_is_not_usual_and_ten_minutes_are() {
    let mut market = Market::new(3);
    market.rush(3, 3);
    market.silence(400);
    assert_eq!(market.incidents(), []);
    let mut market = Market::new(3);
    market.run(600);
    market.silence(40);
    assert_eq!(market.incidents(), [(AnomalyType::VolumeDrop, "all traffic".to_owned())], "merchants are a part of it");
}

#[test]
fn a_rush_on_all_merchants_is_one_incident() {
    let mut market = Market::new(3);
    market.run(300);
    market.rush(40, 10);
    assert_eq!(market.incidents(), [(AnomalyType::VolumeSpike, "all traffic".to_owned())]);
}

#[test]
fn the_part_that_would_move_gains_no_more_than_all_that_is_hit_loses() {
    let mut market = Market::new(11);
    market.run(120);
    market.adyen_down = true;
    let mut compared = 0;
    for _ in 0..90 {
        market.run(1);
        let shown = snapshot(&market.state);
        let Some(row) = shown.actions.iter().find(|row| row.status == ActionStatus::Pending) else { continue };
        let incident = shown.incidents.iter().find(|incident| Some(incident.id) == row.incident).unwrap();
        for saved in &row.predicted.saved_per_min {
            let lost = incident.at_risk.iter().find(|lost| lost.currency == saved.currency).unwrap();
            assert!(saved.minor <= lost.minor, "{saved:?} gained of {lost:?} lost: {row:#?}");
            compared += 1;
        }
        let sentence = "judged attempts approved in ";
        assert!(incident.sentence.contains(sentence) && row.predicted.target.contains(sentence), "{row:#?}");
    }
    assert!(compared > 60, "{compared}");
}

#[test]
fn a_repair_waits_before_a_scale_that_came_later() {
    let (mut market, repair, _) = outage();
    let sample = ResourceSample { cpu_percent: 90.0, memory_percent: 50.0, queue_depth: 50, instances: 2 };
    market.push(Body::Sampled(sample));
    market.run(2);
    let pending: Vec<_> =
        snapshot(&market.state).actions.into_iter().filter(|row| row.status == ActionStatus::Pending).collect();
    assert_eq!(pending.iter().map(|row| row.id).collect::<Vec<_>>(), [repair, ActionId(repair.0 + 1)], "{pending:#?}");
}

#[test]
fn a_connector_is_down_as_soon_as_its_incident_shows_it() {
    let mut market = Market::new(11);
    market.run(120);
    market.adyen_down = true;
    let mut seen = false;
    for _ in 0..25 {
        market.run(1);
        let shown = snapshot(&market.state);
        let critical = shown.incidents.iter().any(|row| row.resolved_at.is_none() && row.severity == Severity::Critical);
        let adyen = shown.connectors.iter().find(|row| row.name.as_str() == "adyen").unwrap();
        if critical && adyen.attempt_rate > Some(0.5) {
            assert_eq!(adyen.health, Health::Down, "{shown:#?}");
            seen = true;
        }
    }
    assert!(seen, "the minute lags behind the incident's window");
}
