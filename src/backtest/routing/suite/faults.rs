//! What goes wrong in a scenario: who is hit, when, for which payments, and how it shows.

use crate::domain::Method;

use super::world::{BINS, COUNTRIES, Traits, World};

/// Which payments a fault hits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Segment {
    /// All.
    All,
    /// Those of a method.
    Method(Method),
    /// Those of an issuing country, by number.
    Country(usize),
    /// Those of every `step`-th BIN from `first`.
    Bins { first: usize, step: usize },
    /// Those of the later half of the merchants.
    LateMerchants,
}

/// How a failed payment shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symptom {
    /// A technical error, at once.
    Technical,
    /// A time-out, a minute later.
    TimeOut,
    /// The issuer refuses.
    Refusal,
}

/// Something that goes wrong, or a connector that is not there yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    /// The connector hit; none: all of them.
    pub(super) connector: Option<u16>,
    /// From and to, as shares of the scenario.
    pub(super) during: (f64, f64),
    pub(super) segment: Segment,
    /// Share of the payments that survive it.
    pub(super) survive: f64,
    pub(super) symptom: Symptom,
    /// Not a fault: the connector (or merchant) does not exist meanwhile.
    pub(super) absent: bool,
}

impl Fault {
    const fn of(connector: u16, during: (f64, f64), survive: f64) -> Self {
        let segment = Segment::All;
        Self { connector: Some(connector), during, segment, survive, symptom: Symptom::Technical, absent: false }
    }

    const fn within(self, segment: Segment) -> Self {
        Self { segment, ..self }
    }

    const fn shows(self, symptom: Symptom) -> Self {
        Self { symptom, ..self }
    }

    /// Whether it hits a payment at a connector at a time.
    pub(super) fn hits(&self, connector: u16, traits: &Traits, at: f64) -> bool {
        self.connector.is_none_or(|c| c == connector)
            && (self.during.0..self.during.1).contains(&at)
            && match self.segment {
                Segment::All => true,
                Segment::Method(method) => traits.method == method,
                Segment::Country(country) => traits.country == country,
                Segment::Bins { first, step } => traits.bin.is_some_and(|bin| bin % step == first),
                Segment::LateMerchants => traits.late_merchant,
            }
    }
}

pub(super) fn none(_: &World) -> Vec<Fault> {
    Vec::new()
}

pub(super) fn latecomers(world: &World) -> Vec<Fault> {
    let absent = |connector, until| Fault { absent: true, ..Fault::of(connector, (0.0, until), 1.0) };
    let merchants = Fault { connector: None, segment: Segment::LateMerchants, ..absent(0, 0.5) };
    vec![absent(world.ranked(0), 0.6), absent(world.ranked(2), 0.4), absent(world.ranked(5), 0.2), merchants]
}

pub(super) fn outages(world: &World) -> Vec<Fault> {
    let [best, second, third] = [0, 1, 2].map(|place| world.ranked(place));
    vec![
        Fault::of(best, (0.15, 0.30), 0.02),
        Fault::of(second, (0.22, 0.36), 0.05),
        Fault::of(third, (0.45, 0.60), 0.02),
        Fault::of(best, (0.70, 0.85), 0.0),
    ]
}

pub(super) fn flapping(world: &World) -> Vec<Fault> {
    let best = world.ranked(0);
    (0..8).map(|n| f64::from(n) * 0.12).map(|start| Fault::of(best, (start + 0.05, start + 0.09), 0.05)).collect()
}

pub(super) fn brown_outs(world: &World) -> Vec<Fault> {
    let [best, second, third] = [0, 1, 2].map(|place| world.ranked(place));
    vec![
        Fault::of(best, (0.10, 0.30), 0.6),
        Fault::of(second, (0.25, 0.45), 0.5),
        Fault::of(third, (0.40, 0.55), 0.75),
        Fault::of(best, (0.55, 0.75), 0.7),
        Fault::of(second, (0.80, 0.95), 0.6),
    ]
}

pub(super) fn bins(world: &World) -> Vec<Fault> {
    let [best, second] = [0, 1].map(|place| world.ranked(place));
    let refusal = |fault: Fault, segment| fault.within(segment).shows(Symptom::Refusal);
    vec![
        refusal(Fault::of(best, (0.15, 0.60), 0.10), Segment::Country(0)),
        refusal(Fault::of(second, (0.30, 0.80), 0.05), Segment::Bins { first: 1, step: BINS / 8 }),
        refusal(Fault::of(best, (0.70, 1.00), 0.05), Segment::Bins { first: 0, step: BINS / 12 }),
    ]
}

pub(super) fn methods(world: &World) -> Vec<Fault> {
    let [best, second] = [0, 1].map(|place| world.ranked(place));
    vec![
        Fault::of(best, (0.15, 0.50), 0.1).within(Segment::Method(Method::Wallet)),
        Fault::of(second, (0.40, 0.75), 0.2).within(Segment::Method(Method::Wallet)),
        Fault::of(best, (0.55, 0.95), 0.1).within(Segment::Method(Method::BankRedirect)),
    ]
}

pub(super) fn countries(world: &World) -> Vec<Fault> {
    let [best, second, third] = [0, 1, 2].map(|place| world.ranked(place));
    vec![
        Fault::of(best, (0.15, 0.55), 0.2).within(Segment::Country(0)),
        Fault::of(second, (0.35, 0.75), 0.2).within(Segment::Country(1 % COUNTRIES)),
        Fault::of(third, (0.60, 0.95), 0.3).within(Segment::Country(2 % COUNTRIES)),
    ]
}

pub(super) fn timeouts(world: &World) -> Vec<Fault> {
    let [best, second] = [0, 1].map(|place| world.ranked(place));
    vec![
        Fault::of(best, (0.20, 0.40), 0.5).shows(Symptom::TimeOut),
        Fault::of(second, (0.50, 0.65), 0.4).shows(Symptom::TimeOut),
        Fault::of(best, (0.75, 0.90), 0.3).shows(Symptom::TimeOut),
    ]
}

pub(super) fn issuers(world: &World) -> Vec<Fault> {
    let burst = |first, during| Fault {
        connector: None,
        ..Fault::of(0, during, 0.1).within(Segment::Bins { first, step: BINS / 6 }).shows(Symptom::Refusal)
    };
    vec![
        burst(0, (0.10, 0.20)),
        burst(1, (0.30, 0.42)),
        burst(2, (0.38, 0.50)),
        burst(0, (0.65, 0.80)),
        Fault::of(world.ranked(0), (0.55, 0.75), 0.6),
    ]
}

pub(super) fn day(world: &World) -> Vec<Fault> {
    let [best, second, third] = [0, 1, 2].map(|place| world.ranked(place));
    vec![
        Fault::of(best, (0.20, 0.30), 0.02),
        Fault::of(second, (0.40, 0.60), 0.65),
        Fault::of(third, (0.50, 0.80), 0.15).within(Segment::Method(Method::Wallet)),
        Fault {
            connector: None,
            ..Fault::of(0, (0.65, 0.75), 0.1).within(Segment::Bins { first: 3, step: BINS / 6 }).shows(Symptom::Refusal)
        },
        Fault::of(best, (0.85, 0.93), 0.4).shows(Symptom::TimeOut),
    ]
}
