//! Free loopback ports, and waiting for what listens on them.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::{Result, bail};

/// A port that was free a moment ago. Another process may take it first, so whoever starts a server tries again.
pub(crate) fn free() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// How often a condition is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(10);

/// Waits until `ready` says so, looking every 10 ms, for at most `patience`.
pub(crate) fn wait(what: &str, patience: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let looks = patience.as_millis() / POLL.as_millis();
    for _ in 0..looks {
        if ready()? {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
    bail!("{what} was not ready after {patience:?}")
}
