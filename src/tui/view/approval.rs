//! One action: what an approval must show, in the order in which it is needed.
//!
//! ```text
//! Put stripe first for 3 pinned merchants
//! now       adyen:mca_1 > stripe:mca_2
//! then      stripe:mca_2 > adyen:mca_1
//! touches   14 payments/min, EUR 1,204/min, 3 merchants, card; 9 % of all traffic
//! against   stripe's rate for these cards rests on 41 outcomes
//! undo      u puts the old lists back; nothing reverts by itself
//! lapses    in 4:32, and then nothing is done: it never approves itself
//! ──────────────────────────────────────────────────────────────────────────────
//! seen, predicted, confidence, also, why asked, history
//! ```

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Scene;
use crate::domain::{Money, ProfileId};
use crate::engine::snapshot::{ActionRow, ActionStatus, BlastRadius, Evidence, Prediction};
use crate::tui::format;
use crate::tui::widget::sheet::{field, labelled, paragraph, spark_line};
use crate::tui::widget::spark;
use crate::tui::widget::text::{fit, width, wrap_most};

/// Lines of before and after that stand fixed: more would push the rest off a screen of 24 rows.
const CHANGE_LINES: usize = 4;
/// Columns of the evidence's sparkline at most: a column a second.
const SERIES: usize = 60;

/// What never scrolls.
pub(super) fn fixed(row: &ActionRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let mut lines: Vec<Line<'static>> =
        wrap_most(&row.sentence, columns, 2).into_iter().map(|line| Line::styled(line, theme.focus)).collect();
    lines.extend(changes(&row.before_after, columns, scene).0);
    lines.extend(field("touches", &blast(&row.blast), theme.text, (columns, 2), theme));
    let against = row.against.first().map_or("nothing known", String::as_str);
    lines.extend(field("against", against, theme.warning, (columns, 2), theme));
    lines.extend(field("undo", &row.undo, theme.text, (columns, 2), theme));
    lines.push(outcome(row, columns, scene));
    lines
}

/// What is now and what will be: the lines that stand fixed, and those that page.
fn changes(pairs: &[(String, String)], columns: usize, scene: &Scene<'_>) -> (Vec<Line<'static>>, Vec<Line<'static>>) {
    let theme = scene.theme;
    let mut fixed = Vec::new();
    let mut fitting = 0;
    for pair in pairs {
        let lines = pair_lines(pair, columns, scene);
        let rest = usize::from(fitting + 1 < pairs.len());
        if fixed.len() + lines.len() + rest > CHANGE_LINES && fitting > 0 {
            break;
        }
        fixed.extend(lines);
        fitting += 1;
    }
    let paged: Vec<_> = pairs[fitting..].iter().flat_map(|pair| pair_lines(pair, columns, scene)).collect();
    if fitting < pairs.len() {
        fixed.push(labelled("", format!("and {} more, on the pages below", pairs.len() - fitting), theme.quiet, theme));
    }
    (fixed, paged)
}

/// `change    before → after` on one line where it fits, else one line each.
fn pair_lines((before, after): &(String, String), columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let room = columns.saturating_sub(10);
    if width(before) + width(after) + 3 <= room {
        let mut line = labelled("change", before.clone(), theme.text, theme);
        line.push_span(Span::styled(" → ", theme.quiet));
        line.push_span(Span::styled(after.clone(), theme.good));
        return vec![line];
    }
    vec![labelled("now", fit(before, room), theme.text, theme), labelled("then", fit(after, room), theme.good, theme)]
}

/// Whom it touches, in one sentence.
pub(super) fn blast(blast: &BlastRadius) -> String {
    let mut parts = vec![format!("{} payments/min", format::number(blast.payments_per_min))];
    if !blast.amount_per_min.is_empty() {
        parts.push(format!("{}/min", format::amounts(&blast.amount_per_min)));
    }
    if !blast.merchants.is_empty() {
        parts.push(format::plural(blast.merchants.len(), "merchant"));
    }
    if !blast.methods.is_empty() {
        parts.push(blast.methods.iter().map(|m| m.as_str()).collect::<Vec<_>>().join(", "));
    }
    format!("{}; {} of all traffic", parts.join(", "), format::percent(Some(blast.share)))
}

