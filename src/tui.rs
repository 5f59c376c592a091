//! The dashboard: a screen drawn from a snapshot, keys that become commands.
