//! Hyperswitch, the payment switch: its webhooks in, its own API out.
//!
//! Of what it sends only the fields named here are read. Names, e-mail addresses, phone numbers and card holders stand in
//! the same bodies and are never deserialised, so that nothing behind these files can leak them.

pub mod attempts;
pub mod rest;
pub mod webhook;

pub use rest::{ApiKeys, AskError, Switch};
pub use webhook::{Delivery, SIGNATURE_HEADER, parse, signed};
