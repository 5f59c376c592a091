//! The records that this process appended last, as it appended them.
//!
//! Whoever follows the log close behind takes them from here: to read them back, unpack and decode them costs as much as
//! folding them. What is not here, because it is older or another process's, is read from the file.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::Record;

/// Entries kept: a quarter of a second at 30,000 a second, about 10 MB. Who is further behind reads the file.
const ENTRIES: usize = 8_192;

/// The latest records, one after the other without a gap; clones see the same ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<Record>,
    entries: usize,
}

impl Recent {
    /// Keeps a record that was just appended. Another process's between it and the one before: those before go.
    pub(super) fn push(&self, record: Record) {
        let mut kept = self.kept();
        if kept.records.back().is_some_and(|last| last.number + 1 != record.number) {
            *kept = Kept::default();
        }
        kept.entries += record.bodies.len();
        kept.records.push_back(record);
        while kept.entries > ENTRIES {
            let Some(oldest) = kept.records.pop_front() else { break };
            kept.entries -= oldest.bodies.len();
        }
    }

    /// Up to `limit` records from number `from` on; none where that one is not here.
    pub(super) fn from(&self, from: u64, limit: usize) -> Vec<Record> {
        let kept = self.kept();
        let first = kept.records.front().map_or(u64::MAX, |record| record.number);
        let Some(skipped) = from.checked_sub(first).and_then(|skipped| usize::try_from(skipped).ok()) else {
            return Vec::new();
        };
        kept.records.iter().skip(skipped).take(limit).cloned().collect()
    }

    /// Forgets records before a number: they were trimmed.
    pub(super) fn trim(&self, before: u64) {
        let mut kept = self.kept();
        while kept.records.front().is_some_and(|oldest| oldest.number < before) {
            kept.entries -= kept.records.pop_front().map_or(0, |oldest| oldest.bodies.len());
        }
    }

    /// Nothing here is left half done by a panic: the lock's poison means nothing.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::ENCODING;
    use crate::domain::{Body, Time};

    const NONE: [u64; 0] = [];

    fn push(recent: &Recent, number: u64, entries: usize) {
        let bodies = vec![Body::Ticked; entries];
        recent.push(Record { number, at: Time::ZERO, epoch: 0, encoding: ENCODING, bodies });
    }

    fn numbers(recent: &Recent, from: u64) -> Vec<u64> {
        recent.from(from, 3).iter().map(|record| record.number).collect()
    }

    #[test]
    fn the_latest_are_here_without_a_gap_and_within_bounds() {
        let recent = Recent::default();
        assert_eq!(numbers(&recent, 1), NONE);
        (5..10).for_each(|number| push(&recent, number, 1));
        assert_eq!(numbers(&recent, 4), NONE, "before what is here");
        assert_eq!(numbers(&recent, 6), [6, 7, 8]);
        assert_eq!(numbers(&recent, 9), [9]);
        assert_eq!(numbers(&recent, 10), NONE, "not there yet");
        recent.trim(8);
        assert_eq!((numbers(&recent, 7), numbers(&recent, 8)), (vec![], vec![8, 9]));
        push(&recent, 12, ENTRIES / 2);
        assert_eq!((numbers(&recent, 9), numbers(&recent, 12)), (vec![], vec![12]), "10 and 11 were another process's");
        push(&recent, 13, ENTRIES / 2);
        push(&recent, 14, 1);
        assert_eq!(numbers(&recent, 12), NONE, "too many");
        assert_eq!(numbers(&recent, 13), [13, 14]);
    }
}
