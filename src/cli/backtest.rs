//! `apos backtest`: judges a policy on payments of the past, or on our own scenarios.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::bar::Meter;
use super::simulate::ReportForm;
use super::{Ended, Failure, Setup, output, wiring};
use crate::backtest::routing::suite::{DEVELOP, REPORT, SCENARIOS, Scenario};
use crate::backtest::routing::{Case, Engine, Lacking, PolicyName, Remarks, Report, judge, read, write};
use crate::engine::learn::Train;
use crate::runtime::clock::instant;

/// What can be judged.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum BacktestCommand {
    /// How well payments are routed: success, regret, calibration
    Routing(RoutingArguments),
}

/// What `apos backtest routing` takes.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_long_help = FORMATS)]
pub struct RoutingArguments {
    /// The payments, a JSON object a line
    #[arg(long, value_name = "FILE", required_unless_present = "suite", requires = "outcomes")]
    pub payments: Option<PathBuf>,
    /// Their outcomes, a JSON object a line
    #[arg(long, value_name = "FILE", requires = "payments")]
    pub outcomes: Option<PathBuf>,
    /// Judge on our own scenarios instead: the seeds figures are reported on, or those used while tuning
    #[arg(long, value_name = "SEEDS", conflicts_with = "payments", num_args = 0..=1, default_missing_value = "report")]
    pub suite: Option<Seeds>,
    /// Of the scenarios, this one only
    #[arg(long, value_name = "NAME", requires = "suite")]
    pub scenario: Option<String>,
    /// Write the scenarios' files here, so that others can judge on them, and judge nothing
    #[arg(long, value_name = "FOLDER", requires = "suite", conflicts_with_all = ["policy", "model", "report"])]
    pub write: Option<PathBuf>,
    /// Who chooses
    #[arg(long, value_name = "POLICY", default_value = "bdl")]
    pub policy: PolicyName,
    /// The engine trains models too, each at once when it is due; by the configuration's section `learning`, even where that
    /// is off
    #[arg(long)]
    pub model: bool,
    /// The report's form
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub report: ReportForm,
}

const FORMATS: &str = r#"A payment:
  {"id":"pay_1","t":12.5,"merchant":"pro_1","amount":65.4,"currency":"EUR","country":"DE","method":"card",
   "network":"Visa","bin":"411111","connectors":["adyen","stripe"]}
t is in seconds: payments are taken in its order, those of one time in the file's. The amount is in major units; country,
method, network and bin may be missing; a word in the place of a bin is one of its own. It names 1 to 100 connectors. Any
other key is refused.
Its outcomes, for all of its connectors (a simulation: exact) or for the one chosen (a log: estimated):
  {"id":"pay_1","outcomes":{"adyen":{"success":true,"p":0.91,"latency_ms":412,"observed_after_s":1.5},
   "stripe":{"success":false,"p":0.84,"observed_after_s":2,"error":"do_not_honor"}}}
p is the probability of success, where known. A log may give the "propensity" of its choice, above 0: on every line, for
without it nothing unbiased can be said. From a log a policy learns by the payments alone on which it chooses as the log did.
An outcome is revealed observed_after_s after the choice, and only for the connector chosen."#;

/// Which seeds of the scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Seeds {
    /// Those that figures are reported on
    Report,
    /// Those that may be looked at while tuning
    Develop,
}

/// A scenario's report.
#[derive(Debug, Serialize)]
struct Row {
    scenario: &'static str,
    seed: u64,
    #[serde(flatten)]
    report: Report,
}

/// All of the scenarios together.
#[derive(Debug, Serialize)]
struct SuiteReport {
    policy: PolicyName,
    payments: usize,
    success_rate: f64,
    oracle_success_rate: f64,
    regret_per_1000: f64,
    worst_regret_per_1000: f64,
    worst_scenario: &'static str,
    best_fixed_regret_per_1000: f64,
    last_n_regret_per_1000: f64,
    gained_on_last_n_per_1000: f64,
    ece: f64,
    brier: f64,
    us_per_decision: f64,
    fingerprint: String,
    scenarios: Vec<Row>,
}

pub(super) fn run(command: &BacktestCommand, setup: &Setup) -> Result<Ended, Failure> {
    let BacktestCommand::Routing(arguments) = command;
    let settings = setup.config().settings();
    let trainer = (arguments.model || settings.learning.enabled).then_some(wiring::train_at_once as Train);
    let engine = Engine { settings: &settings, trainer };
    match (&arguments.payments, &arguments.outcomes, arguments.suite) {
        (Some(payments), Some(outcomes), _) => files(arguments, (payments, outcomes), engine),
        (_, _, Some(seeds)) => suite(arguments, seeds, engine),
        _ => Err(Failure::usage("name --payments and --outcomes, or --suite")),
    }
}

