//! Where the past shown lies in the stretch that is replayed.
//!
//! ```text
//!  02:00:00 ────■──◆────●······■····· 04:00:00  2026-08-13 03:12:07 +00:00  ×10
//! ```

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use crate::tui::format;
use crate::tui::ui::timeline::{Marked, Timeline};
use crate::tui::widget::text::{put, width};

/// Rows it takes.
pub(super) const ROWS: u16 = 1;

/// Columns for what goes on: `going 100 %`. Always so many, or the bar would move with its words.
const DOING: usize = 11;

/// A stretch longer than this is told with its dates.
const DAY: Duration = Duration::from_hours(24);

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let (Some(timeline), theme) = (&scene.ui.timeline, scene.theme) else { return };
    let zone = &scene.ui.session.zone;
    let end = |at| {
        let day =
            if timeline.to.since(timeline.from) > DAY { format!("{} ", &format::date(at, zone)[5..]) } else { String::new() };
        format!("{day}{}", format::second(at, zone))
    };
    let (from, to) = (end(timeline.from), end(timeline.to));
    let at = format!(
        "{} {} {}",
        format::date(timeline.at, zone),
        format::second(timeline.at, zone),
        format::offset(timeline.at, zone)
    );
    let doing = doing(timeline, scene);
    let x = put(frame, area, area.x + 1, area.y, (&from, theme.quiet)) + 1;
    let after = width(&to) + 2 + width(&at) + 2 + DOING + 2;
    let columns = usize::from(area.right().saturating_sub(x)).saturating_sub(after);
    let x = bar(frame, (area, x), columns, timeline, scene) + 1;
    let x = put(frame, area, x, area.y, (&to, theme.quiet)) + 2;
    let x = put(frame, area, x, area.y, (&at, theme.focus)) + 2;
    put(frame, area, x, area.y, (&doing, theme.text));
}

/// The bar: a line as far as time has come, dots ahead, marks on both.
fn bar(frame: &mut Buffer, (area, x): (Rect, u16), columns: usize, timeline: &Timeline, scene: &Scene<'_>) -> u16 {
    let theme = scene.theme;
    let Some(last) = columns.checked_sub(1) else { return x };
    let cell = |part: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a column")]
        let column = (part * last as f64).round() as usize;
        column.min(last)
    };
    let here = cell(timeline.part(timeline.at));
    let mut cells: Vec<(&str, Style)> =
        (0..columns).map(|column| if column <= here { ("─", theme.text) } else { ("·", theme.quiet) }).collect();
    for mark in timeline.marks.iter().filter(|mark| mark.at >= timeline.from && mark.at <= timeline.to) {
        let drawn = match mark.what {
            Marked::Incident => ("■", theme.bad),
            Marked::Action => ("◆", theme.accent),
        };
        cells[cell(timeline.part(mark.at))] = drawn;
    }
    cells[here] = ("●", theme.focus);
    cells.into_iter().fold(x, |x, drawn| put(frame, area, x, area.y, drawn))
}

/// What goes on: a jump, the index being made, else the pace.
fn doing(timeline: &Timeline, scene: &Scene<'_>) -> String {
    match (timeline.folding, timeline.indexed) {
        (Some(percent), _) => format!("going {percent} %"),
        (None, percent @ 0..100) => format!("index {percent} %"),
        (None, _) => super::header::pace(scene.ui.pace),
    }
}
