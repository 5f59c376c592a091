//! `apos man [COMMAND]`: manual pages, made from the command line's own definition.

use anyhow::Context;
use clap_mangen::Man;

use super::{Ended, Failure, output};

pub(super) fn run(subcommand: Option<&str>, mut command: clap::Command) -> Result<Ended, Failure> {
    command.build();
    let wanted = match subcommand {
        None => command,
        Some(name) => command
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::usage(format!("there is no command `{name}`: see apos --help")))?,
    };
    let mut page = Vec::new();
    Man::new(wanted).render(&mut page).context("the manual page cannot be made")?;
    output::data(&page)?;
    Ok(Ended::Fine)
}
