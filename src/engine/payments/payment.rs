//! One payment: its attempts, and what an event means for them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::attempt::{Asked, Attempt, Merge, Silent, Status};
use crate::domain::{Context, Decision, EventKind, Money, PaymentEvent, Time};

/// Most attempts remembered of one payment: more than any switch makes; a sender gone wrong must not fill the memory.
const MAX_ATTEMPTS: usize = 64;
/// Most decisions kept of one open payment beside the latest; the oldest goes first. A caller's late repeat is about an
/// attempt or two before.
const MAX_EARLIER: usize = 3;

/// What an outcome says of an attempt whose end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownEnd {
    /// The same: it changes nothing.
    Repeated,
    /// Another one: the first stands.
    Contradicts,
}

/// One payment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payment {
    /// The latest decision, while the payment is open.
    pub(crate) decision: Option<Arc<Decision>>,
    /// Those of the attempts before it, the oldest first, while the payment is open.
    pub(super) earlier: SmallVec<[Arc<Decision>; 1]>,
    /// Index of that decision's attempt.
    pub(super) decided: u16,
    /// Its attempts.
    pub(crate) attempts: SmallVec<[Attempt; 1]>,
    /// What is known of it, from every source, while it is open.
    pub(crate) context: Context,
    /// Its amount, while it is open.
    pub(crate) amount: Option<Money>,
    /// Attempts that the switch says it made.
    pub(super) attempts_made: u16,
    /// How many of those were unseen when that was asked last.
    pub(super) unseen: u16,
}

/// How many of a payment's attempts are known, and what an event changed of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Attempts that the switch says it made.
    pub(crate) made: u16,
    /// Those of them whose end no event told.
    pub(crate) unseen: u16,
    /// How many more are seen than before it or, negative, fewer.
    pub(crate) newly_seen: i64,
    /// The same of those unseen.
    pub(crate) newly_unseen: i64,
}

impl Payment {
    /// The decision that a repeated request without a number is answered with: the latest, unless its attempt has failed,
    /// for then the request is for a new attempt.
    pub(crate) fn to_repeat(&self) -> Option<&Arc<Decision>> {
        let decision = self.decision.as_ref()?;
        let failed = self.attempts.get(usize::from(self.decided)).is_some_and(|attempt| attempt.status.failed());
        (!failed).then_some(decision)
    }

    /// The decision of one attempt, while it is kept.
    pub(crate) fn decision_of(&self, attempt: u16) -> Option<&Arc<Decision>> {
        self.decision.iter().chain(&self.earlier).find(|decision| decision.request.attempt == attempt)
    }

    /// The account where this attempt must be authenticated: that of the attempt before, if its issuer asked for it.
    pub(crate) fn step_up(&self, attempt: u16) -> Option<u32> {
        let before = self.attempts.iter().filter(|one| one.number.is_none_or(|number| number < attempt));
        let last = before.max_by_key(|one| one.number)?;
        last.account.filter(|_| last.status == Status::ScaRequired)
    }

    /// The number the next attempt will have.
    pub(crate) fn next_attempt(&self) -> u16 {
        let counted = u16::try_from(self.attempts.len()).unwrap_or(u16::MAX);
        let highest = self.attempts.iter().filter_map(|attempt| attempt.number).max().unwrap_or(0);
        counted.max(self.attempts_made).max(highest).saturating_add(1)
    }

    /// Whether an attempt on another account has failed.
    pub(crate) fn failed_elsewhere(&self, account: Option<u32>) -> bool {
        let elsewhere = |attempt: &Attempt| account.is_some() && attempt.account.is_some() && attempt.account != account;
        self.attempts.iter().any(|attempt| attempt.status.failed() && elsewhere(attempt))
    }

