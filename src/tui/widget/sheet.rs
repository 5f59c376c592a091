//! A dialog: what must be seen before anything is pressed stands fixed, the rest pages, the keys are its last row.
//!
//! ```text
//! ┌ title ──────────────────────────────── tag ┐
//! │ fixed lines: never scroll                  │
//! │ ──────────────────────── page 1 of 2 (PgDn) │
//! │ lines that page                            │
//! │ Enter cancel   y approve   r reject        │
//! └────────────────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::panel::boxed;
use super::spark::Run;
use super::text::{put, put_lines, put_right, wrap, wrap_most};
use crate::tui::theme::Theme;

/// Lines are not wider than this: the eye loses its line beyond.
const WIDEST: u16 = 112;
/// Columns of a field's label.
const LABEL: usize = 10;

/// What a dialog says.
#[derive(Default)]
pub(crate) struct Sheet {
    /// In the upper border.
    pub(crate) title: String,
    /// At its right.
    pub(crate) tag: String,
    /// Lines that never scroll.
    pub(crate) fixed: Vec<Line<'static>>,
    /// Lines that page.
    pub(crate) paged: Vec<Line<'static>>,
    /// The keys, in the last row.
    pub(crate) keys: Line<'static>,
}

/// The columns a sheet's lines have in a screen of that size.
pub(crate) fn columns(screen: Rect) -> usize {
    usize::from(screen.width.min(WIDEST).saturating_sub(4))
}

impl Sheet {
    /// Draws it in the middle of the space; returns how many pages it has.
    pub(crate) fn draw(&self, buffer: &mut Buffer, space: Rect, page: u16, theme: &Theme) -> u16 {
        let rule = u16::from(!self.paged.is_empty() && !self.fixed.is_empty());
        let content = self.fixed.len() + self.paged.len() + 1;
        let wanted = u16::try_from(content).unwrap_or(u16::MAX).saturating_add(rule + 2);
        let (width, height) = (space.width.min(WIDEST), wanted.min(space.height));
        let area = Rect { x: space.x + (space.width - width) / 2, y: space.y + (space.height - height) / 2, width, height };
        let inside = boxed(buffer, area, &self.title, &self.tag, theme);
        let keys = Rect { y: inside.bottom().saturating_sub(1), height: 1.min(inside.height), ..inside };
        let body = Rect { height: inside.height.saturating_sub(1), ..inside };
        let below = put_lines(buffer, body, &self.fixed);
        put_lines(buffer, keys, std::slice::from_ref(&self.keys));
        let pages =
            self.draw_pages(buffer, Rect { y: below, height: body.bottom().saturating_sub(below), ..body }, page, theme);
        if pages > 1 && rule == 0 {
            // Without a rule to stand in, beside the keys: nobody looks for a page that nothing names.
            put_right(buffer, keys, keys.y, (&page_mark(page, pages), theme.key));
        }
        pages
    }

    fn draw_pages(&self, buffer: &mut Buffer, space: Rect, page: u16, theme: &Theme) -> u16 {
        let rule = u16::from(!self.fixed.is_empty() && !self.paged.is_empty());
        let rows = space.height.saturating_sub(rule);
        if rows == 0 || self.paged.is_empty() {
            return 1;
        }
        let pages = u16::try_from(self.paged.len().div_ceil(usize::from(rows))).unwrap_or(u16::MAX);
        let page = page.min(pages - 1);
        if rule > 0 {
            put(buffer, space, space.x, space.y, (&"─".repeat(usize::from(space.width)), theme.rule));
            if pages > 1 {
                put_right(buffer, space, space.y, (&page_mark(page, pages), theme.quiet));
            }
        }
        let first = usize::from(page) * usize::from(rows);
        let area = Rect { y: space.y + rule, height: rows, ..space };
        put_lines(buffer, area, &self.paged[first.min(self.paged.len())..]);
        pages
    }
}

/// ` page 1 of 3: PgDn `, on the last page `PgUp`.
fn page_mark(page: u16, pages: u16) -> String {
    let page = page.min(pages - 1) + 1;
    let key = if page == pages { "PgUp" } else { "PgDn" };
    format!(" page {page} of {pages}: {key} ")
}

/// `label     text`, wrapped under itself, in at most `most` lines.
pub(crate) fn field(
    label: &str,
    text: &str,
    style: Style,
    (columns, most): (usize, usize),
    theme: &Theme,
) -> Vec<Line<'static>> {
    let lines = wrap_most(text, columns.saturating_sub(LABEL), most);
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    lines.into_iter().zip(labels).map(|(line, label)| labelled(label, line, style, theme)).collect()
}

/// One line with its label.
pub(crate) fn labelled(label: &str, text: String, style: Style, theme: &Theme) -> Line<'static> {
    Line::from(vec![Span::styled(format!("{label:<LABEL$}"), theme.quiet), Span::styled(text, style)])
}

/// A sparkline under the field it belongs to.
pub(crate) fn spark_line(runs: &[Run], theme: &Theme) -> Line<'static> {
    let mut line = labelled("", String::new(), theme.text, theme);
    for run in runs {
        line.push_span(Span::styled(run.blocks.clone(), if run.low { theme.bad } else { theme.quiet }));
    }
    line
}

/// Wrapped lines of one style.
pub(crate) fn paragraph(text: &str, style: Style, columns: usize) -> Vec<Line<'static>> {
    wrap(text, columns).into_iter().map(|line| Line::styled(line, style)).collect()
}
