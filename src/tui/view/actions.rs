//! The healing queue: what is proposed, what runs, what became of it.
//!
//! ```text
//! ── 3 Healing queue ──────────────────────────────────────────────────── 1 waits ──
//! ▸ ◆ pending    Put stripe first for 3 pinned merchants              lapses 4 min
//!   ● succeeded  Exclude adyen:mca_7                                        12 min
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Scene, first_row};
use crate::engine::snapshot::{ActionRow, ActionStatus};
use crate::tui::format;
use crate::tui::theme::Theme;
use crate::tui::ui::Panel;
use crate::tui::widget::panel::{Title, titled};
use crate::tui::widget::text::{figures, put, put_row, words};

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Scene { snapshot, ui, theme } = scene;
    let pending = snapshot.actions.iter().filter(|row| row.status == ActionStatus::Pending).count();
    let mut hint = match (ui.actions.unplaced(), pending) {
        (0, 0) => "nothing waits".into(),
        (0, 1) => "1 waits".into(),
        (0, n) => format!("{n} wait"),
        (new, _) => format!("{new} new: g"),
    };
    if let Some((count, until)) = snapshot.resting {
        let left = format::left(scene.until(until));
        hint = if count == 1 { format!("1 rests {left}, {hint}") } else { format!("{count} rest, the first {left}, {hint}") };
    }
    let focused = scene.focused(Panel::Actions);
    let calls = pending > 0 || ui.actions.unplaced() > 0;
    let title = Title { panel: Some(Panel::Actions), name: "Healing queue", hint: &hint, focused, calls };
    let inside = titled(frame, area, &title, theme);
    if ui.actions.order().is_empty() {
        put(frame, inside, inside.x + 2, inside.y, ("no repair proposed", theme.quiet));
    }
    let ids = ui.actions.order().iter().skip(first_row(ui.actions.place(), inside.height));
    for (y, id) in (inside.y..inside.bottom()).zip(ids) {
        let Some(row) = snapshot.actions.iter().find(|row| row.id == *id) else { continue };
        draw_row(frame, Rect { y, height: 1, ..inside }, row, focused && ui.actions.cursor() == Some(id), scene);
    }
}

fn draw_row(frame: &mut Buffer, area: Rect, row: &ActionRow, here: bool, scene: &Scene<'_>) {
    let theme = scene.theme;
    let (symbol, style) = status(row.status, theme);
    let running = matches!(row.status, ActionStatus::Pending | ActionStatus::InProgress);
    if here {
        put(frame, area, area.x, area.y, ("▸", theme.focus));
    }
    let cells = [
        words(symbol, 13, if here { theme.selection } else { style }),
        words(&row.sentence, area.width.saturating_sub(2 + 14 + 15), if running { theme.text } else { theme.quiet }),
        figures(when(row, scene), 13, if row.status == ActionStatus::Pending { theme.text } else { theme.quiet }),
    ];
    put_row(frame, area, area.x + 2, area.y, &cells);
}

/// Until when, while it waits; else how long ago the last thing happened to it.
fn when(row: &ActionRow, scene: &Scene<'_>) -> String {
    if row.status == ActionStatus::Pending {
        let verb = if row.executes_by_itself { "acts" } else { "lapses" };
        return format!("{verb} {}", format::left(scene.until(row.expires_at)));
    }
    format::age(scene.since(row.history.last().map_or(row.proposed_at, |last| last.at)))
}

/// The symbol with the word.
pub(super) const fn status(status: ActionStatus, theme: &Theme) -> (&'static str, Style) {
    match status {
        ActionStatus::Pending => ("◆ pending", theme.accent),
        ActionStatus::InProgress => ("◇ in progress", theme.warning),
        ActionStatus::Succeeded => ("● succeeded", theme.good),
        ActionStatus::Failed => ("■ failed", theme.bad),
        ActionStatus::RolledBack => ("◂ rolled back", theme.quiet),
        ActionStatus::Rejected => ("○ rejected", theme.quiet),
        ActionStatus::Expired => ("○ expired", theme.quiet),
    }
}
