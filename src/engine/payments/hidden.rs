//! Payments of which the switch made attempts that no event told of: they wait to be asked for.
//!
//! The newest comes first: where more are hidden than can be asked for, what is fresh says how things are now, and the rest
//! waits until the rush is over. Where too many wait, the oldest goes.

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use super::Key;
use crate::domain::{PaymentId, ProfileId, Time};

/// A payment with hidden attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// The merchant.
    pub profile: ProfileId,
    /// The payment.
    pub payment: PaymentId,
    /// Attempts known to have been made, the hidden ones among them.
    pub made: u16,
    /// When the first of them became known, by the log's time.
    pub since: Time,
}

/// Those that wait.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Waiting {
    by_key: OrdMap<Key, Hidden>,
    by_age: OrdSet<(Time, Key)>,
}

impl Waiting {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// All of them, the newest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Hidden> {
        self.by_age.iter().rev().filter_map(|(_, key)| self.by_key.get(key))
    }

    /// A payment waits from now on; one that does already keeps its place. Returns how many had to go for it.
    pub(crate) fn note(&mut self, key: Key, hidden: Hidden, max: usize) -> usize {
        if let Some(known) = self.by_key.get_mut(&key) {
            known.made = known.made.max(hidden.made);
            return 0;
        }
        self.by_age.insert((hidden.since, key));
        self.by_key.insert(key, hidden);
        self.keep(max)
    }

    /// A payment waits no longer, where no more attempts of it than these are known to have been made.
    pub(crate) fn settle(&mut self, key: Key, made: u16) {
        if self.by_key.get(&key).is_some_and(|hidden| hidden.made <= made)
            && let Some(hidden) = self.by_key.remove(&key)
        {
            self.by_age.remove(&(hidden.since, key));
        }
    }

    /// The oldest go until no more wait than allowed. Returns how many went.
    pub(crate) fn keep(&mut self, max: usize) -> usize {
        let mut gone = 0;
        while self.by_key.len() > max
            && let Some((_, key)) = self.by_age.remove_min()
        {
            self.by_key.remove(&key);
            gone += 1;
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(number: u16, second: i64) -> (Key, Hidden) {
        let (profile, payment) = (ProfileId::parse("pro_1").unwrap(), PaymentId::parse(&format!("pay_{number}")).unwrap());
        (Key::of(&profile, &payment), Hidden { profile, payment, made: 2, since: Time::from_secs(second) })
    }

    #[test]
    fn the_newest_is_first_and_the_oldest_goes_first() {
        let mut waiting = Waiting::default();
        for (number, second) in [(1, 30), (2, 10), (3, 20), (2, 40)] {
            let (key, one) = hidden(number, second);
            assert_eq!(waiting.note(key, one, 3), 0);
        }
        let order = |waiting: &Waiting| waiting.iter().map(|one| one.payment.to_string()).collect::<Vec<_>>();
        assert_eq!(order(&waiting), ["pay_1", "pay_3", "pay_2"], "one that waits already keeps its place");
        let (key, one) = hidden(4, 50);
        assert_eq!(waiting.note(key, one, 3), 1);
        assert_eq!(order(&waiting), ["pay_4", "pay_1", "pay_3"]);
        assert_eq!((waiting.keep(0), waiting.len(), waiting.by_age.len()), (3, 0, 0));
    }

    #[test]
    fn one_is_settled_for_the_attempts_that_were_asked_for_alone() {
        let (mut waiting, (key, one)) = (Waiting::default(), hidden(1, 10));
        waiting.note(key, one.clone(), 9);
        waiting.note(key, Hidden { made: 3, ..one }, 9);
        waiting.settle(key, 2);
        assert_eq!(waiting.len(), 1, "a third attempt was made meanwhile");
        waiting.settle(key, 3);
        assert_eq!((waiting.len(), waiting.by_age.len()), (0, 0));
    }
}
