//! A bounded number of feature values, each with a number; when it is full, the one touched longest ago makes room.

use imbl::Vector;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::features::Feature;

/// Slots looked at to find one to give up: the least recently touched of so many in turn. An exact order of all would
/// cost a list's upkeep on every outcome.
const LOOKED_AT: u32 = 16;

/// Where what is learnt of a value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) slot: u32,
    /// The outcome at which the value got it, from 1: what was touched before that was another's.
    pub(super) since: u64,
}

/// A value in its slot.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Slot {
    feature: Feature,
    since: u64,
    touched: u64,
}

/// As [`crate::engine::names`]: never iterated, rebuilt from the list.
type Index = imbl::GenericHashMap<Feature, Place, foldhash::fast::FixedState, imbl::shared_ptr::DefaultSharedPtr>;

/// Feature values, and when an outcome touched each first and last.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots {
    list: Vector<Slot>,
    /// Where the search for the next one to give up begins.
    hand: u32,
    index: Index,
}

/// What became of a value that wants a slot.
pub(super) enum Given {
    /// It has one.
    Had(Place),
    /// It has a new one, or one that another value gave up: whatever is kept for it begins afresh.
    New(Place),
}

impl Slots {
    pub(super) fn get(&self, feature: Feature) -> Option<Place> {
        self.index.get(&feature).copied()
    }

    /// How many values have one.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Touches a value's slot, giving it one if it has none; at most `limit` are kept.
    pub(super) fn touch(&mut self, feature: Feature, clock: u64, limit: usize) -> Given {
        if let Some(place) = self.get(feature) {
            if let Some(slot) = self.list.get_mut(place.slot as usize) {
                slot.touched = clock;
            }
            return Given::Had(place);
        }
        let new = Slot { feature, since: clock, touched: clock };
        let slot = if self.list.len() < limit {
            self.list.push_back(new);
            u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX)
        } else {
            let slot = self.least_recent();
            if let Some(kept) = self.list.get_mut(slot as usize) {
                let old = core::mem::replace(kept, new);
                self.index.remove(&old.feature);
            }
            slot
        };
        let place = Place { slot, since: clock };
        self.index.insert(feature, place);
        Given::New(place)
    }

    fn least_recent(&mut self) -> u32 {
        let count = u32::try_from(self.list.len()).unwrap_or(u32::MAX).max(1);
        let looked_at = (0..LOOKED_AT.min(count)).map(|n| (self.hand + n) % count);
        let touched = |slot: u32| self.list.get(slot as usize).map_or(u64::MAX, |slot| slot.touched);
        let oldest = looked_at.min_by_key(|slot| touched(*slot)).unwrap_or(0);
        self.hand = (self.hand + LOOKED_AT) % count;
        oldest
    }
}

impl Serialize for Slots {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (&self.list, self.hand).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Slots {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (list, hand) = <(Vector<Slot>, u32)>::deserialize(from)?;
        let place = |(kept, slot): (&Slot, u32)| (kept.feature, Place { slot, since: kept.since });
        let index = list.iter().zip(0..).map(place).collect();
        Ok(Self { list, hand, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_touched_longest_ago_makes_room() {
        let mut slots = Slots::default();
        let place = |slot, since| Place { slot, since };
        for merchant in 0..3 {
            assert!(matches!(slots.touch(Feature::Merchant(merchant), 1 + u64::from(merchant), 3), Given::New(_)));
        }
        assert!(matches!(slots.touch(Feature::Merchant(0), 9, 3), Given::Had(had) if had == place(0, 1)));
        let Given::New(given) = slots.touch(Feature::Merchant(7), 10, 3) else { panic!("it had none") };
        assert_eq!(given, place(1, 10), "merchant 1 was touched longest ago");
        assert_eq!((slots.get(Feature::Merchant(1)), slots.get(Feature::Merchant(7)), slots.len()), (None, Some(given), 3));
        let back: Slots = postcard::from_bytes(&postcard::to_allocvec(&slots).unwrap()).unwrap();
        assert_eq!((back.get(Feature::Merchant(7)), back.hand), (Some(given), slots.hand));
    }
}
