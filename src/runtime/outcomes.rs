//! What became of commands, for whoever waits for theirs.
//!
//! A command's position is known only once the log has it, and by then it may be folded. So who is about to give one
//! says so first; from then on every outcome is kept, until nobody waits any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::Position;
use crate::engine::snapshot::CommandOutcome;

/// Outcomes that somebody may be waiting for.
#[derive(Debug, Default)]
pub(super) struct Outcomes(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    waiting: usize,
    by_position: BTreeMap<Position, CommandOutcome>,
}

/// Keeps outcomes for as long as it lives.
#[derive(Debug)]
pub(super) struct Waiting(Arc<Outcomes>);

impl Outcomes {
    /// From now on outcomes are kept.
    pub(super) fn wait(self: &Arc<Self>) -> Waiting {
        self.kept(|kept| kept.waiting += 1);
        Waiting(Arc::clone(self))
    }

    /// A command was folded.
    pub(super) fn tell(&self, outcome: &CommandOutcome) {
        self.kept(|kept| {
            if kept.waiting > 0 {
                kept.by_position.insert(outcome.position, outcome.clone());
            }
        });
    }

    /// Nothing here is left half done by a panic: the lock's poison means nothing.
    fn kept<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Waiting {
    /// The outcome of the command at a position, once it was folded.
    pub(super) fn take(&self, position: Position) -> Option<CommandOutcome> {
        self.0.kept(|kept| kept.by_position.remove(&position))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.kept(|kept| {
            kept.waiting -= 1;
            if kept.waiting == 0 {
                kept.by_position.clear();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_kept_while_somebody_waits_and_no_longer() {
        let outcomes = Arc::new(Outcomes::default());
        let at = |record| Position { record, index: 0 };
        let tell = |record| outcomes.tell(&CommandOutcome { position: at(record), accepted: true, text: String::new() });
        tell(1);
        let (first, second) = (outcomes.wait(), outcomes.wait());
        (2..=1_000).for_each(tell);
        assert_eq!(first.take(at(1)), None, "told before anybody waited");
        assert!(first.take(at(2)).is_some_and(|outcome| outcome.accepted));
        drop(first);
        assert!(second.take(at(3)).is_some());
        drop(second);
        assert_eq!(outcomes.wait().take(at(4)), None, "nobody waited any more");
    }
}
