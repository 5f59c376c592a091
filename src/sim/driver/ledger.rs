//! What the engine noticed and proposed in a run, complete: a snapshot shows the newest alone.

use std::collections::BTreeMap;

use crate::domain::{ActionId, IncidentId};
use crate::engine::Effect;
use crate::engine::snapshot::{ActionRow, IncidentRow};

/// Every incident and action of a run, each as its last entry left it.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Incidents, in the order they were opened.
    pub incidents: BTreeMap<IncidentId, IncidentRow>,
    /// Actions, in the order they were proposed.
    pub actions: BTreeMap<ActionId, ActionRow>,
}

impl Ledger {
    /// Takes note of an effect that tells of either.
    pub(in crate::sim) fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::Incident(row) => _ = self.incidents.insert(row.id, (**row).clone()),
            Effect::Action(row) => _ = self.actions.insert(row.id, (**row).clone()),
            Effect::Act { .. } => {}
        }
    }
}
