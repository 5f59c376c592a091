//! Checkpoints: written beside the fold, read at the start.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::background;
use super::conditions::Conditions;
use super::past::{Index, rung_of};
use super::status::{self, SharedGauges};
use crate::domain::{Position, wording};
use crate::engine::State;
use crate::log::{Chain, Log, LogError, codec, ladder};

/// Pause before a checkpoint is asked for again.
const PAUSE: Duration = Duration::from_millis(200);

/// State from the newest checkpoint at or before `at_most` (the newest of all when absent) that can be read, or a fresh
/// one. A checkpoint of a newer program, or a damaged one, is passed over: the log holds it all.
pub(super) async fn restore(log: &Log, at_most: Option<Position>) -> State {
    let mut at_most = at_most;
    loop {
        let position = match log.load_checkpoint(at_most).await {
            Ok(None) => return State::new(),
            Ok(Some((position, bytes))) => match State::restore(&bytes) {
                Ok(state) => return state,
                Err(error) => {
                    tracing::warn!(component = "engine", %position, %error, "a checkpoint cannot be used");
                    position
                }
            },
            Err(LogError::BadCheckpoint { position, source }) => {
                tracing::warn!(component = "engine", %position, %source, "a checkpoint cannot be read");
                position
            }
            Err(error) => {
                tracing::warn!(component = "engine", %error, "the log gives no checkpoint");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        match before(position) {
            Some(earlier) => at_most = Some(earlier),
            None => return State::new(),
        }
    }
}

/// The greatest position before one.
fn before(position: Position) -> Option<Position> {
    match (position.record, position.index) {
        (0, 0) => None,
        (record, 0) => Some(Position { record: record - 1, index: u32::MAX }),
        (record, index) => Some(Position { record, index: index - 1 }),
    }
}

/// A copy of State to be kept.
pub(super) struct Taken {
    pub(super) state: State,
    /// The last before the program ends, which waits for it.
    pub(super) last: bool,
}

/// Writes checkpoints: into the log for the next start, into the ladder for jumps in time.
pub(super) struct Saver {
    pub(super) log: Log,
    pub(super) index: Index,
    pub(super) gauges: SharedGauges,
    pub(super) conditions: Conditions,
}

impl Saver {
    /// Writes every copy of State that the engine hands over; ends when the engine is gone.
    pub(super) async fn run(self, mut taken: mpsc::Receiver<Taken>) {
        while let Some(taken) = taken.recv().await {
            let position = taken.state.position();
            let Some(bytes) = self.packed(taken).await else {
                self.conditions.set("checkpoints", format!("none could be made at {position}"));
                continue;
            };
            match self.log.save_packed_checkpoint(position, &bytes).await {
                Ok(()) => {
                    tracing::info!(component = "engine", %position, bytes = bytes.len(), "checkpoint");
                    status::write(&self.gauges.checkpoint, Some(position));
                    self.conditions.clear("checkpoints");
                }
                Err(error) => {
                    let reason = format!("none could be written: {}", wording::chain(&error));
                    self.conditions.set("checkpoints", reason);
                }
            }
        }
    }

    /// A state's bytes, packed, made on a thread of its own that gives way to the engine and the API, unless it is the last:
    /// under load it takes most of a second. The ladder's file is written there, and the copy dropped.
    async fn packed(&self, Taken { state, last }: Taken) -> Option<Arc<Vec<u8>>> {
        let (done, bytes) = tokio::sync::oneshot::channel();
        let (index, witness) = (self.index.clone(), self.witness(state.position()).await);
        let encode = move || {
            if !last {
                background::run_when_idle("checkpoint");
            }
            let packed = codec::pack_written(|to| state.write_checkpoint(to)).ok().map(Arc::new);
            // The receiver is gone only when the runtime is.
            let _ = done.send(packed.clone());
            if let (Some(witness), Some(packed)) = (witness, packed) {
                index.add(rung_of(&state, witness), &packed);
            }
        };
        std::thread::Builder::new().name("apos-checkpoint".to_owned()).spawn(encode).ok()?;
        bytes.await.ok()?
    }

    /// What the ladder remembers of the record at a position; none where it wants no rung there.
    async fn witness(&self, position: Position) -> Option<Chain> {
        if !self.index.wants(position) {
            return None;
        }
        let records = self.log.read(position.record, 1).await.ok()?;
        ladder::witness(records.first()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_position_before_every_one_but_the_first() {
        let at = |record, index| Position { record, index };
        assert_eq!(before(at(3, 2)), Some(at(3, 1)));
        assert_eq!(before(at(3, 0)), Some(at(2, u32::MAX)));
        assert_eq!(before(at(0, 0)), None);
    }
}
