//! What makes jumps short: the ladder of checkpoints, and what is marked along the way.
//!
//! A running engine keeps rungs as it goes. Where they are missing (an older log, an export) [`Index::complete`] folds
//! those stretches once, on a thread that yields to the rest.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{PastError, Player, Progress, Reached};
use crate::domain::{Position, Time};
use crate::engine::{self, State};
use crate::log::ladder::{Mark, MarkKind, Rung, witness};
use crate::log::{Chain, History, Ladder, LogError, codec};
use crate::runtime::background;

/// Entries between two rungs at least: half a second of folding.
const SPACING: u64 = 150_000;

/// Rungs that a history is divided into: fewer than a ladder keeps, so that completing it drops none.
const RUNGS: u64 = 48;

/// Loading a checkpoint takes as long as folding one in so many of the entries behind it: most of it is payments that are
/// remembered. Measured by the bench `replay`.
const LOADING: u64 = 80;

/// The index; clones share it.
#[derive(Debug, Clone)]
pub struct Index {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    ladder: Ladder,
    marks: BTreeSet<Mark>,
    covered: Covered,
}

/// How much of the span the index covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Covered {
    /// Up to this time every mark is known.
    pub to: Time,
    /// 0 to 100.
    pub percent: u8,
}

impl Index {
    /// The index in a folder, with at most so many bytes of checkpoints.
    #[must_use]
    pub fn open(folder: &Path, budget: u64) -> Self {
        let ladder = Ladder::open(folder, budget);
        let marks = ladder.rungs().flat_map(|rung| rung.marks.iter().copied()).collect();
        let covered = Covered { to: ladder.rungs().next_back().map_or(Time::ZERO, |rung| rung.at), percent: 0 };
        Self { shared: Arc::new(Mutex::new(Shared { ladder, marks, covered })) }
    }

