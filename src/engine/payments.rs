//! What is remembered of payments: enough to count every outcome once, whatever the source, order and repetition.
//!
//! A payment is *open* while its decision may be asked for again or an attempt is in flight; then only the statuses of
//! its attempts stay, until the deduplication horizon. Both are bounded in time and in number.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::domain::{Context, Decision, EventId, EventKind, Money, PaymentEvent, PaymentId, ProfileId, Time};

/// Most payments kept open. At about 2 KB each (a decision over ten connectors) 200 MB; half an hour at 50 a second.
const MAX_OPEN: usize = 100_000;
/// Expired payments forgotten per entry folded: more than can arrive with one, so the backlog always shrinks.
const FORGOTTEN_PER_ENTRY: usize = 4;

/// A payment's identity: 128 bits of BLAKE3 over profile and payment id. With 10⁷ payments remembered the probability
/// that two share a key is below 10⁻²⁴.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key(u128);

impl Key {
    /// The key of a payment.
    pub(crate) fn of(profile: &ProfileId, payment: &PaymentId) -> Self {
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

/// Where an attempt stands: a lattice, pending below every terminal status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// In flight.
    Pending,
    /// In flight for so long that it is no longer waited for; a late outcome still counts.
    Unknown,
    /// Approved.
    Approved,
    /// Declined or failed.
    Failed,
    /// Over without an answer.
    Abandoned,
}

/// One attempt of a payment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Its number, where a source told it.
    pub(crate) number: Option<u16>,
    /// Its connector account's number, where a source told it.
    pub(crate) account: Option<u32>,
    /// Where it stands.
    pub(crate) status: Status,
}

/// One payment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Payment {
    /// The latest decision, while the payment is open.
    pub(crate) decision: Option<Arc<Decision>>,
    /// Its attempts.
    pub(crate) attempts: SmallVec<[Attempt; 1]>,
    /// What is known of it, from every source, while it is open.
    pub(crate) context: Context,
    /// Its amount, while it is open.
    pub(crate) amount: Option<Money>,
    /// Attempts that the switch says it made.
    pub(crate) attempts_made: u16,
}

/// What an event meant for the attempt it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// A new attempt, in flight.
    Started,
    /// A first outcome: counts. `in_flight`: the attempt was pending before.
    Outcome { approved: bool, in_flight: bool },
    /// Over without an answer. `in_flight` as above.
    Abandoned { in_flight: bool },
    /// Said nothing new.
    Repeat,
    /// Contradicts the outcome counted first, which stands.
    Contradiction,
}

/// All payments remembered, and the event ids seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Payments {
    by_key: OrdMap<Key, Payment>,
    open: Vector<(Time, Key)>,
    closed: Vector<(Time, Key)>,
    events: OrdSet<Key>,
    events_by_age: Vector<(Time, Key)>,
}

/// Bounds on what is remembered.
pub(crate) struct Horizon {
    /// Opened before this: no longer open.
    pub(crate) open_before: Time,
    /// Closed before this: forgotten.
    pub(crate) closed_before: Time,
    /// Most payments, and most event ids.
    pub(crate) max: usize,
}

impl Payments {
    /// The payment, if it is remembered.
    pub(crate) fn get(&self, key: Key) -> Option<&Payment> {
        self.by_key.get(&key)
    }

