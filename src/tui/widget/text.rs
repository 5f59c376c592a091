//! Text in cells: cut with an ellipsis, wrapped at words, put at a place.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text in at most `columns`, its end replaced by `…` where it is longer.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let mut kept = head(text, room).trim_end().to_owned();
    kept.push('…');
    kept
}

/// The longest beginning of at most `columns`.
fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (start, c) in text.char_indices() {
        used += width(c.encode_utf8(&mut [0; 4]));
        if used > columns {
            return &text[..start];
        }
    }
    text
}

/// The text in lines of at most `columns`, broken between words; a longer word is cut.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word;
        let last = lines.last_mut().map_or(0, |line| width(line));
        if last > 0 && last + 1 + width(word) > columns {
            lines.push(String::new());
        }
        while width(word) > columns {
            // At least one character a line: a wide one in a single column would otherwise never end.
            let cut = head(word, columns).len().max(word.chars().next().map_or(1, char::len_utf8));
            push_word(&mut lines, &word[..cut]);
            lines.push(String::new());
            word = &word[cut..];
        }
        push_word(&mut lines, word);
    }
    lines
}

fn push_word(lines: &mut [String], word: &str) {
    if let Some(line) = lines.last_mut() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
}

/// The text in at most `most` lines; what is left over ends in `…`.
pub(crate) fn wrap_most(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = wrap(text, columns);
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1)).join(" ");
        lines.push(fit(&rest, columns));
    }
    lines
}

/// Writes a text, cut to the columns left in `area`'s row; returns the column after it.
pub(crate) fn put(buffer: &mut Buffer, area: Rect, x: u16, y: u16, (text, style): (&str, Style)) -> u16 {
    if y >= area.bottom() || x >= area.right() {
        return x;
    }
    let room = usize::from(area.right() - x);
    buffer.set_stringn(x, y, fit(text, room), room, style).0
}

/// Writes a text that ends at `area`'s right edge.
pub(crate) fn put_right(buffer: &mut Buffer, area: Rect, y: u16, (text, style): (&str, Style)) {
    let columns = u16::try_from(width(text)).unwrap_or(u16::MAX).min(area.width);
    put(buffer, area, area.right() - columns, y, (text, style));
}

/// Writes lines from the top of an area; returns the first row left free.
pub(crate) fn put_lines(buffer: &mut Buffer, area: Rect, lines: &[Line<'_>]) -> u16 {
    let mut y = area.y;
    for line in lines.iter().take(usize::from(area.height)) {
        let mut x = area.x;
        for span in &line.spans {
            x = put(buffer, area, x, y, (&span.content, span.style));
        }
        y += 1;
    }
    y
}

/// One cell of a table's row.
pub(crate) struct Cell<'a> {
    text: Cow<'a, str>,
    style: Style,
    /// Without the gap that follows.
    columns: u16,
    /// Whether it stands at the right of its columns: figures do.
    right: bool,
}

/// A cell of words.
pub(crate) fn words<'a>(text: impl Into<Cow<'a, str>>, columns: u16, style: Style) -> Cell<'a> {
    Cell { text: text.into(), style, columns, right: false }
}

/// A cell of figures.
pub(crate) fn figures<'a>(text: impl Into<Cow<'a, str>>, columns: u16, style: Style) -> Cell<'a> {
    Cell { right: true, ..words(text, columns, style) }
}

/// Writes a table's row, one column between the cells.
pub(crate) fn put_row(buffer: &mut Buffer, area: Rect, x: u16, y: u16, cells: &[Cell<'_>]) {
    let mut x = x;
    for cell in cells {
        let slot = Rect { x, y: area.y, width: cell.columns.min(area.right().saturating_sub(x)), height: area.height };
        if cell.right {
            put_right(buffer, slot, y, (&cell.text, cell.style));
        } else {
            put(buffer, slot, x, y, (&cell.text, cell.style));
        }
        x += cell.columns + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_and_wraps_by_columns() {
        assert_eq!([fit("adyen", 5), fit("adyen fails", 8), fit("日本語", 4), fit("x", 0)], ["adyen", "adyen f…", "日…", ""]);
        assert_eq!(wrap("adyen fails for three merchants", 12), ["adyen fails", "for three", "merchants"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap_most("one two three four five", 9, 2), ["one two", "three fo…"]);
    }
}
