//! The report for people: one run in full, or a table of many.

use crate::engine::snapshot::ModelRow;
use crate::sim::driver::split::Split;
use crate::sim::trial::{Acted, Held, Noticed, Report, Verdict};

/// All reports: one in full, several as a table with what did not hold below it.
pub(super) fn of(reports: &[Report]) -> String {
    match reports {
        [one] => full(one),
        many => table(many),
    }
}

/// What a run did not achieve, one line each.
pub(super) fn failures(report: &Report) -> Vec<String> {
    let failed = report.expectations.iter().filter(|held| held.verdict == Verdict::Failed);
    failed.map(|held| format!("{} seed {}: {}; seen: {}", report.scenario, report.seed, held.expectation, held.seen)).collect()
}

fn full(report: &Report) -> String {
    let Report { scenario, seed, autonomy, from, to, entries, payments, succeeded, unrouted, .. } = report;
    let mut lines = vec![
        format!("scenario {scenario}, seed {seed}, {from} to {to}, decided by {autonomy}, {entries} entries"),
        format!(
            "{payments} payments, {succeeded} succeeded: {}; {unrouted} attempts had nowhere to go",
            rate(report.success_rate)
        ),
        String::new(),
        format!("  {:<44} {}", "under fixed priority, same luck", rate(report.priority_success_rate)),
        format!("  {:<44} {}", "with the bandit alone", rate(report.bandit_success_rate)),
        format!("  {:<44} {}", "with the best account every time", rate(report.oracle_success_rate)),
        format!("  {:<44} {}", "lost of a thousand attempts, against the best", number(report.regret_per_1000, 2)),
        format!("  {:<44} {}", "saved against fixed priority", saved(report)),
    ];
    lines.push(titled("incidents", report.incidents.iter().map(incident)));
    if !report.missed.is_empty() {
        let missed: Vec<String> = report.missed.iter().map(ToString::to_string).collect();
        lines.push(format!("not noticed: fault {}", missed.join(", fault ")));
    }
    lines.push(titled("actions", report.actions.iter().map(action)));
    if !report.expectations.is_empty() {
        lines.push(titled("expectations", report.expectations.iter().map(expectation)));
    }
    if !report.models.is_empty() {
        lines.push(titled("models", report.models.iter().map(model)));
    }
    let fingerprint = report.fingerprint.as_deref().unwrap_or("none: no engine ran");
    lines.push(format!(
        "\nfingerprint {fingerprint}\ntook {:.2} s{}\n",
        report.wall_s,
        report.split.map(split).unwrap_or_default()
    ));
    lines.join("\n")
}

/// What was saved, of how much; a share of next to nothing would be chance.
fn saved(report: &Report) -> String {
    let (Some(savable), Some(at_fault)) = (report.savable, report.savable_at_fault) else {
        return "not judged: no engine detects anything".to_owned();
    };
    let share = |share: Option<f64>| share.map_or("too little to tell".to_owned(), |share| rate(Some(share)));
    format!(
        "{} of {savable:.0} savable from detection on, {} of {at_fault:.0} from the faults' start",
        share(report.saved_share),
        share(report.saved_share_at_fault)
    )
}

fn model(row: &ModelRow) -> String {
    let verdict = row.verdict.as_deref().unwrap_or("so far");
    format!(
        "model {}, {}: Brier {} with it, {} without, {} outcomes, believed to {:.2}; tested at {:.5}, {:.5} without; {verdict}",
        row.version,
        row.status.as_str(),
        number(row.brier, 5),
        number(row.brier_without, 5),
        row.outcomes,
        row.weight,
        row.metrics.brier,
        row.metrics.brier_without
    )
}

