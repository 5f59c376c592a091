//! The payment switch that the world pretends to be: instances under load, and the acts that change them.
//!
//! CPU follows payments a second over what the instances take; memory follows CPU at a distance; what exceeds the
//! capacity queues and drains as a fluid does.

use super::chance::Stream;
use super::scenario::Capacity;
use crate::domain::{Act, Change, EffectResult, ResourceSample};

/// Memory of an idle and of a busy instance, percent: a process has a footprint before it serves anything, and grows
/// with the requests in it, but less than CPU does.
const MEMORY_IDLE: f64 = 35.0;
const MEMORY_BUSY: f64 = 70.0;

/// Noise of one CPU and memory sample, percentage points: what five-second averages of a busy service show.
const CPU_NOISE: f64 = 2.0;
const MEMORY_NOISE: f64 = 0.5;

/// The queue sheds what comes beyond this; an unbounded one would keep the world overloaded for hours.
const QUEUE_MAX: f64 = 5_000.0;

/// Utilisation is taken to be at most this in the queue's formula, which has a pole at 1.
const UTILISATION_MAX: f64 = 0.98;

/// Instances under load.
#[derive(Debug, Clone)]
pub(super) struct Switch {
    instances: u16,
    per_instance: f64,
    backlog: f64,
    noise: Stream,
}

impl Switch {
    pub(super) fn new(capacity: &Capacity, seed: u64) -> Self {
        Self {
            instances: capacity.instances,
            per_instance: capacity.payments_per_s,
            backlog: 0.0,
            noise: Stream::new(seed, "resources"),
        }
    }

    /// Measures an interval in which so many payments arrived.
    pub(super) fn sample(&mut self, payments: u32, seconds: f64) -> ResourceSample {
        let capacity = f64::from(self.instances) * self.per_instance * seconds;
        let work = self.backlog + f64::from(payments);
        let busy = (work / capacity).min(1.0);
        self.backlog = (work - capacity).clamp(0.0, QUEUE_MAX);
        // The mean number waiting in an M/M/1 queue, ρ² ÷ (1 − ρ), besides what could not be served at all.
        let load = busy.min(UTILISATION_MAX);
        let waiting = self.backlog + load * load / (1.0 - load);
        let memory = MEMORY_IDLE + (MEMORY_BUSY - MEMORY_IDLE) * busy;
        ResourceSample {
            cpu_percent: (100.0 * busy + CPU_NOISE * self.noise.normal()).clamp(0.0, 100.0),
            memory_percent: (memory + MEMORY_NOISE * self.noise.normal()).clamp(0.0, 100.0),
            queue_depth: self.noise.poisson(waiting),
            instances: self.instances,
        }
    }

    /// Makes a change. Set-state: made twice, it is as made once.
    pub(super) fn execute(&mut self, act: &Act) -> EffectResult {
        match &act.change {
            // Priority lists and exclusions live in our own routing: the log's entry is the change.
            Change::ReorderPriority { .. }
            | Change::ExcludeAccount { .. }
            | Change::RestoreAccount { .. }
            | Change::SetArm { .. } => EffectResult::Done,
            Change::Scale { to: 0, .. } => EffectResult::Refused { reason: "a switch needs an instance".to_owned() },
            Change::Scale { from, to } if [*from, *to].contains(&self.instances) => {
                self.instances = *to;
                EffectResult::Done
            }
            Change::Scale { from, .. } => EffectResult::Refused {
                reason: format!("{} instances are running, not {from}: somebody else scaled", self.instances),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ActionId, Step};

    fn scale(from: u16, to: u16) -> Act {
        Act { action: ActionId(1), step: Step::Execute, change: Change::Scale { from, to } }
    }

    #[test]
    fn load_shows_and_scaling_relieves_it() {
        let mut switch = Switch::new(&Capacity { instances: 2, payments_per_s: 50.0 }, 1);
        let calm = switch.sample(250, 5.0);
        assert!((calm.cpu_percent - 50.0).abs() < 10.0 && calm.queue_depth < 10, "{calm:?}");
        let rush = switch.sample(1_000, 5.0);
        assert!(rush.cpu_percent > 90.0 && rush.queue_depth > 300, "{rush:?}");
        assert_eq!(switch.execute(&scale(2, 8)), EffectResult::Done);
        assert_eq!(switch.execute(&scale(2, 8)), EffectResult::Done);
        let relieved = switch.sample(1_000, 5.0);
        assert!(relieved.cpu_percent < 85.0 && relieved.queue_depth < 20 && relieved.instances == 8, "{relieved:?}");
    }

    #[test]
    fn what_others_changed_is_refused() {
        let mut switch = Switch::new(&Capacity { instances: 4, payments_per_s: 50.0 }, 1);
        assert!(matches!(switch.execute(&scale(2, 3)), EffectResult::Refused { .. }));
        assert!(matches!(switch.execute(&scale(4, 0)), EffectResult::Refused { .. }));
    }
}
