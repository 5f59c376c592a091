//! The autonomy ladder: which class of action may do how much by itself.
//!
//! ```text
//! ▸ all classes
//!   priority     approve
//!   exclusion    approve
//!   scaling      veto
//! set to         observe  suggest [approve]  veto  auto
//!                acts when a person approves
//! this week      priority: 3 repairs not executed: APOS would have saved …
//! ```
//!
//! Who may not set one, and whoever looks at the past, reads the levels and what was left undone.

use ratatui::text::{Line, Span};

use super::Scene;
use crate::domain::{ActionClass, Autonomy};
use crate::tui::keys::{self, Does, Scope};
use crate::tui::widget::sheet::{Sheet, field};

/// The sheet of the levels, with the row and the level chosen.
pub(super) fn sheet(row: usize, level: Autonomy, columns: usize, scene: &Scene<'_>) -> Sheet {
    let theme = scene.theme;
    let mut fixed = vec![class_line("all classes", None, row == 0, scene)];
    if let Some(levels) = &scene.snapshot.header.autonomy {
        for (i, class) in ActionClass::ALL.into_iter().enumerate() {
            fixed.push(class_line(class.as_str(), Some(levels.of(class)), row == i + 1, scene));
        }
    }
    fixed.push(Line::default());
    if may_set(scene) {
        fixed.push(ladder(level, scene));
        fixed.extend(field("", meaning(level), theme.quiet, (columns, 2), theme));
        fixed.push(Line::default());
    }
    fixed.extend(left(row, columns, scene));
    let tag = if may_set(scene) { format!("as {}", scene.ui.session.role.as_str()) } else { "read only".into() };
    Sheet { title: "Autonomy".into(), tag, fixed, ..Sheet::default() }
}

/// Whether there is a key that sets a level: to a viewer, and in the past, there is none.
fn may_set(scene: &Scene<'_>) -> bool {
    let session = &scene.ui.session;
    keys::within(Scope::Levels, session.role, &session.mode).any(|binding| binding.does == Does::SetLevel)
}

/// What was left undone this week, of the class chosen or of each.
fn left(row: usize, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (theme, shadows) = (scene.theme, &scene.snapshot.shadows);
    let chosen = row.checked_sub(1).and_then(|row| ActionClass::ALL.get(row));
    let classes = ActionClass::ALL.into_iter().filter(|class| chosen.is_none_or(|chosen| chosen == class));
    let sentences: Vec<String> =
        classes.filter_map(|class| Some(format!("{}: {}", class.as_str(), shadows.of(class)?.sentence()))).collect();
    if sentences.is_empty() {
        return field("this week", "nothing that could be judged was left undone", theme.quiet, (columns, 2), theme);
    }
    let labels = std::iter::once("this week").chain(std::iter::repeat(""));
    sentences.iter().zip(labels).flat_map(|(one, label)| field(label, one, theme.text, (columns, 3), theme)).collect()
}

fn class_line(name: &str, level: Option<Autonomy>, here: bool, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme;
    Line::from(vec![
        Span::styled(if here { "▸ " } else { "  " }, theme.focus),
        Span::styled(format!("{name:<13}"), if here { theme.selection } else { theme.text }),
        Span::styled(level.map_or(String::new(), |level| format!(" {level}")), theme.text),
    ])
}

fn ladder(chosen: Autonomy, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme;
    let mut spans = vec![Span::styled("set to    ", theme.quiet)];
    for level in Autonomy::ALL {
        let here = *level == chosen;
        let text = if here { format!("[{level}]") } else { format!(" {level} ") };
        spans.push(Span::styled(text, if here { theme.accent } else { theme.text }));
    }
    Line::from(spans)
}

const fn meaning(level: Autonomy) -> &'static str {
    match level {
        Autonomy::Observe => "watches; proposes nothing, does nothing",
        Autonomy::Suggest => "proposes; a person acts by hand",
        Autonomy::Approve => "proposes; acts when a person approves",
        Autonomy::Veto => "acts after a delay unless a person rejects",
        Autonomy::Auto => "acts at once; a person may undo",
    }
}
