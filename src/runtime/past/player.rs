//! Moves through the past: jumps, and folds on from there.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::ahead::{Ahead, Open};
use super::index::{self, Index};
use super::{News, PastError, Progress, Reached, Span, Watch};
use crate::domain::{Body, Decision, Entry, Position, Record, Time};
use crate::engine::{self, Effect, Snapshot, State};
use crate::log::{History, LogError};
use crate::runtime::poison::{Poisoned, Skips};

/// Entries folded between two looks at whether to go on: about 10 ms.
const LOOK_EVERY: u64 = 2_048;

/// Entries between states kept in memory, and how many of them: going back a little costs a tenth of a second at most.
const KEEP_EVERY: u64 = 25_000;
const KEPT: usize = 12;

/// The engine's state at one position of the past, and the way to any other.
pub struct Player {
    pub(super) history: History,
    pub(super) index: Index,
    pub(super) runtime: Handle,
    span: Span,
    pub(super) state: State,
    /// States of a moment ago, by position.
    kept: VecDeque<State>,
    since_kept: u64,
    ahead: Option<Ahead>,
    /// The record begun.
    open: Option<Open>,
    folded: u64,
    /// Entries that are left out where they cannot be folded.
    skips: Skips,
    /// What folding told, where somebody listens.
    news: Option<News>,
}

impl Player {
    /// A player at the beginning of what there is.
    ///
    /// # Errors
    /// [`PastError::Empty`], [`PastError::NoBeginning`], or what reading says.
    ///
    /// # Panics
    /// Within a task of the tokio runtime: it waits for reads.
    pub fn open(history: History, index: Index, runtime: Handle) -> Result<Self, PastError> {
        let span = Span { from: Time::ZERO, to: Time::ZERO, first: 0, last: 0 };
        let mut player = Self {
            history,
            index,
            runtime,
            span,
            state: State::new(),
            kept: VecDeque::new(),
            since_kept: 0,
            ahead: None,
            open: None,
            folded: 0,
            skips: Skips::default(),
            news: None,
        };
        player.begin()?;
        Ok(player)
    }

    /// Another player of the same past, at its beginning.
    ///
    /// # Errors
    /// As [`Player::open`].
    pub fn again(&self) -> Result<Self, PastError> {
        Self::open(self.history.clone(), self.index.clone(), self.runtime.clone())
    }

