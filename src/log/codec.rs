//! How a record's entries become bytes, and how they are read back, by this version and by every later one.
//!
//! ```text
//! byte 0      version of the encoding: 3, or an older one
//! byte 1      0: the payload as it is    1: the payload compressed by zstd
//! bytes 2–5   the first four bytes of the BLAKE3 of bytes 0 and 1 (in version 1 of byte 1) and the payload
//! bytes 6–    the payload: the entries (a record) by postcard, or the engine's own bytes (a checkpoint)
//! ```
//!
//! Damage is told from a newer version: the first is for a backup, the second for an upgrade. Nothing here panics on
//! foreign bytes.

mod first;
mod second;

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::entry::ENCODING;
use crate::domain::{Body, Record};
use first::FirstBody;
use second::SecondBody;

/// The encoding of the first release.
const FIRST: u8 = 1;
/// The encoding before settings were written by name.
const SECOND: u8 = 2;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// Version, flag and checksum.
const HEADER: usize = 2 + SUM;

/// Bytes of the checksum.
const SUM: usize = 4;

/// How much of a payload that is written piece by piece is handed to zstd at once: half of what it takes in one block.
const PIECE: usize = 65_536;

/// Shorter payloads stay as they are. Two entries or fewer: zstd saves under 100 bytes there and costs 10 µs to set up.
const COMPRESS_FROM: usize = 512;

/// zstd's fastest ordinary level: about 3 to 1 on batches of payments; level 3 gains 5 % for half the speed.
const LEVEL: i32 = 1;

/// Why bytes could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// There are fewer bytes than a header takes.
    #[error("it is cut off after {0} bytes; restore it from a backup")]
    Short(usize),
    /// The bytes are not those that were written.
    #[error("its checksum does not match; the storage damaged it: restore it from a backup")]
    Damaged,
    /// A newer program wrote it.
    #[error("it is written in encoding {0}, this program reads up to {ENCODING}; use the newer program")]
    Newer(u8),
    /// The checksum is right, the content is not what this version expects.
    #[error("its content cannot be read ({0}); read it with the version that wrote it, and report this")]
    Content(String),
}

/// Encodes entries, in the present encoding.
///
/// # Errors
/// [`CodecError::Content`] when an entry cannot be serialised, which no entry of the present alphabet does.
pub fn encode(bodies: &[Body]) -> Result<Vec<u8>, CodecError> {
    pack(&payload(ENCODING, bodies)?)
}

/// Encodes a record's entries again, in the encoding they were written in.
///
/// # Errors
/// As [`encode`].
pub fn encode_again(record: &Record) -> Result<Vec<u8>, CodecError> {
    packed(record.encoding, &payload(record.encoding, &record.bodies)?)
}

/// As [`encode_again`], never compressed: for what is hashed, or compressed together with others.
///
/// # Errors
/// As there.
pub fn encode_plain(record: &Record) -> Result<Vec<u8>, CodecError> {
    Ok(framed(record.encoding, PLAIN, &payload(record.encoding, &record.bodies)?))
}

fn payload(version: u8, bodies: &[Body]) -> Result<Vec<u8>, CodecError> {
    match version {
        FIRST => payload_then::<FirstBody>(bodies),
        SECOND => payload_then::<SecondBody>(bodies),
        _ => postcard::to_stdvec(bodies).map_err(content),
    }
}

fn payload_then<'b, Then: TryFrom<&'b Body, Error = CodecError> + Serialize>(
    bodies: &'b [Body],
) -> Result<Vec<u8>, CodecError> {
    let then = bodies.iter().map(Then::try_from).collect::<Result<Vec<_>, _>>()?;
    postcard::to_stdvec(&then).map_err(content)
}

/// Decodes a record's entries, and tells the encoding they are in.
///
/// # Errors
/// What is wrong with the bytes, and what to do about it.
pub fn decode(bytes: &[u8]) -> Result<(u8, Vec<Body>), CodecError> {
    let (version, payload) = opened(bytes)?;
    let (bodies, rest) = match version {
        FIRST => bodies_then::<FirstBody>(&payload),
        SECOND => bodies_then::<SecondBody>(&payload),
        _ => postcard::take_from_bytes(&payload),
    }
    .map_err(content)?;
    match rest {
        [] => Ok((version, bodies)),
        rest => Err(CodecError::Content(format!("{} bytes are left over", rest.len()))),
    }
}

fn bodies_then<Then: DeserializeOwned + Into<Body>>(payload: &[u8]) -> postcard::Result<(Vec<Body>, &[u8])> {
    let (then, rest) = postcard::take_from_bytes::<Vec<Then>>(payload)?;
    Ok((then.into_iter().map(Into::into).collect(), rest))
}

/// Puts the header before a payload, compressed where that is worth it.
///
/// # Errors
/// [`CodecError::Content`] when zstd fails, which it does only without memory.
pub fn pack(payload: &[u8]) -> Result<Vec<u8>, CodecError> {
    packed(ENCODING, payload)
}

