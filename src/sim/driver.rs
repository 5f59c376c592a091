//! The synchronous driver: lets the engine route a world, one event after the other, with nothing else around it.
//!
//! It owns a state and a world, and plays every role between them: it asks for decisions, appends what happens, ticks
//! when the state says so, and executes what the engine asks for. It has no clock, no thread and no async: the same
//! world, settings and commands at the same times give the same records and the same fingerprint. Whoever calls it
//! sets the pace, and may hand the records to a log.

mod around;
mod fetching;
pub mod forks;
pub mod ledger;
pub mod operator;
pub mod savings;
pub mod split;
pub(super) mod verdict;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::baseline::Baseline;
use super::scenario::Fault;
use super::world::{World, WorldEvent};
use crate::domain::entry::ENCODING;
use crate::domain::numbers::as_f64;
use crate::domain::{
    Act, Body, Change, Command, ConnectorAccount, EffectId, EffectResult, Record, Request, Settings, Step, Time,
};
use crate::engine::learn::Trainer;
use crate::engine::route::decide_under;
use crate::engine::route::rules::Terms;
use crate::engine::{Effect, Snapshot, State, apply, snapshot};
use around::Tables;
use forks::Forks;
use ledger::Ledger;
use operator::{Deciding, Operator};
use savings::{Prospects, Savings};
use split::{Clock, Part, Split, Stopwatch};

/// The fencing epoch of a simulation: it never loses a lease, so its first leadership is its only one.
const EPOCH: u64 = 1;

/// An engine routing a simulated world.
#[derive(Clone)]
pub struct Driver {
    state: State,
    world: World,
    now: Time,
    next_record: u64,
    /// Acts asked for, not executed yet.
    asked: VecDeque<(EffectId, Act)>,
    /// When the switch may be asked next for attempts that it hides.
    ask_from: Time,
    /// What waits for the log to come back.
    spool: Vec<Body>,
    tables: Tables,
    operator: Operator,
    ledger: Ledger,
    score: Score,
    savings: Savings,
    watch: Stopwatch,
    forks: Option<Forks>,
    /// None: no model is trained, as nobody waits for one in a world of half an hour.
    trainer: Option<Trainer>,
    /// A change that is never made: the world as it would be without it.
    without: Option<Change>,
}

/// How well decisions were made, by the world's own exact probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// Attempts that were routed since the scenario's start.
    pub routed: u64,
    /// Attempts that no connector account was left for.
    pub unrouted: u64,
    /// Successes to be expected of the choices made.
    pub expected: f64,
    /// Successes to be expected had every choice been the best one.
    pub best: f64,
}

impl Score {
    /// Attempts lost for each thousand, against choosing the best account every time. None before the first.
    #[must_use]
    pub fn lost_per_thousand(&self) -> Option<f64> {
        (self.routed > 0).then(|| 1_000.0 * (self.best - self.expected) / as_f64(self.routed))
    }
}

impl Score {
    /// The share of attempts to be expected to succeed. None before the first.
    #[must_use]
    pub fn expected_rate(&self) -> Option<f64> {
        (self.routed > 0).then(|| self.expected / as_f64(self.routed))
    }
}

impl Driver {
    /// Starts an engine in a world: the leadership and the configuration are the first record. The settings are
    /// [`World::settings`], changed as the caller likes.
    #[must_use]
    pub fn start(world: World, settings: Settings, on_record: &mut dyn FnMut(&Record)) -> Self {
        let mut driver = Self {
            state: State::new(),
            now: world.scenario().origin(),
            next_record: 1,
            asked: VecDeque::new(),
            ask_from: Time::ZERO,
            spool: Vec::new(),
            tables: Tables::default(),
            operator: Operator::default(),
            ledger: Ledger::default(),
            score: Score::default(),
            savings: Savings::new(world.scenario().faults.len()),
            watch: Stopwatch::default(),
            forks: None,
            trainer: None,
            without: None,
            world,
        };
        let started = Body::EngineStarted { version: env!("CARGO_PKG_VERSION").to_owned(), epoch: EPOCH };
        driver.fold(driver.now, vec![started, Body::Configured(settings.into())], on_record);
        driver
    }

