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

/// The signals a screen's process handles, from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    stop: Signal,
    resume: Signal,
    resize: Signal,
}

impl Signals {
    /// Takes the signals over from their default actions; within a Tokio runtime.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
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
                () = heard(&mut self.hangup) => Wake::TerminalLost,
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

/// Waits for the next signal; forever once the driver is gone.
async fn heard(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}
