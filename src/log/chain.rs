//! The chain of hashes over records: whoever knows its end can tell that nothing before it was edited, removed or moved.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CodecError, codec};
use crate::domain::Record;

/// The chain up to a record: BLAKE3 of the chain before it and the record, its number, time and epoch included.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain([u8; 32]);

impl Chain {
    /// Before the first record known.
    pub const START: Self = Self([0; 32]);

    /// The chain after one more record.
    ///
    /// # Errors
    /// When the record cannot be encoded, which no record of the present alphabet does.
    pub fn after(self, record: &Record) -> Result<Self, CodecError> {
        Ok(self.link(record, &codec::encode_plain(record)?))
    }

    /// The same, of a record whose entries are encoded already.
    pub(super) fn link(self, record: &Record, body: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(&record.number.to_le_bytes());
        hasher.update(&record.at.micros().to_le_bytes());
        hasher.update(&record.epoch.to_le_bytes());
        Self(*hasher.update(body).finalize().as_bytes())
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::ENCODING;
    use crate::domain::{Body, Time};

    #[test]
    fn every_part_of_a_record_and_its_place_change_the_chain() {
        let record = Record { number: 7, at: Time::from_secs(1), epoch: 2, encoding: ENCODING, bodies: vec![Body::Ticked] };
        let others = [
            Record { number: 8, ..record.clone() },
            Record { at: Time::from_secs(2), ..record.clone() },
            Record { epoch: 3, ..record.clone() },
            Record { bodies: vec![Body::Ticked; 2], ..record.clone() },
        ];
        let end = Chain::START.after(&record).unwrap();
        assert!(others.iter().all(|other| Chain::START.after(other).unwrap() != end));
        let [one, two] = [&record, &others[0]];
        let forth = Chain::START.after(one).unwrap().after(two).unwrap();
        assert_ne!(forth, Chain::START.after(two).unwrap().after(one).unwrap());
    }
}
