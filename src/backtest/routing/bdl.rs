//! The engine as a policy: the very `decide` and `apply` that are shipped, fed with entries.

use std::sync::Arc;

use crate::domain::settings::WhenNoneLeft;
use crate::domain::{Body, Decision, Entry, EventKind, PaymentEvent, Position, Request, Source, Time};
use crate::engine::learn::Trainer;
use crate::engine::{Effect, State, apply, decide};

use super::case::{Case, Choice, Outcome, Payment};
use super::policy::Engine;

/// The engine's state, and the decision on its way into it.
#[derive(Debug)]
pub struct Bdl {
    state: State,
    effects: Vec<Effect>,
    decided: Option<Decision>,
    trainer: Option<Trainer>,
}

/// What the seed is mixed with where a log is judged: the bytes of "judging".
const OTHER_DRAWS: u64 = u64::from_le_bytes(*b"judging\0");

impl Bdl {
    /// The engine, before it has learnt anything. A log that an engine of the same seed wrote has the draws that would be made
    /// here: they must be `others`, or what is chosen here hangs on what was chosen there.
    pub(super) fn new(engine: Engine<'_>, others: bool) -> Self {
        let mut bdl =
            Self { state: State::new(), effects: Vec::new(), decided: None, trainer: engine.trainer.map(Trainer::new) };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        bdl.push(Time::ZERO, Body::EngineStarted { version, epoch: 1 });
        // Each payment of the past went somewhere: it does here too.
        let mut settings = engine.settings.clone();
        settings.routing.when_none_left = WhenNoneLeft::LeastBad;
        settings.seed ^= if others { OTHER_DRAWS } else { 0 };
        // Whoever brings a trainer wants to see what models do.
        settings.learning.enabled |= engine.trainer.is_some();
        bdl.push(Time::ZERO, Body::Configured(settings.into()));
        bdl
    }

    /// Decides. The decision becomes an entry with [`Bdl::commit`], as behind an answer.
    pub(super) fn choose(&mut self, case: &Case, index: usize) -> Choice {
        let payment = &case.payments[index];
        let request = Request {
            profile: payment.merchant.clone(),
            payment: payment.id.clone(),
            attempt: 1,
            amount: payment.amount,
            context: payment.context,
            eligible: payment.connectors.iter().map(|c| case.connectors[usize::from(*c)].clone()).collect(),
        };
        let Ok(decision) = decide(self.state.view(), &|_| 0, request, payment.at) else {
            unreachable!("a payment names at least one connector: it was read so, and the least bad is taken")
        };
        let chosen = decision.chosen();
        let place = decision.request.eligible.iter().position(|account| *account == chosen.account);
        let connector = payment.connectors[place.unwrap_or(0)];
        let choice = Choice { connector, expected: Some(chosen.expected), propensity: decision.propensity };
        self.decided = Some(decision);
        choice
    }

    pub(super) fn commit(&mut self, payment: &Payment) {
        if let Some(decision) = self.decided.take() {
            self.push(payment.at, Body::Decided(Arc::new(decision)));
        }
    }

    pub(super) fn learn(&mut self, case: &Case, index: usize, outcome: &Outcome, at: Time) {
        let payment = &case.payments[index];
        let event = PaymentEvent {
            source: Source::Feedback,
            event_id: None,
            profile: payment.merchant.clone(),
            payment: payment.id.clone(),
            attempt: None,
            account: Some(case.connectors[usize::from(outcome.connector)].clone()),
            kind: if outcome.success { EventKind::Captured } else { EventKind::Failed },
            decline: outcome.decline.clone(),
            amount: Some(payment.amount),
            context: payment.context,
            latency_ms: outcome.latency_ms,
            attempts_made: None,
            occurred_at: at,
        };
        self.push(at, Body::Payment(Box::new(event)));
        self.train(at);
    }

    /// Trains and publishes a model, if there is a trainer and it is time.
    fn train(&mut self, at: Time) {
        if let Some(model) = self.trainer.as_mut().and_then(|trainer| trainer.due(&self.state, at)) {
            self.push(at, Body::ModelPublished(Box::new(model)));
        }
    }

    pub(super) fn fingerprint(&self) -> blake3::Hash {
        self.state.fingerprint()
    }

    fn push(&mut self, at: Time, body: Body) {
        let position = Position { record: self.state.position().record + 1, index: 0 };
        apply(&mut self.state, &Entry { position, at, body }, &mut self.effects);
        self.effects.clear();
    }
}
