//! The shadow ledger: what proposals that nobody executed would have saved, or harmed.
//!
//! From the moment it is proposed, and at `observe` from the moment it would have been, every repair is followed in the
//! traffic itself: each recorded decision it would have turned elsewhere is compared with what became of the attempt. The
//! other side is not known, so it is estimated ([`Tally`]): by what the decision itself expected of the account it would
//! have gone to, corrected by what the attempts that did go to that connector meanwhile came to. Nothing here proposes,
//! executes or teaches: it only counts.

mod week;

use core::time::Duration;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use week::Weeks;

use super::Subject;
use crate::domain::settings::Rates;
use crate::domain::{
    ActionClass, ActionId, Approach, Candidate, Change, ConnectorAccount, Decision, IncidentId, Position, Time,
};
use crate::engine::detect::Incidents;
use crate::engine::snapshot::{Hindsight, Shadows};
use crate::engine::tally::{Attempted, Tally};

/// Repairs followed at once: more than a war room could read. Beyond it the oldest is closed.
const OPEN: usize = 64;
/// Closed ones kept for the dialog of their action, as many as actions that are over are kept.
const CLOSED: usize = 100;
/// A repair is followed while its incident is open and so long at least: before that nothing moved goes back by itself.
const LEAST: Duration = Duration::from_mins(5);
/// And so long at most: what a change would have led to is less and less what is seen without it.
const MOST: Duration = Duration::from_hours(1);
/// Outcomes of attempts decided meanwhile may come so much later: longer than any time-out of a connector.
const LATE: Duration = Duration::from_mins(2);

/// One repair that was not executed, followed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shadow {
    subject: Subject,
    /// The action that proposes it; none where nothing is proposed (`observe`).
    action: Option<ActionId>,
    change: Change,
    incident: Option<IncidentId>,
    since: Time,
    from: Position,
    /// Decisions after this are not turned any more, and since when.
    until: Option<(Position, Time)>,
    /// All it would have turned: what its dialog shows.
    own: Tally,
    /// What of that no older repair has counted: what the week is told.
    counted: Tally,
}

/// All repairs that are followed, those closed lately, and the sums of the weeks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Shadowed {
    open: Vec<Shadow>,
    closed: VecDeque<Shadow>,
    weeks: Weeks,
}

/// A repair as it is proposed, or would be.
pub(super) struct Followed<'d> {
    pub(super) subject: &'d Subject,
    pub(super) change: &'d Change,
    pub(super) incident: Option<IncidentId>,
    pub(super) action: Option<ActionId>,
}

impl Shadowed {
    /// Follows a repair from here on. One that is followed already is brought up to date; another one about the same
    /// subject ends, for the same traffic must not be turned twice.
    pub(super) fn follow(&mut self, repair: &Followed<'_>, position: Position, at: Time) {
        if !can_be_judged(repair.change) {
            return;
        }
        let current = |shadow: &&mut Shadow| shadow.until.is_none() && shadow.subject == *repair.subject;
        if let Some(shadow) = self.open.iter_mut().find(current) {
            if shadow.action == repair.action || repair.action.is_none() {
                shadow.change.clone_from(repair.change);
                return;
            }
            shadow.until = Some((position, at));
        }
        if self.open.len() >= OPEN {
            let oldest = self.open.remove(0);
            self.close(oldest, at);
        }
        self.open.push(Shadow {
            subject: repair.subject.clone(),
            action: repair.action,
            change: repair.change.clone(),
            incident: repair.incident,
            since: at,
            from: position,
            until: None,
            own: Tally::default(),
            counted: Tally::default(),
        });
    }

    /// An action is executed: it is no shadow any more.
    pub(super) fn executed(&mut self, action: ActionId) {
        self.open.retain(|shadow| shadow.action != Some(action));
        self.closed.retain(|shadow| shadow.action != Some(action));
    }

    /// Whether any attempt is to be told of.
    pub(crate) fn is_watching(&self) -> bool {
        !self.open.is_empty()
    }

