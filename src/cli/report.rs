//! `apos report INCIDENT`: what happened, as a file to share, with the stretch of the log beside it.

mod gather;
mod markdown;

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

use super::log::{self, ExportArguments};
use super::replay::Source;
use super::{Ended, Failure, Setup, live, output};
use crate::domain::IncidentId;
use crate::runtime::past::Player;

/// What `apos report` takes.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct IncidentArguments {
    /// The incident, as the dashboard and `GET /anomalies` name it: inc-3
    #[arg(value_name = "INCIDENT")]
    pub incident: IncidentId,
    /// The report's form
    #[arg(long, value_name = "FORM", default_value = "md")]
    pub format: Form,
    /// The file to write [default: INCIDENT.md or .json in this folder]; - for standard output, then nothing is exported
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Leave out the export of the stretch, INCIDENT.seg beside the report
    #[arg(long)]
    pub no_export: bool,
    /// Look into an export instead of the configured log
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// The form of an incident's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Markdown, for people.
    Md,
    /// For programs.
    Json,
}

impl Form {
    const fn extension(self) -> &'static str {
        match self {
            Self::Md => "md",
            Self::Json => "json",
        }
    }
}

pub(super) fn run(arguments: &IncidentArguments, setup: &Setup) -> Result<Ended, Failure> {
    let to_screen = arguments.out.as_deref().is_some_and(|out| out.as_os_str() == "-");
    let out =
        arguments.out.clone().unwrap_or_else(|| format!("{}.{}", arguments.incident, arguments.format.extension()).into());
    let export = (!to_screen && !arguments.no_export && arguments.file.is_none()).then(|| out.with_extension("seg"));
    for file in [(!to_screen).then_some(&out), export.as_ref()].into_iter().flatten() {
        if file.exists() {
            return Err(Failure::usage(format!("{} is there already: name another file with --out", file.display())));
        }
    }
    let runtime = live::tokio_runtime()?;
    let source = Source::open(arguments.file.as_deref(), setup, &runtime)?;
    let mut player = Player::open(source.history.clone(), source.index.clone(), runtime.handle().clone())
        .with_context(|| format!("{} cannot be read", source.name))?;
    let mut report = gather::gather(&mut player, arguments.incident)?;
    if let Some(begins) = report.known_from {
        output::talk(&format!(
            "apos: {} begins at {begins}, after {} was noticed: its cost is told from there on alone",
            source.name, arguments.incident
        ));
    }
    report.export = export.clone().or_else(|| arguments.file.clone()).map(|file| file.display().to_string());
    if let Some(file) = export {
        let (from, to) = (Some(report.from.to_string()), Some(report.to.to_string()));
        drop(player);
        log::export(&ExportArguments { file, from, to, pseudonymise: false }, setup)?;
    }
    let text = match arguments.format {
        Form::Md => markdown::of(&report),
        Form::Json => serde_json::to_string_pretty(&report).context("the report has no JSON form")? + "\n",
    };
    if to_screen {
        output::data(text.as_bytes())?;
    } else {
        std::fs::write(&out, text).with_context(|| format!("{} cannot be written", out.display()))?;
        output::talk(&format!("apos: the report is in {}", out.display()));
    }
    Ok(Ended::Fine)
}
