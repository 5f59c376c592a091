//! The simulated world: seeds, scenarios, the demo.
