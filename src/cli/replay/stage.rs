//! The thread that plays the past at its pace, and goes where it is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::told;
use crate::cli::pacer::Pacer;
use crate::cli::screen::{self, Fall};
use crate::domain::{Decision, Time, wording};
use crate::engine::Snapshot;
use crate::log::ladder::{self, MarkKind};
use crate::runtime::past::{Covered, Index, PastError, Player, Progress, Reached};
use crate::tui::Wake;
use crate::tui::ui::timeline::{Mark, Marked, Timeline, Travel};
use crate::tui::ui::{Pace, PaceKey};

/// A snapshot ten times a second while time runs.
const STEP: Duration = Duration::from_millis(100);

/// A jump that takes longer than this shows how far it is.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// What is asked of the replay.
pub(super) enum Ask {
    /// A change of pace.
    Pace(PaceKey),
    /// A move in time.
    Travel(Travel),
    /// End.
    Stop,
}

/// All that is needed to play.
pub(super) struct Stage {
    pub(super) player: Player,
    pub(super) stretch: (Time, Time),
    pub(super) pace: Pace,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) waker: Sender<Wake>,
    pub(super) asked: Receiver<Ask>,
}

impl Stage {
    /// Plays until told to stop.
    pub(super) fn play(self) {
        let fall = Fall::new("the replay", self.waker.clone());
        let clock = screen::clock();
        let stop = Arc::new(AtomicBool::new(false));
        let indexing = start_index(&self.player, &stop);
        let (from, to) = self.stretch;
        let mut show = Show {
            player: self.player,
            from,
            to,
            at: from,
            pacer: Pacer::new(self.pace, clock(), from),
            snapshot: self.snapshot,
            waker: self.waker,
            asked: self.asked,
            decided: None,
            waiting: VecDeque::new(),
            covered: Covered::default(),
            clock,
        };
        show.go(Travel::Begin);
        show.run();
        stop.store(true, Ordering::Relaxed);
        if let Some(indexing) = indexing {
            // A panic of it was told when it fell.
            let _ = indexing.join();
        }
        drop(fall);
    }
}

/// Makes the index complete on a thread of its own.
fn start_index(player: &Player, stop: &Arc<AtomicBool>) -> Option<JoinHandle<()>> {
    let (mut own, stop) = (player.again().ok()?, stop.clone());
    let work = move || {
        let made = Index::complete(&mut own, &mut |_| !stop.load(Ordering::Relaxed));
        if let Err(error) = made {
            tracing::warn!(component = "replay", error = %format!("{:#}", anyhow::Error::from(error)), "the index is not complete");
        }
    };
    std::thread::Builder::new().name("replay-index".to_owned()).spawn(work).ok()
}

/// The past, and where its snapshots go.
struct Show {
    player: Player,
    from: Time,
    to: Time,
    /// The time shown: the state is that after the last entry at or before it.
    at: Time,
    pacer: Pacer,
    snapshot: Arc<ArcSwap<Snapshot>>,
    waker: Sender<Wake>,
    asked: Receiver<Ask>,
    /// The decision that a jump has just come to.
    decided: Option<Arc<Decision>>,
    /// Asked while a jump went on.
    waiting: VecDeque<Ask>,
    covered: Covered,
    clock: Box<dyn Fn() -> Duration + Send>,
}

impl Show {
    fn run(&mut self) {
        loop {
            self.advance();
            self.tell_index();
            let next = (self.clock)() + STEP;
            loop {
                let ask = match self.waiting.pop_front() {
                    Some(ask) => Ok(ask),
                    None => self.asked.recv_timeout(next.saturating_sub((self.clock)())),
                };
                match ask {
                    Ok(Ask::Pace(key)) => self.change_pace(key),
                    Ok(Ask::Travel(travel)) => self.go(travel),
                    Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => break,
                }
            }
        }
    }

    /// Folds what is due by the pace; at the end of the stretch time stands still.
    fn advance(&mut self) {
        if self.pacer.pace().paused {
            return;
        }
        self.decided = None;
        let target = self.pacer.target((self.clock)()).min(self.to);
        let until = (self.clock)() + STEP;
        let clock = &self.clock;
        let reached = self.player.run_until(target, &mut |_| clock() < until);
        self.at = if reached.as_ref().is_ok_and(|reached| *reached != Reached::BrokenOff) {
            target
        } else {
            self.player.state().at().max(self.at)
        };
        self.pacer.reached((self.clock)(), self.at);
        match reached {
            Err(error) => {
                self.say(&error);
                self.pause();
            }
            Ok(_) if self.at >= self.to => {
                self.wake(Wake::Note(told(Reached::End).to_owned()));
                self.pause();
            }
            Ok(_) => {}
        }
        self.publish();
    }

    fn pause(&mut self) {
        if !self.pacer.pace().paused {
            self.change_pace(PaceKey::PauseOrGo);
        }
    }

    fn change_pace(&mut self, key: PaceKey) {
        if key == PaceKey::PauseOrGo && self.pacer.pace().paused && self.at >= self.to {
            self.wake(Wake::Note("the end of the replay: 0 goes to its beginning".to_owned()));
            return;
        }
        self.pacer.change(key, (self.clock)(), self.at);
        self.wake(Wake::Pace(self.pacer.pace()));
        // Standing still, all of the screen is of one moment.
        self.publish();
    }

