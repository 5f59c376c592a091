//! `apos simulate`: scenarios without a screen, as fast as the machine can, each scored against what else could have
//! been done; the exit code tells whether what a scenario expects of the engine held.

mod keep;
mod matrix;
mod text;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;

use super::demo::within;
use super::{Ended, Failure, Setup, output, wiring};
use crate::engine::learn::Train;
use crate::runtime::clock::instant;
use crate::sim::Deciding;
use crate::sim::scenario::parse_duration;
use crate::sim::trial::Report;
use crate::sim::{Policy, Scenario, Trial};
use crate::telemetry;

/// The word for every embedded scenario.
const ALL: &str = "all";

/// Most runs of one matrix: a day of machine time.
const RUNS_MAX: usize = 100_000;

/// What `apos simulate` takes.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct SimulateArguments {
    /// The scenarios: names (calm, outage, brownout, …), files, or `all`
    #[arg(long, value_name = "NAME|FILE", required = true, value_delimiter = ',')]
    pub scenario: Vec<String>,
    /// The seeds: 7, 1..20 or 1,5,9; the same one gives the same report [default: each scenario's]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub seed: Vec<Seeds>,
    /// Who routes
    #[arg(long, value_name = "POLICY", value_delimiter = ',', default_value = "healing")]
    pub policy: Vec<PolicyName>,
    /// Who decides on what is proposed: observe, suggest, approve:60s (an operator who answers after a minute),
    /// veto:30s, auto
    #[arg(long, value_name = "LEVEL", default_value_t = Deciding::default())]
    pub autonomy: Deciding,
    /// How much simulated time to run, such as 90s, 30m, 24h [default: the scenario's]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub until: Option<Duration>,
    /// The run alone: not played again under the other policies and without each action
    #[arg(long)]
    pub alone: bool,
    /// Train models, by the configuration's section `learning` even where that is off, each at once when it is due; without
    /// this none is
    #[arg(long)]
    pub model: bool,
    /// The report's form; json is one object a line and run, written as soon as those before it are. In it
    /// `expected_success_rate` is of attempts, luck apart: it disregards that customers abandon some and try others again, so
    /// compare it with that of other runs, not with `success_rate`
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub report: ReportForm,
    /// Keep the log of a single run in this folder: apos replay --data-dir FOLDER shows it
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

/// A policy's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyName {
    /// Each merchant's fixed list, whatever happens.
    Priority,
    /// The bandit alone.
    Bandit,
    /// The bandit, and healing as the autonomy lets it.
    Healing,
    /// Somebody who knows every probability.
    Oracle,
}

impl From<PolicyName> for Policy {
    fn from(name: PolicyName) -> Self {
        match name {
            PolicyName::Priority => Self::Priority,
            PolicyName::Bandit => Self::Bandit,
            PolicyName::Healing => Self::Healing,
            PolicyName::Oracle => Self::Oracle,
        }
    }
}

/// A seed, or a range of them with both its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    first: u64,
    last: u64,
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let number = |digits: &str| digits.parse().map_err(|_| format!("`{text}` is not a seed: write 7, 1..20 or 1,5,9"));
        let seeds = Self { first: number(first)?, last: number(last)? };
        if seeds.last < seeds.first || seeds.last - seeds.first >= RUNS_MAX as u64 {
            return Err(format!("`{text}`: a range runs upwards, over {RUNS_MAX} seeds at most"));
        }
        Ok(seeds)
    }
}

pub(super) fn run(arguments: &SimulateArguments, setup: &Setup) -> Result<Ended, Failure> {
    let trials = trials(arguments)?;
    let _logs = setup.start_logs();
    let config = setup.config().settings();
    let keeper = arguments.keep.as_deref().map(keep::Keeper::begin).transpose()?.map(Mutex::new);
    let mut see = |report: &Report| if arguments.report == ReportForm::Json { tell(report) } else { Ok(()) };
    let reports = matrix::play(&trials, keeper.as_ref(), &|world| within(world, config.clone()), &mut see)?;
    if let Some(keeper) = keeper {
        keeper.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?;
    }
    if arguments.report == ReportForm::Text {
        output::data(text::of(&reports).as_bytes())?;
    }
    if telemetry::errors() > 0 {
        return Err(anyhow::anyhow!("{} errors were logged: the log files say which", telemetry::errors()).into());
    }
    let failed: Vec<String> = reports.iter().flat_map(text::failures).collect();
    if failed.is_empty() {
        return Ok(Ended::Fine);
    }
    Err(anyhow::anyhow!("not as the scenarios expect:\n  {}", failed.join("\n  ")).into())
}

/// Writes a run's line.
fn tell(report: &Report) -> anyhow::Result<()> {
    let line = serde_json::to_string(report).context("the report has no JSON form")? + "\n";
    output::data(line.as_bytes())?;
    Ok(())
}

/// Every scenario under every seed and policy.
fn trials(arguments: &SimulateArguments) -> Result<Vec<Trial>, Failure> {
    let usage = |message: String| Failure::Usage(anyhow::anyhow!(message));
    let mut names: Vec<&str> = Vec::new();
    for name in &arguments.scenario {
        if name == ALL { names.extend(Scenario::names()) } else { names.push(name) }
    }
    let mut trials = Vec::new();
    for name in names {
        let scenario = Scenario::find(name).map_err(|error| Failure::Usage(error.into()))?;
        let own = Seeds { first: scenario.seed, last: scenario.seed };
        let seeds = if arguments.seed.is_empty() { &[own][..] } else { &arguments.seed };
        for seed in seeds.iter().flat_map(|seeds| seeds.first..=seeds.last) {
            trials.extend(arguments.policy.iter().map(|policy| Trial {
                span: arguments.until.unwrap_or(scenario.duration),
                scenario: scenario.clone(),
                seed,
                policy: (*policy).into(),
                deciding: arguments.autonomy,
                clock: Some(instant),
                compared: !arguments.alone,
                trainer: arguments.model.then_some(wiring::train_at_once as Train),
            }));
            if trials.len() > RUNS_MAX {
                return Err(usage(format!("these are more than {RUNS_MAX} runs: take fewer seeds, scenarios or policies")));
            }
        }
    }
    if arguments.keep.is_some() && trials.len() != 1 {
        return Err(usage(format!("--keep keeps the log of one run: these are {}", trials.len())));
    }
    Ok(trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_range() {
        assert_eq!("7".parse(), Ok(Seeds { first: 7, last: 7 }));
        assert_eq!("1..20".parse(), Ok(Seeds { first: 1, last: 20 }));
        for wrong in ["", "x", "1..", "9..1", "0..100000"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }
}
