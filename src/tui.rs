//! The dashboard: a screen drawn from a snapshot, keys that become commands.
//!
//! It owns one OS thread (one for the keys and one for the writing beside it) and shares nothing but a pointer to the latest snapshot: it never
//! waits on the engine, the network or a lock, and nothing ever waits on it, signals least of all. It draws when something changed, not
//! at a rate; what did not change is not sent.

pub mod escape;
pub mod format;
pub mod keys;
pub mod signals;
pub mod terminal;
pub mod theme;
pub mod ui;
pub mod view;
pub mod when;

mod input;
mod tty;
mod widget;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;

use self::escape::Key;
use self::input::Input;
use self::terminal::Terminal;
use self::theme::Theme;
use self::ui::dialog::Kind;
use self::ui::timeline::{Timeline, Travel};
use self::ui::{Deed, Mode, Pace, PaceKey, Session, Ui};
use crate::domain::Command;
use crate::engine::Snapshot;

/// Shortest time between frames that only follow the engine: more often nobody can read, and the link pays.
const FRAME_EVERY: Duration = Duration::from_millis(250);
/// The longest, on a link that takes its bytes slowly.
const FRAME_EVERY_MOST: Duration = Duration::from_secs(3);
/// A frame that takes longer to write than this waits on the link, not on us: a pty takes 64 KiB in well under 1 ms.
const SLOW_WRITE: Duration = Duration::from_millis(40);
/// On a slow link, frames fill at most this part (one in …) of its time; the rest is left for keys.
const LINK_SHARE: u32 = 4;
/// Without traffic the leader ticks every 30 s; twice that without news means that the engine stands still.
const STALE_AFTER: Duration = Duration::from_secs(65);
/// A countdown that a person watches moves by the second.
const COUNTDOWN_EVERY: Duration = Duration::from_secs(1);
/// Nothing at all to wait for: the clock still turns its minute.
const CLOCK_EVERY: Duration = Duration::from_mins(1);

/// What wakes the screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Wake {
    /// A newer snapshot is there.
    Snapshot,
    /// What became of a command, in words.
    Outcome {
        /// The sentence for the operator.
        text: String,
        /// Whether it was refused.
        refused: bool,
    },
    /// Something the operator should know, in words.
    Note(String),
    /// All that is wrong with the engine now, `part: reason` each; it stands in the header until it is told otherwise.
    Degraded(Vec<String>),
    /// The simulation's or the replay's pace, as it now is.
    Pace(Pace),
    /// Where a replay stands now.
    Timeline(Timeline),
    /// A signal asks to end: its name, `SIGTERM`.
    Terminate(&'static str),
    /// A signal asks to stop (`SIGTSTP`).
    Suspend,
    /// The process goes on after a stop (`SIGCONT`).
    Continued,
    /// The terminal has another size (`SIGWINCH`).
    Resized,
    /// A key, from the screen's own input thread.
    Key(Key),
    /// The terminal has taken the frame, from the screen's own writing thread.
    Written,
    /// The terminal is gone.
    TerminalLost,
}

/// Where the screen gets what it shows, and where its commands go.
pub struct Source {
    /// The latest snapshot; at [`crate::domain::Position::default`] the engine is not up yet.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// What wakes the screen.
    pub wakes: Receiver<Wake>,
    /// The other end of `wakes`, for the input thread.
    pub waker: Sender<Wake>,
    /// Gives a command. Must return at once; what became of it comes back as [`Wake::Outcome`]. The past takes none.
    pub command: Option<Box<dyn Fn(Command) + Send>>,
    /// Changes the pace of a simulation or a replay; what it is then comes back as [`Wake::Pace`].
    pub pace: Option<Box<dyn Fn(PaceKey) + Send>>,
    /// Lets a fault happen in a simulation, by its place in the menu.
    pub let_happen: Option<Box<dyn Fn(usize) + Send>>,
    /// Moves a replay in time; where it is then comes back as [`Wake::Timeline`].
    pub travel: Option<Box<dyn Fn(Travel) + Send>>,
    /// Monotonic wall time since any origin: operator timers, never the simulation's.
    pub clock: Box<dyn Fn() -> Duration + Send>,
}

