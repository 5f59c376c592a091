//! What a verification judges by: the attempts that were sent after the change was made.
//!
//! An answer that comes after the change to an attempt that was sent before it says nothing of the change: in an outage
//! such answers, all of them failures, come for as long as a connector lets its callers wait.

use serde::{Deserialize, Serialize};

use super::{Healer, Phase};
use crate::domain::{ActionId, DeclineClass, ProfileId, Time};
use crate::engine::monitor::Sums;
use crate::engine::route::RoutingView;

/// How an attempt ended, as a verification counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With an answer: the class of its failure; none: approved.
    Answered(Option<DeclineClass>),
    /// Without one.
    Unanswered,
}

/// The touched merchants' attempts since a change was made. One for each change that is being verified.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Evidence {
    /// The action that made it.
    pub(super) action: ActionId,
    since: Time,
    /// The merchants' numbers, ascending.
    merchants: Vec<u32>,
    approved: u64,
    failed: u64,
    unanswered: u64,
}

impl Evidence {
    /// The attempts that are judged, approved and failed.
    pub(super) fn sums(&self) -> Sums {
        Sums { approved: self.approved, failed: self.failed, ..Sums::default() }
    }

    /// Those that ended without an answer.
    pub(super) const fn unanswered(&self) -> u64 {
        self.unanswered
    }

    fn count(&mut self, end: End) {
        match end {
            End::Answered(None) => self.approved += 1,
            // For the customer's reasons: it would have failed anywhere.
            End::Answered(Some(DeclineClass::User | DeclineClass::ScaRequired | DeclineClass::DataError)) => {}
            End::Answered(Some(_)) => self.failed += 1,
            End::Unanswered => self.unanswered += 1,
        }
    }
}

impl Healer {
    /// Gathers evidence on a change from now on.
    pub(super) fn gather(&mut self, action: ActionId, since: Time, view: &RoutingView) {
        let Some(row) = self.actions.get(&action).map(|action| &action.row) else { return };
        let number = |profile: &ProfileId| view.profiles.get(profile);
        let mut merchants: Vec<u32> = row.blast.merchants.iter().filter_map(number).collect();
        merchants.sort_unstable();
        self.evidence.push(Evidence { action, since, merchants, approved: 0, failed: 0, unanswered: 0 });
    }

    /// An attempt of a merchant ended that was sent at a time.
    pub(crate) fn witness(&mut self, merchant: u32, sent_at: Time, end: End) {
        let after = |evidence: &&mut Evidence| sent_at > evidence.since && evidence.merchants.binary_search(&merchant).is_ok();
        self.evidence.iter_mut().filter(after).for_each(|evidence| evidence.count(end));
    }

    /// Forgets the evidence on changes that are no longer verified.
    pub(super) fn forget_evidence(&mut self) {
        let actions = &self.actions;
        let verified = |id: ActionId| actions.get(&id).is_some_and(|action| matches!(action.phase, Phase::Verifying { .. }));
        self.evidence.retain(|evidence| verified(evidence.action));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sent_after_the_change_by_its_merchants_counts() {
        let at = Time::from_secs;
        let evidence =
            Evidence { action: ActionId(1), since: at(100), merchants: vec![2, 5], approved: 0, failed: 0, unanswered: 0 };
        let mut healer = Healer { evidence: vec![evidence], ..Healer::default() };
        let failed = End::Answered(Some(DeclineClass::Gateway));
        for (merchant, sent_at, end) in [
            (2, 99, failed),
            (2, 100, failed),
            (3, 101, failed),
            (5, 101, failed),
            (5, 102, End::Answered(Some(DeclineClass::User))),
            (2, 102, End::Answered(None)),
            (2, 103, End::Unanswered),
        ] {
            healer.witness(merchant, at(sent_at), end);
        }
        let gathered = &healer.evidence[0];
        assert_eq!((gathered.sums().approved, gathered.sums().failed, gathered.unanswered()), (1, 1, 1));
        healer.forget_evidence();
        assert!(healer.evidence.is_empty(), "its action is not verified any more");
    }
}
