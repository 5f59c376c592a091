//! The whole program live: crash, restart, nothing lost, nothing twice.