/// How the screen looks and behaves.
pub struct Options {
    /// Who looks at what.
    pub session: Session,
    /// Colours and characters.
    pub theme: Theme,
    /// How long a lone ESC may be the beginning of something: 50 ms, 100 ms over SSH.
    pub escape_wait: Duration,
    /// The simulation's or the replay's pace at start.
    pub pace: Pace,
}

/// Why the screen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The operator left.
    Quit,
    /// The terminal is gone; the engine may go on without one.
    TerminalLost,
    /// A signal, by its name.
    Terminated(&'static str),
}

/// [`run`] on a thread of its own.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn(source: Source, options: Options) -> std::io::Result<JoinHandle<anyhow::Result<Exit>>> {
    std::thread::Builder::new().name("screen".into()).spawn(move || run(source, options))
}

/// Shows the dashboard until the operator leaves, a signal ends it or the terminal is lost. The first frame is
/// drawn before anything is waited for. The terminal is as before when this returns, or panics.
///
/// # Errors
/// When standard input and output are not a terminal that can be taken.
pub fn run(source: Source, options: Options) -> anyhow::Result<Exit> {
    if options.theme == monochrome_of(&options.theme) {
        // With NO_COLOR set, crossterm would swallow bold and reverse together with the colours: the theme has none.
        crossterm::style::force_color_output(true);
    }
    let terminal = Terminal::open(source.waker.clone()).context("the terminal cannot be taken for the dashboard")?;
    let input = Input::start(source.waker.clone(), options.escape_wait).context("the input thread cannot be started")?;
    let mut screen = Screen::new(source, options, terminal);
    let exit = screen.run();
    drop(screen);
    drop(input);
    Ok(exit)
}

fn monochrome_of(theme: &Theme) -> Theme {
    Theme { ascii: theme.ascii, ..Theme::monochrome() }
}

/// The loop's state.
struct Screen {
    source: Source,
    theme: Theme,
    terminal: Terminal,
    ui: Ui,
    /// The snapshot shown: what a key acts on is what the operator saw.
    snapshot: Arc<Snapshot>,
    /// One that is newer, for the next frame.
    newer: Option<Arc<Snapshot>>,
    /// When the snapshot shown was taken.
    news_at: Duration,
    drawn_at: Duration,
    frame_every: Duration,
    /// What is to be drawn, if anything.
    due: Due,
    /// What came while the terminal took a frame.
    held: VecDeque<Wake>,
}

/// When to draw next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Nothing changed.
    Not,
    /// With the next frame: time passed.
    Frame,
    /// At once: a key, or something that calls for a person.
    Now,
}

impl Screen {
    fn new(source: Source, options: Options, terminal: Terminal) -> Self {
        let mut ui = Ui::new(options.session);
        ui.pace = options.pace;
        let (snapshot, now) = (source.snapshot.load_full(), (source.clock)());
        ui.see(&snapshot, now);
        Self {
            source,
            theme: options.theme,
            terminal,
            ui,
            snapshot,
            newer: None,
            news_at: now,
            drawn_at: now,
            frame_every: FRAME_EVERY,
            due: Due::Now,
            held: VecDeque::new(),
        }
    }

    fn run(&mut self) -> Exit {
        loop {
            match self.draw_if_due() {
                Ok(None) => {}
                Ok(Some(exit)) => return exit,
                Err(_) => return Exit::TerminalLost,
            }
            let first = match self.held.pop_front().map_or_else(|| self.source.wakes.recv_timeout(self.patience()), Ok) {
                Ok(wake) => Some(wake),
                Err(RecvTimeoutError::Timeout) => None,
                // The input thread holds a sender for as long as the terminal is there.
                Err(RecvTimeoutError::Disconnected) => return Exit::TerminalLost,
            };
            self.pass_time();
            if let Some(exit) = first.and_then(|wake| self.wake(wake)) {
                return exit;
            }
            // What came meanwhile goes into the same frame.
            while let Some(wake) = self.held.pop_front().or_else(|| self.source.wakes.try_recv().ok()) {
                if let Some(exit) = self.wake(wake) {
                    return exit;
                }
            }
        }
    }

