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
    ("→", ">"),
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
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let stand_in = STANDS_FOR.iter().find(|(drawn, _)| *drawn == cell.symbol()).map_or("?", |(_, ascii)| ascii);
            cell.set_symbol(stand_in);
        }
    }
}
