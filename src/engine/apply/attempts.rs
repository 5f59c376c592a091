//! Attempts: decided, sent, answered or silent. An outcome counts once, whatever its source, order and repetition.

use core::time::Duration;
use std::sync::Arc;

use super::State;
use crate::domain::model::Cell;
use crate::domain::payment::LATE_AFTER;
use crate::domain::{Context, Decision, DeclineClass, EventKind, Money, PaymentEvent, Source, Time};
use crate::engine::analyse::Counted;
use crate::engine::feed::Line;
use crate::engine::heal::End;
use crate::engine::learn::Lesson;
use crate::engine::monitor::{self, Outcome, Slice};
use crate::engine::payments::{Key, Merge, Payment, Silent};
use crate::engine::route::breaker::{Answered, Turn};
use crate::engine::route::{Observation, Subject};
use crate::engine::tally::Attempted;

/// Attempts looked at for an answer with each entry folded: more than are sent with one.
const LISTENED_TO_PER_ENTRY: usize = 4;

/// A decision that was folded so much later than it was made waited for the log: how long its answer takes by our clock
/// then tells nothing of its connector. Far above a group commit (20 ms), below the least patience of
/// [`crate::engine::route::silence`].
const PROMPT: Duration = Duration::from_secs(3);

impl State {
    pub(super) fn decided(&mut self, decision: &Arc<Decision>) {
        self.statistics.decisions += 1;
        self.learning.counts.decided(decision.confidence);
        let request = &decision.request;
        let merchant = self.view.see_profile(&request.profile);
        let account = self.view.intern_account(&decision.chosen().account);
        let at = self.view.at;
        let made = decision.decided_at.map_or(at, |made| made.min(at));
        let waited = at.since(made);
        let prompt = waited <= PROMPT;
        let key = Key::of(&request.profile, &request.payment);
        let decided = prompt.then_some(made);
        let (launched, new) = self.view.payments.change(key, at, |payment| payment.decided(decision, account, decided));
        self.statistics.payments += u64::from(new);
        if launched.is_some() {
            self.experiments.assigned(decision, &self.view.arms);
        }
        if let Some(account) = account.filter(|_| launched.is_some()) {
            self.view.launch(account);
        }
        if let Some((merchant, place)) = merchant.zip(launched) {
            // What waited in a spool happened in its own time: it is no rush now.
            if waited <= LATE_AFTER {
                self.volume(merchant, account, made);
            }
            if let Some(subject) = account.filter(|_| prompt).and_then(|account| self.subject(account)) {
                self.silence.sent(at, (key, place), subject, merchant);
            }
        }
    }

    /// A payment event: counted once, whatever its source, order and repetition.
    pub(super) fn payment(&mut self, event: &PaymentEvent) {
        self.statistics.events += 1;
        if self.view.settings.event_monitor.ignore.contains(&event.kind) {
            self.statistics.ignored += 1;
            return;
        }
        let at = self.view.at;
        if let Some(id) = &event.event_id
            && !self.view.payments.remember_event(&event.profile, id, at)
        {
            self.statistics.repeats += 1;
            return;
        }
        let Some(merchant) = self.view.see_profile(&event.profile) else {
            self.statistics.ignored += 1;
            return;
        };
        let account = event.account.as_ref().map(|account| self.view.intern_account(account));
        // One that there is no number left for is not "any account".
        if account == Some(None) {
            self.statistics.ignored += 1;
            return;
        }
        let account = account.flatten();
        let key = Key::of(&event.profile, &event.payment);
        let ((merge, coverage, mut known), new) = self.view.payments.change(key, at, |payment| {
            let seen = payment.seen();
            let (merge, place) = payment.merge(event, account);
            let coverage = payment.cover(event, seen);
            (merge, coverage, Known::of(payment, event, (merge, place), (merchant, account), at))
        });
        if !self.healer.shadowed.is_watching() && !self.shadow.is_watching(at) {
            known.decision = known.decision.filter(|decision| !decision.notes.is_empty());
        }
        self.statistics.payments += u64::from(new);
        self.cover(key, event, coverage);
        if let Some(account) = account {
            self.view.note_account(merchant, account);
        }
        self.statistics.late += u64::from(late(event, at));
        if matches!(merge, Merge::Started | Merge::Outcome { in_flight: false, .. }) && !late(event, at) {
            self.volume(merchant, known.account, event.occurred_at.min(at));
        }
        self.merged(event, merge, &known);
        // The steps of 3DS that go as they should would drown the rest.
        let tells = event.kind == EventKind::AuthenticationFailed || !event.kind.is_authentication();
        if merge != Merge::Repeat && tells {
            self.feed.push(&self.view, line(event, &known));
        }
    }

