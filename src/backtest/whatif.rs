//! What if: a recorded stretch folded a second time under another configuration or rule set, beside what it was.
//!
//! Both begin with the same state. In the second fold every recorded decision is made anew by `decide`, with the draw
//! that was made then; where it falls on the same account, what became of the attempt is known and teaches. Where it falls
//! elsewhere nothing is known: the attempt ends without an answer, so that this engine learns, detects and repairs from
//! what is known alone, and its success is estimated ([`Report::turned`]): every figure of success and money follows from
//! that. What this engine asks to
//! be done succeeds at once; what operators ordered is ordered of the action that answers the same trouble here.

mod compare;
mod orders;
mod report;
mod rules;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use compare::Comparison;
use orders::Actions;
pub use report::{Amount, Became, Both, Count, Example, Executed, Flow, Report, SecondOpinion, Success, Told};
pub use rules::OtherRules;
use rules::{Ids, Met};

use crate::domain::{
    Body, ConnectorAccount, Decision, EffectResult, Entry, EventKind, PaymentEvent, PaymentId, Position, ProfileId, Purpose,
    RuleId, Settings, Time,
};
use crate::engine::route::decide_under;
use crate::engine::snapshot::IncidentRow;
use crate::engine::{Effect, State, apply};

/// How long an attempt is waited for: the default after which the engine itself waits no longer.
const WAITED: Duration = Duration::from_mins(15);

/// An attempt of a merchant's payment, by the number it was decided under.
type Key = (ProfileId, PaymentId, u16);

/// An attempt as it was decided, and as it would have been.
#[derive(Debug)]
struct Pair {
    decided_at: Time,
    recorded: Arc<Decision>,
    other: Arc<Decision>,
    /// Its outcome is known and counted.
    judged: bool,
}

impl Pair {
    fn same(&self) -> bool {
        self.recorded.chosen().account == self.other.chosen().account
    }

    /// Whether an event's account is that of the attempt that was decided.
    fn was_at(&self, account: Option<&ConnectorAccount>) -> bool {
        account.is_none_or(|account| *account == self.recorded.chosen().account)
    }
}

/// The second fold, and what is compared.
#[derive(Debug)]
pub struct WhatIf {
    other: State,
    from: Time,
    effects: Vec<Effect>,
    pairs: BTreeMap<Key, Pair>,
    by_age: VecDeque<(Time, Key)>,
    comparison: Comparison,
    recorded: Noticed,
    noticed: Noticed,
    rules: OtherRules,
    met: Met,
    ids: Ids,
}

/// There is no room for a merchant's other rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} has as many rules as there may be: its other one has no room")]
pub struct NoRoom(ProfileId);

/// Incidents and actions that one of the two folds told of.
#[derive(Debug, Default)]
struct Noticed {
    incidents: BTreeMap<crate::domain::IncidentId, IncidentRow>,
    actions: Actions,
}

impl Noticed {
    fn hear(&mut self, effect: &Effect) {
        match effect {
            Effect::Incident(row) => _ = self.incidents.insert(row.id, (**row).clone()),
            Effect::Action(row) => self.actions.hear(row),
            Effect::Act { .. } => {}
        }
    }
}

impl WhatIf {
    /// Begins where the recorded engine stood, with another configuration and other rules in force from here on.
    ///
    /// # Errors
    /// [`NoRoom`] for one of the rules.
    pub fn begin(recorded: &State, (settings, rules): (Settings, OtherRules), from: Time) -> Result<Self, NoRoom> {
        let mut actions = Actions::default();
        crate::engine::snapshot(recorded).actions.iter().for_each(|row| actions.hear(row));
        let mut begun = Self {
            other: recorded.clone(),
            from,
            effects: Vec::new(),
            pairs: BTreeMap::new(),
            by_age: VecDeque::new(),
            comparison: Comparison::new(recorded.view().settings().routing.uniform_margin),
            recorded: Noticed { incidents: BTreeMap::new(), actions: actions.clone() },
            noticed: Noticed { incidents: BTreeMap::new(), actions },
            rules,
            met: Met::default(),
            ids: Ids::default(),
        };
        begun.push(recorded.at(), recorded.position(), Body::Configured(settings.into()));
        begun.put_rules(recorded.at(), recorded.position())?;
        Ok(begun)
    }

    /// Puts the other rules into force, in the place of those that were.
    fn put_rules(&mut self, at: Time, position: Position) -> Result<(), NoRoom> {
        for (profile, text) in self.rules.clone().all() {
            let profile = profile.clone();
            let Some(text) = text else {
                if let Some(id) = self.other.view().active_rule(&profile, Purpose::Payment).map(|rule| rule.id) {
                    self.push(at, position, Body::RuleActivated { profile, id, active: false });
                }
                continue;
            };
            let text = Box::new(text.clone());
            self.push(at, position, Body::RuleCreated { profile: profile.clone(), purpose: Purpose::Payment, text });
            let id = RuleId(self.other.position());
            self.push(at, position, Body::RuleActivated { profile: profile.clone(), id, active: true });
            if !self.other.view().is_active_rule(&profile, id) {
                return Err(NoRoom(profile));
            }
        }
        Ok(())
    }

