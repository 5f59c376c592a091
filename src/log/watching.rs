//! The number of the last record this process knows of, and waiting for it to grow.

use std::sync::Arc;

use tokio::sync::watch;

/// The last record's number; clones see and advance the same one.
#[derive(Debug, Clone)]
pub(super) struct Last(Arc<watch::Sender<u64>>);

impl Last {
    pub(super) fn new(number: u64) -> Self {
        Self(Arc::new(watch::Sender::new(number)))
    }

    /// Tells the waiting that there is a record of this number; an older number tells nothing.
    pub(super) fn advance(&self, number: u64) {
        self.0.send_if_modified(|last| {
            let newer = number > *last;
            *last = number.max(*last);
            newer
        });
    }

    /// Waits until a record of this number, or a later one, is known of.
    pub(super) async fn reaches(&self, number: u64) {
        // The sender lives in `self`: waiting cannot end with an error.
        let _ = self.0.subscribe().wait_for(|last| *last >= number).await;
    }
}
