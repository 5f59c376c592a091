//! Keys out of bytes: a pure state machine between the terminal's input and the key table.
//!
//! A terminal sends an arrow as three bytes, and a slow link may deliver them one by one. Whoever takes a lone
//! ESC for the Esc key then closes a dialog and fires two letters. So ESC is held until what follows shows what
//! it was, or until [`Decoder::patience`] has passed without anything. Nothing here reads a clock or a terminal.

use std::time::Duration;

/// One press, or one paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A printable character.
    Char(char),
    /// A control character, by its letter: `Ctrl('l')`.
    Ctrl(char),
    /// Return, or Enter on the keypad.
    Enter,
    /// Escape, alone.
    Esc,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Backspace.
    Backspace,
    /// Text from the clipboard: never taken for keys.
    Paste(String),
    /// A whole sequence that means nothing here: function keys, Alt with a letter, answers of the terminal.
    Unknown,
}

/// Longest control sequence waited for. Real ones end within 20 bytes; a longer one is noise and is dropped.
const SEQUENCE_MAX: usize = 64;
/// Longest paste kept, in bytes: the only text that is typed here is a reason of 200 characters.
const PASTE_MAX: usize = 4_096;
/// A paste whose end has not come for so long was cut off; a shorter wait would let its rest leak as keys.
const PASTE_PATIENCE: Duration = Duration::from_secs(2);
const PASTE_BEGINS: &[u8] = b"200";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// What the bytes held so far amount to.
enum Read {
    /// A key, and how many bytes it took.
    Key(Key, usize),
    /// A paste begins after so many bytes.
    PasteBegins(usize),
    /// The sequence is not complete.
    More,
}

/// The state machine: bytes in, keys out.
#[derive(Debug)]
pub struct Decoder {
    held: Vec<u8>,
    paste: Option<Vec<u8>>,
    escape_wait: Duration,
}

impl Decoder {
    /// A decoder that holds an unfinished sequence for `escape_wait` (50 ms; 100 ms over SSH).
    #[must_use]
    pub const fn new(escape_wait: Duration) -> Self {
        Self { held: Vec::new(), paste: None, escape_wait }
    }

    /// Takes what the terminal sent and appends the keys it completes.
    pub fn feed(&mut self, bytes: &[u8], keys: &mut Vec<Key>) {
        for &byte in bytes {
            if self.paste.is_some() {
                self.feed_paste(byte, keys);
            } else {
                self.held.push(byte);
                self.take_complete(keys);
            }
        }
    }

    /// How long to wait for more bytes before calling [`Decoder::give_up`]; none when nothing is held.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        if self.paste.is_some() { Some(PASTE_PATIENCE) } else { (!self.held.is_empty()).then_some(self.escape_wait) }
    }

    /// Nothing more came in time: a lone ESC was the Esc key, the beginning of anything else is noise.
    pub fn give_up(&mut self, keys: &mut Vec<Key>) {
        if let Some(text) = self.paste.take() {
            keys.push(pasted(&text));
        } else if !self.held.is_empty() {
            keys.push(if self.held == [0x1b] { Key::Esc } else { Key::Unknown });
            self.held.clear();
        }
    }

    fn feed_paste(&mut self, byte: u8, keys: &mut Vec<Key>) {
        let Some(text) = &mut self.paste else { return };
        text.push(byte);
        if text.ends_with(PASTE_ENDS) {
            text.truncate(text.len() - PASTE_ENDS.len());
            keys.push(pasted(text));
            self.paste = None;
        } else if text.len() > PASTE_MAX + PASTE_ENDS.len() {
            let excess = text.len() - PASTE_ENDS.len();
            text.drain(PASTE_MAX..excess);
        }
    }

    fn take_complete(&mut self, keys: &mut Vec<Key>) {
        while !self.held.is_empty() {
            match read(&self.held) {
                Read::Key(key, taken) => {
                    self.held.drain(..taken);
                    keys.push(key);
                }
                Read::PasteBegins(taken) => {
                    self.held.drain(..taken);
                    self.paste = Some(Vec::new());
                    return;
                }
                Read::More => return,
            }
        }
    }
}