    /// Takes the next entry of the record, and what folding it asked for then.
    pub fn see(&mut self, entry: &Entry, asked: &[Effect]) {
        for effect in asked {
            self.recorded.hear(effect);
        }
        self.forget(entry.at);
        match &entry.body {
            Body::Decided(decision) => self.decided(entry, decision),
            Body::Payment(event) => self.payment(entry, event),
            Body::Commanded(command) => match orders::translated(command, &self.recorded.actions, &self.noticed.actions) {
                Some(command) => self.push(entry.at, entry.position, Body::Commanded(command)),
                None => self.comparison.orders_left_out += 1,
            },
            Body::Configured(_) => self.comparison.configurations_left_out += 1,
            Body::RuleActivated { profile, .. } if self.rules.names(profile) => self.comparison.configurations_left_out += 1,
            Body::RuleCreated { .. } => {
                self.push(entry.at, entry.position, entry.body.clone());
                self.ids.note(RuleId(entry.position), RuleId(self.other.position()));
            }
            // What was done in the world then was asked for by the other engine.
            Body::Intended { .. } | Body::Ended { .. } => {}
            body => self.push(entry.at, entry.position, self.ids.translated(body.clone())),
        }
    }

    /// What it came to.
    #[must_use]
    pub fn report(self, to: Time) -> Report {
        let rates = self.other.view().settings().money.clone();
        let mut report = self.comparison.report((self.from, to), (&self.recorded, &self.noticed), &rates);
        report.warnings.extend(self.rules.unmet(&self.met));
        report
    }

    fn decided(&mut self, entry: &Entry, recorded: &Arc<Decision>) {
        let pending = |account: &ConnectorAccount| {
            recorded.candidates.iter().find(|candidate| candidate.account == *account).map_or(0, |candidate| candidate.pending)
        };
        let request = recorded.request.clone();
        let key = (request.profile.clone(), request.payment.clone(), request.attempt);
        if self.rules.names(&request.profile) {
            self.met.note(&request);
        }
        let ruling = self.rules.ruling(self.other.view(), &request, recorded);
        self.comparison.asked_more += u64::from(ruling.is_some() && self.rules.asks(&request.profile));
        let at = recorded.decided_at.unwrap_or(entry.at);
        // It was decided once, so it names an account; where the other would have refused it, there is nothing to compare.
        let other =
            decide_under(self.other.view(), &pending, request, at, ruling.as_ref()).map_or_else(|_| recorded.clone(), Arc::new);
        self.comparison.decided(entry.at, recorded, &other);
        self.by_age.push_back((entry.at, key.clone()));
        let pair = Pair { decided_at: entry.at, recorded: recorded.clone(), other: other.clone(), judged: false };
        self.pairs.insert(key, pair);
        self.push(entry.at, entry.position, Body::Decided(other));
    }

    /// An event of an attempt that would have gone elsewhere is not known here: only that it is over.
    fn payment(&mut self, entry: &Entry, event: &PaymentEvent) {
        let Some(pair) = pair(&mut self.pairs, event) else {
            return self.push(entry.at, entry.position, Body::Payment(Box::new(event.clone())));
        };
        let over = event.kind.success().is_some() || event.kind.abandoned();
        let first = over && !pair.judged;
        pair.judged |= over;
        if let Some(approved) = event.kind.success().filter(|_| first) {
            self.comparison.ended(&pair.recorded, &pair.other, approved);
        }
        if pair.same() {
            return self.push(entry.at, entry.position, Body::Payment(Box::new(event.clone())));
        }
        let account = pair.other.chosen().account.clone();
        if first {
            self.push(entry.at, entry.position, Body::Payment(Box::new(unanswered(event, account))));
        }
    }

    fn forget(&mut self, at: Time) {
        while let Some((_, key)) = self.by_age.pop_front_if(|(decided_at, _)| at.since(*decided_at) > WAITED) {
            if self.pairs.get(&key).is_some_and(|pair| at.since(pair.decided_at) > WAITED) {
                self.pairs.remove(&key);
            }
        }
    }

    /// Folds an entry at or after a position of the record, and does at once what it asks for.
    fn push(&mut self, at: Time, position: Position, body: Body) {
        let mut bodies = VecDeque::from([body]);
        while let Some(body) = bodies.pop_front() {
            let last = self.other.position();
            let next = Position { record: last.record, index: last.index.saturating_add(1) };
            let entry = Entry { position: position.max(next), at, body };
            apply(&mut self.other, &entry, &mut self.effects);
            for effect in self.effects.drain(..) {
                self.noticed.hear(&effect);
                if let Effect::Act { id, .. } = effect {
                    bodies.push_back(Body::Ended { id, result: EffectResult::Done });
                }
            }
        }
    }
}

/// The attempt that an event is about: the latest that was decided for its account, under its number or, where the switch
/// counts attempts of its own between, a lower one.
fn pair<'p>(pairs: &'p mut BTreeMap<Key, Pair>, event: &PaymentEvent) -> Option<&'p mut Pair> {
    let key = |attempt| (event.profile.clone(), event.payment.clone(), attempt);
    let upto = pairs.range_mut(key(0)..=key(event.attempt.unwrap_or(u16::MAX))).rev();
    upto.map(|(_, pair)| pair).find(|pair| pair.was_at(event.account.as_ref()))
}

/// The end of an attempt of which nothing else is known.
fn unanswered(event: &PaymentEvent, account: ConnectorAccount) -> PaymentEvent {
    PaymentEvent {
        event_id: None,
        account: Some(account),
        kind: EventKind::Cancelled,
        decline: None,
        latency_ms: None,
        ..event.clone()
    }
}

#[cfg(test)]
mod tests;
