//! Troubles: a scenario's faults, placed in the market and in time, and what they do to attempts and traffic.

use std::time::Duration;

use super::market::{Market, Place};
use super::scenario::fault::Shape;
use super::scenario::{Fault, FaultKind, Scenario};
use crate::domain::{Bin, Currency, Issuer, Network, Request, Time};

/// Half of a brown-out's harm is slowness: what waits behind failing servers takes this many times as long.
const BROWNOUT_SLOWNESS: f64 = 2.5;

/// Share of customers who give up for each time that 3DS takes longer: a quarter of them at eight times.
const GIVE_UP: f64 = 0.035;

/// One fault in its place.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub kind: FaultKind,
    pub from: Time,
    pub until: Time,
    shape: Shape,
    period: Duration,
    pub acquirer: Option<usize>,
    pub bin: Option<Bin>,
    issuer: Option<Issuer>,
    network: Option<Network>,
    currency: Option<Currency>,
    pub shop: Option<usize>,
    strength: f64,
}

/// All troubles of a world, in the order of its scenario; those injected later follow.
#[derive(Debug, Clone)]
pub(super) struct Troubles(Vec<Trouble>);

/// What is wrong with an attempt, if anything: the share of such attempts that fail for it, and who fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Harm {
    /// Share that fails, 0 to 1.
    pub share: f64,
    /// The trouble that adds most to it, and its number.
    pub worst: Option<(FaultKind, usize)>,
}

/// Payments that come on top of the ordinary ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    pub kind: FaultKind,
    pub shop: usize,
    pub bin: Option<Bin>,
    /// Such payments for each ordinary one.
    pub strength: f64,
}

impl Troubles {
    pub(super) fn new(scenario: &Scenario, market: &Market) -> Self {
        let place = |fault: &Fault| Trouble::new(fault, market, scenario.start + fault.at);
        Self(scenario.faults.iter().map(|fault| place(fault.get_ref())).collect())
    }

    /// Adds a trouble.
    pub(super) fn add(&mut self, trouble: Trouble) {
        self.0.push(trouble);
    }

    /// Chances multiply: an attempt fails unless it survives each trouble.
    pub(super) fn harm(&self, request: &Request, place: Place, at: Time) -> Harm {
        let (mut survives, mut worst, mut most) = (1.0, None, 0.0);
        for (number, trouble) in self.active(at).filter(|(_, trouble)| trouble.fails(request, place)) {
            let share = trouble.strength * trouble.level(at);
            survives *= 1.0 - share;
            if share > most {
                (most, worst) = (share, Some((trouble.kind, number)));
            }
        }
        Harm { share: 1.0 - survives, worst }
    }

    /// What an attempt's latency is multiplied by.
    pub(super) fn slowness(&self, request: &Request, place: Place, at: Time) -> f64 {
        let factor = |(_, trouble): (usize, &Trouble)| match trouble.kind {
            FaultKind::LatencySpike if trouble.acquirer == place.acquirer => trouble.factor(at),
            FaultKind::Brownout if trouble.acquirer == place.acquirer => 1.0 + (BROWNOUT_SLOWNESS - 1.0) * trouble.level(at),
            FaultKind::ThreeDsSlow if request.context.three_ds == Some(true) => trouble.factor(at),
            _ => 1.0,
        };
        self.active(at).map(factor).product()
    }

    /// Share of customers who give up on a payment because of a trouble.
    pub(super) fn gives_up(&self, request: &Request, at: Time) -> f64 {
        if request.context.three_ds != Some(true) {
            return 0.0;
        }
        self.of(FaultKind::ThreeDsSlow, at).map(|trouble| GIVE_UP * (trouble.factor(at) - 1.0)).sum::<f64>().min(1.0)
    }

    /// What a shop's ordinary traffic is multiplied by.
    pub(super) fn crowd(&self, shop: usize, at: Time) -> f64 {
        let hits = |trouble: &&Trouble| trouble.shop.is_none_or(|hit| hit == shop);
        self.of(FaultKind::TrafficSpike, at).filter(hits).map(|trouble| trouble.factor(at)).product()
    }

    /// Payments that come on top of the ordinary ones.
    pub(super) fn bursts(&self, at: Time) -> impl Iterator<Item = Burst> {
        self.active(at).filter(|(_, trouble)| comes_on_top(trouble.kind)).map(move |(_, trouble)| Burst {
            kind: trouble.kind,
            shop: trouble.shop.unwrap_or(0),
            bin: trouble.bin,
            strength: trouble.strength * trouble.level(at),
        })
    }

