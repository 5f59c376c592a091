//! What the screen itself knows: where the focus is, what is open, what was pressed. No IO, no clock.
//!
//! [`Ui::press`] turns a key into a [`Deed`]; [`Ui::see`] takes a new snapshot. Times are the operator's own
//! (wall time since the screen opened), never the log's: a simulation at ×100 leaves a person the same 300 ms.

pub mod dialog;
pub mod levels;
pub mod list;
pub mod timeline;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use self::dialog::{Dialog, Kind};
use self::list::List;
use self::timeline::{Timeline, Travel};
use super::escape::Key;
use super::keys::{self, Does, Scope};
use super::when;
use crate::domain::{ActionId, Autonomy, ConnectorName, Decision, IncidentId, OperatorName, Order, Position, Role};
use crate::engine::Snapshot;
use crate::engine::snapshot::{ActionRow, ActionStatus, Health};

/// How long a notice stays in the footer: long enough to be read twice.
const NOTICE_STAYS: Duration = Duration::from_secs(8);
/// How long the panic bar stays armed; a forgotten one must not turn a stray `p` into an order.
const PANIC_STAYS: Duration = Duration::from_secs(10);
/// Tables and the event stream move once a second: faster, nobody can read them and a slow link drowns in them.
const SETTLED_EVERY: Duration = Duration::from_secs(1);
/// Rows that a page key moves in a list.
const PAGE_ROWS: isize = 10;

/// What the screen shows: the real world, or one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Real payments.
    Live,
    /// A simulated world.
    Simulation {
        /// The scenario's name.
        scenario: String,
        /// The seed.
        seed: u64,
    },
    /// What was: nothing here can act on the world.
    Past {
        /// What is replayed, by name.
        source: String,
    },
}

/// The panels, in the order of Tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    /// Connectors and their health.
    Connectors,
    /// Anomalies.
    Incidents,
    /// The healing queue.
    Actions,
    /// The resource manager.
    Scaling,
    /// The event stream.
    Events,
}

impl Panel {
    const ALL: [Self; 5] = [Self::Connectors, Self::Incidents, Self::Actions, Self::Scaling, Self::Events];

    const fn place(self) -> usize {
        self as usize
    }
}

/// Who looks at what.
#[derive(Debug, Clone)]
pub struct Session {
    /// The real world or a simulated one.
    pub mode: Mode,
    /// What the operator may do; keys beyond it do not exist.
    pub role: Role,
    /// The operator's name, as it enters the log.
    pub operator: OperatorName,
    /// The zone times are shown in, always with their offset.
    pub zone: TimeZone,
    /// Names of the faults that can be let happen: a simulation's alone.
    pub faults: Vec<String>,
}

/// How fast simulated time runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Simulated seconds a second.
    pub speed: f64,
    /// Whether time stands still.
    pub paused: bool,
}

/// A change of pace asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceKey {
    /// One step on, where time stands still.
    Step,
    /// Stop, or go on.
    PauseOrGo,
    /// Faster.
    Faster,
    /// Slower.
    Slower,
}

/// What a key asks of the world outside the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// An order, to be given in the operator's name.
    Order(Order),
    /// A change of the simulation's or the replay's pace.
    Pace(PaceKey),
    /// A move in time.
    Travel(Travel),
    /// Let a fault happen in the simulation, by its place in the menu.
    LetHappen(usize),
    /// Draw everything again.
    Redraw,
    /// Stop, as the shell's job control stops a program.
    Suspend,
    /// Leave.
    Quit,
}

/// A line in the footer that goes by itself.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What it says.
    pub text: String,
    /// Whether something was refused.
    pub refused: bool,
    until: Duration,
}

/// The state of the screen.
#[derive(Debug, Clone)]
pub struct Ui {
    /// Who looks at what.
    pub session: Session,
    /// The panel the keys go to.
    pub focus: Panel,
    /// What is open over the panels.
    pub dialog: Option<Dialog>,
    /// What was said last.
    pub notice: Option<Notice>,
    /// The simulation's or the replay's pace.
    pub pace: Pace,
    /// Where a replay stands.
    pub timeline: Option<Timeline>,
    /// Whether the terminal takes its bytes slowly.
    pub slow_link: bool,
    /// For how long nothing has come from the engine, when that is worth saying.
    pub stale: Option<Duration>,
    /// What is wrong with the engine now, `part: reason` each; empty when nothing is.
    pub degraded: Vec<String>,
    /// Wall time on top of the snapshot's, live only: between ticks countdowns go on.
    pub elapsed: Duration,
    pub(super) connectors: List<ConnectorName>,
    pub(super) incidents: List<IncidentId>,
    pub(super) actions: List<ActionId>,
    pub(super) events: List<Position>,
    /// The snapshot that tables are drawn from: at most a second older than the newest.
    pub(super) settled: Arc<Snapshot>,
    /// The snapshot that the event stream is drawn from: the settled one, or the one it was held at.
    pub(super) stream: Arc<Snapshot>,
    settled_at: Option<Duration>,
    panic_until: Option<Duration>,
    calls: Calls,
}

