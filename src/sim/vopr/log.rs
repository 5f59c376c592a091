//! The one log of a simulated world: the log in memory, which numbers, stamps and fences as every log does, with what
//! its readers share.

use std::time::Duration;

use super::EPOCH;
use crate::domain::{Body, Entry, Position};
use crate::engine::State;
use crate::log::{CHECKPOINTS_KEPT, LogError, Memory, codec};

/// The log, its entries decoded once for all readers, and its checkpoints.
pub(super) struct Log {
    records: Memory,
    entries: Vec<Entry>,
    /// For each record, the number of entries up to its end.
    ends: Vec<usize>,
    checkpoints: Vec<(Position, Vec<u8>)>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { records: Memory::new(), entries: Vec::new(), ends: Vec::new(), checkpoints: Vec::new() }
    }

    /// Appends a record; the range of its entries.
    pub(super) fn append(
        &mut self,
        epoch: u64,
        at: crate::domain::Time,
        bodies: Vec<Body>,
    ) -> Result<std::ops::Range<usize>, LogError> {
        let from = self.entries.len();
        self.entries.extend(self.records.append(epoch, at, bodies)?.entries());
        self.ends.push(self.entries.len());
        Ok(from..self.entries.len())
    }

    /// By the store's own clock, as Redis does it.
    pub(super) fn acquire(&self, holder: &str, ttl: Duration, now: Duration) -> Option<u64> {
        self.records.acquire_lease(holder, ttl, EPOCH + now)
    }

    pub(super) fn renew(&self, holder: &str, epoch: u64, ttl: Duration, now: Duration) -> bool {
        self.records.renew_lease(holder, epoch, ttl, EPOCH + now)
    }

    /// Every entry, in order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The index of the first entry after a position.
    pub(super) fn after(&self, position: Position) -> usize {
        let Some(before) = usize::try_from(position.record).ok().and_then(|record| record.checked_sub(1)) else { return 0 };
        let start = before.checked_sub(1).and_then(|previous| self.ends.get(previous)).copied().unwrap_or(0);
        start + position.index as usize + 1
    }

    /// Keeps a checkpoint, packed as every log keeps it.
    pub(super) fn save(&mut self, state: &State) {
        let Ok(packed) = codec::pack_written(|to| state.write_checkpoint(to)) else { return };
        self.checkpoints.retain(|(position, _)| *position != state.position());
        self.checkpoints.push((state.position(), packed));
        self.checkpoints.sort_by_key(|(position, _)| *position);
        if self.checkpoints.len() > CHECKPOINTS_KEPT {
            self.checkpoints.remove(0);
        }
    }

    /// State from the newest checkpoint that can be read, or a fresh one.
    pub(super) fn restore(&self) -> State {
        let readable = |packed: &Vec<u8>| State::restore(&codec::unpack(packed).ok()?).ok();
        self.checkpoints.iter().rev().find_map(|(_, packed)| readable(packed)).unwrap_or_default()
    }

    /// The newest checkpoint at or before a position.
    pub(super) fn checkpoint_before(&self, position: Position) -> Position {
        let earlier = self.checkpoints.iter().rev().map(|(at, _)| *at).find(|at| *at <= position);
        earlier.unwrap_or_default()
    }

    /// Loses the newest checkpoint; `false` when there is none.
    pub(super) fn lose_checkpoint(&mut self) -> bool {
        self.checkpoints.pop().is_some()
    }

    /// Flips a bit of the newest checkpoint; `false` when there is none.
    pub(super) fn damage_checkpoint(&mut self, bit: usize) -> bool {
        let Some((_, packed)) = self.checkpoints.last_mut() else { return false };
        let byte = (bit / 8) % packed.len();
        packed[byte] ^= 1 << (bit % 8);
        true
    }
}
