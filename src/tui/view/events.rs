//! The event stream, the newest at the bottom. It follows until the cursor goes in; `g` follows again.
//!
//! ```text
//! ── 5 Events ──────────────────────────────────────────────── times are +00:00 ──
//!   03:14:07 declined  pay_8f2 adyen EUR 65.40 do_not_honor
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use crate::engine::snapshot::{EventClass, EventRow};
use crate::tui::format;
use crate::tui::theme::Theme;
use crate::tui::ui::Panel;
use crate::tui::widget::panel::{Title, titled};
use crate::tui::widget::text::{put, put_row, words};

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Scene { snapshot, ui, theme } = scene;
    let focused = scene.focused(Panel::Events);
    let frozen = ui.events.cursor().is_some();
    let offset = format::offset(snapshot.at, &ui.session.zone);
    let hint = if frozen { format!("held, g follows · times {offset}") } else { format!("times {offset}") };
    let title = Title { panel: Some(Panel::Events), name: "Events", hint: &hint, focused, calls: false };
    let inside = titled(frame, area, &title, theme);
    let stream = &ui.stream.events;
    let rows = usize::from(inside.height);
    let last = ui.events.place().map_or(stream.len(), |place| (place + 1).max(rows)).min(stream.len());
    let shown = &stream[last.saturating_sub(rows)..last];
    for (y, row) in (inside.y..inside.bottom()).zip(shown) {
        let here = focused && ui.events.cursor() == Some(&row.position);
        draw_row(frame, Rect { y, height: 1, ..inside }, row, here, scene);
    }
}

fn draw_row(frame: &mut Buffer, area: Rect, row: &EventRow, here: bool, scene: &Scene<'_>) {
    let theme = scene.theme;
    let (word, style) = class(row.class, theme);
    if here {
        put(frame, area, area.x, area.y, ("▸", theme.focus));
    }
    let cells = [
        words(format::second(row.at, &scene.ui.session.zone), 8, if here { theme.selection } else { theme.quiet }),
        words(word, 9, style),
        words(&row.text, area.width.saturating_sub(2 + 9 + 10), theme.text),
    ];
    put_row(frame, area, area.x + 2, area.y, &cells);
}

const fn class(class: EventClass, theme: &Theme) -> (&'static str, Style) {
    match class {
        EventClass::Approved => ("approved", theme.good),
        EventClass::Declined => ("declined", theme.text),
        EventClass::Technical => ("technical", theme.bad),
        EventClass::Payment => ("payment", theme.quiet),
        EventClass::Engine => ("engine", theme.warning),
        EventClass::Operator => ("operator", theme.focus),
    }
}
