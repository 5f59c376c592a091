//! The one door: folds an entry into State. Every fact the engine learns comes through here.

use core::time::Duration;
use std::sync::Arc;

use super::Effect;
use super::analyse::Counted;
use super::caution;
use super::detect;
use super::feed::Line;
use super::heal::{Asking, End, Site, Targets};
use super::learn::Lesson;
use super::monitor::{Outcome, Slice};
use super::payments::{Horizon, Key, Merge, Silent};
use super::route::breaker::{Answered, Turn};
use super::route::{Observation, Subject};
use super::snapshot::IncidentRow;
use super::state::State;
use super::tally::Attempted;
use crate::domain::model::Cell;
use crate::domain::payment::LATE_AFTER;
use crate::domain::rule::RuleText;
use crate::domain::{
    Body, Command, ConnectorAccount, Context, Decision, DeclineClass, EffectId, EffectResult, Entry, EventKind, Model, Money,
    PaymentEvent, PaymentId, ProfileId, Rule, RuleId, Settings, Source, Time,
};

/// Attempts looked at for an answer with each entry folded: more than are sent with one.
const LISTENED_TO_PER_ENTRY: usize = 4;

/// A decision that was folded so much later than it was made waited for the log: how long its answer takes by our clock
/// then tells nothing of its connector. Far above a group commit (20 ms), below the least patience of [`super::route::silence`].
const PROMPT: Duration = Duration::from_secs(3);

/// Folds one entry. Pure, and without failure: what cannot be is ignored and counted.
///
/// # Panics
/// When an entry is folded twice or out of order: a mistake of the caller, never of the log's content.
pub fn apply(state: &mut State, entry: &Entry, effects: &mut Vec<Effect>) {
    assert!(entry.position > state.view.position, "entries are folded once, in order");
    state.view.position = entry.position;
    state.view.at = state.view.at.max(entry.at);
    let mut asking = Asking { position: entry.position, at: state.view.at, effects, numbered: 0 };
    match &entry.body {
        Body::EngineStarted { version, epoch } => state.started(version, *epoch),
        Body::Configured(settings) => state.configure(settings.settings()),
        Body::Payment(event) => state.payment(event),
        Body::Decided(decision) => state.decided(decision),
        Body::Commanded(command) => state.command(command, &mut asking),
        Body::Intended { .. } => {}
        Body::Ended { id, result } => state.ended(*id, result, &mut asking),
        Body::Sampled(sample) => state.scaler.sampled(*sample, state.view.at),
        Body::Ticked => state.tick(&mut asking),
        Body::MerchantConfigured { profile, priority } => state.merchant(profile, priority),
        Body::PeerRuleStored { profile, kind, rule } => state.peer_rule(profile, kind, rule),
        Body::MerchantDeleted { profile } => state.view.delete_merchant(profile),
        Body::RuleCreated { .. }
        | Body::RuleUpdated { .. }
        | Body::RuleActivated { .. }
        | Body::RuleDeleted { .. }
        | Body::ScoresReset { .. } => state.rules(entry),
        Body::PaymentTold { profile, payment, context, amount } => state.told((profile, payment), *context, *amount),
        Body::AttemptsFetched { profile, payment, made, end } => state.fetched((profile, payment), *made, *end),
        Body::ModelPublished(model) => state.publish(model),
    }
    state.busy |= matches!(entry.body, Body::Payment(_) | Body::Decided(_) | Body::Commanded(_) | Body::Ended { .. });
    state.listen();
    state.forget();
}

impl State {
    fn started(&mut self, version: &str, epoch: u64) {
        version.clone_into(&mut self.version);
        self.epoch = epoch;
        self.feed.push(&self.view, Line::Engine(format!("engine {version} started, epoch {epoch}")));
    }

