//! Adapters: one file per thing talked to. They parse at the edge and know nothing of policy.

mod card;
pub mod decline;
pub mod hyperswitch;
pub mod json;
pub mod peer;
pub mod stream;