    /// An attempt ended: each repair that would have turned it elsewhere counts it, and each learns how its connector did.
    pub(crate) fn saw(&mut self, attempted: &Attempted<'_>) {
        let mut counted = false;
        for shadow in &mut self.open {
            let decision = attempted.decision;
            if decision.view < shadow.from || shadow.until.is_some_and(|(until, _)| decision.view > until) {
                continue;
            }
            if let Some(other) = elsewhere(decision, &shadow.change) {
                shadow.own.turn(attempted, other);
                if !core::mem::replace(&mut counted, true) {
                    shadow.counted.turn(attempted, other);
                }
            }
            shadow.own.learn(attempted);
            shadow.counted.learn(attempted);
        }
    }

    /// Time passed: repairs whose trouble is over end, and what has ended is booked once nobody can execute it any more.
    pub(super) fn tick(&mut self, incidents: &Incidents, waits: impl Fn(ActionId) -> bool, (position, at): (Position, Time)) {
        for shadow in self.open.iter_mut().filter(|shadow| shadow.until.is_none()) {
            let followed = at.since(shadow.since);
            let incident = shadow.incident.and_then(|id| incidents.get(id)).filter(|incident| incident.is_open());
            let over = shadow.incident.is_some() && incident.is_none() && followed >= LEAST;
            if over || followed >= MOST {
                shadow.until = Some((position, at));
            }
        }
        let done = |shadow: &Shadow| {
            let heard = shadow.until.is_some_and(|(_, since)| at.since(since) >= LATE);
            heard && !shadow.action.is_some_and(&waits)
        };
        let (ended, open): (Vec<Shadow>, Vec<Shadow>) = core::mem::take(&mut self.open).into_iter().partition(done);
        self.open = open;
        for shadow in ended {
            self.close(shadow, at);
        }
    }

    fn close(&mut self, shadow: Shadow, at: Time) {
        self.weeks.book(shadow.change.class(), &shadow.counted, at);
        if shadow.action.is_some() {
            self.closed.push_back(shadow);
        }
        while self.closed.len() > CLOSED {
            self.closed.pop_front();
        }
    }

    /// What each proposal would have brought, had it been approved when it was proposed.
    pub(crate) fn hindsights(&self, rates: &Rates) -> Vec<Hindsight> {
        let told = |shadow: &Shadow| {
            let estimate = shadow.own.estimate(rates);
            Some(Hindsight { action: shadow.action?, since: shadow.since, until: shadow.until.map(|(_, at)| at), estimate })
        };
        let mut rows: Vec<Hindsight> = self.closed.iter().chain(&self.open).filter_map(told).collect();
        rows.sort_by_key(|row| row.action);
        rows
    }

    /// The week's sums: what is booked, and what is still followed.
    pub(crate) fn view(&self, rates: &Rates, at: Time) -> Shadows {
        let open: Vec<(ActionClass, &Tally)> =
            self.open.iter().map(|shadow| (shadow.change.class(), &shadow.counted)).collect();
        self.weeks.view(&open, rates, at)
    }
}

/// Whether recorded decisions can tell what a change would have turned. Instances carry payments and do not route them; an
/// account that is restored has no place in the order of the decisions made without it.
const fn can_be_judged(change: &Change) -> bool {
    matches!(change, Change::ReorderPriority { .. } | Change::ExcludeAccount { .. })
}

