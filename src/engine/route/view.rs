//! The routing view: all that `decide` reads, immutable once published.
//!
//! It is a part of State, and cloning it shares structure, so that publishing it never stalls the fold.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::breaker::Breaker;
use super::weights::Weights;
use crate::domain::{ConnectorAccount, ConnectorName, Decision, EventId, PaymentId, Position, ProfileId, Settings, Time};
use crate::engine::names::Names;
use crate::engine::payments::{Key, Payments};

/// Most merchants, connectors and accounts kept; requests of further ones are answered from priors.
pub(crate) const MAX_MERCHANTS: usize = 100_000;
pub(crate) const MAX_CONNECTORS: usize = 1_000;
pub(crate) const MAX_ACCOUNTS: usize = 500_000;

/// What is known of a connector account.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Its connector's number.
    pub(crate) connector: u32,
    /// Its breaker.
    pub(crate) breaker: Breaker,
    /// Excluded since when, by an operator or an action.
    pub(crate) excluded: Option<Time>,
    /// When an attempt was sent to it last.
    pub(crate) last_attempt: Time,
    /// How many outcomes had been learnt then.
    pub(crate) learnt_before: u64,
    /// Attempts in flight.
    pub(crate) pending: u32,
}

/// How a merchant is routed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Merchant {
    /// Its fixed order; empty: the bandit chooses.
    pub(crate) priority: Vec<ConnectorAccount>,
    /// Rules of the peer's kind, in the peer's JSON, by kind.
    pub(crate) peer_rules: BTreeMap<String, String>,
}

/// The state of routing at one position of the log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RoutingView {
    pub(crate) position: Position,
    pub(crate) at: Time,
    pub(crate) settings: Arc<Settings>,
    pub(crate) profiles: Names<ProfileId>,
    pub(crate) merchants: Vector<Merchant>,
    pub(crate) connectors: Names<ConnectorName>,
    /// Attempts in flight, by connector.
    pub(crate) pending: Vector<u32>,
    pub(crate) account_names: Names<ConnectorAccount>,
    pub(crate) accounts: Vector<Account>,
    pub(crate) weights: Weights,
    pub(crate) payments: Payments,
}

impl RoutingView {
    /// The last entry folded into it.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The log's time there.
    #[must_use]
    pub const fn at(&self) -> Time {
        self.at
    }

    /// The configuration in force.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Whether the merchant is known: configured, created by the switch, or seen.
    #[must_use]
    pub fn knows(&self, profile: &ProfileId) -> bool {
        self.profiles.get(profile).is_some()
    }

    /// A merchant's fixed priority list; `None` where the bandit chooses.
    #[must_use]
    pub fn priority(&self, profile: &ProfileId) -> Option<&[ConnectorAccount]> {
        let merchant = self.merchants.get(self.profiles.get(profile)? as usize)?;
        (!merchant.priority.is_empty()).then_some(merchant.priority.as_slice())
    }

    /// A merchant's rule of the peer's kind (`successRate`, `elimination`), in the peer's JSON.
    #[must_use]
    pub fn peer_rule(&self, profile: &ProfileId, kind: &str) -> Option<&str> {
        let merchant = self.merchants.get(self.profiles.get(profile)? as usize)?;
        merchant.peer_rules.get(kind).map(String::as_str).filter(|rule| !rule.is_empty())
    }

    /// The decision to repeat: recorded, and its attempt has not failed since.
    #[must_use]
    pub fn recorded(&self, profile: &ProfileId, payment: &PaymentId) -> Option<Arc<Decision>> {
        self.payments.get(Key::of(profile, payment))?.to_repeat().cloned()
    }

    /// The latest decision of a payment that is still open, whatever became of it.
    #[must_use]
    pub fn decision(&self, profile: &ProfileId, payment: &PaymentId) -> Option<Arc<Decision>> {
        self.payments.get(Key::of(profile, payment))?.decision.clone()
    }

    /// The number the payment's next attempt will have, from 1.
    #[must_use]
    pub fn next_attempt(&self, profile: &ProfileId, payment: &PaymentId) -> u16 {
        self.payments.get(Key::of(profile, payment)).map_or(1, super::super::payments::Payment::next_attempt)
    }

    /// Whether an event id of this merchant has been folded already.
    #[must_use]
    pub fn saw_event(&self, profile: &ProfileId, event: &EventId) -> bool {
        self.payments.saw_event(profile, event)
    }

    /// Every account known of a merchant: of its priority list. Used when the switch names none.
    #[must_use]
    pub fn accounts_of(&self, profile: &ProfileId) -> Vec<ConnectorAccount> {
        self.priority(profile).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// The account's state and number, if it is known.
    pub(crate) fn account(&self, account: &ConnectorAccount) -> Option<(u32, &Account)> {
        let number = self.account_names.get(account)?;
        Some((number, self.accounts.get(number as usize)?))
    }

    /// The merchant's number, given now if it had none.
    pub(crate) fn intern_profile(&mut self, profile: &ProfileId) -> Option<u32> {
        let number = self.profiles.intern(profile, MAX_MERCHANTS)?;
        if number as usize == self.merchants.len() {
            self.merchants.push_back(Merchant::default());
        }
        Some(number)
    }

    /// The account's number, given now if it had none; its connector gets one too.
    pub(crate) fn intern_account(&mut self, account: &ConnectorAccount) -> Option<u32> {
        if let Some(number) = self.account_names.get(account) {
            return Some(number);
        }
        let name = ConnectorName::parse(account.connector()).ok()?;
        let connector = self.connectors.intern(&name, MAX_CONNECTORS)?;
        if connector as usize == self.pending.len() {
            self.pending.push_back(0);
        }
        let number = self.account_names.intern(account, MAX_ACCOUNTS)?;
        self.accounts.push_back(Account { connector, ..Account::default() });
        Some(number)
    }

    /// One attempt more in flight.
    pub(crate) fn launch(&mut self, account: u32) {
        let (at, learnt) = (self.at, self.weights.learnt());
        let Some(state) = self.accounts.get_mut(account as usize) else { return };
        state.pending = state.pending.saturating_add(1);
        (state.last_attempt, state.learnt_before) = (at, learnt);
        let connector = state.connector as usize;
        if let Some(pending) = self.pending.get_mut(connector) {
            *pending = pending.saturating_add(1);
        }
    }

    /// One attempt less in flight.
    pub(crate) fn land(&mut self, account: u32) {
        let Some(state) = self.accounts.get_mut(account as usize) else { return };
        state.pending = state.pending.saturating_sub(1);
        let connector = state.connector as usize;
        if let Some(pending) = self.pending.get_mut(connector) {
            *pending = pending.saturating_sub(1);
        }
    }
}
