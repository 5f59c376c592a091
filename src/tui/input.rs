//! The input thread: waits for the terminal, reads it, turns bytes into keys. It ends when the terminal is gone.
//!
//! It asks `poll(2)` before every read and takes a hang-up for the end; a reader that does not burns a whole core
//! once its terminal is lost. It reads the bytes itself: one parser, no query, nothing to disagree with.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::BorrowedFd;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Wake;
use super::escape::Decoder;

/// Bytes of one read: a paste comes in several, a key in one.
const READ_MAX: usize = 1_024;

/// The running thread; it ends when this is dropped.
pub(super) struct Input {
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Input {
    /// Starts reading the terminal on standard input.
    pub(super) fn start(wake: Sender<Wake>, escape_wait: Duration) -> io::Result<Self> {
        let (stopped, stop) = io::pipe()?;
        let reader = Reader { stopped, decoder: Decoder::new(escape_wait), wake };
        let thread = std::thread::Builder::new().name("keys".into()).spawn(move || reader.run())?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // Closing the pipe hangs up the thread's own end of it.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It only ever panics on our own mistake, which the panic hook has told already.
            let _ = thread.join();
        }
    }
}

struct Reader {
    stopped: PipeReader,
    decoder: Decoder,
    wake: Sender<Wake>,
}

/// What the wait ended with.
enum Waited {
    Readable,
    Nothing,
    Lost,
    Stopped,
}

impl Reader {
    fn run(mut self) {
        loop {
            let mut keys = Vec::new();
            let lost = match self.wait() {
                Waited::Readable => self.read(&mut keys),
                Waited::Nothing => {
                    self.decoder.give_up(&mut keys);
                    false
                }
                Waited::Lost => true,
                Waited::Stopped => return,
            };
            let wakes = keys.into_iter().map(Wake::Key).chain(lost.then_some(Wake::TerminalLost));
            for wake in wakes {
                if self.wake.send(wake).is_err() {
                    return;
                }
            }
            if lost {
                return;
            }
        }
    }

    fn wait(&self) -> Waited {
        let stdin = stdin();
        let timeout = self.decoder.patience().and_then(|patience| Timespec::try_from(patience).ok());
        let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&self.stopped, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Waited::Nothing,
            // A signal: ask again; the escape's patience starts anew, which only lengthens it.
            Err(Errno::INTR) => return if self.decoder.patience().is_some() { Waited::Nothing } else { self.wait() },
            Err(_) => return Waited::Lost,
            Ok(_) => {}
        }
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        if !fds[1].revents().is_empty() {
            Waited::Stopped
        } else if fds[0].revents().intersects(gone) {
            Waited::Lost
        } else {
            Waited::Readable
        }
    }

    /// Reads what is there; tells whether the terminal is gone.
    fn read(&mut self, keys: &mut Vec<super::escape::Key>) -> bool {
        let mut bytes = [0; READ_MAX];
        match rustix::io::read(stdin(), &mut bytes) {
            Ok(0) => true,
            Ok(read) => {
                self.decoder.feed(&bytes[..read], keys);
                false
            }
            Err(Errno::INTR | Errno::AGAIN) => false,
            Err(_) => true,
        }
    }
}

fn stdin() -> BorrowedFd<'static> {
    rustix::stdio::stdin()
}
