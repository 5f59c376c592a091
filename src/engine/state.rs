//! State: all the engine knows at one position of the log. Bounded, cheap to clone, and completely in its checkpoint.

use core::time::Duration;
use std::io;

use serde::{Deserialize, Serialize};

use super::analyse::Analyst;
use super::detect::Incidents;
use super::experiments::Experiments;
use super::feed::{Feed, Line};
use super::heal::Healer;
use super::learn::{Learning, Lesson};
use super::monitor::Monitor;
use super::route::RoutingView;
use super::route::silence::Silence;
use super::scale::Scaler;
use super::shadow::Reports;
use super::snapshot::{IncidentRow, Statistics};
use crate::domain::{Act, EffectId, IncidentId, Position, Time};

/// The checkpoint's format; raised whenever State changes shape. An older one is not read: the log is folded afresh.
const FORMAT: u8 = 8;
/// With traffic, time is told once a second: what detection resolves.
const TICK: Duration = Duration::from_secs(1);
/// Without traffic, once in half a minute is enough for deadlines and silence.
const IDLE_TICK: Duration = Duration::from_secs(30);

/// The engine's whole state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    pub(super) view: RoutingView,
    pub(super) monitor: Monitor,
    pub(super) incidents: Incidents,
    pub(super) healer: Healer,
    pub(super) analyst: Analyst,
    pub(super) scaler: Scaler,
    pub(super) feed: Feed,
    pub(super) silence: Silence,
    pub(super) shadow: Reports,
    pub(super) experiments: Experiments,
    pub(super) learning: Learning,
    pub(super) statistics: Statistics,
    pub(super) configured: bool,
    pub(super) version: String,
    pub(super) epoch: u64,
    pub(super) ticked_at: Time,
    /// Entries that were more than time passing, since the last tick.
    pub(super) busy: bool,
}

/// Why a checkpoint could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Of another format: fold the log from its beginning, or from a checkpoint of this version.
    #[error("the checkpoint has format {found}, this version reads {FORMAT}: the log is folded afresh")]
    Format {
        /// The format found.
        found: u8,
    },
    /// Damaged.
    #[error("the checkpoint cannot be decoded")]
    Damaged(#[from] postcard::Error),
}

