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

/// `→` becomes `->` where a blank follows, else `>`: `28 % > 92 %` would be a comparison.
fn arrows(buffer: &mut Buffer) {
    for place in 0..buffer.content.len() {
        if buffer.content[place].symbol() != "→" {
            continue;
        }
        let blank = buffer.content.get_mut(place + 1).filter(|next| next.symbol() == " ");
        let stand_in = if blank.map(|next| _ = next.set_symbol(">")).is_some() { "-" } else { ">" };
        buffer.content[place].set_symbol(stand_in);
    }
}
