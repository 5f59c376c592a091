//! The one door: folds an entry into State. Every fact the engine learns comes through here.

mod attempts;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::sync::Arc;

use super::Effect;
use super::caution;
use super::detect::{self, Turn};
use super::feed::Line;
use super::heal::{Asking, Site, Targets};
use super::monitor::Slice;
use super::payments::{Horizon, Key};
use super::snapshot::IncidentRow;
use super::state::State;
use crate::domain::rule::RuleText;
use crate::domain::{
    Body, Command, ConnectorAccount, Context, EffectId, EffectResult, Entry, Model, Money, PaymentId, ProfileId, Rule, RuleId,
    Settings,
};

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
        let told = self.learning.configure(&mut self.view);
        self.keep_waiting();
        self.feed.push(&self.view, Line::Engine("configuration activated".to_owned()));
        if let Some(told) = told {
            self.feed.push(&self.view, Line::Engine(told));
        }
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
        let ((), new) = self.view.payments.change(Key::of(profile, payment), self.view.at, |payment| {
            payment.context = context.or(payment.context);
            payment.amount = amount.or(payment.amount);
        });
        self.statistics.payments += u64::from(new);
    }

    /// A model was trained: it is on trial from now on.
    fn publish(&mut self, model: &Model) {
        let told = self.learning.publish(model, &self.view);
        self.feed.push(&self.view, Line::Engine(told));
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
        for (turn, row) in detect::tick(&mut self.incidents, &mut self.monitor, &self.view) {
            self.report(turn, row, asking);
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

    fn report(&mut self, turn: Turn, row: IncidentRow, asking: &mut Asking<'_>) {
        self.statistics.anomalies += u64::from(turn == Turn::Opened);
        let text = match turn {
            Turn::Opened => Some(format!("{} {}", row.id, row.sentence)),
            Turn::Graver => Some(format!("{} is graver now: {}", row.id, row.sentence)),
            Turn::Renewed => None,
            Turn::Over => Some(format!("{} resolved: {}", row.id, row.slice)),
        };
        if let Some(text) = text {
            self.feed.push(&self.view, Line::Engine(text));
        }
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