fn files(arguments: &RoutingArguments, (payments, outcomes): (&Path, &Path), engine: Engine<'_>) -> Result<Ended, Failure> {
    let open = |path: &Path| {
        let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()));
        file.map(BufReader::new).map_err(Failure::Usage)
    };
    let mut meter = Meter::new();
    let names = (payments.display().to_string(), outcomes.display().to_string());
    let (case, remarks) = read((&names.0, open(payments)?), (&names.1, open(outcomes)?), &mut |lines| {
        meter.show(&format!("{lines} lines read"));
    })
    .map_err(|refused| Failure::Usage(refused.into()))?;
    if case.payments.is_empty() {
        return Err(Failure::usage(format!("{} holds no payment", names.0)));
    }
    meter.clear();
    remark(&remarks, (&names.0, &names.1));
    let report = judged(&case, arguments.policy, engine, &mut meter, "");
    let text = match arguments.report {
        ReportForm::Text => text(&report),
        ReportForm::Json => json(&report)?,
    };
    output::data(text.as_bytes())?;
    Ok(Ended::Fine)
}

/// Tells what was taken otherwise than it stands in the files.
fn remark(remarks: &Remarks, (payments, outcomes): (&str, &str)) {
    /// Words told of; a file may have thousands.
    const MOST: usize = 10;
    let Remarks { unnamed, labels: (labels, labelled), out_of_order, unlisted, without_payment } = remarks;
    let count = |count: &usize, one: &str| format!("{count} {one}{}", if *count == 1 { "" } else { "s" });
    if !unnamed.is_empty() {
        let words = unnamed.iter().take(MOST).map(|(word, times)| format!("{word} ({})", count(times, "payment")));
        let more = (unnamed.len() > MOST).then(|| format!("{} more", unnamed.len() - MOST));
        let words: Vec<String> = words.chain(more).collect();
        output::talk(&format!("counted as `other`, all as one, for want of a name: {}", words.join(", ")));
    }
    if *labelled > 0 {
        let (payments, words) = (count(labelled, "payment"), count(labels, "word"));
        output::talk(&format!("a BIN is six to eight digits: of {payments} it is none, and each of {words} was taken for one"));
    }
    if *out_of_order > 0 {
        let lines = if *out_of_order == 1 { "1 line was".to_owned() } else { format!("{out_of_order} lines were") };
        output::talk(&format!("{payments}: {lines} out of order: payments are taken in the order of `t`"));
    }
    if *unlisted > 0 {
        let told = count(unlisted, "outcome");
        output::talk(&format!("{outcomes}: {told} left out, for connectors that their payments do not list"));
    }
    if *without_payment > 0 {
        output::talk(&format!("{outcomes}: {} left out, for payments that are not there", count(without_payment, "line")));
    }
}

fn judged(case: &Case, policy: PolicyName, engine: Engine<'_>, meter: &mut Meter, what: &str) -> Report {
    let began = instant();
    let clock = move || instant().duration_since(began);
    let report = judge(case, policy, engine, &clock, &mut |done, all| {
        meter.show(&format!("{what}{} %", done * 100 / all.max(1)));
    });
    meter.clear();
    report
}

fn suite(arguments: &RoutingArguments, seeds: Seeds, engine: Engine<'_>) -> Result<Ended, Failure> {
    let named = arguments.scenario.as_deref().map(|name| {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        Scenario::find(name)
            .ok_or_else(|| Failure::usage(format!("there is no scenario {name}; there are {}", names.join(", "))))
    });
    let named = named.transpose()?;
    let range = if seeds == Seeds::Report { REPORT } else { DEVELOP };
    let scenarios: Vec<&Scenario> = SCENARIOS.iter().filter(|s| named.is_none_or(|named| named.name == s.name)).collect();
    let mut rows = Vec::new();
    let mut meter = Meter::new();
    for scenario in scenarios {
        for seed in range.clone() {
            let case = scenario.case(seed);
            if let Some(folder) = &arguments.write {
                write_files(&case, folder, &format!("{}-{seed}", scenario.name))?;
                continue;
            }
            let report = judged(&case, arguments.policy, engine, &mut meter, &format!("{} {seed} ", scenario.name));
            rows.push(Row { scenario: scenario.name, seed, report });
        }
    }
    if arguments.write.is_some() {
        return Ok(Ended::Fine);
    }
    let report = SuiteReport::of(arguments.policy, rows);
    let text = match arguments.report {
        ReportForm::Text => report.text(),
        ReportForm::Json => json(&report)?,
    };
    output::data(text.as_bytes())?;
    Ok(Ended::Fine)
}

fn write_files(case: &Case, folder: &Path, name: &str) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let create =
        |path: &Path| File::create(path).map(BufWriter::new).with_context(|| format!("{} cannot be written", path.display()));
    let (payments, outcomes) = (folder.join(format!("{name}.payments.jsonl")), folder.join(format!("{name}.outcomes.jsonl")));
    let written = write(case, &mut create(&payments)?, &mut create(&outcomes)?);
    Ok(written.with_context(|| format!("{name} cannot be written to {}", folder.display()))?)
}

