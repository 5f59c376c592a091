//! What is remembered of payments: enough to count every outcome once, whatever the source, order and repetition.
//!
//! A payment is *open* while its decision may be asked for again or an attempt is in flight; then only the statuses of
//! its attempts stay, in a few bytes, until the deduplication horizon. Both are bounded in time and in number.

mod attempt;
mod closed;
mod hidden;
mod payment;
mod remembered;
mod run;

use std::borrow::Cow;
use std::sync::Arc;

use imbl::{OrdMap, Vector};
use serde::{Deserialize, Serialize};

pub(crate) use attempt::{Attempt, Merge, Silent};
pub use hidden::Hidden;
pub use payment::KnownEnd;
pub(crate) use payment::{Coverage, Payment};

use crate::domain::{EventId, PaymentId, ProfileId, Time};
use closed::Closed;
use hidden::Waiting;
use remembered::Remembered;

/// Most payments kept open: at 1.7 KB each (a decision over ten connectors; 2.4 KB where the names of accounts are longer than
/// 24 bytes) 85 to 120 MB, and as much again for each earlier attempt that all of them would have, three at most; a quarter of
/// an hour at 50 a second, three seconds at 15,000. One that goes early is decided anew when it is asked for again.
const MAX_OPEN: usize = 50_000;
/// Payments closed per entry folded: more than can arrive with one, so the backlog always shrinks.
const CLOSED_PER_ENTRY: usize = 4;

/// A payment's identity: 128 bits of BLAKE3 over profile and payment id. With 10⁷ payments remembered the probability
/// that two share a key is below 10⁻²⁴.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(u128);

impl Key {
    /// A number that keys are spread evenly by, from 0 to below `parts`.
    pub(crate) fn part(self, parts: usize) -> usize {
        usize::try_from(self.0 % parts as u128).unwrap_or(0)
    }

    /// The key of a payment.
    #[must_use]
    pub fn of(profile: &ProfileId, payment: &PaymentId) -> Self {
        Self::digest(profile, payment.as_str(), b'p')
    }

    /// The key of a sender's event id.
    fn of_event(profile: &ProfileId, event: &EventId) -> Self {
        Self::digest(profile, event.as_str(), b'e')
    }

    fn digest(profile: &ProfileId, id: &str, kind: u8) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(profile.as_str().as_bytes()).update(&[0, kind]).update(id.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(u128::from_le_bytes(bytes))
    }
}

/// All payments remembered, and the event ids seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Payments {
    /// Shared one by one: who holds a view makes the neighbours of a payment that is touched no dearer than a count each.
    open: OrdMap<Key, Arc<Payment>>,
    /// The open ones, by when they were opened.
    by_age: Vector<(Time, Key)>,
    closed: Remembered,
    events: Remembered,
    /// Those with attempts that the switch hides, where it is asked for them.
    pub(super) hidden: Waiting,
}

/// Bounds on what is remembered.
pub(crate) struct Horizon {
    /// Opened before this: no longer open.
    pub(crate) open_before: Time,
    /// Closed payments that were opened last before this, and event ids seen before it, may be forgotten.
    pub(crate) closed_before: Time,
    /// Most payments, and most event ids.
    pub(crate) max: usize,
}

impl Payments {
    /// The payment, if it is open.
    pub(crate) fn open_mut(&mut self, key: Key) -> Option<&mut Payment> {
        self.open.get_mut(&key).map(Arc::make_mut)
    }

    /// Whether the attempt of a payment at this place is still without an answer.
    pub(crate) fn waits(&self, key: Key, place: u16) -> bool {
        self.open.get(&key).is_some_and(|payment| payment.waits(place))
    }

