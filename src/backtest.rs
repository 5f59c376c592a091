//! Judging the engine on the past: recorded or simulated payments, met again one after the other.

mod doubly_robust;
pub mod routing;
pub mod whatif;