    /// Lets somebody decide who is part of the world: an operator who approves what is proposed after a while.
    #[must_use]
    pub fn decided_by(mut self, deciding: Deciding) -> Self {
        self.operator = Operator::new(Some(deciding));
        self
    }

    /// Lets models be trained when they are due, at once and in no simulated time.
    #[must_use]
    pub fn trained_by(mut self, trainer: Trainer) -> Self {
        self.trainer = Some(trainer);
        self
    }

    /// Measures where the time goes, by a monotonic clock. What happens is the same with it and without.
    #[must_use]
    pub fn timed_by(mut self, clock: Clock) -> Self {
        self.watch = Stopwatch::new(clock);
        self
    }

    /// Keeps a copy at every action that moves traffic, to tell later what it was good for.
    #[must_use]
    pub fn forking(mut self) -> Self {
        self.forks = Some(Forks::default());
        self
    }

    /// The same, from here on without a change: whoever asks for it is refused.
    #[must_use]
    pub(super) fn without(mut self, change: Change) -> Self {
        (self.without, self.forks) = (Some(change), None);
        self
    }

    /// Lets everything happen that is due up to a time, that time included. `on_record` sees every record before it
    /// is folded.
    pub fn run_until(&mut self, until: Time, on_record: &mut dyn FnMut(&Record)) {
        loop {
            let event = self.world.next_at();
            let tick = self.state.deadline().filter(|tick| self.is_led(event.min((*tick).max(self.now))));
            let key = self.operator.next_at();
            let fetch = self.next_fetch();
            let next = tick.into_iter().chain(key).chain(fetch).fold(event, Time::min);
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            let bodies = if let Some(command) = self.operator.press(next) {
                vec![Body::Commanded(command)]
            } else if tick.is_some_and(|tick| tick <= event) {
                vec![Body::Ticked]
            } else if fetch.is_some_and(|fetch| fetch <= event) {
                self.fetch(self.now)
            } else {
                self.events()
            };
            self.append(bodies, on_record);
            self.execute(on_record);
            self.tables.advance(self.now, self.world.table_write(self.now));
            self.train(on_record);
        }
        self.now = self.now.max(until);
    }

    /// Lets a fault begin now.
    ///
    /// # Errors
    /// As [`World::inject`].
    pub fn inject(&mut self, fault: &Fault) -> Result<(), String> {
        self.world.inject(fault, self.now)
    }

    /// An operator's command, folded at the current time; what it leads to is executed before this returns.
    pub fn command(&mut self, command: Command, on_record: &mut dyn FnMut(&Record)) {
        self.fold(self.now, vec![Body::Commanded(command)], on_record);
        self.execute(on_record);
    }

    /// Activates another configuration at the current time.
    pub fn configure(&mut self, settings: Settings, on_record: &mut dyn FnMut(&Record)) {
        self.enter(Body::Configured(settings.into()), on_record);
    }

    /// Lets something happen at the current time that the world does not do by itself: a merchant's rule, say.
    pub fn enter(&mut self, body: Body, on_record: &mut dyn FnMut(&Record)) {
        self.fold(self.now, vec![body], on_record);
    }

