//! What a fold tells of incidents and actions, for a report.

use std::collections::BTreeMap;

use crate::domain::{ActionId, IncidentId};
use crate::engine::Effect;
use crate::engine::snapshot::{ActionRow, IncidentRow};

/// Incidents and actions that a fold told of, each as it was told last.
#[derive(Debug, Clone, Default)]
pub struct News {
    /// Incidents.
    pub incidents: BTreeMap<IncidentId, IncidentRow>,
    /// Actions.
    pub actions: BTreeMap<ActionId, ActionRow>,
}

impl News {
    pub(super) fn hear(&mut self, effect: Effect) {
        match effect {
            Effect::Incident(row) => drop(self.incidents.insert(row.id, *row)),
            Effect::Action(row) => drop(self.actions.insert(row.id, *row)),
            // What was to be done in the world was done then, or not.
            Effect::Act { .. } => {}
        }
    }
}