    fn wake(&mut self, wake: Wake) -> Option<Exit> {
        let now = self.now();
        match wake {
            Wake::Snapshot => self.hear(now),
            Wake::Key(key) => return self.press(&key, now),
            Wake::Outcome { text, refused } => self.say(text, refused, now),
            Wake::Note(text) => self.say(text, false, now),
            Wake::Degraded(wrong) => {
                self.ui.degraded = wrong;
                self.due = Due::Now;
            }
            Wake::Pace(pace) => {
                self.ui.pace = pace;
                self.due = Due::Now;
            }
            Wake::Timeline(timeline) => self.follow(timeline, now),
            Wake::Resized => self.due = Due::Now,
            // Waited for where the frame was drawn.
            Wake::Written => {}
            Wake::Suspend | Wake::Continued => return self.come_back(wake == Wake::Suspend),
            Wake::Terminate(signal) => return Some(Exit::Terminated(signal)),
            Wake::TerminalLost => return Some(Exit::TerminalLost),
        }
        None
    }

    /// A newer snapshot waits for its frame, so that a key's frame costs what the key changed; one that calls for a
    /// person does not wait.
    fn hear(&mut self, now: Duration) {
        let newer = self.source.snapshot.load_full();
        let urgent = self.ui.is_urgent(&newer);
        self.newer = Some(newer);
        if urgent {
            self.take_newer(now);
            self.due = Due::Now;
        }
    }

    fn take_newer(&mut self, now: Duration) {
        if let Some(newer) = self.newer.take() {
            self.snapshot = newer;
            (self.news_at, self.ui.elapsed) = (now, Duration::ZERO);
            self.ui.see(&self.snapshot, now);
        }
    }

    /// When the next frame that only follows the engine may be drawn.
    fn frame_at(&self) -> Duration {
        self.news_at + self.frame_every
    }

    fn press(&mut self, key: &Key, now: Duration) -> Option<Exit> {
        self.due = Due::Now;
        match self.ui.press(key, &self.snapshot, now) {
            None => {}
            Some(Deed::Quit) => return Some(Exit::Quit),
            Some(Deed::Redraw) => return self.terminal.forget().err().map(|_| Exit::TerminalLost),
            // To the whole job, as the terminal would send it; our own share of it comes back as a wake.
            Some(Deed::Suspend) => {
                let job = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
                return job.err().map(|_| Exit::TerminalLost);
            }
            Some(Deed::Order(order)) => {
                let operator = self.ui.session.operator.clone();
                if let Some(command) = &self.source.command {
                    command(Command { operator, order });
                }
            }
            Some(Deed::LetHappen(fault)) => {
                if let Some(let_happen) = &self.source.let_happen {
                    let_happen(fault);
                }
            }
            Some(Deed::Travel(travel)) => {
                if let Some(go) = &self.source.travel {
                    go(travel);
                }
            }
            Some(Deed::Pace(key)) => {
                if let Some(pace) = &self.source.pace {
                    pace(key);
                }
            }
        }
        None
    }

    /// While time runs the bar moves with the snapshots; a jump's progress and its end are drawn at once.
    fn follow(&mut self, timeline: Timeline, now: Duration) {
        let runs = timeline.folding.is_none() && !self.ui.pace.paused;
        self.due = self.due.max(if runs { Due::Frame } else { Due::Now });
        self.ui.travelled(timeline, now);
    }

    fn say(&mut self, text: String, refused: bool, now: Duration) {
        self.ui.say(text, refused, now);
        self.due = Due::Now;
    }

    fn come_back(&mut self, suspend: bool) -> Option<Exit> {
        let back = if suspend { self.terminal.suspend() } else { self.terminal.resume() };
        self.due = Due::Now;
        back.err().map(|_| Exit::TerminalLost)
    }

    /// What time alone changes: notices go, a watched countdown moves, live clocks turn.
    fn pass_time(&mut self) {
        let now = self.now();
        if self.ui.pass(now) {
            self.due = Due::Now;
        }
        let quiet = now.saturating_sub(self.news_at);
        if self.ui.session.mode == Mode::Live && self.snapshot.position != crate::domain::Position::default() {
            self.ui.elapsed = quiet;
            self.ui.stale = (quiet >= STALE_AFTER).then_some(quiet);
            self.due = self.due.max(Due::Frame);
        }
    }

