//! Operators' commands: the first in the log wins; one that names an old version or a wrong state is refused, with the
//! reason and what to do.

use super::propose::{Site, stale};
use super::{Asking, Healer, Phase, overriding, quiet};
use crate::domain::{ActionClass, ActionId, Autonomy, Change, Command, Order, Time};
use crate::engine::snapshot::ActionStatus;

/// What an operator was looking at.
struct Shown<'s> {
    id: ActionId,
    version: u32,
    who: &'s str,
    site: &'s Site<'s>,
}

impl Healer {
    /// Carries out a command, or refuses it. `true` when it was carried out. What was obeyed before, because it is about
    /// routing alone, is remembered by its sentence.
    pub(crate) fn command(
        &mut self,
        (command, obeyed): (&Command, Option<String>),
        site: &Site<'_>,
        asking: &mut Asking<'_>,
    ) -> bool {
        let who = command.operator.as_str();
        let shown = |id: ActionId, version: u32| Shown { id, version, who, site };
        let done = match &command.order {
            Order::Approve { action, version } => self.approve(&shown(*action, *version), None, asking),
            Order::Override { action, version, change } => self.approve(&shown(*action, *version), Some(change), asking),
            Order::Reject { action, version, reason } => self.reject(&shown(*action, *version), reason, asking),
            Order::Undo { action, version } => self.undo(&shown(*action, *version), asking),
            Order::Reopen { action, version } => self.reopen(&shown(*action, *version), asking),
            Order::SetAutonomy { class, level } => Ok(self.set_autonomy(*class, *level, who, asking)),
            Order::SetAdoption { .. } | Order::SetKillSwitch { .. } => Ok(obeyed.unwrap_or_default()),
            // Whoever halted at it has left it out by now; all that is to be done here is to remember who said so.
            Order::Skip { position, reason } => Ok(format!("the entry at {position} is left out, ordered by {who}: {reason}")),
        };
        let accepted = done.is_ok();
        let text = done.unwrap_or_else(|refusal| refusal);
        self.record(asking.position, accepted, text);
        accepted
    }

    fn approve(&mut self, shown: &Shown<'_>, other: Option<&Change>, asking: &mut Asking<'_>) -> Result<String, String> {
        let Shown { id, version, who, site } = *shown;
        let action = self.actions.get(&id).ok_or_else(|| unknown(id))?;
        let class = action.row.class;
        pending(action, version)?;
        if let Some(refusal) = forbidden(id, class, self.levels.of(class)) {
            return Err(refusal);
        }
        let other = other.map(|change| overriding::checked(&action.row.change, change, site)).transpose()?;
        if let Some(reason) = stale(other.as_ref().unwrap_or(&action.row.change), site) {
            return Err(format!("{id} is out of date: {reason}; it will be proposed afresh if it is still needed"));
        }
        let overrides = other.is_some();
        if let (Some(change), Some(action)) = (other, self.actions.get_mut(&id)) {
            action.overridden(change, who, site);
        }
        let what = if overrides { "overrode the change and approved" } else { "approved" };
        self.start(id, who, what, asking);
        self.tabulate(id, asking);
        Ok(format!("{id} {} by {who}", if overrides { "overridden and approved" } else { "approved" }))
    }

    fn reject(&mut self, shown: &Shown<'_>, reason: &str, asking: &mut Asking<'_>) -> Result<String, String> {
        let Shown { id, version, who, site } = *shown;
        let action = self.actions.get_mut(&id).ok_or_else(|| unknown(id))?;
        pending(action, version)?;
        let what = if reason.is_empty() { "rejected".to_owned() } else { format!("rejected: {reason}") };
        action.finish(ActionStatus::Rejected, asking.at, who, &what);
        let subject = action.subject.clone();
        let quiet = quiet(site.view);
        self.rests.put(subject, asking.at, quiet);
        self.tabulate(id, asking);
        Ok(format!("{id} rejected by {who}; it is not proposed again for {} min, unless it is reopened", quiet.as_secs() / 60))
    }

