//! The simulated world: seeded merchants, customers, connectors and faults, for demo, training and tests.
