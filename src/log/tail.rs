//! Following the log: every record, once, in order, waiting for those that are still to come.

use std::collections::VecDeque;
use std::time::Duration;

use super::redis::StreamReader;
use super::{Log, LogError, contiguous};
use crate::domain::Record;

/// Records read at once: enough that a catch-up is bound by decoding, few enough to hold (a full record is 1 MB).
const BATCH: usize = 512;

/// How long another process's append to the same SQLite file may go unseen; this process's own are seen at once. Two
/// readers that look four times a second cost 0.2 % of a core.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A reader of the log that waits at its end.
#[derive(Debug)]
pub struct Tail {
    log: Log,
    stream: Option<StreamReader>,
    next: u64,
    ready: VecDeque<Record>,
}

impl Tail {
    pub(super) fn new(log: Log, from: u64) -> Self {
        Self { log, stream: None, next: from, ready: VecDeque::new() }
    }

    /// The next record; waits until there is one. Dropping the future loses nothing. After an error the next call
    /// tries the same record again.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub async fn next(&mut self) -> Result<Record, LogError> {
        loop {
            if let Some(record) = self.ready_now() {
                return Ok(record);
            }
            self.ready = self.read().await?.into();
        }
    }

    /// The next record if it is in memory already: what can be taken without waiting after [`Tail::next`].
    pub fn ready_now(&mut self) -> Option<Record> {
        let record = self.ready.pop_front()?;
        self.next = record.number + 1;
        Some(record)
    }

    /// Waits for records, and reads what there is; may come back empty.
    async fn read(&mut self) -> Result<Vec<Record>, LogError> {
        if let Log::Redis(log) = &self.log {
            let reader = match &mut self.stream {
                Some(reader) => reader,
                none => none.insert(log.reader().await?),
            };
            let read = reader.read(self.next, BATCH).await;
            if read.is_err() {
                self.stream = None;
            }
            return contiguous(self.next, read?);
        }
        let records = self.log.read(self.next, BATCH).await?;
        if records.is_empty() {
            self.wait().await;
        }
        Ok(records)
    }

    /// Until this process appends record `next`, or it is time to look for another's.
    async fn wait(&self) {
        match &self.log {
            Log::Memory(log) => log.last().reaches(self.next).await,
            Log::Sqlite(log) => {
                // Running out of time is one of the two ends.
                let _ = tokio::time::timeout(LOOK_EVERY, log.known().reaches(self.next)).await;
            }
            Log::Redis(_) => {}
        }
    }
}
