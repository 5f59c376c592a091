//! The learnt model: what is in force, what is on trial, whether its traffic has moved, and how well scores do.
//!
//! ```text
//! in force   model 3, believed to 84 %, since 02:14: Brier 0.07910 with it, 0.08030 without, 12,400 outcomes
//! trained    22:10 +00:00: random_forest on 50,000 outcomes; 412 kinds of payment × 4 connectors
//! drift      country: PSI 0.04; Brier −0.00090 with it
//! on trial   model 4: Brier 0.07850, 0.07910 in place, 812 outcomes
//! next       in 3 h 12 min
//! ─────────────────────────────────────────────────────────────────────────
//! choices    the account chosen first was the best one in 97 % of 9,120 payments of which that is known
//! sure       decisions by how sure they were; highest bar 6,240 of 13,105
//!            0 % │   ▁▁▁▁▁▁▁▁▁▁▁▁▂▂▂▂▂▂▄▄▄▇▇▇│ 100 % sure
//! shown      off by 0.0062 on average; bar: approved, │: shown
//!             shown  approved                       outcomes
//!            95.0 %    94.6 %  ██████████████████│     9,100
//! ```

use ratatui::style::Style;
use ratatui::text::Line;

use super::Scene;
use crate::engine::snapshot::{LearningView, ModelRow, ModelStatus};
use crate::tui::format;
use crate::tui::theme::Theme;
use crate::tui::widget::bar::{against, bars};
use crate::tui::widget::sheet::{Sheet, field, labelled};

/// Columns of a bar of the confidence, and of the whole one of the calibration.
const BAR: usize = 3;
const METER: usize = 20;

/// The sheet of the model.
pub(super) fn sheet(columns: usize, scene: &Scene<'_>) -> Sheet {
    let (view, theme) = (&scene.snapshot.learning, scene.theme);
    let say = |label: &str, text: &str, style: Style| field(label, text, style, (columns, 3), theme);
    let mut fixed = Vec::new();
    if let Some(alert) = &view.alert {
        fixed.extend(say("alert", &format!("▲ {alert}; routing goes on by its own scores"), theme.warning));
    }
    match &view.champion {
        Some(row) => fixed.extend(champion(row, columns, scene)),
        None => fixed.extend(say("in force", "no model: routing goes by its own scores", theme.text)),
    }
    if let Some(row) = &view.challenger {
        fixed.extend(say("on trial", &scores(row, row.brier_in_place, "in place"), theme.text));
    }
    fixed.extend(say("next", &next(view, scene), theme.quiet));
    Sheet { title: "Model".into(), tag: tag(view), fixed, paged: paged(view, columns, scene), ..Sheet::default() }
}

fn tag(view: &LearningView) -> String {
    let row = view.champion.as_ref();
    row.map_or_else(|| "none in force".to_owned(), |row| format!("version {} · {}", row.version, row.status.as_str()))
}

/// The model in force, or the last that was: how it does, what it was trained on, and how far that has moved.
fn champion(row: &ModelRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (theme, zone) = (scene.theme, &scene.ui.session.zone);
    let in_force = row.status == ModelStatus::InForce;
    let since = row.accepted_at.map_or_else(String::new, |at| format!(" since {}", format::age(scene.since(at))));
    let believed = if in_force { format!(", believed to {}", format::percent(Some(row.weight))) } else { String::new() };
    let does = format!("{}{believed}{since}", scores(row, row.brier_without, "without it"));
    let (label, style) = if in_force { ("in force", theme.text) } else { ("failed", theme.warning) };
    let mut lines = field(label, &does, style, (columns, 3), theme);
    let trained = format!(
        "{} {}: {} on {} outcomes, {} kinds of payment × {}, {} B, {}",
        format::minute(row.window.to, zone),
        format::offset(row.window.to, zone),
        row.algorithm,
        format::count(row.window.outcomes),
        format::count(row.cells as u64),
        format::plural(row.connectors, "connector"),
        format::count(row.bytes as u64),
        row.hash
    );
    lines.extend(field("trained", &trained, theme.text, (columns, 3), theme));
    let psi = row
        .psi
        .as_ref()
        .map_or_else(|| "traffic not judged yet".to_owned(), |(psi, feature)| format!("{feature} PSI {psi:.2}"));
    let brier = row.brier_drift.map_or_else(String::new, |drift| format!("; Brier {drift:+.5} by it, lately"));
    lines.extend(field("drift", &format!("{psi}{brier}"), theme.text, (columns, 2), theme));
    lines
}