    /// How many payments are remembered, and how many of them are open.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.by_key.len(), self.open.len())
    }

    /// The payment, remembered from now on; the flag says whether it is new.
    pub(crate) fn entry(&mut self, key: Key, at: Time) -> (&mut Payment, bool) {
        let new = !self.by_key.contains_key(&key);
        if new {
            self.open.push_back((at, key));
        }
        (self.by_key.entry(key).or_default(), new)
    }

    /// Whether an event id has been seen.
    pub(crate) fn saw_event(&self, profile: &ProfileId, event: &EventId) -> bool {
        self.events.contains(&Key::of_event(profile, event))
    }

    /// Remembers an event id; `false` when it was known.
    pub(crate) fn remember_event(&mut self, profile: &ProfileId, event: &EventId, at: Time) -> bool {
        let key = Key::of_event(profile, event);
        let new = self.events.insert(key).is_none();
        if new {
            self.events_by_age.push_back((at, key));
        }
        new
    }

    /// Forgets what is past its horizon, a little at a time. Hands every attempt that was still in flight to `released`.
    pub(crate) fn forget(&mut self, horizon: &Horizon, mut released: impl FnMut(&Attempt)) {
        for _ in 0..FORGOTTEN_PER_ENTRY {
            let Some(&(at, key)) = self.open.front() else { break };
            if at >= horizon.open_before && self.open.len() <= MAX_OPEN {
                break;
            }
            self.open.pop_front();
            self.closed.push_back((at, key));
            if let Some(payment) = self.by_key.get_mut(&key) {
                payment.close(&mut released);
            }
        }
        for _ in 0..FORGOTTEN_PER_ENTRY {
            let Some(&(at, key)) = self.closed.front() else { break };
            if at >= horizon.closed_before && self.by_key.len() <= horizon.max {
                break;
            }
            self.closed.pop_front();
            self.by_key.remove(&key);
        }
        for _ in 0..FORGOTTEN_PER_ENTRY {
            let Some(&(at, key)) = self.events_by_age.front() else { break };
            if at >= horizon.closed_before && self.events.len() <= horizon.max {
                break;
            }
            self.events_by_age.pop_front();
            self.events.remove(&key);
        }
    }
}

impl Payment {
    /// The decision that a repeated request is answered with: the latest, unless its attempt has failed, for then the
    /// request is for a new attempt.
    pub(crate) fn to_repeat(&self) -> Option<&Arc<Decision>> {
        let decision = self.decision.as_ref()?;
        let failed = |attempt: &Attempt| {
            attempt.status == Status::Failed && attempt.number.is_none_or(|n| n == decision.request.attempt)
        };
        (!self.attempts.iter().any(failed)).then_some(decision)
    }

    /// The number the next attempt will have.
    pub(crate) fn next_attempt(&self) -> u16 {
        let counted = u16::try_from(self.attempts.len()).unwrap_or(u16::MAX);
        counted.max(self.attempts_made).saturating_add(1)
    }

    /// Records a decision: its attempt is in flight from now on. `false` when it repeats one already recorded.
    pub(crate) fn decided(&mut self, decision: &Arc<Decision>, account: Option<u32>) -> bool {
        self.context = decision.request.context.or(self.context);
        self.amount = Some(decision.request.amount);
        self.decision = Some(Arc::clone(decision));
        let number = Some(decision.request.attempt);
        if self.find(number, account).is_some() {
            return false;
        }
        self.attempts.push(Attempt { number, account, status: Status::Pending });
        true
    }

    /// Merges an event about an attempt. The first terminal status wins, in any order of arrival.
    pub(crate) fn merge(&mut self, event: &PaymentEvent, account: Option<u32>) -> Merge {
        self.context = event.context.or(self.context);
        self.amount = event.amount.or(self.amount);
        let target = match (event.kind.success(), event.kind.abandoned()) {
            (Some(true), _) => Status::Approved,
            (Some(false), _) => Status::Failed,
            (None, true) => Status::Abandoned,
            (None, false) => Status::Pending,
        };
        let Some(attempt) = self.find(event.attempt, account) else {
            self.attempts.push(Attempt { number: event.attempt, account, status: target });
            return first_sight(target);
        };
        attempt.number = attempt.number.or(event.attempt);
        attempt.account = attempt.account.or(account);
        advance(attempt, target, event.kind)
    }

