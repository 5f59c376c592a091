//! Checkpoints: written beside the fold, read at the start.

use std::time::Duration;

use tokio::sync::mpsc;

use super::background;
use super::conditions::Conditions;
use super::status::{self, SharedGauges};
use crate::domain::{Position, wording};
use crate::engine::State;
use crate::log::{Log, LogError, codec};

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

/// Writes every copy of State that the engine hands over; ends when the engine is gone.
pub(super) async fn save(log: Log, mut taken: mpsc::Receiver<State>, gauges: SharedGauges, conditions: Conditions) {
    while let Some(state) = taken.recv().await {
        let position = state.position();
        let Some(bytes) = packed(state).await else {
            conditions.set("checkpoints", format!("none could be made at {position}"));
            continue;
        };
        match log.save_packed_checkpoint(position, &bytes).await {
            Ok(()) => {
                tracing::info!(component = "engine", %position, bytes = bytes.len(), "checkpoint");
                status::write(&gauges.checkpoint, Some(position));
                conditions.clear("checkpoints");
            }
            Err(error) => conditions.set("checkpoints", format!("none could be written: {}", wording::chain(&error))),
        }
    }
}

/// A state's bytes, packed, made on a thread of its own that yields to the engine and the API: under load it takes most of a
/// second. The copy is dropped there too.
async fn packed(state: State) -> Option<Vec<u8>> {
    let (done, bytes) = tokio::sync::oneshot::channel();
    let encode = move || {
        background::yield_to_the_rest("checkpoint");
        // The receiver is gone only when the runtime is.
        let _ = done.send(codec::pack(&state.checkpoint()));
    };
    std::thread::Builder::new().name("apos-checkpoint".to_owned()).spawn(encode).ok()?;
    bytes.await.ok()?.ok()
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