/// `model 4: Brier 0.07850, 0.07910 in place, 812 outcomes`
fn scores(row: &ModelRow, other: Option<f64>, word: &str) -> String {
    let outcomes = format::plural(usize::try_from(row.outcomes).unwrap_or(usize::MAX), "outcome");
    match row.brier.zip(other) {
        Some((with, other)) => format!("model {}: Brier {with:.5}, {other:.5} {word}, {outcomes}", row.version),
        None => format!("model {}: no outcome yet", row.version),
    }
}

fn next(view: &LearningView, scene: &Scene<'_>) -> String {
    let outcomes = format::count(view.outcomes);
    match view.next_training {
        _ if !view.enabled => "none: learning is off".to_owned(),
        None => format!("when there are enough outcomes; {outcomes} so far"),
        Some(at) if at <= scene.now() => format!("now, on {outcomes} outcomes"),
        Some(at) => format!("in {}, on {outcomes} outcomes", format::left(scene.until(at))),
    }
}

/// How well scores do, and the models before.
fn paged(view: &LearningView, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let known = view.accuracy.no_better + view.accuracy.better;
    let untried = format::count(view.accuracy.untried);
    let choices = match view.accuracy.share {
        None => {
            format!("no other account was tried after the one chosen had failed: {untried} outcomes tell nothing of others")
        }
        Some(share) => format!(
            "another account, tried after the one chosen had failed, did no better in {} of {}; {untried} outcomes tell nothing of others",
            format::rate(Some(share)),
            format::count(known),
        ),
    };
    let mut lines = field("choices", &choices, theme.text, (columns, 3), theme);
    lines.extend(confidence(view, theme));
    lines.extend(calibration(view, theme));
    for (row, label) in view.past.iter().rev().zip(std::iter::once("before").chain(std::iter::repeat(""))) {
        let verdict = row.verdict.clone().unwrap_or_default();
        lines.extend(field(label, &format!("model {}: {verdict}", row.version), theme.quiet, (columns, 2), theme));
    }
    lines
}

/// How sure decisions were, as bars over the scale from 0 to 100 %.
fn confidence(view: &LearningView, theme: &Theme) -> Vec<Line<'static>> {
    let (all, most) = (view.confidence.iter().sum::<u64>(), view.confidence.iter().copied().max().unwrap_or(0));
    if all == 0 {
        return vec![labelled("sure", "no decision yet".to_owned(), theme.text, theme)];
    }
    let said = format!("decisions by how sure they were; highest bar {} of {}", format::count(most), format::count(all));
    let bars = format!("0 % │{}│ 100 % sure", bars(&view.confidence, BAR));
    vec![labelled("sure", said, theme.text, theme), labelled("", bars, theme.text, theme)]
}

/// What was shown, what was approved, and how far that is apart.
fn calibration(view: &LearningView, theme: &Theme) -> Vec<Line<'static>> {
    let Some(error) = view.calibration_error else {
        return vec![labelled("shown", "no outcome yet".to_owned(), theme.text, theme)];
    };
    let said = format!("off by {error:.4} on average; bar: approved, │: shown");
    let head = format!("{:>7}  {:>8}  {:METER$}  {:>8}", "shown", "approved", "", "outcomes");
    let mut lines = vec![labelled("shown", said, theme.text, theme), labelled("", head, theme.quiet, theme)];
    for row in view.calibration.iter().rev() {
        let (shown, approved) = (format::rate(Some(row.shown)), format::rate(Some(row.approved)));
        let meter = against(row.approved, row.shown, METER);
        let line = format!("{shown:>7}  {approved:>8}  {meter}  {:>8}", format::count(row.outcomes));
        lines.push(labelled("", line, theme.text, theme));
    }
    lines
}
