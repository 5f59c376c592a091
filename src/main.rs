//! The `apos` binary: everything is in the library, so that tests can use it.

use std::process::ExitCode;

/// Records are freed by other threads than made them; the system's allocator then contends, this one does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    apos::cli::main()
}
