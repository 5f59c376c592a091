//! Analytics of the day: by connector, by method, by merchant; and the decline codes that no table knows.
//!
//! ```text
//! ── Today ─────────────────────────────────────────────── since 00:00 +00:00 ──
//!   method             attempts technical latency  rate           approved
//!   card                  8,102       162  230 ms  91 %     EUR 612,038 +2 cur
//!   unknown code       attempts
//!   adyen 47                 31
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use crate::domain::numbers::as_f64;
use crate::engine::snapshot::{AggregateRow, Analytics};
use crate::tui::format;
use crate::tui::theme::Theme;
use crate::tui::widget::panel::{Title, titled};
use crate::tui::widget::text::{Cell, figures, put_row, words};

/// From this width on technical failures and latency have a column.
const AMPLE: u16 = 75;
/// Columns of an amount: `EUR 12,345,678 +2 cur`.
const AMOUNT: u16 = 21;
/// Columns of a connector and a code.
const CODE: u16 = 30;
/// Most unknown codes shown; all that are held are in `GET /analytics`.
const UNKNOWN_SHOWN: usize = 8;

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let (analytics, theme, zone) = (&scene.snapshot.analytics, scene.theme, &scene.ui.session.zone);
    let since = format!("since {} {}", format::minute(analytics.since, zone), format::offset(analytics.since, zone));
    let inside = titled(frame, area, &Title { name: "Today", hint: &since, ..Title::default() }, theme);
    let groups = [("connector", &analytics.connectors), ("method", &analytics.methods), ("merchant", &analytics.merchants)];
    let mut rest = inside;
    let unknown = unknown(analytics);
    // What an operator may have to do something about has its place first, if no more than a fifth of all.
    let rows = unknown.len().min(usize::from(inside.height / 5)).min(UNKNOWN_SHOWN);
    if rows > 0 {
        let height = u16::try_from(rows + 1).unwrap_or(u16::MAX);
        let place = Rect { y: rest.bottom() - height, height, ..rest };
        rest.height -= height;
        draw_unknown(frame, place, &unknown[..rows], theme);
    }
    for (i, (name, rows)) in groups.into_iter().enumerate() {
        // Each group has an even part of what is left; the merchants, most of all, take the end.
        let most = (usize::from(rest.height) / (3 - i)).saturating_sub(1);
        let used = group(frame, rest, name, &rows[..rows.len().min(most)], theme);
        rest = Rect { y: rest.y + used, height: rest.height - used, ..rest };
    }
}

/// The codes, those seen most first; at the end those too rare to be held.
fn unknown(analytics: &Analytics) -> Vec<(String, u64)> {
    let rows = analytics.unknown_codes.iter().map(|row| (format!("{} {}", row.connector, row.code), row.attempts));
    let others = (analytics.unknown_others > 0).then(|| ("others".to_owned(), analytics.unknown_others));
    rows.chain(others).collect()
}

fn draw_unknown(frame: &mut Buffer, area: Rect, rows: &[(String, u64)], theme: &Theme) {
    let heads = [words("unknown code", CODE, theme.heading), figures("attempts", 8, theme.heading)];
    put_row(frame, area, area.x + 2, area.y, &heads);
    for (y, (code, attempts)) in (area.y + 1..area.bottom()).zip(rows) {
        let cells = [words(code.as_str(), CODE, theme.text), figures(format::count(*attempts), 8, theme.text)];
        put_row(frame, area, area.x + 2, y, &cells);
    }
}

fn group(frame: &mut Buffer, area: Rect, name: &str, rows: &[AggregateRow], theme: &Theme) -> u16 {
    if area.height == 0 || rows.is_empty() {
        return 0;
    }
    let ample = area.width >= AMPLE;
    let mut heads = vec![words(name, 18, theme.heading), figures("attempts", 8, theme.heading)];
    if ample {
        heads.push(figures("technical", 9, theme.heading));
        heads.push(figures("latency", 7, theme.heading));
    }
    heads.push(figures("rate", 5, theme.heading));
    heads.push(figures("approved", AMOUNT, theme.heading));
    put_row(frame, area, area.x + 2, area.y, &heads);
    for (y, row) in (area.y + 1..area.bottom()).zip(rows) {
        put_row(frame, area, area.x + 2, y, &row_cells(row, ample, theme));
    }
    u16::try_from(rows.len() + 1).unwrap_or(u16::MAX).min(area.height)
}

fn row_cells<'a>(row: &'a AggregateRow, ample: bool, theme: &Theme) -> Vec<Cell<'a>> {
    let mut cells = vec![words(&row.key, 18, theme.text), figures(format::count(row.attempts), 8, theme.text)];
    if ample {
        cells.push(figures(format::count(row.technical), 9, theme.quiet));
        cells.push(figures(format::latency(row.latency_ms), 7, theme.text));
    }
    cells.push(figures(format::percent(rate(row)), 5, theme.text));
    cells.push(figures(format::largest(&row.amount), AMOUNT, theme.quiet));
    cells
}

/// Approved of all attempts with an answer; none without attempts.
fn rate(row: &AggregateRow) -> Option<f64> {
    (row.attempts > 0).then(|| as_f64(row.approved) / as_f64(row.attempts))
}
