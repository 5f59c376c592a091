//! Servers, folders and fixtures the tests share.

pub(crate) mod app;
pub(crate) mod binary;
pub(crate) mod entries;
pub(crate) mod plain;
pub(crate) mod port;
pub(crate) mod postgres;
pub(crate) mod recomputed;
pub(crate) mod redis;
pub(crate) mod switch;
