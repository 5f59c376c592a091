//! An operator, who looks at a screen now and then and gives a command.

use super::{Ask, Duration, Event, World, below, between, chance};
use crate::domain::{ActionClass, Autonomy, Body, Command, OperatorName, Order};
use crate::engine;
use crate::engine::snapshot::{ActionRow, ActionStatus};

/// Commands that set a level of autonomy.
const LEVEL_SHARE: f64 = 0.3;

impl World {
    /// Gives one command at a replica that runs.
    pub(super) fn operate(&mut self) {
        if self.calm {
            return;
        }
        let next = between(&mut self.operator, Duration::from_secs(1), Duration::from_secs(7));
        self.after(next, Event::Operate);
        let replica = below(&mut self.operator, self.replicas.len());
        let Some(process) = &self.replicas[replica].process else { return };
        let order = if chance(&mut self.operator, LEVEL_SHARE) {
            let class = ActionClass::ALL[below(&mut self.operator, ActionClass::ALL.len())];
            let level = Autonomy::ALL[below(&mut self.operator, Autonomy::ALL.len())];
            Some(Order::SetAutonomy { class: Some(class), level })
        } else {
            let actions = engine::snapshot(&process.state).actions;
            let open = |row: &&ActionRow| row.status == ActionStatus::Pending || row.undoable;
            let open: Vec<&ActionRow> = actions.iter().filter(open).collect();
            (!open.is_empty()).then(|| {
                let row = open[below(&mut self.operator, open.len())];
                let (action, version) = (row.id, row.version);
                match (row.status == ActionStatus::Pending, below(&mut self.operator, 4)) {
                    (false, _) => Order::Undo { action, version },
                    (true, 0) => Order::Reject { action, version, reason: "not now".into() },
                    (true, _) => Order::Approve { action, version },
                }
            })
        };
        let Ok(operator) = OperatorName::parse("vopr") else { return };
        if let Some(order) = order {
            let pid = self.pid(replica);
            self.ask(pid, Ask::Behind(0, Body::Commanded(Command { operator, order })));
        }
    }
}
