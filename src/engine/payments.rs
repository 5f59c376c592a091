//! What is remembered of payments: enough to count every outcome once, whatever the source, order and repetition.
//!
//! A payment is *open* while its decision may be asked for again or an attempt is in flight; then only the statuses of
//! its attempts stay, until the deduplication horizon. Both are bounded in time and in number.

use core::time::Duration;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::domain::{
    ConnectorAccount, Context, Decision, DeclineClass, EventId, EventKind, Money, PaymentEvent, PaymentId, ProfileId, Time,
};

/// Most payments kept open: at about 2 KB each (a decision over ten connectors) 100 MB; a quarter of an hour at 50 a
/// second, three seconds at 15,000. One that goes early is decided anew when it is asked for again.
const MAX_OPEN: usize = 50_000;
/// Most attempts remembered of one payment: more than any switch makes; a sender gone wrong must not fill the memory.
const MAX_ATTEMPTS: usize = 64;
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
    /// Its number, where known.
    pub(crate) number: Option<u16>,
    /// Whether the switch told that number; else it is ours, given with the decision, and may turn out to be another.
    told: bool,
    /// Whether any event told of it; else it was only decided.
    heard: bool,
    /// Its connector account's number, where a source told it.
    pub(crate) account: Option<u32>,
    /// Where it stands.
    pub(crate) status: Status,
    /// It failed because the issuer wants the customer authenticated, as one source or another told.
    sca_required: bool,
}

/// One payment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Payment {
    /// The latest decision, while the payment is open.
    pub(crate) decision: Option<Arc<Decision>>,
    /// Index of that decision's attempt.
    decided: u16,
    /// Whether it waits among the open ones.
    open: bool,
    /// Its attempts.
    pub(crate) attempts: SmallVec<[Attempt; 1]>,
    /// What is known of it, from every source, while it is open.
    pub(crate) context: Context,
    /// Its amount, while it is open.
    pub(crate) amount: Option<Money>,
    /// Attempts that the switch says it made.
    attempts_made: u16,
    /// When that decision was folded.
    decided_at: Time,
    /// What its lack of an answer was taken for.
    silence: Silent,
    /// How many of those no event told of, when that was asked last.
    unseen: u16,
}

/// What the lack of an answer was taken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Silent {
    /// It was answered in time, or it is not yet time.
    #[default]
    No,
    /// It was noticed.
    Noticed,
    /// The attempt was presumed to have failed, and taught so.
    Presumed,
}

/// What an event meant for the attempt it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// A new attempt, in flight.
    Started,
    /// About a payment's later life (refund, dispute), and its attempt is not remembered: counts for nothing here.
    Afterwards,
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
    /// Closed payments that were opened before this, and event ids seen before it: forgotten. A payment's horizon counts
    /// from its opening: an outcome that comes late in it is remembered for what is left.
    pub(crate) closed_before: Time,
    /// Most payments, and most event ids.
    pub(crate) max: usize,
}

