//! Signals, as wakes for the screen. Needs a Tokio runtime with its signal driver; the screen itself has none.

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

/// Forwards SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT and SIGWINCH until the screen has gone.
///
/// # Errors
/// When a handler cannot be installed.
pub async fn forward(wake: Sender<Wake>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut stop = signal(terminal_stop())?;
    let mut resume = signal(resumed())?;
    let mut resize = signal(SignalKind::window_change())?;
    loop {
        let next = tokio::select! {
            () = heard(&mut terminate) => Wake::Terminate("SIGTERM"),
            () = heard(&mut interrupt) => Wake::Terminate("SIGINT"),
            () = heard(&mut hangup) => Wake::TerminalLost,
            () = heard(&mut stop) => Wake::Suspend,
            () = heard(&mut resume) => Wake::Continued,
            () = heard(&mut resize) => Wake::Resized,
        };
        if wake.send(next).is_err() {
            return Ok(());
        }
    }
}

/// Waits for the next signal; forever once the driver is gone.
async fn heard(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}
