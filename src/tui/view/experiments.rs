//! Experiments: what each arm came to, against its control.
//!
//! ```text
//! less-exploration  running · ends 3 d
//!   control    50 %  running   91.2 % of 4,120
//!   less       50 %  running   91.9 % of 4,098   +0.7 (-0.6 to +2.0) p 0.412
//! ```

use ratatui::text::{Line, Span};

use super::Scene;
use crate::domain::change::ArmState;
use crate::engine::snapshot::{ArmRow, ExperimentRow};
use crate::tui::format;
use crate::tui::widget::sheet::{Sheet, field, paragraph};
use crate::tui::widget::text::fit;

/// The sheet.
pub(super) fn sheet(columns: usize, scene: &Scene<'_>) -> Sheet {
    let rows = &scene.snapshot.experiments;
    let mut paged = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            paged.push(Line::default());
        }
        paged.extend(experiment(row, columns, scene));
    }
    if rows.is_empty() {
        let text = "No experiment is configured: [experiments.NAME] in the configuration defines one.";
        paged = paragraph(text, scene.theme.quiet, columns);
    }
    Sheet { title: "Experiments".into(), tag: format::plural(rows.len(), "experiment"), paged, ..Sheet::default() }
}

fn experiment(row: &ExperimentRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let ends = row.end.filter(|end| *end > scene.now()).map(|end| format!(" · ends in {}", format::age(scene.until(end))));
    let state = format!("  {}{}", row.state.as_str(), ends.unwrap_or_default());
    let mut lines = vec![Line::from(vec![Span::styled(row.name.clone(), theme.focus), Span::styled(state, theme.quiet)])];
    if let Some(scope) = scope(row) {
        lines.extend(field("scope", &scope, theme.quiet, (columns, 2), theme));
    }
    lines.extend(row.arms.iter().map(|arm| arm_line(arm, columns, scene)));
    if row.mismatched {
        let text = "the arms do not have the payments, or the outcomes, that their shares promise: no winner is believed";
        lines.extend(field("▲ beware", text, theme.warning, (columns, 3), theme));
    }
    lines
}

fn scope(row: &ExperimentRow) -> Option<String> {
    let merchants: Vec<&str> = row.merchants.iter().map(AsRef::as_ref).collect();
    let methods: Vec<&str> = row.methods.iter().map(|method| method.as_str()).collect();
    let parts = [merchants.join(", "), methods.join(", ")];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn arm_line(arm: &ArmRow, columns: usize, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme;
    let style = match arm.state {
        ArmState::Running => theme.text,
        ArmState::Stopped => theme.quiet,
        ArmState::Promoted => theme.good,
    };
    let share = format!("{}", arm.share);
    let rate = format!("{} of {}", format::rate(arm.rate), format::count(arm.answered));
    let begin = format!("  {:<12} {share:>4} % {:<8} {rate:>16} ", fit(&arm.name, 12), arm.state.as_str());
    let verdict = fit(&arm.verdict(), columns.saturating_sub(begin.chars().count()));
    Line::from(vec![Span::styled(begin, style), Span::styled(verdict, style)])
}
