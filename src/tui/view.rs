//! The screen as a function: one snapshot, the state of the screen and a theme in, one frame out.
//!
//! ```text
//! 80×24                    120×36                        200×60
//! header                   header                        header
//! 1 connectors             1 connectors                  1 connectors, accounts │ analytics
//! 2 incidents              2 incidents                   2 incidents            │ details
//! 3 healing queue          3 healing queue               3 healing queue        │
//! 4 scaling                details      │ 4 scaling      4 scaling              │ 5 events
//! 5 events                              │ 5 events
//! keys                     keys                          keys
//! ```
//!
//! A replay has its scrub bar in the row above the keys.

mod actions;
mod analytics;
mod approval;
mod connectors;
mod decision;
mod details;
mod dialogs;
mod events;
mod experiments;
mod faults;
mod footer;
mod header;
mod help;
mod hindsight;
mod incidents;
mod levels;
mod model;
mod scaling;
mod scrub;
mod trouble;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use super::theme::Theme;
use super::ui::{Mode, Panel, Ui};
use super::widget::ascii;
use super::widget::text::{put, width, wrap};
use crate::domain::{Position, Time};
use crate::engine::Snapshot;

/// The smallest screen on which everything that matters can be read.
pub const SMALLEST: (u16, u16) = (80, 24);
/// From here on details stand beside the lists.
const ROOMY: (u16, u16) = (120, 36);
/// From here on analytics stand beside the connectors.
const WIDE: (u16, u16) = (180, 50);

/// What a panel draws from.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// The engine.
    pub(super) snapshot: &'a Snapshot,
    /// The screen's own state.
    pub(super) ui: &'a Ui,
    /// The styles.
    pub(super) theme: &'a Theme,
}

impl<'a> Scene<'a> {
    /// The time that ages and countdowns are counted against.
    fn now(&self) -> Time {
        self.snapshot.at + self.ui.elapsed
    }

    /// How long ago.
    fn since(&self, at: Time) -> Duration {
        self.now().since(at)
    }

    /// How long until.
    fn until(&self, at: Time) -> Duration {
        at.since(self.now())
    }

    /// The same, but the snapshot tables move with, once a second.
    fn settled(&self) -> Scene<'a> {
        Scene { snapshot: &self.ui.settled, ..*self }
    }

    fn focused(&self, panel: Panel) -> bool {
        self.ui.focus == panel && self.ui.dialog.is_none()
    }
}

/// Draws a frame. Returns how many pages the open dialog has, 1 without one.
pub fn view(frame: &mut Buffer, snapshot: &Snapshot, ui: &Ui, theme: &Theme) -> u16 {
    let scene = Scene { snapshot, ui, theme };
    let area = frame.area;
    frame.set_style(area, theme.text);
    let pages = if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(frame, area, theme);
        1
    } else {
        whole(frame, area, &scene)
    };
    if theme.ascii {
        ascii::plain(frame);
    }
    pages
}

fn whole(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) -> u16 {
    let past = matches!(scene.ui.session.mode, Mode::Past { .. });
    let scrub_rows = if past { scrub::ROWS } else { 0 };
    let [head, body, scrub, foot] = Layout::vertical([
        Constraint::Length(header::rows(scene)),
        Constraint::Fill(1),
        Constraint::Length(scrub_rows),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(frame, head, scene);
    if scene.snapshot.position == Position::default() {
        let waits = if past { "nothing had happened yet" } else { "waiting for the engine" };
        centred(frame, body, waits, scene.theme.quiet);
    } else if area.width >= WIDE.0 && area.height >= WIDE.1 {
        wide(frame, body, scene);
    } else if area.width >= ROOMY.0 && area.height >= ROOMY.1 {
        roomy(frame, body, scene);
    } else {
        narrow(frame, body, scene);
    }
    // The banner stays in sight over every dialog: nobody approves in the wrong world.
    let space = Rect { y: area.y + 1, height: area.height.saturating_sub(2 + scrub_rows), ..area };
    let pages = dialogs::draw(frame, space, scene);
    scrub::draw(frame, scrub, scene);
    footer::draw(frame, foot, scene);
    pages
}

fn narrow(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let connectors = connectors::rows(scene).min(8);
    let [top, incidents, actions, scaling, events] = Layout::vertical([
        Constraint::Length(connectors),
        Constraint::Length(4),
        Constraint::Length(4),
        Constraint::Length(2),
        Constraint::Fill(1),
    ])
    .areas(area);
    connectors::draw(frame, top, &scene.settled());
    incidents::draw(frame, incidents, scene);
    actions::draw(frame, actions, scene);
    scaling::draw(frame, scaling, &scene.settled());
    events::draw(frame, events, scene);
}

fn roomy(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let top = connectors::rows(scene).min(area.height / 3) + 1;
    let [top, incidents, actions, bottom] =
        Layout::vertical([Constraint::Length(top), Constraint::Length(4), Constraint::Length(5), Constraint::Fill(1)])
            .areas(area);
    connectors::draw(frame, top, &scene.settled());
    incidents::draw(frame, incidents, scene);
    actions::draw(frame, actions, scene);
    let [left, right] = beside(bottom, bottom.width / 2);
    if details::any(scene) {
        details::draw(frame, left, scene);
    } else {
        analytics::draw(frame, left, &scene.settled());
    }
    let [scaling, events] = Layout::vertical([Constraint::Length(4), Constraint::Fill(1)]).areas(right);
    scaling::draw(frame, scaling, &scene.settled());
    events::draw(frame, events, scene);
}

fn wide(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let [top, middle, bottom] = Layout::vertical([Constraint::Fill(5), Constraint::Fill(6), Constraint::Fill(3)]).areas(area);
    let [left, right] = beside(top, 124);
    connectors::draw(frame, left, &scene.settled());
    analytics::draw(frame, right, &scene.settled());
    let [left, right] = beside(middle, middle.width / 2);
    let [incidents, actions] = Layout::vertical([Constraint::Fill(2), Constraint::Fill(3)]).areas(left);
    incidents::draw(frame, incidents, scene);
    actions::draw(frame, actions, scene);
    details::draw(frame, right, scene);
    let [left, right] = beside(bottom, bottom.width / 2);
    scaling::draw(frame, left, &scene.settled());
    events::draw(frame, right, scene);
}

/// Two columns with one blank column between.
fn beside(area: Rect, left: u16) -> [Rect; 2] {
    Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).spacing(1).areas(area)
}

fn too_small(frame: &mut Buffer, area: Rect, theme: &Theme) {
    let (columns, rows) = SMALLEST;
    let text = format!("terminal too small: have {}x{}, need {columns}x{rows}", area.width, area.height);
    let lines = wrap(&text, usize::from(area.width));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let top = area.y + (area.height - height) / 2;
    // Where even that does not fit, its end says the most.
    for (y, line) in (top..top + height).zip(&lines[lines.len() - usize::from(height)..]) {
        centred(frame, Rect { y, height: 1, ..area }, line, theme.warning);
    }
}

fn centred(frame: &mut Buffer, area: Rect, text: &str, style: Style) {
    let columns = u16::try_from(width(text)).unwrap_or(u16::MAX);
    let (x, y) = (area.x + area.width.saturating_sub(columns) / 2, area.y + area.height / 2);
    put(frame, area, x, y, (text, style));
}

/// The first row of a list that is drawn so that the cursor's row is among `rows`.
fn first_row(place: Option<usize>, rows: u16) -> usize {
    place.unwrap_or(0).saturating_sub(usize::from(rows.max(1)) - 1)
}
