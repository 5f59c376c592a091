//! The policies that can be judged: the engine's own, and the rules it has to beat.

use clap::ValueEnum;

use super::bdl::Bdl;
use super::case::{Case, Choice, Outcome};
use super::rules::{Best, LastN, Priority, Thompson, Ucb, Uniform};
use crate::domain::{Settings, Time};
use crate::engine::learn::Train;

/// A policy's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// The engine itself: the drifting Bayesian logistic bandit with its breakers, exactly as it is shipped
    Bdl,
    /// The best share of successes among the latest 125 outcomes per method and connector, 5 % hedged
    LastN,
    /// Discounted upper confidence bounds per connector
    Ucb,
    /// Thompson sampling of a Beta belief per connector
    Thompson,
    /// Each payment's first connector
    Priority,
    /// A fair draw
    Uniform,
    /// The connector that is best in hindsight, for every payment
    BestFixed,
}

/// The engine that is judged: its settings, whose seed is every policy's, and what trains its models, if anything does.
#[derive(Debug, Clone, Copy)]
pub struct Engine<'a> {
    /// Its settings.
    pub settings: &'a Settings,
    /// What trains its models, at once when one is due; none: it routes by its own beliefs alone.
    pub trainer: Option<Train>,
}

/// A policy, with what it has learnt.
#[derive(Debug)]
pub enum Policy {
    /// The engine.
    Bdl(Box<Bdl>),
    /// The last-N rule.
    LastN(LastN),
    /// Discounted UCB.
    Ucb(Ucb),
    /// Thompson sampling.
    Thompson(Thompson),
    /// The first connector.
    Priority(Priority),
    /// A fair draw.
    Uniform(Uniform),
    /// The best fixed connector in hindsight.
    Best(Best),
}

impl Policy {
    /// A policy that has learnt nothing yet.
    #[must_use]
    pub fn new(name: PolicyName, case: &Case, engine: Engine<'_>) -> Self {
        let seed = engine.settings.seed;
        match name {
            PolicyName::Bdl => Self::Bdl(Box::new(Bdl::new(engine, !case.is_complete()))),
            PolicyName::LastN => Self::LastN(LastN::new(seed)),
            PolicyName::Ucb => Self::Ucb(Ucb::new(case)),
            PolicyName::Thompson => Self::Thompson(Thompson::new(case, seed)),
            PolicyName::Priority => Self::Priority(Priority),
            PolicyName::Uniform => Self::Uniform(Uniform::new(seed)),
            PolicyName::BestFixed => Self::Best(Best::new(case)),
        }
    }

    /// Chooses a connector for a payment.
    pub fn choose(&mut self, case: &Case, payment: usize) -> Choice {
        match self {
            Self::Bdl(policy) => policy.choose(case, payment),
            Self::LastN(policy) => policy.choose(&case.payments[payment]),
            Self::Ucb(policy) => policy.choose(&case.payments[payment]),
            Self::Thompson(policy) => policy.choose(&case.payments[payment]),
            Self::Priority(policy) => policy.choose(&case.payments[payment]),
            Self::Uniform(policy) => policy.choose(&case.payments[payment]),
            Self::Best(policy) => policy.choose(&case.payments[payment]),
        }
    }

    /// Records the choice and takes it as made at its payment's time.
    pub fn commit(&mut self, case: &Case, payment: usize) {
        if let Self::Bdl(policy) = self {
            policy.commit(&case.payments[payment]);
        }
    }

    /// Learns the outcome of a payment it routed, known at `at`.
    pub fn learn(&mut self, case: &Case, payment: usize, outcome: &Outcome, at: Time) {
        match self {
            Self::Bdl(policy) => policy.learn(case, payment, outcome, at),
            Self::LastN(policy) => policy.learn(&case.payments[payment], outcome),
            Self::Ucb(policy) => policy.learn(outcome),
            Self::Thompson(policy) => policy.learn(outcome),
            Self::Priority(_) | Self::Uniform(_) | Self::Best(_) => {}
        }
    }

    /// The hash of the engine's complete state, for the engine's own policy.
    #[must_use]
    pub fn fingerprint(&self) -> Option<blake3::Hash> {
        if let Self::Bdl(policy) = self { Some(policy.fingerprint()) } else { None }
    }
}
