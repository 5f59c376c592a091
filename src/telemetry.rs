//! JSON logs to rolling, size-capped files.
