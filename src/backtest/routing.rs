//! How well a policy routes: payments are met in the order of their times, an outcome is revealed only for the
//! connector that was chosen, and only as long after the choice as it took.
//!
//! [`Case`] is what happened, [`Policy`] chooses, [`judge()`] replays and measures. Where every connector's outcome is
//! known (a simulation) the figures are exact; where only the chosen one's is (a log) they are estimates.

mod bdl;
mod case;
mod judge;
mod logged;
mod measure;
mod policy;
mod read;
mod rules;
pub mod suite;
mod words;
mod write;

pub use case::{Case, Choice, Outcome, Payment};
pub use judge::{Clock, Progress, Report, judge};
pub use logged::{Estimate, Lacking};
pub use policy::{Engine, Policy, PolicyName};
pub use read::{Refused, Remarks, read};
pub use write::write;
