//! The native API, from outside.
