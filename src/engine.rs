//! The engine: a pure function of the log.

pub mod snapshot;

pub use snapshot::Snapshot;

use crate::domain::{Act, EffectId};

/// What folding an entry asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Something to do in the world; the leader appends its intent first.
    Act {
        /// Its identity.
        id: EffectId,
        /// What to do.
        act: Act,
    },
    /// A row for the tables: an incident as it now stands.
    Incident(Box<snapshot::IncidentRow>),
    /// A row for the tables: an action as it now stands.
    Action(Box<snapshot::ActionRow>),
}
