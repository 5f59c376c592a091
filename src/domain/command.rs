//! What operators may order. A command carries who gave it and what they were looking at.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{ActionClass, ActionId, Autonomy, Change, OperatorName, Position, ProfileId};

/// What a key or a session may do; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Approves, rejects, overrides, undoes.
    Operator,
    /// Sets autonomy and configuration.
    Admin,
}

impl Role {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A command, as it enters the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Who gave it.
    pub operator: OperatorName,
    /// What is ordered.
    pub order: Order,
}

/// What is ordered. `version` is the version of the action the operator was shown; a newer one refuses the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Execute a pending action.
    Approve {
        /// The action.
        action: ActionId,
        /// The version shown.
        version: u32,
    },
    /// Turn a pending action down.
    Reject {
        /// The action.
        action: ActionId,
        /// The version shown.
        version: u32,
        /// Why, in the operator's words, at most 200 characters.
        reason: CompactString,
    },
    /// Execute this change instead of the one a pending action proposes; of the same class.
    Override {
        /// The action.
        action: ActionId,
        /// The version shown.
        version: u32,
        /// The change to make.
        change: Change,
    },
    /// Take back an action that was executed.
    Undo {
        /// The action.
        action: ActionId,
        /// The version shown.
        version: u32,
    },
    /// Set the level of autonomy of one class of action, or of all.
    SetAutonomy {
        /// The class; all when absent.
        class: Option<ActionClass>,
        /// The level.
        level: Autonomy,
    },
    /// Leave out an entry that cannot be folded: every replica that halts at it goes on behind it.
    Skip {
        /// Where it stands.
        position: Position,
        /// Why, in the operator's words, at most 200 characters.
        reason: CompactString,
    },
    /// Set how much of the traffic the engine routes.
    SetAdoption {
        /// The merchant it is about, which then has exactly what is given here and follows all in the rest; of all when
        /// absent, where what is not given stays as it is.
        profile: Option<ProfileId>,
        /// Share of payments that the engine routes, percent, 0 to 100.
        dial: Option<u8>,
        /// Whether the static order is answered and the engine's choice recorded beside it.
        shadow: Option<bool>,
    },
    /// Pull the kill switch, so that everything gets the static order at once, or release it.
    SetKillSwitch {
        /// Pulled, or released.
        pulled: bool,
        /// Why, in the operator's words, at most 200 characters.
        reason: CompactString,
    },
    /// Let what an action proposed, and what now rests, be proposed again.
    Reopen {
        /// The action that was turned down, that lapsed or that was taken back.
        action: ActionId,
        /// The version shown.
        version: u32,
    },
}