impl Payments {
    /// The payment, if it is remembered.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Payment> {
        self.by_key.get_mut(&key)
    }

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
        let payment = self.by_key.entry(key).or_default();
        if !core::mem::replace(&mut payment.open, true) {
            self.open.push_back((at, key));
        }
        (payment, new)
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
            if self.by_key.get(&key).is_some_and(|payment| !payment.open) {
                self.by_key.remove(&key);
            }
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
    /// The decision that a repeated request without a number is answered with: the latest, unless its attempt has failed,
    /// for then the request is for a new attempt.
    pub(crate) fn to_repeat(&self) -> Option<&Arc<Decision>> {
        let decision = self.decision.as_ref()?;
        let failed = self.attempts.get(usize::from(self.decided)).is_some_and(|attempt| attempt.status == Status::Failed);
        (!failed).then_some(decision)
    }

    /// The account where this attempt must be authenticated: that of the attempt before, if its issuer asked for it.
    pub(crate) fn step_up(&self, attempt: u16) -> Option<u32> {
        let before = self.attempts.iter().filter(|one| one.number.is_none_or(|number| number < attempt));
        let last = before.max_by_key(|one| one.number)?;
        last.account.filter(|_| last.status == Status::Failed && last.sca_required)
    }

    /// The number the next attempt will have.
    pub(crate) fn next_attempt(&self) -> u16 {
        let counted = u16::try_from(self.attempts.len()).unwrap_or(u16::MAX);
        let highest = self.attempts.iter().filter_map(|attempt| attempt.number).max().unwrap_or(0);
        counted.max(self.attempts_made).max(highest).saturating_add(1)
    }

    /// The probability of success that the decision showed, if it chose this account.
    pub(crate) fn shown(&self, account: Option<&ConnectorAccount>) -> Option<f64> {
        let chosen = self.decision.as_ref()?.chosen();
        account.is_none_or(|account| *account == chosen.account).then_some(chosen.expected)
    }

    /// Records a decision: its attempt is in flight from now on. `false` when it repeats one already recorded.
    pub(crate) fn decided(&mut self, decision: &Arc<Decision>, account: Option<u32>, at: Time) -> bool {
        self.context = decision.request.context.or(self.context);
        self.amount = Some(decision.request.amount);
        self.decision = Some(Arc::clone(decision));
        let number = Some(decision.request.attempt);
        let known = self.attempts.iter().position(|attempt| attempt.number == number);
        let fresh = known.is_none() && self.attempts.len() < MAX_ATTEMPTS;
        if fresh {
            self.attempts.push(Attempt {
                number,
                told: false,
                heard: false,
                account,
                status: Status::Pending,
                sca_required: false,
            });
        }
        let index = known.unwrap_or(self.attempts.len().saturating_sub(1));
        self.decided = u16::try_from(index).unwrap_or(0);
        if fresh {
            (self.decided_at, self.silence) = (at, Silent::No);
        }
        fresh
    }

    /// Whether the attempt last decided is still without an answer.
    pub(crate) fn waits(&self) -> bool {
        let decided = self.attempts.get(usize::from(self.decided));
        self.open && self.decision.is_some() && decided.is_some_and(|attempt| attempt.status == Status::Pending)
    }

    /// Notes what the lack of an answer was taken for.
    pub(crate) fn fell_silent(&mut self, presumed: bool) {
        self.silence = if presumed { Silent::Presumed } else { Silent::Noticed };
    }

    /// An answer has come: how long after the decision, if there was one, and what its lack was taken for.
    pub(crate) fn answered(&mut self, at: Time) -> (Option<Duration>, Silent) {
        let delay = self.decision.as_ref().map(|_| at.since(self.decided_at));
        (delay, core::mem::take(&mut self.silence))
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
        let class = event.decline.as_ref().map(|decline| decline.class);
        let sca_required = target == Status::Failed && class == Some(DeclineClass::ScaRequired);
        let Some(attempt) = self.find(event.attempt, account) else {
            if matches!(event.kind, EventKind::Refunded | EventKind::Disputed) {
                return Merge::Afterwards;
            }
            if self.attempts.len() >= MAX_ATTEMPTS {
                return Merge::Repeat;
            }
            self.attempts.push(Attempt {
                number: event.attempt,
                told: event.attempt.is_some(),
                heard: true,
                account,
                status: target,
                sca_required,
            });
            return first_sight(target);
        };
        attempt.heard = true;
        // Feedback may have been first, which tells no code: what the issuer wants counts whenever it is told.
        attempt.sca_required |= sca_required;
        attempt.told |= event.attempt.is_some();
        attempt.number = event.attempt.or(attempt.number);
        attempt.account = attempt.account.or(account);
        advance(attempt, target, event.kind)
    }

    /// Attempts the switch made that no event told of: how many more (or, negative, fewer) than when this was asked last.
    pub(crate) fn newly_unseen(&mut self, event: &PaymentEvent) -> i64 {
        self.attempts_made = self.attempts_made.max(event.attempts_made.unwrap_or(0));
        let heard = u16::try_from(self.attempts.iter().filter(|attempt| attempt.heard).count()).unwrap_or(u16::MAX);
        let unseen = self.attempts_made.saturating_sub(heard);
        let before = core::mem::replace(&mut self.unseen, unseen);
        i64::from(unseen) - i64::from(before)
    }

    /// The attempt meant: the one with this number; else the latest on this account whose number nobody told yet, or
    /// any on it when none is asked for. So the feedback call (no number) and the webhook (the switch's number, which
    /// need not be ours) of one attempt are one outcome.
    fn find(&mut self, number: Option<u16>, account: Option<u32>) -> Option<&mut Attempt> {
        let same = |known: Option<u32>, told: Option<u32>| known.is_none() || told.is_none() || known == told;
        if let Some(number) = number
            && let Some(index) = self.attempts.iter().position(|a| a.number == Some(number) && same(a.account, account))
        {
            return self.attempts.get_mut(index);
        }
        self.attempts.iter_mut().rev().find(|a| same(a.account, account) && (number.is_none() || !a.told))
    }

    /// No longer open: drops all but the statuses; an attempt still in flight becomes unknown.
    fn close(&mut self, released: &mut impl FnMut(&Attempt)) {
        self.open = false;
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
        check(&[(Captured, None), (Captured, Some(2))], 1, 0);
        check(&[(Captured, Some(2)), (Captured, None)], 1, 0);
        check(&[(EventKind::Refunded, None)], 0, 0);
        check(&[(Captured, Some(1)), (EventKind::Refunded, None), (EventKind::Disputed, None)], 1, 0);
    }
}
