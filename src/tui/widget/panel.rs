//! A panel is a title on a rule; only dialogs have a box. Rows cost less than borders at 80×24.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Borders, Clear, Widget};

use super::text::{put, put_right, width};
use crate::tui::theme::Theme;
use crate::tui::ui::Panel;

/// Draws `── 1 Connectors ───── hint ──`, returns the rows below.
pub(crate) fn titled(buffer: &mut Buffer, area: Rect, title: &Title<'_>, theme: &Theme) -> Rect {
    if area.height == 0 {
        return area;
    }
    let rule = "─".repeat(usize::from(area.width));
    put(buffer, area, area.x, area.y, (&rule, theme.rule));
    let name = match title.panel {
        Some(panel) => format!(" {} {} ", panel as u8 + 1, title.name),
        None => format!(" {} ", title.name),
    };
    let style = if title.focused { theme.focus } else { theme.title };
    let after = put(buffer, area, area.x + 1, area.y, (&name, style));
    if !title.hint.is_empty() && usize::from(area.right().saturating_sub(after)) > width(title.hint) + 3 {
        let slot = Rect { width: area.width - 1, ..area };
        put_right(buffer, slot, area.y, (&format!(" {} ", title.hint), if title.calls { theme.accent } else { theme.quiet }));
    }
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

/// What stands on a panel's rule.
#[derive(Default)]
pub(crate) struct Title<'a> {
    /// The panel, for its number.
    pub(crate) panel: Option<Panel>,
    /// The name.
    pub(crate) name: &'a str,
    /// What stands at the right.
    pub(crate) hint: &'a str,
    /// Whether the hint calls for a person.
    pub(crate) calls: bool,
    /// Whether the keys go here.
    pub(crate) focused: bool,
}

/// Clears an area and draws a box with a title and a tag; returns the inside, one column of padding at each side.
pub(crate) fn boxed(buffer: &mut Buffer, area: Rect, title: &str, tag: &str, theme: &Theme) -> Rect {
    Clear.render(area, buffer);
    buffer.set_style(area, theme.text);
    Block::new().borders(Borders::ALL).border_style(theme.title).render(area, buffer);
    let top = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    put(buffer, top, top.x + 1, top.y, (&format!(" {title} "), theme.focus));
    if !tag.is_empty() {
        let slot = Rect { width: top.width.saturating_sub(1), ..top };
        put_right(buffer, slot, top.y, (&format!(" {tag} "), theme.quiet));
    }
    Rect { x: area.x + 2, y: area.y + 1, width: area.width.saturating_sub(4), height: area.height.saturating_sub(2) }
}
