//! Signals, as wakes for the screen. Needs a Tokio runtime with its signal driver; the screen itself has none.
//!
//! A hang-up or a quit that whoever started the process ignores (`nohup`) stays ignored.

use std::io;
use std::sync::mpsc::Sender;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Wake;

/// Linux and the BSDs number job control alike where it matters: SIGTSTP is 20 on Linux, 18 on the BSDs and macOS.
fn terminal_stop() -> SignalKind {
    SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw())
}

fn resumed() -> SignalKind {
    SignalKind::from_raw(rustix::process::Signal::CONT.as_raw())
}

/// The signals a screen's process handles, from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Option<Signal>,
    hangup: Option<Signal>,
    stop: Signal,
    resume: Signal,
    resize: Signal,
}

impl Signals {
    /// Takes the signals over from their default actions; within a Tokio runtime.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: unless_ignored(SignalKind::quit())?,
            hangup: unless_ignored(SignalKind::hangup())?,
            stop: signal(terminal_stop())?,
            resume: signal(resumed())?,
            resize: signal(SignalKind::window_change())?,
        })
    }

    /// Tells the screen of each, until nobody listens any more.
    pub async fn forward(mut self, wake: Sender<Wake>) {
        loop {
            let next = tokio::select! {
                () = heard(&mut self.terminate) => Wake::Terminate("SIGTERM"),
                () = heard(&mut self.interrupt) => Wake::Terminate("SIGINT"),
                () = heard_if_any(&mut self.quit) => Wake::Terminate("SIGQUIT"),
                () = heard_if_any(&mut self.hangup) => Wake::TerminalLost,
                () = heard(&mut self.stop) => Wake::Suspend,
                () = heard(&mut self.resume) => Wake::Continued,
                () = heard(&mut self.resize) => Wake::Resized,
            };
            if wake.send(next).is_err() {
                return;
            }
        }
    }
}

/// Listens to a signal, unless the process was started with it ignored.
///
/// # Errors
/// When the operating system refuses a handler.
pub fn unless_ignored(kind: SignalKind) -> io::Result<Option<Signal>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if is_ignored(&status, kind) { Ok(None) } else { signal(kind).map(Some) }
}

/// Whether a process with this `/proc` status ignores a signal. Only Linux has one; elsewhere nothing is taken for ignored:
/// asking the system itself would take unsafe code.
fn is_ignored(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}

/// Waits for the next signal; forever where it is ignored.
pub async fn heard_if_any(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => heard(signal).await,
        None => std::future::pending().await,
    }
}

/// Waits for the next signal; forever once the driver is gone.
async fn heard(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_read_from_its_bit() {
        let status = "Name:\tapos\nSigBlk:\t0000000000000005\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(status, SignalKind::hangup()));
        assert!(!is_ignored(status, SignalKind::quit()));
        assert!(!is_ignored("", SignalKind::hangup()));
    }
}
