//! The world: payments arrive, attempts are answered, the switch is measured, all in time order and from one seed.
//!
//! The world never decides where a payment goes. It hands out a request ([`WorldEvent::Arrival`]), is told the account
//! that was chosen ([`World::routed`]), and lets the attempt's events follow in their time.

mod arrivals;
mod delivery;
mod schedule;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use self::arrivals::Traffic;
use self::schedule::{Due, Scheduled};
use super::chance::{Family, Stream, whole};
use super::limits::Limits;
use super::market::{Market, Place};
use super::outcome::{Chances, Ends, Luck, Outcome};
use super::scenario::{Fault, FaultKind, Scenario};
use super::switch::Switch;
use super::trouble::{Trouble, Troubles};
use crate::domain::settings::Fetching;
use crate::domain::{
    Act, ConnectorAccount, EffectResult, EventKind, Method, PaymentEvent, PaymentId, ProfileId, Request, ResourceSample,
    Settings, Source, Time,
};

/// How often resources are measured: often enough for a scaling rule that acts within a minute.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// How long a customer is waited for who never comes back.
const ABANDONED_AFTER: Duration = Duration::from_mins(3);

/// Attempts of one payment whose luck is told apart.
const ATTEMPTS: u64 = 256;

/// Time between an account's failure and the switch's next attempt of its own.
const AUTO_RETRY_AFTER: Duration = Duration::from_millis(50);

/// Payments that wait to be asked for, at most: the default of `[hyperswitch]`.
const MAX_WAITING: u64 = 10_000;

/// Something that happens in the world.
#[derive(Debug, Clone, PartialEq)]
pub enum WorldEvent {
    /// A customer wants to pay; the world waits to be told where the attempt goes.
    Arrival(Request),
    /// Something became of an attempt.
    Event(Box<PaymentEvent>),
    /// The switch was measured.
    Sample(ResourceSample),
    /// Somebody deployed other priority lists.
    Deployed(Vec<(ProfileId, Vec<ConnectorAccount>)>),
}

/// Payments since the scenario's start, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Payments that arrived.
    pub payments: u64,
    /// Those that succeeded, at the first attempt or at a later one.
    pub succeeded: u64,
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
    next_deployment: Option<Time>,
    answers: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    arrivals: Stream,
    luck: Family,
    minutes: Family,
    deliveries: Family,
    traffic: Traffic,
    payments: u64,
    sampled_payments: u64,
    tally: Tally,
    /// Payments that are not ordinary, by number.
    special: BTreeMap<u64, FaultKind>,
    limits: Limits,
    /// The bad rules in force.
    deployed: Vec<(Option<usize>, usize)>,
    /// Attempts that the switch hides, where somebody asks for them: how each ended.
    hidden: BTreeMap<PaymentId, Box<PaymentEvent>>,
}

