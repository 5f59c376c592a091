//! Which account a connector's bare name means: the switch lists a payment's attempts without their accounts.

use super::RoutingView;
use crate::domain::{ConnectorAccount, PaymentId, ProfileId};
use crate::engine::payments::Key;

/// Most accounts remembered of one merchant: twice what a large one has.
const MAX_KNOWN: usize = 64;

impl RoutingView {
    /// The account of a connector that an attempt of a payment was made at, as far as one can be told: the one this attempt
    /// is known by; else the connector's only one among those that the payment was routed or attempted at; else the
    /// merchant's only one there.
    #[must_use]
    pub fn account_meant(
        &self,
        (profile, payment): (&ProfileId, &PaymentId),
        attempt: Option<u16>,
        connector: &str,
    ) -> Option<ConnectorAccount> {
        let known = self.payments.get(Key::of(profile, payment));
        let attempts = known.as_ref().map_or(&[][..], |payment| &payment.attempts);
        let name = |account: Option<u32>| account.and_then(|account| self.account_names.name(account));
        let own = attempts.iter().find(|one| attempt.is_some() && one.number == attempt);
        if let Some(account) = name(own.and_then(|own| own.account)).filter(|account| account.connector() == connector) {
            return Some(account.clone());
        }
        let candidates = known.as_ref().and_then(|payment| payment.decision.as_deref()).map(|decision| &decision.candidates);
        let routed = candidates.into_iter().flatten().map(|candidate| &candidate.account);
        let tried = attempts.iter().filter_map(|attempt| name(attempt.account));
        match Accounts::of(routed.chain(tried), connector) {
            Accounts::One(account) => Some(account.clone()),
            Accounts::Several => None,
            Accounts::None => {
                let merchant = self.merchants.get(self.profiles.get(profile)? as usize)?;
                let used = merchant.used.iter().filter_map(|account| name(Some(*account)));
                Accounts::of(merchant.priority.iter().chain(used), connector).only()
            }
        }
    }

    /// An event told of this account of a merchant.
    pub(crate) fn note_account(&mut self, merchant: u32, account: u32) {
        let known = self.merchants.get(merchant as usize);
        let news = known.is_some_and(|known| known.used.len() < MAX_KNOWN && !known.used.contains(&account));
        if news && let Some(known) = self.merchants.get_mut(merchant as usize) {
            known.used.push(account);
        }
    }
}

/// The accounts of a connector among some.
enum Accounts<'a> {
    None,
    One(&'a ConnectorAccount),
    Several,
}

impl<'a> Accounts<'a> {
    fn of(accounts: impl Iterator<Item = &'a ConnectorAccount>, connector: &str) -> Self {
        let mut own = accounts.filter(|account| account.connector() == connector && !account.reference().is_empty());
        match own.next() {
            None => Self::None,
            Some(first) if own.all(|other| other == first) => Self::One(first),
            Some(_) => Self::Several,
        }
    }

    fn only(self) -> Option<ConnectorAccount> {
        if let Self::One(account) = self { Some(account.clone()) } else { None }
    }
}
