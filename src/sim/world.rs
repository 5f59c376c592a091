//! The world: payments arrive, attempts are answered, the switch is measured, all in time order and from one seed.
//!
//! The world never decides where a payment goes. It hands out a request ([`WorldEvent::Arrival`]), is told the account
//! that was chosen ([`World::routed`]), and lets the attempt's events follow in their time.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fmt::Write;
use std::time::Duration;

use compact_str::CompactString;

use super::chance::{Family, Stream, log_normal, pick, running_totals, whole};
use super::market::{Market, Place};
use super::outcome::{Chances, Luck};
use super::scenario::Scenario;
use super::switch::Switch;
use super::trouble::Troubles;
use crate::domain::{
    Act, Bin, ConnectorAccount, EffectResult, EventKind, Money, PaymentEvent, PaymentId, Request, ResourceSample, Settings,
    Source, Time,
};

/// How often resources are measured: often enough for a scaling rule that acts within a minute.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// How long a customer is waited for who never comes back.
const ABANDONED_AFTER: Duration = Duration::from_mins(3);

/// The hour (UTC) at which the season crosses its mean upwards; the peak is six hours later.
const SEASON_MEAN_HOUR: f64 = 9.0;

/// The season is held constant for so long, microseconds: within a minute it moves by less than half a percent.
const SEASON_STEP_MICROS: i64 = 60_000_000;

/// Share of stolen cards that pass when somebody tests them.
const STOLEN_CARDS_PASS: f64 = 0.12;

/// Amounts of card testing, major units of the euro: from one to five, below what anybody looks at.
const TESTING_AMOUNT: (f64, f64) = (1.0, 5.0);

/// Attempts of one payment whose luck is told apart.
const ATTEMPTS: u64 = 256;

/// Something that happens in the world.
#[derive(Debug, Clone, PartialEq)]
pub enum WorldEvent {
    /// A customer wants to pay; the world waits to be told where the attempt goes.
    Arrival(Request),
    /// Something became of an attempt.
    Event(Box<PaymentEvent>),
    /// The switch was measured.
    Sample(ResourceSample),
}

/// The simulated world. A clone goes on exactly as its original would.
#[derive(Debug, Clone)]
pub struct World {
    scenario: Scenario,
    seed: u64,
    market: Market,
    troubles: Troubles,
    switch: Switch,
    next_arrival: Time,
    next_sample: Time,
    answers: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    arrivals: Stream,
    luck: Family,
    traffic: Traffic,
    payments: u64,
    sampled_payments: u64,
    /// Payments that test stolen cards, by number.
    testing: BTreeSet<u64>,
}

/// An attempt's event that will happen.
#[derive(Debug, Clone)]
struct Scheduled {
    at: Time,
    /// In order of scheduling: what is due at the same time happens in this order.
    number: u64,
    event: Box<PaymentEvent>,
}

