//! The command line: picks a mode and starts it.
//!
//! One file a subcommand. Standard output is data, standard error is talk. Exit codes: 0 fine, 1 failed, 2 wrong usage
//! or configuration, 130 interrupted.

mod backtest;
mod bar;
mod completions;
mod config;
mod demo;
mod lines;
mod live;
mod log;
mod man;
mod output;
mod pacer;
mod replay;
mod report;
mod run;
mod screen;
mod serve;
mod setup;
mod simulate;
mod vopr;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{Environment, Level};
use crate::domain::{Role, wording};

pub use backtest::{BacktestCommand, RoutingArguments, Seeds};
pub use demo::DemoArguments;
pub use log::{ExportArguments, LogCommand};
pub use replay::ReplayArguments;
pub use report::IncidentArguments;
pub use setup::{Setup, Surroundings};
pub use simulate::SimulateArguments;
pub use vopr::VoprArguments;

/// The command line.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "apos", version, about, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Arguments {
    /// Flags of every command.
    #[command(flatten)]
    pub flags: Flags,
    /// What to do; the demo where nothing is set up.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const AFTER_HELP: &str = "Without a command, and where nothing is set up yet, the demo starts: a simulated world, nothing \
    real is touched.\nExit codes: 0 fine, 1 failed, 2 wrong usage or configuration, 130 interrupted.";

/// Flags of every command.
#[derive(Debug, Clone, PartialEq, Eq, Default, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Flags {
    /// Read this configuration instead of ~/.config/apos/apos.toml or /etc/apos/apos.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep log.db and tables.db here instead of ~/.local/share/apos
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Least severe level written to the log files
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<Level>,
    /// Theme of the screen: a name, or a theme file
    #[arg(long, global = true, value_name = "THEME")]
    pub theme: Option<String>,
    /// Draw with ASCII alone
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Draw without colour, as with `NO_COLOR` set
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Lower what this screen may do; it can never raise it
    #[arg(long, global = true, value_name = "ROLE")]
    pub role: Option<RoleName>,
    /// What to show: a screen, lines of text, or lines of JSON [default: tui on a terminal, else plain]
    #[arg(long, global = true, value_name = "FORM")]
    pub output: Option<Output>,
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// The screen.
    Tui,
    /// Lines of text.
    Plain,
    /// Lines of JSON.
    Json,
}

/// A role, as the flag takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Looks.
    Viewer,
    /// Approves, rejects, overrides, undoes.
    Operator,
    /// Sets autonomy too.
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Operator => Self::Operator,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// The subcommands.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Show a simulated world; nothing real is touched
    Demo(DemoArguments),
    /// Start the live engine, its API and the dashboard
    Run,
    /// Start the live engine and its API without a screen
    Serve,
    /// Run a scenario without a screen, as fast as the machine can, and report
    Simulate(SimulateArguments),
    /// Show what was: any time of the log and its archive, in the same dashboard; nothing can be changed there
    Replay(ReplayArguments),
    /// Write what happened in an incident into a file to share, and the stretch of the log beside it
    Report(IncidentArguments),
    /// Look after the log and its archive: what there is, whether it is whole, a stretch of it to take elsewhere
    #[command(subcommand)]
    Log(LogCommand),
    /// Look for broken promises: three replicas and one log under seeded faults
    Vopr(VoprArguments),
    /// Judge how the engine decides on payments of the past, or on our own scenarios
    #[command(subcommand)]
    Backtest(BacktestCommand),
    /// Show the configuration in force, or check it
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write completions for a shell to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page to standard output: apos man | man -l -
    Man {
        /// The page of this subcommand
        command: Option<String>,
    },
}

/// What `apos config` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration in force, every layer merged, as TOML
    Print,
    /// Check the configuration and the secrets in the environment
    Check,
}

/// How a command ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Fine.
    Fine,
    /// By a person's interrupt.
    Interrupted,
}

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong usage or configuration: exit code 2.
    #[error(transparent)]
    Usage(anyhow::Error),
    /// Anything else: exit code 1.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl Failure {
    /// Wrong usage, in a sentence.
    fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(anyhow::Error::msg(sentence.into()))
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::Usage(error.into())
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(arguments, &Environment::of_process()) {
        Ok(Ended::Fine) => ExitCode::SUCCESS,
        Ok(Ended::Interrupted) => ExitCode::from(130),
        Err(failure) => {
            let code = if matches!(failure, Failure::Usage(_)) { 2 } else { 1 };
            output::talk(&format!("apos: {}", wording::chain(&failure)));
            ExitCode::from(code)
        }
    }
}

fn start(arguments: Arguments, environment: &Environment) -> Result<Ended, Failure> {
    let Arguments { flags, command } = arguments;
    match command {
        None => {
            Surroundings::look(&flags, environment).allow_demo()?;
            demo::run(&DemoArguments::default(), &Setup::read(&flags, environment)?)
        }
        Some(Command::Demo(demo)) => demo::run(&demo, &Setup::read(&flags, environment)?),
        Some(Command::Run) => run::run(&Setup::read(&flags, environment)?),
        Some(Command::Serve) => serve::run(&Setup::read(&flags, environment)?),
        Some(Command::Simulate(simulate)) => simulate::run(&simulate, &Setup::read(&flags, environment)?),
        Some(Command::Replay(replay)) => replay::run(&replay, &Setup::read(&flags, environment)?),
        Some(Command::Report(report)) => report::run(&report, &Setup::read(&flags, environment)?),
        Some(Command::Log(command)) => log::run(&command, &Setup::read(&flags, environment)?),
        Some(Command::Vopr(vopr)) => vopr::run(&vopr),
        Some(Command::Backtest(command)) => backtest::run(&command, &Setup::read(&flags, environment)?),
        Some(Command::Config(command)) => config::run(command, &flags, environment),
        Some(Command::Completions { shell }) => completions::run(shell, Arguments::command()),
        Some(Command::Man { command }) => man::run(command.as_deref(), Arguments::command()),
    }
}
