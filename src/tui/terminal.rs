//! The terminal: entered once, left exactly once, whoever ends first.
//!
//! Drop, the panic hook and the signals share one idempotent [`restore`]. A frame is one write of what changed;
//! nothing changed, nothing is written. The terminal is never asked anything.

use std::io::{self, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::io::Errno;

/// Whether the terminal is ours now.
static ENTERED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// Gives the terminal back as it was. Safe to call from anywhere, any number of times; only the first one acts.
pub fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut bytes = Vec::new();
    // Nothing is left to do about a terminal that does not take its restoring.
    let _ = queue!(bytes, DisableBracketedPaste, Show, LeaveAlternateScreen);
    let _ = write_all(&bytes);
    let _ = disable_raw_mode();
}

/// Takes the terminal: raw mode, alternate screen, no cursor, pastes told apart from keys.
fn enter() -> io::Result<()> {
    if ENTERED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, Hide, EnableBracketedPaste, Clear(ClearType::All))?;
    enable_raw_mode().and_then(|()| write_all(&bytes)).inspect_err(|_| restore())
}

/// A panic of the screen's own thread restores the terminal before it is told; one of another thread must not
/// write over a screen that goes on: it goes to the log.
fn install_panic_hook() {
    let screen = std::thread::current().id();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if ENTERED.load(Ordering::SeqCst) && !ends_the_screen(screen) {
                tracing::error!(component = "tui", panic = %info, "a thread panicked");
                return;
            }
            restore();
            previous(info);
        }));
    });
}

fn ends_the_screen(screen: ThreadId) -> bool {
    std::thread::current().id() == screen
}

/// The screen: the frame drawn last, and the one being drawn.
pub(super) struct Terminal {
    shown: Buffer,
    next: Buffer,
    bytes: Vec<u8>,
}

impl Terminal {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        install_panic_hook();
        enter()?;
        let area = size()?;
        Ok(Self { shown: Buffer::empty(area), next: Buffer::empty(area), bytes: Vec::new() })
    }

    /// Leaves the terminal while the process is stopped, takes it again when it goes on.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        restore();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
        self.resume()
    }

    /// Takes the terminal again after the process was stopped: the shell may have changed everything.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        restore();
        enter()?;
        self.forget()
    }

    /// The next frame is drawn whole.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        self.bytes.clear();
        queue!(self.bytes, Clear(ClearType::All))?;
        self.shown = Buffer::empty(size()?);
        Ok(())
    }

    /// Draws a frame: what `paint` leaves different from the last one, in one write. Returns the bytes written.
    pub(super) fn draw(&mut self, paint: impl FnOnce(&mut Buffer)) -> io::Result<usize> {
        let area = size()?;
        if area != self.shown.area {
            self.forget()?;
        }
        self.next.resize(area);
        self.next.reset();
        paint(&mut self.next);
        encode(&self.shown, &self.next, &mut self.bytes)?;
        std::mem::swap(&mut self.shown, &mut self.next);
        let bytes = std::mem::take(&mut self.bytes);
        write_all(&bytes)?;
        Ok(bytes.len())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Appends what turns one frame into the next; nothing when they are equal.
fn encode(shown: &Buffer, next: &Buffer, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut changes = shown.diff_iter(next).peekable();
    if changes.peek().is_some() {
        CrosstermBackend::new(&mut *bytes).draw(changes)?;
    }
    Ok(())
}

fn size() -> io::Result<Rect> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout())?;
    Ok(Rect::new(0, 0, size.ws_col.max(1), size.ws_row.max(1)))
}

/// Writes it all to standard output, past every buffer of the standard library.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    io::stdout().flush()
}
