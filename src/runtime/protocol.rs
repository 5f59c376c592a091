//! The parts where loss and duplication live, as small state machines without IO, clock or entropy.
//!
//! Each is told what happened and when, and says what to do next; who does it is no business of theirs. In production
//! the shells beside this folder do it, with tokio; in `apos vopr` a simulator does, with faults.
//!
//! Two clocks come in: `now`, monotonic, since this process started; and `at`, the log's time as this process tells it.

pub mod agenda;
pub mod execution;
pub mod fetching;
pub mod intake;
pub mod leadership;
pub mod planted;
pub mod projection;
pub mod spool;

pub use agenda::{Acts, Agenda};
pub use execution::{Executions, Move, Refusal};
pub use fetching::{Fetches, Pace};
pub use intake::{Intake, Next};
pub use leadership::{Appended, Leadership, Lease, Step};
pub use planted::{Bug, Planted};
pub use projection::Projection;
pub use spool::{Drain, Route, Spool};
