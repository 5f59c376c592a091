//! `apos replay --with OTHER.toml` and `--with-rules RULES.json`: the stretch folded twice, as it was and otherwise.

use std::path::Path;
use std::time::Duration;
use std::{fmt, fs};

use anyhow::Context;

use super::ReportForm;
use crate::backtest::whatif::{Amount, Both, Count, Executed, OtherRules, Report, SecondOpinion, Told, WhatIf};
use crate::cli::bar::Bar;
use crate::cli::{Ended, Failure, output};
use crate::config;
use crate::domain::{Money, Settings, Time};
use crate::runtime::past::{Player, Progress};

/// Rows of a list that people are shown; the JSON report has all.
const ROWS: usize = 10;
/// Entries between two looks at the progress.
const LOOK_EVERY: u64 = 4_096;

/// What is other than it was.
pub(super) struct Other<'a> {
    /// A configuration whose keys are laid over the recorded one.
    pub(super) settings: Option<&'a Path>,
    /// Merchants' rules.
    pub(super) rules: Option<&'a Path>,
}

impl Other<'_> {
    pub(super) const fn is_none(&self) -> bool {
        self.settings.is_none() && self.rules.is_none()
    }

    /// The configuration beside the recorded one.
    fn settings(&self, recorded: &Settings) -> Result<Settings, Failure> {
        self.settings.map_or_else(|| Ok(recorded.clone()), |file| Ok(config::beside(recorded, file)?))
    }

    fn rules(&self) -> Result<OtherRules, Failure> {
        let Some(file) = self.rules else { return Ok(OtherRules::default()) };
        let text = fs::read(file).map_err(|error| Failure::usage(format!("{}: cannot be read: {error}", file.display())))?;
        OtherRules::read(&text).map_err(|bad| Failure::usage(format!("{}: {bad}", file.display())))
    }
}

impl fmt::Display for Other<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let and = if self.settings.is_some() && self.rules.is_some() { " and " } else { "" };
        let name = |file: Option<&Path>| file.map(|file| file.display().to_string()).unwrap_or_default();
        write!(f, "{}{and}{}", name(self.settings), name(self.rules))
    }
}

pub(super) fn run(mut player: Player, (from, to): (Time, Time), other: &Other<'_>, form: ReportForm) -> Result<Ended, Failure> {
    // What is wrong with a file is said before anything is folded.
    if let Some(file) = other.settings {
        config::check_file(file)?;
    }
    let rules = other.rules()?;
    // Just before it: what happened at that very time is part of the stretch.
    let before = from - Duration::from_micros(1);
    let mut bar = Bar::new("going to the beginning");
    player.seek(before, &mut |progress| bar.see(progress.percent())).context("the beginning cannot be reached")?;
    drop(bar);
    // A log's first entries say how it is configured: the other fold goes on from there.
    while player.state().settings().is_none() && player.step(to).context("the stretch cannot be folded")?.is_some() {}
    let recorded = player.state().view().settings().clone();
    let settings = other.settings(&recorded)?;
    let unchanged = settings == *recorded && rules == OtherRules::default();
    let begun = WhatIf::begin(player.state(), (settings, rules), from);
    let mut whatif = begun.map_err(|full| Failure::usage(full.to_string()))?;
    let (mut seen, span, mut bar) = (0_u64, player.span(), Bar::new("folding twice"));
    let begun = player.state().position().record;
    while let Some((entry, asked)) = player.step(to).context("the stretch cannot be folded")? {
        whatif.see(&entry, &asked);
        seen += 1;
        if seen.is_multiple_of(LOOK_EVERY) {
            let done = entry.position.record.saturating_sub(begun);
            bar.see(Progress { done, of: span.last.saturating_sub(begun) }.percent());
        }
    }
    drop(bar);
    let report = whatif.report(to);
    if seen == 0 {
        return Err(Failure::usage(format!("there is nothing recorded from {from} to {to}: choose another stretch")));
    }
    if unchanged {
        output::talk(&format!("apos: {other} changes nothing of what was configured then"));
    }
    let text = match form {
        ReportForm::Text => text(&report, other),
        ReportForm::Json => serde_json::to_string_pretty(&report).context("the report has no JSON form")? + "\n",
    };
    output::data(text.as_bytes())?;
    Ok(Ended::Fine)
}

