//! `apos demo`: a simulated world, shown as it happens.
//!
//! The screen comes first and waits for nothing; the world is made and paced on a thread of its own, which publishes a
//! snapshot ten times a second and takes the operator's commands in between.

mod settings;
mod world;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;

use super::lines::Lines;
use super::output::Reader;
use super::{Ended, Failure, Output, Setup, output, screen};
use crate::engine::Snapshot;
use crate::sim::{Scenario, mishap};
use crate::tui::ui::{Mode, Pace};
use crate::tui::{self, Exit, Wake};
pub(super) use settings::within;
use world::{Ask, Stage};

/// What `apos demo` takes.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct DemoArguments {
    /// The scenario: a name (calm, outage, brownout, black-friday, …) or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "outage")]
    pub scenario: String,
    /// The seed; the same one gives the same world [default: the scenario's]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Simulated seconds a second, 0.1 to 1000
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
}

impl Default for DemoArguments {
    fn default() -> Self {
        Self { scenario: "outage".to_owned(), seed: None, speed: 1.0 }
    }
}

pub(super) fn speed(text: &str) -> Result<f64, String> {
    match text.trim_start_matches(['x', '×']).parse() {
        Ok(speed) if (0.1..=1_000.0).contains(&speed) => Ok(speed),
        _ => Err("allowed are 0.1 to 1000".to_owned()),
    }
}

pub(super) fn run(arguments: &DemoArguments, setup: &Setup) -> Result<Ended, Failure> {
    let scenario = Scenario::find(&arguments.scenario).map_err(|error| Failure::Usage(error.into()))?;
    let seed = arguments.seed.unwrap_or(scenario.seed);
    let pace = Pace { speed: arguments.speed, paused: false };
    let mode = Mode::Simulation { scenario: scenario.name.clone(), seed };
    let form = setup.output();
    let mishaps = mishap::all(&scenario);
    let options = (form == Output::Tui).then(|| screen::options(setup, mode, pace)).transpose()?.map(|mut options| {
        options.session.faults = mishaps.iter().map(|mishap| mishap.name.clone()).collect();
        options
    });
    let _logs = setup.start_logs();

    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let (waker, woken) = mpsc::channel();
    let (asks, asked) = mpsc::channel();
    let not_used = settings::not_used(setup.config(), &scenario);
    let stage = Stage { scenario, mishaps, seed, pace, settings: setup.config().settings(), snapshot, waker, asked };
    let shown = Shown { snapshot: stage.snapshot.clone(), waker: stage.waker.clone(), wakes: woken, asks: asks.clone() };
    let world = std::thread::Builder::new()
        .name("world".to_owned())
        .spawn(move || stage.play())
        .context("the world's thread cannot be started")?;
    screen::forward_signals(shown.waker.clone()).context("signals cannot be listened to")?;
    if let Some(text) = not_used {
        tell(text, form, &shown.waker);
    }
    let exit = match options {
        Some(options) => show(shown, options),
        None => write_lines(&shown, form),
    };
    // The world may be gone already, by a panic that joining tells of.
    let _ = asks.send(Ask::Stop);
    world.join().map_err(|_| anyhow::anyhow!("the simulation ended by an error of its own; the log files say which"))?;
    Ok(screen::ended(exit?))
}

/// Says a line to the person, on the screen if there is one.
fn tell(text: String, form: Output, waker: &Sender<Wake>) {
    if form == Output::Tui {
        // The screen has not begun to listen: it is said as soon as it does.
        let _ = waker.send(Wake::Note(text));
    } else {
        output::talk(&format!("apos: {text}"));
    }
}

/// What a screen, or the writer of lines, holds of the world.
struct Shown {
    snapshot: Arc<ArcSwap<Snapshot>>,
    waker: Sender<Wake>,
    wakes: Receiver<Wake>,
    asks: Sender<Ask>,
}

fn show(shown: Shown, options: tui::Options) -> anyhow::Result<Exit> {
    let Shown { snapshot, waker, wakes, asks } = shown;
    let (orders, faults, paces) = (asks.clone(), asks.clone(), asks);
    let source = tui::Source {
        snapshot,
        wakes,
        waker,
        // Neither can fail but when the world is gone, and then a note says so.
        command: Some(Box::new(move |command| drop(orders.send(Ask::Command(command))))),
        pace: Some(Box::new(move |key| drop(paces.send(Ask::Pace(key))))),
        let_happen: Some(Box::new(move |fault| drop(faults.send(Ask::LetHappen(fault))))),
        travel: None,
        clock: screen::clock(),
    };
    tui::run(source, options)
}

/// How often the writer of lines looks up while nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Writes lines until a signal, or until nobody reads them any more.
fn write_lines(shown: &Shown, form: Output) -> anyhow::Result<Exit> {
    let (mut lines, clock) = (Lines::new(form), screen::clock());
    loop {
        match shown.wakes.recv_timeout(LOOK_EVERY) {
            Ok(Wake::Snapshot) => {
                for line in lines.see(&shown.snapshot.load(), clock()) {
                    if output::data(line.as_bytes())? == Reader::Gone {
                        return Ok(Exit::Quit);
                    }
                }
            }
            Ok(Wake::Terminate(signal)) => return Ok(Exit::Terminated(signal)),
            Ok(Wake::TerminalLost) => return Ok(Exit::TerminalLost),
            Ok(Wake::Note(text)) => anyhow::bail!(text),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Quit),
        }
    }
}
