//! A bounded number of feature values, each with a number; when it is full, the one touched longest ago makes room.

use imbl::Vector;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::features::Feature;

/// Slots looked at to find one to give up: the least recently touched of so many in turn. An exact order of all would
/// cost a list's upkeep on every outcome.
const LOOKED_AT: u32 = 16;

/// As [`crate::engine::names`]: never iterated, rebuilt from the list.
type Index = imbl::GenericHashMap<Feature, u32, foldhash::fast::FixedState, imbl::shared_ptr::DefaultSharedPtr>;

/// Feature values and when an outcome touched each last.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots {
    list: Vector<(Feature, u64)>,
    /// Where the search for the next one to give up begins.
    hand: u32,
    index: Index,
}

/// What became of a value that wants a slot.
pub(super) enum Given {
    /// It has one.
    Had(u32),
    /// It has a new one, or one that another value gave up: whatever is kept for it begins afresh.
    New(u32),
}

impl Slots {
    pub(super) fn get(&self, feature: Feature) -> Option<u32> {
        self.index.get(&feature).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The value in a slot.
    pub(super) fn feature(&self, slot: u32) -> Option<Feature> {
        self.list.get(slot as usize).map(|(feature, _)| *feature)
    }

    /// Touches a value's slot, giving it one if it has none; at most `limit` are kept.
    pub(super) fn touch(&mut self, feature: Feature, clock: u64, limit: usize) -> Given {
        if let Some(slot) = self.get(feature) {
            if let Some((_, touched)) = self.list.get_mut(slot as usize) {
                *touched = clock;
            }
            return Given::Had(slot);
        }
        let slot = if self.list.len() < limit {
            self.list.push_back((feature, clock));
            u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX)
        } else {
            let slot = self.least_recent();
            if let Some(place) = self.list.get_mut(slot as usize) {
                let (old, _) = core::mem::replace(place, (feature, clock));
                self.index.remove(&old);
            }
            slot
        };
        self.index.insert(feature, slot);
        Given::New(slot)
    }

    fn least_recent(&mut self) -> u32 {
        let count = u32::try_from(self.list.len()).unwrap_or(u32::MAX).max(1);
        let looked_at = (0..LOOKED_AT.min(count)).map(|n| (self.hand + n) % count);
        let touched = |slot: u32| self.list.get(slot as usize).map_or(u64::MAX, |(_, touched)| *touched);
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
        let (list, hand) = <(Vector<(Feature, u64)>, u32)>::deserialize(from)?;
        let index = list.iter().map(|(feature, _)| *feature).zip(0..).collect();
        Ok(Self { list, hand, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_touched_longest_ago_makes_room() {
        let mut slots = Slots::default();
        for merchant in 0..3 {
            assert!(matches!(slots.touch(Feature::Merchant(merchant), u64::from(merchant), 3), Given::New(_)));
        }
        assert!(matches!(slots.touch(Feature::Merchant(0), 9, 3), Given::Had(0)));
        assert!(matches!(slots.touch(Feature::Merchant(7), 10, 3), Given::New(1)), "merchant 1 was touched longest ago");
        assert_eq!((slots.get(Feature::Merchant(1)), slots.get(Feature::Merchant(7)), slots.len()), (None, Some(1), 3));
        let back: Slots = postcard::from_bytes(&postcard::to_allocvec(&slots).unwrap()).unwrap();
        assert_eq!((back.get(Feature::Merchant(7)), back.hand), (Some(1), slots.hand));
    }
}
