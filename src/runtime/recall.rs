//! Finds a decision that is no longer open: the tables know where it stands, log and archive have it whole.

use std::sync::Arc;

use tokio::runtime::Handle as Runtime;

use super::Handle;
use crate::domain::{Body, Decision, PaymentId, ProfileId};
use crate::log::{Archive, LogError};
use crate::store::StoreError;

/// Why it could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// The tables, which know where it stands.
    #[error("the tables cannot be read")]
    Tables(#[from] StoreError),
    /// The log or its archive, which have it.
    #[error("the log cannot be read where the decision stands")]
    Log(#[from] LogError),
}

impl Handle {
    /// The decision of a payment's attempt that the tables know, the latest where none is named, as it was recorded. None
    /// where they know none, where none are configured, and where its record has left both log and archive.
    ///
    /// # Errors
    /// When tables, log or archive cannot be read.
    pub async fn recalled(
        &self,
        profile: &ProfileId,
        payment: &PaymentId,
        attempt: Option<u16>,
    ) -> Result<Option<Arc<Decision>>, RecallError> {
        let Some(tables) = self.tables() else { return Ok(None) };
        let mut rows = tables.payment(profile, payment).await?.decisions.into_iter();
        let row = rows.rfind(|row| attempt.is_none_or(|attempt| row.attempt == i64::from(attempt)));
        let Some(row) = row else { return Ok(None) };
        let body = self.body(row.position.record, usize::try_from(row.position.index).ok()).await?;
        Ok(if let Some(Body::Decided(decision)) = body { Some(decision) } else { None })
    }

    /// An entry's body. A record of thousands, or a segment, is read and unpacked for it: not on a thread that others' answers
    /// wait for.
    async fn body(&self, number: u64, index: Option<usize>) -> Result<Option<Body>, LogError> {
        let (log, folder, runtime) = (self.log().clone(), self.archive_dir().to_path_buf(), Runtime::current());
        let read = move || {
            let records = match runtime.block_on(log.read(number, 1)) {
                // It was sealed and trimmed.
                Err(LogError::Missing { .. }) => Archive::open(&folder).read(number)?,
                read => read?,
            };
            let record = records.into_iter().find(|record| record.number == number);
            Ok(record.zip(index).and_then(|(record, index)| record.bodies.into_iter().nth(index)))
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| LogError::Closed)?
    }
}
