//! Judging the engine on the past: recorded or simulated payments, met again one after the other.

pub mod routing;
