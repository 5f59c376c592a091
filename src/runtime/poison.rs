//! Entries that cannot be folded: a replica halts at one, and goes on behind it once an operator has ordered so.
//!
//! The order is an entry of the log itself (`apos log skip`), behind the one it is about; so every replica, every replay
//! and the tables leave out the same entry. It is honoured only where folding fails: what can be folded always is, or two
//! replicas would differ by when each heard of the order.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::domain::{Body, Entry, Order, Position, Record};
use crate::engine::{self, Effect, State};
use crate::log::{History, Log, LogError};

/// Records read at once while an order is looked for.
const READ: usize = 512;
/// Pause before the log is asked again.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// An entry cannot be folded; State may be half changed and is not to be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Poisoned(pub(super) Position);

impl Poisoned {
    /// What a person is told, with the remedy.
    pub(super) fn sentence(self, meanwhile: &str) -> String {
        format!("the entry at {at} cannot be folded; {meanwhile}. `apos log skip {at} --reason …` leaves it out", at = self.0)
    }
}

/// Entries that operators ordered to leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Skips(BTreeSet<Position>);

impl Skips {
    /// Takes note of the orders in a record.
    pub(super) fn hear(&mut self, record: &Record) {
        self.0.extend(record.bodies.iter().filter_map(ordered));
    }

    /// Whether an entry is to be left out if it cannot be folded.
    pub(super) fn holds(&self, position: Position) -> bool {
        self.0.contains(&position)
    }

    /// Folds an entry, or leaves it out where that was ordered.
    ///
    /// # Errors
    /// [`Poisoned`]: it cannot be folded, and nobody has ordered to leave it out.
    pub(super) fn fold(&self, state: &mut State, entry: &Entry, effects: &mut Vec<Effect>) -> Result<(), Poisoned> {
        let before = self.holds(entry.position).then(|| state.clone());
        let applied = catch_unwind(AssertUnwindSafe(|| engine::apply(state, entry, effects)));
        match (applied, before) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(before)) => {
                *state = before;
                effects.clear();
                state.leave_out(entry.position, entry.at);
                Ok(())
            }
            (Err(_), None) => Err(Poisoned(entry.position)),
        }
    }

    /// Reads the orders in a log from a record on to its end; the last record read.
    pub(super) async fn read_log(&mut self, log: &Log, from: u64) -> Result<u64, LogError> {
        let mut next = from.max(1);
        loop {
            let records = log.read(next, READ).await?;
            let Some(last) = records.last() else { return Ok(next - 1) };
            next = last.number + 1;
            for record in &records {
                self.hear(record);
            }
        }
    }

    /// The same, of a history.
    pub(super) async fn read_history(&mut self, history: &History, from: u64) -> Result<(), LogError> {
        let mut next = from;
        loop {
            let records = history.read(next).await?;
            let Some(last) = records.last() else { return Ok(()) };
            next = last.number + 1;
            for record in &records {
                self.hear(record);
            }
        }
    }
}

/// The position that an entry orders to leave out.
const fn ordered(body: &Body) -> Option<Position> {
    match body {
        Body::Commanded(command) => match &command.order {
            Order::Skip { position, .. } => Some(*position),
            _ => None,
        },
        _ => None,
    }
}