fn text(report: &Report, other: &Other<'_>) -> String {
    let mut text = format!("{} to {}, as it was and with {other}\n", report.from, report.to);
    let mut line = |one: String| text.extend([one.as_str(), "\n"]);
    line(format!("\ndecisions      {} recorded, {} would have gone elsewhere", report.decisions, report.differ));
    for flow in report.flows.iter().take(ROWS) {
        line(format!("  {:>8}  {} → {}", flow.count, flow.from, flow.to));
    }
    counted("by merchant", &report.merchants, &mut line);
    counted("by method", &report.methods, &mut line);
    for one in &report.examples {
        let by =
            |approach| serde_json::to_value(approach).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default();
        line(format!(
            "  e.g. {} {} of {}: {} ({}) → {} ({})",
            one.at,
            one.payment,
            one.merchant,
            one.was,
            by(one.was_by),
            one.other,
            by(one.other_by)
        ));
    }
    success(report, &mut line);
    line(format!("\nincidents      {}", both(incidents(&report.incidents))));
    report.incidents.iter().for_each(|told| line(format!("  {}", incident(told))));
    line(format!("\nactions        proposed {}; executed {}", both(report.proposed()), both(report.executed())));
    listed("was", &report.actions_was, &mut line);
    listed("would be", &report.actions_other, &mut line);
    if report.orders_left_out > 0 {
        line(format!("\n{} orders of operators had nothing to act on and were left out", report.orders_left_out));
    }
    if report.configurations_left_out > 0 {
        line(format!("\n{} configurations activated meanwhile were left out", report.configurations_left_out));
    }
    for warning in &report.warnings {
        line(format!("\nwarning: {warning}"));
    }
    text
}

fn success(report: &Report, line: &mut impl FnMut(String)) {
    let success = &report.success;
    let percent = |share: Option<f64>| share.map_or("not known".to_owned(), |share| format!("{:.2} %", share * 100.0));
    let range =
        success.other_range.map_or(String::new(), |(low, high)| format!(" ({:.2} to {:.2})", low * 100.0, high * 100.0));
    line(format!(
        "\nsuccess        {} of {} attempts; would be {}{range}",
        percent(success.was),
        success.outcomes,
        percent(success.other)
    ));
    for Amount { was, other, other_range: (low, high) } in &report.amounts {
        let bare = |money: &Money| money.grouped().replacen(&format!("{} ", money.currency), "", 1);
        let (was, other) = (was.grouped(), other.grouped());
        line(format!("amount         {was} approved; would be {other} ({} to {})", bare(low), bare(high)));
    }
    if report.turned.attempts > 0 {
        let sign = if report.turned.payments >= 0.0 { "saved" } else { "lost" };
        line(format!("those turned   would have {sign} {}; intervals of 95 %", report.turned.in_full()));
        line(format!("               {}", report.turned.basis));
    }
    if let Some(opinion) = report.second_opinion.filter(SecondOpinion::says_something) {
        line(format!(
            "second opinion {:.2} % ± {:.2} (95 %), doubly robust by the recorded propensities: worth {:.0} attempts",
            opinion.other * 100.0,
            opinion.half_width_95 * 100.0,
            opinion.effective_samples
        ));
    }
}

fn counted(title: &str, rows: &[Count], line: &mut impl FnMut(String)) {
    if rows.is_empty() {
        return;
    }
    let told: Vec<String> = rows.iter().take(ROWS).map(|row| format!("{} {}", row.name, row.count)).collect();
    let more = if rows.len() > ROWS { format!(", and {} more", rows.len() - ROWS) } else { String::new() };
    line(format!("  {title}: {}{more}", told.join(", ")));
}

fn listed(title: &str, rows: &[Executed], line: &mut impl FnMut(String)) {
    for row in rows {
        let made = if row.executed { "executed" } else { "not executed" };
        line(format!("  {title:<9} {} {} ({made}, {})", row.at, row.sentence, row.status.as_str()));
    }
}

fn incidents(rows: &[Told]) -> Both {
    let count = |there: fn(&Told) -> bool| rows.iter().filter(|told| there(told)).count();
    Both { was: count(|told| told.was_at.is_some()), other: count(|told| told.other_at.is_some()) }
}

fn both(Both { was, other }: Both) -> String {
    format!("{was}; would be {other}")
}

fn incident(told: &Told) -> String {
    let of = format!("{} on {}", told.kind, told.slice);
    match (told.was_at, told.other_at, told.later_s) {
        (Some(was), Some(_), Some(later)) if later.abs() < 0.5 => format!("{was} {of}: noticed in both"),
        (Some(was), Some(_), Some(later)) => {
            let side = if later > 0.0 { "later" } else { "earlier" };
            format!("{was} {of}: would be noticed {:.0} s {side}", later.abs())
        }
        (Some(was), ..) => format!("{was} {of}: would not be noticed"),
        (None, Some(other), _) => format!("{other} {of}: was not noticed, would be"),
        (None, None, _) => of,
    }
}
