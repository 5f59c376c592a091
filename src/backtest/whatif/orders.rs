//! Operators' orders, ordered of another engine: its actions have other numbers and versions.

use std::collections::BTreeMap;

use crate::domain::{ActionId, Change, Command, Order};
use crate::engine::snapshot::{ActionRow, ActionStatus};

/// Actions as they were told of last.
#[derive(Debug, Clone, Default)]
pub(super) struct Actions(BTreeMap<ActionId, ActionRow>);

impl Actions {
    pub(super) fn hear(&mut self, row: &ActionRow) {
        self.0.insert(row.id, row.clone());
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &ActionRow> {
        self.0.values()
    }
}

/// The order as it is given to the other engine; none where nothing there answers the same trouble.
pub(super) fn translated(command: &Command, recorded: &Actions, other: &Actions) -> Option<Command> {
    let same = |action: &ActionId, fits: fn(&ActionRow) -> bool| {
        let was = recorded.0.get(action)?;
        let mut fitting = other.0.values().rev().filter(|row| fits(row) && alike(&row.change, &was.change));
        fitting.next().map(|row| (row.id, row.version))
    };
    let order = match &command.order {
        Order::Approve { action, .. } => {
            let (action, version) = same(action, waits)?;
            Order::Approve { action, version }
        }
        Order::Reject { action, reason, .. } => {
            let (action, version) = same(action, waits)?;
            Order::Reject { action, version, reason: reason.clone() }
        }
        Order::Override { action, change, .. } => {
            let (action, version) = same(action, waits)?;
            Order::Override { action, version, change: change.clone() }
        }
        Order::Undo { action, .. } => {
            let (action, version) = same(action, |row| row.undoable)?;
            Order::Undo { action, version }
        }
        Order::Reopen { action, .. } => {
            let (action, version) = same(action, |row| row.rests_until.is_some())?;
            Order::Reopen { action, version }
        }
        Order::SetAutonomy { .. } | Order::SetAdoption { .. } | Order::SetKillSwitch { .. } => command.order.clone(),
        Order::Skip { .. } => return None,
    };
    Some(Command { operator: command.operator.clone(), order })
}

fn waits(row: &ActionRow) -> bool {
    row.status == ActionStatus::Pending
}

/// Whether two changes answer the same trouble.
fn alike(one: &Change, other: &Change) -> bool {
    match (one, other) {
        (Change::ReorderPriority { moves }, Change::ReorderPriority { moves: others }) => {
            moves.iter().any(|one| others.iter().any(|other| one.profile == other.profile))
        }
        (Change::ExcludeAccount { account }, Change::ExcludeAccount { account: other })
        | (Change::RestoreAccount { account }, Change::RestoreAccount { account: other }) => account == other,
        (Change::Scale { from, to }, Change::Scale { from: other_from, to: other_to }) => {
            (from < to) == (other_from < other_to)
        }
        (
            Change::SetArm { experiment, arm, to, .. },
            Change::SetArm { experiment: other, arm: other_arm, to: other_to, .. },
        ) => (experiment, arm, to) == (other, other_arm, other_to),
        _ => false,
    }
}
