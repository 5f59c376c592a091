//! A merchant's rules as they are kept: few, bounded in size, one of each purpose active.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::RoutingView;
use super::super::breaker::Breaker;
use super::super::proof::Proof;
use crate::domain::rule::{RULES_BYTES_MAX, RULES_MAX, RuleText};
use crate::domain::{ConnectorAccount, ProfileId, Purpose, Rule, RuleId, Time};

/// The rules of one merchant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    /// In the order of their creation.
    rules: Vec<Arc<Rule>>,
    /// Indices in `rules` do not last, ids do.
    active: Vec<(Purpose, RuleId)>,
}

impl Book {
    /// Bytes of all its rules.
    pub(crate) fn bytes(&self) -> u64 {
        self.rules.iter().map(|rule| u64::from(rule.text.bytes)).sum()
    }

    /// Every account its rules name, each once.
    pub(crate) fn accounts(&self) -> Vec<&ConnectorAccount> {
        let mut accounts: Vec<_> = self.rules.iter().flat_map(|rule| rule.text.algorithm.accounts()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }

    fn get(&self, id: RuleId) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    fn is_active(&self, id: RuleId) -> bool {
        self.active.iter().any(|(_, active)| *active == id)
    }
}

impl RoutingView {
    /// A merchant's rules, in the order of their creation.
    #[must_use]
    pub fn rules(&self, profile: &ProfileId) -> &[Arc<Rule>] {
        self.book(profile).map_or(&[], |book| &book.rules)
    }

    /// One of a merchant's rules.
    #[must_use]
    pub fn rule(&self, profile: &ProfileId, id: RuleId) -> Option<&Arc<Rule>> {
        self.book(profile)?.get(id)
    }

    /// A merchant's active rule of a purpose.
    #[must_use]
    pub fn active_rule(&self, profile: &ProfileId, purpose: Purpose) -> Option<&Arc<Rule>> {
        let book = self.book(profile)?;
        let (_, id) = book.active.iter().find(|(known, _)| *known == purpose)?;
        book.get(*id)
    }

    /// Whether a merchant's rule is active.
    #[must_use]
    pub fn is_active_rule(&self, profile: &ProfileId, id: RuleId) -> bool {
        self.book(profile).is_some_and(|book| book.is_active(id))
    }

    /// Bytes of all merchants' rules.
    #[must_use]
    pub const fn rule_bytes(&self) -> u64 {
        self.rule_bytes
    }

    fn book(&self, profile: &ProfileId) -> Option<&Book> {
        self.merchants.get(self.profiles.get(profile)? as usize)?.rules.as_deref()
    }

    /// Changes a merchant's rules; the merchant is known from now on. `false` when nothing changed.
    fn rewrite(&mut self, profile: &ProfileId, change: impl FnOnce(&mut Book) -> bool) -> bool {
        let Some(merchant) = self.intern_profile(profile).and_then(|number| self.merchants.get_mut(number as usize)) else {
            return false;
        };
        let book = Arc::make_mut(merchant.rules.get_or_insert_default());
        let before = book.bytes();
        let changed = change(book);
        self.rule_bytes = self.rule_bytes.saturating_sub(before).saturating_add(book.bytes());
        changed
    }

    /// Keeps a new rule; `false` where there is no room for it.
    pub(crate) fn create_rule(&mut self, profile: &ProfileId, rule: Rule) -> bool {
        let room = RULES_BYTES_MAX.saturating_sub(self.rule_bytes) >= u64::from(rule.text.bytes);
        self.rewrite(profile, |book| {
            let room = room && book.rules.len() < RULES_MAX;
            if room {
                book.rules.push(Arc::new(rule));
            }
            room
        })
    }

    /// Replaces what is written of a rule that is not active.
    pub(crate) fn update_rule(&mut self, profile: &ProfileId, id: RuleId, text: &RuleText, at: Time) -> bool {
        let room = RULES_BYTES_MAX.saturating_sub(self.rule_bytes) >= u64::from(text.bytes);
        self.rewrite(profile, |book| {
            let idle = room && !book.is_active(id);
            let Some(rule) = book.rules.iter_mut().find(|rule| rule.id == id && idle) else { return false };
            *rule = Arc::new(Rule { text: text.clone(), modified_at: at, ..Rule::clone(rule) });
            true
        })
    }

    /// A rule comes into force in the place of the active one of its purpose, or goes out of force.
    pub(crate) fn activate_rule(&mut self, profile: &ProfileId, id: RuleId, active: bool) -> bool {
        self.rewrite(profile, |book| {
            let Some(purpose) = book.get(id).map(|rule| rule.purpose) else { return false };
            if active {
                book.active.retain(|(known, _)| *known != purpose);
                book.active.push((purpose, id));
            } else {
                book.active.retain(|(_, known)| *known != id);
            }
            true
        })
    }

    /// A merchant's own accounts, as far as it named them: those of its priority list and of its rules.
    fn named_accounts(&self, profile: &ProfileId) -> Vec<u32> {
        let rules = self.book(profile).map(Book::accounts).unwrap_or_default();
        let named = self.priority(profile).unwrap_or_default().iter().chain(rules);
        let mut numbers: Vec<u32> = named.filter_map(|account| self.account_names.get(account)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// How many beliefs are held of a merchant and of its own accounts.
    #[must_use]
    pub fn scores_of(&self, profile: &ProfileId) -> usize {
        self.weights.held(self.profiles.get(profile), &self.named_accounts(profile))
    }

    /// Forgets how a merchant's own accounts did and closes their breakers; what its connectors are for everybody stays.
    /// Returns how many beliefs were dropped.
    pub(crate) fn reset_scores(&mut self, profile: &ProfileId) -> usize {
        let accounts = self.named_accounts(profile);
        let merchant = self.profiles.get(profile);
        for number in &accounts {
            if let Some(account) = self.accounts.get_mut(*number as usize) {
                (account.breaker, account.proof) = (Breaker::default(), Proof::default());
            }
        }
        self.weights.forget(merchant, &accounts)
    }

    /// Forgets a rule that is not active.
    pub(crate) fn delete_rule(&mut self, profile: &ProfileId, id: RuleId) -> bool {
        self.rewrite(profile, |book| {
            let count = book.rules.len();
            if !book.is_active(id) {
                book.rules.retain(|rule| rule.id != id);
            }
            book.rules.len() < count
        })
    }
}
