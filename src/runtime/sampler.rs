//! Measures this machine every ten seconds: CPU, memory, the appender's queue, instances. The leader alone appends it.

use std::time::Duration;

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
use tokio::sync::watch;

use super::actuators::Actuators;
use super::clock::Clock;
use super::conditions::Conditions;
use super::protocol::Lease;
use super::supervisor::{Phase, Stop};
use crate::domain::{Body, ResourceSample};
use crate::log::{Appender, Log};

/// Between samples. The scaling rule has a cool-down of minutes; one read of `/proc` a sample is not worth more.
const EVERY: Duration = Duration::from_secs(10);

/// The sampler's shell.
#[derive(Debug)]
pub(super) struct Sampler {
    /// Where samples go.
    pub(super) log: Log,
    /// Stamps them.
    pub(super) clock: Clock,
    /// Its queue is the queue depth.
    pub(super) appender: Appender,
    /// Knows the instances.
    pub(super) actuators: Actuators,
    /// Whether this process leads.
    pub(super) lease: watch::Receiver<Option<Lease>>,
    /// Where trouble is told.
    pub(super) conditions: Conditions,
}

impl Sampler {
    /// Runs until the runtime is quiet.
    pub(super) async fn run(self, stop: Stop) {
        let kinds = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let mut system = match System::new_with_specifics(kinds) {
            Ok(system) => system,
            Err(error) => {
                self.conditions.set("sampler", format!("this machine cannot be measured: {error}"));
                return;
            }
        };
        while stop.sleep(EVERY, Phase::Quiet).await {
            system.refresh_specifics(kinds);
            let lease = *self.lease.borrow();
            let Some(lease) = lease else { continue };
            let sampled = Body::Sampled(self.sample(&system));
            if let Err(error) = self.log.append(lease.epoch, self.clock.now(), vec![sampled]).await {
                tracing::warn!(component = "sampler", %error, "the log did not take a sample");
            }
        }
    }

    fn sample(&self, system: &System) -> ResourceSample {
        ResourceSample {
            cpu_percent: f64::from(system.global_cpu_usage()).clamp(0.0, 100.0),
            memory_percent: percent(system.used_memory(), system.total_memory()),
            queue_depth: u32::try_from(self.appender.depth()).unwrap_or(u32::MAX),
            instances: self.actuators.instances(),
        }
    }
}

/// `part` of `whole` in percent; 0 of nothing.
fn percent(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a percentage of bytes")]
    let ratio = part as f64 / whole.max(1) as f64;
    (100.0 * ratio).clamp(0.0, 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_stay_in_range() {
        assert_eq!((percent(1, 4), percent(0, 0), percent(9, 3)), (25.0, 0.0, 100.0));
    }
}
