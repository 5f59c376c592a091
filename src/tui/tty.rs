//! Writing to the terminal, on a thread of its own.
//!
//! A terminal whose reader stands still (a frozen SSH session, a paused pane) takes no bytes: a write to it ends when it is
//! read again, or never. So nobody but this thread waits for one. It writes what it is given in order, tells when each is
//! taken, and is left behind by a process that ends. `O_NONBLOCK` would be no cure: that flag belongs to the open
//! file, which standard output shares with the shell.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// The thread's queue, once there is one: restoring must reach it from wherever the process ends.
static QUEUE: Mutex<Option<Sender<Job>>> = Mutex::new(None);

/// Bytes to write, and who is told that they are taken.
struct Job {
    bytes: Vec<u8>,
    done: Box<dyn FnOnce(io::Result<()>) + Send>,
}

/// Hands over bytes and returns at once; `done` hears from the writing thread what became of them.
///
/// # Errors
/// When the thread cannot be started.
pub(super) fn write(bytes: Vec<u8>, done: impl FnOnce(io::Result<()>) + Send + 'static) -> io::Result<()> {
    let job = Job { bytes, done: Box::new(done) };
    let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    let sender = match queue.take() {
        Some(sender) => sender,
        None => start()?,
    };
    queue.insert(sender).send(job).map_err(|_| io::ErrorKind::BrokenPipe.into())
}

/// Hands over bytes and waits until they are taken, but no longer than `patience`; they stay handed over.
///
/// # Errors
/// When they cannot be written, or are not taken in time.
pub(super) fn write_within(bytes: Vec<u8>, patience: Duration) -> io::Result<()> {
    let (done, is_done) = mpsc::channel();
    // Who no longer waits need not be told.
    write(bytes, move |written| drop(done.send(written)))?;
    is_done.recv_timeout(patience).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn start() -> io::Result<Sender<Job>> {
    let (sender, jobs) = mpsc::channel();
    std::thread::Builder::new().name("tty".into()).spawn(move || run(&jobs))?;
    Ok(sender)
}

fn run(jobs: &Receiver<Job>) {
    for Job { bytes, done } in jobs {
        done(write_all(&bytes));
    }
}

/// Writes it all to standard output, past every buffer of the standard library.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Somebody who shares the open file made it non-blocking.
            Err(Errno::AGAIN) => until_writable()?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn until_writable() -> io::Result<()> {
    let stdout = rustix::stdio::stdout();
    match poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
