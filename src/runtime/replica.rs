//! The engine's loop: one thread owns State, folds every record in order, and publishes what others may see.
//!
//! After each batch the routing view is published, so that decisions see an outcome within milliseconds; at most ten
//! times a second, and only when something was folded, the snapshot. Others read both without ever making it wait.
//! A panic in `apply` halts folding at that position: the last view goes on deciding, and readiness says so, until an
//! operator's order to leave the entry out comes by the log. Then the state is folded afresh from the newest checkpoint.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};

use super::checkpoints::{self, Taken};
use super::clock;
use super::conditions::Conditions;
use super::outcomes::Outcomes;
use super::overlay::Overlay;
use super::poison::{self, Poisoned, Skips};
use super::protocol::{Acts, Agenda};
use super::trainer::Training;
use crate::domain::{Body, Decision, Position, Record};
use crate::engine::route::RoutingView;
use crate::engine::snapshot::Snapshot;
use crate::engine::{self, Effect, State};
use crate::log::Log;

/// Entries folded before the view is published at the latest: about 3 ms of folding, well within the 10 ms in which an
/// outcome must be seen.
const BATCH: usize = 512;

/// Where records come one by one, the view is published at most this often: after each time, what is touched next has to be
/// copied first. At 30,000 decisions a second that is a fifth of folding; the 10 ms within which an outcome must be seen
/// leave room for it.
const VIEW_EVERY: Duration = Duration::from_millis(2);

/// Views kept after the next was published, longer than any request takes: whoever lets go of a view last frees all that
/// changed since, and that is to be this thread, not one that answers.
const VIEWS_KEPT: usize = 16;

/// The snapshot is built at most this often: ten times a second is as fast as a screen is worth drawing.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);

/// Entries between checkpoints: what a restart folds at most, in about a second.
pub(super) const CHECKPOINT_EVERY: u64 = 200_000;

/// What the engine's thread lets others see.
#[derive(Debug)]
pub(super) struct Published {
    view: ArcSwap<RoutingView>,
    snapshot: ArcSwap<Snapshot>,
    training: ArcSwap<Training>,
    agenda: watch::Sender<Agenda>,
    outcomes: Arc<Outcomes>,
    folded: watch::Sender<Position>,
    shown: watch::Sender<Position>,
    /// A record that somebody waits to see in the snapshot; 0: none.
    awaited: AtomicU64,
}

impl Default for Published {
    fn default() -> Self {
        let state = State::new();
        Self {
            view: ArcSwap::from_pointee(state.view().clone()),
            snapshot: ArcSwap::default(),
            training: ArcSwap::default(),
            agenda: watch::Sender::default(),
            outcomes: Arc::default(),
            folded: watch::Sender::default(),
            shown: watch::Sender::default(),
            awaited: AtomicU64::default(),
        }
    }
}

impl Published {
    /// The latest view.
    #[must_use]
    pub(super) fn view(&self) -> Arc<RoutingView> {
        self.view.load_full()
    }

    /// The latest snapshot.
    #[must_use]
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// What there is to train on, as of the latest snapshot.
    #[must_use]
    pub(super) fn training(&self) -> Arc<Training> {
        self.training.load_full()
    }

    /// What is due; changes with the fold.
    #[must_use]
    pub(super) fn agenda(&self) -> watch::Receiver<Agenda> {
        self.agenda.subscribe()
    }

    /// What became of commands.
    #[must_use]
    pub(super) fn outcomes(&self) -> &Arc<Outcomes> {
        &self.outcomes
    }

    /// The last position that the view covers.
    #[must_use]
    pub(super) fn folded(&self) -> Position {
        *self.folded.borrow()
    }

    /// Waits until the view covers a position.
    pub(super) async fn folded_to(&self, position: Position) {
        // The sender lives in `self`: waiting cannot end with an error.
        let _ = self.folded.subscribe().wait_for(|folded| *folded >= position).await;
    }

    /// Waits until the view covers a whole record.
    pub(super) async fn folded_record(&self, number: u64) {
        // As above.
        let _ = self.folded.subscribe().wait_for(|folded| folded.record >= number).await;
    }

    /// Waits until the snapshot covers a whole record, and the view with it; it is made at once when that is folded.
    pub(super) async fn shown_record(&self, number: u64) {
        self.awaited.fetch_max(number, Ordering::Relaxed);
        // As above.
        let _ = self.shown.subscribe().wait_for(|shown| shown.record >= number).await;
    }

