//! What a key does: it moves something on the screen, or asks something of the world.

use std::time::Duration;

use super::dialog::{self, Dialog, Kind};
use super::timeline::Travel;
use super::{Deed, PANIC_STAYS, PaceKey, Panel, Session, Ui};
use crate::domain::{Autonomy, Order, personal};
use crate::engine::Snapshot;
use crate::engine::snapshot::ActionStatus;
use crate::tui::escape::Key;
use crate::tui::keys::{self, Does};
use crate::tui::when;

/// Rows that a page key moves in a list.
const PAGE_ROWS: isize = 10;

impl Ui {
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
        let explains = std::mem::take(&mut self.explains);
        if does == Does::Open && explains {
            self.notice = None;
            self.dialog = Some(Dialog::open(Kind::Decided));
            return None;
        }
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
            Does::Approve | Does::Reject | Does::Undo | Does::Reopen | Does::SetLevel => return self.order(does, now),
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
        if let Order::Reject { reason, .. } = &order
            && let Some(data) = personal::within(reason)
        {
            self.say(format!("the reason holds {data}: the audit keeps it, so leave that out"), true, now);
            return None;
        }
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
