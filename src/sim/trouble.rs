//! Troubles: a scenario's faults, placed in the market and in time, and what they do to attempts and traffic.

use super::market::{Market, Place};
use super::scenario::{Fault, FaultKind, Scenario};
use crate::domain::{Bin, Request, Time};

/// Half of a brown-out's harm is slowness: what waits behind failing servers takes this many times as long.
const BROWNOUT_SLOWNESS: f64 = 2.5;

/// One fault in its place.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub kind: FaultKind,
    from: Time,
    until: Time,
    acquirer: Option<usize>,
    pub bin: Option<Bin>,
    shop: Option<usize>,
    strength: f64,
}

/// All troubles of a world.
#[derive(Debug, Clone)]
pub(super) struct Troubles(Vec<Trouble>);

/// What is wrong with an attempt, if anything: the share of such attempts that fail for it, and who fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Harm {
    /// Share that fails, 0 to 1.
    pub share: f64,
    /// The trouble that adds most to it.
    pub kind: Option<FaultKind>,
}

impl Troubles {
    pub(super) fn new(scenario: &Scenario, market: &Market) -> Self {
        let place = |fault: &Fault| {
            let shop =
                fault.merchant.as_ref().and_then(|profile| market.shops.iter().position(|shop| shop.profile == *profile));
            let acquirer = fault.connector.as_ref().and_then(|name| market.acquirers.iter().position(|a| a.name == *name));
            let burst = fault.kind == FaultKind::FraudBurst;
            Trouble {
                kind: fault.kind,
                from: scenario.start + fault.at,
                until: scenario.start + fault.at + fault.lasts,
                acquirer,
                bin: if burst { fault.bin.or_else(|| market.commonest_bin()) } else { fault.bin },
                shop: if burst { shop.or(Some(0)) } else { shop },
                strength: fault.strength(),
            }
        };
        Self(scenario.faults.iter().map(|fault| place(fault.get_ref())).collect())
    }

    /// Chances multiply: an attempt fails unless it survives each trouble.
    pub(super) fn harm(&self, request: &Request, place: Place, at: Time) -> Harm {
        let (mut survives, mut worst, mut kind) = (1.0, 0.0, None);
        for trouble in self.active(at).filter(|trouble| trouble.fails(request, place)) {
            survives *= 1.0 - trouble.strength;
            if trouble.strength > worst {
                (worst, kind) = (trouble.strength, Some(trouble.kind));
            }
        }
        Harm { share: 1.0 - survives, kind }
    }

    /// What an acquirer's latency is multiplied by.
    pub(super) fn slowness(&self, acquirer: Option<usize>, at: Time) -> f64 {
        let factor = |trouble: &Trouble| match trouble.kind {
            FaultKind::LatencySpike => trouble.strength,
            FaultKind::Brownout => BROWNOUT_SLOWNESS,
            _ => 1.0,
        };
        self.active(at).filter(|trouble| trouble.acquirer == acquirer).map(factor).product()
    }

    /// What a shop's ordinary traffic is multiplied by.
    pub(super) fn crowd(&self, shop: usize, at: Time) -> f64 {
        let hits = |trouble: &&Trouble| trouble.kind == FaultKind::TrafficSpike && trouble.shop.is_none_or(|hit| hit == shop);
        self.active(at).filter(hits).map(|trouble| trouble.strength).product()
    }

    /// Fraud bursts under way: the shop, the card range, and attempts for each ordinary one.
    pub(super) fn bursts(&self, at: Time) -> impl Iterator<Item = (usize, Option<Bin>, f64)> {
        self.active(at)
            .filter(|trouble| trouble.kind == FaultKind::FraudBurst)
            .map(|trouble| (trouble.shop.unwrap_or(0), trouble.bin, trouble.strength))
    }

    /// The next time after `at` at which a trouble begins or ends.
    pub(super) fn next_edge(&self, at: Time) -> Option<Time> {
        self.0.iter().flat_map(|trouble| [trouble.from, trouble.until]).filter(|edge| *edge > at).min()
    }

    fn active(&self, at: Time) -> impl Iterator<Item = &Trouble> {
        self.0.iter().filter(move |trouble| trouble.from <= at && at < trouble.until)
    }
}

impl Trouble {
    /// Whether it makes such an attempt fail.
    fn fails(&self, request: &Request, place: Place) -> bool {
        let here = self.acquirer.is_none() || self.acquirer == place.acquirer;
        match self.kind {
            FaultKind::Outage | FaultKind::Brownout => here,
            FaultKind::BinFailure => here && request.context.bin.is_some() && request.context.bin == self.bin,
            FaultKind::LatencySpike | FaultKind::TrafficSpike | FaultKind::FraudBurst => false,
        }
    }
}
