//! `apos completions SHELL`.

use clap_complete::Shell;

use super::{Ended, Failure, output};

pub(super) fn run(shell: Shell, mut command: clap::Command) -> Result<Ended, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "apos", &mut script);
    output::data(&script)?;
    Ok(Ended::Fine)
}