    fn undo(&mut self, shown: &Shown<'_>, asking: &mut Asking<'_>) -> Result<String, String> {
        let Shown { id, version, who, site } = *shown;
        let action = self.actions.get(&id).ok_or_else(|| unknown(id))?;
        current(action, version)?;
        let Some(standing) = action.standing.as_ref().filter(|_| action.row.undoable) else {
            return Err(format!("{id} is {}: there is nothing to undo", action.row.status.as_str()));
        };
        if let Some(reason) = stale(&standing.inverse(), site) {
            return Err(format!("{id} cannot be undone: {reason}; make the change by hand"));
        }
        self.start_roll_back(id, (who, "undone"), site.view, asking);
        self.tabulate(id, asking);
        Ok(format!("{id} is being undone by {who}"))
    }

    /// Lifts the rest of what an action proposed. What calls for it proposes it anew, as another action.
    fn reopen(&mut self, shown: &Shown<'_>, asking: &mut Asking<'_>) -> Result<String, String> {
        let Shown { id, version, who, .. } = *shown;
        let action = self.actions.get(&id).ok_or_else(|| unknown(id))?;
        current(action, version)?;
        if self.rests_until(action, asking.at).is_none() {
            return Err(format!("{id} is {}: nothing of it rests", action.row.status.as_str()));
        }
        let subject = action.subject.clone();
        self.rests.lift(&subject);
        if let Some(action) = self.actions.get_mut(&id) {
            action.row.version += 1;
            action.note(asking.at, who, "let it be proposed again");
        }
        self.tabulate(id, asking);
        Ok(format!("{id} may be proposed again, said {who}: it is within seconds, if it is still called for"))
    }

    /// Until when what an action proposed is not proposed again, where the action is over.
    pub(crate) fn rests_until(&self, action: &super::Action, at: Time) -> Option<Time> {
        (action.phase == Phase::Over).then(|| self.rests.until(&action.subject, at)).flatten()
    }

    fn set_autonomy(&mut self, class: Option<ActionClass>, level: Autonomy, who: &str, asking: &mut Asking<'_>) -> String {
        let classes = class.map_or_else(|| ActionClass::ALL.to_vec(), |class| vec![class]);
        for class in &classes {
            self.levels.set(*class, level);
        }
        self.hold(class, asking, who);
        let scope = class.map_or("everything", ActionClass::as_str);
        format!("autonomy for {scope} is now `{level}`, set by {who}")
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
    let (id, now) = (action.row.id, action.row.version);
    if version == now {
        return Ok(());
    }
    let last = action.row.history.last().map(|h| format!(" ({} {})", h.who, h.what)).unwrap_or_default();
    let status = action.row.status.as_str();
    Err(if version > now {
        format!("{id} has no version {version} yet: it is at version {now}, {status}{last}; look again")
    } else {
        format!("{id} has changed since version {version} was shown: it is at version {now}, {status}{last}; look again")
    })
}

fn pending(action: &super::Action, version: u32) -> Result<(), String> {
    if action.phase != Phase::Waiting {
        let last = action.row.history.last().map(|h| format!(" ({} {})", h.who, h.what)).unwrap_or_default();
        return Err(format!("{} is no longer pending: it is {}{last}", action.row.id, action.row.status.as_str()));
    }
    current(action, version)
}

/// Why nothing may be executed at a level of autonomy, if so.
fn forbidden(id: ActionId, class: ActionClass, level: Autonomy) -> Option<String> {
    let class = class.as_str();
    match level {
        Autonomy::Observe => Some(format!(
            "{id} is held: the level of autonomy for {class} is `observe`, nothing is executed until it is raised again"
        )),
        Autonomy::Suggest => Some(format!(
            "{id} is a suggestion: the level of autonomy for {class} is `suggest`; raise it to approve, or make the change by hand"
        )),
        Autonomy::Approve | Autonomy::Veto | Autonomy::Auto => None,
    }
}