    /// Whether a snapshot at this position is waited for; it is asked once.
    fn is_awaited(&self, position: Position) -> bool {
        let awaited = self.awaited.load(Ordering::Relaxed);
        let due = awaited > 0 && position.record >= awaited;
        // One that is asked for meanwhile is made within a tenth of a second all the same.
        due && self.awaited.compare_exchange(awaited, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// The engine's thread: State and what it publishes.
pub(super) struct Replica {
    state: State,
    log: Log,
    /// Entries that are left out where they cannot be folded.
    skips: Skips,
    published: Arc<Published>,
    overlay: Arc<Overlay>,
    conditions: Conditions,
    checkpoints: mpsc::Sender<Taken>,
    effects: Vec<Effect>,
    acts: Acts,
    /// Decisions folded since the view was published: no longer only this replica's.
    settled: Vec<Arc<Decision>>,
    acts_changed: bool,
    /// A command or a configuration was folded: somebody waits to see what became of it.
    is_watched: bool,
    since_checkpoint: u64,
    /// The last record taken.
    heard: u64,
    snapshot_at: Option<Instant>,
    published_at: Option<Instant>,
    /// The views published last, the newest first.
    views: VecDeque<Arc<RoutingView>>,
}

impl Replica {
    /// On from `state` of a log; checkpoints are handed to `checkpoints` as copies of State.
    #[must_use]
    pub(super) fn new(
        (log, state): (Log, State),
        published: Arc<Published>,
        overlay: Arc<Overlay>,
        conditions: Conditions,
        checkpoints: mpsc::Sender<Taken>,
    ) -> Self {
        Self {
            state,
            log,
            skips: Skips::default(),
            published,
            overlay,
            conditions,
            checkpoints,
            effects: Vec::new(),
            acts: Acts::default(),
            settled: Vec::new(),
            acts_changed: true,
            is_watched: false,
            since_checkpoint: 0,
            heard: 0,
            snapshot_at: None,
            published_at: None,
            views: VecDeque::with_capacity(VIEWS_KEPT + 1),
        }
    }

    /// Folds records until their sender is gone; then hands over a last checkpoint.
    pub(super) fn run(mut self, mut records: mpsc::Receiver<Record>, runtime: &tokio::runtime::Handle) {
        self.publish();
        self.show(clock::instant());
        let mut stale = false;
        loop {
            let next = if stale { runtime.block_on(self.wait(&mut records)) } else { Some(records.blocking_recv()) };
            let Some(next) = next else {
                self.show(clock::instant());
                stale = false;
                continue;
            };
            let Some(record) = next else { break };
            self.gather(&records);
            if let Err(poisoned) = self.fold_batch(record, &mut records)
                && !self.recover(poisoned, &mut records, runtime)
            {
                return;
            }
            self.publish();
            stale = true;
            let now = clock::instant();
            if self.snapshot_at.is_none_or(|at| now.duration_since(at) >= SNAPSHOT_EVERY) {
                self.show(now);
                stale = false;
            }
        }
        self.show(clock::instant());
        if self.since_checkpoint > 0 {
            // The receiver is gone only when nobody wants the checkpoint any more.
            let _ = self.checkpoints.blocking_send(Taken { state: self.state, last: true });
        }
    }

    /// The next record, or nothing once a snapshot is due.
    async fn wait(&self, records: &mut mpsc::Receiver<Record>) -> Option<Option<Record>> {
        let due = self.snapshot_at.map_or(Duration::ZERO, |at| SNAPSHOT_EVERY.saturating_sub(at.elapsed()));
        tokio::time::timeout(due, records.recv()).await.ok()
    }

    /// Lets more records come while it is too early for another view; while many wait there is no need to.
    fn gather(&self, records: &mpsc::Receiver<Record>) {
        let early = self.published_at.map(|at| VIEW_EVERY.saturating_sub(at.elapsed()));
        if let Some(early) = early.filter(|early| !early.is_zero() && records.is_empty()) {
            std::thread::sleep(early);
        }
    }

    /// Folds a record and those already waiting behind it, up to a batch.
    fn fold_batch(&mut self, first: Record, records: &mut mpsc::Receiver<Record>) -> Result<(), Poisoned> {
        let mut folded = 0;
        let mut next = Some(first);
        while let Some(record) = next {
            folded += record.bodies.len();
            self.fold(record)?;
            next = if folded < BATCH { records.try_recv().ok() } else { None };
        }
        Ok(())
    }

    fn fold(&mut self, record: Record) -> Result<(), Poisoned> {
        self.heard = record.number;
        self.skips.hear(&record);
        for entry in record.entries() {
            if entry.position <= self.state.position() {
                continue;
            }
            self.skips.fold(&mut self.state, &entry, &mut self.effects)?;
            self.note(entry.position, entry.body);
            self.effects.clear();
        }
        self.checkpoint();
        Ok(())
    }

    /// Waits until an operator orders to leave a poison entry out, and folds the log afresh up to what was taken from it;
    /// `false` when the runtime stops before.
    fn recover(
        &mut self,
        mut poisoned: Poisoned,
        records: &mut mpsc::Receiver<Record>,
        runtime: &tokio::runtime::Handle,
    ) -> bool {
        let mut upto = self.heard;
        loop {
            let reason = poisoned.sentence("decisions go on from the last view");
            tracing::error!(component = "engine", position = %poisoned.0, "{reason}");
            self.conditions.set("engine", reason);
            // The order may stand in the log already, further on.
            let read = runtime.block_on(self.skips.read_log(&self.log, poisoned.0.record));
            while !self.skips.holds(poisoned.0) {
                let Some(record) = records.blocking_recv() else { return false };
                upto = upto.max(record.number);
                self.skips.hear(&record);
            }
            if read.is_err() && records.is_closed() {
                return false;
            }
            match self.refold(upto, runtime) {
                Ok(true) => {
                    self.conditions.clear("engine");
                    tracing::warn!(component = "engine", position = %poisoned.0, "an entry that cannot be folded is left out");
                    return true;
                }
                Ok(false) if records.is_closed() => return false,
                Ok(false) => runtime.block_on(tokio::time::sleep(poison::PAUSE)),
                Err(other) => poisoned = other,
            }
        }
    }

    /// Folds the log from its newest checkpoint through a record; `false` when the log cannot be read now.
    fn refold(&mut self, upto: u64, runtime: &tokio::runtime::Handle) -> Result<bool, Poisoned> {
        self.state = runtime.block_on(checkpoints::restore(&self.log, None));
        (self.acts, self.acts_changed) = (Acts::default(), true);
        self.effects.clear();
        // The rest of the record that holds the checkpoint's last entry is still to be folded.
        let mut next = self.state.position().record.max(1);
        while next <= upto {
            let Ok(read) = runtime.block_on(self.log.read(next, BATCH)) else { return Ok(false) };
            let Some(last) = read.last().map(|record| record.number) else { return Ok(false) };
            for record in read.into_iter().take_while(|record| record.number <= upto) {
                self.fold(record)?;
            }
            next = last + 1;
        }
        Ok(true)
    }

    /// What the shell must know of an entry that was folded.
    fn note(&mut self, position: Position, body: Body) {
        self.since_checkpoint += 1;
        self.acts_changed |= self.effects.iter().any(|effect| matches!(effect, Effect::Act { .. }));
        self.acts_changed |= self.acts.note(position, &body);
        match body {
            Body::Decided(decision) => self.settled.push(decision),
            Body::Commanded(_) => {
                self.is_watched = true;
                if let Some(outcome) = self.state.last_outcome() {
                    self.published.outcomes.tell(outcome);
                }
            }
            Body::Configured(_) => self.is_watched = true,
            _ => {}
        }
    }

    /// Makes all folded so far visible, the view first: who waits for a position finds it in the view.
    fn publish(&mut self) {
        let view = Arc::new(self.state.view().clone());
        self.views.push_front(view.clone());
        self.published.view.store(view);
        self.views.truncate(VIEWS_KEPT);
        self.published_at = Some(clock::instant());
        for decision in self.settled.drain(..) {
            self.overlay.settle(&decision);
        }
        if std::mem::take(&mut self.is_watched) | self.published.is_awaited(self.state.position()) {
            self.show(clock::instant());
        }
        self.published.folded.send_replace(self.state.position());
        let acts_changed = std::mem::take(&mut self.acts_changed);
        self.published.agenda.send_if_modified(|agenda| {
            let news = agenda.follow(&self.state);
            if acts_changed {
                agenda.take(&self.state, &self.acts);
            }
            news || acts_changed
        });
    }

    fn show(&mut self, now: Instant) {
        // Before the snapshot: who sees that a model is published does not find that it is still due.
        self.published.training.store(Arc::new(Training::of(&self.state)));
        self.published.snapshot.store(Arc::new(engine::snapshot(&self.state)));
        self.published.shown.send_replace(self.state.position());
        self.snapshot_at = Some(now);
    }

    /// Hands over a copy when it is time; one that is still being written is not waited for.
    fn checkpoint(&mut self) {
        if self.since_checkpoint >= CHECKPOINT_EVERY
            && self.checkpoints.try_send(Taken { state: self.state.clone(), last: false }).is_ok()
        {
            self.since_checkpoint = 0;
        }
    }
}
