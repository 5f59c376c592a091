//! One payment: its attempts, and what an event means for them.

use core::time::Duration;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::domain::{ConnectorAccount, Context, Decision, DeclineClass, EventKind, Money, PaymentEvent, Time};

/// Most attempts remembered of one payment: more than any switch makes; a sender gone wrong must not fill the memory.
const MAX_ATTEMPTS: usize = 64;
/// Most decisions kept of one open payment beside the latest; the oldest goes first. A caller's late repeat is about an
/// attempt or two before.
const MAX_EARLIER: usize = 3;

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
    /// Failed, because the issuer wants the customer authenticated. A status of its own: it takes no more room than the
    /// others, so it is known as long as they are.
    ScaRequired,
    /// Over without an answer.
    Abandoned,
}

impl Status {
    /// What an event says of the attempt it is about.
    fn told(event: &PaymentEvent) -> Self {
        let class = event.decline.as_ref().map(|decline| decline.class);
        match (event.kind.success(), event.kind.abandoned()) {
            (Some(true), _) => Self::Approved,
            (Some(false), _) if class == Some(DeclineClass::ScaRequired) => Self::ScaRequired,
            (Some(false), _) => Self::Failed,
            (None, true) => Self::Abandoned,
            (None, false) => Self::Pending,
        }
    }

    /// Whether it is over, and how is known.
    const fn is_over(self) -> bool {
        matches!(self, Self::Approved | Self::Failed | Self::ScaRequired | Self::Abandoned)
    }

    /// Whether it is over without success, for whatever reason.
    const fn failed(self) -> bool {
        matches!(self, Self::Failed | Self::ScaRequired)
    }
}

/// What an outcome says of an attempt whose end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownEnd {
    /// The same: it changes nothing.
    Repeated,
    /// Another one: the first stands.
    Contradicts,
}

