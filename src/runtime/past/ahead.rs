//! Reads records ahead of the fold, on a thread of its own: decoding takes as long as folding.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::runtime::Handle;

use crate::domain::{Body, Entry, Position, Record, Time};
use crate::log::{History, LogError};

/// Batches of up to 512 records that may wait: a few megabytes.
const WAITING: usize = 3;

/// A record, and how far it is folded.
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) at: Time,
    bodies: std::vec::IntoIter<Body>,
    index: u32,
}

impl Open {
    pub(super) fn of(record: Record) -> Self {
        Self { number: record.number, at: record.at, bodies: record.bodies.into_iter(), index: 0 }
    }

    pub(super) fn next(&mut self) -> Option<Entry> {
        let position = Position { record: self.number, index: self.index };
        let body = self.bodies.next()?;
        self.index += 1;
        Some(Entry { position, at: self.at, body })
    }
}

/// A reader that is ahead. Dropping it ends its thread.
pub(super) struct Ahead {
    batches: Receiver<Result<Vec<Record>, LogError>>,
    batch: VecDeque<Record>,
}

impl Ahead {
    /// Reads from record `from` on.
    pub(super) fn start(history: History, from: u64, runtime: &Handle) -> io::Result<Self> {
        let (read, batches) = sync_channel(WAITING);
        let runtime = runtime.clone();
        let work = move || follow(&history, from, &runtime, &read);
        std::thread::Builder::new().name("apos-read-ahead".to_owned()).spawn(work)?;
        Ok(Self { batches, batch: VecDeque::new() })
    }

    /// The next record; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Record>, LogError> {
        if self.batch.is_empty() {
            match self.batches.recv() {
                Ok(batch) => self.batch = batch?.into(),
                // The thread ends at the end of the records.
                Err(_) => return Ok(None),
            }
        }
        Ok(self.batch.pop_front())
    }
}

fn follow(history: &History, mut from: u64, runtime: &Handle, read: &SyncSender<Result<Vec<Record>, LogError>>) {
    loop {
        let batch = runtime.block_on(history.read(from));
        from = match &batch {
            Ok(records) => records.last().map_or(from, |last| last.number + 1),
            Err(_) => from,
        };
        let over = batch.as_ref().map_or(true, Vec::is_empty);
        // Nobody listens once the player has gone elsewhere.
        if matches!(&batch, Ok(records) if records.is_empty()) || read.send(batch).is_err() || over {
            return;
        }
    }
}
