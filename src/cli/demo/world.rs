//! The thread that plays the world at its pace.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::pacer::Pacer;
use crate::cli::screen;
use crate::domain::{Command, Record, Settings};
use crate::engine::Snapshot;
use crate::sim::{Driver, Scenario, World};
use crate::tui::Wake;
use crate::tui::ui::{Pace, PaceKey};

/// A snapshot ten times a second: twice what the eye can follow, and a tenth of a core at the very most.
const STEP: Duration = Duration::from_millis(100);

/// What is asked of the world.
pub(super) enum Ask {
    /// An operator's command.
    Command(Command),
    /// A change of pace.
    Pace(PaceKey),
    /// End.
    Stop,
}

/// All that the world needs to be played.
pub(super) struct Stage {
    pub(super) scenario: Scenario,
    pub(super) seed: u64,
    pub(super) pace: Pace,
    /// The engine's configuration; its merchants, connectors and seed are the world's own.
    pub(super) settings: Settings,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) waker: Sender<Wake>,
    pub(super) asked: Receiver<Ask>,
}

impl Stage {
    /// Plays until told to stop.
    pub(super) fn play(self) {
        let _fall = Fall(self.waker.clone());
        let clock = screen::clock();
        let world = World::new(self.scenario, self.seed);
        let mut player = Player {
            settings: within(&world, self.settings),
            pacer: Pacer::new(self.pace, clock(), world.scenario().start),
            driver: Driver::start(world, Settings::default(), &mut ignore),
            snapshot: self.snapshot,
            waker: self.waker,
        };
        player.configure();
        tracing::info!(component = "demo", seed = self.seed, "the simulated world begins");
        loop {
            player.advance(clock());
            let next = clock() + STEP;
            loop {
                match self.asked.recv_timeout(next.saturating_sub(clock())) {
                    Ok(Ask::Command(command)) => player.command(command),
                    Ok(Ask::Pace(key)) => player.change_pace(key, clock()),
                    Err(RecvTimeoutError::Timeout) => break,
                    Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }
}