/// Arrival rates, constant until a season's step or a trouble's edge.
#[derive(Debug, Clone, Default)]
struct Traffic {
    until: Time,
    /// Payments a second by shop, then by burst, as running totals.
    totals: Vec<f64>,
    /// Shop and card range of each burst.
    bursts: Vec<(usize, Option<Bin>)>,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl World {
    /// The world of a scenario under a seed, at its origin.
    #[must_use]
    pub fn new(scenario: Scenario, seed: u64) -> Self {
        let market = Market::new(&scenario, seed);
        let origin = scenario.origin();
        let mut world = Self {
            troubles: Troubles::new(&scenario, &market),
            switch: Switch::new(&scenario.switch, seed),
            next_arrival: origin,
            next_sample: origin + SAMPLE_EVERY,
            answers: BinaryHeap::new(),
            scheduled: 0,
            arrivals: Stream::new(seed, "arrivals"),
            luck: Family::new(seed, "luck"),
            traffic: Traffic::default(),
            payments: 0,
            sampled_payments: 0,
            testing: BTreeSet::new(),
            market,
            scenario,
            seed,
        };
        world.traffic = world.traffic_at(origin);
        world.next_arrival = world.arrival_after(origin);
        world
    }

    /// The scenario.
    #[must_use]
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The engine's configuration in this world: its merchants, connectors and seed; all else as by default.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            seed: self.seed,
            connectors: self.market.connector_settings(),
            merchants: self.market.merchant_settings(),
            ..Settings::default()
        }
    }

    /// When something happens next.
    #[must_use]
    pub fn next_at(&self) -> Time {
        let own = self.next_arrival.min(self.next_sample);
        self.answers.peek().map_or(own, |next| own.min(next.0.at))
    }

    /// What happens next; the time moves to it. At the same time, attempts' events come before new arrivals.
    pub fn step(&mut self) -> WorldEvent {
        let own = self.next_arrival.min(self.next_sample);
        if self.answers.peek().is_some_and(|next| next.0.at <= own)
            && let Some(Reverse(next)) = self.answers.pop()
        {
            return WorldEvent::Event(next.event);
        }
        if self.next_sample <= self.next_arrival {
            self.next_sample = self.next_sample + SAMPLE_EVERY;
            return WorldEvent::Sample(self.measure());
        }
        let at = self.next_arrival;
        let request = self.arrive();
        self.next_arrival = self.arrival_after(at);
        WorldEvent::Arrival(request)
    }

    /// Sends the request's attempt to an account: it starts now, and its answer will come.
    pub fn routed(&mut self, request: &Request, account: &ConnectorAccount, at: Time) {
        let place = self.market.place(request, account);
        let luck = Luck::draw(&mut self.luck.stream(luck_number(request)));
        let outcome =
            self.chances(request, place, at).outcome(&luck, request.context.method.unwrap_or(crate::domain::Method::Card));
        let mut event = PaymentEvent {
            source: Source::Simulation,
            event_id: None,
            profile: request.profile.clone(),
            payment: request.payment.clone(),
            attempt: Some(request.attempt),
            account: Some(account.clone()),
            kind: EventKind::Started,
            decline: None,
            amount: Some(request.amount),
            context: request.context,
            latency_ms: None,
            attempts_made: Some(request.attempt),
            occurred_at: at,
        };
        self.schedule(at, event.clone());
        let answered = if outcome.kind == EventKind::Cancelled {
            at + ABANDONED_AFTER
        } else {
            let (median, sigma) = place.acquirer.map_or((1.0, 0.0), |index| {
                let acquirer = &self.market.acquirers[index];
                (acquirer.profile.latency_ms, acquirer.latency_sigma)
            });
            let latency = whole(luck.latency_ms(median, sigma, self.troubles.slowness(place.acquirer, at), &outcome));
            event.latency_ms = Some(latency);
            at + Duration::from_millis(u64::from(latency))
        };
        (event.kind, event.decline, event.occurred_at) = (outcome.kind, outcome.decline, answered);
        self.schedule(answered, event);
    }

    /// Does what the engine asks of the switch.
    pub fn execute(&mut self, act: &Act) -> EffectResult {
        self.switch.execute(act)
    }

    /// The exact probability, 0 to 1, that this request's attempt would succeed on this account if sent at this time,
    /// given that the customer does not abandon it. 0 for a connector that this world lacks.
    #[must_use]
    pub fn probability(&self, request: &Request, account: &ConnectorAccount, at: Time) -> f64 {
        self.chances(request, self.market.place(request, account), at).success()
    }

    /// Payments that have arrived.
    #[must_use]
    pub const fn payments(&self) -> u64 {
        self.payments
    }

    fn chances(&self, request: &Request, place: Place, at: Time) -> Chances {
        let harm = self.troubles.harm(request, place, at);
        let testing = !self.testing.is_empty() && self.testing.contains(&payment_number(&request.payment));
        Chances {
            handled: self.market.handles(request, place),
            customer: self.market.customer_passes(),
            honest: if testing { STOLEN_CARDS_PASS } else { 1.0 },
            survives: 1.0 - harm.share,
            trouble: harm.kind,
            approves: self.market.approves(place),
            technical: self.scenario.technical,
            abandoned: self.scenario.abandoned,
        }
    }

    fn measure(&mut self) -> ResourceSample {
        let payments = u32::try_from(self.payments - self.sampled_payments).unwrap_or(u32::MAX);
        self.sampled_payments = self.payments;
        self.switch.sample(payments, SAMPLE_EVERY.as_secs_f64())
    }

    /// A customer comes to a shop, with a method, a card and a basket. The traffic is that of the arrival's time.
    fn arrive(&mut self) -> Request {
        self.payments += 1;
        let number = self.payments;
        let mut payer = self.market.payer(number);
        let chosen = pick(&self.traffic.totals, payer.unit());
        let mut context = self.market.context(&mut payer);
        let (size, z) = (payer.unit(), payer.normal());
        let burst = chosen.checked_sub(self.market.shops.len()).map(|burst| self.traffic.bursts[burst]);
        let shop = &self.market.shops[burst.map_or(chosen, |(shop, _)| shop)];
        let mut minor = log_normal(shop.ticket_minor, self.scenario.ticket.sigma, z);
        if let Some((_, bin)) = burst {
            self.testing.insert(number);
            minor = (TESTING_AMOUNT.0 + size * (TESTING_AMOUNT.1 - TESTING_AMOUNT.0)) * shop.euro_minor;
            if let Some(cell) = self.market.cells.iter().find(|cell| cell.bin.is_some() && cell.bin == bin) {
                context = cell.context(false);
            }
        }
        Request {
            profile: shop.profile.clone(),
            payment: payment_id(number),
            attempt: 1,
            amount: Money::new(i64::from(whole(minor).max(1)), shop.currency),
            context,
            eligible: shop.accounts.clone(),
        }
    }

    /// The next arrival after `from`: exponential gaps, drawn anew at every change of the rate (they have no memory).
    fn arrival_after(&mut self, mut from: Time) -> Time {
        loop {
            if from >= self.traffic.until {
                self.traffic = self.traffic_at(from);
            }
            let rate = self.traffic.totals.last().copied().unwrap_or(0.0);
            let gap = self.arrivals.exponential(rate);
            let at = if gap < 1e9 { from + Duration::from_secs_f64(gap) } else { self.traffic.until };
            if at < self.traffic.until {
                return at;
            }
            from = self.traffic.until;
        }
    }

    fn traffic_at(&self, at: Time) -> Traffic {
        let step = at.micros().div_euclid(SEASON_STEP_MICROS) + 1;
        let season_until = Time::from_micros(step * SEASON_STEP_MICROS);
        let until = self.troubles.next_edge(at).map_or(season_until, |edge| edge.min(season_until));
        let weights: f64 = self.market.shops.iter().map(|shop| shop.weight).sum();
        let unit = self.scenario.payments_per_s * season(self.scenario.season, at) / weights;
        let ordinary =
            self.market.shops.iter().enumerate().map(|(index, shop)| unit * shop.weight * self.troubles.crowd(index, at));
        let bursts = self.troubles.bursts(at);
        let burst_rates = bursts.map(|(shop, _, strength)| unit * self.market.shops[shop].weight * strength);
        Traffic {
            until,
            totals: running_totals(ordinary.chain(burst_rates)),
            bursts: self.troubles.bursts(at).map(|(shop, bin, _)| (shop, bin)).collect(),
        }
    }

    fn schedule(&mut self, at: Time, event: PaymentEvent) {
        self.scheduled += 1;
        self.answers.push(Reverse(Scheduled { at, number: self.scheduled, event: Box::new(event) }));
    }
}