fn packed(version: u8, payload: &[u8]) -> Result<Vec<u8>, CodecError> {
    if payload.len() < COMPRESS_FROM {
        return Ok(framed(version, PLAIN, payload));
    }
    Ok(framed(version, ZSTD, &zstd::bulk::compress(payload, LEVEL).map_err(content)?))
}

/// As [`pack`], for a long payload that is written piece by piece and never stands in memory whole.
///
/// # Errors
/// [`CodecError::Content`] with what `write` or zstd says; they fail only without memory.
pub fn pack_written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Vec<u8>, CodecError> {
    // The checksum is filled in at the end.
    let header = framed(ENCODING, ZSTD, &[]);
    let mut pieces = BufWriter::with_capacity(PIECE, zstd::Encoder::new(header, LEVEL).map_err(content)?);
    write(&mut pieces).map_err(content)?;
    let mut bytes = pieces.into_inner().map_err(content)?.finish().map_err(content)?;
    if let Some((head, payload)) = bytes.split_at_mut_checked(HEADER) {
        head[HEADER - SUM..].copy_from_slice(&checksum(ENCODING, ZSTD, payload));
    }
    Ok(bytes)
}

/// Checks the header and returns the payload.
///
/// # Errors
/// As [`decode`].
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    opened(bytes).map(|(_, payload)| payload)
}

fn opened(bytes: &[u8]) -> Result<(u8, Vec<u8>), CodecError> {
    let Some((&[version, flag, ref sum @ ..], payload)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(CodecError::Short(bytes.len()));
    };
    // A newer version may frame differently, so it is told first.
    if version > ENCODING {
        return Err(CodecError::Newer(version));
    }
    if version < FIRST || *sum != checksum(version, flag, payload) {
        return Err(CodecError::Damaged);
    }
    match flag {
        PLAIN => Ok((version, payload.to_vec())),
        ZSTD => Ok((version, zstd::stream::decode_all(payload).map_err(content)?)),
        _ => Err(CodecError::Damaged),
    }
}

fn framed(version: u8, flag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend([version, flag]);
    bytes.extend(checksum(version, flag, payload));
    bytes.extend(payload);
    bytes
}

/// Four bytes: one damaged record in 4 × 10⁹ passes, and the content check stands behind it.
fn checksum(version: u8, flag: u8, payload: &[u8]) -> [u8; SUM] {
    let mut hasher = blake3::Hasher::new();
    if version != FIRST {
        hasher.update(&[version]);
    }
    let [a, b, c, d, ..] = *hasher.update(&[flag]).update(payload).finalize().as_bytes();
    [a, b, c, d]
}

pub(super) fn content(error: impl std::fmt::Display) -> CodecError {
    CodecError::Content(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(name: &str) -> Vec<Body> {
        vec![Body::EngineStarted { version: name.to_owned(), epoch: 7 }, Body::Ticked]
    }

    #[test]
    fn reads_what_it_wrote_short_and_long() {
        for length in [0, 1, COMPRESS_FROM, 100_000] {
            let bodies = started(&"v".repeat(length));
            assert_eq!(decode(&encode(&bodies).unwrap()).unwrap(), (ENCODING, bodies));
        }
    }

    #[test]
    fn long_records_are_compressed() {
        assert!(encode(&started(&"v".repeat(100_000))).unwrap().len() < 1_000);
    }

    #[test]
    fn what_is_written_in_pieces_reads_as_what_is_packed_whole() {
        let payload: Vec<u8> = (0..300_000_u32).flat_map(|number| (number % 1_000).to_le_bytes()).collect();
        let packed = pack_written(|to| payload.chunks(7).try_for_each(|piece| to.write_all(piece))).unwrap();
        assert_eq!(unpack(&packed).unwrap(), payload);
        assert!(packed.len() < payload.len() / 10);
        assert_eq!(unpack(&pack_written(|_| Ok(())).unwrap()).unwrap(), b"");
        assert!(pack_written(|_| Err(io::Error::other("full"))).is_err());
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_an_error() {
        for bodies in [started("1"), started(&"v".repeat(2_000))] {
            let bytes = encode(&bodies).unwrap();
            for at in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[at / 8] ^= 1 << (at % 8);
                assert!(decode(&damaged).is_err(), "bit {at}");
            }
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length]).is_err(), "cut at {length}");
            }
        }
    }

    #[test]
    fn errors_tell_damage_from_a_newer_version() {
        let mut bytes = encode(&started("1")).unwrap();
        assert_eq!(decode(&bytes[..3]), Err(CodecError::Short(3)));
        bytes[0] = ENCODING + 1;
        assert_eq!(decode(&bytes), Err(CodecError::Newer(ENCODING + 1)));
        for other in [0, FIRST, SECOND] {
            bytes[0] = other;
            assert_eq!(decode(&bytes), Err(CodecError::Damaged));
        }
        bytes[0] = ENCODING;
        bytes[7] ^= 1;
        assert_eq!(decode(&bytes), Err(CodecError::Damaged));
        assert!(matches!(decode(&framed(ENCODING, PLAIN, &[1, 99])), Err(CodecError::Content(_))));
    }
}