    /// The current simulated time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The engine's state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What a screen shows of it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        snapshot(&self.state)
    }

    /// The world.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// What is wrong around the engine now, a sentence for each part: `log: …`.
    #[must_use]
    pub fn conditions(&self) -> Vec<String> {
        let spooled = self.world.log_is_down(self.now).then_some(self.spool.len());
        around::conditions(self.now, spooled, !self.world.leader_is_down(self.now), &self.tables)
    }

    /// How far the tables were behind the log at most.
    #[must_use]
    pub const fn tables_behind(&self) -> Duration {
        self.tables.longest()
    }

    /// How well decisions were made so far.
    #[must_use]
    pub const fn score(&self) -> Score {
        self.score
    }

    /// Everything the engine noticed and proposed.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What could be saved, and was.
    #[must_use]
    pub const fn savings(&self) -> &Savings {
        &self.savings
    }

    /// Where the time went, if it was measured.
    #[must_use]
    pub const fn split(&self) -> Split {
        self.watch.split
    }

    /// The copies kept at actions that moved traffic.
    #[must_use]
    pub const fn forks(&self) -> Option<&Forks> {
        self.forks.as_ref()
    }

    /// Whether anybody ticks and acts: a leader is there, and the log takes what it appends.
    fn is_led(&self, at: Time) -> bool {
        !self.world.leader_is_down(at) && !self.world.log_is_down(at)
    }

    /// Folds what happened; while the log is down it waits, and comes in order, at once, when it is back.
    fn append(&mut self, bodies: Vec<Body>, on_record: &mut dyn FnMut(&Record)) {
        if self.world.log_is_down(self.now) {
            self.spool.extend(bodies);
        } else if self.spool.is_empty() {
            self.fold(self.now, bodies, on_record);
        } else {
            let mut spooled = std::mem::take(&mut self.spool);
            spooled.extend(bodies);
            self.fold(self.now, spooled, on_record);
        }
    }

    /// What happens in the world at its next instant; an arrival is decided, and its attempt's start follows it.
    fn events(&mut self) -> Vec<Body> {
        let at = self.world.next_at();
        let mut bodies = Vec::with_capacity(2);
        while self.world.next_at() == at {
            let began = self.watch.now();
            let event = self.world.step();
            self.watch.add(Part::World, began);
            match event {
                WorldEvent::Arrival(request) => bodies.extend(self.route(request, at)),
                WorldEvent::Event(event) => bodies.push(Body::Payment(event)),
                WorldEvent::Sample(sample) if self.is_led(at) => bodies.push(Body::Sampled(sample)),
                WorldEvent::Sample(_) => {}
                WorldEvent::Deployed(lists) => {
                    bodies.extend(lists.into_iter().map(|(profile, priority)| Body::MerchantConfigured { profile, priority }));
                }
            }
        }
        bodies
    }

    /// Decides a request and sends its attempt on its way.
    fn route(&mut self, request: Request, at: Time) -> Option<Body> {
        // Decisions of the same instant are not in the view yet, but two payments in one microsecond hardly exist.
        let none_in_flight = |_: &ConnectorAccount| 0;
        let counts = at >= self.world.scenario().start;
        let began = self.watch.now();
        let view = self.state.view();
        let ruling = view.ruling(&request, Terms::default());
        let decided = decide_under(view, &none_in_flight, request, at, ruling.as_ref());
        self.watch.add(Part::Decide, began);
        let Ok(decision) = decided else {
            self.score.unrouted += u64::from(counts);
            return None;
        };
        let account = &decision.chosen().account;
        let began = self.watch.now();
        if counts {
            self.judge(&decision.request, account, at);
        }
        self.watch.add(Part::Score, began);
        let began = self.watch.now();
        self.world.routed(&decision.request, account, at);
        self.watch.add(Part::World, began);
        Some(Body::Decided(Arc::new(decision)))
    }

    /// Scores a choice by the world's own probabilities.
    fn judge(&mut self, request: &Request, account: &ConnectorAccount, at: Time) {
        let chosen = self.world.probability(request, account, at);
        let best = request.eligible.iter().map(|account| self.world.probability(request, account, at)).fold(0.0, f64::max);
        self.score.routed += 1;
        self.score.best += best;
        self.score.expected += chosen;
        self.save(request, account, at);
        if let Some(forks) = &mut self.forks {
            forks.pass(at, self.score.expected);
        }
    }

    /// Counts what a choice adds to a harmed payment's prospects.
    fn save(&mut self, request: &Request, account: &ConnectorAccount, at: Time) {
        let (world, again) = (&self.world, request.attempt > 1);
        let Some(usual) = world.usual(request) else { return };
        let harm = world.harm(request, usual, at).filter(|(_, share)| Savings::harms(*share));
        if if again { !self.savings.knows(&request.payment) } else { harm.is_none() } {
            return;
        }
        let best = Baseline::Oracle.choose(world, request, at).unwrap_or(usual);
        let of = Prospects {
            usual: Baseline::Priority.prospect(world, request, usual, at),
            best: Baseline::Oracle.prospect(world, request, best, at),
            chosen: Baseline::Priority.prospect(world, request, account, at),
        };
        match harm {
            Some((fault, _)) if !again => {
                self.savings.routed((&request.payment, world.tried_again(request.attempt).is_some()), fault, of, at);
            }
            _ => self.savings.routed_again(&request.payment, of),
        }
    }

    /// Folds a record. What it asks for waits in `asked`: its intent must be in the log first.
    fn fold(&mut self, at: Time, bodies: Vec<Body>, on_record: &mut dyn FnMut(&Record)) {
        if bodies.is_empty() {
            return;
        }
        let record = Record { number: self.next_record, at, epoch: EPOCH, encoding: ENCODING, bodies };
        self.next_record += 1;
        on_record(&record);
        let mut effects = Vec::new();
        for entry in record.entries() {
            let part = if matches!(entry.body, Body::Ticked) { Part::Ticks } else { Part::Apply };
            let began = self.watch.now();
            apply(&mut self.state, &entry, &mut effects);
            self.watch.add(part, began);
        }
        for effect in effects {
            self.ledger.note(&effect);
            match effect {
                Effect::Act { id, act } => self.asked.push_back((id, act)),
                Effect::Action(row) => self.operator.see(&row),
                Effect::Incident(row) => {
                    if let Some(fault) = verdict::explains(self.world.scenario(), &row) {
                        self.savings.detected(fault, row.detected_at);
                    }
                }
            }
        }
    }

    /// Executes what was asked for, and what that leads to: the intent, the deed, its end.
    fn execute(&mut self, on_record: &mut dyn FnMut(&Record)) {
        while let Some((id, act)) = self.asked.pop_front() {
            if self.without.as_ref().is_some_and(|without| is_same(without, &act.change)) {
                let reason = "left out, to see what becomes of it".to_owned();
                self.fold(self.now, vec![Body::Ended { id, result: EffectResult::Refused { reason } }], on_record);
                continue;
            }
            if act.step == Step::Execute && self.forks.is_some() {
                self.fork(id, &act);
            }
            self.fold(self.now, vec![Body::Intended { id, act: act.clone() }], on_record);
            let result = self.world.execute(&act);
            self.fold(self.now, vec![Body::Ended { id, result }], on_record);
        }
    }

    /// Trains and publishes a model, if there is a trainer and it is time.
    fn train(&mut self, on_record: &mut dyn FnMut(&Record)) {
        if !self.is_led(self.now) {
            return;
        }
        let model = self.trainer.as_mut().and_then(|trainer| trainer.due(&self.state, self.now));
        if let Some(model) = model {
            self.append(vec![Body::ModelPublished(Box::new(model))], on_record);
        }
    }

    /// Keeps a copy in which the act is still to be executed.
    fn fork(&mut self, id: EffectId, act: &Act) {
        let mut copy = self.clone().without(act.change.clone());
        copy.asked.push_front((id, act.clone()));
        if let Some(forks) = &mut self.forks {
            forks.add(act, copy, self.now);
        }
    }
}

/// Whether two changes do the same to the same.
fn is_same(one: &Change, other: &Change) -> bool {
    match (one, other) {
        (Change::ReorderPriority { moves }, Change::ReorderPriority { moves: others }) => {
            moves.iter().any(|one| others.iter().any(|other| one.profile == other.profile))
        }
        (Change::ExcludeAccount { account }, Change::ExcludeAccount { account: other })
        | (Change::RestoreAccount { account }, Change::RestoreAccount { account: other }) => account == other,
        (Change::Scale { .. }, Change::Scale { .. }) => true,
        (Change::SetArm { experiment, arm, .. }, Change::SetArm { experiment: other, arm: made, .. }) => {
            experiment == other && arm == made
        }
        _ => false,
    }
}