    /// Draws what is due and waits until the terminal has taken it, or until something ends the screen.
    fn draw_if_due(&mut self) -> std::io::Result<Option<Exit>> {
        let now = self.now();
        if self.newer.is_some() && now >= self.frame_at() {
            self.take_newer(now);
            self.due = Due::Now;
        }
        let passed = self.due == Due::Frame && now >= self.drawn_at + self.frame_every;
        if self.due != Due::Now && !passed {
            return Ok(None);
        }
        let mut pages = 1;
        let (snapshot, ui, theme) = (&self.snapshot, &self.ui, &self.theme);
        let began = self.now();
        let writes = self.terminal.draw(|frame| pages = view::view(frame, snapshot, ui, theme))?;
        if writes && let Some(exit) = self.until_written() {
            return Ok(Some(exit));
        }
        let ended = self.now();
        self.ui.drawn(pages, ended);
        (self.drawn_at, self.due) = (ended, Due::Not);
        self.judge_link(ended.saturating_sub(began));
        Ok(None)
    }

    /// Waits until the terminal has taken the frame. Keys wait with it, for they are meant for what it will show; signals
    /// do not, for a terminal that nobody reads takes nothing.
    fn until_written(&mut self) -> Option<Exit> {
        loop {
            match self.source.wakes.recv() {
                Ok(Wake::Written) => return None,
                Ok(signal @ (Wake::Terminate(_) | Wake::TerminalLost | Wake::Suspend | Wake::Continued)) => {
                    if let Some(exit) = self.wake(signal) {
                        return Some(exit);
                    }
                }
                Ok(wake) => hold(&mut self.held, wake),
                Err(_) => return Some(Exit::TerminalLost),
            }
        }
    }

    /// A link that is slow to take a frame gets fewer of them.
    fn judge_link(&mut self, spent: Duration) {
        let wanted = if spent >= SLOW_WRITE { spent * LINK_SHARE } else { self.frame_every / 2 };
        self.frame_every = wanted.clamp(FRAME_EVERY, FRAME_EVERY_MOST);
        self.ui.slow_link = self.frame_every > FRAME_EVERY;
    }

    /// How long nothing but a wake can change the screen.
    fn patience(&self) -> Duration {
        let now = self.now();
        let frame = (self.due == Due::Frame).then(|| self.drawn_at + self.frame_every);
        let frame = self.newer.is_some().then(|| self.frame_at()).into_iter().chain(frame).min();
        let passing = self.ui.deadline();
        let watched = self.watches_countdown().then(|| self.drawn_at + COUNTDOWN_EVERY);
        let next = frame.into_iter().chain(passing).chain(watched).min();
        next.map_or(CLOCK_EVERY, |at| at.saturating_sub(now)).min(self.until_minute())
    }

    fn watches_countdown(&self) -> bool {
        let open = self.ui.dialog.as_ref().is_some_and(|dialog| matches!(dialog.kind, Kind::Action(_)));
        open && self.ui.session.mode == Mode::Live
    }

    /// Until the live clock turns.
    fn until_minute(&self) -> Duration {
        let micros = (self.snapshot.at + self.now().saturating_sub(self.news_at)).micros().rem_euclid(60_000_000);
        let into = Duration::from_micros(micros.unsigned_abs());
        CLOCK_EVERY.saturating_sub(into).max(Duration::from_millis(1))
    }

    fn now(&self) -> Duration {
        (self.source.clock)()
    }
}

/// Keeps a wake for later. Of those that only tell how things are now the latest is enough, or a terminal that nobody reads
/// for a night would fill the memory.
fn hold(held: &mut VecDeque<Wake>, wake: Wake) {
    if matches!(wake, Wake::Snapshot | Wake::Degraded(_) | Wake::Pace(_) | Wake::Timeline(_) | Wake::Resized) {
        held.retain(|earlier| std::mem::discriminant(earlier) != std::mem::discriminant(&wake));
    }
    held.push_back(wake);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_only_tells_how_things_are_the_latest_is_held() {
        let mut held = VecDeque::new();
        let degraded = |reason: &str| Wake::Degraded(vec![reason.to_owned()]);
        for wake in [Wake::Snapshot, degraded("tables"), Wake::Note("one".into()), Wake::Snapshot, degraded("log")] {
            hold(&mut held, wake);
        }
        hold(&mut held, Wake::Note("two".into()));
        let expected = [Wake::Note("one".into()), Wake::Snapshot, degraded("log"), Wake::Note("two".into())];
        assert_eq!(Vec::from(held), expected);
    }
}
