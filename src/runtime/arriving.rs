//! Events that were taken in and that no published view covers yet, by their sender's id.
//!
//! A switch that waits too long for its answer sends again, at once and several times. The view knows an id a moment
//! after its event is durable; until then it is known here. Who is first makes the event durable; who comes meanwhile
//! waits for that, for it may be told "I have it" no sooner.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::{EventId, PaymentEvent, ProfileId};

/// Ids noted: at 10,000 a second two seconds' worth, far more than the view is ever behind; about 4 MB. A repeat that is
/// not noted any more is written again, counts once in the engine, and has one row in the tables.
const NOTED_MAX: usize = 20_000;

type Key = (ProfileId, EventId);

/// The ids of the latest events.
#[derive(Debug, Default)]
pub(super) struct Arriving(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// Whether it is durable: true, not yet, or (its sender gone) it did not become so.
    by_id: HashMap<Key, watch::Receiver<bool>>,
    /// The same and, until their turn comes, those given up since: each with the claim that it was noted with.
    by_age: VecDeque<(Key, watch::Receiver<bool>)>,
}

/// What is to be done with events that arrived together.
#[derive(Debug)]
pub(super) struct Claimed<'a> {
    /// To be made durable by the claimant.
    pub(super) events: Vec<PaymentEvent>,
    /// For the claimant to say that they are.
    pub(super) claim: Claim<'a>,
    /// Others' to be waited for.
    pub(super) others: Vec<(PaymentEvent, Other)>,
}

/// An event that somebody else is making durable.
#[derive(Debug)]
pub(super) struct Other(watch::Receiver<bool>);

impl Other {
    /// Waits for it; `false` where it did not become durable.
    pub(super) async fn durable(mut self) -> bool {
        self.0.wait_for(|durable| *durable).await.is_ok()
    }
}

/// The right, and the duty, to make events durable. Dropped without having done so, others may.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    arriving: &'a Arriving,
    keys: Vec<Key>,
    durable: watch::Sender<bool>,
}

impl Arriving {
    /// Divides events into those that nobody has taken in yet and those that somebody has.
    pub(super) fn claim(&self, events: Vec<PaymentEvent>) -> Claimed<'_> {
        let (durable, told) = watch::channel(false);
        let claim = Claim { arriving: self, keys: Vec::new(), durable };
        let mut claimed = Claimed { events: Vec::new(), claim, others: Vec::new() };
        let mut noted = self.noted();
        for event in events {
            let Some(id) = event.event_id.clone() else {
                claimed.events.push(event);
                continue;
            };
            let key = (event.profile.clone(), id);
            match noted.by_id.get(&key) {
                // Twice in one delivery: the first of them stands for both.
                Some(other) if other.same_channel(&told) => {}
                Some(other) => claimed.others.push((event, Other(other.clone()))),
                None => {
                    noted.note(key.clone(), told.clone());
                    claimed.claim.keys.push(key);
                    claimed.events.push(event);
                }
            }
        }
        claimed
    }

    /// Nothing here is left half done by a panic: the lock's poison means nothing.
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    fn note(&mut self, key: Key, told: watch::Receiver<bool>) {
        self.by_id.insert(key.clone(), told.clone());
        self.by_age.push_back((key, told));
        if self.by_age.len() > NOTED_MAX
            && let Some((oldest, told)) = self.by_age.pop_front()
        {
            self.forget(&oldest, &told);
        }
    }

    /// Forgets an id, unless it was given up and noted anew with another claim.
    fn forget(&mut self, key: &Key, told: &watch::Receiver<bool>) {
        if self.by_id.get(key).is_some_and(|noted| noted.same_channel(told)) {
            self.by_id.remove(key);
        }
    }
}

impl Claim<'_> {
    /// They are durable: whoever waits for them may be told, and whoever comes with them is told at once.
    pub(super) fn durable(mut self) {
        self.keys.clear();
        self.durable.send_replace(true);
    }
}

impl Drop for Claim<'_> {
    /// What did not become durable, or of which that is not known, is anybody's again.
    fn drop(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let mut noted = self.arriving.noted();
        let own = self.durable.subscribe();
        // It stays in the order of age: to look for it there would hold everybody up.
        self.keys.iter().for_each(|key| noted.forget(key, &own));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventKind, testing};

    fn event(id: Option<usize>) -> PaymentEvent {
        let event_id = id.map(|id| EventId::parse(&format!("evt_{id}")).unwrap());
        PaymentEvent { event_id, ..testing::event(EventKind::Captured) }
    }

    fn events(ids: &[usize]) -> Vec<PaymentEvent> {
        ids.iter().map(|id| event(Some(*id))).collect()
    }

    #[tokio::test]
    async fn a_repeat_waits_for_the_first_and_takes_its_place_where_that_fails() {
        let arriving = Arriving::default();
        let mut first = arriving.claim(events(&[1, 2, 1]));
        assert_eq!((first.events.len(), first.others.len()), (2, 0), "twice in one delivery is once");
        let mut repeat = arriving.claim(events(&[2, 3]));
        assert_eq!((repeat.events.len(), repeat.others.len()), (1, 1));
        let (_, other) = repeat.others.pop().unwrap();
        first.claim.durable();
        assert!(other.durable().await);
        assert!(arriving.claim(events(&[1])).events.is_empty(), "it is known until it is one of the oldest");

        let (_, other) = arriving.claim(events(&[3])).others.pop().unwrap();
        drop(repeat.claim);
        assert!(!other.durable().await, "it was given up");
        first = arriving.claim(events(&[3]));
        assert_eq!(first.events.len(), 1, "and is taken over");
    }

    #[test]
    fn an_event_without_an_id_is_never_a_repeat_and_the_oldest_ids_are_forgotten() {
        let arriving = Arriving::default();
        let both = arriving.claim(vec![event(None), event(None)]);
        assert_eq!((both.events.len(), both.claim.keys.len()), (2, 0));
        for id in 0..=NOTED_MAX {
            arriving.claim(events(&[id])).claim.durable();
        }
        let noted = arriving.noted();
        assert_eq!((noted.by_id.len(), noted.by_age.len()), (NOTED_MAX, NOTED_MAX));
        drop(noted);
        assert_eq!(arriving.claim(events(&[0])).events.len(), 1);
    }

    #[test]
    fn an_id_given_up_and_noted_anew_is_as_old_as_its_last_claim() {
        let arriving = Arriving::default();
        drop(arriving.claim(events(&[0])).claim);
        arriving.claim(events(&[0])).claim.durable();
        // The turn of the claim that was given up comes first, and forgets nothing.
        for id in 1..NOTED_MAX {
            arriving.claim(events(&[id])).claim.durable();
        }
        assert!(arriving.claim(events(&[0])).events.is_empty(), "its last claim is still one of the latest");
        arriving.claim(events(&[NOTED_MAX])).claim.durable();
        assert_eq!(arriving.claim(events(&[0])).events.len(), 1, "and now is not");
    }

    /// The order of age is not searched for what is given up: under the one lock, that was 20,000 look-ups a refusal.
    #[test]
    fn a_claim_that_is_given_up_leaves_the_order_of_age_as_it_is() {
        let arriving = Arriving::default();
        for id in 0..NOTED_MAX + 10 {
            drop(arriving.claim(events(&[id])).claim);
        }
        let noted = arriving.noted();
        assert_eq!((noted.by_id.len(), noted.by_age.len()), (0, NOTED_MAX));
    }
}