impl SuiteReport {
    fn of(policy: PolicyName, rows: Vec<Row>) -> Self {
        let count = u32::try_from(rows.len()).map_or(1.0, f64::from).max(1.0);
        let mean = |value: fn(&Report) -> Option<f64>| rows.iter().filter_map(|row| value(&row.report)).sum::<f64>() / count;
        let by_scenario = SCENARIOS.iter().filter_map(|scenario| {
            let of = || rows.iter().filter(|row| row.scenario == scenario.name).filter_map(|row| row.report.regret_per_1000);
            let seeds = u32::try_from(of().count()).map_or(1.0, f64::from);
            (seeds > 0.0).then(|| (of().sum::<f64>() / seeds, scenario.name))
        });
        let worst = by_scenario.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, ""));
        let mut hasher = blake3::Hasher::new();
        for row in &rows {
            hasher.update(row.report.fingerprint.as_bytes());
        }
        Self {
            policy,
            payments: rows.iter().map(|row| row.report.payments).sum(),
            success_rate: mean(|r| r.success_rate),
            oracle_success_rate: mean(|r| r.oracle_success_rate),
            regret_per_1000: mean(|r| r.regret_per_1000),
            worst_regret_per_1000: worst.0,
            worst_scenario: worst.1,
            best_fixed_regret_per_1000: mean(|r| r.best_fixed_regret_per_1000),
            last_n_regret_per_1000: mean(|r| r.last_n_regret_per_1000),
            gained_on_last_n_per_1000: mean(|r| r.gained_on_last_n_per_1000),
            ece: mean(|r| r.ece),
            brier: mean(|r| r.brier),
            us_per_decision: mean(|r| Some(r.us_per_decision)),
            fingerprint: hasher.finalize().to_hex().to_string(),
            scenarios: rows,
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![format!(
            "{:<16} {:>5} {:>8} {:>8} {:>8} {:>8} {:>7}   lost per thousand against the best for each payment",
            "scenario", "seed", "success", "lost", "fixed", "last-125", "ece"
        )];
        lines.extend(self.scenarios.iter().map(|row| {
            let Report { success_rate, regret_per_1000, best_fixed_regret_per_1000, last_n_regret_per_1000, ece, .. } =
                &row.report;
            let tenth = |value: &Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
            let percent = success_rate.map_or("-".to_owned(), |rate| format!("{:.2}", rate * 100.0));
            let (lost, fixed, latest) =
                (tenth(regret_per_1000), tenth(best_fixed_regret_per_1000), tenth(last_n_regret_per_1000));
            let ece = ece.map_or("-".to_owned(), |ece| format!("{ece:.4}"));
            format!("{:<16} {:>5} {percent:>8} {lost:>8} {fixed:>8} {latest:>8} {ece:>7}", row.scenario, row.seed)
        }));
        lines.push(format!(
            "\nmean: success {:.2} %, lost {:.2} of a thousand (worst scenario {:.1}, {}), best fixed {:.2}, last-125 {:.2}",
            self.success_rate * 100.0,
            self.regret_per_1000,
            self.worst_regret_per_1000,
            self.worst_scenario,
            self.best_fixed_regret_per_1000,
            self.last_n_regret_per_1000,
        ));
        lines.push(format!(
            "gained on last-125 {:.2} points; calibration error {:.4}, Brier {:.4}; {:.1} us a decision",
            self.gained_on_last_n_per_1000 / 10.0,
            self.ece,
            self.brier,
            self.us_per_decision
        ));
        lines.push(format!("fingerprint {}\n", self.fingerprint));
        lines.join("\n")
    }
}

fn json(report: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(report).context("the report has no JSON form")? + "\n")
}

fn text(report: &Report) -> String {
    let percent = |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{:.2} %", value * 100.0));
    let number = |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{value:.2}"));
    let fixed = report.best_fixed.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    let matched = report.estimate.as_ref().filter(|estimate| estimate.lacking == Some(Lacking::Propensities));
    let of = matched.map_or(String::new(), |estimate| format!(" of the {} payments sent as the log did", estimate.matched));
    let mut lines = vec![
        format!("payments                     {}", report.payments),
        format!("success rate                 {}{of}", percent(report.success_rate)),
    ];
    match &report.estimate {
        Some(estimate) => {
            lines.push(format!("  estimated: {}", estimate.sentence()));
            lines.push(format!("the log's own                {}", percent(Some(estimate.logged_success_rate))));
        }
        None => lines.extend([
            format!("each payment's best          {}", percent(report.oracle_success_rate)),
            format!("lost against it              {} of a thousand", number(report.regret_per_1000)),
            format!("  the best fixed loses       {}{fixed}", number(report.best_fixed_regret_per_1000)),
            format!("  a last-125 rule loses      {}", number(report.last_n_regret_per_1000)),
            format!("gained on the best fixed     {} of a thousand", number(report.gained_on_best_fixed_per_1000)),
            format!("gained on a last-125 rule    {} of a thousand", number(report.gained_on_last_n_per_1000)),
        ]),
    }
    let four = |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{value:.4}"));
    lines.push(format!("calibration error; Brier     {}; {}", four(report.ece), four(report.brier)));
    lines.push(format!("a decision; an outcome       {:.1} us; {:.1} us", report.us_per_decision, report.us_per_outcome));
    lines.push(format!("fingerprint                  {}\n", report.fingerprint));
    lines.join("\n")
}
