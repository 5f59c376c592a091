//! The menu of faults that can be let happen in a simulation.
//!
//! ```text
//! ▸ break adyen
//!   break stripe
//! ```

use ratatui::text::{Line, Span};

use super::Scene;
use crate::tui::widget::sheet::Sheet;

/// Rows around the one chosen: the menu fits into the smallest screen.
const ROWS: usize = 14;

/// The sheet of the menu, with the row chosen.
pub(super) fn sheet(row: usize, scene: &Scene<'_>) -> Sheet {
    let (theme, names) = (scene.theme, &scene.ui.session.faults);
    let first = row.saturating_sub(ROWS / 2).min(names.len().saturating_sub(ROWS));
    let line = |(number, name): (usize, &String)| {
        let here = number == row;
        Line::from(vec![
            Span::styled(if here { "▸ " } else { "  " }, theme.focus),
            Span::styled(name.clone(), if here { theme.selection } else { theme.text }),
        ])
    };
    let fixed = names.iter().enumerate().skip(first).take(ROWS).map(line).collect();
    Sheet { title: "Let what happen?".into(), tag: format!("{} of {}", row + 1, names.len()), fixed, ..Sheet::default() }
}
