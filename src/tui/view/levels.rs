//! What the engine may do: how much each class of action may do by itself, and how much of the traffic it routes.
//!
//! ```text
//! ▸ all classes
//!   priority     approve
//!   exclusion    approve
//!   scaling      veto
//!   dial         100 %
//!   shadow       off
//!   kill switch  released
//! set to         observe  suggest [approve]  veto  auto
//!                acts when a person approves
//! this week      priority: 3 repairs not executed: APOS would have saved …
//! in shadow      +1.8 points (0.4 to 3.2) of 4,120 attempts …
//! ```
//!
//! Who may not set one, and whoever looks at the past, reads the levels and what was left undone.

use ratatui::text::{Line, Span};

use super::Scene;
use crate::domain::settings::Levels as Autonomies;
use crate::domain::{ActionClass, Autonomy};
use crate::engine::snapshot::AdoptionView;
use crate::tui::keys::{self, Does, Scope};
use crate::tui::ui::levels::{DIAL, Levels, Row};
use crate::tui::widget::sheet::{Sheet, field};

/// Merchants whose report stands beside that of all, where the shadow is chosen.
const REPORTS: usize = 4;

/// The sheet, with what is chosen.
pub(super) fn sheet(levels: &Levels, columns: usize, scene: &Scene<'_>) -> Sheet {
    let (theme, adoption) = (scene.theme, &scene.snapshot.adoption);
    let autonomy = scene.snapshot.header.autonomy.as_ref();
    let row = |one: Row| {
        let (name, value) = (name(one), value(one, autonomy, adoption));
        let here = one == levels.row();
        Line::from(vec![
            Span::styled(if here { "▸ " } else { "  " }, theme.focus),
            Span::styled(format!("{name:<13}"), if here { theme.selection } else { theme.text }),
            Span::styled(if value.is_empty() { value } else { format!(" {value}") }, theme.text),
        ])
    };
    let mut fixed: Vec<Line<'static>> = Levels::rows().map(row).collect();
    if may_set(scene) {
        fixed.push(choices(levels, scene));
        fixed.extend(field("", meaning(levels), theme.quiet, (columns, 2), theme));
    }
    let mut paged = left(levels, columns, scene);
    paged.extend(apart(columns, scene));
    paged.extend(in_shadow(levels, columns, scene));
    let tag = if may_set(scene) { format!("as {}", scene.ui.session.role.as_str()) } else { "read only".into() };
    Sheet { title: "Autonomy".into(), tag, fixed, paged, ..Sheet::default() }
}

const fn name(row: Row) -> &'static str {
    match row {
        Row::Class(None) => "all classes",
        Row::Class(Some(class)) => class.as_str(),
        Row::Dial => "dial",
        Row::Shadow => "shadow",
        Row::KillSwitch => "kill switch",
    }
}

/// What is set now.
fn value(row: Row, autonomy: Option<&Autonomies>, adoption: &AdoptionView) -> String {
    match row {
        Row::Class(class) => class.zip(autonomy).map_or_else(String::new, |(class, levels)| levels.of(class).to_string()),
        Row::Dial => format!("{} % of payments", adoption.dial),
        Row::Shadow => on(adoption.shadow).to_owned(),
        Row::KillSwitch => match &adoption.kill_switch {
            None => "released".to_owned(),
            Some(killed) if killed.reason.is_empty() => format!("pulled by {}", killed.by),
            Some(killed) => format!("pulled by {}: {}", killed.by, killed.reason),
        },
    }
}

