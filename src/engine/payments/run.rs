//! A sealed run: keys in order with what is left of each, and a filter that tells most keys it has not from those it has.

use imbl::OrdMap;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Key;
use super::closed::Closed;
use crate::domain::Time;

/// Bits of the filter for each key, and how many of them a key sets: of a hundred foreign keys one passes. All bits of a
/// key lie in one block, which is a line of the processor's cache.
const FILTER_BITS: usize = 12;
const BITS_SET: u32 = 6;
const BLOCK_WORDS: usize = 8;

/// Bytes of a key and of what is left of it.
const KEY: usize = size_of::<u128>();
const REST: usize = size_of::<u64>();

/// Keys that are over. Never changed.
#[derive(Debug)]
pub(super) struct Run {
    until: Time,
    keys: Vec<Key>,
    /// Of each key, in the same order; see [`super::closed`].
    rest: Vec<u64>,
    /// What does not fit there.
    large: Vec<Closed>,
    /// Made of the keys.
    filter: Vec<[u64; BLOCK_WORDS]>,
}

impl Run {
    /// Seals a map whose last key was put at a time.
    pub(super) fn of(map: &OrdMap<Key, Closed>, until: Time) -> Self {
        let (mut keys, mut rest, mut large) = (Vec::with_capacity(map.len()), Vec::with_capacity(map.len()), Vec::new());
        for (key, closed) in map {
            keys.push(*key);
            rest.push(match closed {
                Closed::Small(bits) => *bits,
                Closed::Large(_) => {
                    large.push(closed.clone());
                    (large.len() as u64 - 1) << 1 | 1
                }
            });
        }
        Self { filter: filter(&keys), until, keys, rest, large }
    }

    /// When the last of them was put.
    pub(super) const fn until(&self) -> Time {
        self.until
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// What is left of a key, if it is here.
    pub(super) fn get(&self, key: Key) -> Option<Closed> {
        if !passes(&self.filter, key) {
            return None;
        }
        let place = self.keys.binary_search(&key).ok()?;
        let bits = *self.rest.get(place)?;
        if bits & 1 == 0 {
            return Some(Closed::Small(bits));
        }
        self.large.get(usize::try_from(bits >> 1).ok()?).cloned()
    }
}

fn filter(keys: &[Key]) -> Vec<[u64; BLOCK_WORDS]> {
    let mut blocks = vec![[0; BLOCK_WORDS]; (keys.len() * FILTER_BITS).div_ceil(BLOCK_WORDS * 64)];
    for key in keys {
        let block = block_of(blocks.len(), *key);
        for (word, bit) in bits_of(*key) {
            blocks[block][word] |= bit;
        }
    }
    blocks
}

fn passes(blocks: &[[u64; BLOCK_WORDS]], key: Key) -> bool {
    let block = blocks.get(block_of(blocks.len(), key));
    block.is_some_and(|block| bits_of(key).all(|(word, bit)| block[word] & bit != 0))
}

/// The upper half of a key picks its block, evenly: keys are hashes.
fn block_of(blocks: usize, key: Key) -> usize {
    usize::try_from(((key.0 >> 64) * blocks as u128) >> 64).unwrap_or(0)
}

/// The lower half picks the bits: nine bits of it each.
fn bits_of(key: Key) -> impl Iterator<Item = (usize, u64)> {
    (0..BITS_SET).map(move |index| {
        let bit = usize::try_from((key.0 >> (9 * index)) & 0x1FF).unwrap_or(0);
        (bit / 64, 1 << (bit % 64))
    })
}

impl Serialize for Run {
    /// The keys and the rest as bytes: millions of them are written, and read, as memory is copied.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let keys: Vec<u8> = self.keys.iter().flat_map(|key| key.0.to_le_bytes()).collect();
        let rest: Vec<u8> = self.rest.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        (self.until, Bytes(&keys), Bytes(&rest), &self.large).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (until, keys, rest, large) = <(Time, Read<KEY>, Read<REST>, Vec<Closed>)>::deserialize(from)?;
        let keys: Vec<Key> = keys.0.into_iter().map(|bytes| Key(u128::from_le_bytes(bytes))).collect();
        let rest: Vec<u64> = rest.0.into_iter().map(u64::from_le_bytes).collect();
        if keys.len() != rest.len() || !keys.is_sorted() {
            return Err(D::Error::custom("a run's keys are not in order, or not as many as what is left of them"));
        }
        Ok(Self { filter: filter(&keys), until, keys, rest, large })
    }
}

/// Bytes, written as such.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

/// Bytes, read in pieces of `N`.
struct Read<const N: usize>(Vec<[u8; N]>);

impl<'de, const N: usize> Deserialize<'de> for Read<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pieces<const N: usize>;
        impl<const N: usize> Visitor<'_> for Pieces<N> {
            type Value = Read<N>;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "bytes in pieces of {N}")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Read<N>, E> {
                match bytes.as_chunks() {
                    (pieces, []) => Ok(Read(pieces.to_vec())),
                    _ => Err(E::invalid_length(bytes.len(), &self)),
                }
            }
        }
        from.deserialize_bytes(Pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::payments::Payment;

    fn key(number: u64) -> Key {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&blake3::hash(&number.to_le_bytes()).as_bytes()[..16]);
        Key(u128::from_le_bytes(bytes))
    }

    fn run(count: u64) -> Run {
        let many = || Closed::of(&Payment { attempts_made: 999, ..Payment::default() });
        let closed = |number| if number % 100 == 7 { many() } else { Closed::Small(number << 1) };
        Run::of(&(0..count).map(|number| (key(number), closed(number))).collect(), Time::from_secs(9))
    }

    #[test]
    fn a_run_has_its_keys_and_hardly_ever_passes_another() {
        let run = run(20_000);
        for number in 0..20_000 {
            let large = number % 100 == 7;
            assert_eq!(run.get(key(number)).unwrap() == Closed::Small(number << 1), !large, "{number}");
        }
        assert!((20_000..40_000).all(|number| run.get(key(number)).is_none()));
        let passed = (20_000..40_000).filter(|number| passes(&run.filter, key(*number))).count();
        assert!(passed < 400, "{passed} of 20,000 foreign keys pass the filter");
    }

    #[test]
    fn a_run_is_read_as_it_was_and_a_damaged_one_is_refused() {
        let (run, empty) = (run(1_000), run(0));
        let bytes = postcard::to_allocvec(&run).unwrap();
        let read: Run = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((read.len(), read.until(), &read.filter), (1_000, run.until(), &run.filter));
        assert!((0..1_000).all(|number| read.get(key(number)) == run.get(key(number))));
        assert!(bytes.len() < 1_000 * (KEY + REST + 2), "{} bytes", bytes.len());
        let mut swapped = bytes.clone();
        swapped.swap(20, 52);
        assert!(postcard::from_bytes::<Run>(&swapped).is_err());
        let empty: Run = postcard::from_bytes(&postcard::to_allocvec(&empty).unwrap()).unwrap();
        assert_eq!(empty.get(key(1)), None);
    }
}
