//! The program on a real pseudo-terminal: first frame, resize, split keys, signals, loss, restore.
#![expect(clippy::disallowed_methods, reason = "deadlines of a test run in wall time")]

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::num::NonZero;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a loaded machine; every wait ends as soon as what it waits for is there.
const DEADLINE: Duration = Duration::from_secs(20);
/// A dialog takes no keys in its first 300 ms: a person's pause.
const PAUSE: Duration = Duration::from_millis(400);

/// The program on a terminal of its own.
struct Pty {
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
    unread: Arc<AtomicBool>,
    reading: JoinHandle<()>,
    home: tempfile::TempDir,
}

/// What the terminal received.
struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn nonzero(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

impl Pty {
    fn demo(cols: u16, rows: u16) -> Self {
        Self::start((cols, rows), &["demo", "--scenario", "outage", "--seed", "7"], &[])
    }

    fn start((cols, rows): (u16, u16), arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(cols, rows)).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_apos"));
        command.args(arguments);
        command.env_clear();
        let usual = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("PATH", "/usr/bin:/bin")];
        for (key, value) in usual.iter().chain(variables) {
            command.env(key, value);
        }
        for key in ["HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(key, home.path());
        }
        command.cwd(home.path());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let seen =
            Arc::new(Mutex::new(Seen { screen: vt100::Parser::new(nonzero(rows), nonzero(cols), 0), bytes: Vec::new() }));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (record, unread) = (Arc::clone(&seen), Arc::new(AtomicBool::new(false)));
        let done = Arc::clone(&unread);
        let reading = std::thread::Builder::new()
            .name("pty".into())
            .spawn(move || {
                let mut chunk = [0; 8_192];
                while !done.load(Ordering::SeqCst)
                    && let Ok(read @ 1..) = reader.read(&mut chunk)
                {
                    let mut seen = record.lock().unwrap();
                    seen.screen.process(&chunk[..read]);
                    seen.bytes.extend_from_slice(&chunk[..read]);
                }
            })
            .unwrap();
        let keys = pair.master.take_writer().unwrap();
        Self { master: Some(pair.master), keys, child, seen, unread, reading, home }
    }

    /// The demo, once its world runs.
    fn running() -> Self {
        let mut pty = Self::demo(80, 24);
        pty.wait("the first connectors", |seen| seen.screen.screen().contents().contains("healthy"));
        pty
    }

    fn type_bytes(&mut self, bytes: &[u8]) {
        self.keys.write_all(bytes).unwrap();
        self.keys.flush().unwrap();
    }

    fn contents(&self) -> String {
        self.seen.lock().unwrap().screen.screen().contents()
    }

    fn wait(&mut self, what: &str, is_there: impl Fn(&Seen) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !is_there(&self.seen.lock().unwrap()) {
            assert!(Instant::now() < end, "no {what} within {DEADLINE:?}; the screen:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait_for_text(&mut self, text: &str) {
        self.wait(&format!("`{text}`"), |seen| seen.screen.screen().contents().contains(text));
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.process_id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Stops reading the terminal, as a frozen SSH session does, and fills what it still takes. A flag of our own file
    /// keeps the filling from waiting; the program's is another.
    fn freeze(&mut self) {
        self.unread.store(true, Ordering::SeqCst);
        let slave = self.master.as_ref().unwrap().tty_name().unwrap();
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap();
        let mut slave = OpenOptions::new().write(true).custom_flags(flags).open(slave).unwrap();
        // The recording thread may take one chunk more, and then there is room again: full is when it has ended, too.
        while !(slave.write(&[b' '; 1_024]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
            && self.reading.is_finished())
        {}
    }

    /// Takes the terminal away: all that holds it, the recording thread after the next frame.
    fn hang_up(&mut self) {
        self.unread.store(true, Ordering::SeqCst);
        self.keys = Box::new(std::io::sink());
        self.master = None;
    }

    /// Waits for the end; returns the exit code.
    fn ended(&mut self) -> u32 {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "still running after {DEADLINE:?}:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The private modes that were switched on and not off again, but for those that are on from the start.
    fn modes_left_on(&self) -> Vec<u16> {
        let bytes = self.seen.lock().unwrap().bytes.clone();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut on = Vec::new();
        for part in text.split("\u{1b}[?").skip(1) {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let (Ok(mode), switch) = (part[..end].parse::<u16>(), part[end..].chars().next()) else { continue };
            on.retain(|m| *m != mode);
            if switch == Some('h') && mode != 25 && mode != 7 {
                on.push(mode);
            }
            if switch == Some('l') && mode == 25 {
                on.push(mode);
            }
        }
        on
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Only our own child, and only where a failed assertion left it running.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

#[test]
fn leaving_asks_and_gives_the_terminal_back() {
    let mut pty = Pty::running();
    assert!(pty.contents().contains("SIMULATION"));
    pty.type_bytes(b"q");
    pty.wait_for_text("Leave the simulation?");
    std::thread::sleep(PAUSE);
    pty.type_bytes(b"y");
    assert_eq!(pty.ended(), 0);
    pty.wait("the restored screen", |seen| !seen.screen.screen().alternate_screen());
    assert_eq!(pty.modes_left_on(), Vec::<u16>::new());
}

#[test]
fn sigterm_and_sigquit_give_the_terminal_back() {
    for signal in [Signal::TERM, Signal::QUIT] {
        let mut pty = Pty::running();
        pty.signal(signal);
        assert_eq!(pty.ended(), 0);
        pty.wait("the restored screen", |seen| !seen.screen.screen().alternate_screen());
        assert_eq!(pty.modes_left_on(), Vec::<u16>::new());
    }
}

#[test]
fn a_terminal_that_nobody_reads_does_not_hold_up_the_end() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut pty = Pty::running();
        pty.freeze();
        pty.signal(signal);
        assert_eq!(pty.ended(), 0);
    }
}

#[test]
fn a_terminal_that_nobody_reads_does_not_hold_up_the_engines_orderly_stop() {
    let mut pty = Pty::start((80, 24), &["run"], &[("APOS__API__LISTEN", "127.0.0.1:0")]);
    let log = pty.home.path().join("apos/apos.log");
    let told = |text: &'static str| {
        let log = log.clone();
        move |_: &Seen| std::fs::read_to_string(&log).is_ok_and(|log| log.contains(text))
    };
    pty.wait("word that it listens", told("listening"));
    pty.freeze();
    // The screen is lost, the engine goes on; then it is asked to end.
    pty.signal(Signal::HUP);
    pty.wait("word that it goes on", told("going on without a screen"));
    pty.signal(Signal::TERM);
    assert_eq!(pty.ended(), 0);
    pty.wait("word of the orderly stop", told("\"stopped\""));
}

#[test]
fn a_lost_terminal_ends_the_demo() {
    let mut pty = Pty::running();
    pty.hang_up();
    pty.ended();
}

#[test]
fn a_resize_is_drawn_and_a_small_one_says_what_is_needed() {
    let mut pty = Pty::running();
    for (cols, rows, text) in [(60, 20, "have 60x20, need 80x24"), (120, 36, "Healing queue")] {
        pty.seen.lock().unwrap().screen.screen_mut().set_size(nonzero(rows), nonzero(cols));
        pty.master.as_ref().unwrap().resize(size(cols, rows)).unwrap();
        pty.wait_for_text(text);
    }
}

#[test]
fn an_arrow_cut_in_three_does_not_close_what_is_open() {
    let mut pty = Pty::running();
    pty.type_bytes(b"?");
    pty.wait_for_text("Keys");
    for byte in b"\x1b[B" {
        pty.type_bytes(&[*byte]);
        std::thread::sleep(Duration::from_millis(10));
    }
    pty.wait("a key's echo", |seen| seen.bytes.len() > 2_000);
    assert!(pty.contents().contains("Approval of an action") || pty.contents().contains("Details and help"));
    pty.type_bytes(b"\x1b");
    pty.wait("the closed help", |seen| !seen.screen.screen().contents().contains("Details and help"));
}

#[test]
fn stopping_leaves_the_screen_and_going_on_brings_it_back() {
    let mut pty = Pty::running();
    pty.signal(Signal::TSTP);
    pty.wait("the shell's screen", |seen| !seen.screen.screen().alternate_screen());
    pty.signal(Signal::CONT);
    pty.wait("the dashboard's screen", |seen| {
        seen.screen.screen().alternate_screen() && seen.screen.screen().contents().contains("SIMULATION")
    });
}

#[test]
fn ctrl_z_stops_a_simulation_until_the_shell_continues_it() {
    let mut pty = Pty::running();
    pty.type_bytes(b"\x1a");
    pty.wait("the shell's screen", |seen| !seen.screen.screen().alternate_screen());
    pty.signal(Signal::CONT);
    pty.wait("the dashboard's screen", |seen| {
        seen.screen.screen().alternate_screen() && seen.screen.screen().contents().contains("SIMULATION")
    });
}

#[test]
fn a_terminal_lost_while_the_log_is_opened_leaves_the_engine_to_start_without_it() {
    // Takes connections and never answers: the log stays half open.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let variables =
        [("APOS__LOG__KIND", "redis"), ("APOS__LOG__REDIS_URL", url.as_str()), ("APOS__API__LISTEN", "127.0.0.1:0")];
    let mut pty = Pty::start((80, 24), &["run"], &variables);
    pty.wait_for_text("waiting for the engine");
    // No frame comes that would let the recording thread go of the terminal: the loss is told by its signal.
    pty.signal(Signal::HUP);
    let log = pty.home.path().join("apos/apos.log");
    let goes_on = |log: &str| log.contains("going on without a screen");
    pty.wait("word that it goes on", |_| std::fs::read_to_string(&log).is_ok_and(|log| goes_on(&log)));
    pty.signal(Signal::TERM);
    assert_eq!(pty.ended(), 0);
}

#[test]
fn a_paused_demo_sends_nothing() {
    let mut pty = Pty::running();
    pty.type_bytes(b" ");
    pty.wait_for_text("PAUSED");
    let quiet_for = |pty: &Pty, span: Duration| {
        let before = pty.seen.lock().unwrap().bytes.len();
        std::thread::sleep(span);
        pty.seen.lock().unwrap().bytes.len() == before
    };
    let end = Instant::now() + DEADLINE;
    while !quiet_for(&pty, Duration::from_millis(1_500)) {
        assert!(Instant::now() < end, "a screen on which nothing changes still sends");
    }
}
