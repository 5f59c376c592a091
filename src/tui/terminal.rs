//! The terminal: entered once, left exactly once, whoever ends first.
//!
//! Drop, the panic hook and the signals share one idempotent [`restore`]. A frame is one write of what changed;
//! nothing changed, nothing is written. The terminal is never asked anything, and nothing here waits for it to be read:
//! see `tty.rs`.

use std::io;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::ThreadId;
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Wake, tty};

/// How long a terminal may take to be given back. One that is read takes its bytes in milliseconds, over a slow link in
/// tenths of a second; one that is not read must hold up neither the end nor the engine's orderly stop.
const RESTORE_PATIENCE: Duration = Duration::from_millis(500);

/// Whether the terminal is ours now.
static ENTERED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// Gives the terminal back as it was, as well as that goes within half a second. Safe to call from anywhere, any number
/// of times; only the first one acts.
pub fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut bytes = Vec::new();
    // Nothing is left to do about a terminal that does not take its restoring.
    let _ = queue!(bytes, DisableBracketedPaste, Show, LeaveAlternateScreen);
    let _ = tty::write_within(bytes, RESTORE_PATIENCE);
    let _ = disable_raw_mode();
}

/// Takes the terminal: raw mode, alternate screen, no cursor, pastes told apart from keys.
fn enter(waker: &Sender<Wake>) -> io::Result<()> {
    if ENTERED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, Hide, EnableBracketedPaste, Clear(ClearType::All))?;
    let waker = waker.clone();
    let taken = move |taken: io::Result<()>| {
        if taken.is_err() {
            // The screen may have ended meanwhile.
            let _ = waker.send(Wake::TerminalLost);
        }
    };
    enable_raw_mode().and_then(|()| tty::write(bytes, taken)).inspect_err(|_| restore())
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
    waker: Sender<Wake>,
}

impl Terminal {
    /// Takes the terminal. What becomes of it and of each frame is told to `waker`.
    pub(super) fn open(waker: Sender<Wake>) -> io::Result<Self> {
        install_panic_hook();
        enter(&waker)?;
        let area = size()?;
        Ok(Self { shown: Buffer::empty(area), next: Buffer::empty(area), bytes: Vec::new(), waker })
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
        enter(&self.waker)?;
        self.forget()
    }

    /// The next frame is drawn whole.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        self.bytes.clear();
        queue!(self.bytes, Clear(ClearType::All))?;
        self.shown = Buffer::empty(size()?);
        Ok(())
    }

    /// Draws a frame: what `paint` leaves different from the last one, in one write. Tells whether there is anything to
    /// write; then [`Wake::Written`] follows, or [`Wake::TerminalLost`].
    pub(super) fn draw(&mut self, paint: impl FnOnce(&mut Buffer)) -> io::Result<bool> {
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
        if bytes.is_empty() {
            return Ok(false);
        }
        let waker = self.waker.clone();
        tty::write(bytes, move |taken| {
            // The screen may have ended meanwhile.
            let _ = waker.send(if taken.is_ok() { Wake::Written } else { Wake::TerminalLost });
        })?;
        Ok(true)
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
