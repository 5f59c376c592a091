//! One replica: what a crash takes (the process: its fold and its machines) and what it leaves (the disk).

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::EPOCH;
use super::checks::{Checked, Checks, Invariant, holds};
use super::faults::Fault;
use super::log::Log;
use crate::domain::{Body, Position, Settings, Time};
use crate::engine::{self, Effect, State};
use crate::runtime::clock;
use crate::runtime::protocol::{Acts, Agenda, Executions, Leadership, Planted, Projection, Spool};

/// Events a simulated spool holds: an outage of half a minute fills it.
const CAPACITY: u64 = 150;

/// A row: its entry, and which of the entry's it is.
type Row = (Position, u64);

/// A replica.
pub(super) struct Replica {
    pub(super) process: Option<Process>,
    /// Processes so far; messages to an earlier one reach nobody.
    pub(super) incarnation: u32,
    /// The process stands still until then.
    pub(super) paused_until: Duration,
    /// The log cannot be reached until then.
    pub(super) cut_until: Duration,
    /// The wall clock's error, in microseconds.
    pub(super) wall_error: i64,
    /// Faults that happen at the next occasion.
    pub(super) armed: BTreeSet<Fault>,
    pub(super) disk: Disk,
}

/// What a crash leaves.
#[derive(Default)]
pub(super) struct Disk {
    /// The spool's file: number, since when, event of the sender's ledger, entry.
    pub(super) spool: VecDeque<(u64, Time, usize, Body)>,
    pub(super) numbered: u64,
    tables: Tables,
}

/// The tables: they take what they are given, so that a row written twice shows.
#[derive(Default)]
struct Tables {
    cursor: Position,
    last: Option<Row>,
    rows: u64,
}

/// What a crash takes.
pub(super) struct Process {
    pub(super) started: Duration,
    pub(super) state: State,
    /// Index of the next entry to fold.
    pub(super) next: usize,
    acts: Acts,
    pub(super) agenda: Agenda,
    pub(super) leadership: Leadership,
    /// A call of the leadership is under way.
    pub(super) asking: bool,
    pub(super) executions: Executions,
    pub(super) spool: Spool,
    projection: Projection<Row>,
    /// Index of the next entry to project.
    fed: usize,
    /// The tables are not written before then.
    tables_from: Duration,
    /// When resources were measured last.
    pub(super) sampled: Duration,
    /// Entries folded at the last checkpoint.
    pub(super) saved: usize,
    /// Log time at the start of the process, every slew added, in microseconds.
    base: i64,
    followed: u64,
}

/// How writing the tables ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing was due.
    Nothing,
    /// The tables have it.
    Done,
    /// The disk failed.
    Failed,
    /// The process died on the way.
    Died,
}

impl Replica {
    pub(super) fn new() -> Self {
        Self {
            process: None,
            incarnation: 0,
            paused_until: Duration::ZERO,
            cut_until: Duration::ZERO,
            wall_error: 0,
            armed: BTreeSet::new(),
            disk: Disk::default(),
        }
    }

    /// Starts a process, from the newest checkpoint that can be read.
    pub(super) fn start(&mut self, now: Duration, log: &Log, planted: Planted) {
        self.incarnation += 1;
        self.paused_until = Duration::ZERO;
        let state = log.restore();
        let next = log.after(state.position());
        let cursor = self.disk.tables.cursor;
        let latest = log.entries().last().map_or(Time::ZERO, |entry| entry.at);
        let wall = EPOCH.micros() + micros(now) + self.wall_error;
        let mut agenda = Agenda::default();
        let acts = Acts::default();
        agenda.follow(&state);
        agenda.take(&state, &acts);
        let oldest = self.disk.spool.front().map(|(_, at, ..)| *at);
        self.process = Some(Process {
            started: now,
            next,
            acts,
            agenda,
            leadership: Leadership::new(planted),
            asking: false,
            executions: Executions::new(planted),
            spool: Spool::resume(CAPACITY, self.disk.spool.len() as u64, oldest, planted),
            projection: Projection::resume(cursor, planted),
            fed: log.after(log.checkpoint_before(cursor)),
            tables_from: Duration::ZERO,
            sampled: now,
            saved: next,
            base: wall.max(latest.micros()),
            followed: 0,
            state,
        });
    }

    /// Whether a fault was armed; it happens now.
    pub(super) fn takes(&mut self, fault: Fault) -> bool {
        self.armed.remove(&fault)
    }

