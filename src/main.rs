//! The `apos` binary.

fn main() {}