fn table(reports: &[Report]) -> String {
    let mut lines = vec![format!(
        "{:<26} {:>6} {:<8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>9} {:>6} {:>5}  {}",
        "scenario",
        "seed",
        "policy",
        "success",
        "priority",
        "bandit",
        "best",
        "lost/k",
        "saved",
        "incidents",
        "missed",
        "false",
        "expected"
    )];
    lines.extend(reports.iter().map(row));
    let judged = reports.iter().filter(|report| report.is_judged()).count();
    let met = reports.iter().filter(|report| report.is_judged() && report.is_met()).count();
    let nothing = match reports.len() - judged {
        0 => String::new(),
        1 => "; 1 has nothing to judge yet".to_owned(),
        many => format!("; {many} have nothing to judge yet"),
    };
    let all = reports.iter().flat_map(|report| &report.expectations);
    let waiting = match all.filter(|held| held.verdict == Verdict::NotYet).count() {
        0 => String::new(),
        1 => "; 1 expectation not yet".to_owned(),
        many => format!("; {many} expectations not yet"),
    };
    lines.push(format!("\n{met} of {judged} runs as they expect{nothing}{waiting}"));
    lines.join("\n") + "\n"
}

fn row(report: &Report) -> String {
    let policy = format!("{:?}", report.policy).to_lowercase();
    format!(
        "{:<26} {:>6} {policy:<8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>9} {:>6} {:>5}  {}",
        report.scenario,
        report.seed,
        rate(report.success_rate),
        rate(report.priority_success_rate),
        rate(report.bandit_success_rate),
        rate(report.oracle_success_rate),
        number(report.regret_per_1000, 2),
        rate(report.saved_share),
        report.incidents.len(),
        report.missed.len(),
        report.false_incidents,
        verdicts(&report.expectations)
    )
}

/// `3 met, 1 not yet`.
fn verdicts(expectations: &[Held]) -> String {
    let count = |verdict| expectations.iter().filter(|held| held.verdict == verdict).count();
    let words =
        [(Verdict::Failed, "failed"), (Verdict::Met, "met"), (Verdict::NotYet, "not yet"), (Verdict::NotJudged, "not judged")];
    let said: Vec<String> =
        words.into_iter().filter(|(verdict, _)| count(*verdict) > 0).map(|(v, word)| format!("{} {word}", count(v))).collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}

fn incident(row: &Noticed) -> String {
    let cause = match (row.fault, row.detected_after_s) {
        (Some(fault), Some(after)) if row.correct_slice => {
            format!("fault {fault}, {after:.1} s after its start, its very slice")
        }
        (Some(fault), Some(after)) => format!("fault {fault}, {after:.1} s after its start"),
        _ => "FALSE: no fault explains it".to_owned(),
    };
    format!("  {:<16} {:<28} {cause}\n    {}", row.kind, row.slice, row.sentence)
}

fn action(row: &Acted) -> String {
    let worse = match row.made_worse {
        Some(true) => ", MADE IT WORSE",
        Some(false) => ", no worse than without it",
        None => "",
    };
    format!("  {}  {:<12} {}{worse}", row.at, row.outcome.as_str(), row.target)
}

fn expectation(held: &Held) -> String {
    let word = match held.verdict {
        Verdict::Met => "met",
        Verdict::Failed => "FAILED",
        Verdict::NotYet => "not yet",
        Verdict::NotJudged => "not judged",
    };
    format!("  {word:<10} {}; seen: {}", held.expectation, held.seen)
}

/// Where the run's own time went; the runs it is compared with went beside it.
fn split(split: Split) -> String {
    let Split { world, decide, score, apply, ticks } = split;
    let own = world + decide + score + apply + ticks;
    let parts = [("world", world), ("decide", decide), ("score", score), ("apply", apply), ("ticks", ticks)];
    let said: Vec<String> = parts.iter().map(|(name, part)| format!("{name} {:.2}", part.as_secs_f64())).collect();
    format!(", the run itself {:.2}: {}", own.as_secs_f64(), said.join(", "))
}

fn titled(title: &str, lines: impl Iterator<Item = String>) -> String {
    let body: Vec<String> = lines.collect();
    format!("\n{title}\n{}", if body.is_empty() { "  none".to_owned() } else { body.join("\n") })
}

fn rate(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.2} %", 100.0 * share))
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
}
