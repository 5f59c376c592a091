//! The synchronous driver: lets the engine route a world, one event after the other, with nothing else around it.
//!
//! It owns a state and a world, and plays every role between them: it asks for decisions, appends what happens, ticks
//! when the state says so, and executes what the engine asks for. It has no clock, no thread and no async: the same
//! world, settings and commands at the same times give the same records and the same fingerprint. Whoever calls it
//! sets the pace, and may hand the records to a log.

use std::collections::VecDeque;
use std::sync::Arc;

use super::world::{World, WorldEvent};
use crate::domain::{Act, Body, Command, ConnectorAccount, EffectId, Record, Request, Settings, Time};
use crate::engine::{Effect, Snapshot, State, apply, decide, snapshot};

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
    score: Score,
}

/// How well decisions were made, by the world's own exact probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// Payments that were routed.
    pub routed: u64,
    /// Payments that no connector account was left for.
    pub unrouted: u64,
    /// Successes to be expected of the choices made.
    pub expected: f64,
    /// Successes to be expected had every choice been the best one.
    pub best: f64,
}

impl Score {
    /// Payments lost for each thousand, against choosing the best account every time. None before the first payment.
    #[must_use]
    pub fn lost_per_thousand(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 payments")]
        let routed = self.routed as f64;
        (self.routed > 0).then(|| 1_000.0 * (self.best - self.expected) / routed)
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
            score: Score::default(),
            world,
        };
        let started = Body::EngineStarted { version: env!("CARGO_PKG_VERSION").to_owned(), epoch: EPOCH };
        driver.fold(driver.now, vec![started, Body::Configured(Arc::new(settings))], on_record);
        driver
    }

    /// Lets everything happen that is due up to a time, that time included. `on_record` sees every record before it
    /// is folded.
    pub fn run_until(&mut self, until: Time, on_record: &mut dyn FnMut(&Record)) {
        loop {
            let (event, tick) = (self.world.next_at(), self.state.deadline());
            let next = tick.map_or(event, |tick| tick.min(event));
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            let bodies = if tick.is_some_and(|tick| tick <= event) { vec![Body::Ticked] } else { self.events() };
            self.fold(self.now, bodies, on_record);
            self.execute(on_record);
        }
        self.now = self.now.max(until);
    }

    /// An operator's command, folded at the current time; what it leads to is executed before this returns.
    pub fn command(&mut self, command: Command, on_record: &mut dyn FnMut(&Record)) {
        self.fold(self.now, vec![Body::Commanded(command)], on_record);
        self.execute(on_record);
    }

    /// Activates another configuration at the current time.
    pub fn configure(&mut self, settings: Settings, on_record: &mut dyn FnMut(&Record)) {
        self.fold(self.now, vec![Body::Configured(Arc::new(settings))], on_record);
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

    /// How well decisions were made so far.
    #[must_use]
    pub const fn score(&self) -> Score {
        self.score
    }

    /// What happens in the world at its next instant; an arrival is decided, and its attempt's start follows it.
    fn events(&mut self) -> Vec<Body> {
        let at = self.world.next_at();
        let mut bodies = Vec::with_capacity(2);
        while self.world.next_at() == at {
            match self.world.step() {
                WorldEvent::Arrival(request) => bodies.extend(self.route(request, at)),
                WorldEvent::Event(event) => bodies.push(Body::Payment(event)),
                WorldEvent::Sample(sample) => bodies.push(Body::Sampled(sample)),
            }
        }
        bodies
    }

    /// Decides a request and sends its attempt on its way.
    fn route(&mut self, request: Request, at: Time) -> Option<Body> {
        let best = self.best(&request, at);
        // Decisions of the same instant are not in the view yet, but two payments in one microsecond hardly exist.
        let none_in_flight = |_: &ConnectorAccount| 0;
        let Ok(decision) = decide(self.state.view(), &none_in_flight, request) else {
            self.score.unrouted += 1;
            return None;
        };
        let account = &decision.chosen().account;
        self.score.routed += 1;
        self.score.best += best;
        self.score.expected += self.world.probability(&decision.request, account, at);
        self.world.routed(&decision.request, account, at);
        Some(Body::Decided(Arc::new(decision)))
    }

    fn best(&self, request: &Request, at: Time) -> f64 {
        request.eligible.iter().map(|account| self.world.probability(request, account, at)).fold(0.0, f64::max)
    }

    /// Folds a record. What it asks for waits in `asked`: its intent must be in the log first.
    fn fold(&mut self, at: Time, bodies: Vec<Body>, on_record: &mut dyn FnMut(&Record)) {
        if bodies.is_empty() {
            return;
        }
        let record = Record { number: self.next_record, at, epoch: EPOCH, bodies };
        self.next_record += 1;
        on_record(&record);
        let mut effects = Vec::new();
        for entry in record.entries() {
            apply(&mut self.state, &entry, &mut effects);
        }
        for effect in effects {
            match effect {
                Effect::Act { id, act } => self.asked.push_back((id, act)),
                // Rows for tables are the projector's, who folds the same records.
                Effect::Incident(_) | Effect::Action(_) => {}
            }
        }
    }

    /// Executes what was asked for, and what that leads to: the intent, the deed, its end.
    fn execute(&mut self, on_record: &mut dyn FnMut(&Record)) {
        while let Some((id, act)) = self.asked.pop_front() {
            self.fold(self.now, vec![Body::Intended { id, act: act.clone() }], on_record);
            let result = self.world.execute(&act);
            self.fold(self.now, vec![Body::Ended { id, result }], on_record);
        }
    }
}