/// An attempt that was sent: what becomes of it, after how long, and when.
#[derive(Debug, Clone)]
struct Sent {
    outcome: Outcome,
    latency_ms: Option<u32>,
    answered: Time,
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
            minutes: Family::new(seed, "minutes"),
            deliveries: Family::new(seed, "deliveries"),
            traffic: Traffic::default(),
            payments: 0,
            sampled_payments: 0,
            tally: Tally::default(),
            special: BTreeMap::new(),
            limits: Limits::new(market.acquirers.iter().map(|acquirer| acquirer.profile.limit_per_s)),
            deployed: Vec::new(),
            hidden: BTreeMap::new(),
            next_deployment: None,
            market,
            scenario,
            seed,
        };
        world.next_deployment = world.troubles.next_edge(origin);
        world.traffic = world.traffic_at(origin);
        world.next_arrival = world.arrival_after(origin);
        world
    }

    /// Lets a fault begin now, besides those of the scenario. The rest of the world goes on as it would have.
    ///
    /// # Errors
    /// A sentence that says what cannot be, as for a fault in a file.
    pub fn inject(&mut self, fault: &Fault, at: Time) -> Result<(), String> {
        self.scenario.check_fault(fault)?;
        self.troubles.add(Trouble::new(fault, &self.market, at));
        self.next_deployment = self.troubles.next_edge(at - Duration::from_micros(1));
        self.traffic = self.traffic_at(at);
        Ok(())
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
            fetching: Fetching { max_waiting: if self.asks() { MAX_WAITING } else { 0 } },
            connectors: self.market.connector_settings(),
            merchants: self.market.merchant_settings(),
            experiments: self.scenario.experiments.clone(),
            ..Settings::default()
        }
    }

    /// When something happens next.
    #[must_use]
    pub fn next_at(&self) -> Time {
        let own = self.next_own();
        self.answers.peek().map_or(own, |next| own.min(next.0.at))
    }

    fn next_own(&self) -> Time {
        let own = self.next_arrival.min(self.next_sample);
        self.next_deployment.map_or(own, |deployment| own.min(deployment))
    }

    /// What happens next; the time moves to it. At the same time, attempts' events come before new arrivals.
    pub fn step(&mut self) -> WorldEvent {
        let own = self.next_own();
        if self.answers.peek().is_some_and(|next| next.0.at <= own)
            && let Some(Reverse(next)) = self.answers.pop()
        {
            return match next.what {
                Due::Event(event) => WorldEvent::Event(event),
                Due::Retry(request) => WorldEvent::Arrival(*request),
            };
        }
        if let Some(at) = self.next_deployment.filter(|at| *at <= own) {
            return self.deploy(at);
        }
        if self.next_sample <= self.next_arrival {
            self.next_sample = self.next_sample + SAMPLE_EVERY;
            return WorldEvent::Sample(self.measure());
        }
        let at = self.next_arrival;
        let request = self.arrive(at);
        self.next_arrival = self.arrival_after(at);
        WorldEvent::Arrival(request)
    }

    /// Changes the priority lists as the bad rules in force now say; of other faults an edge changes none.
    fn deploy(&mut self, at: Time) -> WorldEvent {
        self.next_deployment = self.troubles.next_edge(at);
        let rules = self.troubles.bad_rules(at);
        let mut changed = Vec::new();
        for (number, shop) in self.market.shops.iter().enumerate() {
            let (before, after) = (put_first(&self.deployed, number), put_first(&rules, number));
            if before != after {
                let list = after.map_or_else(|| shop.priority.clone(), |first| self.market.priority_with_first(number, first));
                changed.push((shop.profile.clone(), list));
            }
        }
        self.deployed = rules;
        WorldEvent::Deployed(changed)
    }

    /// Sends the request's attempt to an account: it starts now, and its answer will come.
    pub fn routed(&mut self, request: &Request, account: &ConnectorAccount, at: Time) {
        let mut told = self.send(request, account, at);
        let (mut last, mut sent_at) = (account.clone(), at);
        if self.scenario.auto_retry
            && told.outcome.is_technical()
            && let Some((next, again)) = self.retry_hidden(request, account, told.answered)
        {
            self.hide(request, account, &told);
            (last, sent_at, told) = (next, told.answered + AUTO_RETRY_AFTER, again);
        }
        self.count(request, &told.outcome);
        self.schedule(at, Due::Event(Box::new(delivery::event(request, account, EventKind::Started, at))));
        // What was tried in between is not told.
        let last_request = Request { attempt: request.attempt + u16::from(last != *account), ..request.clone() };
        self.tell_steps(&last_request, &last, sent_at, &told);
        self.tell(&last_request, &last, &told);
        self.follow_up(&last_request, &last, &told);
    }

    /// One attempt: what becomes of it and when.
    fn send(&mut self, request: &Request, account: &ConnectorAccount, at: Time) -> Sent {
        let place = self.market.place(request, account);
        let luck = Luck::draw(&mut self.luck.stream(luck_number(request)));
        let (method, three_ds) = (request.context.method.unwrap_or(Method::Card), request.context.three_ds == Some(true));
        let outcome = self.chances(request, place, at).outcome(&luck, method, three_ds);
        self.limits.take(place.acquirer, at);
        if outcome.kind == EventKind::Cancelled {
            return Sent { outcome, latency_ms: None, answered: at + ABANDONED_AFTER };
        }
        let (median, sigma) = place.acquirer.map_or((1.0, 0.0), |index| {
            let acquirer = &self.market.acquirers[index];
            (acquirer.profile.latency_ms, acquirer.latency_sigma)
        });
        let latency = whole(luck.latency_ms(median, sigma, self.troubles.slowness(request, place, at), &outcome));
        Sent { outcome, latency_ms: Some(latency), answered: at + Duration::from_millis(u64::from(latency)) }
    }

    /// The switch's own next attempt, on the merchant's next account: nobody asks us, nobody tells us of the first.
    fn retry_hidden(&mut self, request: &Request, failed: &ConnectorAccount, at: Time) -> Option<(ConnectorAccount, Sent)> {
        let next = self.next_on_the_list(request, failed)?.clone();
        let again = Request { attempt: request.attempt + 1, ..request.clone() };
        let sent = self.send(&again, &next, at + AUTO_RETRY_AFTER);
        Some((next, sent))
    }

    fn next_on_the_list(&self, request: &Request, failed: &ConnectorAccount) -> Option<&ConnectorAccount> {
        let able = |account: &&ConnectorAccount| {
            *account != failed && self.market.handles(request, self.market.place(request, account))
        };
        self.market.shop(request)?.usual.iter().find(able)
    }

    /// Where the switch itself would send a payment next that a gateway failed; none where it does not.
    pub(super) fn tried_next(&self, request: &Request, failed: &ConnectorAccount) -> Option<&ConnectorAccount> {
        self.scenario.auto_retry.then(|| self.next_on_the_list(request, failed)).flatten()
    }

    /// How a request's attempt on an account may end if sent at this time.
    pub(super) fn ends(&self, request: &Request, account: &ConnectorAccount, at: Time) -> Ends {
        self.chances(request, self.market.place(request, account), at).ends()
    }

    /// What the switch would tell of an attempt of its own, were it asked.
    fn hide(&mut self, request: &Request, account: &ConnectorAccount, sent: &Sent) {
        if self.asks() {
            let ended = delivery::event(request, account, sent.outcome.kind, sent.answered);
            let told = PaymentEvent {
                source: Source::Fetch,
                decline: sent.outcome.decline.clone(),
                latency_ms: sent.latency_ms,
                attempts_made: Some(request.attempt + 1),
                ..ended
            };
            self.hidden.insert(request.payment.clone(), Box::new(told));
        }
    }

    /// Whether somebody asks the switch for attempts that it hides.
    fn asks(&self) -> bool {
        self.scenario.outcomes.fetches_per_s > 0.0
    }

    /// The switch is asked for a payment's attempts: the one that it hid.
    pub fn ask(&mut self, payment: &PaymentId) -> Option<Box<PaymentEvent>> {
        self.hidden.remove(payment)
    }

    fn count(&mut self, request: &Request, outcome: &Outcome) {
        if payment_number(&request.payment) > self.payments - self.tally.payments && outcome.is_approved() {
            self.tally.succeeded += 1;
        }
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

    /// Payments since the scenario's start, and what became of them.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// The account that fixed priority takes, whatever is wrong with it: the first of the merchant's list that can
    /// handle the payment.
    #[must_use]
    pub fn usual(&self, request: &Request) -> Option<&ConnectorAccount> {
        let shop = self.market.shops.iter().position(|shop| shop.profile == request.profile);
        self.market.usual(request, shop.and_then(|shop| put_first(&self.deployed, shop)))
    }

    /// The scenario's fault that harms such an attempt most, by its number, and the share that fails for it.
    #[must_use]
    pub fn harm(&self, request: &Request, account: &ConnectorAccount, at: Time) -> Option<(usize, f64)> {
        let harm = self.troubles.harm(request, self.market.place(request, account), at);
        harm.worst.map(|(_, number)| (number, harm.share))
    }

    /// Whether the log takes nothing: what happens is spooled.
    #[must_use]
    pub fn log_is_down(&self, at: Time) -> bool {
        self.troubles.is_there(FaultKind::LogDown, at)
    }

    /// How long the tables' database takes for a write; nothing while it is well.
    #[must_use]
    pub fn table_write(&self, at: Time) -> Duration {
        Duration::from_secs_f64(self.troubles.strength(FaultKind::TablesSlow, at))
    }

    /// Whether nobody leads: no ticks, samples or actions.
    #[must_use]
    pub fn leader_is_down(&self, at: Time) -> bool {
        self.troubles.is_there(FaultKind::LeaderDown, at)
    }

    fn chances(&self, request: &Request, place: Place, at: Time) -> Chances {
        let harm = self.troubles.harm(request, place, at);
        let special = if self.special.is_empty() { None } else { self.special.get(&payment_number(&request.payment)).copied() };
        Chances {
            handled: self.market.handles(request, place),
            customer: self.market.customer_passes(),
            honest: special.map_or(1.0, passes),
            special,
            throttled: self.limits.is_reached(place.acquirer, at),
            survives: 1.0 - harm.share,
            trouble: harm.worst.map(|(kind, _)| kind),
            approves: self.market.approves(place),
            technical: self.scenario.technical,
            abandoned: self.scenario.abandoned + self.troubles.gives_up(request, at),
        }
    }

    fn measure(&mut self) -> ResourceSample {
        let payments = u32::try_from(self.payments - self.sampled_payments).unwrap_or(u32::MAX);
        self.sampled_payments = self.payments;
        self.switch.sample(payments, SAMPLE_EVERY.as_secs_f64())
    }

    fn schedule(&mut self, at: Time, what: Due) {
        self.scheduled += 1;
        self.answers.push(Reverse(Scheduled { at, number: self.scheduled, what }));
    }
}

/// The acquirer that a bad rule puts first for a shop.
fn put_first(rules: &[(Option<usize>, usize)], shop: usize) -> Option<usize> {
    rules.iter().find(|(hit, _)| hit.is_none_or(|hit| hit == shop)).map(|(_, acquirer)| *acquirer)
}

/// Share of payments of a burst that pass for what they are: of cards tested, made up, of accounts taken over, of
/// subscriptions billed without funds.
const fn passes(kind: FaultKind) -> f64 {
    match kind {
        FaultKind::FraudBurst => 0.12,
        FaultKind::BinAttack => 0.02,
        FaultKind::AccountTakeover => 0.9,
        FaultKind::BillingRun => 0.88,
        _ => 1.0,
    }
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
