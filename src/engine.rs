//! The engine: a pure function of the log.
//!
//! [`apply()`] folds one entry into [`State`]; it has no clock, no IO and no entropy, and it cannot fail. What should
//! happen in the world comes out as [`Effect`]s. The same log gives the same state, byte for byte, on every replica.

mod analyse;
mod apply;
mod caution;
mod detect;
mod experiments;
mod feed;
mod heal;
mod hidden;
pub mod learn;
mod monitor;
mod names;
mod payments;
pub mod route;
mod scale;
mod shadow;
pub mod snapshot;
mod state;
mod tally;

pub use apply::apply;
pub use payments::{Hidden, Key as PaymentKey, KnownEnd};
pub use route::{NoCandidate, RoutingView, decide};
pub use snapshot::{Snapshot, snapshot};
pub use state::{RestoreError, State};
pub(crate) use tally::{Attempted, TRANSFER, Tally, Uncertain, to_money};

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
    /// A row for the tables: an incident as it now stands. While it is open, on each change of its severity, and when its
    /// worst is worse or an action was proposed against it, at most every ten seconds.
    Incident(Box<snapshot::IncidentRow>),
    /// A row for the tables: an action as it now stands.
    Action(Box<snapshot::ActionRow>),
}
