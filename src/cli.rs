//! The command line: pick a mode; one file a subcommand.