/// What happens when nobody answers; for an action that was answered, what became of it.
fn outcome(row: &ActionRow, columns: usize, scene: &Scene<'_>) -> Line<'static> {
    let theme = scene.theme;
    let room = columns.saturating_sub(10);
    if row.status != ActionStatus::Pending {
        let last = row.history.last().map_or_else(String::new, |last| format!(": {} ({})", last.what, last.who));
        return labelled("state", fit(&format!("{}{last}", row.status.as_str()), room), theme.text, theme);
    }
    let left = format::left_exactly(scene.until(row.expires_at));
    if row.executes_by_itself {
        labelled("acts", fit(&format!("by itself in {left} unless it is rejected"), room), theme.accent, theme)
    } else {
        labelled(
            "lapses",
            fit(&format!("in {left}, and then nothing is done: it never approves itself"), room),
            theme.accent,
            theme,
        )
    }
}

/// What pages.
pub(super) fn paged(row: &ActionRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let text = |label: &str, text: &str| field(label, text, theme.text, (columns, usize::MAX), theme);
    let mut lines = Vec::new();
    if let Some(seen) = &row.evidence {
        lines.extend(evidence(seen, columns, scene));
    }
    lines.extend(text("predicted", &prediction(&row.predicted)));
    lines.extend(text("confident", &format!("{}: {}", format::confidence(row.confidence), row.confidence_basis)));
    lines.extend(text("why asked", &row.why_asked));
    lines.extend(listed("against", row.against.iter().skip(1), columns, theme.text, scene));
    lines.extend(listed("instead", row.alternatives.iter(), columns, theme.text, scene));
    if let Some(verification) = &row.verification {
        lines.extend(text("verified", verification));
    }
    lines.extend(changes(&row.before_after, columns, scene).1);
    if !row.blast.merchants.is_empty() {
        let merchants = row.blast.merchants.iter().map(ProfileId::as_str).collect::<Vec<_>>().join(", ");
        lines.extend(text("merchants", &merchants));
    }
    lines.extend(history(row, columns, scene));
    lines
}

/// The measurement: its series, its figures, its age.
pub(super) fn evidence(seen: &Evidence, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let width = columns.saturating_sub(10).min(SERIES);
    let mut lines = field("seen", &format::evidence(seen), theme.text, (columns, usize::MAX), theme);
    if seen.metric.contains("rate") {
        let floor = super::connectors::floor(Some(seen.baseline));
        lines.push(spark_line(&spark::rates(&seen.series, width, seen.at, floor), theme));
    } else if !seen.series.is_empty() {
        lines.push(labelled("", spark::heights(&seen.series, width, seen.at), theme.text, theme));
    }
    let age = format!("judged {}, {} s of samples", ago(scene.since(seen.at)), seen.window_s);
    lines.push(labelled("", age, theme.quiet, theme));
    lines
}

fn ago(span: std::time::Duration) -> String {
    match format::age(span).as_str() {
        "now" => "just now".into(),
        age => format!("{age} ago"),
    }
}

/// What it is predicted to bring, with its uncertainty and its price.
fn prediction(predicted: &Prediction) -> String {
    let percent = |rate| format::percent(Some(rate));
    let range = predicted
        .rate_after_range
        .map_or_else(String::new, |(low, high)| format!(" (90 % sure of {} to {})", percent(low), percent(high)));
    let (now, after) = (format::percent(predicted.rate_now), format::percent(predicted.rate_after));
    let mut parts = vec![format!("attempt rate {now} → {after}{range}")];
    let (lost, saved): (Vec<Money>, Vec<Money>) = predicted.saved_per_min.iter().partition(|amount| amount.minor < 0);
    if !saved.is_empty() {
        parts.push(format!("saves {}/min", format::amounts(&saved)));
    }
    if !lost.is_empty() {
        let lost: Vec<Money> = lost.iter().map(|amount| Money { minor: amount.minor.saturating_neg(), ..*amount }).collect();
        parts.push(format!("costs {}/min", format::amounts(&lost)));
    }
    if !predicted.fees_per_min.is_empty() {
        parts.push(format!("fees {}/min", format::amounts(&predicted.fees_per_min)));
    }
    if !predicted.target.is_empty() {
        parts.push(predicted.target.clone());
    }
    parts.join("; ")
}

fn listed<'a>(
    label: &str,
    items: impl Iterator<Item = &'a String>,
    columns: usize,
    style: Style,
    scene: &Scene<'_>,
) -> Vec<Line<'static>> {
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    items.zip(labels).flat_map(|(item, label)| field(label, &format!("· {item}"), style, (columns, 3), scene.theme)).collect()
}

fn history(row: &ActionRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (theme, zone) = (scene.theme, &scene.ui.session.zone);
    let labels = std::iter::once("history").chain(std::iter::repeat(""));
    let mut lines = Vec::new();
    for (entry, label) in row.history.iter().zip(labels) {
        let at = format!("{} {}", format::second(entry.at, zone), format::offset(entry.at, zone));
        lines.extend(field(label, &format!("{at}  {}: {}", entry.who, entry.what), theme.quiet, (columns, 2), theme));
    }
    lines
}

/// What taking it back means, for the question: the lines that stand fixed, and those that page.
pub(super) fn undo_question(row: &ActionRow, columns: usize, scene: &Scene<'_>) -> (Vec<Line<'static>>, Vec<Line<'static>>) {
    let theme = scene.theme;
    let mut fixed = paragraph(&format!("Take back: {}", row.sentence), theme.focus, columns);
    fixed.push(Line::styled("what was changed, and is put back:", theme.quiet));
    let reversed: Vec<_> = row.before_after.iter().map(reversed).collect();
    let (changed, paged) = changes(&reversed, columns, scene);
    fixed.extend(changed);
    fixed.extend(field("touches", &blast(&row.blast), theme.text, (columns, 2), theme));
    fixed.extend(field("undo", &row.undo, theme.text, (columns, 6), theme));
    (fixed, paged)
}

/// A pair of before and after the other way round; who it is about, `name: `, stays in front.
fn reversed((before, after): &(String, String)) -> (String, String) {
    match before.rsplit_once(": ") {
        Some((subject, before)) => (format!("{subject}: {after}"), before.to_owned()),
        None => (after.clone(), before.clone()),
    }
}