    fn merged(&mut self, event: &PaymentEvent, merge: Merge, known: &Known) {
        match merge {
            Merge::Started => {
                if let Some(account) = known.account {
                    self.view.launch(account);
                }
            }
            Merge::Outcome { in_flight, .. } => {
                if let Some(account) = known.account.filter(|_| in_flight) {
                    self.view.land(account);
                }
                self.outcome(event, known);
            }
            Merge::Abandoned { in_flight } => {
                if let Some(account) = known.account.filter(|_| in_flight) {
                    self.view.land(account);
                }
                self.healer.witness(known.merchant, known.sent_at, End::Unanswered);
            }
            Merge::Repeat => self.statistics.repeats += u64::from(event.kind != EventKind::Started),
            Merge::Afterwards | Merge::Step => {}
            Merge::Contradiction => self.statistics.contradictions += 1,
        }
    }

    /// An attempt's first news (its decision, its start, or its outcome) counts towards volume.
    fn volume(&mut self, merchant: u32, account: Option<u32>, at: Time) {
        let connector = account.and_then(|a| self.view.accounts.get(a as usize)).map(|a| Slice::Connector(a.connector));
        let slices = [Slice::All, Slice::Merchant(merchant), connector.unwrap_or(Slice::All)];
        self.monitor.started(&slices[..2 + usize::from(connector.is_some())], at);
    }

    /// An attempt's first outcome: teaches routing, moves the breaker, counts in windows and aggregates.
    fn outcome(&mut self, event: &PaymentEvent, known: &Known) {
        let failure = failure(event);
        if failure.is_some() {
            self.statistics.failed += 1;
        } else {
            self.statistics.approved += 1;
        }
        self.healer.witness(known.merchant, known.sent_at, End::Answered(failure));
        if let Some(decision) = &known.decision {
            let attempted = Attempted { decision, approved: failure.is_none(), amount: known.amount };
            self.healer.shadowed.saw(&attempted);
            self.experiments.ended(decision, attempted.approved);
            self.shadow.saw(&attempted, known.merchant, &self.view);
        }
        let Some(account) = known.account else { return };
        let Some(subject) = self.subject(account) else { return };
        let connector = subject.connector;
        if let Some(delay) = known.delay {
            self.silence.answered(delay);
        }
        if failure.is_none() && known.silent != Silent::No {
            self.silence.acquit(connector);
        }
        self.learning.counts.ended(known.shown, failure.is_none(), known.failed_elsewhere);
        self.learn(known, subject, failure);
        let at = event.occurred_at.min(self.view.at);
        let late = late(event, self.view.at);
        let log_latency = event.latency_ms.filter(|_| !late).map(monitor::log_latency);
        let outcome = Outcome { at, failure, log_latency, amount: known.amount, method: known.context.method };
        let mut slices = [
            Slice::All,
            Slice::Connector(connector),
            Slice::Account(connector, account),
            Slice::Merchant(known.merchant),
            Slice::All,
        ];
        let mut count = 4;
        if let Some(bin) = known.context.bin {
            slices[count] = Slice::Bin(connector, bin);
            count += 1;
        }
        if let Some(ms) = event.latency_ms.or_else(|| waited(known)).filter(|_| !late) {
            self.view.latencies.learn(subject, ms);
        }
        self.monitor.ended(&slices[..count], &outcome);
        if !late {
            self.incidents.saw(&slices[..count], failure);
        }
        self.analyst.count(&Counted {
            at,
            connector,
            account,
            merchant: known.merchant,
            method: known.context.method,
            failure,
            code: event.decline.as_ref().map(|decline| &decline.code),
            latency_ms: event.latency_ms,
            amount: known.amount,
        });
    }

