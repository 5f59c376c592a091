//! Why a key that exists does nothing now.

use super::dialog::Kind;
use super::{Mode, Panel, Ui};
use crate::domain::{Autonomy, Decision, Position, Role};
use crate::engine::Snapshot;
use crate::tui::keys::Does;

impl Ui {
    /// Why a key that exists does nothing now; none when it works.
    #[must_use]
    pub fn refusal(&self, does: Does, snapshot: &Snapshot) -> Option<String> {
        match does {
            Does::AskUndo => self.undo_refusal(snapshot),
            Does::Hindsight if !self.shows_action() => Some("open an action first (3, Enter)".into()),
            Does::Reopen => self.reopen_refusal(snapshot),
            Does::Approve => self.approve_refusal(snapshot),
            Does::SetLevel if self.session.role < self.role_to_set() => {
                Some("setting this needs the role admin; `!` needs none".into())
            }
            Does::Kill if !self.panic_armed() => Some("press ! first: it arms the kill switch".into()),
            Does::Kill if snapshot.adoption.kill_switch.is_some() => {
                Some("the kill switch is pulled already; l releases it".into())
            }
            Does::Open if self.focus == Panel::Events => self.event_refusal(),
            Does::Suspend if self.session.mode == Mode::Live => {
                Some("Ctrl-Z would stop the engine too, and decisions with it; q quits".into())
            }
            Does::FirePanic if !self.panic_armed() => Some("press ! first: it arms the panic key".into()),
            _ => None,
        }
    }

    fn event_refusal(&self) -> Option<String> {
        match self.events.cursor() {
            None => Some("choose an event first (Up or Down)".into()),
            Some(event) if self.decision_behind(*event).is_none() => {
                Some("no decision of an open payment stands behind this event".into())
            }
            Some(_) => None,
        }
    }

    /// The decision of the payment that an event of the stream is about.
    #[must_use]
    pub fn decision_behind(&self, event: Position) -> Option<&Decision> {
        self.stream.events.iter().find(|row| row.position == event)?.decision.as_deref()
    }

    /// The role that the row chosen among the levels needs.
    fn role_to_set(&self) -> Role {
        match self.dialog.as_ref().map(|dialog| &dialog.kind) {
            Some(Kind::Levels(levels)) => levels.role(),
            _ => Role::Admin,
        }
    }

    fn shows_action(&self) -> bool {
        matches!(self.dialog.as_ref().map(|dialog| &dialog.kind), Some(Kind::Action(_)))
    }

    fn undo_refusal(&self, snapshot: &Snapshot) -> Option<String> {
        match self.chosen_action(snapshot) {
            None => Some("choose an action of the healing queue first (3)".into()),
            Some(row) if !row.undoable => Some(format!("{} is {}: nothing to take back", row.id, row.status.as_str())),
            Some(_) => None,
        }
    }

    fn reopen_refusal(&self, snapshot: &Snapshot) -> Option<String> {
        match self.chosen_action(snapshot).filter(|_| self.shows_action()) {
            None => Some("open an action first (3, Enter)".into()),
            Some(row) if row.rests_until.is_none() => {
                Some(format!("{} is {}: nothing of it rests", row.id, row.status.as_str()))
            }
            Some(_) => None,
        }
    }

    fn approve_refusal(&self, snapshot: &Snapshot) -> Option<String> {
        let levels = snapshot.header.autonomy.as_ref()?;
        let class = self.chosen_action(snapshot)?.class;
        (levels.of(class) <= Autonomy::Suggest)
            .then(|| format!("autonomy of {} is {}: act by hand, or raise it with l", class.as_str(), levels.of(class)))
    }
}
