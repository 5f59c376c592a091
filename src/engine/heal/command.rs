//! Operators' commands: the first in the log wins; one that names an old version or a wrong state is refused, with the
//! reason and what to do.

use super::propose::stale;
use super::{Asking, Healer, Phase};
use crate::domain::{ActionClass, ActionId, Autonomy, Change, Command, Order};
use crate::engine::route::RoutingView;
use crate::engine::snapshot::ActionStatus;

/// What an operator was looking at.
struct Shown<'s> {
    id: ActionId,
    version: u32,
    who: &'s str,
    view: &'s RoutingView,
}

impl Healer {
    /// Carries out a command, or refuses it. `true` when it was carried out.
    pub(crate) fn command(&mut self, command: &Command, view: &RoutingView, asking: &mut Asking<'_>) -> bool {
        let who = command.operator.as_str();
        let shown = |id: ActionId, version: u32| Shown { id, version, who, view };
        let done = match &command.order {
            Order::Approve { action, version } => self.approve(&shown(*action, *version), None, asking),
            Order::Override { action, version, change } => self.approve(&shown(*action, *version), Some(change), asking),
            Order::Reject { action, version, reason } => self.reject(&shown(*action, *version), reason, asking),
            Order::Undo { action, version } => self.undo(&shown(*action, *version), asking),
            Order::SetAutonomy { class, level } => Ok(self.set_autonomy(*class, *level, who, asking)),
        };
        let accepted = done.is_ok();
        let text = done.unwrap_or_else(|refusal| refusal);
        self.record(asking.position, accepted, text);
        accepted
    }

    fn approve(&mut self, shown: &Shown<'_>, other: Option<&Change>, asking: &mut Asking<'_>) -> Result<String, String> {
        let Shown { id, version, who, view } = *shown;
        let level = |class| self.levels.of(class);
        let action = self.actions.get(&id).ok_or_else(|| unknown(id))?;
        let class = action.row.class;
        pending(action, version)?;
        if level(class) < Autonomy::Approve {
            return Err(format!(
                "{id} is a suggestion: the level of autonomy for {} is `{}`; raise it to approve",
                class.as_str(),
                level(class)
            ));
        }
        if let Some(change) = other {
            replaceable(&action.row.change, change)?;
        }
        let change = other.unwrap_or(&action.row.change);
        if let Some(reason) = stale(change, view) {
            return Err(format!("{id} is out of date: {reason}; it will be proposed afresh if it is still needed"));
        }
        let what = if let (Some(change), Some(action)) = (other, self.actions.get_mut(&id)) {
            action.row.change = change.clone();
            action.row.before_after = super::propose::before_after(change, view);
            "overrode the change and approved"
        } else {
            "approved"
        };
        self.start(id, who, what, asking);
        self.tabulate(id, asking);
        Ok(format!("{id} {what} by {who}"))
    }

    fn reject(&mut self, shown: &Shown<'_>, reason: &str, asking: &mut Asking<'_>) -> Result<String, String> {
        let Shown { id, version, who, view } = *shown;
        let action = self.actions.get_mut(&id).ok_or_else(|| unknown(id))?;
        pending(action, version)?;
        let what = if reason.is_empty() { "rejected".to_owned() } else { format!("rejected: {reason}") };
        action.finish(ActionStatus::Rejected, asking.at, who, &what);
        let change = action.row.change.clone();
        let quiet = self.rest(change, view, asking.at);
        self.tabulate(id, asking);
        Ok(format!("{id} rejected by {who}; it is not proposed again for {} min", quiet.as_secs() / 60))
    }

    fn undo(&mut self, shown: &Shown<'_>, asking: &mut Asking<'_>) -> Result<String, String> {
        let Shown { id, version, who, view } = *shown;
        let action = self.actions.get(&id).ok_or_else(|| unknown(id))?;
        current(action, version)?;
        if !action.row.undoable {
            return Err(format!("{id} is {}: there is nothing to undo", action.row.status.as_str()));
        }
        if let Some(reason) = stale(&action.row.change.inverse(), view) {
            return Err(format!("{id} cannot be undone: {reason}; make the change by hand"));
        }
        self.start_roll_back(id, (who, "undone"), view, asking);
        self.tabulate(id, asking);
        Ok(format!("{id} is being undone by {who}"))
    }

    fn set_autonomy(&mut self, class: Option<ActionClass>, level: Autonomy, who: &str, asking: &mut Asking<'_>) -> String {
        let classes = class.map_or_else(|| ActionClass::ALL.to_vec(), |class| vec![class]);
        for class in &classes {
            self.levels.set(*class, level);
        }
        self.hold(asking, who);
        let scope = class.map_or("everything", ActionClass::as_str);
        format!("autonomy for {scope} is now `{level}`, set by {who}")
    }

    /// After a lower level: what would have executed by itself now waits for a person.
    fn hold(&mut self, asking: &mut Asking<'_>, who: &str) {
        let levels = self.levels.clone();
        let held = |action: &super::Action| action.row.executes_by_itself && levels.of(action.row.class) < Autonomy::Veto;
        let ids: Vec<ActionId> = self.actions.iter().filter(|(_, action)| held(action)).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(action) = self.actions.get_mut(&id) {
                action.row.executes_by_itself = false;
                action.row.version += 1;
                action.note(asking.at, who, "held: autonomy was lowered");
            }
            self.tabulate(id, asking);
        }
    }

    pub(super) fn tabulate(&self, id: ActionId, asking: &mut Asking<'_>) {
        if let Some(action) = self.actions.get(&id) {
            asking.tabulate(&action.row);
        }
    }
}

fn unknown(id: ActionId) -> String {
    format!("{id} is not known: it never was, or it is over for so long that only the tables have it")
}

/// The operator must have seen the action as it is now.
fn current(action: &super::Action, version: u32) -> Result<(), String> {
    if action.row.version == version {
        return Ok(());
    }
    let last = action.row.history.last().map(|h| format!(" ({} {})", h.who, h.what)).unwrap_or_default();
    Err(format!("{} has changed since it was shown: it is {}{last}; look again", action.row.id, action.row.status.as_str()))
}

fn pending(action: &super::Action, version: u32) -> Result<(), String> {
    if action.phase != Phase::Waiting {
        let last = action.row.history.last().map(|h| format!(" ({} {})", h.who, h.what)).unwrap_or_default();
        return Err(format!("{} is no longer pending: it is {}{last}", action.row.id, action.row.status.as_str()));
    }
    current(action, version)
}

/// An override stays within the kind of change that was proposed.
fn replaceable(proposed: &Change, other: &Change) -> Result<(), String> {
    if proposed.name() == other.name() {
        return Ok(());
    }
    Err(format!("the override is a {}, the action a {}: an override must be of the same kind", other.name(), proposed.name()))
}