/// What a person is called for; a change of it is drawn at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Calls {
    incidents: u32,
    pending: u32,
    unwell: usize,
    /// What is not as usual in how much the engine routes.
    killed: bool,
    conservative: bool,
    /// The engine has something to show at all: the first real picture waits for no other.
    begun: bool,
}

impl Calls {
    fn of(snapshot: &Snapshot) -> Self {
        let unwell = snapshot.connectors.iter().filter(|row| row.health > Health::Healthy).count();
        let (incidents, pending) = (snapshot.header.open_incidents, snapshot.header.pending_actions);
        let adoption = &snapshot.adoption;
        let (killed, conservative) = (adoption.kill_switch.is_some(), adoption.conservative.is_some());
        Self { incidents, pending, unwell, killed, conservative, begun: snapshot.header.autonomy.is_some() }
    }
}

impl Ui {
    /// The screen as it opens.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self {
            session,
            focus: Panel::Connectors,
            dialog: None,
            notice: None,
            pace: Pace { speed: 1.0, paused: false },
            timeline: None,
            slow_link: false,
            stale: None,
            degraded: Vec::new(),
            elapsed: Duration::ZERO,
            connectors: List::default(),
            incidents: List::default(),
            actions: List::default(),
            events: List::default(),
            settled: Arc::default(),
            stream: Arc::default(),
            settled_at: None,
            panic_until: None,
            calls: Calls::default(),
        }
    }

    /// Whether a snapshot must be drawn at once: something new calls for a person, or what is open has changed.
    #[must_use]
    pub fn is_urgent(&self, snapshot: &Snapshot) -> bool {
        Calls::of(snapshot) != self.calls || self.dialog.as_ref().is_some_and(|dialog| dialog.changed(snapshot))
    }

    /// Takes the snapshot that is drawn next.
    pub fn see(&mut self, snapshot: &Arc<Snapshot>, now: Duration) {
        // In a replay that stands still a snapshot is the end of a jump: all of it is shown at once, nothing is held.
        let jumped = matches!(self.session.mode, Mode::Past { .. }) && self.pace.paused;
        if jumped {
            self.events.leave();
        }
        if jumped || self.is_urgent(snapshot) {
            self.settled_at = None;
        }
        self.calls = Calls::of(snapshot);
        let held = |panel| self.focus == panel && !jumped;
        self.connectors.see(snapshot.connectors.iter().map(|row| row.name.clone()).collect(), held(Panel::Connectors));
        self.incidents.see(snapshot.incidents.iter().map(|row| row.id).collect(), held(Panel::Incidents));
        self.actions.see(snapshot.actions.iter().map(|row| row.id).collect(), held(Panel::Actions));
        self.cursor_into_focus();
        if let Some(dialog) = &mut self.dialog {
            dialog.see(snapshot);
        }
        if self.settled_at.is_none_or(|at| now >= at + SETTLED_EVERY) {
            self.settled = Arc::clone(snapshot);
            self.settled_at = Some(now);
            self.follow_events();
        }
    }

    /// The stream shows the settled events, unless a cursor holds it.
    fn follow_events(&mut self) {
        if self.events.cursor().is_none() {
            self.stream = Arc::clone(&self.settled);
            self.events.see(self.stream.events.iter().map(|row| row.position).collect(), false);
        }
    }

    /// In a list of rows the cursor is never nowhere; the stream follows until a key takes it up.
    fn cursor_into_focus(&mut self) {
        match self.focus {
            Panel::Connectors if self.connectors.cursor().is_none() => self.connectors.step(0),
            Panel::Incidents if self.incidents.cursor().is_none() => self.incidents.step(0),
            Panel::Actions if self.actions.cursor().is_none() => self.actions.step(0),
            _ => {}
        }
    }

    /// The screen was drawn, the dialog with so many pages: from here its keys' quiet time counts.
    pub fn drawn(&mut self, pages: u16, now: Duration) {
        if let Some(dialog) = &mut self.dialog {
            dialog.drawn(pages, now);
        }
    }

    /// Time passed: what goes by itself goes. Tells whether anything did.
    pub fn pass(&mut self, now: Duration) -> bool {
        let notice = self.notice.take_if(|notice| now >= notice.until).is_some();
        self.panic_until.take_if(|until| now >= *until).is_some() || notice
    }

    /// When [`Ui::pass`] has something to do next.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.notice.as_ref().map(|notice| notice.until).into_iter().chain(self.panic_until).min()
    }

    /// Says something in the footer.
    pub fn say(&mut self, text: impl Into<String>, refused: bool, now: Duration) {
        self.notice = Some(Notice { text: text.into(), refused, until: now + NOTICE_STAYS });
    }

    /// Whether the panic bar is armed.
    #[must_use]
    pub const fn panic_armed(&self) -> bool {
        self.panic_until.is_some()
    }

    /// Where keys go now.
    #[must_use]
    pub fn scope(&self, snapshot: &Snapshot) -> Scope {
        self.dialog.as_ref().map_or(Scope::Panels, |dialog| dialog.scope(snapshot))
    }

    /// Why a key that exists does nothing now; none when it works.
    #[must_use]
    pub fn refusal(&self, does: Does, snapshot: &Snapshot) -> Option<String> {
        match does {
            Does::AskUndo => self.undo_refusal(snapshot),
            Does::Hindsight if !self.shows_action() => Some("open an action first (3, Enter)".into()),
            Does::Approve => self.approve_refusal(snapshot),
            Does::SetLevel if self.session.role < self.role_to_set() => {
                Some("setting this needs the role admin; `!` needs none".into())
            }
            Does::Kill if !self.panic_armed() => Some("press ! first: it arms the kill switch".into()),
            Does::Kill if snapshot.adoption.kill_switch.is_some() => {
                Some("the kill switch is pulled already; l releases it".into())
            }
            Does::Open if self.focus == Panel::Events => self.event_refusal(),
            Does::Suspend if self.session.mode == Mode::Live => {
                Some("Ctrl-Z would stop the engine too, and decisions with it; q quits".into())
            }
            Does::FirePanic if !self.panic_armed() => Some("press ! first: it arms the panic key".into()),
            _ => None,
        }
    }

    fn event_refusal(&self) -> Option<String> {
        match self.events.cursor() {
            None => Some("choose an event first (Up)".into()),
            Some(event) if self.decision_behind(*event).is_none() => {
                Some("no decision of an open payment stands behind this event".into())
            }
            Some(_) => None,
        }
    }

    /// The decision of the payment that an event of the stream is about.
    #[must_use]
    pub fn decision_behind(&self, event: Position) -> Option<&Decision> {
        self.stream.events.iter().find(|row| row.position == event)?.decision.as_deref()
    }

    /// The role that the row chosen among the levels needs.
    fn role_to_set(&self) -> Role {
        match self.dialog.as_ref().map(|dialog| &dialog.kind) {
            Some(Kind::Levels(levels)) => levels.role(),
            _ => Role::Admin,
        }
    }

    fn shows_action(&self) -> bool {
        matches!(self.dialog.as_ref().map(|dialog| &dialog.kind), Some(Kind::Action(_)))
    }

    fn undo_refusal(&self, snapshot: &Snapshot) -> Option<String> {
        match self.chosen_action(snapshot) {
            None => Some("choose an action of the healing queue first (3)".into()),
            Some(row) if !row.undoable => Some(format!("{} is {}: nothing to take back", row.id, row.status.as_str())),
            Some(_) => None,
        }
    }

    fn approve_refusal(&self, snapshot: &Snapshot) -> Option<String> {
        let levels = snapshot.header.autonomy.as_ref()?;
        let class = self.chosen_action(snapshot)?.class;
        (levels.of(class) <= Autonomy::Suggest)
            .then(|| format!("autonomy of {} is {}: act by hand, or raise it with l", class.as_str(), levels.of(class)))
    }

    /// The action a key would go to: the one open, else the one under the cursor.
    #[must_use]
    pub fn chosen_action<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s ActionRow> {
        let open = self.dialog.as_ref().map(Dialog::action);
        let id = match open {
            Some(open) => open?,
            None if self.focus == Panel::Actions => *self.actions.cursor()?,
            None => return None,
        };
        snapshot.actions.iter().find(|row| row.id == id)
    }

    /// A key was pressed. What it asks of the world, if anything.
    pub fn press(&mut self, key: &Key, snapshot: &Snapshot, now: Duration) -> Option<Deed> {
        if self.dialog.as_ref().is_some_and(|dialog| dialog.quiet(now)) {
            return None;
        }
        if let Some(text) = self.dialog.as_mut().and_then(Dialog::typed_mut) {
            if dialog::type_into(text, key) {
                return None;
            }
            return self.end_typing(key, now);
        }
        let Session { role, mode, .. } = &self.session;
        let does = keys::find(key, self.scope(snapshot), *role, mode)?;
        if let Some(reason) = self.refusal(does, snapshot) {
            // A stray `p` or `K` deserves no sermon; the bar says how it is armed.
            if !matches!(does, Does::FirePanic | Does::Kill) || self.panic_armed() {
                self.say(reason, true, now);
            }
            return None;
        }
        self.notice = None;
        self.perform(does, snapshot, now)
    }

    fn perform(&mut self, does: Does, snapshot: &Snapshot, now: Duration) -> Option<Deed> {
        match does {
            Does::Redraw => return Some(Deed::Redraw),
            Does::Suspend => return Some(Deed::Suspend),
            Does::Quit => return Some(Deed::Quit),
            Does::Pause => return Some(Deed::Pace(PaceKey::PauseOrGo)),
            Does::Faster => return Some(Deed::Pace(PaceKey::Faster)),
            Does::Slower => return Some(Deed::Pace(PaceKey::Slower)),
            Does::Step => return Some(Deed::Pace(PaceKey::Step)),
            Does::AskFault => self.dialog = Some(Dialog::open(Kind::Faults(0))),
            Does::LetHappen => return self.let_happen(now),
            Does::Travel(travel) => return Some(Deed::Travel(travel)),
            Does::AskTime => self.dialog = Some(Dialog::open(Kind::Time(String::new()))),
            Does::ArmPanic => self.panic_until = Some(now + PANIC_STAYS),
            Does::FirePanic => return Some(self.fire_panic(now)),
            Does::Kill => return Some(self.pull_kill_switch(now)),
            Does::Close => self.close(),
            Does::Help => self.dialog = Some(Dialog::open(Kind::Keys)),
            Does::AskQuit => self.dialog = Some(Dialog::open(Kind::Quit)),
            Does::Levels => self.dialog = Dialog::levels(snapshot),
            Does::Experiments => self.dialog = Some(Dialog::open(Kind::Experiments)),
            Does::Model => self.dialog = Some(Dialog::open(Kind::Model)),
            Does::Open => self.open(snapshot),
            Does::AskUndo => self.dialog = self.chosen_action(snapshot).map(Dialog::undo),
            Does::Approve | Does::Reject | Does::Undo | Does::SetLevel => return self.order(does, now),
            Does::RejectBecause => self.dialog = self.dialog.take().map(Dialog::with_reason),
            Does::Hindsight => self.dialog = self.dialog.take().map(Dialog::in_hindsight),
            _ => self.navigate(does, snapshot, now),
        }
        None
    }

    fn let_happen(&mut self, now: Duration) -> Option<Deed> {
        let Kind::Faults(row) = self.dialog.take()?.kind else { return None };
        let name = self.session.faults.get(row)?.clone();
        self.say(format!("from now on: {name}"), false, now);
        Some(Deed::LetHappen(row))
    }

    fn navigate(&mut self, does: Does, snapshot: &Snapshot, now: Duration) {
        if let Some(Kind::Faults(row)) = self.dialog.as_mut().map(|dialog| &mut dialog.kind) {
            let last = self.session.faults.len().saturating_sub(1);
            *row = if does == Does::Up { row.saturating_sub(1) } else { (*row + 1).min(last) };
            return;
        }
        if let Some(dialog) = &mut self.dialog {
            return dialog.navigate(does);
        }
        match does {
            Does::Next => self.turn(1, snapshot),
            Does::Previous => self.turn(Panel::ALL.len() - 1, snapshot),
            Does::Jump(panel) => self.focus_on(panel, snapshot),
            Does::Up => self.step(-1),
            Does::Down => self.step(1),
            Does::PageUp => self.step(-PAGE_ROWS),
            Does::PageDown => self.step(PAGE_ROWS),
            Does::First => self.step(isize::MIN),
            Does::Last => self.step(isize::MAX),
            Does::Fresh => self.focus_on(self.focus, snapshot),
            Does::Waiting => self.go_to_waiting(snapshot, now),
            _ => {}
        }
    }

    fn turn(&mut self, by: usize, snapshot: &Snapshot) {
        self.focus_on(Panel::ALL[(self.focus.place() + by) % Panel::ALL.len()], snapshot);
    }

    /// Moves the focus; the panel entered shows the newest order, the stream left behind follows again.
    fn focus_on(&mut self, panel: Panel, snapshot: &Snapshot) {
        self.focus = panel;
        self.events.leave();
        self.follow_events();
        self.connectors.see(snapshot.connectors.iter().map(|row| row.name.clone()).collect(), false);
        self.incidents.see(snapshot.incidents.iter().map(|row| row.id).collect(), false);
        self.actions.see(snapshot.actions.iter().map(|row| row.id).collect(), false);
        self.cursor_into_focus();
    }

    fn step(&mut self, rows: isize) {
        match self.focus {
            Panel::Connectors => self.connectors.step(rows),
            Panel::Incidents => self.incidents.step(rows),
            Panel::Actions => self.actions.step(rows),
            Panel::Scaling => {}
            Panel::Events => {
                if self.events.cursor().is_none() {
                    self.events.step(0);
                    self.events.step(isize::MAX);
                }
                self.events.step(rows);
            }
        }
    }

    fn go_to_waiting(&mut self, snapshot: &Snapshot, now: Duration) {
        let pending = snapshot.actions.iter().find(|row| row.status == ActionStatus::Pending);
        let open = snapshot.incidents.iter().find(|row| row.resolved_at.is_none());
        if let Some(row) = pending {
            self.focus_on(Panel::Actions, snapshot);
            self.actions.select(&row.id);
        } else if let Some(row) = open {
            self.focus_on(Panel::Incidents, snapshot);
            self.incidents.select(&row.id);
        } else {
            self.say("nothing waits for you", false, now);
        }
    }

    fn open(&mut self, snapshot: &Snapshot) {
        self.dialog = match self.focus {
            Panel::Connectors => self.connectors.cursor().map(|name| Dialog::open(Kind::Connector(name.clone()))),
            Panel::Incidents => self.incidents.cursor().map(|id| Dialog::open(Kind::Incident(*id))),
            Panel::Actions => self.chosen_action(snapshot).map(Dialog::action_row),
            Panel::Scaling => Some(Dialog::open(Kind::Resources)),
            Panel::Events => self.events.cursor().map(|event| Dialog::open(Kind::Decision(*event))),
        };
    }

    fn close(&mut self) {
        if self.panic_until.take().is_none() {
            self.dialog = self.dialog.take().and_then(Dialog::behind);
        }
    }

    fn fire_panic(&mut self, now: Duration) -> Deed {
        self.panic_until = None;
        self.say("panic: ordering every class to observe", false, now);
        Deed::Order(Order::SetAutonomy { class: None, level: Autonomy::Observe })
    }

    fn pull_kill_switch(&mut self, now: Duration) -> Deed {
        self.panic_until = None;
        self.say("kill switch: ordering the static order for everything", false, now);
        Deed::Order(Order::SetKillSwitch { pulled: true, reason: "".into() })
    }

    /// Gives the order the dialog stands for, and closes it.
    fn order(&mut self, does: Does, now: Duration) -> Option<Deed> {
        let order = self.dialog.as_ref()?.order(does)?;
        self.dialog = None;
        self.say("ordered; waiting for the engine", false, now);
        Some(Deed::Order(order))
    }

    fn end_typing(&mut self, key: &Key, now: Duration) -> Option<Deed> {
        let asks_time = matches!(self.dialog.as_ref().map(|dialog| &dialog.kind), Some(Kind::Time(_)));
        match key {
            Key::Enter if asks_time => self.go_to_typed(now),
            Key::Esc if asks_time => {
                self.dialog = None;
                None
            }
            Key::Enter => self.order(Does::RejectBecause, now),
            Key::Esc => {
                self.dialog = self.dialog.take().map(Dialog::without_reason);
                None
            }
            _ => None,
        }
    }

    /// To the time that was typed; what is no time is said, and may be typed again.
    fn go_to_typed(&mut self, now: Duration) -> Option<Deed> {
        let (timeline, text) = (self.timeline.as_ref()?, self.dialog.as_mut().and_then(Dialog::typed_mut)?);
        match when::parse(text, &self.session.zone, timeline.at, (timeline.from, timeline.to)) {
            Ok(time) => {
                self.dialog = None;
                Some(Deed::Travel(Travel::To(time)))
            }
            Err(reason) => {
                text.clear();
                self.say(reason, true, now);
                None
            }
        }
    }
}
