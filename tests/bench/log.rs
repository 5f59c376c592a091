//! Benches of the log.

fn main() {}
