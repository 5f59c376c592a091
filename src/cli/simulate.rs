//! `apos simulate`: a scenario without a screen, as fast as the machine can, and a report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

use super::demo::within;
use super::{Ended, Failure, Setup, output};
use crate::domain::{Money, Record, Time};
use crate::engine::Snapshot;
use crate::engine::snapshot::{AggregateRow, Statistics};
use crate::log::{Import, LogError};
use crate::runtime::clock::instant;
use crate::sim::scenario::parse_duration;
use crate::sim::{Driver, Scenario, World};
use crate::telemetry;

/// What `apos simulate` takes.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct SimulateArguments {
    /// The scenario: a name (calm, outage, brownout, black-friday, …) or a file
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: String,
    /// The seed; the same one gives the same report
    #[arg(long, value_name = "N")]
    pub seed: u64,
    /// How much simulated time to run, such as 90s, 30m, 24h [default: the scenario's]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub until: Option<Duration>,
    /// The report's form
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub report: ReportForm,
    /// Keep the simulation's log in this folder: apos replay --data-dir FOLDER shows it
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
}

/// The report's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What a simulation came to; the same scenario, seed, duration and version give the same report.
#[derive(Debug, Serialize)]
struct Report {
    scenario: String,
    seed: u64,
    version: &'static str,
    /// Simulated.
    from: String,
    /// Simulated.
    to: String,
    entries: u64,
    routed: u64,
    unrouted: u64,
    /// Payments lost for each thousand against choosing the best account every time.
    lost_per_thousand: Option<f64>,
    statistics: Statistics,
    connectors: Vec<AggregateRow>,
    incidents: Vec<String>,
    actions: Vec<String>,
    /// Hash of the engine's complete state.
    fingerprint: String,
}

pub(super) fn run(arguments: &SimulateArguments, setup: &Setup) -> Result<Ended, Failure> {
    let scenario = Scenario::find(&arguments.scenario).map_err(|error| Failure::Usage(error.into()))?;
    let _logs = setup.start_logs();
    let name = scenario.name.clone();
    let (start, duration) = (scenario.start, arguments.until.unwrap_or(scenario.duration));
    let world = World::new(scenario, arguments.seed);
    let settings = within(&world, setup.config().settings());

    let mut keeper = arguments.keep.as_deref().map(Keeper::begin).transpose()?;
    let began = instant();
    let mut entries = 0;
    let mut count = |record: &Record| {
        entries += record.bodies.len() as u64;
        if let Some(keeper) = &mut keeper {
            keeper.push(record);
        }
    };
    let mut driver = Driver::start(world, settings, &mut count);
    driver.run_until(start + duration, &mut count);
    let took = instant().duration_since(began);
    keeper.map_or(Ok(()), Keeper::finish)?;

    let report = Report::of(name, arguments.seed, start, entries, &driver);
    let text = match arguments.report {
        ReportForm::Text => report.text(),
        ReportForm::Json => serde_json::to_string_pretty(&report).context("the report has no JSON form")? + "\n",
    };
    output::data(text.as_bytes())?;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people: 2^53 entries are out of reach")]
    let rate = entries as f64 / took.as_secs_f64().max(1e-9);
    output::talk(&format!(
        "{entries} entries in {:.2} s: {rate:.0} a second, world and decisions included",
        took.as_secs_f64()
    ));
    if telemetry::errors() > 0 {
        return Err(anyhow::anyhow!("{} errors were logged: the log files say which", telemetry::errors()).into());
    }
    Ok(Ended::Fine)
}

/// Records written to a file together.
const TOGETHER: usize = 1_000;

/// Keeps a simulation's records in a log file.
struct Keeper {
    import: Import,
    runtime: tokio::runtime::Runtime,
    waiting: Vec<Record>,
    /// What went wrong first.
    failed: Result<(), LogError>,
}

impl Keeper {
    fn begin(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let import = runtime.block_on(Import::begin(&folder.join("log.db"))).context("the log cannot be kept")?;
        Ok(Self { import, runtime, waiting: Vec::new(), failed: Ok(()) })
    }

    fn push(&mut self, record: &Record) {
        self.waiting.push(record.clone());
        if self.waiting.len() >= TOGETHER {
            self.write();
        }
    }

    fn write(&mut self) {
        let records = std::mem::take(&mut self.waiting);
        if self.failed.is_ok() {
            self.failed = self.runtime.block_on(self.import.push(&records));
        }
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.write();
        self.failed.context("the log cannot be kept")?;
        self.runtime.block_on(self.import.finish()).context("the log cannot be kept")
    }
}

impl Report {
    fn of(scenario: String, seed: u64, start: Time, entries: u64, driver: &Driver) -> Self {
        let (score, snapshot) = (driver.score(), driver.snapshot());
        let Snapshot { statistics, analytics, incidents, actions, .. } = snapshot;
        Self {
            scenario,
            seed,
            version: env!("CARGO_PKG_VERSION"),
            from: start.to_string(),
            to: driver.now().to_string(),
            entries,
            routed: score.routed,
            unrouted: score.unrouted,
            lost_per_thousand: score.lost_per_thousand(),
            statistics,
            connectors: analytics.connectors,
            incidents: incidents.iter().map(|row| format!("{} {} {}", row.detected_at, row.id, row.sentence)).collect(),
            actions: actions
                .iter()
                .map(|row| format!("{} {} {}: {}", row.proposed_at, row.id, row.status.as_str(), row.sentence))
                .collect(),
            fingerprint: driver.state().fingerprint().to_hex().to_string(),
        }
    }

    fn text(&self) -> String {
        let Self { scenario, seed, from, to, entries, routed, unrouted, .. } = self;
        let mut lines = vec![
            format!("scenario {scenario}, seed {seed}, {from} to {to}, {entries} entries"),
            format!("routed {routed} payments; {unrouted} had nowhere to go"),
            format!("approved {}, failed {}", self.statistics.approved, self.statistics.failed),
        ];
        if let Some(lost) = self.lost_per_thousand {
            lines.push(format!("lost {lost:.2} payments of a thousand against the best choice every time"));
        }
        lines.push(format!(
            "\n{:<14} {:>9} {:>9} {:>9} {:>9}  approved amount",
            "connector", "attempts", "approved", "declined", "technical"
        ));
        lines.extend(self.connectors.iter().map(connector));
        lines.push(titled("incidents", &self.incidents));
        lines.push(titled("actions", &self.actions));
        lines.push(format!("\nfingerprint {}\n", self.fingerprint));
        lines.join("\n")
    }
}

fn connector(row: &AggregateRow) -> String {
    let amounts: Vec<String> = row.amount.iter().map(Money::to_string).collect();
    let AggregateRow { key, attempts, approved, declined, technical, .. } = row;
    format!("{key:<14} {attempts:>9} {approved:>9} {declined:>9} {technical:>9}  {}", amounts.join(", "))
}

fn titled(title: &str, lines: &[String]) -> String {
    let body = if lines.is_empty() { "none".to_owned() } else { lines.join("\n") };
    format!("\n{title}\n{body}")
}
