//! What an action changes in the world: the whole content of a proposal, an intent and an undo.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{ConnectorAccount, ProfileId};

/// One merchant's fixed priority list, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityMove {
    /// The merchant.
    pub profile: ProfileId,
    /// The list as it was when this was proposed; a different one at execution refuses the change.
    pub before: Vec<ConnectorAccount>,
    /// The list as it shall be.
    pub after: Vec<ConnectorAccount>,
}

/// A change that routing cannot make by itself. Every one is set-state: repeating it changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Reorder the priority lists of pinned merchants.
    ReorderPriority {
        /// The merchants it touches, at least one.
        moves: Vec<PriorityMove>,
    },
    /// Take a connector account out of routing, but for probes.
    ExcludeAccount {
        /// The account.
        account: ConnectorAccount,
    },
    /// Put an excluded connector account back.
    RestoreAccount {
        /// The account.
        account: ConnectorAccount,
    },
    /// Change the number of instances of the switch, by one.
    Scale {
        /// Instances now.
        from: u16,
        /// Instances wanted.
        to: u16,
    },
    /// Stop an arm of an experiment, promote it to all of the experiment's scope, or let it run again.
    SetArm {
        /// The experiment.
        experiment: CompactString,
        /// The arm.
        arm: CompactString,
        /// What it is now.
        from: ArmState,
        /// What it shall be.
        to: ArmState,
    },
}

/// What an arm of an experiment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArmState {
    /// It has its share of the payments.
    Running,
    /// It has none.
    Stopped,
    /// The whole scope follows it.
    Promoted,
}

impl ArmState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Promoted => "promoted",
        }
    }
}

/// Classes of action; each has a level of autonomy of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionClass {
    /// Priority lists of pinned merchants.
    Priority,
    /// Excluding and restoring connector accounts.
    Exclusion,
    /// Instances.
    Scaling,
    /// Arms of experiments.
    Experiments,
}

impl ActionClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Priority, Self::Exclusion, Self::Scaling, Self::Experiments];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Exclusion => "exclusion",
            Self::Scaling => "scaling",
            Self::Experiments => "experiments",
        }
    }

    /// The class a word names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

impl Change {
    /// The class whose level of autonomy governs it.
    #[must_use]
    pub const fn class(&self) -> ActionClass {
        match self {
            Self::ReorderPriority { .. } => ActionClass::Priority,
            Self::ExcludeAccount { .. } | Self::RestoreAccount { .. } => ActionClass::Exclusion,
            Self::Scale { .. } => ActionClass::Scaling,
            Self::SetArm { .. } => ActionClass::Experiments,
        }
    }

    /// The kind's name, as tables and the API give it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReorderPriority { .. } => "reorder_priority",
            Self::ExcludeAccount { .. } => "exclude_account",
            Self::RestoreAccount { .. } => "restore_account",
            Self::Scale { .. } => "scale",
            Self::SetArm { to: ArmState::Running, .. } => "resume_arm",
            Self::SetArm { to: ArmState::Stopped, .. } => "stop_arm",
            Self::SetArm { to: ArmState::Promoted, .. } => "promote_arm",
        }
    }

    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        match self {
            Self::ReorderPriority { moves } => Self::ReorderPriority {
                moves: moves
                    .iter()
                    .map(|m| PriorityMove { profile: m.profile.clone(), before: m.after.clone(), after: m.before.clone() })
                    .collect(),
            },
            Self::ExcludeAccount { account } => Self::RestoreAccount { account: account.clone() },
            Self::RestoreAccount { account } => Self::ExcludeAccount { account: account.clone() },
            Self::Scale { from, to } => Self::Scale { from: *to, to: *from },
            Self::SetArm { experiment, arm, from, to } => {
                Self::SetArm { experiment: experiment.clone(), arm: arm.clone(), from: *to, to: *from }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undoing_twice_is_the_change_itself() {
        let account = ConnectorAccount::parse("adyen:mca_1").unwrap();
        let profile = ProfileId::parse("pro_1").unwrap();
        let other = ConnectorAccount::parse("stripe:mca_2").unwrap();
        let moves =
            vec![PriorityMove { profile, before: vec![account.clone(), other.clone()], after: vec![other, account.clone()] }];
        for change in [
            Change::ReorderPriority { moves },
            Change::ExcludeAccount { account: account.clone() },
            Change::RestoreAccount { account },
            Change::Scale { from: 2, to: 3 },
            Change::SetArm { experiment: "x".into(), arm: "b".into(), from: ArmState::Running, to: ArmState::Promoted },
        ] {
            assert_ne!(change.inverse(), change);
            assert_eq!(change.inverse().inverse(), change);
        }
    }
}
