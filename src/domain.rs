//! Ground values: what every other part of APOS speaks in.
//!
//! Nothing here reads a clock, performs IO, draws entropy or knows another folder of this crate. Values are
//! parsed once, at the edge, by the one `parse` of their type; inside, nothing is checked again.

pub mod change;
pub mod command;
pub mod context;
pub mod country;
pub mod decision;
pub mod entry;
pub mod ids;
pub mod kinds;
pub mod model;
pub mod money;
pub(crate) mod numbers;
pub mod payment;
pub mod personal;
pub mod rule;
pub mod settings;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;
pub mod variables;
pub mod wording;

pub use change::{ActionClass, Change, PriorityMove};
pub use command::{Command, Order, Role};
pub use context::{Context, Issuer};
pub use decision::{Approach, Candidate, Decision, Exclusion, Note, Request};
pub use entry::{Act, Body, EffectId, EffectResult, Entry, FetchEnd, Position, Record, ResourceSample, Step};
pub use ids::{ActionId, ConnectorAccount, ConnectorName, EventId, IncidentId, OperatorName, PaymentId, ProfileId};
pub use kinds::{
    Autonomy, CardType, Comparison, Credential, DeclineClass, EventKind, Initiator, Method, Network, Purpose, Source,
};
pub use model::Model;
pub use money::{Currency, Money};
pub use payment::{Bin, Country, Decline, PaymentEvent};
pub use rule::{Rule, RuleId};
pub use settings::Settings;
pub use time::Time;
