//! Servers, folders and fixtures the tests share.
