//! What is remembered of many keys, the oldest forgotten first: the latest in a map, all before in sealed runs.
//!
//! A run is never changed, so a copy of State shares it, and a checkpoint holds it as it lies in memory. A key that comes
//! again is put into the map; the newest counts. Forgotten is a run at a time: what is promised to be remembered is, and
//! up to an eighth more.

use core::time::Duration;
use std::sync::Arc;

use imbl::{OrdMap, Vector};
use serde::{Deserialize, Serialize};

use super::Key;
use super::closed::Closed;
use super::run::Run;
use crate::domain::Time;

/// Keys of a run, at most: sealing one takes about 3 ms, and eight million keys are in 61 runs to be looked through.
const RUN: usize = 131_072;

/// Runs that a horizon, or the greatest number, is divided into at least.
const PARTS: u32 = 8;

/// Keys, and what is left of each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// The latest, and when the first and the last of them were put.
    fresh: OrdMap<Key, Closed>,
    since: Time,
    until: Time,
    /// The oldest first.
    runs: Vector<Arc<Run>>,
    /// Keys in all runs.
    sealed: usize,
}

impl Remembered {
    /// What is left of a key; the newest, where it was put more than once.
    pub(super) fn get(&self, key: Key) -> Option<Closed> {
        self.fresh.get(&key).cloned().or_else(|| self.runs.iter().rev().find_map(|run| run.get(key)))
    }

    /// Keys remembered; one that came again counts each time.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.sealed
    }

    /// Remembers a key. `at` never runs backwards.
    pub(super) fn put(&mut self, key: Key, closed: Closed, at: Time) {
        if self.fresh.is_empty() {
            self.since = at;
        }
        self.until = self.until.max(at);
        self.fresh.insert(key, closed);
    }

    /// Forgets the oldest run, if all of it was put before a time, or there are more keys than allowed.
    pub(super) fn forget(&mut self, now: Time, before: Time, max: usize) {
        let part = now.since(before) / PARTS;
        if self.fresh.len() >= RUN.min(max / PARTS as usize).max(1) || self.is_stale(now, part) {
            self.seal();
        }
        if let Some(oldest) = self.runs.front()
            && (oldest.until() < before || self.len() > max)
        {
            self.sealed -= oldest.len();
            self.runs.pop_front();
        }
    }

    fn is_stale(&self, now: Time, part: Duration) -> bool {
        !self.fresh.is_empty() && now.since(self.since) > part
    }

    fn seal(&mut self) {
        let fresh = core::mem::take(&mut self.fresh);
        self.sealed += fresh.len();
        self.runs.push_back(Arc::new(Run::of(&fresh, self.until)));
    }
}