/// The season's factor: 1 + a · sin(2π (h − 9) ÷ 24), its mean 1 over a day.
fn season(amplitude: f64, at: Time) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a second of the day is far below 2^53")]
    let hour = at.secs().rem_euclid(86_400) as f64 / 3_600.0;
    1.0 + amplitude * libm::sin(core::f64::consts::TAU * (hour - SEASON_MEAN_HOUR) / 24.0)
}

/// `pay_0000000042`: inline in a short string, in the order of arrival.
fn payment_id(number: u64) -> PaymentId {
    let mut text = CompactString::const_new("");
    // Writing to a string cannot fail, and what is written is never empty, long or blank.
    let _ = write!(text, "pay_{number:010}");
    PaymentId::parse(&text).unwrap_or_else(|refused| unreachable!("{refused}"))
}

/// The number in one of this world's payment ids; for any other text, a hash of it.
fn payment_number(payment: &PaymentId) -> u64 {
    let own = payment.as_str().strip_prefix("pay_").and_then(|digits| digits.parse().ok());
    own.unwrap_or_else(|| {
        let hash = blake3::hash(payment.as_str().as_bytes());
        hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    })
}

/// The luck of each attempt of each payment is its own.
fn luck_number(request: &Request) -> u64 {
    payment_number(&request.payment).wrapping_mul(ATTEMPTS).wrapping_add(u64::from(request.attempt))
}
