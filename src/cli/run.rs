//! `apos run`: the live engine, its API and the dashboard in one process.
//!
//! The screen comes first, on a thread of its own, and is fed while the engine opens its log. When the terminal is
//! lost the engine goes on without one; when the screen is left, everything stops in order.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};

use super::live::{Endings, Engine, tokio_runtime};
use super::{Ended, Failure, Output, Setup, screen, serve, wiring};
use crate::domain::Command;
use crate::engine::Snapshot;
use crate::runtime::Handle;
use crate::tui::ui::{Mode, Pace};
use crate::tui::{self, Exit, Wake};

/// A snapshot is looked for ten times a second, as often as the engine makes them.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(setup: &Setup) -> Result<Ended, Failure> {
    setup.check_live()?;
    wiring::warn_of_open_folder(setup)?;
    match setup.output() {
        Output::Tui => with_screen(setup),
        form => {
            let _logs = setup.start_logs();
            tokio_runtime()?.block_on(serve::serve(setup, Some(form)))
        }
    }
}

fn with_screen(setup: &Setup) -> Result<Ended, Failure> {
    let options = screen::options(setup, Mode::Live, Pace { speed: 1.0, paused: false })?;
    let _logs = setup.start_logs();
    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let (waker, woken) = mpsc::channel();
    let (orders, ordered) = unbounded_channel();
    let source = tui::Source {
        snapshot: snapshot.clone(),
        wakes: woken,
        waker: waker.clone(),
        // It cannot fail but when everything is stopping.
        command: Some(Box::new(move |command| drop(orders.send(command)))),
        pace: None,
        let_happen: None,
        travel: None,
        clock: screen::clock(),
    };
    // Whatever can fail fails before the terminal is taken.
    let tokio = tokio_runtime()?;
    screen::forward_signals(waker.clone()).context("signals cannot be listened to")?;
    let shown = tui::spawn(source, options).context("the screen's thread cannot be started")?;
    let feed = Feed { snapshot, waker, ordered, commands: JoinSet::new(), degraded: Vec::new() };
    tokio.block_on(async {
        let shown = tokio::task::spawn_blocking(move || shown.join());
        feed.live(setup, Screen(shown)).await
    })
}

/// Goes on without a screen until a signal, be the engine up already or still starting.
async fn headless(starting: impl Future<Output = Result<Engine, Failure>>) -> Result<Ended, Failure> {
    tracing::warn!(component = "screen", "the terminal is lost: going on without a screen");
    let mut endings = Endings::listen()?;
    let engine = tokio::select! {
        engine = starting => engine?,
        ended = endings.next(false) => return Ok(ended),
    };
    let ended = endings.next(false).await;
    engine.stop().await?;
    Ok(ended)
}

/// The screen's thread, to be waited for.
struct Screen(JoinHandle<std::thread::Result<anyhow::Result<Exit>>>);

impl Screen {
    /// Waits until the screen has ended and the terminal is as before.
    async fn ended(&mut self) -> anyhow::Result<Exit> {
        let joined = (&mut self.0).await.context("the screen's thread was not waited for")?;
        joined.map_err(|_| anyhow::anyhow!("the screen ended by an error of its own; the log files say which"))?
    }
}

/// What goes between the engine and the screen.
struct Feed {
    snapshot: Arc<ArcSwap<Snapshot>>,
    waker: Sender<Wake>,
    ordered: UnboundedReceiver<Command>,
    /// Commands whose outcome is not known yet.
    commands: JoinSet<()>,
    /// What was said to be wrong last.
    degraded: Vec<String>,
}

impl Feed {
    async fn live(mut self, setup: &Setup, mut screen: Screen) -> Result<Ended, Failure> {
        let mut starting = pin!(Engine::start(setup));
        let started = tokio::select! {
            started = &mut starting => started,
            exit = screen.ended() => match exit? {
                Exit::TerminalLost => return headless(starting).await,
                exit => return Ok(screen::ended(exit)),
            },
        };
        let engine = match started {
            Ok(engine) => engine,
            Err(failure) => {
                self.wake(Wake::Terminate("a failed start"));
                screen.ended().await?;
                return Err(failure);
            }
        };
        match self.follow(&engine.handle(), &mut screen).await {
            Ok(Exit::TerminalLost) => headless(std::future::ready(Ok(engine))).await,
            exit => {
                engine.stop().await?;
                Ok(screen::ended(exit?))
            }
        }
    }

    /// Feeds the screen until it ends.
    async fn follow(&mut self, handle: &Handle, screen: &mut Screen) -> anyhow::Result<Exit> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                exit = screen.ended() => return exit,
                Some(command) = self.ordered.recv() => self.give(handle.clone(), command),
                Some(_) = self.commands.join_next() => {}
                _ = look.tick() => self.look(handle),
            }
        }
    }

    /// Hands on a newer snapshot, and what is newly wrong.
    fn look(&mut self, handle: &Handle) {
        let newer = handle.snapshot();
        if newer.position != self.snapshot.load().position {
            self.snapshot.store(newer);
            self.wake(Wake::Snapshot);
        }
        let degraded = handle.status().degraded;
        for sentence in degraded.iter().filter(|sentence| !self.degraded.contains(sentence)) {
            self.wake(Wake::Note(sentence.clone()));
        }
        if degraded != self.degraded {
            self.wake(Wake::Degraded(degraded.clone()));
            self.degraded = degraded;
        }
    }

    /// Gives a command; what becomes of it is told when it is known.
    fn give(&mut self, handle: Handle, command: Command) {
        let waker = self.waker.clone();
        self.commands.spawn(async move {
            let outcome = match handle.command(command).await {
                Ok(outcome) => Wake::Outcome { text: outcome.text, refused: !outcome.accepted },
                Err(error) => Wake::Outcome { text: format!("not recorded: {error}"), refused: true },
            };
            // The screen may have ended meanwhile; the command stands in the log all the same.
            let _ = waker.send(outcome);
        });
    }

    fn wake(&self, wake: Wake) {
        // The screen has ended: nobody is to be told.
        let _ = self.waker.send(wake);
    }
}