/// One attempt of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Its number, where known.
    pub(crate) number: Option<u16>,
    /// Whether the switch told that number; else it is ours, given with the decision, and may turn out to be another.
    pub(super) told: bool,
    /// Whether any event told of it; else it was only decided.
    pub(super) heard: bool,
    /// Its connector account's number, where a source told it.
    pub(crate) account: Option<u32>,
    /// Where it stands.
    pub(crate) status: Status,
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
    /// When that decision was made; none where it reached us so late that its answer's delay tells nothing.
    pub(super) decided_at: Option<Time>,
    /// What its lack of an answer was taken for.
    pub(super) silence: Silent,
    /// How many of those were unseen when that was asked last.
    pub(super) unseen: u16,
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
    /// A step of 3DS on the way to an outcome.
    Step,
    /// Said nothing new.
    Repeat,
    /// Contradicts the outcome counted first, which stands.
    Contradiction,
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

    /// The probability of success that the decision showed, if it chose this account.
    pub(crate) fn shown(&self, account: Option<&ConnectorAccount>) -> Option<f64> {
        let chosen = self.decision.as_ref()?.chosen();
        account.is_none_or(|account| *account == chosen.account).then_some(chosen.expected)
    }

    /// When the attempt that an event is about was sent: when it was decided, else so long before its end as it took.
    pub(crate) fn sent_at(&self, event: &PaymentEvent, account: Option<&ConnectorAccount>) -> Time {
        let chosen = |decision: &&Arc<Decision>| account.is_none_or(|account| *account == decision.chosen().account);
        let decided = self.decision.as_ref().filter(chosen).and_then(|decision| decision.decided_at.or(self.decided_at));
        decided.unwrap_or_else(|| event.occurred_at - Duration::from_millis(event.latency_ms.unwrap_or(0).into()))
    }

    /// Records a decision, `at` when it was made, where that counts: its attempt is in flight from now on. `false` when it
    /// repeats one already recorded.
    pub(crate) fn decided(&mut self, decision: &Arc<Decision>, account: Option<u32>, at: Option<Time>) -> bool {
        self.context = decision.request.context.or(self.context);
        self.amount = Some(decision.request.amount);
        self.keep(decision);
        let number = Some(decision.request.attempt);
        let known = self.attempts.iter().position(|attempt| attempt.number == number);
        let fresh = known.is_none() && self.attempts.len() < MAX_ATTEMPTS;
        if fresh {
            self.attempts.push(Attempt { number, told: false, heard: false, account, status: Status::Pending });
        }
        let index = known.unwrap_or(self.attempts.len().saturating_sub(1));
        self.decided = u16::try_from(index).unwrap_or(0);
        if fresh {
            (self.decided_at, self.silence) = (at, Silent::No);
        }
        fresh
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

    /// Whether the attempt last decided is still without an answer.
    pub(crate) fn waits(&self) -> bool {
        let decided = self.attempts.get(usize::from(self.decided));
        self.decision.is_some() && decided.is_some_and(|attempt| attempt.status == Status::Pending)
    }

    /// Notes what the lack of an answer was taken for.
    pub(crate) fn fell_silent(&mut self, presumed: bool) {
        self.silence = if presumed { Silent::Presumed } else { Silent::Noticed };
    }

    /// An answer has come: how long after the decision, if there was one, and what its lack was taken for.
    pub(crate) fn answered(&mut self, at: Time) -> (Option<Duration>, Silent) {
        let delay = self.decision.as_ref().and(self.decided_at).map(|decided_at| at.since(decided_at));
        (delay, core::mem::take(&mut self.silence))
    }

    /// Merges an event about an attempt. The first terminal status wins, in any order of arrival.
    pub(crate) fn merge(&mut self, event: &PaymentEvent, account: Option<u32>) -> Merge {
        self.context = event.context.or(self.context);
        self.amount = event.amount.or(self.amount);
        let target = Status::told(event);
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
            });
            return first_sight(target);
        };
        attempt.heard = true;
        attempt.told |= event.attempt.is_some();
        attempt.number = event.attempt.or(attempt.number);
        attempt.account = attempt.account.or(account);
        if event.kind.is_authentication() { Merge::Step } else { advance(attempt, target, event.kind) }
    }

    /// What an outcome says of its attempt's end where that is known; it is merged into a copy.
    pub(crate) fn known_end(&self, event: &PaymentEvent, account: Option<u32>) -> Option<KnownEnd> {
        let mut copy = self.clone();
        let over = copy.find(event.attempt, account).is_some_and(|attempt| attempt.status.is_over());
        match copy.merge(event, account) {
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

    /// The attempt meant: the one with this number, whatever its account where the switch told that number (of a fetched
    /// attempt it tells the connector alone); else the latest on this account whose number nobody told yet, or any on it
    /// when none is asked for. So the feedback call (no number) and the webhook (the switch's number, which
    /// need not be ours) of one attempt are one outcome.
    fn find(&mut self, number: Option<u16>, account: Option<u32>) -> Option<&mut Attempt> {
        let same = |known: Option<u32>, told: Option<u32>| known.is_none() || told.is_none() || known == told;
        if let Some(number) = number
            && let Some(index) =
                self.attempts.iter().position(|a| a.number == Some(number) && (a.told || same(a.account, account)))
        {
            return self.attempts.get_mut(index);
        }
        self.attempts.iter_mut().rev().find(|a| same(a.account, account) && (number.is_none() || !a.told))
    }

    /// No longer open: an attempt still in flight becomes unknown.
    pub(super) fn close(&mut self, released: &mut impl FnMut(&Attempt)) {
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.status == Status::Pending) {
            released(attempt);
            attempt.status = Status::Unknown;
        }
    }
}

fn first_sight(target: Status) -> Merge {
    match target {
        Status::Approved => Merge::Outcome { approved: true, in_flight: false },
        Status::Failed | Status::ScaRequired => Merge::Outcome { approved: false, in_flight: false },
        Status::Abandoned => Merge::Abandoned { in_flight: false },
        Status::Pending | Status::Unknown => Merge::Started,
    }
}

fn advance(attempt: &mut Attempt, target: Status, kind: EventKind) -> Merge {
    let in_flight = attempt.status == Status::Pending;
    match (attempt.status, target) {
        (Status::Pending | Status::Unknown, Status::Approved | Status::Failed | Status::ScaRequired) => {
            attempt.status = target;
            Merge::Outcome { approved: target == Status::Approved, in_flight }
        }
        (Status::Pending | Status::Unknown, Status::Abandoned) => {
            attempt.status = target;
            Merge::Abandoned { in_flight }
        }
        // Feedback may have been first, which tells no code: what the issuer wants counts whenever it is told.
        (Status::Failed, Status::ScaRequired) => {
            attempt.status = target;
            Merge::Repeat
        }
        // An authorisation that is voided or a capture after an authorisation says nothing new about the attempt.
        (Status::Approved, Status::Approved) | (_, Status::Pending | Status::Unknown) => Merge::Repeat,
        (Status::Approved, Status::Abandoned) if kind.abandoned() => Merge::Repeat,
        (known, told) if known == told || (known.failed() && told.failed()) => Merge::Repeat,
        _ => Merge::Contradiction,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ConnectorAccount, PaymentId, ProfileId, Source};

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
