//! What `apos run` and `apos serve` share: the engine with its API, started and stopped in order.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::{Ended, Failure, Setup, wiring};
use crate::api::{self, Server, StartError};
use crate::runtime::background::let_answers_go_first;
use crate::runtime::{Handle, Runtime};
use crate::tui::signals::{heard_if_any, unless_ignored};

/// A running engine and its listener.
pub(super) struct Engine {
    runtime: Runtime,
    server: Server,
}

impl Engine {
    /// Starts both. The listener comes last: who reaches it reaches an engine.
    pub(super) async fn start(setup: &Setup) -> Result<Self, Failure> {
        let api_config = wiring::api_config(setup)?;
        let started = Runtime::start(wiring::runtime_config(setup)?).await;
        let runtime = started.map_err(|error| wiring::with_address(error, setup)).context("the engine cannot be started")?;
        match api::start(runtime.handle(), api_config) {
            Ok(server) => {
                tracing::info!(component = "api", address = %server.address(), "listening");
                Ok(Self { runtime, server })
            }
            Err(error) => {
                runtime.shutdown().await;
                Err(refused(error))
            }
        }
    }

    /// What others hold of the engine.
    pub(super) fn handle(&self) -> Handle {
        self.runtime.handle()
    }

    /// Where the listener listens.
    pub(super) const fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// Stops both, the listener first: what it has acknowledged is in the log.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let stopped = self.server.stop().await;
        self.runtime.shutdown().await;
        tracing::info!(component = "runtime", "stopped");
        stopped.context("the API did not stop in order")
    }
}

fn refused(error: StartError) -> Failure {
    match error {
        StartError::NeedsKeys(_) => Failure::Usage(error.into()),
        StartError::Bind { .. } | StartError::Threads(_) => Failure::Failed(error.into()),
    }
}

/// A runtime of as many workers as there are cores, behind those of the API: these, the engine's thread and the screen's are
/// their own.
pub(super) fn tokio_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().thread_name("apos-io").on_thread_start(let_answers_go_first).build();
    runtime.context("the runtime's threads cannot be started")
}

/// Signals that end a process without a screen.
pub(super) struct Endings {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Endings {
    /// Listens from now on.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be listened to");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: unless_ignored(SignalKind::hangup()).context("signals cannot be listened to")?,
        })
    }

    /// Waits for one that ends the process. A hang-up does so only where `hangup_ends`: a process that lost its
    /// screen goes on without one.
    pub(super) async fn next(&mut self, hangup_ends: bool) -> Ended {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Ended::Interrupted,
                _ = self.terminate.recv() => return Ended::Fine,
                () = heard_if_any(&mut self.hangup) => if hangup_ends { return Ended::Fine },
            }
        }
    }
}
