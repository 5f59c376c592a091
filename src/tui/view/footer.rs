//! The last row: an armed panic, else what was said last, else the keys.
//!
//! ```text
//!  Enter open  Tab panel  w what waits  u undo  l autonomy  ! panic  ? help  q quit
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use crate::engine::Snapshot;
use crate::engine::snapshot::ActionStatus;
use crate::tui::format;
use crate::tui::keys::{self, Does, Scope};
use crate::tui::ui::Mode;
use crate::tui::widget::text::{put, width};

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    if scene.ui.panic_armed() {
        frame.set_style(area, theme.alarm);
        put(frame, area, area.x, area.y, (&panic_bar(scene.snapshot), theme.alarm));
    } else if let Some(notice) = &scene.ui.notice {
        let (mark, style) = if notice.refused { ("▲", theme.warning) } else { ("●", theme.text) };
        put(frame, area, area.x, area.y, (&format!(" {mark} {}", notice.text), style));
    } else if scene.ui.dialog.is_none() {
        key_row(frame, area, scene);
    } else {
        put(frame, area, area.x, area.y, (" Esc closes, nothing is changed", theme.quiet));
    }
}

/// What a panic does, and what it leaves as it is.
fn panic_bar(snapshot: &Snapshot) -> String {
    if snapshot.adoption.kill_switch.is_some() {
        return " PANIC armed: p observe, Esc off. The kill switch is pulled: l releases it".to_owned();
    }
    let excluded = snapshot.connectors.iter().flat_map(|row| &row.accounts).filter(|account| account.excluded).count();
    let changes = snapshot.actions.iter().filter(|row| row.undoable && row.status != ActionStatus::Pending).count();
    format!(
        " PANIC armed: p observe, K static order, Esc off. Kept: {}, {}",
        format::plural(excluded, "exclusion"),
        format::plural(changes, "change"),
    )
}

fn key_row(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let (ui, theme) = (scene.ui, scene.theme);
    let mut x = area.x + 1;
    // In the past the row is for the keys that move; that of the levels stands in `?`.
    let past = matches!(ui.session.mode, Mode::Past { .. });
    let named = |binding: &&keys::Binding| binding.footer && !(past && binding.does == Does::Levels);
    for binding in keys::within(Scope::Panels, ui.session.role, &ui.session.mode).filter(named) {
        if usize::from(area.right().saturating_sub(x)) < width(binding.name) + 1 + width(binding.label) {
            return;
        }
        // `undo` without an action under the cursor stays named, but quietly: pressing it says why.
        let works = ui.refusal(binding.does, scene.snapshot).is_none() || binding.does == Does::Open;
        let key = if works { theme.key } else { theme.quiet };
        x = put(frame, area, x, area.y, (binding.name, key));
        x = put(frame, area, x + 1, area.y, (binding.label, theme.quiet)) + 2;
    }
}