    /// The marks known, in order.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        self.shared().marks.iter().copied().collect()
    }

    /// How much is covered.
    #[must_use]
    pub fn covered(&self) -> Covered {
        self.shared().covered
    }

    /// The newest checkpoint at or before `at_most` that can be read and is of this history; where there is a state at
    /// hand (its position and entries), only one that is worth loading instead.
    pub(super) async fn restore(&self, history: &History, base: Option<(Position, u64)>, at_most: Position) -> Option<State> {
        let usable = |position: &Position| *position <= at_most && base.is_none_or(|(base, _)| *position > base);
        let worth = |rung: &Rung| base.is_none_or(|(_, folded)| rung.entries.saturating_sub(folded) > rung.entries / LOADING);
        let mut places: Vec<(Position, Option<Rung>)> =
            self.shared().ladder.rungs().map(|rung| (rung.position, Some(rung.clone()))).collect();
        if let Some(log) = history.log() {
            let kept = log.checkpoints().await.unwrap_or_default();
            places.extend(kept.into_iter().map(|position| (position, None)));
        }
        places.retain(|(position, rung)| usable(position) && rung.as_ref().is_none_or(worth));
        places.sort_by_key(|(position, rung)| (*position, rung.is_some()));
        for (position, rung) in places.into_iter().rev() {
            let state = match rung {
                Some(rung) => self.rung(history, &rung).await,
                None => of_log(history, position).await,
            };
            if state.is_some() {
                return state;
            }
        }
        // The state that a file begins with.
        let (_, bytes) = history.checkpoint(at_most).await.ok().flatten()?;
        State::restore(&bytes).ok().filter(|state| usable(&state.position()))
    }

    /// The earliest state from which record `first` and all after it can be folded, or those after a later one.
    pub(super) async fn earliest(&self, history: &History, first: u64) -> Option<State> {
        let mut places: Vec<Position> = self.shared().ladder.rungs().map(|rung| rung.position).collect();
        if let Some(log) = history.log() {
            places.extend(log.checkpoints().await.unwrap_or_default());
        }
        if let Ok(Some((position, _))) = history.checkpoint(Position { record: u64::MAX, index: 0 }).await {
            places.push(position);
        }
        places.sort_unstable();
        for position in places.into_iter().filter(|position| position.record + 1 >= first) {
            let found = self.restore(history, None, position).await;
            if let Some(state) = found.filter(|state| state.position().record + 1 >= first) {
                return Some(state);
            }
        }
        None
    }

    /// A rung's state, if it belongs to this history and this version reads it; else the rung is forgotten.
    async fn rung(&self, history: &History, rung: &Rung) -> Option<State> {
        // Its record may have been trimmed without an archive: then nothing contradicts it.
        let record = history.record(rung.position.record).await;
        let fits = match &record {
            Ok(record) => witness(record).ok() == Some(rung.witness),
            Err(LogError::Missing { .. }) => history.first().await.is_ok_and(|first| first > rung.position.record),
            Err(_) => true,
        };
        let bytes = if fits { self.shared().ladder.load(rung.position) } else { None };
        let state = bytes.and_then(|bytes| State::restore(&bytes).ok());
        if state.is_none() {
            self.shared().ladder.forget(rung.position);
        }
        state
    }

    /// Folds the stretches that have no rungs, once, from the first to the last. `watch` is told the progress and ends it
    /// by false.
    ///
    /// # Errors
    /// What cannot be read or folded; all before it is covered.
    pub fn complete(player: &mut Player, watch: &mut dyn FnMut(Covered) -> bool) -> Result<(), PastError> {
        background::run_when_idle("replay index");
        let index = player.index.clone();
        let span = player.span();
        let spacing = index.spacing(player);
        let (mut go_on, mut done) = (true, (player.state().position(), entries_of(player.state())));
        while let Some((from, upto)) = index.gap(spacing, done, span.last).filter(|_| go_on) {
            player.approach(from);
            let mut next = entries_of(player.state()) + spacing;
            while player.state().position().record < upto && go_on {
                let mut watched = |progress: Progress| {
                    go_on = watch(index.note(player_percent(progress, span.first)));
                    go_on
                };
                let reached = player.run_entries(next, upto, &mut watched)?;
                index.keep(player)?;
                next += spacing;
                if reached == Reached::End {
                    break;
                }
            }
            done = (player.state().position().max(done.0), entries_of(player.state()));
        }
        if go_on {
            watch(index.finish(span.to));
        }
        Ok(())
    }

    /// Entries between rungs on a history of this length, as far as it is known.
    fn spacing(&self, player: &Player) -> u64 {
        let known = self.shared().ladder.rungs().next_back().map_or(0, |rung| {
            let scale = player.span().last.max(1) / rung.position.record.max(1);
            rung.entries.saturating_mul(scale.max(1))
        });
        SPACING.max(known / RUNGS)
    }

    /// The first stretch without rungs after a position and its entries: from where, up to which record.
    fn gap(&self, spacing: u64, done: (Position, u64), last: u64) -> Option<(Position, u64)> {
        let shared = self.shared();
        let mut before = done;
        for rung in shared.ladder.rungs().filter(|rung| rung.position > done.0) {
            if rung.entries.saturating_sub(before.1) > 2 * spacing {
                return Some((before.0, rung.position.record));
            }
            before = (rung.position, rung.entries);
        }
        (before.0.record < last).then_some((before.0, last))
    }

    /// Keeps the player's state as a rung, and its marks.
    fn keep(&self, player: &Player) -> Result<(), PastError> {
        if !self.wants(player.state.position()) {
            return Ok(());
        }
        let record = player.runtime.block_on(player.history.record(player.state.position().record))?;
        let rung = rung_of(&player.state, witness(&record).map_err(LogError::from)?);
        if let Ok(packed) = codec::pack_written(|to| player.state.write_checkpoint(to)) {
            self.add(rung, &packed);
        }
        Ok(())
    }

    /// Adds a rung. A folder that takes none makes jumps longer, and is no reason to end.
    pub fn add(&self, rung: Rung, packed: &[u8]) {
        let mut shared = self.shared();
        shared.marks.extend(rung.marks.iter().copied());
        shared.covered.to = shared.covered.to.max(rung.at);
        if shared.ladder.wants(rung.position)
            && let Err(error) = shared.ladder.keep(rung, packed)
        {
            tracing::warn!(component = "replay", %error, "a checkpoint for fast jumps was not kept");
        }
    }

    /// Whether a checkpoint there would be kept.
    #[must_use]
    pub fn wants(&self, position: Position) -> bool {
        self.shared().ladder.wants(position)
    }

    fn note(&self, percent: u8) -> Covered {
        let mut shared = self.shared();
        shared.covered.percent = percent.min(99);
        shared.covered
    }

    fn finish(&self, to: Time) -> Covered {
        let mut shared = self.shared();
        shared.covered = Covered { to, percent: 100 };
        shared.covered
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a rung says of a state. `witness` is that of the record it was folded to.
#[must_use]
pub fn rung_of(state: &State, witness: Chain) -> Rung {
    let snapshot = engine::snapshot(state);
    let incidents = snapshot.incidents.iter().map(|row| Mark { at: row.detected_at, kind: MarkKind::Incident });
    let actions = snapshot.actions.iter().map(|row| Mark { at: row.proposed_at, kind: MarkKind::Action });
    let mut marks: Vec<Mark> = incidents.chain(actions).collect();
    marks.sort_unstable();
    Rung { position: state.position(), at: state.at(), entries: entries_of(state), witness, marks }
}

/// Events and decisions folded since the log began: all entries but those of the engine itself.
pub(super) fn entries_of(state: &State) -> u64 {
    let (events, decisions) = state.folded();
    events + decisions
}

fn player_percent(progress: Progress, first: u64) -> u8 {
    let Progress { done, of } = progress;
    Progress { done: done.saturating_sub(first), of: of.saturating_sub(first) }.percent()
}

async fn of_log(history: &History, position: Position) -> Option<State> {
    let (_, bytes) = history.checkpoint(position).await.ok().flatten()?;
    State::restore(&bytes).ok()
}
