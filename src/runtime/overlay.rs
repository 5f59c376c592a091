//! This replica's own decisions that its view does not cover yet.
//!
//! Without them a second request for a payment could be answered differently while the first answer is still on its
//! way through the log, and a burst could pile onto one account before the view counts it as in flight. Both are kept in
//! shards, each held for one look-up (well below a microsecond); what is no longer in flight leaves nothing behind.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::{ConnectorAccount, Decision, Time};
use crate::engine::PaymentKey;

/// Shards of each kind: more than the threads that decide, so that they hardly ever meet.
const SHARDS: usize = 32;

/// A decision that no view covers after so long was lost on its way to the log (queue full, log down). Above the
/// longest fold delay (seconds), below what would distort the counts of attempts in flight for long.
pub const FORGET_AFTER: Duration = Duration::from_mins(1);

/// Most decisions noted: about 50 MB, and more than a second of the fastest traffic. Where the log does not take them, or is
/// not folded, a repeat of one beyond them may be decided anew.
const NOTED_MAX: usize = 50_000;

/// Decisions in flight: which for each payment, and how many on each account.
#[derive(Debug)]
pub struct Overlay {
    decisions: [Mutex<HashMap<PaymentKey, InFlight>>; SHARDS],
    /// Attempts in flight, of accounts that have some.
    accounts: [Mutex<HashMap<ConnectorAccount, u16>>; SHARDS],
    hasher: RandomState,
    len: AtomicUsize,
}

#[derive(Debug)]
struct InFlight {
    decision: Arc<Decision>,
    since: Time,
}

impl Default for Overlay {
    fn default() -> Self {
        Self {
            decisions: Default::default(),
            accounts: Default::default(),
            hasher: RandomState::new(),
            len: AtomicUsize::new(0),
        }
    }
}

impl Overlay {
    /// Attempts in flight on an account that the view does not count yet.
    #[must_use]
    pub fn in_flight(&self, account: &ConnectorAccount) -> u16 {
        self.counts(account).get(account).copied().unwrap_or(0)
    }

    /// The latest decision in flight for a payment. Those of the attempts before it are not held here.
    #[must_use]
    pub fn latest(&self, key: PaymentKey) -> Option<Arc<Decision>> {
        self.shard(key).get(&key).map(|held| held.decision.clone())
    }

    /// Notes a decision and gives back the one that counts: another thread may have been first for the same attempt, with
    /// an account that this request allows too, or for a later attempt.
    pub fn insert(&self, key: PaymentKey, decision: Arc<Decision>, now: Time) -> Arc<Decision> {
        let mut shard = self.shard(key);
        let stands = |held: &&InFlight| match held.decision.request.attempt.cmp(&decision.request.attempt) {
            Ordering::Less => false,
            Ordering::Equal => decision.request.eligible.contains(&held.decision.chosen().account),
            Ordering::Greater => true,
        };
        if let Some(first) = shard.get(&key).filter(stands) {
            return first.decision.clone();
        }
        if self.len() >= NOTED_MAX {
            return decision;
        }
        self.count_up(&decision.chosen().account);
        match shard.insert(key, InFlight { decision: decision.clone(), since: now }) {
            Some(earlier) => self.count_down(&earlier.decision.chosen().account),
            None => _ = self.len.fetch_add(1, Relaxed),
        }
        decision
    }

    /// Forgets what a published view now covers: the decision of this attempt, and of earlier ones.
    pub fn settle(&self, folded: &Decision) {
        let key = PaymentKey::of(&folded.request.profile, &folded.request.payment);
        let mut shard = self.shard(key);
        if shard.get(&key).is_some_and(|held| held.decision.request.attempt <= folded.request.attempt)
            && let Some(held) = shard.remove(&key)
        {
            self.forget(&held.decision);
        }
    }

    /// Forgets what was noted more than [`FORGET_AFTER`] ago, and tells how many that were.
    pub fn sweep(&self, now: Time) -> usize {
        let before = self.len();
        for shard in &self.decisions {
            let mut shard = locked(shard);
            shard.retain(|_, held| {
                let keep = now.since(held.since) < FORGET_AFTER;
                if !keep {
                    self.forget(&held.decision);
                }
                keep
            });
        }
        before.saturating_sub(self.len())
    }

    /// Decisions in flight.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Whether nothing is in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn forget(&self, decision: &Decision) {
        self.count_down(&decision.chosen().account);
        self.len.fetch_sub(1, Relaxed);
    }

    fn count_up(&self, account: &ConnectorAccount) {
        let mut counts = self.counts(account);
        match counts.get_mut(account) {
            Some(count) => *count = count.saturating_add(1),
            None => _ = counts.insert(account.clone(), 1),
        }
    }

    fn count_down(&self, account: &ConnectorAccount) {
        let mut counts = self.counts(account);
        match counts.get_mut(account) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = counts.remove(account),
        }
    }

    fn shard(&self, key: PaymentKey) -> MutexGuard<'_, HashMap<PaymentKey, InFlight>> {
        locked(&self.decisions[key.part(SHARDS)])
    }

    fn counts(&self, account: &ConnectorAccount) -> MutexGuard<'_, HashMap<ConnectorAccount, u16>> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash do")]
        let part = self.hasher.hash_one(account) as usize % SHARDS;
        locked(&self.accounts[part])
    }
}

