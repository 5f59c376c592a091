//! `apos serve`: the live engine and its API without a screen.

use std::time::Duration;

use super::lines::Lines;
use super::live::{Endings, Engine, tokio_runtime};
use super::output::Reader;
use super::{Ended, Failure, Output, Setup, output, screen, wiring};
use crate::runtime::Handle;

/// How often snapshots are looked at for lines: as often as they are made.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(setup: &Setup) -> Result<Ended, Failure> {
    setup.check_live()?;
    wiring::warn_of_open_folder(setup)?;
    // Without being asked for lines, a service says nothing on standard output.
    let form = setup.flags.output.filter(|form| *form != Output::Tui);
    if setup.flags.output == Some(Output::Tui) {
        return Err(Failure::usage("apos serve has no screen: apos run does"));
    }
    let _logs = setup.start_logs();
    tokio_runtime()?.block_on(serve(setup, form))
}

/// Serves until a signal ends it, writing lines where a form is given.
pub(super) async fn serve(setup: &Setup, form: Option<Output>) -> Result<Ended, Failure> {
    let mut endings = Endings::listen()?;
    let engine = tokio::select! {
        engine = Engine::start(setup) => engine?,
        ended = endings.next(true) => return Ok(ended),
    };
    output::talk(&format!("apos: listening on http://{}", engine.address()));
    let ended = tokio::select! {
        ended = endings.next(true) => Ok(ended),
        failure = write_lines(engine.handle(), form) => Err(failure),
    };
    engine.stop().await?;
    Ok(ended?)
}

/// Writes lines until standard output fails; without a form or a reader, waits for ever: serving goes on without.
async fn write_lines(handle: Handle, form: Option<Output>) -> anyhow::Error {
    let Some(form) = form else { return std::future::pending().await };
    let (mut lines, clock) = (Lines::new(form), screen::clock());
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        for line in lines.see(&handle.snapshot(), clock()) {
            match output::data(line.as_bytes()) {
                Ok(Reader::There) => {}
                Ok(Reader::Gone) => return std::future::pending().await,
                Err(error) => return error,
            }
        }
    }
}