    fn learn(&mut self, known: &Known, subject: Subject, failure: Option<DeclineClass>) {
        let Known { merchant, shown, context, amount, .. } = *known;
        let out_of_use = self.is_open(subject.account);
        let seen = Observation { context, merchant, amount, shown, out_of_use };
        let expected = if failure.is_some() && known.silent == Silent::Presumed {
            // What was presumed to have failed has taught so; but not that what was shown of it was too much.
            if let Some(shown) = shown {
                self.view.weights.calibrate(shown, false);
            }
            None
        } else {
            self.teach(subject, &seen, failure)
        };
        if let Some(expected) = expected {
            self.lesson(subject, &seen, expected, failure.is_none());
        }
        let (settings, at) = (Arc::clone(&self.view.settings), self.view.at);
        let Some(account) = self.view.accounts.get_mut(subject.account as usize) else { return };
        let sent = known.delay.map_or(at, |delay| at - delay);
        let answered = Answered { sent, at };
        let turn = match failure {
            None => account.breaker.succeed(answered, &settings.routing),
            Some(class) => {
                let expected = account.proof.if_it_works(expected.or(known.shown).unwrap_or(0.5));
                account.breaker.fail(class, expected, answered, &settings.routing)
            }
        };
        if turn == Turn::Closed {
            self.view.weights.renew(subject);
        }
        let name = || self.view.account_names.name(subject.account).map_or("?", |name| name.as_str());
        let text = match turn {
            Turn::Stayed => return,
            Turn::Opened(reason) => format!("breaker of {} opened: {}", name(), reason.sentence()),
            Turn::Closed => format!("breaker of {} closed: its probes succeed", name()),
        };
        self.feed.push(&self.view, Line::Engine(text));
    }

    /// Teaches the scores an outcome, and looks for a change-point in it. Returns what was expected before, if it teaches.
    fn teach(&mut self, subject: Subject, seen: &Observation, failure: Option<DeclineClass>) -> Option<f64> {
        let learnt = self.view.weights.learn(subject, seen, failure)?;
        let clock = self.view.weights.learnt();
        if let Some(account) = self.view.accounts.get_mut(subject.account as usize) {
            account.proof.saw(failure.is_none(), learnt.expected, clock);
        }
        if self.view.settings.routing.change_points && self.view.weights.watch(subject.connector, &learnt, failure) {
            let name = self.view.connectors.name(subject.connector).map_or("?", |name| name.as_str());
            let text = format!("change-point on {name}: what was learnt of it is re-opened");
            self.feed.push(&self.view, Line::Engine(text));
        }
        Some(learnt.expected)
    }

    /// Whether an account's breaker is open.
    fn is_open(&self, account: u32) -> bool {
        self.view.accounts.get(account as usize).is_some_and(|account| account.breaker.open.is_some())
    }

    /// What routing learnt from is kept for the model, and judges those there are.
    fn lesson(&mut self, subject: Subject, seen: &Observation, expected: f64, success: bool) {
        #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose: half the bytes of a lesson")]
        let expected = expected as f32;
        let cell = Cell::of(&seen.context, seen.amount);
        let lesson = Lesson { at: self.view.at, cell, connector: subject.connector, expected, success };
        if let Some(told) = self.learning.learn(lesson, &mut self.view) {
            self.feed.push(&self.view, Line::Engine(told));
        }
    }

    fn subject(&self, account: u32) -> Option<Subject> {
        let connector = self.view.accounts.get(account as usize)?.connector;
        Some(Subject { connector, account })
    }

