//! Incidents: the sentence first, then what it costs.
//!
//! ```text
//! ── 2 Incidents ─────────────────────────────────────────────────────── 1 open ──
//! ▸ ■ critical adyen fails: 12 % of 83 judged attempts approved in 30 s, ex…  2 min
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Scene, first_row};
use crate::engine::snapshot::{BreakerState, ConnectorRow, Health, IncidentRow, Severity};
use crate::tui::format;
use crate::tui::theme::Theme;
use crate::tui::ui::Panel;
use crate::tui::widget::panel::{Title, titled};
use crate::tui::widget::text::{figures, put, put_row, width, words};

/// From this width on a row tells what the incident costs.
const COST_FROM: u16 = 116;
/// Columns of that: what five figures take, or the sentences would jump with each change; and at most.
const COST_LEAST: u16 = 15;
const COST_MOST: u16 = 26;

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Scene { snapshot, ui, theme } = scene;
    let open = snapshot.incidents.iter().filter(|row| row.resolved_at.is_none()).count();
    let hint = match (ui.incidents.unplaced(), open) {
        (0, open) => format!("{open} open"),
        (new, _) => format!("{new} new: g"),
    };
    let focused = scene.focused(Panel::Incidents);
    let title =
        Title { panel: Some(Panel::Incidents), name: "Incidents", hint: &hint, focused, calls: ui.incidents.unplaced() > 0 };
    let inside = titled(frame, area, &title, theme);
    if ui.incidents.order().is_empty() {
        let (text, style) = none(scene);
        put(frame, inside, inside.x + 2, inside.y, (&text, style));
    }
    let ids = ui.incidents.order().iter().skip(first_row(ui.incidents.place(), inside.height));
    for (y, id) in (inside.y..inside.bottom()).zip(ids) {
        let Some(row) = snapshot.incidents.iter().find(|row| row.id == *id) else { continue };
        draw_row(frame, Rect { y, height: 1, ..inside }, row, focused && ui.incidents.cursor() == Some(id), scene);
    }
}

/// What there is to say without an incident: a connector that does badly all the same is never out of sight, and nothing
/// is ordinary before it is known what is usual.
fn none(scene: &Scene<'_>) -> (String, Style) {
    let Scene { snapshot, theme, .. } = scene;
    let unwell: Vec<String> = snapshot.connectors.iter().filter(|row| row.health > Health::Healthy).map(unwell).collect();
    let learning = snapshot.header.baseline_rate.is_none();
    match (unwell.is_empty(), learning) {
        (false, true) => (format!("{}; what is usual is still being learnt", unwell.join(", ")), theme.warning),
        (false, false) => (format!("no incident, but {}", unwell.join(", ")), theme.warning),
        (true, true) => ("learning what is usual: drops show from a hundred attempts on".to_owned(), theme.quiet),
        (true, false) => ("nothing out of the ordinary".to_owned(), theme.quiet),
    }
}

/// `adyen: breaker open`, or how else it does.
fn unwell(row: &ConnectorRow) -> String {
    let open = row.accounts.iter().any(|account| account.breaker == BreakerState::Open);
    let how = match row.health {
        _ if open => "breaker open",
        Health::Down => "down",
        Health::Quiet | Health::Healthy | Health::Degraded => "degraded",
    };
    format!("{}: {how}", row.name)
}

fn draw_row(frame: &mut Buffer, area: Rect, row: &IncidentRow, here: bool, scene: &Scene<'_>) {
    let theme = scene.theme;
    let (word, style) = severity(row, theme);
    let text = if row.resolved_at.is_some() { theme.quiet } else { theme.text };
    if here {
        put(frame, area, area.x, area.y, ("▸", theme.focus));
    }
    // Room for the longest of its kind: `59 min` under the title's end, `over 59 min`.
    let (age, columns) = match row.resolved_at {
        None => (format::age(scene.since(row.detected_at)), 9),
        Some(at) => (format!("over {}", format::age(scene.since(at))), 11),
    };
    let cost = cost_columns(area.width, scene);
    let mut cells = vec![
        words(word, 10, if here { theme.selection } else { style }),
        words(&row.sentence, area.width.saturating_sub(2 + 11 + columns + 2 + cost), text),
    ];
    if cost > 0 {
        cells.push(figures(at_risk(row), cost - 1, text));
    }
    cells.push(figures(&age, columns, theme.quiet));
    put_row(frame, area, area.x + 2, area.y, &cells);
}

/// Columns of what incidents cost, one blank before it: as many as the longest needs, so that the sentences have the rest.
fn cost_columns(columns: u16, scene: &Scene<'_>) -> u16 {
    if columns < COST_FROM {
        return 0;
    }
    let widest = scene.snapshot.incidents.iter().map(|row| width(&at_risk(row))).max().unwrap_or(0);
    u16::try_from(widest + 1).unwrap_or(u16::MAX).clamp(COST_LEAST, COST_MOST)
}

/// `EUR 1,204/min`, the total: three currencies beside each other do not fit. Nothing where nothing is.
fn at_risk(row: &IncidentRow) -> String {
    if row.at_risk.is_empty() {
        return String::new();
    }
    format!("{}/min", row.at_risk_total.map_or_else(|| format::largest(&row.at_risk), format::money))
}

/// The symbol with the word.
pub(super) const fn severity(row: &IncidentRow, theme: &Theme) -> (&'static str, Style) {
    if row.resolved_at.is_some() {
        return ("○ resolved", theme.quiet);
    }
    match row.severity {
        Severity::Critical => ("■ critical", theme.bad),
        Severity::Warning => ("▲ warning", theme.warning),
        Severity::Info => ("● info", theme.text),
    }
}