    /// The strongest trouble of a kind now, 0 without one: seconds, a share or a number of times.
    pub(super) fn strength(&self, kind: FaultKind, at: Time) -> f64 {
        self.of(kind, at).map(|trouble| trouble.strength * trouble.level(at)).fold(0.0, f64::max)
    }

    /// Whether a trouble of a kind is there now.
    pub(super) fn is_there(&self, kind: FaultKind, at: Time) -> bool {
        self.of(kind, at).any(|trouble| trouble.level(at) > 0.0)
    }

    /// The bad rules in force: shop and acquirer put first. A shop of none is all of them.
    pub(super) fn bad_rules(&self, at: Time) -> Vec<(Option<usize>, usize)> {
        let there = self.of(FaultKind::BadRule, at).filter(|trouble| trouble.level(at) > 0.0);
        there.filter_map(|trouble| Some((trouble.shop, trouble.acquirer?))).collect()
    }

    /// The next time after `at` at which a trouble begins, ends, comes or goes.
    pub(super) fn next_edge(&self, at: Time) -> Option<Time> {
        self.0.iter().filter_map(|trouble| trouble.next_edge(at)).min()
    }

    fn active(&self, at: Time) -> impl Iterator<Item = (usize, &Trouble)> {
        self.0.iter().enumerate().filter(move |(_, trouble)| trouble.from <= at && at < trouble.until)
    }

    fn of(&self, kind: FaultKind, at: Time) -> impl Iterator<Item = &Trouble> {
        self.active(at).map(|(_, trouble)| trouble).filter(move |trouble| trouble.kind == kind)
    }
}

/// Whether a kind of fault brings payments of its own.
const fn comes_on_top(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::BillingRun | FaultKind::FraudBurst | FaultKind::BinAttack | FaultKind::AccountTakeover)
}

impl Trouble {
    /// A fault that begins at a time. Fraud and billing runs hit the largest merchant where none is named, fraud with
    /// cards the commonest BIN.
    pub(super) fn new(fault: &Fault, market: &Market, from: Time) -> Self {
        let shop = fault.merchant.as_ref().and_then(|profile| market.shops.iter().position(|shop| shop.profile == *profile));
        let acquirer = fault.connector.as_ref().and_then(|name| market.acquirers.iter().position(|a| a.name == *name));
        let with_cards = matches!(fault.kind, FaultKind::FraudBurst | FaultKind::BinAttack);
        Self {
            kind: fault.kind,
            from,
            until: from + fault.lasts,
            shape: fault.shape,
            period: fault.period,
            acquirer,
            bin: if with_cards { fault.bin.or_else(|| market.commonest_bin()) } else { fault.bin },
            issuer: fault.issuer,
            network: fault.network,
            currency: fault.currency,
            shop: if comes_on_top(fault.kind) { shop.or(Some(0)) } else { shop },
            strength: fault.strength(),
        }
    }

    /// How much of it is there, 0 to 1, while it lasts.
    fn level(&self, at: Time) -> f64 {
        match self.shape {
            Shape::Step => 1.0,
            Shape::Ramp => at.since(self.from).as_secs_f64() / self.until.since(self.from).as_secs_f64(),
            Shape::Flap => f64::from(u8::from(self.half_periods(at).is_multiple_of(2))),
        }
    }

    /// A factor between 1 and its strength.
    fn factor(&self, at: Time) -> f64 {
        1.0 + (self.strength - 1.0) * self.level(at)
    }

    /// Halves of its period that have gone by.
    fn half_periods(&self, at: Time) -> u128 {
        at.since(self.from).as_micros() / (self.period.as_micros() / 2).max(1)
    }

    fn next_edge(&self, at: Time) -> Option<Time> {
        if at < self.from || at >= self.until || self.shape != Shape::Flap {
            return [self.from, self.until].into_iter().find(|edge| *edge > at);
        }
        let halves = u32::try_from(self.half_periods(at) + 1).unwrap_or(u32::MAX);
        Some((self.from + self.period / 2 * halves).min(self.until))
    }

    /// Whether it makes such an attempt fail.
    fn fails(&self, request: &Request, place: Place) -> bool {
        let here = self.acquirer.is_none() || self.acquirer == place.acquirer;
        let ours = self.shop.is_none() || self.shop == place.shop;
        let context = &request.context;
        match self.kind {
            FaultKind::Outage | FaultKind::Brownout | FaultKind::CredentialsExpired => here && ours,
            FaultKind::BinFailure => here && context.bin.is_some() && context.bin == self.bin,
            FaultKind::IssuerOutage => here && context.issuer.is_some() && context.issuer == self.issuer,
            FaultKind::SchemeOutage => here && context.network.is_some() && context.network == self.network,
            FaultKind::CurrencyFailure => here && Some(request.amount.currency) == self.currency,
            _ => false,
        }
    }
}
