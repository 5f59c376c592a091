//! An incident's report in Markdown.

use super::gather::Incident;
use crate::domain::Money;
use crate::engine::snapshot::{ActionRow, ActionStatus, Evidence, IncidentRow, Prediction, Severity};
use crate::tui::format::chance;

pub(super) fn of(report: &Incident) -> String {
    let Incident { incident, .. } = report;
    let mut text = String::new();
    let mut line = |one: String| text.extend([one.as_str(), "\n"]);
    line(format!("# Incident {}: {}\n", incident.id, plain(&incident.sentence)));
    summary(report, &mut line);
    line("\n## Evidence\n".to_owned());
    evidence(&incident.evidence, &mut line);
    line("\n## Timeline\n\n| when | who | what |\n|---|---|---|".to_owned());
    for row in &report.timeline {
        line(format!("| {} | {} | {} |", row.at, cell(&row.who), cell(&row.what)));
    }
    line("\n## Actions\n".to_owned());
    if report.actions.is_empty() {
        line("None was proposed against it.".to_owned());
    }
    for row in &report.actions {
        action(row, report, &mut line);
    }
    again(report, &mut line);
    text
}

fn summary(report: &Incident, line: &mut impl FnMut(String)) {
    let IncidentRow { kind, slice, severity, detected_at, resolved_at, at_worst, .. } = &report.incident;
    line("| | |\n|---|---|".to_owned());
    line(format!("| what | {} on {}, {} |", kind.as_str(), cell(slice), severe(*severity)));
    line(format!("| noticed | {detected_at} |"));
    match resolved_at {
        Some(over) => line(format!("| over | {over}, after {} |", span(over.since(*detected_at).as_secs()))),
        None => line(format!("| over | not yet, by {} |", report.to)),
    }
    line(format!("| cost at its worst | {} a minute |", amounts(at_worst)));
    let cost = amounts(&report.cost);
    let measure =
        "what was at risk a minute (expected less observed approvals × mean ticket), summed over every second it was open";
    match report.known_from {
        None => line(format!("| cost in all | about {cost}: {measure} |")),
        Some(begins) => line(format!(
            "| cost from {begins} on | about {cost}: {measure} from there on. The record begins {} after it was noticed: what it \
             cost before is not known here, the cost in all is higher |",
            span(begins.since(*detected_at).as_secs())
        )),
    }
}

fn evidence(seen: &Evidence, line: &mut impl FnMut(String)) {
    line(format!(
        "{}: {} observed, {} expected, of {} samples in {} s; by chance {}; judged {}.",
        seen.metric,
        measure(&seen.metric, seen.observed),
        measure(&seen.metric, seen.baseline),
        seen.samples,
        seen.window_s,
        chance(seen.probability),
        seen.at
    ));
    let series: Vec<String> =
        seen.series.iter().map(|value| value.map_or("–".to_owned(), |value| measure(&seen.metric, f64::from(value)))).collect();
    if !series.is_empty() {
        line(format!("\nSecond by second: {}", series.join(" ")));
    }
}

fn action(row: &ActionRow, report: &Incident, line: &mut impl FnMut(String)) {
    line(format!("### {}: {}\n", row.id, plain(&row.sentence)));
    line(format!("- state: {}", row.status.as_str()));
    for (before, after) in &row.before_after {
        line(format!("- change: {before} → {after}"));
    }
    line(format!(
        "- touched: {:.0} payments a minute, {:.0} % of all traffic",
        row.blast.payments_per_min,
        row.blast.share * 100.0
    ));
    line(format!("- predicted: {}", predicted(&row.predicted)));
    line(format!("- confidence: {:.0} %, {}", row.confidence * 100.0, row.confidence_basis));
    row.against.iter().for_each(|one| line(format!("- against it: {one}")));
    row.verification.iter().for_each(|one| line(format!("- verification: {one}")));
    row.recovery_time_ms.iter().for_each(|ms| line(format!("- recovered {} after it was noticed", span(ms / 1_000))));
    let answered = row.history.iter().filter(|entry| entry.who != "apos");
    for entry in answered {
        line(format!("- {} by {} at {}", entry.what, entry.who, entry.at));
    }
    let hindsight = report.hindsights.iter().rfind(|hindsight| hindsight.action == row.id);
    let executed = !matches!(row.status, ActionStatus::Pending | ActionStatus::Rejected | ActionStatus::Expired);
    if let Some(hindsight) = hindsight.filter(|_| !executed) {
        let estimate = &hindsight.estimate;
        let verb = if estimate.payments >= 0.0 { "saved" } else { "harmed" };
        line(format!("- had it been approved when it was proposed, it would have {verb} {}", estimate.worth()));
        line(format!("  - from {}", estimate.basis));
        estimate.warning.iter().for_each(|warning| line(format!("  - beware: {warning}")));
    }
    line(String::new());
}

/// How to look at it again.
fn again(report: &Incident, line: &mut impl FnMut(String)) {
    line("\n## Look at it again\n\n```sh".to_owned());
    line(format!("apos replay --from {} --to {}", report.from, report.to));
    if let Some(file) = &report.export {
        line(format!("apos replay --file {file}      # the same stretch, anywhere"));
    }
    line("```".to_owned());
}

fn predicted(predicted: &Prediction) -> String {
    let percent = |rate: Option<f64>| rate.map_or("not known".to_owned(), |rate| format!("{:.0} %", rate * 100.0));
    let range = predicted
        .rate_after_range
        .map_or_else(String::new, |(low, high)| format!(" (90 % sure of {:.0} to {:.0})", low * 100.0, high * 100.0));
    let saved = if predicted.saved_per_min.is_empty() {
        String::new()
    } else {
        format!(", {} a minute", amounts(&predicted.saved_per_min))
    };
    format!(
        "attempt rate {} → {}{range}{saved}; {}",
        percent(predicted.rate_now),
        percent(predicted.rate_after),
        predicted.target
    )
}

fn measure(metric: &str, value: f64) -> String {
    if metric.contains("rate") { format!("{:.0} %", value * 100.0) } else { format!("{value:.0}") }
}

fn amounts(list: &[Money]) -> String {
    if list.is_empty() {
        return "nothing".to_owned();
    }
    list.iter().map(|money| money.grouped()).collect::<Vec<_>>().join(" + ")
}

const fn severe(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "worth knowing",
        Severity::Warning => "a warning",
        Severity::Critical => "critical",
    }
}

fn span(seconds: u64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

/// One line, without what Markdown would take for its own.
fn plain(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// The same, within a table.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|")
}
