//! The simulated world: seeded merchants, customers, connectors and faults, for demo, training and tests.
//!
//! A [`Scenario`] says what the world is like and what goes wrong in it; a [`World`] makes it happen, in time order,
//! out of one seed; the [`driver`] lets the engine route it. The world knows the domain alone: it plays the switch,
//! the connectors and the customers, and must not know what the engine thinks of them.

pub mod baseline;
pub mod chance;
pub mod driver;
mod limits;
pub mod market;
pub mod mishap;
mod outcome;
pub mod scenario;
mod switch;
pub mod trial;
mod trouble;
pub mod vopr;
pub mod world;

pub use driver::operator::Deciding;
pub use driver::{Driver, Score};
pub use scenario::{Scenario, ScenarioError};
pub use trial::{Policy, Trial};
pub use world::{Tally, World, WorldEvent};