/// Nothing here is left half done by a panic: the lock's poison means nothing.
fn locked<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Request;
    use crate::domain::testing::{self, account, candidate, request};

    fn decision(payment: &str, attempt: u16, account: &str) -> Arc<Decision> {
        let asked = Request { payment: testing::payment(payment), attempt, ..request(&["stripe:a", "adyen:b"]) };
        Arc::new(Decision { request: asked, decided_at: Some(Time::ZERO), ..testing::decision(vec![candidate(account, 0.9)]) })
    }

    fn key(decision: &Decision) -> PaymentKey {
        PaymentKey::of(&decision.request.profile, &decision.request.payment)
    }

    fn insert(overlay: &Overlay, decision: Arc<Decision>, at_s: i64) -> Arc<Decision> {
        overlay.insert(key(&decision), decision, Time::from_secs(at_s))
    }

    #[test]
    fn the_first_decision_of_an_attempt_stands_until_a_view_covers_it() {
        let (overlay, stripe) = (Overlay::default(), account("stripe:a"));
        let first = insert(&overlay, decision("pay_1", 1, "stripe:a"), 0);
        let second = insert(&overlay, decision("pay_1", 1, "adyen:b"), 0);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!((overlay.in_flight(&stripe), overlay.len()), (1, 1));

        assert_eq!(overlay.latest(key(&first)), Some(first.clone()));
        overlay.settle(&first);
        assert_eq!(overlay.latest(key(&first)), None);
        assert_eq!((overlay.in_flight(&stripe), overlay.is_empty()), (0, true));
    }

    #[test]
    fn a_decision_that_the_caller_no_longer_allows_does_not_stand() {
        let overlay = Overlay::default();
        insert(&overlay, decision("pay_1", 1, "stripe:a"), 0);
        let mut other = Arc::unwrap_or_clone(decision("pay_1", 1, "adyen:b"));
        other.request.eligible.remove(0);
        let stands = insert(&overlay, Arc::new(other), 0);
        assert_eq!(stands.chosen().account.as_str(), "adyen:b");
        assert_eq!((overlay.in_flight(&account("stripe:a")), overlay.len()), (0, 1));
    }

    #[test]
    fn a_retry_takes_the_place_of_the_attempt_before_it() {
        let overlay = Overlay::default();
        let first = insert(&overlay, decision("pay_1", 1, "stripe:a"), 0);
        let retry = insert(&overlay, decision("pay_1", 2, "adyen:b"), 0);
        assert_eq!(retry.request.attempt, 2);
        assert_eq!(overlay.in_flight(&account("stripe:a")), 0);
        let mut late = Arc::unwrap_or_clone(decision("pay_1", 1, "stripe:a"));
        late.request.eligible.truncate(1);
        assert!(Arc::ptr_eq(&insert(&overlay, Arc::new(late), 0), &retry), "an attempt before it changes nothing");
        overlay.settle(&first);
        assert_eq!(overlay.len(), 1, "the view covers attempt 1 only");
        overlay.settle(&retry);
        assert_eq!(overlay.in_flight(&account("adyen:b")), 0);
    }

    #[test]
    fn what_was_lost_on_its_way_is_forgotten() {
        let overlay = Overlay::default();
        insert(&overlay, decision("pay_1", 1, "stripe:a"), 0);
        insert(&overlay, decision("pay_2", 1, "stripe:a"), 50);
        assert_eq!(overlay.sweep(Time::from_secs(59)), 0);
        assert_eq!(overlay.sweep(Time::from_secs(60)), 1);
        assert_eq!(overlay.in_flight(&account("stripe:a")), 1);
    }

    #[test]
    fn many_threads_leave_nothing_behind() {
        let overlay = Overlay::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let overlay = &overlay;
                scope.spawn(move || {
                    for n in 0..500 {
                        let made = decision(&format!("pay_{thread}_{n}"), 1, &format!("psp_{}:x", n % 7));
                        overlay.settle(&insert(overlay, made, 0));
                    }
                });
            }
        });
        assert!(overlay.is_empty());
        assert!(overlay.accounts.iter().all(|shard| locked(shard).is_empty()), "accounts that nothing is in flight on");
    }

    #[test]
    fn no_more_is_noted_than_there_is_room_for() {
        let overlay = Overlay::default();
        for number in 0..NOTED_MAX + 10 {
            insert(&overlay, decision(&format!("pay_{number}"), 1, &format!("psp_{number}:x")), 0);
        }
        assert_eq!(overlay.len(), NOTED_MAX);
        assert_eq!(overlay.accounts.iter().map(|shard| locked(shard).len()).sum::<usize>(), NOTED_MAX);
        overlay.sweep(Time::from_secs(60));
        assert!(overlay.is_empty() && overlay.accounts.iter().all(|shard| locked(shard).is_empty()));
    }
}
