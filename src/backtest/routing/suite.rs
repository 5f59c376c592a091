//! Our own routing scenarios: each a [`Case`] made of nothing but its name and a seed.
//!
//! The set was frozen before anything was tuned on it; only its difficulty was set, until the last-125 rule lost
//! between 30 and 37 payments of a thousand on average. Tuning looks at [`DEVELOP`], reports at [`REPORT`].

mod faults;
mod world;

use core::ops::Range;

use super::case::Case;
use faults::Fault;
use world::World;

/// Seeds that may be looked at while tuning.
pub const DEVELOP: Range<u64> = 1..5;
/// Seeds that figures are reported on.
pub const REPORT: Range<u64> = 101..105;

/// Payments of a scenario.
const PAYMENTS: usize = 20_000;

/// A scenario: what its world is like and what goes wrong in it.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub story: &'static str,
    /// How many connectors there are.
    connectors: u16,
    /// Payments a second.
    rate: f64,
    /// Median seconds until an outcome is known.
    delay_s: f64,
    /// Standard deviation of the connectors' qualities, in logits.
    quality: f64,
    /// Standard deviation of what a connector is for a method, a country, a network or a BIN, in logits.
    own: f64,
    /// Standard deviation that a quality's random walk gathers over the scenario, in logits.
    drift: f64,
    /// Amplitude of a quality's two slow waves over the scenario, in logits.
    season: f64,
    /// What goes wrong.
    faults: fn(&World) -> Vec<Fault>,
}

/// A world in which nothing moves.
const STILL: Scenario = Scenario {
    name: "stationary",
    story: "nothing moves",
    connectors: 6,
    rate: 10.0,
    delay_s: 2.0,
    quality: 0.5,
    own: 0.25,
    drift: 0.0,
    season: 0.0,
    faults: faults::none,
};

/// Every scenario.
pub const SCENARIOS: [Scenario; 15] = [
    STILL,
    Scenario {
        name: "near-equal",
        story: "nothing moves and the connectors hardly differ",
        connectors: 5,
        quality: 0.1,
        own: 0.12,
        ..STILL
    },
    Scenario {
        name: "cold-start",
        story: "half of the connectors and of the merchants come later, the best connector last",
        connectors: 8,
        faults: faults::latecomers,
        ..STILL
    },
    Scenario {
        name: "outage",
        story: "the three best fail one after the other, and come back",
        faults: faults::outages,
        ..STILL
    },
    Scenario {
        name: "flapping",
        story: "the best connector fails and comes back every few minutes",
        faults: faults::flapping,
        ..STILL
    },
    Scenario {
        name: "brown-out",
        story: "the best connectors lose a quarter to a half of their payments for a while",
        connectors: 7,
        faults: faults::brown_outs,
        ..STILL
    },
    Scenario { name: "drift", story: "every connector's quality wanders", drift: 2.0, connectors: 5, ..STILL },
    Scenario { name: "seasonal", story: "qualities rise and fall in slow waves", season: 0.9, ..STILL },
    Scenario {
        name: "bin-failure",
        story: "the best connector fails for the issuers of one country, then another for single BINs",
        connectors: 5,
        rate: 20.0,
        faults: faults::bins,
        ..STILL
    },
    Scenario {
        name: "method-failure",
        story: "the best connector fails for wallets, then the next for bank redirects",
        connectors: 5,
        faults: faults::methods,
        ..STILL
    },
    Scenario {
        name: "country-failure",
        story: "the best connectors fail for one country each",
        rate: 5.0,
        faults: faults::countries,
        ..STILL
    },
    Scenario {
        name: "late-outcomes",
        story: "outcomes take minutes, and the best connectors fail meanwhile",
        delay_s: 45.0,
        faults: faults::outages,
        ..STILL
    },
    Scenario {
        name: "timeouts",
        story: "the best connectors hang: half of their payments fail, a minute later",
        rate: 20.0,
        faults: faults::timeouts,
        ..STILL
    },
    Scenario {
        name: "issuer-bursts",
        story: "issuers refuse nearly all for a while, whatever the connector, and one connector browns out meanwhile",
        faults: faults::issuers,
        ..STILL
    },
    Scenario {
        name: "busy-day",
        story: "drift, waves, an outage, a brown-out, a failing method and an issuer's burst",
        connectors: 8,
        rate: 20.0,
        drift: 0.6,
        season: 0.3,
        faults: faults::day,
        ..STILL
    },
];

impl Scenario {
    /// The scenario of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// What happens in it under a seed; the same seed gives the same case.
    #[must_use]
    pub fn case(&self, seed: u64) -> Case {
        World::new(self, seed).case()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole set's content, frozen: whoever changes the generator changes what every figure was measured on.
    #[test]
    fn the_set_is_frozen() {
        let mut hasher = blake3::Hasher::new();
        for scenario in &SCENARIOS {
            let case = scenario.case(REPORT.start);
            assert!(case.is_complete() && case.payments.len() == PAYMENTS, "{}", scenario.name);
            let (mut payments, mut outcomes) = (Vec::new(), Vec::new());
            super::super::write(&case, &mut payments, &mut outcomes).unwrap();
            hasher.update(&payments).update(&outcomes);
        }
        assert_eq!(hasher.finalize().to_hex().as_str(), "0298a6aa2a519299a40e797d5540ac2121d473af087f69df86e594915b3127a8");
    }
}
