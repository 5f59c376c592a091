//! A connector's weights by slot, in pages that exist where something was learnt: a value that is new costs the connectors
//! nothing, and so does a connector that is new, until there is an outcome of both.

use std::sync::Arc;

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::belief::Weight;
use super::slots::Place;

/// Weights of a page: 768 bytes, few enough to be copied when an outcome corrects one that a published view shares.
const PAGE: usize = 32;

/// Weights by slot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Pages(Vector<Option<Arc<[Weight; PAGE]>>>);

impl Pages {
    /// The weight of a place; none where nothing was learnt of the value that has it now.
    pub(super) fn get(&self, place: Place) -> Option<Weight> {
        let (page, index) = split(place);
        let weight = self.0.get(page)?.as_ref()?[index];
        weight.is_since(place.since).then_some(weight)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Weight> {
        let (page, index) = split(place);
        let weight = &mut Arc::make_mut(self.0.get_mut(page)?.as_mut()?)[index];
        weight.is_since(place.since).then_some(weight)
    }

    /// The same, vacant where nothing was learnt.
    pub(super) fn entry(&mut self, place: Place) -> &mut Weight {
        let (page, index) = split(place);
        while self.0.len() <= page {
            self.0.push_back(None);
        }
        let page = self.0[page].get_or_insert_with(|| Arc::new([Weight::VACANT; PAGE]));
        let weight = &mut Arc::make_mut(page)[index];
        if !weight.is_since(place.since) {
            *weight = Weight::VACANT;
        }
        weight
    }

    /// How many pages there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

const fn split(place: Place) -> (usize, usize) {
    (place.slot as usize / PAGE, place.slot as usize % PAGE)
}

#[cfg(test)]
mod tests {
    use super::super::belief::{Belief, Step};
    use super::*;

    #[test]
    fn what_was_learnt_of_a_value_is_not_believed_of_the_one_that_has_its_slot_now() {
        let mut pages = Pages::default();
        let (first, second) = (Place { slot: 40, since: 5 }, Place { slot: 40, since: 9 });
        let total = Belief { mean: 0.0, variance: 1.0 };
        Step::of(true, total, 0.5, 6).correct(pages.entry(first), total);
        assert!(pages.get(first).is_some() && pages.get(Place { slot: 41, since: 5 }).is_none());
        assert!(pages.get(second).is_none() && pages.get_mut(second).is_none());
        assert_eq!(pages.len(), 1);
        Step::of(true, total, 0.5, 9).correct(pages.entry(second), total);
        assert!(pages.get(second).is_some());
    }
}
