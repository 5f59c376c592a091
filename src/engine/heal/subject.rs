//! What an action is about, and what of it still stands.
//!
//! One proposal is open for each subject, and what a person turned down rests by its subject: one merchant more or less
//! is the same repair.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::domain::change::ArmState;
use crate::domain::{Change, ConnectorAccount};
use crate::engine::monitor::Slice;

/// What an action is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// Traffic off what fails.
    Repair(Slice),
    /// Traffic back to what has recovered.
    Return(Slice),
    /// An excluded account back into routing.
    Restore(ConnectorAccount),
    /// Instances more, or fewer.
    Scale {
        /// More.
        up: bool,
    },
    /// An arm of an experiment.
    Arm {
        /// The experiment.
        experiment: CompactString,
        /// The arm.
        arm: CompactString,
        /// What it shall be.
        to: ArmState,
    },
}

impl Subject {
    /// Whether it takes back what was done for safety: that may wait, and a repair must not.
    pub(crate) const fn is_way_back(&self) -> bool {
        matches!(self, Self::Return(_) | Self::Restore(_))
    }
}

/// What of a change still stands after another one was made; none when nothing does.
pub(super) fn standing_after(standing: &Change, made: &Change) -> Option<Change> {
    match (standing, made) {
        (Change::ReorderPriority { moves }, Change::ReorderPriority { moves: made }) => {
            let left: Vec<_> =
                moves.iter().filter(|one| !made.iter().any(|other| other.profile == one.profile)).cloned().collect();
            (!left.is_empty()).then_some(Change::ReorderPriority { moves: left })
        }
        (
            Change::ExcludeAccount { account } | Change::RestoreAccount { account },
            Change::ExcludeAccount { account: other } | Change::RestoreAccount { account: other },
        ) if account == other => None,
        (Change::Scale { .. }, Change::Scale { .. }) => None,
        (Change::SetArm { experiment, arm, .. }, Change::SetArm { experiment: other, arm: made, .. })
            if experiment == other && arm == made =>
        {
            None
        }
        _ => Some(standing.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{PriorityMove, ProfileId};

    #[test]
    fn a_later_change_takes_over_what_it_touches_and_leaves_the_rest() {
        let account = |name| ConnectorAccount::parse(name).unwrap();
        let moved = |names: &[&str]| Change::ReorderPriority {
            moves: names
                .iter()
                .map(|name| PriorityMove {
                    profile: ProfileId::parse(name).unwrap(),
                    before: vec![account("adyen:a"), account("stripe:s")],
                    after: vec![account("stripe:s"), account("adyen:a")],
                })
                .collect(),
        };
        let exclude = Change::ExcludeAccount { account: account("adyen:a") };
        let check = |standing: &Change, made: &Change, left: Option<Change>| {
            assert_eq!(standing_after(standing, made), left, "{standing:?} after {made:?}");
        };
        check(&moved(&["pro_1", "pro_2"]), &moved(&["pro_2", "pro_3"]), Some(moved(&["pro_1"])));
        check(&moved(&["pro_1"]), &moved(&["pro_1"]).inverse(), None);
        check(&moved(&["pro_1"]), &exclude, Some(moved(&["pro_1"])));
        check(&exclude, &exclude.inverse(), None);
        check(&Change::Scale { from: 2, to: 3 }, &Change::Scale { from: 3, to: 4 }, None);
    }
}