    /// Attempts that should have been answered by now: the silent ones of a connector that hangs teach a failure.
    pub(super) fn listen(&mut self) {
        for _ in 0..LISTENED_TO_PER_ENTRY {
            let Some(sent) = self.silence.next_due(self.view.at) else { return };
            let silent = self.view.payments.waits(sent.payment, sent.place);
            let presumed = self.silence.count(sent.subject.connector, silent);
            let Some(payment) = self.view.payments.open_mut(sent.payment).filter(|_| silent) else { continue };
            payment.fell_silent(sent.place, presumed);
            let (context, merchant, amount) = (payment.context, sent.merchant, payment.amount);
            if presumed {
                let out_of_use = self.is_open(sent.subject.account);
                let seen = Observation { context, merchant, amount, shown: None, out_of_use };
                if let Some(expected) = self.teach(sent.subject, &seen, Some(DeclineClass::Unclassified)) {
                    self.lesson(sent.subject, &seen, expected, false);
                }
            }
        }
    }
}

/// What is known of the attempt an event is about, and of its payment, from all sources so far.
struct Known {
    merchant: u32,
    /// The probability of success its decision showed.
    shown: Option<f64>,
    /// When it was sent: when it was decided, else so long before its end as it took.
    sent_at: Time,
    /// That decision, where anything is made of it: a repair that nobody executed is followed, a merchant is in shadow,
    /// or it has notes.
    decision: Option<Arc<Decision>>,
    /// How long after its decision an outcome came.
    delay: Option<Duration>,
    /// What it was taken for before it came.
    silent: Silent,
    /// Whether an attempt of its payment on another account has failed.
    failed_elsewhere: bool,
    /// Where the event says it was, else where it is known to have been.
    account: Option<u32>,
    context: Context,
    amount: Option<Money>,
}

impl Known {
    /// Of the attempt that an event was merged into: what that meant, and its place; whose it is, and the account that the
    /// event tells.
    fn of(
        payment: &mut Payment,
        event: &PaymentEvent,
        (merge, place): (Merge, Option<usize>),
        (merchant, account): (u32, Option<u32>),
        at: Time,
    ) -> Self {
        let is_outcome = matches!(merge, Merge::Outcome { .. });
        let mut attempt = place.and_then(|place| payment.attempts.get_mut(place));
        let silent = attempt.as_mut().filter(|_| is_outcome).map_or(Silent::No, |attempt| attempt.answered());
        let account = account.or(attempt.as_ref().and_then(|attempt| attempt.account));
        // An attempt that was made elsewhere than decided is not the decision's.
        let asked = attempt.filter(|attempt| attempt.account == account).and_then(|attempt| attempt.asked);
        let decision = asked.and_then(|asked| payment.decision_of(asked.number));
        let asked_at = asked.and_then(|asked| asked.at);
        let sent_at = decision.and_then(|decision| decision.decided_at).or(asked_at);
        Self {
            merchant,
            shown: decision.map(|decision| decision.chosen().expected),
            sent_at: sent_at.unwrap_or_else(|| event.occurred_at - Duration::from_millis(event.latency_ms.unwrap_or(0).into())),
            decision: decision.cloned(),
            // Where the switch was asked for it, when it came tells nothing of how long the connector took.
            delay: asked_at.filter(|_| is_outcome && event.source != Source::Fetch).map(|asked_at| at.since(asked_at)),
            silent,
            failed_elsewhere: payment.failed_elsewhere(account),
            account,
            context: payment.context,
            amount: payment.amount,
        }
    }
}

/// Whether an event is too late to say anything about now.
fn late(event: &PaymentEvent, at: Time) -> bool {
    at.since(event.occurred_at) > LATE_AFTER
}

/// How long an answer took, where its source does not tell: as this engine saw it, the switch's part included. A customer's
/// time before a challenge is not the connector's.
fn waited(known: &Known) -> Option<u32> {
    let delay = known.delay.filter(|_| known.context.three_ds != Some(true))?;
    u32::try_from(delay.as_millis()).ok()
}

/// The class of a failed attempt; none: approved.
fn failure(event: &PaymentEvent) -> Option<DeclineClass> {
    (event.kind.success() == Some(false))
        .then(|| event.decline.as_ref().map_or(DeclineClass::Unclassified, |decline| decline.class))
}

fn line(event: &PaymentEvent, known: &Known) -> Line {
    Line::Payment {
        merchant: known.merchant,
        payment: event.payment.clone(),
        account: known.account,
        kind: event.kind,
        decline: event.decline.as_ref().map(|decline| (decline.class, decline.code.clone())),
        amount: known.amount,
    }
}
