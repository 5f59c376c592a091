//! What may be open over the panels, and which order it stands for.

use std::time::Duration;

use compact_str::CompactString;

use super::levels::Levels;
use crate::domain::{ActionId, ConnectorName, IncidentId, Order, Position, wording};
use crate::engine::Snapshot;
use crate::engine::snapshot::{ActionRow, ActionStatus};
use crate::tui::escape::Key;
use crate::tui::keys::{Does, Scope};

/// Keys do nothing for so long after a dialog was drawn anew: what was typed for the screen before does not act
/// on this one. Shorter than a person needs to read anything, longer than a repeating key's interval.
const QUIET: Duration = Duration::from_millis(300);
/// The longest reason, in characters, that an order takes.
const REASON_MAX: usize = 200;

/// The action a dialog shows, exactly as the operator saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The action.
    pub id: ActionId,
    /// The version on the screen; the order carries it.
    pub version: u32,
    /// Whether it became another one while the dialog was open.
    pub changed: bool,
}

impl Shown {
    /// The version a snapshot has, where it is not the one shown.
    fn newer(&self, snapshot: &Snapshot) -> Option<u32> {
        let row = snapshot.actions.iter().find(|row| row.id == self.id)?;
        (row.version != self.version).then_some(row.version)
    }
}

/// What is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An action: for approval while it is pending, else to read.
    Action(Shown),
    /// The same, while a reason for its rejection is typed.
    Reason(Shown, String),
    /// The question whether to take an action back.
    Undo(Shown),
    /// What an action would have brought, had it been approved when it was proposed.
    Hindsight(Shown),
    /// An incident.
    Incident(IncidentId),
    /// A connector.
    Connector(ConnectorName),
    /// The decision of the payment that an event is about.
    Decision(Position),
    /// The decision that a replay was moved to.
    Decided,
    /// The resource manager.
    Resources,
    /// The learnt model.
    Model,
    /// The keys.
    Keys,
    /// The time to go to, while it is typed.
    Time(String),
    /// What the engine may do, and what is chosen of it.
    Levels(Levels),
    /// The experiments.
    Experiments,
    /// The menu of faults, and the row chosen.
    Faults(usize),
    /// The question whether to leave.
    Quit,
}

/// Since when the keys are listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ears {
    /// It has not been drawn yet.
    Shut,
    /// From this time on.
    From(Duration),
}

/// One dialog.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// What it shows.
    pub kind: Kind,
    /// The page shown, from 0.
    pub page: u16,
    pages: u16,
    ears: Ears,
}

impl Dialog {
    /// Opens it at its first page.
    #[must_use]
    pub const fn open(kind: Kind) -> Self {
        Self { kind, page: 0, pages: 1, ears: Ears::Shut }
    }

    /// Opens an action.
    #[must_use]
    pub fn action_row(row: &ActionRow) -> Self {
        Self::open(Kind::Action(shown(row)))
    }

    /// Asks whether to take an action back.
    #[must_use]
    pub fn undo(row: &ActionRow) -> Self {
        Self::open(Kind::Undo(shown(row)))
    }

    /// Opens what the engine may do; none while it has not told.
    #[must_use]
    pub fn levels(snapshot: &Snapshot) -> Option<Self> {
        Levels::of(snapshot).map(|levels| Self::open(Kind::Levels(levels)))
    }

    /// The same action, with a reason to be typed.
    #[must_use]
    pub fn with_reason(self) -> Self {
        match self.kind {
            Kind::Action(shown) => Self { kind: Kind::Reason(shown, String::new()), ears: Ears::Shut, ..self },
            kind => Self { kind, ..self },
        }
    }

    /// Back from the reason to the action.
    #[must_use]
    pub fn without_reason(self) -> Self {
        match self.kind {
            Kind::Reason(shown, _) => Self { kind: Kind::Action(shown), ears: Ears::Shut, ..self },
            kind => Self { kind, ..self },
        }
    }

    /// The same action, in hindsight.
    #[must_use]
    pub fn in_hindsight(self) -> Self {
        match self.kind {
            Kind::Action(shown) => Self { kind: Kind::Hindsight(shown), page: 0, ears: Ears::Shut, ..self },
            kind => Self { kind, ..self },
        }
    }

    /// Back from the hindsight to the action; none where nothing is behind what is open.
    #[must_use]
    pub fn behind(self) -> Option<Self> {
        match self.kind {
            Kind::Hindsight(shown) => Some(Self { kind: Kind::Action(shown), ears: Ears::Shut, ..self }),
            _ => None,
        }
    }

    /// The reason, or the time, being typed.
    pub const fn typed_mut(&mut self) -> Option<&mut String> {
        match &mut self.kind {
            Kind::Reason(_, text) | Kind::Time(text) => Some(text),
            _ => None,
        }
    }

    /// The action shown.
    #[must_use]
    pub const fn shown(&self) -> Option<&Shown> {
        match &self.kind {
            Kind::Action(shown) | Kind::Reason(shown, _) | Kind::Undo(shown) | Kind::Hindsight(shown) => Some(shown),
            _ => None,
        }
    }