    /// The payment, if it is remembered.
    pub(crate) fn get(&self, key: Key) -> Option<Cow<'_, Payment>> {
        let open = self.open.get(&key).map(|payment| Cow::Borrowed(&**payment));
        open.or_else(|| self.closed.get(key).map(|closed| Cow::Owned(closed.payment())))
    }

    /// How many payments are remembered, and how many of them are open. One that was opened again counts each time.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.open.len() + self.closed.len(), self.open.len())
    }

    /// Changes the payment, which is open from now on. Returns what `change` does, and whether the payment is new.
    pub(crate) fn change<T>(&mut self, key: Key, at: Time, change: impl FnOnce(&mut Payment) -> T) -> (T, bool) {
        if let Some(payment) = self.open.get_mut(&key) {
            return (change(Arc::make_mut(payment)), false);
        }
        let closed = self.closed.get(key);
        let new = closed.is_none();
        let mut payment = closed.map(|closed| closed.payment()).unwrap_or_default();
        let changed = change(&mut payment);
        self.by_age.push_back((at, key));
        self.open.insert(key, Arc::new(payment));
        (changed, new)
    }

    /// Whether an event id has been seen.
    pub(crate) fn saw_event(&self, profile: &ProfileId, event: &EventId) -> bool {
        self.events.get(Key::of_event(profile, event)).is_some()
    }

    /// Remembers an event id; `false` when it was known.
    pub(crate) fn remember_event(&mut self, profile: &ProfileId, event: &EventId, at: Time) -> bool {
        let key = Key::of_event(profile, event);
        let new = self.events.get(key).is_none();
        if new {
            self.events.put(key, Closed::NOTHING, at);
        }
        new
    }

    /// Closes and forgets what is past its horizon, a little at a time. Hands every attempt that was still in flight to
    /// `released`.
    pub(crate) fn forget(&mut self, at: Time, horizon: &Horizon, mut released: impl FnMut(&Attempt)) {
        for _ in 0..CLOSED_PER_ENTRY {
            let Some(&(opened, key)) = self.by_age.front() else { break };
            if opened >= horizon.open_before && self.open.len() <= MAX_OPEN {
                break;
            }
            self.by_age.pop_front();
            if let Some(mut payment) = self.open.remove(&key).map(Arc::unwrap_or_clone) {
                payment.close(&mut released);
                self.closed.put(key, Closed::of(&payment), opened);
            }
        }
        let spare = horizon.max.saturating_sub(self.open.len());
        self.closed.forget(at, horizon.closed_before, spare);
        self.events.forget(at, horizon.closed_before, horizon.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u128) -> Key {
        // Spread as hashes are.
        Key(number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
    }

    /// The horizon lasts what it promises, whole runs at a time, and the number never exceeds its bound by more than what
    /// one entry adds.
    #[test]
    fn what_is_closed_is_remembered_to_its_horizon_and_within_its_number() {
        let check = |max: usize, horizon_s: i64, count: i64| {
            let mut payments = Payments::default();
            for second in 0..count {
                let now = Time::from_secs(100_000 + second);
                let back = |seconds| Time::from_secs(now.secs() - seconds);
                let ((), new) = payments.change(key(second.unsigned_abs().into()), now, |_| ());
                assert!(new, "second {second}");
                payments.forget(now, &Horizon { open_before: back(10), closed_before: back(horizon_s), max }, |_| {});
                assert!(payments.len().0 <= max + CLOSED_PER_ENTRY, "{} of {max}", payments.len().0);
                let sure = horizon_s.min(i64::try_from(max - max / 8).unwrap() - 1);
                for ago in [0, 9, 10, 11, sure / 2, sure].into_iter().filter(|ago| *ago <= second.min(sure)) {
                    let known = payments.get(key((second - ago).unsigned_abs().into()));
                    assert!(known.is_some(), "{ago} s ago at {second}, horizon {horizon_s}, at most {max}");
                }
            }
            let long_gone = payments.get(key(0));
            assert!(long_gone.is_none(), "horizon {horizon_s}, at most {max}");
        };
        check(100_000, 600, 2_000);
        check(1_000, 1_000_000, 4_000);
    }

    #[test]
    fn a_payment_opened_again_goes_on_where_it_was() {
        let (mut payments, start) = (Payments::default(), Time::from_secs(1_000));
        payments.change(key(1), start, |payment| payment.attempts_made = 3);
        let later = start + core::time::Duration::from_mins(1);
        let horizon = |at: Time| Horizon { open_before: at, closed_before: Time::ZERO, max: 1_000 };
        payments.forget(later, &horizon(later), |_| {});
        assert_eq!(payments.len(), (1, 0));
        let (before, new) = payments.change(key(1), later, |payment| core::mem::replace(&mut payment.attempts_made, 4));
        assert_eq!((before, new), (3, false));
        let bytes = postcard::to_allocvec(&payments).unwrap();
        let mut payments: Payments = postcard::from_bytes(&bytes).unwrap();
        payments.forget(later, &horizon(later + core::time::Duration::from_secs(1)), |_| {});
        assert_eq!(payments.get(key(1)).map(|payment| payment.attempts_made), Some(4), "the newest counts");
    }
}
