//! What the screen itself knows: where the focus is, what is open, what was pressed. No IO, no clock.
//!
//! [`Ui::press`] turns a key into a [`Deed`], [`Ui::refusal`] says why one does nothing; [`Ui::see`] takes a new snapshot.
//! Times are the operator's own (wall time since the screen opened), never the log's: a simulation at ×100 leaves a person the
//! same 300 ms.

pub mod dialog;
pub mod levels;
pub mod list;
mod press;
mod refusal;
pub mod timeline;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use self::dialog::Dialog;
use self::list::List;
use self::timeline::{Timeline, Travel};
use super::format;
use super::keys::Scope;
use crate::domain::{ActionId, ConnectorName, Decision, IncidentId, OperatorName, Order, Position, Role, Time};
use crate::engine::Snapshot;
use crate::engine::snapshot::{ActionRow, Health};

/// How long a notice stays in the footer: long enough to be read twice.
const NOTICE_STAYS: Duration = Duration::from_secs(8);
/// How long the panic bar stays armed; a forgotten one must not turn a stray `p` into an order.
const PANIC_STAYS: Duration = Duration::from_secs(10);
/// Tables and the event stream move once a second: faster, nobody can read them and a slow link drowns in them.
const SETTLED_EVERY: Duration = Duration::from_secs(1);

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
    /// Whether Enter explains the decision that a jump has just come to: until another key is pressed.
    explains: bool,
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
            explains: false,
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

    /// A replay stands elsewhere. A decision that it was moved to is named: its own events come only after it.
    pub fn travelled(&mut self, timeline: Timeline, now: Duration) {
        let before = self.decided().map(Arc::as_ptr);
        self.timeline = Some(timeline);
        let Some(decision) = self.decided().cloned() else {
            self.explains = false;
            return;
        };
        if before != Some(Arc::as_ptr(&decision)) {
            self.explains = true;
            self.say(self.came_to(&decision), false, now);
        }
    }

    /// The decision that a replay was moved to, while it stands there.
    #[must_use]
    pub fn decided(&self) -> Option<&Arc<Decision>> {
        self.timeline.as_ref()?.decided.as_ref()
    }

    fn came_to(&self, decision: &Decision) -> String {
        let at = decision.decided_at.or(self.timeline.as_ref().map(|timeline| timeline.at)).unwrap_or(Time::ZERO);
        let (payment, account) = (&decision.request.payment, &decision.chosen().account);
        format!("decision {payment} to {} at {}; Enter explains", account.connector(), format::instant(at, &self.session.zone))
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
}
