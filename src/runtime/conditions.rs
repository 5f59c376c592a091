//! What is wrong right now: one sentence for each part that is degraded, shown by status, screen and readiness.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The parts that are degraded. Clones see the same ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Conditions {
    /// Notes what is wrong with a part; logged when it is news.
    pub(super) fn set(&self, part: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        let mut held = self.held();
        if held.get(part) != Some(&reason) {
            tracing::warn!(component = part, reason, "degraded");
            held.insert(part, reason);
        }
    }

    /// Notes that a part is well again.
    pub(super) fn clear(&self, part: &'static str) {
        if self.held().remove(part).is_some() {
            tracing::info!(component = part, "well again");
        }
    }

    /// Whether something is wrong with a part.
    #[must_use]
    pub(super) fn has(&self, part: &str) -> bool {
        self.held().contains_key(part)
    }

    /// All that is wrong: `part: reason`, by part.
    #[must_use]
    pub(super) fn list(&self) -> Vec<String> {
        self.held().iter().map(|(part, reason)| format!("{part}: {reason}")).collect()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