    /// The id of the action shown.
    #[must_use]
    pub fn action(&self) -> Option<ActionId> {
        self.shown().map(|shown| shown.id)
    }

    /// Whether what is open is another in this snapshot.
    #[must_use]
    pub fn changed(&self, snapshot: &Snapshot) -> bool {
        self.shown().is_some_and(|shown| shown.newer(snapshot).is_some())
    }

    /// Takes a new snapshot. Where what is open became another, keys are quiet again.
    pub fn see(&mut self, snapshot: &Snapshot) {
        let (Kind::Action(shown) | Kind::Reason(shown, _) | Kind::Undo(shown) | Kind::Hindsight(shown)) = &mut self.kind else {
            return;
        };
        if let Some(version) = shown.newer(snapshot) {
            *shown = Shown { id: shown.id, version, changed: true };
            self.ears = Ears::Shut;
        }
    }

    /// It was drawn, in so many pages.
    pub fn drawn(&mut self, pages: u16, now: Duration) {
        self.pages = pages.max(1);
        self.page = self.page.min(self.pages - 1);
        if self.ears == Ears::Shut {
            self.ears = Ears::From(now + QUIET);
        }
    }

    /// Whether keys do nothing yet. What is only read listens at once.
    #[must_use]
    pub fn quiet(&self, now: Duration) -> bool {
        let asks = matches!(
            self.kind,
            Kind::Action(_) | Kind::Reason(..) | Kind::Undo(_) | Kind::Levels(_) | Kind::Faults(_) | Kind::Quit
        );
        asks && match self.ears {
            Ears::Shut => true,
            Ears::From(time) => now < time,
        }
    }

    /// Where its keys belong.
    #[must_use]
    pub fn scope(&self, snapshot: &Snapshot) -> Scope {
        match &self.kind {
            Kind::Action(shown) | Kind::Reason(shown, _) => {
                let row = snapshot.actions.iter().find(|row| row.id == shown.id);
                let pending = row.is_some_and(|row| row.status == ActionStatus::Pending);
                if pending { Scope::Review } else { Scope::Reading }
            }
            Kind::Undo(_) => Scope::Undo,
            Kind::Levels(_) => Scope::Levels,
            Kind::Faults(_) => Scope::Faults,
            Kind::Quit => Scope::Leaving,
            Kind::Hindsight(_)
            | Kind::Incident(_)
            | Kind::Connector(_)
            | Kind::Decision(_)
            | Kind::Decided
            | Kind::Resources
            | Kind::Model
            | Kind::Keys
            | Kind::Time(_)
            | Kind::Experiments => Scope::Reading,
        }
    }

    /// Pages, and the choice of a level.
    pub fn navigate(&mut self, does: Does) {
        match (does, &mut self.kind) {
            (Does::Up, Kind::Levels(levels)) => levels.up(),
            (Does::Down, Kind::Levels(levels)) => levels.down(),
            (Does::Lower, Kind::Levels(levels)) => levels.shift(-1),
            (Does::Higher, Kind::Levels(levels)) => levels.shift(1),
            (Does::PageUp, _) => self.page = self.page.saturating_sub(1),
            (Does::PageDown, _) => self.page = (self.page + 1).min(self.pages - 1),
            _ => {}
        }
    }

    /// The order a key gives here.
    #[must_use]
    pub fn order(&self, does: Does) -> Option<Order> {
        match (does, &self.kind) {
            (Does::Approve, Kind::Action(Shown { id, version, .. })) => Some(Order::Approve { action: *id, version: *version }),
            (Does::Reject, Kind::Action(Shown { id, version, .. })) => {
                Some(Order::Reject { action: *id, version: *version, reason: CompactString::default() })
            }
            (Does::RejectBecause, Kind::Reason(Shown { id, version, .. }, text)) => {
                Some(Order::Reject { action: *id, version: *version, reason: text.trim().into() })
            }
            (Does::Undo, Kind::Undo(Shown { id, version, .. })) => Some(Order::Undo { action: *id, version: *version }),
            (Does::Reopen, Kind::Action(Shown { id, version, .. })) => Some(Order::Reopen { action: *id, version: *version }),
            (Does::SetLevel, Kind::Levels(levels)) => Some(levels.order()),
            _ => None,
        }
    }
}

const fn shown(row: &ActionRow) -> Shown {
    Shown { id: row.id, version: row.version, changed: false }
}

/// Types into a text of at most 200 characters, what an order takes. Tells whether the key was text.
pub fn type_into(text: &mut String, key: &Key) -> bool {
    match key {
        Key::Char(c) => append(text, std::iter::once(wording::printable(*c))),
        Key::Paste(pasted) => append(text, pasted.chars().map(wording::printable)),
        Key::Backspace => {
            text.pop();
        }
        _ => return false,
    }
    true
}

fn append(text: &mut String, more: impl Iterator<Item = char>) {
    let room = REASON_MAX.saturating_sub(text.chars().count());
    text.extend(more.take(room));
}