const fn on(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Whether there is a key that sets a level: to a viewer, and in the past, there is none.
fn may_set(scene: &Scene<'_>) -> bool {
    let session = &scene.ui.session;
    keys::within(Scope::Levels, session.role, &session.mode).any(|binding| binding.does == Does::SetLevel)
}

/// What was left undone this week, of the class chosen or of each.
fn left(levels: &Levels, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (theme, shadows) = (scene.theme, &scene.snapshot.shadows);
    let chosen = if let Row::Class(class) = levels.row() { class } else { None };
    let classes = ActionClass::ALL.into_iter().filter(|class| chosen.is_none_or(|chosen| chosen == *class));
    let sentences: Vec<String> =
        classes.filter_map(|class| Some(format!("{}: {}", class.as_str(), shadows.of(class)?.sentence()))).collect();
    if sentences.is_empty() {
        return field("this week", "nothing that could be judged was left undone", theme.quiet, (columns, 2), theme);
    }
    let labels = std::iter::once("this week").chain(std::iter::repeat(""));
    sentences.iter().zip(labels).flat_map(|(one, label)| field(label, one, theme.text, (columns, 3), theme)).collect()
}

/// Merchants that do not follow all.
fn apart(columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let adoption = &scene.snapshot.adoption;
    if adoption.merchants.is_empty() {
        return Vec::new();
    }
    let told = adoption.merchants.iter().map(|one| {
        let dial = one.dial.map(|percent| format!(" {percent} %")).unwrap_or_default();
        let shadow = one.shadow.map_or("", |shadow| if shadow { " in shadow" } else { " in no shadow" });
        format!("{}{dial}{shadow}", one.profile)
    });
    let told: Vec<String> = told.collect();
    field("apart", &told.join(", "), scene.theme.text, (columns, 3), scene.theme)
}

/// What the engine would have made of what it does not route: of all, and of merchants where the shadow is chosen.
fn in_shadow(levels: &Levels, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let shown = if levels.row() == Row::Shadow { 1 + REPORTS } else { 1 };
    let mut lines = Vec::new();
    for (index, report) in scene.snapshot.adoption.reports.iter().take(shown).enumerate() {
        let of = report.merchant.as_ref().map_or_else(String::new, |merchant| format!("{merchant}: "));
        let warning = report.estimate.warning.as_ref().map_or_else(String::new, |warning| format!(" ({warning})"));
        let text = format!("{of}{}{warning}", report.sentence());
        let label = if index == 0 { "in shadow" } else { "" };
        lines.extend(field(label, &text, scene.theme.text, (columns, 3), scene.theme));
    }
    lines
}

/// `set to  observe  suggest [approve]  veto  auto`
fn choices(levels: &Levels, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme;
    let choices: Vec<(String, bool)> = match levels.row() {
        Row::Class(_) => Autonomy::ALL.iter().map(|level| (level.to_string(), *level == levels.level)).collect(),
        Row::Dial => {
            let own = (!DIAL.contains(&levels.dial)).then_some(levels.dial);
            DIAL.iter().chain(&own).map(|percent| (percent.to_string(), *percent == levels.dial)).collect()
        }
        Row::Shadow => [false, true].map(|one| (on(one).to_owned(), one == levels.shadow)).to_vec(),
        Row::KillSwitch => vec![("released".to_owned(), !levels.pulled), ("pulled".to_owned(), levels.pulled)],
    };
    let mut spans = vec![Span::styled("set to    ", theme.quiet)];
    for (text, here) in choices {
        let text = if here { format!("[{text}]") } else { format!(" {text} ") };
        spans.push(Span::styled(text, if here { theme.accent } else { theme.text }));
    }
    Line::from(spans)
}

fn meaning(levels: &Levels) -> &'static str {
    match levels.row() {
        Row::Dial => "percent of the payments that the engine routes; the rest get the static order",
        Row::Shadow => "on: all get the static order, and the engine's choice is recorded beside it",
        Row::KillSwitch => "pulled: everything gets the static order at once, until it is released",
        Row::Class(_) => match levels.level {
            Autonomy::Observe => "watches; proposes nothing, does nothing",
            Autonomy::Suggest => "proposes; a person acts by hand",
            Autonomy::Approve => "proposes; acts when a person approves",
            Autonomy::Veto => "acts after a delay unless a person rejects",
            Autonomy::Auto => "acts at once; a person may undo",
        },
    }
}