    /// What there is.
    #[must_use]
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The state where it stands.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What the screen showed there.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        engine::snapshot(&self.state)
    }

    /// The records it plays.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// What is known of the whole span.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// Entries folded since it was opened.
    #[must_use]
    pub const fn folded(&self) -> u64 {
        self.folded
    }

    /// Whether an entry that cannot be folded was passed, because the log orders to leave it out.
    #[must_use]
    pub fn leaves_out(&self, position: Position) -> bool {
        self.skips.holds(position)
    }

    /// From here on, remembers what folding tells of incidents and actions.
    pub fn listen(&mut self) {
        self.news = Some(News::default());
    }

    /// What was told since [`Player::listen`].
    pub fn heard(&mut self) -> News {
        self.news.take().unwrap_or_default()
    }

    /// Goes to a time: the state after the last entry at or before it.
    ///
    /// # Errors
    /// What cannot be read or folded; the state is then as it was just before that.
    pub fn seek(&mut self, to: Time, watch: Watch<'_>) -> Result<Reached, PastError> {
        let record = self.runtime.block_on(self.history.record_at(to))?;
        self.seek_record(record.clamp(self.span.first - 1, self.span.last), watch)
    }

    /// Goes to the end of a record; the one before the first is the beginning.
    ///
    /// # Errors
    /// As [`Player::seek`].
    pub fn seek_record(&mut self, record: u64, watch: Watch<'_>) -> Result<Reached, PastError> {
        self.approach(Position { record, index: u32::MAX });
        self.run_through(record, watch)
    }

    /// Folds on to the last entry at or before a time; never back.
    ///
    /// # Errors
    /// As [`Player::seek`].
    pub fn run_until(&mut self, to: Time, watch: Watch<'_>) -> Result<Reached, PastError> {
        self.run(&mut |_, at| at > to, watch)
    }

    /// Folds on through a record.
    ///
    /// # Errors
    /// As [`Player::seek`].
    pub fn run_through(&mut self, record: u64, watch: Watch<'_>) -> Result<Reached, PastError> {
        let begun = self.state.position().record;
        let of = record.saturating_sub(begun);
        let last = self.span.last;
        self.run(&mut |number, _| number > record.min(last), &mut |progress| {
            watch(Progress { done: progress.done.saturating_sub(begun), of })
        })
        .map(|reached| if reached == Reached::End && record <= last { Reached::There } else { reached })
    }

    /// Folds the next entry at or before a time, and hands it over with what folding it asked for; none when there is none.
    ///
    /// # Errors
    /// As [`Player::seek`].
    pub fn step(&mut self, to: Time) -> Result<Option<(Entry, Vec<Effect>)>, PastError> {
        while let Some(entry) = self.next_entry(&mut |_, at| at > to)? {
            let asked = self.fold(&entry)?;
            if self.state.position() == entry.position && !self.skips.holds(entry.position) {
                return Ok(Some((entry, asked)));
            }
            // It is left out; the state fell back for that, and what was handed over already is folded again.
            while self.state.position() < entry.position
                && let Some(again) = self.next_entry(&mut |_, at| at > to)?
            {
                self.fold(&again)?;
            }
        }
        Ok(None)
    }

    /// Folds on until just after the next routing decision; that one, unless the fold ended before.
    ///
    /// # Errors
    /// As [`Player::seek`].
    pub fn next_decision(&mut self, watch: Watch<'_>) -> Result<(Reached, Option<Arc<Decision>>), PastError> {
        let (mut folded, last) = (0_u64, self.span.last);
        while let Some(entry) = self.next_entry(&mut |number, _| number > last)? {
            self.fold(&entry)?;
            folded += 1;
            if let Body::Decided(decision) = entry.body {
                return Ok((Reached::There, Some(decision)));
            }
            if folded.is_multiple_of(LOOK_EVERY) && !watch(Progress { done: folded, of: folded }) {
                return Ok((Reached::BrokenOff, None));
            }
        }
        Ok((Reached::End, None))
    }

    /// Folds on until so many events and decisions are folded, at most through a record.
    pub(super) fn run_entries(&mut self, entries: u64, upto: u64, watch: Watch<'_>) -> Result<Reached, PastError> {
        let mut folded = 0_u64;
        while let Some(entry) = self.next_entry(&mut |number, _| number > upto)? {
            self.fold(&entry)?;
            folded += 1;
            if index::entries_of(&self.state) >= entries {
                return Ok(Reached::There);
            }
            if folded.is_multiple_of(LOOK_EVERY) && !watch(Progress { done: entry.position.record, of: self.span.last }) {
                return Ok(Reached::BrokenOff);
            }
        }
        Ok(Reached::End)
    }

    /// Folds until `beyond` says that a record (its number and time) is too far.
    fn run(&mut self, beyond: &mut dyn FnMut(u64, Time) -> bool, watch: Watch<'_>) -> Result<Reached, PastError> {
        let mut folded = 0_u64;
        while let Some(entry) = self.next_entry(beyond)? {
            self.fold(&entry)?;
            folded += 1;
            if folded.is_multiple_of(LOOK_EVERY) && !watch(Progress { done: entry.position.record, of: self.span.last }) {
                return Ok(Reached::BrokenOff);
            }
        }
        let ended = self.open.is_none() && self.state.position().record >= self.span.last;
        Ok(if ended { Reached::End } else { Reached::There })
    }

    /// The next entry, unless its record is beyond.
    fn next_entry(&mut self, beyond: &mut dyn FnMut(u64, Time) -> bool) -> Result<Option<Entry>, PastError> {
        loop {
            if self.open.is_none() {
                self.open = self.next_record()?.map(Open::of);
            }
            let Some(open) = &mut self.open else { return Ok(None) };
            if beyond(open.number, open.at) {
                return Ok(None);
            }
            match open.next() {
                // The rest of the record that holds the checkpoint's last entry is still to be folded.
                Some(entry) if entry.position > self.state.position() => return Ok(Some(entry)),
                Some(_) => {}
                None => self.open = None,
            }
        }
    }

    fn next_record(&mut self) -> Result<Option<Record>, PastError> {
        let ahead = match &mut self.ahead {
            Some(ahead) => ahead,
            none => {
                let from = self.state.position().record.max(self.span.first);
                none.insert(Ahead::start(self.history.clone(), from, &self.runtime)?)
            }
        };
        match ahead.next() {
            Ok(record) => Ok(record),
            Err(error) => {
                self.ahead = None;
                Err(error.into())
            }
        }
    }

    /// Folds an entry. A panic of `apply` leaves State half changed: it goes back to one that is whole. Where the log orders
    /// to leave the entry out that is no error: folding on comes to it again, and passes it.
    fn fold(&mut self, entry: &Entry) -> Result<Vec<Effect>, PastError> {
        let mut asked = Vec::new();
        if let Err(Poisoned(position)) = self.skips.fold(&mut self.state, entry, &mut asked) {
            self.fall_back(position);
            self.runtime.block_on(self.skips.read_history(&self.history, position.record))?;
            return if self.skips.holds(position) { Ok(Vec::new()) } else { Err(PastError::Poison { position }) };
        }
        if let Some(news) = &mut self.news {
            asked.iter().cloned().for_each(|effect| news.hear(effect));
        }
        self.folded += 1;
        self.since_kept += 1;
        if self.since_kept >= KEEP_EVERY {
            self.keep();
        }
        Ok(asked)
    }

    /// To the nearest state that is whole.
    fn fall_back(&mut self, position: Position) {
        let kept = self.kept.back().cloned();
        let restore = || self.runtime.block_on(self.index.restore(&self.history, None, position)).unwrap_or_default();
        let state = kept.unwrap_or_else(restore);
        self.stand_at(state);
    }

    fn keep(&mut self) {
        self.since_kept = 0;
        let position = self.state.position();
        self.kept.retain(|state| state.position() < position);
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(self.state.clone());
    }

    /// Puts the state at the nearest place at or before a position from which it can be folded to.
    pub(super) fn approach(&mut self, target: Position) {
        let here = self.state.position();
        let near = self.kept.iter().rev().find(|state| state.position() <= target);
        let held = near.filter(|state| here > target || state.position() > here).cloned();
        let base = held.as_ref().or((here <= target).then_some(&self.state));
        let base = base.map(|state| (state.position(), index::entries_of(state)));
        match self.runtime.block_on(self.index.restore(&self.history, base, target)) {
            Some(state) => self.leap(state),
            None => match held {
                Some(state) => self.step_back(state),
                None if here <= target => {}
                None => self.leap_to_beginning(),
            },
        }
    }

    /// Goes on from another state, of a checkpoint: what is in memory shares nothing with it, and would only fill it.
    fn leap(&mut self, state: State) {
        let left = (std::mem::replace(&mut self.state, State::new()), std::mem::take(&mut self.kept));
        // Forgetting millions of payments takes most of a second; without a thread it takes it here.
        let forgotten = std::thread::Builder::new().name("apos-forget".to_owned()).spawn(move || drop(left));
        drop(forgotten);
        self.stand_at(state);
        self.keep();
    }

    /// Goes back to a state of a moment ago.
    fn step_back(&mut self, state: State) {
        let position = state.position();
        self.kept.retain(|kept| kept.position() <= position);
        self.stand_at(state);
    }

    fn leap_to_beginning(&mut self) {
        let beginning = Position { record: self.span.first - 1, index: u32::MAX };
        let state = self.runtime.block_on(self.index.restore(&self.history, None, beginning)).unwrap_or_default();
        self.leap(state);
    }

    fn stand_at(&mut self, state: State) {
        self.state = state;
        (self.ahead, self.open) = (None, None);
    }

    /// Finds what there is, and stands at its beginning.
    fn begin(&mut self) -> Result<(), PastError> {
        let (first, last) =
            self.runtime.block_on(async { Ok::<_, LogError>((self.history.first().await?, self.history.last().await?)) })?;
        if last == 0 || first == 0 {
            return Err(self.history.damage().map_or(PastError::Empty, |damage| LogError::from(damage).into()));
        }
        if first > 1 {
            self.state =
                self.runtime.block_on(self.index.earliest(&self.history, first)).ok_or(PastError::NoBeginning { first })?;
        }
        let begun = if first > 1 { self.state.position().record + 1 } else { 1 };
        let (from, to) = self.runtime.block_on(async {
            let from = self.history.record(begun.min(last)).await?.at;
            Ok::<_, LogError>((from, self.last_time(begun, last).await?.max(from)))
        })?;
        self.span = Span { from: from.max(self.state.at()), to, first: begun, last };
        Ok(())
    }

    /// The time of the last record that can be read.
    async fn last_time(&self, first: u64, last: u64) -> Result<Time, LogError> {
        match self.history.record(last).await {
            Ok(record) => Ok(record.at),
            Err(LogError::Unreadable { .. } | LogError::Archive(_)) => {
                let far = Time::from_micros(i64::MAX);
                let readable = self.history.record_at(far).await?;
                Ok(self.history.record(readable.max(first)).await?.at)
            }
            Err(error) => Err(error),
        }
    }
}