impl State {
    /// Before the log: nothing has happened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The last entry folded.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.view.position
    }

    /// The log's time there.
    #[must_use]
    pub const fn at(&self) -> Time {
        self.view.at
    }

    /// What `decide` reads; cloning it is cheap.
    #[must_use]
    pub const fn view(&self) -> &RoutingView {
        &self.view
    }

    /// The configuration in force, once one has entered the log.
    #[must_use]
    pub fn settings(&self) -> Option<&std::sync::Arc<crate::domain::Settings>> {
        self.configured.then_some(&self.view.settings)
    }

    /// The fencing epoch of the latest leadership.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Running totals since the log began.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// When the leader has to tell that time passed, unless an entry does before.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if self.ticked_at == Time::ZERO {
            return self.configured.then_some(self.view.at);
        }
        let traffic = self.busy || self.incidents.open_ones().next().is_some() || self.healer.waits();
        Some(self.ticked_at + if traffic { TICK } else { IDLE_TICK })
    }

    /// What a model may be trained on, the oldest first; the copy shares it.
    #[must_use]
    pub fn lessons(&self) -> imbl::Vector<Lesson> {
        self.learning.lessons().clone()
    }

    /// When a model is to be trained next, and the version it will have. None while there is too little to train on, or
    /// learning is off.
    #[must_use]
    pub fn training(&self) -> Option<(Time, u32)> {
        Some((self.learning.due(&self.view.settings.learning)?, self.learning.next_version()))
    }

    /// Acts that were asked for and whose end is not recorded: to be executed (again) after a restart. All are
    /// set-state, so repeating one is safe.
    #[must_use]
    pub fn outstanding(&self) -> Vec<(EffectId, Act)> {
        self.healer.outstanding().map(|(id, act)| (id, act.clone())).collect()
    }

    /// An incident as it stands, while State remembers it.
    #[must_use]
    pub fn incident(&self, id: IncidentId) -> Option<&IncidentRow> {
        self.incidents.get(id).map(|incident| &incident.row)
    }

    /// What became of the command folded last, if one was.
    #[must_use]
    pub fn last_outcome(&self) -> Option<&super::snapshot::CommandOutcome> {
        self.healer.outcomes().last()
    }

    /// The complete state as bytes: a format byte and its postcard encoding.
    ///
    /// # Panics
    /// Never: every part of State encodes.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.write_checkpoint(&mut bytes) {
            Ok(()) => bytes,
            Err(error) => unreachable!("State holds only what postcard encodes: {error}"),
        }
    }

    /// Writes what [`State::checkpoint`] returns, piece by piece: the whole may be hundreds of megabytes.
    ///
    /// # Errors
    /// What `to` says.
    pub fn write_checkpoint(&self, mut to: impl io::Write) -> io::Result<()> {
        to.write_all(&[FORMAT])?;
        postcard::to_io(self, to).map(drop).map_err(io::Error::other)
    }

    /// The format of the checkpoints that this version writes and reads; others are of no use to it.
    pub const CHECKPOINT_FORMAT: u8 = FORMAT;

    /// The state of a checkpoint.
    ///
    /// # Errors
    /// [`RestoreError`] when the bytes are of another format, or damaged.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => Ok(postcard::from_bytes(rest)?),
            Some((&found, _)) => Err(RestoreError::Format { found }),
            None => Err(RestoreError::Format { found: 0 }),
        }
    }

    /// The hash of the complete checkpoint: equal on every replica that folded the same log with the same version.
    #[must_use]
    pub fn fingerprint(&self) -> blake3::Hash {
        blake3::hash(&self.checkpoint())
    }

    /// Goes on behind an entry that cannot be folded, as if nothing had happened there but the time. Whoever calls this has
    /// the order to do so from the log, so that every replica does the same.
    ///
    /// # Panics
    /// When the entry is folded already.
    pub fn leave_out(&mut self, position: Position, at: Time) {
        assert!(position > self.view.position, "entries are left out once, in order");
        self.view.position = position;
        self.view.at = self.view.at.max(at);
        self.feed.push(&self.view, Line::Engine(format!("the entry at {position} cannot be folded and is left out")));
    }

    /// How many payment events and how many routing decisions were folded since the log began.
    #[must_use]
    pub const fn folded(&self) -> (u64, u64) {
        (self.statistics.events, self.statistics.decisions)
    }

    /// How many payments are remembered, and how many of them are open.
    #[must_use]
    pub fn remembered(&self) -> (usize, usize) {
        self.view.payments.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ConnectorAccount, ProfileId, ResourceSample};
    use crate::engine::monitor::Slice;

    type Change = Box<dyn Fn(&mut State)>;

    /// Every field, changed one at a time, changes the fingerprint.
    #[test]
    fn the_fingerprint_covers_every_field() {
        let account = ConnectorAccount::parse("stripe:mca_1").unwrap();
        let profile = ProfileId::parse("pro_1").unwrap();
        let changes: Vec<Change> = vec![
            Box::new(|s| s.view.position.index = 7),
            Box::new(|s| s.view.at = Time::from_secs(1)),
            Box::new(|s| s.view.settings = std::sync::Arc::new(crate::domain::Settings { seed: 9, ..Default::default() })),
            Box::new(move |s| assert!(s.view.intern_account(&account).is_some())),
            Box::new(move |s| assert!(s.view.intern_profile(&profile).is_some())),
            Box::new(|s| s.monitor.started(&[Slice::All], Time::from_secs(5))),
            Box::new(|s| s.healer.levels.veto_delay_s = 61),
            Box::new(|s| {
                s.scaler.sampled(
                    ResourceSample { cpu_percent: 1.0, memory_percent: 1.0, queue_depth: 1, instances: 1 },
                    Time::ZERO,
                );
            }),
            Box::new(|s| s.feed.push(&RoutingView::default(), Line::Engine("x".to_owned()))),
            Box::new(|s| s.silence.answered(Duration::from_secs(1))),
            Box::new(|s| s.learning.counts.decided(0.5)),
            Box::new(|s| s.statistics.repeats = 1),
            Box::new(|s| s.configured = true),
            Box::new(|s| s.version.push('1')),
            Box::new(|s| s.epoch = 1),
            Box::new(|s| s.ticked_at = Time::from_secs(1)),
            Box::new(|s| s.busy = true),
        ];
        let mut prints = vec![State::new().fingerprint()];
        for change in &changes {
            let mut state = State::new();
            change(&mut state);
            prints.push(state.fingerprint());
        }
        for (index, print) in prints.iter().enumerate() {
            assert!(!prints[..index].contains(print), "change {index} does not show");
        }
    }

    #[test]
    fn a_damaged_or_foreign_checkpoint_is_refused() {
        assert!(matches!(State::restore(&[9, 1, 2]), Err(RestoreError::Format { found: 9 })));
        assert!(matches!(State::restore(&[FORMAT, 255]), Err(RestoreError::Damaged(_))));
        assert!(State::restore(&[]).is_err());
    }
}
