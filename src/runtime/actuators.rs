//! What acts in the world. Every act sets a state: it says what shall be, and saying it twice changes nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::protocol::Refusal;
use crate::domain::Change;

/// Every actuator there is.
#[derive(Debug, Clone)]
pub(super) struct Actuators {
    scaler: SimulatedScaler,
}

impl Actuators {
    /// With so many instances running.
    #[must_use]
    pub(super) fn new(instances: u16) -> Self {
        Self { scaler: SimulatedScaler { instances: Arc::new(AtomicU16::new(instances)) } }
    }

    /// Instances running.
    #[must_use]
    pub(super) fn instances(&self) -> u16 {
        self.scaler.instances.load(Ordering::Relaxed)
    }

    /// Takes up the number of instances that the log knows of, after a restart.
    pub(super) fn resume(&self, instances: u16) {
        self.scaler.instances.store(instances, Ordering::Relaxed);
    }

    /// Whether the target of a change is as the change wants it.
    ///
    /// # Errors
    /// [`Refusal`], telling whether another try is worth it.
    #[expect(clippy::unused_async, reason = "actuators over the network answer later")]
    pub(super) async fn reads(&self, change: &Change) -> Result<bool, Refusal> {
        Ok(match change {
            // In force once the result is folded, and there is no result yet.
            Change::ReorderPriority { .. }
            | Change::ExcludeAccount { .. }
            | Change::RestoreAccount { .. }
            | Change::SetArm { .. } => false,
            Change::Scale { to, .. } => self.instances() == *to,
        })
    }

    /// Sets the target of a change to what the change wants.
    ///
    /// # Errors
    /// [`Refusal`], telling whether another try is worth it.
    #[expect(clippy::unused_async, reason = "actuators over the network answer later")]
    pub(super) async fn set(&self, change: &Change) -> Result<(), Refusal> {
        match change {
            // Priority lists and exclusions are this engine's own routing, which the switch asks for each payment: the
            // fold of this act's result brings the change into force on every replica. Nobody else is to be told.
            Change::ReorderPriority { .. }
            | Change::ExcludeAccount { .. }
            | Change::RestoreAccount { .. }
            | Change::SetArm { .. } => Ok(()),
            Change::Scale { from, to } => self.scaler.scale(*from, *to),
        }
    }
}

/// Keeps a number of instances and starts none: for machines whose switch is not run by an orchestrator.
#[derive(Debug, Clone)]
struct SimulatedScaler {
    instances: Arc<AtomicU16>,
}

impl SimulatedScaler {
    fn scale(&self, from: u16, to: u16) -> Result<(), Refusal> {
        if to == 0 {
            return Err(Refusal::Refused("the last instance is never stopped".to_owned()));
        }
        let before = self.instances.swap(to, Ordering::Relaxed);
        tracing::info!(component = "scaling", from, before, to, "simulated: the number of instances is set, none is started");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_of_scale_may_be_repeated() {
        let actuators = Actuators::new(2);
        for _ in 0..2 {
            actuators.set(&Change::Scale { from: 2, to: 3 }).await.unwrap();
            assert_eq!(actuators.instances(), 3);
            assert_eq!(actuators.reads(&Change::Scale { from: 2, to: 3 }).await, Ok(true));
        }
        assert!(actuators.set(&Change::Scale { from: 1, to: 0 }).await.is_err());
    }
}