    /// The attempt meant: the one with this number; else the latest on this account; a number or account unknown on
    /// one side matches. So the feedback call (no number) and the webhook (number) of one attempt are one outcome.
    fn find(&mut self, number: Option<u16>, account: Option<u32>) -> Option<&mut Attempt> {
        let same = |known: Option<u32>, told: Option<u32>| known.is_none() || told.is_none() || known == told;
        if let Some(number) = number
            && let Some(index) = self.attempts.iter().position(|a| a.number == Some(number) && same(a.account, account))
        {
            return self.attempts.get_mut(index);
        }
        self.attempts
            .iter_mut()
            .rev()
            .find(|a| same(a.account, account) && (a.number.is_none() || number.is_none() || a.number == number))
    }

    /// No longer open: drops all but the statuses; an attempt still in flight becomes unknown.
    fn close(&mut self, released: &mut impl FnMut(&Attempt)) {
        self.decision = None;
        self.context = Context::default();
        self.amount = None;
        self.attempts.shrink_to_fit();
        for attempt in &mut self.attempts {
            if attempt.status == Status::Pending {
                released(attempt);
                attempt.status = Status::Unknown;
            }
        }
    }
}

fn first_sight(target: Status) -> Merge {
    match target {
        Status::Approved => Merge::Outcome { approved: true, in_flight: false },
        Status::Failed => Merge::Outcome { approved: false, in_flight: false },
        Status::Abandoned => Merge::Abandoned { in_flight: false },
        Status::Pending | Status::Unknown => Merge::Started,
    }
}

fn advance(attempt: &mut Attempt, target: Status, kind: EventKind) -> Merge {
    let in_flight = attempt.status == Status::Pending;
    match (attempt.status, target) {
        (Status::Pending | Status::Unknown, Status::Approved | Status::Failed) => {
            attempt.status = target;
            Merge::Outcome { approved: target == Status::Approved, in_flight }
        }
        (Status::Pending | Status::Unknown, Status::Abandoned) => {
            attempt.status = target;
            Merge::Abandoned { in_flight }
        }
        // An authorisation that is voided or a capture after an authorisation says nothing new about the attempt.
        (Status::Approved, Status::Approved) | (_, Status::Pending | Status::Unknown) => Merge::Repeat,
        (Status::Approved, Status::Abandoned) if kind.abandoned() => Merge::Repeat,
        (known, told) if known == told => Merge::Repeat,
        _ => Merge::Contradiction,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ConnectorAccount, Source};

    fn event(kind: EventKind, attempt: Option<u16>) -> PaymentEvent {
        PaymentEvent {
            source: Source::Webhook,
            event_id: None,
            profile: ProfileId::parse("pro_1").unwrap(),
            payment: PaymentId::parse("pay_1").unwrap(),
            attempt,
            account: Some(ConnectorAccount::parse("stripe:mca_1").unwrap()),
            kind,
            decline: None,
            amount: None,
            context: Context::default(),
            latency_ms: None,
            attempts_made: None,
            occurred_at: Time::ZERO,
        }
    }

    /// Every order of arrival ends in one outcome.
    #[test]
    fn an_outcome_counts_once_in_any_order_and_from_any_source() {
        use EventKind::{Authorised, Captured, Failed, Processing, Started};
        let check = |told: &[(EventKind, Option<u16>)], outcomes: usize, contradictions: usize| {
            let mut payment = Payment::default();
            let merges: Vec<Merge> = told.iter().map(|(kind, number)| payment.merge(&event(*kind, *number), Some(0))).collect();
            let counted = merges.iter().filter(|m| matches!(m, Merge::Outcome { .. })).count();
            let contradicted = merges.iter().filter(|m| **m == Merge::Contradiction).count();
            assert_eq!((counted, contradicted), (outcomes, contradictions), "{told:?} -> {merges:?}");
        };
        check(&[(Started, Some(1)), (Authorised, Some(1)), (Captured, Some(1))], 1, 0);
        check(&[(Captured, Some(1)), (Started, Some(1)), (Processing, Some(1))], 1, 0);
        check(&[(Failed, None), (Failed, Some(1)), (Failed, None)], 1, 0);
        check(&[(Failed, Some(1)), (Captured, Some(1))], 1, 1);
        check(&[(Failed, Some(1)), (Captured, Some(2))], 2, 0);
    }
}
