//! This replica's own decisions that its view does not cover yet.
//!
//! Without them a second request for a payment could be answered differently while the first answer is still on its
//! way through the log, and a burst could pile onto one account before the view counts it as in flight. Counts are read
//! without a lock; the recorded decisions lie in shards, each held for one look-up (well below a microsecond).

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::domain::{ConnectorAccount, Decision, PaymentId, ProfileId, Time};

/// Shards of the recorded decisions: more than the threads that decide, so that they hardly ever meet.
const SHARDS: usize = 32;

/// A decision that no view covers after so long was lost on its way to the log (queue full, log down). Above the
/// longest fold delay (seconds), below what would distort the counts of attempts in flight for long.
pub const FORGET_AFTER: Duration = Duration::from_mins(1);

type Key = (ProfileId, PaymentId);

/// Decisions in flight: how many on each account, and which for each payment.
#[derive(Debug)]
pub struct Overlay {
    /// Attempts in flight by account. Replaced as a whole when an account is seen for the first time.
    counts: ArcSwap<BTreeMap<ConnectorAccount, Arc<AtomicU32>>>,
    shards: Vec<Mutex<HashMap<Key, InFlight>>>,
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
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { counts: ArcSwap::default(), shards, hasher: RandomState::new(), len: AtomicUsize::new(0) }
    }
}

impl Overlay {
    /// Attempts in flight on an account that the view does not count yet.
    #[must_use]
    pub fn in_flight(&self, account: &ConnectorAccount) -> u16 {
        let counts = self.counts.load();
        counts.get(account).map_or(0, |count| u16::try_from(count.load(Relaxed)).unwrap_or(u16::MAX))
    }

    /// The latest decision in flight for a payment. Those of the attempts before it are not held here.
    #[must_use]
    pub fn latest(&self, profile: &ProfileId, payment: &PaymentId) -> Option<Arc<Decision>> {
        let key = (profile.clone(), payment.clone());
        let shard = self.shard(&key);
        shard.get(&key).map(|held| held.decision.clone())
    }

    /// Notes a decision and gives back the one that counts: another thread may have been first for the same attempt, with
    /// an account that this request allows too, or for a later attempt.
    pub fn insert(&self, decision: Arc<Decision>, now: Time) -> Arc<Decision> {
        let key = key_of(&decision);
        let mut shard = self.shard(&key);
        let stands = |held: &&InFlight| match held.decision.request.attempt.cmp(&decision.request.attempt) {
            Ordering::Less => false,
            Ordering::Equal => decision.request.eligible.contains(&held.decision.chosen().account),
            Ordering::Greater => true,
        };
        if let Some(first) = shard.get(&key).filter(stands) {
            return first.decision.clone();
        }
        self.count_up(&decision.chosen().account);
        match shard.insert(key, InFlight { decision: decision.clone(), since: now }) {
            Some(earlier) => self.count_down(&earlier.decision),
            None => _ = self.len.fetch_add(1, Relaxed),
        }
        decision
    }

    /// Forgets what a published view now covers: the decision of this attempt, and of earlier ones.
    pub fn settle(&self, folded: &Decision) {
        let key = key_of(folded);
        let mut shard = self.shard(&key);
        if shard.get(&key).is_some_and(|held| held.decision.request.attempt <= folded.request.attempt)
            && let Some(held) = shard.remove(&key)
        {
            self.forget(&held.decision);
        }
    }

