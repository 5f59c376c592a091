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
    summary(row, "on the pages below", columns, scene)
}

/// The same where nothing pages.
pub(super) fn beside_the_lists(row: &ActionRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    summary(row, "shown when it is opened", columns, scene)
}

fn summary(row: &ActionRow, rest: &str, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let mut lines: Vec<Line<'static>> =
        wrap_most(&row.sentence, columns, 2).into_iter().map(|line| Line::styled(line, theme.focus)).collect();
    lines.extend(changes(&row.before_after, Tense::of(row), rest, columns, scene).0);
    lines.extend(field("touches", &blast(&row.blast), theme.text, (columns, 2), theme));
    let against = row.against.first().map_or("nothing known", String::as_str);
    lines.extend(field("against", against, theme.warning, (columns, 2), theme));
    lines.extend(field("undo", &undo(row), theme.text, (columns, 2), theme));
    lines.push(outcome(row, columns, scene));
    if let Some(until) = row.rests_until {
        let left = format::left_exactly(scene.until(until));
        let rests = format!("not proposed again for {left}; a proposes it now");
        lines.extend(field("rests", &rests, theme.warning, (columns, 2), theme));
    }
    lines
}

/// How a change stands to the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tense {
    /// It may come.
    Planned,
    /// It is made and stands.
    Made,
    /// It was made, and what came after it counts now.
    Past,
    /// It was made and taken back.
    TakenBack,
    /// It was not made, or nobody knows whether it was.
    Unmade,
}

impl Tense {
    /// A change is made once its effect is being verified, or was.
    fn of(row: &ActionRow) -> Self {
        match (row.status, &row.verification) {
            (ActionStatus::Pending, _) | (ActionStatus::InProgress, None) => Self::Planned,
            (ActionStatus::RolledBack, _) => Self::TakenBack,
            (ActionStatus::Rejected | ActionStatus::Expired, _) | (ActionStatus::Failed, None) => Self::Unmade,
            _ if row.undoable => Self::Made,
            _ => Self::Past,
        }
    }

    /// The labels: of both on one line, of what was before, of what it was changed to.
    const fn labels(self) -> [&'static str; 3] {
        match self {
            Self::Planned => ["change", "now", "then"],
            Self::Made => ["changed", "was", "is"],
            Self::Past => ["changed", "was", "became"],
            Self::TakenBack => ["put back", "is again", "was"],
            Self::Unmade => ["not made", "before", "wanted"],
        }
    }
}

/// How to take it back; where nothing is left to take back, that.
fn undo(row: &ActionRow) -> String {
    match Tense::of(row) {
        Tense::Planned | Tense::Made => row.undo.clone(),
        Tense::Past => "nothing can be undone now: the history tells why".to_owned(),
        Tense::TakenBack => "nothing is left to undo".to_owned(),
        Tense::Unmade if row.status == ActionStatus::Failed => "nothing to undo here: the state tells what is known".to_owned(),
        Tense::Unmade => "nothing was changed: nothing to undo".to_owned(),
    }
}

/// What is now and what will be, or was and is: the lines that stand fixed, and those that page.
fn changes(
    pairs: &[(String, String)],
    tense: Tense,
    elsewhere: &str,
    columns: usize,
    scene: &Scene<'_>,
) -> (Vec<Line<'static>>, Vec<Line<'static>>) {
    let theme = scene.theme;
    let mut fixed = Vec::new();
    let mut fitting = 0;
    for pair in pairs {
        let lines = pair_lines(pair, tense, columns, scene);
        let rest = usize::from(fitting + 1 < pairs.len());
        if fixed.len() + lines.len() + rest > CHANGE_LINES && fitting > 0 {
            break;
        }
        fixed.extend(lines);
        fitting += 1;
    }
    let paged: Vec<_> = pairs[fitting..].iter().flat_map(|pair| pair_lines(pair, tense, columns, scene)).collect();
    if fitting < pairs.len() {
        fixed.push(labelled("", format!("and {} more, {elsewhere}", pairs.len() - fitting), theme.quiet, theme));
    }
    (fixed, paged)
}

/// `change    before → after` on one line where it fits, else one line each; what is in force stands out.
fn pair_lines(pair: &(String, String), tense: Tense, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let (before, after) = pair;
    let [both, first, second] = tense.labels();
    let room = columns.saturating_sub(10);
    if width(before) + width(after) + 3 <= room {
        let (from, to) = if tense == Tense::TakenBack { reversed(pair) } else { pair.clone() };
        let mut line = labelled(both, from, theme.text, theme);
        line.push_span(Span::styled(" → ", theme.quiet));
        line.push_span(Span::styled(to, if tense == Tense::Unmade { theme.text } else { theme.good }));
        return vec![line];
    }
    let (was, is) = match tense {
        Tense::TakenBack => (theme.good, theme.text),
        Tense::Unmade => (theme.text, theme.text),
        Tense::Planned | Tense::Made | Tense::Past => (theme.text, theme.good),
    };
    vec![labelled(first, fit(before, room), was, theme), labelled(second, fit(after, room), is, theme)]
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
        return labelled("state", fit(&state(row), room), theme.text, theme);
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

/// What became of it, and who did it: of a roll-back, who asked for it rather than who carried it out.
fn state(row: &ActionRow) -> String {
    let word = row.status.as_str();
    let mut told = row.history.iter().rev();
    let (last, before) = (told.next(), told.next());
    match (row.status, last, before) {
        (_, None, _) => word.to_owned(),
        (ActionStatus::RolledBack, _, Some(asked)) => format!("{word} by {}: {}", asked.who, asked.what),
        (_, Some(last), _) if last.what.starts_with(word) => format!("{} ({})", last.what, last.who),
        (_, Some(last), _) => format!("{word}: {} ({})", last.what, last.who),
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
    lines.extend(changes(&row.before_after, Tense::of(row), "", columns, scene).1);
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
    let of = match seen.metric.as_str() {
        "attempt rate" => "without customers' own declines".to_owned(),
        _ => format!("{} s of samples", seen.window_s),
    };
    let age = format!("judged {}, {of}", format::ago(scene.since(seen.at)));
    lines.push(labelled("", age, theme.quiet, theme));
    lines
}

/// What it is predicted to bring, with its uncertainty and its price.
fn prediction(predicted: &Prediction) -> String {
    let percent = |rate| format::percent(Some(rate));
    let range = predicted
        .rate_after_range
        .map_or_else(String::new, |(low, high)| format!(" (90 % sure of {} to {})", percent(low), percent(high)));
    let (now, after) = (format::percent(predicted.rate_now), format::percent(predicted.rate_after));
    let mut parts = vec![format!("rate of the judged attempts that move {now} → {after}{range}")];
    let (lost, saved): (Vec<Money>, Vec<Money>) = predicted.saved_per_min.iter().partition(|amount| amount.minor < 0);
    if !saved.is_empty() {
        parts.push(format!("approves {}/min more of what moves", format::amounts(&saved)));
    }
    if !lost.is_empty() {
        let lost: Vec<Money> = lost.iter().map(|amount| Money { minor: amount.minor.saturating_neg(), ..*amount }).collect();
        parts.push(format!("approves {}/min less of what moves", format::amounts(&lost)));
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
    let (changed, paged) = changes(&reversed, Tense::Planned, "on the pages below", columns, scene);
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
