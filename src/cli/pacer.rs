//! Which simulated or replayed time it should be: pure arithmetic on the wall's.

use std::time::Duration;

use crate::domain::Time;
use crate::tui::ui::{Pace, PaceKey};

/// The speeds that the keys step through.
const SPEEDS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];

/// One step while time stands still.
const STEP: Duration = Duration::from_secs(1);

/// A world that falls further behind than this (a slow machine, a laptop that slept) goes on from where it is instead
/// of rushing after the wall clock.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// Maps wall time to simulated time.
#[derive(Debug, Clone)]
pub(super) struct Pacer {
    pace: Pace,
    /// Where the two were tied together last.
    wall: Duration,
    sim: Time,
}

impl Pacer {
    pub(super) const fn new(pace: Pace, wall: Duration, sim: Time) -> Self {
        Self { pace, wall, sim }
    }

    /// Ties wall and simulated time together: from here on it is paced.
    pub(super) const fn begin(&mut self, wall: Duration, sim: Time) {
        (self.wall, self.sim) = (wall, sim);
    }

    pub(super) const fn pace(&self) -> Pace {
        self.pace
    }

    /// The simulated time to be reached at a wall time.
    pub(super) fn target(&self, wall: Duration) -> Time {
        if self.pace.paused {
            return self.sim;
        }
        self.sim + wall.saturating_sub(self.wall).mul_f64(self.pace.speed)
    }

    /// Tells how far the world has come by now; if that is too far behind, time goes on from there.
    pub(super) fn reached(&mut self, wall: Duration, sim: Time) {
        if self.target(wall).since(sim) > BEHIND_MAX.mul_f64(self.pace.speed) {
            (self.wall, self.sim) = (wall, sim);
        }
    }

    /// Changes the pace from now on.
    pub(super) fn change(&mut self, key: PaceKey, wall: Duration, sim: Time) {
        (self.wall, self.sim) = (wall, sim);
        let speed = self.pace.speed;
        match key {
            PaceKey::Step if self.pace.paused => self.sim = self.sim + STEP,
            PaceKey::Step => {}
            PaceKey::PauseOrGo => self.pace.paused = !self.pace.paused,
            PaceKey::Faster => self.pace.speed = SPEEDS.into_iter().find(|next| *next > speed).unwrap_or(speed),
            PaceKey::Slower => self.pace.speed = SPEEDS.into_iter().rev().find(|next| *next < speed).unwrap_or(speed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn time_runs_at_its_pace_and_stands_still_when_paused() {
        let start = Time::from_secs(1_000);
        let mut pacer = Pacer::new(Pace { speed: 1.0, paused: false }, secs(5), start);
        assert_eq!(pacer.target(secs(7)), start + secs(2));
        pacer.change(PaceKey::Faster, secs(7), start + secs(2));
        assert_eq!((pacer.pace().speed, pacer.target(secs(8))), (2.0, start + secs(4)));
        pacer.change(PaceKey::PauseOrGo, secs(8), start + secs(4));
        assert_eq!(pacer.target(secs(60)), start + secs(4));
        pacer.change(PaceKey::Step, secs(60), start + secs(4));
        assert_eq!(pacer.target(secs(61)), start + secs(5));
        pacer.change(PaceKey::PauseOrGo, secs(60), start + secs(4));
        pacer.change(PaceKey::Slower, secs(60), start + secs(4));
        assert_eq!(pacer.target(secs(61)), start + secs(5));
    }

    #[test]
    fn speeds_end_where_they_end() {
        let mut pacer = Pacer::new(Pace { speed: 700.0, paused: false }, secs(0), Time::ZERO);
        let speeds = [PaceKey::Faster, PaceKey::Faster, PaceKey::Slower].map(|key| {
            pacer.change(key, secs(0), Time::ZERO);
            pacer.pace().speed
        });
        assert_eq!(speeds.map(f64::to_bits), [1_000.0, 1_000.0, 500.0].map(f64::to_bits));
    }

    #[test]
    fn a_world_that_fell_behind_is_not_rushed() {
        let mut pacer = Pacer::new(Pace { speed: 10.0, paused: false }, secs(0), Time::ZERO);
        pacer.reached(secs(2), Time::from_secs(15));
        assert_eq!(pacer.target(secs(2)), Time::from_secs(20));
        pacer.reached(secs(2), Time::from_secs(5));
        assert_eq!(pacer.target(secs(3)), Time::from_secs(15));
    }
}
