//! The log in memory: for simulations, tests and a demo. Gone with the process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{CHECKPOINTS_KEPT, LogError, Stamp, watching};
use crate::domain::entry::ENCODING;
use crate::domain::{Body, Position, Record, Time};

/// A log in memory; clones are handles on the same one.
#[derive(Debug, Clone)]
pub struct Memory {
    held: Arc<Mutex<Held>>,
    last: watching::Last,
}

#[derive(Debug, Default)]
struct Held {
    records: VecDeque<Record>,
    checkpoints: BTreeMap<Position, Vec<u8>>,
    lease: Lease,
}

#[derive(Debug, Default)]
struct Lease {
    epoch: u64,
    holder: Option<String>,
    expires: Time,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self { held: Arc::default(), last: watching::Last::new(0) }
    }

    pub(super) fn commit(&self, epoch: u64, now: Time, bodies: &[Body]) -> Result<Stamp, LogError> {
        let mut held = self.held();
        if epoch != 0 && epoch != held.lease.epoch {
            return Err(LogError::Fenced { epoch, current: held.lease.epoch });
        }
        let (number, at) = held.records.back().map_or((1, now), |last| (last.number + 1, last.at.max(now)));
        held.records.push_back(Record { number, at, epoch, encoding: ENCODING, bodies: bodies.to_vec() });
        drop(held);
        self.last.advance(number);
        Ok(Stamp { number, at })
    }

    /// As [`super::Log::append`], at once: for a simulator, which has no runtime to wait in.
    ///
    /// # Errors
    /// As there.
    pub fn append(&self, epoch: u64, now: Time, bodies: Vec<Body>) -> Result<Record, LogError> {
        assert!(!bodies.is_empty(), "a record holds at least one entry");
        let Stamp { number, at } = self.commit(epoch, now, &bodies)?;
        Ok(Record { number, at, epoch, encoding: ENCODING, bodies })
    }

    pub(super) fn read(&self, from: u64, limit: usize) -> Vec<Record> {
        let held = self.held();
        let first = held.records.front().map_or(1, |record| record.number);
        let skipped = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        held.records.iter().skip(skipped).take(limit).cloned().collect()
    }

    pub(super) fn ends(&self) -> (u64, u64) {
        let held = self.held();
        let number = |record: Option<&Record>| record.map_or(0, |record| record.number);
        (number(held.records.front()), number(held.records.back()))
    }

    pub(super) const fn last(&self) -> &watching::Last {
        &self.last
    }

    pub(super) fn save_checkpoint(&self, position: Position, bytes: &[u8]) {
        let mut held = self.held();
        held.checkpoints.insert(position, bytes.to_vec());
        while held.checkpoints.len() > CHECKPOINTS_KEPT {
            held.checkpoints.pop_first();
        }
    }

    pub(super) fn load_checkpoint(&self, at_most: Position) -> Option<(Position, Vec<u8>)> {
        self.held().checkpoints.range(..=at_most).next_back().map(|(position, bytes)| (*position, bytes.clone()))
    }

    pub(super) fn checkpoints(&self) -> Vec<Position> {
        self.held().checkpoints.keys().copied().collect()
    }

    pub(super) fn lease(&self) -> (u64, Option<String>) {
        let held = self.held();
        (held.lease.epoch, held.lease.holder.clone())
    }

    pub(super) fn trim(&self, before: u64) {
        let mut held = self.held();
        while held.records.len() > 1 && held.records.front().is_some_and(|first| first.number < before) {
            held.records.pop_front();
        }
    }

    /// As [`super::Log::acquire_lease`], at once.
    #[must_use]
    pub fn acquire_lease(&self, holder: &str, ttl: Duration, now: Time) -> Option<u64> {
        let lease = &mut self.held().lease;
        if lease.holder.is_some() && now < lease.expires {
            return None;
        }
        *lease = Lease { epoch: lease.epoch + 1, holder: Some(holder.to_owned()), expires: now + ttl };
        Some(lease.epoch)
    }

    /// As [`super::Log::renew_lease`], at once.
    #[must_use]
    pub fn renew_lease(&self, holder: &str, epoch: u64, ttl: Duration, now: Time) -> bool {
        let lease = &mut self.held().lease;
        let held = lease.epoch == epoch && lease.holder.as_deref() == Some(holder);
        if held {
            lease.expires = now + ttl;
        }
        held
    }

    pub(super) fn release_lease(&self, holder: &str, epoch: u64) {
        let lease = &mut self.held().lease;
        if lease.epoch == epoch && lease.holder.as_deref() == Some(holder) {
            lease.holder = None;
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
