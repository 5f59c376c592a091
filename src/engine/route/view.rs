//! The routing view: all that `decide` reads, immutable once published.
//!
//! It is a part of State, and cloning it shares structure, so that publishing it never stalls the fold.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::{OrdMap, Vector};
use serde::{Deserialize, Serialize};

use super::adoption::Adoption;
use super::arms::Arms;
use super::breaker::Breaker;
use super::latency::Latencies;
use super::offsets::Offsets;
use super::proof::Proof;
use super::rules::Book;
use super::standing::Standing;
use super::weights::Weights;
use crate::domain::{ConnectorAccount, ConnectorName, EventId, PaymentEvent, PaymentId, Position, ProfileId, Settings, Time};
use crate::engine::monitor::Slice;
use crate::engine::names::Names;
use crate::engine::payments::{Hidden, Key as PaymentKey, KnownEnd, Payments};

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
    /// Whether it works at all.
    pub(crate) proof: Proof,
}

/// How a merchant is routed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Merchant {
    /// Its fixed order; empty: the bandit chooses.
    pub(crate) priority: Vec<ConnectorAccount>,
    /// Rules of the peer's kind, in the peer's JSON, by kind.
    pub(crate) peer_rules: BTreeMap<String, String>,
    /// Its routing rules; none: it never had one.
    pub(crate) rules: Option<Arc<Book>>,
    /// Its accounts that events told of, by number.
    pub(crate) used: Vec<u32>,
    /// Configured, created, or seen while unknown merchants were created; and not deleted since.
    known: bool,
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
    /// Connectors and accounts in trouble, and when an attempt was sent there last: they get probes, or nobody would see
    /// them recover.
    pub(crate) watched: OrdMap<Slice, Time>,
    pub(crate) weights: Weights,
    pub(crate) latencies: Latencies,
    /// The learnt model in force, if one is.
    pub(crate) offsets: Option<Offsets>,
    pub(crate) payments: Payments,
    /// Bytes of all merchants' rules.
    pub(crate) rule_bytes: u64,
    /// How much of the traffic the engine routes.
    pub(super) adoption: Adoption,
    /// What became of experiments' arms.
    pub(crate) arms: Arms,
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

    /// The connectors, by their numbers.
    pub fn connectors(&self) -> impl Iterator<Item = &ConnectorName> {
        self.connectors.iter().map(|(_, name)| name)
    }

    /// Whether the merchant is known: configured, created by the switch, or seen where unknown ones are created.
    #[must_use]
    pub fn knows(&self, profile: &ProfileId) -> bool {
        let merchant = self.profiles.get(profile).and_then(|number| self.merchants.get(number as usize));
        merchant.is_some_and(|merchant| merchant.known)
    }

    /// Whether the merchant may be routed, and something kept of it: it is known, or is created by that.
    #[must_use]
    pub fn admits(&self, profile: &ProfileId) -> bool {
        self.settings.routing.auto_create_merchants || self.knows(profile)
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

    /// What is known of a payment, by one look-up.
    #[must_use]
    pub fn standing(&self, key: PaymentKey) -> Standing<'_> {
        Standing(self.payments.get(key))
    }

    /// What is known of a payment.
    #[must_use]
    pub fn standing_of(&self, profile: &ProfileId, payment: &PaymentId) -> Standing<'_> {
        self.standing(PaymentKey::of(profile, payment))
    }

    /// The account where a payment's attempt must be authenticated, because the issuer asked for it at the attempt before.
    pub(crate) fn step_up(&self, profile: &ProfileId, payment: &PaymentId, attempt: u16) -> Option<&ConnectorAccount> {
        // Nothing comes before a first attempt, and most are one: they need not be looked up.
        let before = (attempt > 1).then(|| self.payments.get(PaymentKey::of(profile, payment))).flatten()?;
        let account = before.step_up(attempt)?;
        self.account_names.name(account)
    }

    /// What an outcome says of its attempt's end, where that is folded and remembered.
    #[must_use]
    pub fn known_end(&self, outcome: &PaymentEvent) -> Option<KnownEnd> {
        let payment = self.payments.get(PaymentKey::of(&outcome.profile, &outcome.payment))?;
        // As it will be folded: an account that nothing is known of is not "any account", it has the next number.
        let number = |account| self.account_names.get(account).or_else(|| self.account_names.next_number());
        payment.known_end(outcome, outcome.account.as_ref().and_then(number))
    }

    /// Whether an event id of this merchant has been folded already.
    #[must_use]
    pub fn saw_event(&self, profile: &ProfileId, event: &EventId) -> bool {
        self.payments.saw_event(profile, event)
    }

    /// Payments with attempts that the switch hides, where it is asked for them; the newest first.
    #[must_use]
    pub fn hidden(&self) -> impl DoubleEndedIterator<Item = &Hidden> {
        self.payments.hidden.iter()
    }

    /// How many they are.
    #[must_use]
    pub fn hidden_count(&self) -> usize {
        self.payments.hidden.len()
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

    /// The merchant's number, given now if it had none; it is known from now on.
    pub(crate) fn intern_profile(&mut self, profile: &ProfileId) -> Option<u32> {
        let number = self.number_profile(profile)?;
        // Looked at before it is written: writing unshares what the published view shares.
        let unknown = self.merchants.get(number as usize).is_some_and(|merchant| !merchant.known);
        if unknown && let Some(merchant) = self.merchants.get_mut(number as usize) {
            merchant.known = true;
        }
        Some(number)
    }

    /// The number of a merchant that traffic tells of, which makes it known only where unknown ones are created.
    pub(crate) fn see_profile(&mut self, profile: &ProfileId) -> Option<u32> {
        if self.settings.routing.auto_create_merchants { self.intern_profile(profile) } else { self.number_profile(profile) }
    }

    fn number_profile(&mut self, profile: &ProfileId) -> Option<u32> {
        let number = self.profiles.intern(profile, MAX_MERCHANTS)?;
        if number as usize == self.merchants.len() {
            self.merchants.push_back(Merchant::default());
        }
        Some(number)
    }

    /// Forgets how a merchant is routed. Its number stays: what was learnt and counted of it goes by that.
    pub(crate) fn delete_merchant(&mut self, profile: &ProfileId) {
        if let Some(number) = self.profiles.get(profile) {
            let rules = self.merchants.get(number as usize).and_then(|merchant| merchant.rules.as_deref());
            self.rule_bytes = self.rule_bytes.saturating_sub(rules.map_or(0, Book::bytes));
            self.adoption.merchants.remove(&number);
            self.merchants.set(number as usize, Merchant::default());
        }
    }

    /// The account's number, given now if it had none; its connector gets one too.
    pub(crate) fn intern_account(&mut self, account: &ConnectorAccount) -> Option<u32> {
        if let Some(number) = self.account_names.get(account) {
            return Some(number);
        }
        let name = account.connector_name()?;
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
        if !self.watched.is_empty() {
            for slice in [Slice::Connector(state.connector), Slice::Account(state.connector, account)] {
                if let Some(last) = self.watched.get_mut(&slice) {
                    *last = at;
                }
            }
        }
        let connector = state.connector as usize;
        if let Some(pending) = self.pending.get_mut(connector) {
            *pending = pending.saturating_add(1);
        }
    }

    /// Keeps probes on these slices alone.
    pub(crate) fn watch(&mut self, slices: &[Slice]) {
        if self.watched.is_empty() && slices.is_empty() {
            return;
        }
        let since = |slice| self.watched.get(slice).copied().unwrap_or(self.at);
        self.watched = slices.iter().map(|slice| (*slice, since(slice))).collect();
    }

    /// Whether an account, or its connector, is in trouble and nothing was sent there for so long.
    pub(crate) fn is_unseen(&self, account: &ConnectorAccount, interval: core::time::Duration) -> bool {
        let Some((number, state)) = (!self.watched.is_empty()).then(|| self.account(account)).flatten() else { return false };
        let slices = [Slice::Connector(state.connector), Slice::Account(state.connector, number)];
        slices.iter().any(|slice| self.watched.get(slice).is_some_and(|last| self.at.since(*last) >= interval))
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