fn pasted(text: &[u8]) -> Key {
    Key::Paste(String::from_utf8_lossy(text).into_owned())
}

fn read(held: &[u8]) -> Read {
    match held {
        [0x1b] => Read::More,
        [0x1b, b'[', rest @ ..] => read_csi(rest),
        [0x1b, b'O', rest @ ..] => read_ss3(rest),
        // Two presses of Esc: the first one is complete, the second may still begin a sequence.
        [0x1b, 0x1b, ..] => Read::Key(Key::Esc, 1),
        [0x1b, ..] => Read::Key(Key::Unknown, 2),
        [first, ..] if *first < 0x80 => Read::Key(plain(*first), 1),
        _ => read_utf8(held),
    }
}

fn plain(byte: u8) -> Key {
    match byte {
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x08 | 0x7f => Key::Backspace,
        0x01..=0x1a => Key::Ctrl(char::from(byte - 1 + b'a')),
        0x20..=0x7e => Key::Char(char::from(byte)),
        _ => Key::Unknown,
    }
}

/// `ESC [ parameters final`, as ECMA-48 section 5.4 defines it.
fn read_csi(rest: &[u8]) -> Read {
    let body = rest.iter().take_while(|b| (0x20..=0x3f).contains(*b)).count();
    let taken = 2 + body + 1;
    let Some(last) = rest.get(body) else {
        return if body > SEQUENCE_MAX { Read::Key(Key::Unknown, 2 + body) } else { Read::More };
    };
    let key = match (&rest[..body], last) {
        (b"" | b"1", b'A') => Key::Up,
        (b"" | b"1", b'B') => Key::Down,
        (b"" | b"1", b'C') => Key::Right,
        (b"" | b"1", b'D') => Key::Left,
        (b"", b'H') | (b"1" | b"7", b'~') => Key::Home,
        (b"", b'F') | (b"4" | b"8", b'~') => Key::End,
        (b"5", b'~') => Key::PageUp,
        (b"6", b'~') => Key::PageDown,
        (b"", b'Z') => Key::BackTab,
        (PASTE_BEGINS, b'~') => return Read::PasteBegins(taken),
        // A byte that cannot stand in a sequence: drop what was begun, keep the byte for itself.
        (_, byte) if !(0x40..=0x7e).contains(byte) => return Read::Key(Key::Unknown, taken - 1),
        _ => Key::Unknown,
    };
    Read::Key(key, taken)
}

/// `ESC O final`: arrows and Home/End in application mode, the keypad.
fn read_ss3(rest: &[u8]) -> Read {
    let Some(last) = rest.first() else { return Read::More };
    let key = match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        0x1b => return Read::Key(Key::Unknown, 2),
        _ => Key::Unknown,
    };
    Read::Key(key, 3)
}