    /// Records a decision, `at` when it was made, where that counts: its attempt is in flight from now on. Returns that
    /// attempt's place; none where the decision repeats one already recorded.
    pub(crate) fn decided(&mut self, decision: &Arc<Decision>, account: Option<u32>, at: Option<Time>) -> Option<u16> {
        self.context = decision.request.context.or(self.context);
        self.amount = Some(decision.request.amount);
        self.keep(decision);
        let number = decision.request.attempt;
        let known = self.attempts.iter().position(|attempt| attempt.number == Some(number));
        let fresh = known.is_none() && self.attempts.len() < MAX_ATTEMPTS;
        if fresh {
            self.attempts.push(Attempt::decided(Asked { number, at }, account));
        } else if let Some(attempt) = known.and_then(|place| self.attempts.get_mut(place)) {
            attempt.decided_late(number, account);
        }
        let place = known.unwrap_or(self.attempts.len().saturating_sub(1));
        self.decided = u16::try_from(place).unwrap_or(0);
        fresh.then_some(self.decided)
    }

    /// Makes a decision the latest; that of another attempt before it is kept beside it.
    fn keep(&mut self, decision: &Arc<Decision>) {
        let attempt = decision.request.attempt;
        self.earlier.retain(|earlier| earlier.request.attempt != attempt);
        let before = self.decision.replace(Arc::clone(decision));
        if let Some(before) = before.filter(|before| before.request.attempt != attempt) {
            if self.earlier.len() >= MAX_EARLIER {
                self.earlier.remove(0);
            }
            self.earlier.push(before);
        }
    }

    /// Whether the attempt at this place is still without an answer.
    pub(crate) fn waits(&self, place: u16) -> bool {
        self.attempts.get(usize::from(place)).is_some_and(|attempt| attempt.status == Status::Pending)
    }

    /// Notes what the lack of an answer of the attempt at this place was taken for.
    pub(crate) fn fell_silent(&mut self, place: u16, presumed: bool) {
        if let Some(attempt) = self.attempts.get_mut(usize::from(place)) {
            attempt.silence = if presumed { Silent::Presumed } else { Silent::Noticed };
        }
    }

    /// Merges an event about an attempt; returns what it meant, and the place of the attempt, where one is remembered. The
    /// first terminal status wins, in any order of arrival.
    pub(crate) fn merge(&mut self, event: &PaymentEvent, account: Option<u32>) -> (Merge, Option<usize>) {
        self.context = event.context.or(self.context);
        self.amount = event.amount.or(self.amount);
        if let Some(place) = self.find(event.attempt, account)
            && let Some(attempt) = self.attempts.get_mut(place)
        {
            return (attempt.told_again(event, account), Some(place));
        }
        if matches!(event.kind, EventKind::Refunded | EventKind::Disputed) {
            return (Merge::Afterwards, None);
        }
        if self.attempts.len() >= MAX_ATTEMPTS {
            return (Merge::Repeat, None);
        }
        let (attempt, merge) = Attempt::first_told(event, account);
        self.attempts.push(attempt);
        (merge, Some(self.attempts.len() - 1))
    }

    /// What an outcome says of its attempt's end where that is known; it is merged into a copy.
    pub(crate) fn known_end(&self, event: &PaymentEvent, account: Option<u32>) -> Option<KnownEnd> {
        let attempt = self.find(event.attempt, account).and_then(|place| self.attempts.get(place));
        let over = attempt.is_some_and(|attempt| attempt.status.is_over());
        match self.clone().merge(event, account).0 {
            Merge::Repeat if over && Status::told(event).is_over() => Some(KnownEnd::Repeated),
            Merge::Contradiction => Some(KnownEnd::Contradicts),
            _ => None,
        }
    }

    /// Attempts that events told of to their end, and the latest as far as it has come: one that a later attempt has
    /// overtaken is over, and how it ended was not told.
    pub(crate) fn seen(&self) -> u16 {
        let latest = self.attempts.iter().filter(|attempt| attempt.heard).filter_map(|attempt| attempt.number).max();
        let overtaken = |attempt: &Attempt| !attempt.status.is_over() && attempt.number.is_some() && attempt.number < latest;
        let seen = self.attempts.iter().filter(|attempt| attempt.heard && !overtaken(attempt)).count();
        u16::try_from(seen).unwrap_or(u16::MAX)
    }

