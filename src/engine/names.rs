//! Interning: long names become small numbers, once, so that tables can be arrays.
//!
//! The numbers are given in the order of the log, so every replica gives the same ones. The index is derived from the
//! list of names and is not part of a checkpoint.

use std::borrow::Borrow;
use std::hash::Hash;

use imbl::Vector;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A hasher without a random seed: the index is never iterated, so its order cannot matter, and a checkpoint restores
/// to the very same state.
type Index<T> = imbl::GenericHashMap<T, u32, foldhash::fast::FixedState, imbl::shared_ptr::DefaultSharedPtr>;

/// Names of one kind, each with its number. Cloning shares structure.
#[derive(Debug, Clone)]
pub(crate) struct Names<T> {
    list: Vector<T>,
    index: Index<T>,
}

impl<T: Clone> Default for Names<T> {
    fn default() -> Self {
        Self { list: Vector::new(), index: Index::default() }
    }
}

impl<T: Clone + Eq + Hash> Names<T> {
    /// The number of a name, if it has one.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, name: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
    {
        self.index.get(name).copied()
    }

    /// The number of a name, given now if it had none; `None` when `limit` names have been given.
    pub(crate) fn intern(&mut self, name: &T, limit: usize) -> Option<u32> {
        if let Some(number) = self.get(name) {
            return Some(number);
        }
        if self.list.len() >= limit {
            return None;
        }
        let number = self.next_number()?;
        self.list.push_back(name.clone());
        self.index.insert(name.clone(), number);
        Some(number)
    }

    /// The name of a number.
    pub(crate) fn name(&self, number: u32) -> Option<&T> {
        self.list.get(number as usize)
    }

    /// The number that the next new name gets.
    pub(crate) fn next_number(&self) -> Option<u32> {
        u32::try_from(self.list.len()).ok()
    }

    /// Every name, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(self.list.iter())
    }
}

impl<T: Clone + Serialize> Serialize for Names<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(to)
    }
}

impl<'de, T: Clone + Eq + Hash + Deserialize<'de>> Deserialize<'de> for Names<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let list = Vector::<T>::deserialize(from)?;
        let index = list.iter().cloned().zip(0..).collect();
        Ok(Self { list, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_in_order_and_survive_a_checkpoint() {
        let mut names = Names::<String>::default();
        assert_eq!(names.intern(&"stripe".to_owned(), 2), Some(0));
        assert_eq!(names.intern(&"adyen".to_owned(), 2), Some(1));
        assert_eq!(names.intern(&"stripe".to_owned(), 2), Some(0));
        assert_eq!(names.intern(&"checkout".to_owned(), 2), None, "the limit holds");
        let back: Names<String> = postcard::from_bytes(&postcard::to_allocvec(&names).unwrap()).unwrap();
        assert_eq!(back.get(&"adyen".to_owned()), Some(1));
        assert_eq!(back.name(0).map(String::as_str), Some("stripe"));
    }
}