    /// A configuration comes into force. The merchants it lists get its order; what operators set since stays.
    fn configure(&mut self, settings: &Arc<Settings>) {
        let before = Arc::clone(&self.view.settings);
        self.view.settings = Arc::clone(settings);
        for (profile, merchant) in &settings.merchants {
            let unchanged = before.merchants.get(profile).is_some_and(|old| old.priority == merchant.priority);
            if !unchanged {
                self.merchant(profile, &merchant.priority);
            }
        }
        self.view.configure_adoption(&before, settings, !self.configured);
        self.shadow.turn(&self.view);
        self.experiments.configure(settings, &mut self.view);
        self.healer.configure(&before.autonomy, &settings.autonomy, self.configured);
        self.configured = true;
        self.keep_waiting();
        self.feed.push(&self.view, Line::Engine("configuration activated".to_owned()));
    }

    fn merchant(&mut self, profile: &ProfileId, priority: &[ConnectorAccount]) {
        for account in priority {
            self.view.intern_account(account);
        }
        let number = self.view.intern_profile(profile);
        if let Some(merchant) = number.and_then(|n| self.view.merchants.get_mut(n as usize)) {
            merchant.priority = priority.to_vec();
        }
    }

    fn peer_rule(&mut self, profile: &ProfileId, kind: &str, rule: &str) {
        let number = self.view.intern_profile(profile);
        if let Some(merchant) = number.and_then(|n| self.view.merchants.get_mut(n as usize)) {
            merchant.peer_rules.insert(kind.to_owned(), rule.to_owned());
        }
    }

    /// What a merchant does with its rules. What no longer can be, because another was first, changes nothing.
    fn rules(&mut self, entry: &Entry) {
        let (view, at) = (&mut self.view, entry.at);
        let done = match &entry.body {
            Body::RuleCreated { profile, purpose, text } => {
                let (id, text) = (RuleId(entry.position), RuleText::clone(text));
                view.create_rule(profile, Rule { id, purpose: *purpose, text, created_at: at, modified_at: at })
            }
            Body::RuleUpdated { profile, id, text } => view.update_rule(profile, *id, text, at),
            Body::RuleActivated { profile, id, active } => view.activate_rule(profile, *id, *active),
            Body::RuleDeleted { profile, id } => view.delete_rule(profile, *id),
            Body::ScoresReset { profile } => view.reset_scores(profile) > 0,
            _ => false,
        };
        self.statistics.ignored += u64::from(!done);
        if let Body::RuleActivated { profile, id, active } = &entry.body
            && done
        {
            let word = if *active { "came into force" } else { "went out of force" };
            self.feed.push(&self.view, Line::Engine(format!("{id} of {profile} {word}")));
        }
    }

    /// What is told of a payment before it is decided counts for its decision, and for its outcomes.
    fn told(&mut self, (profile, payment): (&ProfileId, &PaymentId), context: Context, amount: Option<Money>) {
        let (payment, new) = self.view.payments.entry(Key::of(profile, payment), self.view.at);
        payment.context = context.or(payment.context);
        payment.amount = amount.or(payment.amount);
        self.statistics.payments += u64::from(new);
    }

    /// A model was trained: it is on trial from now on.
    fn publish(&mut self, model: &Model) {
        let told = self.learning.publish(model, &self.view);
        self.feed.push(&self.view, Line::Engine(told));
    }

    fn decided(&mut self, decision: &Arc<Decision>) {
        self.statistics.decisions += 1;
        self.learning.counts.decided(decision.confidence);
        let request = &decision.request;
        let merchant = self.view.intern_profile(&request.profile);
        let account = self.view.intern_account(&decision.chosen().account);
        let at = self.view.at;
        let made = decision.decided_at.map_or(at, |made| made.min(at));
        let waited = at.since(made);
        let prompt = waited <= PROMPT;
        let key = Key::of(&request.profile, &request.payment);
        let (payment, new) = self.view.payments.entry(key, at);
        let launched = payment.decided(decision, account, prompt.then_some(made));
        self.statistics.payments += u64::from(new);
        if launched {
            self.experiments.assigned(decision);
        }
        if let Some(account) = account.filter(|_| launched) {
            self.view.launch(account);
        }
        if let Some(merchant) = merchant.filter(|_| launched) {
            // What waited in a spool happened in its own time: it is no rush now.
            if waited <= LATE_AFTER {
                self.volume(merchant, account, made);
            }
            if let Some(subject) = account.filter(|_| prompt).and_then(|account| self.subject(account)) {
                self.silence.sent(at, key, subject, merchant);
            }
        }
    }

