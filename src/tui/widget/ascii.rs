//! The ASCII set: one pass over a finished frame, so that no panel needs to know of it.

use ratatui::buffer::Buffer;

/// What stands for the characters the panels draw, and for the punctuation the engine's sentences use.
const STANDS_FOR: &[(&str, &str)] = &[
    ("─", "-"),
    ("│", "|"),
    ("┌", "+"),
    ("┐", "+"),
    ("└", "+"),
    ("┘", "+"),
    ("├", "+"),
    ("┤", "+"),
    ("▁", "_"),
    ("▂", "."),
    ("▃", ":"),
    ("▄", "-"),
    ("▅", "="),
    ("▆", "+"),
    ("▇", "*"),
    ("█", "#"),
    ("●", "*"),
    ("▲", "!"),
    ("■", "X"),
    ("○", "o"),
    ("◆", "@"),
    ("◇", "%"),
    ("▸", ">"),
    ("◂", "<"),
    ("×", "x"),
    ("≥", ">"),
    ("≤", "<"),
    ("≈", "~"),
    ("−", "-"),
    ("–", "-"),
    ("—", "-"),
    ("…", "~"),
    ("·", "."),
    ("›", ">"),
    ("‹", "<"),
    ("’", "'"),
    ("“", "\""),
    ("”", "\""),
    ("€", "E"),
    ("✕", "x"),
];

/// Replaces whatever is not ASCII; what has no stand-in becomes `?`.
pub(crate) fn plain(buffer: &mut Buffer) {
    arrows(buffer);
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let stand_in = STANDS_FOR.iter().find(|(drawn, _)| *drawn == cell.symbol()).map_or("?", |(_, ascii)| ascii);
            cell.set_symbol(stand_in);
        }
    }
}

/// `→` becomes `->`: `28 % > 92 %` would be a comparison. The room comes from the next two blanks in its row; without such,
/// from the blank behind it, and without that one it is `>`.
fn arrows(buffer: &mut Buffer) {
    let width = usize::from(buffer.area.width);
    for place in 0..buffer.content.len() {
        if buffer.content[place].symbol() != "→" {
            continue;
        }
        let row_ends = (place / width + 1) * width;
        let behind = &buffer.content[place + 1..row_ends];
        let blanks = behind.windows(2).position(|pair| pair.iter().all(|cell| cell.symbol() == " "));
        let room = blanks.or_else(|| behind.first().filter(|cell| cell.symbol() == " ").map(|_| 0));
        let Some(room) = room else {
            buffer.content[place].set_symbol(">");
            continue;
        };
        buffer.content[place + 1..=place + 1 + room].rotate_right(1);
        buffer.content[place].set_symbol("-");
        buffer.content[place + 1].set_symbol(">");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn an_arrow_keeps_its_blanks_where_its_row_has_room() {
        let check = |drawn: &str, expected: &str| {
            let width = u16::try_from(drawn.chars().count()).unwrap();
            let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width, height: 2 });
            buffer.set_string(0, 0, drawn, Style::default());
            plain(&mut buffer);
            let row: String = buffer.content[..usize::from(width)].iter().map(ratatui::buffer::Cell::symbol).collect();
            assert_eq!(row, expected, "{drawn}");
        };
        check("35 % → 92 %  |", "35 % -> 92 % |");
        check("a→b   c", "a->b  c");
        check("35 % → 92 %", "35 % ->92 %");
        check("a→b", "a>b");
    }
}