    /// Forgets what was noted more than [`FORGET_AFTER`] ago, and tells how many that were.
    pub fn sweep(&self, now: Time) -> usize {
        let before = self.len();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
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
        self.count_down(decision);
        self.len.fetch_sub(1, Relaxed);
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, InFlight>> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash do")]
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_up(&self, account: &ConnectorAccount) {
        if let Some(count) = self.counts.load().get(account) {
            count.fetch_add(1, Relaxed);
            return;
        }
        self.counts.rcu(|counts| {
            let mut counts = BTreeMap::clone(counts);
            counts.entry(account.clone()).or_default();
            counts
        });
        if let Some(count) = self.counts.load().get(account) {
            count.fetch_add(1, Relaxed);
        }
    }

    fn count_down(&self, decision: &Decision) {
        if let Some(count) = self.counts.load().get(&decision.chosen().account) {
            count.fetch_sub(1, Relaxed);
        }
    }
}

fn key_of(decision: &Decision) -> Key {
    (decision.request.profile.clone(), decision.request.payment.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Approach, Candidate, Context, Currency, Money, Position, Request};

    fn decision(payment: &str, attempt: u16, account: &str) -> Arc<Decision> {
        let account = ConnectorAccount::parse(account).unwrap();
        let request = Request {
            profile: ProfileId::parse("pro_1").unwrap(),
            payment: PaymentId::parse(payment).unwrap(),
            attempt,
            amount: Money::new(100, Currency::parse("EUR").unwrap()),
            context: Context::default(),
            eligible: ["stripe:a", "adyen:b"].map(|name| ConnectorAccount::parse(name).unwrap()).to_vec(),
        };
        let candidate = Candidate {
            account,
            excluded: None,
            expected: 0.9,
            spread: 0.1,
            bonus: 0.0,
            pending: 0,
            evidence: 1.0,
            folded: None,
        };
        Arc::new(Decision {
            request,
            decided_at: Some(Time::ZERO),
            view: Position::default(),
            chosen: 0,
            approach: Approach::Single,
            candidates: vec![candidate],
            propensity: 1.0,
            confidence: 1.0,
            notes: Vec::new(),
        })
    }

    #[test]
    fn the_first_decision_of_an_attempt_stands_until_a_view_covers_it() {
        let (overlay, stripe) = (Overlay::default(), ConnectorAccount::parse("stripe:a").unwrap());
        let first = overlay.insert(decision("pay_1", 1, "stripe:a"), Time::ZERO);
        let second = overlay.insert(decision("pay_1", 1, "adyen:b"), Time::ZERO);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!((overlay.in_flight(&stripe), overlay.len()), (1, 1));

        let request = &first.request;
        assert_eq!(overlay.latest(&request.profile, &request.payment), Some(first.clone()));
        overlay.settle(&first);
        assert_eq!(overlay.latest(&request.profile, &request.payment), None);
        assert_eq!((overlay.in_flight(&stripe), overlay.is_empty()), (0, true));
    }

    #[test]
    fn a_decision_that_the_caller_no_longer_allows_does_not_stand() {
        let overlay = Overlay::default();
        overlay.insert(decision("pay_1", 1, "stripe:a"), Time::ZERO);
        let mut other = Arc::unwrap_or_clone(decision("pay_1", 1, "adyen:b"));
        other.request.eligible.remove(0);
        let stands = overlay.insert(Arc::new(other), Time::ZERO);
        assert_eq!(stands.chosen().account.as_str(), "adyen:b");
        assert_eq!((overlay.in_flight(&ConnectorAccount::parse("stripe:a").unwrap()), overlay.len()), (0, 1));
    }

    #[test]
    fn a_retry_takes_the_place_of_the_attempt_before_it() {
        let overlay = Overlay::default();
        let first = overlay.insert(decision("pay_1", 1, "stripe:a"), Time::ZERO);
        let retry = overlay.insert(decision("pay_1", 2, "adyen:b"), Time::ZERO);
        assert_eq!(retry.request.attempt, 2);
        assert_eq!(overlay.in_flight(&ConnectorAccount::parse("stripe:a").unwrap()), 0);
        let mut late = Arc::unwrap_or_clone(decision("pay_1", 1, "stripe:a"));
        late.request.eligible.truncate(1);
        assert!(Arc::ptr_eq(&overlay.insert(Arc::new(late), Time::ZERO), &retry), "an attempt before it changes nothing");
        overlay.settle(&first);
        assert_eq!(overlay.len(), 1, "the view covers attempt 1 only");
        overlay.settle(&retry);
        assert_eq!(overlay.in_flight(&ConnectorAccount::parse("adyen:b").unwrap()), 0);
    }

    #[test]
    fn what_was_lost_on_its_way_is_forgotten() {
        let overlay = Overlay::default();
        overlay.insert(decision("pay_1", 1, "stripe:a"), Time::ZERO);
        overlay.insert(decision("pay_2", 1, "stripe:a"), Time::from_secs(50));
        assert_eq!(overlay.sweep(Time::from_secs(59)), 0);
        assert_eq!(overlay.sweep(Time::from_secs(60)), 1);
        assert_eq!(overlay.in_flight(&ConnectorAccount::parse("stripe:a").unwrap()), 1);
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
                        overlay.settle(&overlay.insert(made, Time::ZERO));
                    }
                });
            }
        });
        let counts = overlay.counts.load();
        assert_eq!(counts.len(), 7);
        assert!(overlay.is_empty() && counts.values().all(|count| count.load(Relaxed) == 0));
    }
}