/// Where a decision would have gone had a change been made; none where it would have gone where it went. A probe and a
/// draw of the uniform slice would have been the same.
fn elsewhere<'d>(decision: &'d Decision, change: &Change) -> Option<&'d Candidate> {
    if !matches!(decision.approach, Approach::Priority | Approach::Bandit | Approach::Single | Approach::Static) {
        return None;
    }
    let chosen = &decision.chosen().account;
    let mut open = decision.candidates.iter().filter(|candidate| candidate.excluded.is_none());
    let other = match change {
        Change::ReorderPriority { moves } => {
            let after = &moves.iter().find(|m| m.profile == decision.request.profile)?.after;
            let place = |account: &ConnectorAccount| after.iter().position(|one| one == account).unwrap_or(after.len());
            open.min_by_key(|candidate| place(&candidate.account))?
        }
        Change::ExcludeAccount { account } if account == chosen => open.find(|candidate| candidate.account != *account)?,
        Change::ExcludeAccount { .. } | Change::RestoreAccount { .. } | Change::Scale { .. } | Change::SetArm { .. } => {
            return None;
        }
    };
    (other.account != *chosen).then_some(other)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::testing::{self, account, profile};
    use crate::domain::{Exclusion, PriorityMove};

    fn decision(approach: Approach, accounts: &[(&str, Option<Exclusion>)]) -> Decision {
        let candidate =
            |(name, excluded): &(&str, Option<Exclusion>)| Candidate { excluded: *excluded, ..testing::candidate(name, 0.8) };
        let view = Position { record: 5, index: 0 };
        Decision { view, approach, ..testing::decision(accounts.iter().map(candidate).collect()) }
    }

    fn reorder(after: &[&str]) -> Change {
        let accounts: Vec<ConnectorAccount> = after.iter().map(|name| account(name)).collect();
        let before = accounts.iter().rev().cloned().collect();
        Change::ReorderPriority { moves: vec![PriorityMove { profile: profile(), before, after: accounts }] }
    }

    #[test]
    fn a_change_turns_only_what_it_would_have_turned() {
        let check = |approach, accounts: &[(&str, Option<Exclusion>)], change: &Change, expected: Option<&str>| {
            let decision = decision(approach, accounts);
            let other = elsewhere(&decision, change).map(|candidate| candidate.account.as_str());
            assert_eq!(other, expected, "{approach:?} {accounts:?} {change:?}");
        };
        let both = [("adyen:a", None), ("stripe:s", None)];
        let moved = reorder(&["stripe:s", "adyen:a"]);
        check(Approach::Priority, &both, &moved, Some("stripe:s"));
        check(Approach::Probe, &both, &moved, None);
        check(Approach::Uniform, &both, &moved, None);
        check(Approach::Priority, &both, &reorder(&["adyen:a", "stripe:s"]), None);
        check(Approach::Priority, &[("adyen:a", None), ("stripe:s", Some(Exclusion::Currency))], &moved, None);
        let exclude = |name| Change::ExcludeAccount { account: account(name) };
        check(Approach::Priority, &both, &exclude("adyen:a"), Some("stripe:s"));
        check(Approach::Bandit, &both, &exclude("stripe:s"), None);
        check(Approach::Single, &[("adyen:a", None), ("stripe:s", Some(Exclusion::Operator))], &exclude("adyen:a"), None);
        check(Approach::Priority, &both, &Change::Scale { from: 2, to: 3 }, None);
    }

    #[test]
    fn what_is_executed_or_replaced_is_not_counted_twice() {
        let (mut ledger, change) = (Shadowed::default(), reorder(&["stripe:s", "adyen:a"]));
        let subject = Subject::Repair(crate::engine::monitor::Slice::Connector(0));
        let repair = |action| Followed { subject: &subject, change: &change, incident: None, action };
        let at = |record| (Position { record, index: 0 }, Time::from_secs(i64::try_from(record).unwrap()));
        ledger.follow(&repair(None), at(1).0, at(1).1);
        ledger.follow(&repair(None), at(2).0, at(2).1);
        assert_eq!(ledger.open.len(), 1, "the same repair, still");
        ledger.follow(&repair(Some(ActionId(1))), at(3).0, at(3).1);
        let decided = Arc::new(decision(Approach::Priority, &[("adyen:a", None), ("stripe:s", None)]));
        ledger.saw(&Attempted { decision: &decided, approved: false, amount: None });
        let turned: Vec<u64> = ledger.open.iter().map(|shadow| shadow.own.turned()).collect();
        assert_eq!(turned, [0, 1], "the first ended when the second began");
        ledger.executed(ActionId(1));
        assert_eq!(ledger.open.len(), 1);
        let (none, late) = (Incidents::default(), Time::from_secs(4_000));
        ledger.tick(&none, |_| false, (Position { record: 9, index: 0 }, late));
        assert!(ledger.open.is_empty() && ledger.hindsights(&Rates::default()).is_empty());
    }
}
