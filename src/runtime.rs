//! Wiring: intake, the engine's loop, projector, executor, leader, clock, shutdown.

pub mod clock;
pub mod overlay;