    /// A payment event: counted once, whatever its source, order and repetition.
    fn payment(&mut self, event: &PaymentEvent) {
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
        let Some(merchant) = self.view.intern_profile(&event.profile) else {
            self.statistics.ignored += 1;
            return;
        };
        let account = event.account.as_ref().and_then(|account| self.view.intern_account(account));
        let key = Key::of(&event.profile, &event.payment);
        let (payment, new) = self.view.payments.entry(key, at);
        let seen = payment.seen();
        let merge = payment.merge(event, account);
        let coverage = payment.cover(event, seen);
        let (delay, silent) = if matches!(merge, Merge::Outcome { .. }) { payment.answered(at) } else { (None, Silent::No) };
        let told = account.and_then(|a| self.view.account_names.name(a));
        let (shown, sent_at) = (payment.shown(told), payment.sent_at(event, told));
        let watching = self.healer.shadowed.is_watching() || self.shadow.is_watching(at);
        let decision = payment.decision.clone().filter(|one| shown.is_some() && (watching || !one.notes.is_empty()));
        let known = Known {
            merchant,
            shown,
            sent_at,
            decision,
            // The switch was asked for it: when, tells nothing of how long the connector took.
            delay: delay.filter(|_| event.source != Source::Fetch),
            silent,
            failed_elsewhere: payment.failed_elsewhere(account),
            account: account.or_else(|| payment.attempts.last()?.account),
            context: payment.context,
            amount: payment.amount,
        };
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
            self.shadow.saw(&attempted, known.merchant, self.view.at);
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
        let latency_ms = event.latency_ms.filter(|_| !late(event, self.view.at));
        let outcome = Outcome { at, failure, latency_ms, amount: known.amount, method: known.context.method };
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
        if let Some(ms) = event.latency_ms.or_else(|| waited(known)).filter(|_| !late(event, self.view.at)) {
            self.view.latencies.learn(subject, ms);
        }
        self.monitor.ended(&slices[..count], &outcome);
        if !late(event, self.view.at) {
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
        // What was presumed to have failed has taught so.
        let known_before = failure.is_some() && known.silent == Silent::Presumed;
        let expected = if known_before { None } else { self.teach(subject, &seen, failure) };
        if let Some(expected) = expected {
            self.lesson(subject, &seen, expected, failure.is_none());
        }
        let (settings, at) = (Arc::clone(&self.view.settings), self.view.at);
        let Some(account) = self.view.accounts.get_mut(subject.account as usize) else { return };
        let sent = known.delay.map_or(at, |delay| at - delay);
        let answered = Answered { sent, at };
        let turn = match failure {
            None => account.breaker.succeed(answered, &settings.routing),
            Some(class) => account.breaker.fail(class, expected.or(known.shown).unwrap_or(0.5), answered, &settings.routing),
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
        let expected = self.view.weights.learn(subject, seen, failure)?;
        if self.view.settings.routing.change_points && self.view.weights.watch(subject.connector, seen, expected, failure) {
            let name = self.view.connectors.name(subject.connector).map_or("?", |name| name.as_str());
            let text = format!("change-point on {name}: what was learnt of it is re-opened");
            self.feed.push(&self.view, Line::Engine(text));
        }
        Some(expected)
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
    fn listen(&mut self) {
        for _ in 0..LISTENED_TO_PER_ENTRY {
            let Some(sent) = self.silence.next_due(self.view.at) else { return };
            let silent = self.view.payments.waits(sent.payment);
            let presumed = self.silence.count(sent.subject.connector, silent);
            let Some(payment) = self.view.payments.open_mut(sent.payment).filter(|_| silent) else { continue };
            payment.fell_silent(presumed);
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

    fn command(&mut self, command: &Command, asking: &mut Asking<'_>) {
        let obeyed = self.view.obey(command);
        self.shadow.turn(&self.view);
        let site = Site { view: &self.view, monitor: &self.monitor, scaler: &self.scaler, experiments: &self.experiments };
        let done = self.healer.command((command, obeyed), &site, asking);
        self.statistics.commands_refused += u64::from(!done);
        let text = self.healer.outcomes().last().map(|outcome| outcome.text.clone()).unwrap_or_default();
        let text = if done { text } else { format!("{}: refused: {text}", command.operator) };
        self.feed.push(&self.view, Line::Operator(text));
    }

    fn ended(&mut self, id: EffectId, result: &EffectResult, asking: &mut Asking<'_>) {
        let mut targets = Targets { view: &mut self.view, scaler: &mut self.scaler };
        self.healer.ended(id, result, &mut targets, asking);
        let text = match result {
            EffectResult::Done => format!("effect {id} done"),
            EffectResult::Refused { reason } => format!("effect {id} refused: {reason}"),
            EffectResult::Unknown { reason } => format!("effect {id} unknown: {reason}"),
        };
        self.feed.push(&self.view, Line::Engine(text));
    }

    /// Time passed: incidents are followed and found, actions verified, repairs proposed.
    fn tick(&mut self, asking: &mut Asking<'_>) {
        self.ticked_at = self.view.at;
        self.busy = false;
        for row in detect::tick(&mut self.incidents, &mut self.monitor, &self.view) {
            self.report(row, asking);
        }
        if let Some(text) = caution::judge(&self.monitor, &mut self.view) {
            self.feed.push(&self.view, Line::Engine(text));
        }
        let site = Site { view: &self.view, monitor: &self.monitor, scaler: &self.scaler, experiments: &self.experiments };
        self.healer.tick(&site, &self.incidents, asking);
        self.statistics.actions += self.healer.propose_all(&site, &mut self.incidents, asking);
        let failing = self.incidents.open_ones().map(|incident| incident.slice);
        let mut watched: Vec<Slice> =
            failing.filter(|slice| matches!(slice, Slice::Connector(_) | Slice::Account(..))).collect();
        watched.extend(self.healer.probed(&self.incidents, &site));
        self.view.watch(&watched);
    }

    fn report(&mut self, row: IncidentRow, asking: &mut Asking<'_>) {
        let text = if row.resolved_at.is_some() {
            format!("{} resolved: {}", row.id, row.slice)
        } else {
            self.statistics.anomalies += 1;
            format!("{} {}", row.id, row.sentence)
        };
        self.feed.push(&self.view, Line::Engine(text));
        asking.effects.push(Effect::Incident(Box::new(row)));
    }

    /// Forgets what is past its horizon, a little with every entry.
    fn forget(&mut self) {
        let (routing, kept) = (&self.view.settings.routing, &self.view.settings.deduplication);
        let horizon = Horizon {
            open_before: self.view.at - Duration::from_secs(routing.pending_timeout_s),
            closed_before: self.view.at - Duration::from_secs(kept.horizon_s),
            max: usize::try_from(kept.max_payments).unwrap_or(usize::MAX),
        };
        let mut released = smallvec::SmallVec::<[u32; 4]>::new();
        self.view.payments.forget(self.view.at, &horizon, |attempt| released.extend(attempt.account));
        for account in released {
            self.view.land(account);
        }
    }
}

/// What is known of the payment an event is about, from all sources so far.
struct Known {
    merchant: u32,
    /// The probability of success its decision showed.
    shown: Option<f64>,
    /// When it was sent.
    sent_at: Time,
    /// That decision, where anything is made of it: a repair that nobody executed is followed, a merchant is in shadow,
    /// or it has notes.
    decision: Option<Arc<Decision>>,
    /// How long after its decision an outcome came.
    delay: Option<Duration>,
    /// What it was taken for before it came.
    silent: Silent,
    /// Whether an attempt of it on another account has failed.
    failed_elsewhere: bool,
    account: Option<u32>,
    context: crate::domain::Context,
    amount: Option<crate::domain::Money>,
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
