//! What was turned down rests: it is not proposed again for a while.
//!
//! What a person rejects rests by its subject, for one merchant more or less is the same repair. What a person takes back
//! rests for the merchants it was made for: an override may have moved one of three, and the others still need theirs.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Subject;
use crate::domain::{Change, ProfileId, Time};

/// What rests, and until when.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Rest {
    subject: Subject,
    /// For these merchants alone; empty: altogether.
    merchants: Vec<ProfileId>,
    until: Time,
}

/// All that rests.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Rests(Vec<Rest>);

impl Rests {
    /// Lets a subject rest altogether.
    pub(super) fn put(&mut self, subject: Subject, at: Time, quiet: Duration) {
        self.0.retain(|rest| rest.until > at && rest.subject != subject);
        self.0.push(Rest { subject, merchants: Vec::new(), until: at + quiet });
    }

    /// Lets a repair that is taken back rest for whom it was made; whatever else, altogether.
    pub(super) fn put_undone(&mut self, subject: Subject, undone: &Change, at: Time, quiet: Duration) {
        let (Subject::Repair(_), Change::ReorderPriority { moves }) = (&subject, undone) else {
            return self.put(subject, at, quiet);
        };
        let merchants = moves.iter().map(|one| one.profile.clone()).collect();
        self.0.retain(|rest| rest.until > at);
        self.0.push(Rest { subject, merchants, until: at + quiet });
    }

    /// Whether a subject rests altogether.
    pub(super) fn holds(&self, subject: &Subject, at: Time) -> bool {
        self.now(at).any(|rest| rest.subject == *subject && rest.merchants.is_empty())
    }

    /// Whether a subject rests for a merchant, though not altogether.
    pub(crate) fn holds_for(&self, subject: &Subject, merchant: &ProfileId, at: Time) -> bool {
        self.now(at).any(|rest| rest.subject == *subject && rest.merchants.contains(merchant))
    }

    /// Until when a subject rests, altogether or for a merchant.
    pub(super) fn until(&self, subject: &Subject, at: Time) -> Option<Time> {
        self.now(at).filter(|rest| rest.subject == *subject).map(|rest| rest.until).max()
    }

    /// Lets a subject be proposed again, altogether and for every merchant.
    pub(super) fn lift(&mut self, subject: &Subject) {
        self.0.retain(|rest| rest.subject != *subject);
    }

    /// How many repairs rest, and when the first of them may be proposed again.
    pub(crate) fn told(&self, at: Time) -> Option<(usize, Time)> {
        Some((self.now(at).count(), self.now(at).map(|rest| rest.until).min()?))
    }

    fn now(&self, at: Time) -> impl Iterator<Item = &Rest> {
        self.0.iter().filter(move |rest| at < rest.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PriorityMove;
    use crate::engine::monitor::Slice;

    #[test]
    fn what_is_taken_back_rests_for_whom_it_was_made_and_what_is_rejected_for_all() {
        let (repair, quiet) = (Subject::Repair(Slice::Connector(1)), Duration::from_mins(10));
        let merchant = |name| ProfileId::parse(name).unwrap();
        let one = PriorityMove { profile: merchant("pro_1"), before: Vec::new(), after: Vec::new() };
        let undone = Change::ReorderPriority { moves: vec![one] };
        let second = Time::from_secs;
        let mut rests = Rests::default();
        rests.put_undone(repair.clone(), &undone, second(0), quiet);
        let held = |rests: &Rests, at| ["pro_1", "pro_2"].map(|name| rests.holds_for(&repair, &merchant(name), second(at)));
        assert_eq!((held(&rests, 1), rests.holds(&repair, second(1))), ([true, false], false));
        rests.put(repair.clone(), second(100), quiet);
        assert!(rests.holds(&repair, second(101)), "altogether");
        assert_eq!(rests.told(second(101)), Some((1, second(700))));
        assert_eq!((rests.holds(&repair, second(700)), rests.told(second(700))), (false, None));
        assert_eq!((rests.until(&repair, second(101)), rests.until(&repair, second(700))), (Some(second(700)), None));
        rests.lift(&repair);
        assert!(!rests.holds(&repair, second(101)) && rests.told(second(101)).is_none());
    }
}
