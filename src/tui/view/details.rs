//! What the cursor is on, beside the lists, where there is room; else the most urgent thing there is.
//!
//! ```text
//! ── Proposal act-118.0 ──────────────────────────────── Enter opens it ──
//! the lines of the approval, its evidence, its alternatives
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::connectors::{account_state, floor, health};
use super::{Scene, approval};
use crate::domain::settings::Window;
use crate::engine::snapshot::{ActionRow, ActionStatus, AggregateRow, Analytics, ConnectorRow, IncidentRow};
use crate::tui::format;
use crate::tui::ui::{Mode, Panel};
use crate::tui::widget::panel::{Title, titled};
use crate::tui::widget::sheet::{field, labelled, paragraph, spark_line};
use crate::tui::widget::spark;
use crate::tui::widget::text::{put, put_lines};

/// What the details are about.
enum Subject<'a> {
    Action(&'a ActionRow),
    Incident(&'a IncidentRow),
}

pub(super) fn draw(frame: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let columns = usize::from(area.width).saturating_sub(3);
    let (name, hint, lines) = match subject(scene) {
        None => ("Details", String::new(), Vec::new()),
        Some(Subject::Action(row)) => {
            let mut lines = approval_lines(row, columns, scene);
            lines.insert(0, Line::default());
            ("Action", row.id.to_string(), lines)
        }
        Some(Subject::Incident(row)) => {
            let mut lines = incident(row, columns, scene);
            lines.insert(0, Line::default());
            ("Incident", row.id.to_string(), lines)
        }
    };
    let inside = titled(frame, area, &Title { name, hint: &hint, ..Title::default() }, scene.theme);
    let inside = Rect { x: inside.x + 2, width: inside.width.saturating_sub(2), ..inside };
    if lines.is_empty() {
        put(frame, inside, inside.x, inside.y, ("no incident, no repair proposed", scene.theme.quiet));
    }
    put_lines(frame, inside, &lines[usize::from(!lines.is_empty() && inside.height < 12)..]);
}

/// Whether there is an incident or an action to tell of.
pub(super) fn any(scene: &Scene<'_>) -> bool {
    subject(scene).is_some()
}

fn approval_lines(row: &ActionRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let mut lines = approval::beside_the_lists(row, columns, scene);
    if row.status == ActionStatus::Pending {
        // Here the countdown is coarse: seconds tick only while the approval itself is open.
        lines.pop();
        let verb = if row.executes_by_itself { "acts by itself in" } else { "lapses in" };
        let decide = if matches!(scene.ui.session.mode, Mode::Past { .. }) { "" } else { "; open it with Enter to decide" };
        let left = format!("{verb} {}{decide}", format::left(scene.until(row.expires_at)));
        lines.push(labelled("until", left, scene.theme.accent, scene.theme));
    }
    lines.push(Line::default());
    lines.extend(approval::paged(row, columns, scene));
    lines
}

fn subject<'a>(scene: &Scene<'a>) -> Option<Subject<'a>> {
    let Scene { snapshot, ui, .. } = *scene;
    let action = |id| snapshot.actions.iter().find(|row| row.id == id).map(Subject::Action);
    let incident = |id| snapshot.incidents.iter().find(|row| row.id == id).map(Subject::Incident);
    let chosen = match ui.focus {
        Panel::Actions => ui.actions.cursor().and_then(|id| action(*id)),
        Panel::Incidents => ui.incidents.cursor().and_then(|id| incident(*id)),
        _ => None,
    };
    chosen
        .or_else(|| snapshot.actions.iter().find(|row| row.status == ActionStatus::Pending).map(Subject::Action))
        .or_else(|| snapshot.incidents.iter().find(|row| row.resolved_at.is_none()).map(Subject::Incident))
}

