//! `apos replay`: any time of the log and its archive, in the same dashboard.
//!
//! What is shown is folded from the records on a thread of its own. Nothing can leave: there is no appender, no lease
//! and no executor here, the log is opened to be read only, and the keys that act do not exist.

mod report;
mod source;
mod stage;
mod whatif;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use anyhow::Context;
use arc_swap::ArcSwap;

use super::live::tokio_runtime;
use super::simulate::ReportForm;
use super::{Ended, Failure, Output, Setup, screen};
use crate::domain::Time;
use crate::engine::Snapshot;
use crate::runtime::past::{Player, Reached};
use crate::tui::ui::{Mode, Pace};
use crate::tui::{self, when};
pub(super) use source::{Source, open_log};
use stage::{Ask, Stage};

/// What `apos replay` takes.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct ReplayArguments {
    /// Where to begin: 03:12, 2026-08-13 03:12, 2026-08-13T03:12:07Z, or so long before the end: -2h [default: the first record]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Where to end, in the same forms [default: the last record]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Replay an export instead of the configured log
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Seconds of the log a second, 0.1 to 1000
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = super::demo::speed)]
    pub speed: f64,
    /// No screen: fold the stretch as fast as the machine can, and report
    #[arg(long)]
    pub headless: bool,
    /// What if: fold the stretch a second time with the keys of this configuration laid over the recorded one, and report
    /// how decisions, incidents, actions and success would differ; no screen
    #[arg(long, value_name = "FILE")]
    pub with: Option<PathBuf>,
    /// What if, with other rules: a JSON file of routing rules in the form of POST /routing/create, one or a list; each is its
    /// merchant's active rule in the second fold, and with "algorithm": null the merchant has none
    #[arg(long, value_name = "FILE")]
    pub with_rules: Option<PathBuf>,
    /// The report's form
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub report: ReportForm,
}

pub(super) fn run(arguments: &ReplayArguments, setup: &Setup) -> Result<Ended, Failure> {
    let runtime = tokio_runtime()?;
    let source = Source::open(arguments.file.as_deref(), setup, &runtime)?;
    let player = Player::open(source.history.clone(), source.index.clone(), runtime.handle().clone())
        .with_context(|| format!("{} cannot be replayed", source.name))?;
    let stretch = stretch(arguments, &player)?;
    let _logs = setup.start_logs();
    let other = whatif::Other { settings: arguments.with.as_deref(), rules: arguments.with_rules.as_deref() };
    if !other.is_none() {
        return whatif::run(player, stretch, &other, arguments.report);
    }
    if arguments.headless || setup.output() != Output::Tui {
        return report::run(player, stretch, &source.name, arguments.report);
    }
    show(player, stretch, arguments, setup, &source)
}

/// The stretch asked for, within what there is.
fn stretch(arguments: &ReplayArguments, player: &Player) -> Result<(Time, Time), Failure> {
    let (span, zone) = (player.span(), jiff::tz::TimeZone::system());
    let read = |flag: &str, text: &Option<String>, otherwise: Time| match text {
        None => Ok(otherwise),
        Some(text) => when::parse(text, &zone, span.to, (span.from, span.to))
            .map_err(|reason| Failure::usage(format!("--{flag}: {reason}"))),
    };
    let (from, to) = (read("from", &arguments.from, span.from)?, read("to", &arguments.to, span.to)?);
    if from > to || from > span.to || to < span.from {
        return Err(Failure::usage(format!(
            "there is nothing to replay from {from} to {to}: there are records from {} to {}",
            span.from, span.to
        )));
    }
    Ok((from.max(span.from), to.min(span.to)))
}

fn show(
    player: Player,
    stretch: (Time, Time),
    arguments: &ReplayArguments,
    setup: &Setup,
    source: &Source,
) -> Result<Ended, Failure> {
    let pace = Pace { speed: arguments.speed, paused: true };
    let mode = Mode::Past { source: source.name.clone() };
    let options = screen::options(setup, mode, pace)?;
    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let (waker, woken) = mpsc::channel();
    let (asks, asked) = mpsc::channel();
    let stage = Stage { player, stretch, pace, snapshot: snapshot.clone(), waker: waker.clone(), asked };
    let playing = std::thread::Builder::new()
        .name("past".to_owned())
        .spawn(move || stage.play())
        .context("the replay's thread cannot be started")?;
    screen::forward_signals(waker.clone()).context("signals cannot be listened to")?;
    let (paces, travels) = (asks.clone(), asks.clone());
    let source = tui::Source {
        snapshot,
        wakes: woken,
        waker,
        command: None,
        // Neither can fail but when the replay is over, and then a note says so.
        pace: Some(Box::new(move |key| drop(paces.send(Ask::Pace(key))))),
        let_happen: None,
        travel: Some(Box::new(move |travel| drop(travels.send(Ask::Travel(travel))))),
        clock: screen::clock(),
    };
    let exit = tui::run(source, options);
    // It may be gone already, by a panic that joining tells of.
    let _ = asks.send(Ask::Stop);
    playing.join().map_err(|_| anyhow::anyhow!("the replay ended by an error of its own; the log files say which"))?;
    Ok(screen::ended(exit?))
}

/// What a person is told of how a fold went.
fn told(reached: Reached) -> &'static str {
    match reached {
        Reached::There => "there",
        Reached::End => "the end of the replay",
        Reached::BrokenOff => "broken off",
    }
}
