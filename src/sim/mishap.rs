//! Faults to let happen by hand: what a trainer breaks while others watch.

use std::time::Duration;

use super::scenario::Scenario;
use super::scenario::fault::{Fault, FaultKind};
use crate::domain::{ConnectorName, Network};

/// How long one lasts: long enough to notice, repair and see the recovery.
const LASTS: Duration = Duration::from_mins(5);

/// How long the log or the leader is gone: an infrastructure's usual restart.
const GONE: Duration = Duration::from_secs(45);

/// A fault and what to call it.
#[derive(Debug, Clone)]
pub struct Mishap {
    /// A few words, as a menu has them.
    pub name: String,
    /// The fault, from now on.
    pub fault: Fault,
}

/// What can be let happen in a scenario's world, the commonest first.
#[must_use]
pub fn all(scenario: &Scenario) -> Vec<Mishap> {
    let connectors: Vec<&ConnectorName> = scenario.connectors.keys().collect();
    let mut all: Vec<Mishap> = connectors.iter().map(|name| at(format!("break {name}"), FaultKind::Outage, name)).collect();
    if let Some(first) = connectors.first() {
        all.push(at(format!("brown-out of {first}"), FaultKind::Brownout, first));
        all.push(at(format!("{first} answers slowly"), FaultKind::LatencySpike, first));
    }
    if let Some(last) = connectors.last() {
        all.push(at(format!("a rule that sends all to {last}"), FaultKind::BadRule, last));
    }
    all.push(Mishap {
        name: "Mastercard is down".to_owned(),
        fault: Fault { network: Some(Network::Mastercard), ..plain(FaultKind::SchemeOutage, LASTS) },
    });
    for (name, kind, lasts) in [
        ("the 3DS provider is slow", FaultKind::ThreeDsSlow, LASTS),
        ("traffic times four", FaultKind::TrafficSpike, LASTS),
        ("card testing at the largest merchant", FaultKind::FraudBurst, LASTS),
        ("BIN attack at the largest merchant", FaultKind::BinAttack, LASTS),
        ("webhooks come two minutes late", FaultKind::WebhookDelay, LASTS),
        ("kill Redis: the log is gone", FaultKind::LogDown, GONE),
        ("kill the leader", FaultKind::LeaderDown, GONE),
        ("PostgreSQL is slow", FaultKind::TablesSlow, LASTS),
    ] {
        all.push(Mishap { name: name.to_owned(), fault: plain(kind, lasts) });
    }
    all
}

fn at(name: String, kind: FaultKind, connector: &ConnectorName) -> Mishap {
    Mishap { name, fault: Fault { connector: Some(connector.clone()), ..plain(kind, LASTS) } }
}

fn plain(kind: FaultKind, lasts: Duration) -> Fault {
    Fault {
        kind,
        at: Duration::ZERO,
        lasts,
        shape: super::scenario::fault::Shape::Step,
        period: Duration::from_mins(1),
        planned: false,
        connector: None,
        bin: None,
        issuer: None,
        network: None,
        currency: None,
        merchant: None,
        strength: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::World;

    #[test]
    fn every_mishap_can_happen_in_every_scenario() {
        for name in Scenario::names() {
            let scenario = Scenario::named(name).unwrap();
            for mishap in all(&scenario) {
                let mut world = World::new(scenario.clone(), 1);
                world.inject(&mishap.fault, scenario.start).unwrap_or_else(|why| panic!("{name}: {}: {why}", mishap.name));
            }
        }
    }
}