    /// Writes what is due into the tables.
    pub(super) fn project(&mut self, now: Duration, checks: &Checks, log: &Log) -> Result<Written, super::Broken> {
        let (fails, dies) = (self.armed.contains(&Fault::TablesFail), self.armed.contains(&Fault::CrashAtTheCursor));
        let Some(process) = &mut self.process else { return Ok(Written::Nothing) };
        process.feed(now, checks, log);
        let mono = process.mono(now);
        if mono < process.tables_from || process.projection.patience(mono) != Some(Duration::ZERO) {
            return Ok(Written::Nothing);
        }
        if fails {
            self.armed.remove(&Fault::TablesFail);
            process.tables_from = mono + process.projection.failed();
            return Ok(Written::Failed);
        }
        let (rows, upto) = process.projection.batch();
        if dies {
            self.armed.remove(&Fault::CrashAtTheCursor);
            // The transaction is whole or not there; a cursor of its own would be there without its rows.
            if process.projection.cursor_first() {
                self.disk.tables.cursor = upto;
            } else if rows.len().is_multiple_of(2) {
                self.disk.tables.write(rows, upto, checks, log)?;
            }
            return Ok(Written::Died);
        }
        self.disk.tables.write(rows, upto, checks, log)?;
        process.projection.written();
        Ok(Written::Done)
    }

    /// Whether the tables hold all that the log does.
    pub(super) fn projected(&self, log: &Log) -> bool {
        log.entries().last().is_none_or(|last| self.disk.tables.cursor == last.position)
    }
}

impl Tables {
    fn write(&mut self, rows: &[Row], upto: Position, checks: &Checks, log: &Log) -> Checked {
        for row in rows {
            let after = self.last.is_none_or(|last| *row > last);
            holds(after, Invariant::NothingTwice, || format!("row {row:?} is written after {:?}", self.last))?;
            self.last = Some(*row);
        }
        self.rows += rows.len() as u64;
        self.cursor = upto;
        let expected = log.after(upto).checked_sub(1).and_then(|index| checks.rows(index)).map_or(0, |(_, upto)| upto);
        let held = self.rows;
        holds(held == expected, Invariant::NothingTwice, || format!("{held} rows up to {upto}, {expected} are needed"))
    }
}

impl Process {
    /// Monotonic time since this process started.
    pub(super) const fn mono(&self, now: Duration) -> Duration {
        now.saturating_sub(self.started)
    }

    /// Log time as this process tells it: as `runtime/clock.rs` does, slewed towards the wall clock every second.
    pub(super) fn at(&mut self, now: Duration, wall_error: i64) -> Time {
        let mono = self.mono(now);
        while self.followed < mono.as_secs() {
            self.followed += 1;
            let log_time = self.base + micros(Duration::from_secs(self.followed));
            let wall = EPOCH.micros() + micros(self.started) + micros(Duration::from_secs(self.followed)) + wall_error;
            self.base += clock::slew(log_time - wall);
        }
        Time::from_micros(self.base + micros(mono))
    }

    /// Log time is never behind the log.
    pub(super) fn catch_up(&mut self, now: Duration) {
        self.base = self.base.max(self.agenda.at.micros() - micros(self.mono(now)));
    }

    /// Folds all that the log has.
    pub(super) fn fold(&mut self, log: &Log, checks: &mut Checks) -> Checked {
        let mut effects: Vec<Effect> = Vec::new();
        let mut acts_changed = false;
        for (index, entry) in log.entries().iter().enumerate().skip(self.next) {
            engine::apply(&mut self.state, entry, &mut effects);
            acts_changed |= effects.iter().any(|effect| matches!(effect, Effect::Act { .. }));
            acts_changed |= self.acts.note(entry.position, &entry.body);
            checks.folded(index, entry, &self.state, &effects)?;
            effects.clear();
        }
        self.next = log.entries().len();
        self.agenda.follow(&self.state);
        if acts_changed {
            self.agenda.take(&self.state, &self.acts);
        }
        Ok(())
    }

    /// Gives the projection what was folded. Its rows are those that the fold showed: folding is a function.
    fn feed(&mut self, now: Duration, checks: &Checks, log: &Log) {
        let mono = self.mono(now);
        for index in self.fed..self.next {
            let position = log.entries()[index].position;
            if self.projection.wants(position) {
                let count = checks.rows(index).map_or(0, |(own, _)| own);
                self.projection.take(mono, position, (0..count).map(|number| (position, number)));
            }
        }
        self.fed = self.fed.max(self.next);
    }

    /// When the tables are to be written.
    pub(super) fn projects_at(&self, now: Duration) -> Option<Duration> {
        let mono = self.mono(now);
        let due = mono + self.projection.patience(mono)?;
        Some(due.max(self.tables_from))
    }

    /// The configuration's time-out of an act.
    pub(super) fn timeout(settings: &Arc<Settings>) -> Duration {
        Duration::from_secs(settings.healing.execute_timeout_s)
    }
}

pub(super) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