    /// Goes elsewhere. A jump that is overtaken by another one ends on the way.
    fn go(&mut self, travel: Travel) {
        let target = match self.target(travel) {
            Ok(target) => target,
            Err(sentence) => return self.wake(Wake::Note(sentence)),
        };
        let mut watch = Watch::new(self.timeline(), self.waker.clone(), &self.clock, &self.asked);
        watch.begin();
        let reached = match target {
            Some(time) => self.player.seek(time, &mut |progress| watch.see(progress)).map(|reached| (reached, None)),
            None => self.player.next_decision(&mut |progress| watch.see(progress)),
        };
        let asked = watch.asked;
        self.waiting.extend(asked);
        self.at = match (&reached, target) {
            (Ok((Reached::There | Reached::End, _)), Some(time)) => time,
            _ => self.player.state().at().clamp(self.from, self.to),
        };
        match reached {
            Ok((_, decided)) => self.decided = decided,
            Err(error) => {
                self.decided = None;
                self.say(&error);
            }
        }
        self.pacer.begin((self.clock)(), self.at);
        self.publish();
    }

    /// The time to go to; none for the next decision, whose time is not known.
    fn target(&self, travel: Travel) -> Result<Option<Time>, String> {
        let beyond = |time: Time| {
            (time < self.from || time > self.to).then(|| format!("the replay goes from {} to {}", self.from, self.to))
        };
        let marked = |what: Marked, after: bool| {
            self.timeline().mark(what, after).map(Some).ok_or_else(|| self.none_marked(what, after))
        };
        match travel {
            Travel::To(time) => beyond(time).map_or(Ok(Some(time)), Err),
            Travel::By(seconds) => {
                let span = Duration::from_secs(seconds.unsigned_abs());
                let time = if seconds < 0 { self.at - span } else { self.at + span };
                Ok(Some(time.clamp(self.from, self.to)))
            }
            Travel::Next(what) => marked(what, true),
            Travel::Previous(what) => marked(what, false),
            Travel::NextDecision => Ok(None),
            Travel::Begin => Ok(Some(self.from)),
            Travel::End => Ok(Some(self.to)),
        }
    }

    fn none_marked(&self, what: Marked, after: bool) -> String {
        let what = match what {
            Marked::Incident => "anomaly",
            Marked::Action => "action",
        };
        let covered = self.player.index().covered();
        match (after, covered.percent) {
            (false, 100) => format!("no {what} before"),
            (true, 100) => format!("no later {what}"),
            (false, percent) => format!("no {what} before is known yet: the index is being made, at {percent} %"),
            (true, percent) => format!("no later {what} is known yet: the index is being made, at {percent} %"),
        }
    }

    fn publish(&self) {
        self.snapshot.store(Arc::new(self.player.snapshot()));
        self.wake(Wake::Timeline(self.timeline()));
        self.wake(Wake::Snapshot);
    }

    /// The index grows beside; its marks and its progress are shown.
    fn tell_index(&mut self) {
        let covered = self.player.index().covered();
        if covered != self.covered {
            self.covered = covered;
            self.wake(Wake::Timeline(self.timeline()));
        }
    }

    fn timeline(&self) -> Timeline {
        let mark = |mark: ladder::Mark| {
            let what = match mark.kind {
                MarkKind::Incident => Marked::Incident,
                MarkKind::Action => Marked::Action,
            };
            Mark { at: mark.at, what }
        };
        let index = self.player.index();
        let marks = index.marks().into_iter().map(mark).collect();
        let (decided, indexed) = (self.decided.clone(), index.covered().percent);
        Timeline { from: self.from, to: self.to, at: self.at, marks, folding: None, indexed, decided }
    }

    fn say(&self, error: &PastError) {
        let text = wording::chain(error);
        tracing::warn!(component = "replay", "{text}");
        self.wake(Wake::Outcome { text, refused: true });
    }

    fn wake(&self, wake: Wake) {
        // Nobody looks any more: the stop is on its way.
        let _ = self.waker.send(wake);
    }
}

/// Tells how far a jump is, and whether something else is asked meanwhile.
struct Watch<'a> {
    timeline: Timeline,
    waker: Sender<Wake>,
    clock: &'a dyn Fn() -> Duration,
    from: &'a Receiver<Ask>,
    asked: VecDeque<Ask>,
    told_at: Duration,
}

impl<'a> Watch<'a> {
    fn new(timeline: Timeline, waker: Sender<Wake>, clock: &'a (dyn Fn() -> Duration + Send), from: &'a Receiver<Ask>) -> Self {
        Self { timeline, waker, told_at: clock(), clock, from, asked: VecDeque::new() }
    }

    /// Loading a checkpoint may take a second before anything is folded.
    fn begin(&mut self) {
        self.timeline.folding = Some(0);
        // Nobody looks any more: the stop is on its way.
        let _ = self.waker.send(Wake::Timeline(self.timeline.clone()));
    }

    fn see(&mut self, progress: Progress) -> bool {
        self.asked.extend(self.from.try_iter());
        let now = (self.clock)();
        if now >= self.told_at + PROGRESS_EVERY {
            self.told_at = now;
            self.timeline.folding = Some(progress.percent());
            // Nobody looks any more: the stop is on its way.
            let _ = self.waker.send(Wake::Timeline(self.timeline.clone()));
        }
        !self.asked.iter().any(|ask| matches!(ask, Ask::Travel(_) | Ask::Stop))
    }
}