/// An incident, in lines.
pub(super) fn incident(row: &IncidentRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (theme, zone) = (scene.theme, &scene.ui.session.zone);
    let mut lines = paragraph(&row.sentence, theme.focus, columns);
    let (word, style) = super::incidents::severity(row, theme);
    lines.push(labelled("severity", word.to_owned(), style, theme));
    lines.push(labelled("about", row.slice.clone(), theme.text, theme));
    lines.push(labelled("kind", row.kind.in_words().to_owned(), theme.text, theme));
    let risk =
        if row.at_risk.is_empty() { "no money counted".to_owned() } else { format!("{}/min", format::amounts(&row.at_risk)) };
    lines.push(labelled("at risk", risk, theme.text, theme));
    if row.at_worst != row.at_risk && !row.at_worst.is_empty() {
        lines.push(labelled("at worst", format!("{}/min", format::amounts(&row.at_worst)), theme.text, theme));
    }
    let at = |time| format!("{} {}", format::second(time, zone), format::offset(time, zone));
    let since = format!("{}, {}", at(row.detected_at), format::ago(scene.since(row.detected_at)));
    lines.push(labelled("noticed", since, theme.text, theme));
    if let Some(time) = row.resolved_at {
        lines.push(labelled("resolved", at(time), theme.good, theme));
    }
    lines.extend(approval::evidence(&row.evidence, columns, scene));
    let labels = std::iter::once("repairs").chain(std::iter::repeat(""));
    for (id, label) in row.actions.iter().zip(labels) {
        let action = scene.snapshot.actions.iter().find(|action| action.id == *id);
        let text = action.map_or_else(|| id.to_string(), |a| format!("{id} {}: {}", a.status.as_str(), a.sentence));
        lines.extend(field(label, &text, theme.text, (columns, 2), theme));
    }
    lines
}

/// A connector, in lines: its last minute, its accounts, its day.
pub(super) fn connector(row: &ConnectorRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let (word, style) = health(row.health, theme);
    let at = scene.snapshot.at;
    let width = columns.saturating_sub(10).min(60);
    let mut lines = vec![
        labelled("health", word.to_owned(), style, theme),
        labelled("rate", rate_line(row), theme.text, theme),
        spark_line(&spark::rates(&row.rate_spark, width, at, floor(row.baseline_rate)), theme),
        labelled(
            "attempts",
            format!(
                "{} in the last minute, {} of all traffic, {} in flight",
                format::count(row.attempts),
                format::percent(Some(row.share)),
                row.pending
            ),
            theme.text,
            theme,
        ),
        labelled("", spark::volumes(&row.volume_spark, width, at), theme.quiet, theme),
        labelled("latency", format!("{}, mean of the last minute", format::latency(row.latency_ms)), theme.text, theme),
    ];
    for window in &row.maintenance {
        lines.extend(field("planned", &planned(window, scene), theme.warning, (columns, 2), theme));
    }
    if let Some(day) = scene.snapshot.analytics.connectors.iter().find(|day| day.key == row.name.as_str()) {
        lines.extend(field("today", &day_line(day), theme.text, (columns, 2), theme));
    }
    let unknown: Vec<String> = unknown_codes(row.name.as_str(), &scene.snapshot.analytics).collect();
    if !unknown.is_empty() {
        let line = format!("no class is known for {}", unknown.join(", "));
        lines.extend(field("codes", &line, theme.text, (columns, 2), theme));
    }
    lines
}

/// `maintenance 2026-08-13 20:00 to 2026-08-13 22:00 +00:00, mca_1`
fn planned(window: &Window, scene: &Scene<'_>) -> String {
    let zone = &scene.ui.session.zone;
    let at = |time| format!("{} {}", format::date(time, zone), format::minute(time, zone));
    let of = if window.accounts.is_empty() { "all accounts".to_owned() } else { window.accounts.join(", ") };
    format!("maintenance {} to {} {}, {of}", at(window.start), at(window.end), format::offset(window.end, zone))
}

/// The decline codes of a connector that no table knows, with how often each was seen today.
fn unknown_codes<'a>(connector: &'a str, analytics: &'a Analytics) -> impl Iterator<Item = String> + 'a {
    let rows = analytics.unknown_codes.iter().filter(move |row| row.connector == connector);
    rows.map(|row| format!("{} ({}×)", row.code, format::count(row.attempts)))
}

fn rate_line(row: &ConnectorRow) -> String {
    format!("{}, expected {}", format::rate(row.attempt_rate), format::rate(row.baseline_rate))
}

fn day_line(day: &AggregateRow) -> String {
    format!(
        "{} attempts: {} approved, {} declined, {} technical; {} approved",
        format::count(day.attempts),
        format::count(day.approved),
        format::count(day.declined),
        format::count(day.technical),
        format::amounts(&day.amount),
    )
}

/// A connector's accounts, in lines.
pub(super) fn accounts(row: &ConnectorRow, columns: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let mut lines = vec![Line::styled("accounts", theme.quiet)];
    for account in &row.accounts {
        let (state, style) = account_state(account, scene);
        let seen = format!("{} approved of {} today", format::count(account.approved), format::count(account.attempts));
        lines.push(Line::styled(format!("· {}  {seen}", account.account), theme.text));
        lines.extend(field("", &state, style, (columns, 2), theme));
    }
    lines
}
