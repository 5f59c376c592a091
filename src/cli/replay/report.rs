//! A replay without a screen: the stretch folded as fast as the machine can, and a report.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::ReportForm;
use crate::cli::{Ended, Failure, output};
use crate::domain::numbers::as_f64;
use crate::domain::{Money, Time, wording};
use crate::engine::Snapshot;
use crate::engine::snapshot::{AggregateRow, Statistics};
use crate::runtime::clock::instant;
use crate::runtime::past::{News, PastError, Player, Progress};

/// What a replay came to; the same records and version give the same report.
#[derive(Debug, Serialize)]
struct Report {
    source: String,
    version: &'static str,
    from: String,
    to: String,
    records: u64,
    entries: u64,
    /// What ended it early: a record that cannot be read or folded.
    ended_early: Option<String>,
    /// Running totals since the log began.
    statistics: Statistics,
    connectors: Vec<AggregateRow>,
    /// Open within the stretch: noticed before it and not over then, or noticed or over within it.
    incidents: Vec<String>,
    /// Proposed or changed within the stretch.
    actions: Vec<String>,
    /// Hash of the engine's complete state at the end.
    fingerprint: String,
}

pub(super) fn run(mut player: Player, (from, to): (Time, Time), source: &str, form: ReportForm) -> Result<Ended, Failure> {
    // Just before it: what happened at that very time is part of the stretch.
    let just_before = from - Duration::from_micros(1);
    player.seek(just_before, &mut said("going to the beginning")).context("the beginning cannot be reached")?;
    let mut before = player.snapshot().incidents;
    before.retain(|row| row.resolved_at.is_none());
    player.listen();
    let (began, first, folded) = (instant(), player.state().position().record, player.folded());
    let ended = player.run_until(to, &mut said("replaying"));
    let took = instant().duration_since(began);
    let ended_early = match ended {
        Ok(_) => None,
        Err(error @ (PastError::Log(_) | PastError::Poison { .. })) => {
            Some(format!("after record {}: {}", player.state().position().record, wording::chain(&error)))
        }
        Err(error) => return Err(anyhow::Error::from(error).into()),
    };
    let entries = player.folded() - folded;
    let mut news = player.heard();
    for row in before {
        news.incidents.entry(row.id).or_insert(row);
    }
    let totals = Totals { records: player.state().position().record.saturating_sub(first), entries, ended_early };
    let report = Report::of(&player, source, (from, to), &news, totals);
    let text = match form {
        ReportForm::Text => report.text(),
        ReportForm::Json => serde_json::to_string_pretty(&report).context("the report has no JSON form")? + "\n",
    };
    output::data(text.as_bytes())?;
    let rate = as_f64(entries) / took.as_secs_f64().max(1e-9);
    output::talk(&format!("{entries} entries in {:.2} s: {rate:.0} a second", took.as_secs_f64()));
    match report.ended_early {
        None => Ok(Ended::Fine),
        Some(reason) => Err(anyhow::anyhow!("the replay ended early {reason}").into()),
    }
}

/// Says the progress at standard error, once every ten per cent.
fn said(what: &'static str) -> impl FnMut(Progress) -> bool {
    let mut tenth = 0;
    move |progress| {
        if progress.percent() / 10 > tenth {
            tenth = progress.percent() / 10;
            output::talk(&format!("apos: {what}: {tenth}0 %"));
        }
        true
    }
}

/// What was folded, and whether all of it was.
struct Totals {
    records: u64,
    entries: u64,
    ended_early: Option<String>,
}

impl Report {
    fn of(player: &Player, source: &str, (from, to): (Time, Time), news: &News, totals: Totals) -> Self {
        let Totals { records, entries, ended_early } = totals;
        let incidents = news.incidents.values();
        let actions = news.actions.values();
        let (incidents, actions) = (
            incidents.map(|row| format!("{} {} {}", row.detected_at, row.id, row.sentence)).collect(),
            actions.map(|row| format!("{} {} {}: {}", row.proposed_at, row.id, row.status.as_str(), row.sentence)).collect(),
        );
        let Snapshot { statistics, analytics, .. } = player.snapshot();
        Self {
            source: source.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            from: from.to_string(),
            to: if ended_early.is_some() { player.state().at() } else { to }.to_string(),
            records,
            entries,
            ended_early,
            statistics,
            connectors: analytics.connectors,
            incidents,
            actions,
            fingerprint: player.state().fingerprint().to_hex().to_string(),
        }
    }

    fn text(&self) -> String {
        let Self { source, from, to, records, entries, statistics, .. } = self;
        let mut lines = vec![
            format!("{source}, {from} to {to}: {records} records, {entries} entries"),
            format!("since the log began: approved {}, failed {}", statistics.approved, statistics.failed),
        ];
        lines.extend(self.ended_early.iter().map(|reason| format!("ended early {reason}")));
        lines.push(format!(
            "\nconnectors since the start of the log's day\n{:<14} {:>9} {:>9}  amount",
            "", "attempts", "approved"
        ));
        lines.extend(self.connectors.iter().map(|row| {
            let amounts: Vec<String> = row.amount.iter().map(Money::to_string).collect();
            format!("{:<14} {:>9} {:>9}  {}", row.key, row.attempts, row.approved, amounts.join(", "))
        }));
        for (title, told) in [("incidents", &self.incidents), ("actions", &self.actions)] {
            let body = if told.is_empty() { "none".to_owned() } else { told.join("\n") };
            lines.push(format!("\n{title}\n{body}"));
        }
        lines.push(format!("\nfingerprint {}\n", self.fingerprint));
        lines.join("\n")
    }
}
