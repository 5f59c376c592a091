//! What is wrong with the engine itself, for as long as it is: a word in the banner, which no dialog covers, and a row.
//!
//! ```text
//!  APOS  LIVE  DEGRADED                           autonomy approve · 03:14 +00:00
//!  ■ log: connection refused (and 1 more)   decisions go on, nothing is repaired
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use crate::tui::widget::text::{fit, put, width};

/// The word in the banner.
const DEGRADED: &str = " DEGRADED ";
/// Columns of what is wrong that the remedy must leave: less would no longer say what it is.
const WRONG_LEAST: usize = 60;

/// Rows it takes: none while nothing is wrong.
pub(super) fn rows(scene: &Scene<'_>) -> u16 {
    u16::from(!scene.ui.degraded.is_empty())
}

/// Columns of the word in the banner.
pub(super) fn columns(scene: &Scene<'_>) -> u16 {
    if rows(scene) > 0 { u16::try_from(width(DEGRADED)).unwrap_or(u16::MAX) } else { 0 }
}

/// The word in the banner.
pub(super) fn banner(frame: &mut Buffer, area: Rect, x: u16, scene: &Scene<'_>) {
    if rows(scene) > 0 {
        put(frame, area, x, area.y, (DEGRADED, scene.theme.alarm));
    }
}

/// The row: the gravest of what is wrong, how much more there is, and what to do where there is room.
pub(super) fn draw(frame: &mut Buffer, area: Rect, y: u16, scene: &Scene<'_>) {
    let wrong = &scene.ui.degraded;
    let Some(first) = wrong.iter().find(|sentence| grave(part(sentence))).or_else(|| wrong.first()) else { return };
    let (mark, style) = if grave(part(first)) { ("■", scene.theme.bad) } else { ("▲", scene.theme.warning) };
    let more = match wrong.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let room = usize::from(area.width).saturating_sub(width(&more) + 4);
    let remedy = remedy(part(first));
    let spare = room.saturating_sub(width(remedy) + 3);
    let said = spare >= width(first).min(WRONG_LEAST);
    let sentence = fit(first, if said { spare } else { room });
    let x = put(frame, area, area.x + 1, y, (&format!("{mark} {sentence}{more}"), style));
    if said {
        put(frame, area, x + 3, y, (remedy, scene.theme.text));
    }
}

/// Whether somebody must see to the engine itself.
pub(super) fn is_grave(scene: &Scene<'_>) -> bool {
    scene.ui.degraded.iter().any(|sentence| grave(part(sentence)))
}

/// The part that a sentence is about: `tables` of `tables: connection refused`.
fn part(sentence: &str) -> &str {
    sentence.split_once(':').map_or(sentence, |(part, _)| part)
}

/// Whether nothing is recorded, folded or repaired while this part is unwell; of the others reports suffer, or the
/// engine routes less than it could.
fn grave(part: &str) -> bool {
    matches!(part, "engine" | "log" | "lease" | "spool" | "spool-file") || part.starts_with("apos-")
}

/// What goes on meanwhile, and what to look at.
fn remedy(part: &str) -> &'static str {
    match part {
        "engine" => "decisions go on, folding stands still: `apos log skip` leaves an entry out",
        "log" | "lease" => "decisions go on, nothing is repaired: see that the log answers",
        "spool" => "events wait on disk: they go to the log when it answers again",
        "spool-file" => "events cannot wait on disk: see to the disk and the spool's file",
        "tables" | "projector" => "decisions go on, the log keeps all: see that the database answers",
        "routing" => "decisions go on: l shows how much the engine routes",
        "model" => "routing goes on by its own scores: m shows the model",
        "start" => "decisions rest on what is folded so far",
        _ => "`GET /status` and the log files tell more",
    }
}