    /// How many of its attempts are known, after an event was merged; `before` it, so many had been seen.
    pub(crate) fn cover(&mut self, event: &PaymentEvent, before: u16) -> Coverage {
        self.attempts_made = self.attempts_made.max(event.attempts_made.unwrap_or(0));
        let seen = self.seen();
        let unseen = self.attempts_made.saturating_sub(seen);
        let unseen_before = core::mem::replace(&mut self.unseen, unseen);
        Coverage {
            made: self.attempts_made,
            unseen,
            newly_seen: i64::from(seen) - i64::from(before),
            newly_unseen: i64::from(unseen) - i64::from(unseen_before),
        }
    }

    /// The place of the attempt meant: the one with this number, whatever its account where the switch told that number (of a fetched
    /// attempt it tells the connector alone); else the latest on this account whose number nobody told yet, or any on it
    /// when none is asked for. So the feedback call (no number) and the webhook (the switch's number, which
    /// need not be ours) of one attempt are one outcome.
    fn find(&self, number: Option<u16>, account: Option<u32>) -> Option<usize> {
        let same = |known: Option<u32>| known.is_none() || account.is_none() || known == account;
        let mut attempts = self.attempts.iter();
        let named = attempts.position(|a| number.is_some() && a.number == number && (a.told || same(a.account)));
        named.or_else(|| self.attempts.iter().rposition(|a| same(a.account) && (number.is_none() || !a.told)))
    }

    /// No longer open: an attempt still in flight becomes unknown.
    pub(super) fn close(&mut self, released: &mut impl FnMut(&Attempt)) {
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.status == Status::Pending) {
            released(attempt);
            attempt.status = Status::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{self, account};

    fn event(kind: EventKind, attempt: Option<u16>) -> PaymentEvent {
        PaymentEvent { attempt, account: Some(account("stripe:mca_1")), ..testing::event(kind) }
    }

    /// Every order of arrival ends in one outcome.
    #[test]
    fn an_outcome_counts_once_in_any_order_and_from_any_source() {
        use EventKind::{Authorised, Captured, Failed, Processing, Started};
        let check = |told: &[(EventKind, Option<u16>)], outcomes: usize, contradictions: usize| {
            let mut payment = Payment::default();
            let merges: Vec<Merge> =
                told.iter().map(|(kind, number)| payment.merge(&event(*kind, *number), Some(0)).0).collect();
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
        check(&[(EventKind::AuthenticationRequired, Some(1)), (EventKind::AuthenticationFailed, Some(1))], 0, 0);
        check(&[(EventKind::AuthenticationFailed, Some(1)), (Failed, Some(1))], 1, 0);
        check(&[(Captured, Some(1)), (EventKind::AuthenticationSucceeded, Some(1)), (Failed, None)], 1, 1);
        check(&[(EventKind::Refunded, None)], 0, 0);
        check(&[(Captured, Some(1)), (EventKind::Refunded, None), (EventKind::Disputed, None)], 1, 0);
    }

    /// What an outcome is told to say of a known end changes nothing, and no news is called a repeat.
    #[test]
    fn an_outcome_of_a_known_end_repeats_or_contradicts_it() {
        use EventKind::{Captured, Failed, Processing, Started};
        let mut payment = Payment::default();
        payment.merge(&event(Started, Some(1)), Some(0));
        assert_eq!(payment.known_end(&event(Captured, Some(1)), Some(0)), None, "its end is not known");
        payment.merge(&event(Captured, Some(1)), Some(0));
        let before = payment.clone();
        for (kind, attempt, known) in [
            (Captured, Some(1), Some(KnownEnd::Repeated)),
            (Captured, None, Some(KnownEnd::Repeated)),
            (Failed, Some(1), Some(KnownEnd::Contradicts)),
            (Failed, Some(2), None),
            (Processing, Some(1), None),
            (EventKind::AuthenticationSucceeded, Some(1), None),
        ] {
            assert_eq!(payment.known_end(&event(kind, attempt), Some(0)), known, "{kind:?} of {attempt:?}");
        }
        assert_eq!(payment, before);
    }
}