fn read_utf8(held: &[u8]) -> Read {
    let length = match held[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Read::Key(Key::Unknown, 1),
    };
    let known = held.len().min(length);
    match std::str::from_utf8(&held[..known]) {
        Ok(text) => text.chars().next().map_or(Read::More, |c| Read::Key(Key::Char(c), length)),
        Err(error) if error.error_len().is_none() => Read::More,
        Err(_) => Read::Key(Key::Unknown, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEQUENCES: &[(&[u8], Key)] = &[
        (b"\x1b[A", Key::Up),
        (b"\x1b[B", Key::Down),
        (b"\x1b[C", Key::Right),
        (b"\x1b[D", Key::Left),
        (b"\x1bOA", Key::Up),
        (b"\x1bOB", Key::Down),
        (b"\x1bOC", Key::Right),
        (b"\x1bOD", Key::Left),
        (b"\x1bOH", Key::Home),
        (b"\x1bOF", Key::End),
        (b"\x1bOM", Key::Enter),
        (b"\x1b[H", Key::Home),
        (b"\x1b[F", Key::End),
        (b"\x1b[1~", Key::Home),
        (b"\x1b[4~", Key::End),
        (b"\x1b[5~", Key::PageUp),
        (b"\x1b[6~", Key::PageDown),
        (b"\x1b[Z", Key::BackTab),
        (b"\x1b[1;5A", Key::Unknown),
        (b"\x1b[15~", Key::Unknown),
        (b"\x1b[<0;12;7M", Key::Unknown),
        (b"\x1by", Key::Unknown),
        (b"y", Key::Char('y')),
        (b"\r", Key::Enter),
        (b"\t", Key::Tab),
        (b"\x7f", Key::Backspace),
        (b"\x0c", Key::Ctrl('l')),
        ("é".as_bytes(), Key::Char('é')),
        ("€".as_bytes(), Key::Char('€')),
        ("𝄞".as_bytes(), Key::Char('𝄞')),
    ];

    fn decoder() -> Decoder {
        Decoder::new(Duration::from_millis(50))
    }

    #[test]
    fn every_sequence_split_at_every_byte_is_the_same_key() {
        for (bytes, key) in SEQUENCES {
            for cut in 0..=bytes.len() {
                let (mut decoder, mut keys) = (decoder(), Vec::new());
                decoder.feed(&bytes[..cut], &mut keys);
                decoder.feed(&bytes[cut..], &mut keys);
                assert_eq!(keys, std::slice::from_ref(key), "{bytes:?} cut at {cut}");
                assert_eq!(decoder.patience(), None, "{bytes:?} leaves nothing held");
            }
        }
    }

    #[test]
    fn every_pair_of_sequences_in_one_read_is_two_keys() {
        for (first, a) in SEQUENCES {
            for (second, b) in SEQUENCES {
                let (mut decoder, mut keys) = (decoder(), Vec::new());
                decoder.feed(&[*first, *second].concat(), &mut keys);
                assert_eq!(keys, [a.clone(), b.clone()], "{first:?} then {second:?}");
            }
        }
    }

    #[test]
    fn a_lone_escape_is_the_key_after_its_patience_and_fires_no_letter() {
        let (mut decoder, mut keys) = (decoder(), Vec::new());
        decoder.feed(b"\x1b", &mut keys);
        assert_eq!((keys.len(), decoder.patience()), (0, Some(Duration::from_millis(50))));
        decoder.give_up(&mut keys);
        assert_eq!(keys, [Key::Esc]);
        assert_eq!(decoder.patience(), None);
    }

    #[test]
    fn a_sequence_that_never_ends_is_one_unknown_key() {
        for begun in [&b"\x1b["[..], b"\x1b[1;", b"\x1bO", b"\xe2\x82"] {
            let (mut decoder, mut keys) = (decoder(), Vec::new());
            decoder.feed(begun, &mut keys);
            decoder.give_up(&mut keys);
            assert_eq!(keys, [Key::Unknown], "{begun:?}");
        }
        let (mut decoder, mut keys) = (decoder(), Vec::new());
        decoder.feed(b"\x1b[", &mut keys);
        decoder.feed(&[b'1'; 200], &mut keys);
        assert!(decoder.held.len() <= SEQUENCE_MAX + 2);
    }

    #[test]
    fn a_paste_is_text_and_never_keys_wherever_it_is_cut() {
        let bytes = b"\x1b[200~yes\ry\x1b[A!\x1b[201~q";
        for cut in 0..=bytes.len() {
            let (mut decoder, mut keys) = (decoder(), Vec::new());
            decoder.feed(&bytes[..cut], &mut keys);
            decoder.feed(&bytes[cut..], &mut keys);
            assert_eq!(keys, [Key::Paste("yes\ry\x1b[A!".into()), Key::Char('q')], "cut at {cut}");
        }
    }

    #[test]
    fn a_paste_is_bounded() {
        let (mut decoder, mut keys) = (decoder(), Vec::new());
        decoder.feed(b"\x1b[200~", &mut keys);
        decoder.feed(&vec![b'x'; 3 * PASTE_MAX], &mut keys);
        decoder.feed(PASTE_ENDS, &mut keys);
        assert!(matches!(&keys[..], [Key::Paste(text)] if text.len() <= PASTE_MAX + PASTE_ENDS.len()));
    }
}
