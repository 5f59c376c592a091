//! The thread that plays the world at its pace.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::settings::{in_wall_time, within};
use crate::cli::pacer::Pacer;
use crate::cli::screen::{self, Fall};
use crate::cli::wiring;
use crate::domain::{Command, Settings, Time};
use crate::engine::Snapshot;
use crate::engine::learn::Trainer;
use crate::sim::mishap::Mishap;
use crate::sim::{Driver, Scenario, World};
use crate::tui::Wake;
use crate::tui::ui::{Pace, PaceKey};

/// A snapshot ten times a second: twice what the eye can follow, and a tenth of a core at the very most.
const STEP: Duration = Duration::from_millis(100);

/// While the world warms up the screen is shown each of so many simulated seconds: some five pictures a second.
const WARM_UP_STEP: Duration = Duration::from_secs(30);

/// A model is published so long after it fell due, in simulated time: at the usual paces it is made long before, and the
/// world need not wait for it.
const TRAINING_TAKES: Duration = Duration::from_secs(30);

/// What is asked of the world.
pub(super) enum Ask {
    /// An operator's command.
    Command(Command),
    /// A change of pace.
    Pace(PaceKey),
    /// A fault, by its place in the menu.
    LetHappen(usize),
    /// End.
    Stop,
}

/// All that the world needs to be played.
pub(super) struct Stage {
    pub(super) scenario: Scenario,
    /// The faults of the menu.
    pub(super) mishaps: Vec<Mishap>,
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
        let fall = Fall::new("the simulation", self.waker.clone());
        let clock = screen::clock();
        let world = World::new(self.scenario, self.seed);
        let start = world.scenario().start;
        let settings = in_wall_time(within(&world, self.settings.clone()), &self.settings, self.pace.speed);
        let mut player = Player {
            driver: driver(world, settings),
            pacer: Pacer::new(self.pace, clock(), start),
            settings: self.settings,
            snapshot: self.snapshot,
            waker: self.waker,
            degraded: Vec::new(),
        };
        player.warm_up(start);
        player.pacer.begin(clock(), start);
        tracing::info!(component = "demo", seed = self.seed, "the simulated world begins");
        loop {
            player.advance(&clock);
            let next = clock() + STEP;
            loop {
                match self.asked.recv_timeout(next.saturating_sub(clock())) {
                    Ok(Ask::Command(command)) => player.command(command),
                    Ok(Ask::Pace(key)) => player.change_pace(key, clock()),
                    Ok(Ask::LetHappen(fault)) => player.let_happen(self.mishaps.get(fault)),
                    Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => return drop(fall),
                    Err(RecvTimeoutError::Timeout) => break,
                }
            }
        }
    }
}

/// The engine in its world. Its models are trained on a thread beside it, none before the world has warmed up: nobody should
/// wait for the first picture.
fn driver(world: World, settings: Settings) -> Driver {
    let start = world.scenario().start;
    let trainer = Trainer::new(wiring::train_beside).taking(TRAINING_TAKES).not_before(start);
    Driver::start(world, settings, &mut |_| {}).trained_by(trainer)
}

/// The engine in its world, and where its snapshots go.
struct Player {
    driver: Driver,
    pacer: Pacer,
    /// The configuration as the user wrote it: operator timers in seconds of wall time.
    settings: Settings,
    snapshot: Arc<ArcSwap<Snapshot>>,
    waker: Sender<Wake>,
    /// What the screen was told is wrong.
    degraded: Vec<String>,
}

impl Player {
    /// Lets the world run up to its start, as fast as it can: what is usual is known from then on.
    fn warm_up(&mut self, start: Time) {
        while self.driver.now() < start {
            self.driver.run_until(start.min(self.driver.now() + WARM_UP_STEP), &mut |_| {});
            self.publish();
        }
    }

    /// Lets happen what is due, publishing on the way where that takes longer than a step.
    fn advance(&mut self, clock: &dyn Fn() -> Duration) {
        let (target, before) = (self.pacer.target(clock()), self.driver.state().position());
        let slice = STEP.mul_f64(self.pacer.pace().speed);
        while self.driver.now() < target {
            let began = clock();
            self.driver.run_until(target.min(self.driver.now() + slice), &mut |_| {});
            if clock().saturating_sub(began) > STEP {
                break;
            }
        }
        self.pacer.reached(clock(), self.driver.now());
        if self.driver.state().position() != before {
            self.publish();
        }
        let degraded = self.driver.conditions();
        if degraded != self.degraded {
            self.wake(Wake::Degraded(degraded.clone()));
            self.degraded = degraded;
        }
    }

    fn publish(&self) {
        self.snapshot.store(Arc::new(self.driver.snapshot()));
        self.wake(Wake::Snapshot);
    }

    /// Gives an operator's command and tells what became of it.
    fn command(&mut self, command: Command) {
        self.driver.command(command, &mut |_| {});
        self.publish();
        if let Some(outcome) = self.snapshot.load().outcomes.last() {
            self.wake(Wake::Outcome { text: outcome.text.clone(), refused: !outcome.accepted });
        }
    }

    fn let_happen(&mut self, mishap: Option<&Mishap>) {
        if let Some(Err(reason)) = mishap.map(|mishap| self.driver.inject(&mishap.fault)) {
            self.wake(Wake::Note(format!("that cannot happen here: {reason}")));
        }
    }

    fn change_pace(&mut self, key: PaceKey, wall: Duration) {
        self.pacer.change(key, wall, self.driver.now());
        let pace = self.pacer.pace();
        let mut active = Settings::clone(self.driver.state().view().settings());
        // The levels as operators have set them since: activating a configuration must not undo that.
        if let Some(levels) = self.driver.snapshot().header.autonomy {
            active.autonomy = levels;
        }
        self.driver.configure(in_wall_time(active, &self.settings, pace.speed), &mut |_| {});
        self.wake(Wake::Pace(pace));
    }

    fn wake(&self, wake: Wake) {
        // Nobody looks any more: the stop is on its way.
        let _ = self.waker.send(wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Learning;

    /// Twenty simulated seconds of warm-up and a minute, in steps of so many.
    fn played(step: Duration) -> Driver {
        let scenario = Scenario { warm_up: Duration::from_secs(20), ..Scenario::named("calm").unwrap() };
        let world = World::new(scenario, 7);
        let learning = Learning { enabled: true, min_outcomes: 500, ..Learning::default() };
        let settings = within(&world, Settings { learning, ..Settings::default() });
        let end = world.scenario().start + Duration::from_mins(1);
        let mut driver = driver(world, settings);
        while driver.now() < end {
            driver.run_until(end.min(driver.now() + step), &mut |_| {});
        }
        driver
    }

    #[test]
    fn a_model_is_trained_beside_the_world_and_the_same_seed_is_the_same_world() {
        let (once, again) = (played(Duration::from_mins(1)), played(Duration::from_millis(100)));
        let view = once.snapshot().learning;
        assert_eq!(view.challenger.map(|row| row.version), Some(1));
        assert_eq!(once.state().fingerprint(), again.state().fingerprint());
    }
}
