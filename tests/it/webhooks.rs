//! Signed webhooks, from outside.
