//! A ladder of checkpoints across the whole history, so that a jump in time folds a short stretch of it.
//!
//! A folder of files beside the archive. They are not the truth: each can be made again by folding, one that is damaged
//! or of another log or program is passed over, and the folder may be deleted at any time. Their number and their
//! bytes are bounded; when there are too many, the rung goes whose neighbours are closest, so that they stay spread
//! over all of the history.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Chain, codec};
use crate::domain::{Position, Record, Time};
use crate::engine::State;

/// Most rungs kept. On a log of 10^7 entries that is one for every 160,000, a fold of about half a second.
const RUNGS: usize = 64;

/// What a rung begins with, and the format of its checkpoint: a state of another version cannot be folded on.
const MAGIC: &[u8; 8] = &[b'A', b'P', b'O', b'S', b'R', b'U', b'N', State::CHECKPOINT_FORMAT];

/// Longest head accepted: a damaged length must not fill the memory. A thousand marks take some 50 KB.
const HEAD_MAX: u32 = 1 << 20;

/// What happened at a time that an operator may want to go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Time,
    /// What.
    pub kind: MarkKind,
}

/// Kinds of mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MarkKind {
    /// An anomaly was noticed.
    Incident,
    /// An action was proposed.
    Action,
}

/// A checkpoint of the ladder, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// The last entry folded.
    pub position: Position,
    /// The log's time there.
    pub at: Time,
    /// Events and decisions folded since the log began: how far apart rungs are.
    pub entries: u64,
    /// Tells that the record at this position is the one that was folded: see [`witness`].
    pub witness: Chain,
    /// What the state remembers of incidents and actions, in order.
    pub marks: Vec<Mark>,
}

/// What a rung remembers of the record it was taken at.
///
/// # Errors
/// As [`Chain::after`].
pub fn witness(record: &Record) -> Result<Chain, super::CodecError> {
    Chain::START.after(record)
}

/// The rungs of a folder.
#[derive(Debug)]
pub struct Ladder {
    folder: PathBuf,
    /// Most bytes of all rungs together.
    budget: u64,
    /// By position, each with its file's size.
    rungs: Vec<(Rung, u64)>,
    /// Files of another version, or damaged: they go when the next rung is kept.
    useless: Vec<PathBuf>,
}

impl Ladder {
    /// Reads the heads of a folder's rungs; one that does not exist is made with the first rung.
    #[must_use]
    pub fn open(folder: &Path, budget: u64) -> Self {
        let mut ladder = Self { folder: folder.to_path_buf(), budget, rungs: Vec::new(), useless: Vec::new() };
        ladder.look();
        ladder
    }

    /// Looks at the folder again: another process may have added rungs.
    pub fn look(&mut self) {
        let paths = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        (self.rungs, self.useless) = (Vec::new(), Vec::new());
        for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "state")) {
            match head(&path) {
                Some(rung) => self.rungs.push(rung),
                None => self.useless.push(path),
            }
        }
        self.rungs.sort_by_key(|(rung, _)| rung.position);
    }

    /// The rungs, by position.
    #[must_use]
    pub fn rungs(&self) -> impl DoubleEndedIterator<Item = &Rung> {
        self.rungs.iter().map(|(rung, _)| rung)
    }

    /// Bytes of all of them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.rungs.iter().map(|(_, size)| size).sum()
    }

    /// Whether a rung there would stay: a full ladder takes none that is much closer to the last than rungs are.
    #[must_use]
    pub fn wants(&self, position: Position) -> bool {
        let (Some((first, _)), Some((last, _))) = (self.rungs.first(), self.rungs.last()) else { return self.budget > 0 };
        let spacing = (last.position.record - first.position.record) / RUNGS as u64;
        let full = self.rungs.len() >= RUNGS || self.bytes() > self.budget / 4 * 3;
        self.budget > 0 && (!full || position.record >= last.position.record + spacing / 2)
    }

    /// Keeps a rung: a state's bytes, packed by [`codec::pack_written`]. One at the same position is replaced.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep(&mut self, rung: Rung, packed: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let path = self.path(rung.position);
        let beside = self.folder.join(format!("{}.part", std::process::id()));
        let head = postcard::to_stdvec(&rung).map_err(io::Error::other)?;
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes();
        let hash = blake3::hash(&head);
        let parts: [&[u8]; 5] = [MAGIC, &length, &head, hash.as_bytes(), packed];
        fs::write(&beside, parts.concat())?;
        fs::rename(&beside, &path)?;
        for useless in self.useless.drain(..).filter(|useless| *useless != path) {
            // What cannot be removed is passed over again next time.
            let _ = fs::remove_file(useless);
        }
        let size = parts.iter().map(|part| part.len() as u64).sum();
        self.rungs.retain(|(other, _)| other.position != rung.position);
        let place = self.rungs.partition_point(|(other, _)| other.position < rung.position);
        self.rungs.insert(place, (rung, size));
        self.thin();
        Ok(())
    }

    /// A rung's state; none when its bytes cannot be read.
    #[must_use]
    pub fn load(&self, position: Position) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path(position)).ok()?;
        let length = u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize;
        codec::unpack(bytes.get(12 + length + 32..)?).ok()
    }

    /// Forgets a rung that turned out to be of no use.
    pub fn forget(&mut self, position: Position) {
        self.rungs.retain(|(rung, _)| rung.position != position);
        // A file that cannot be removed is passed over again next time.
        let _ = fs::remove_file(self.path(position));
    }

    fn thin(&mut self) {
        while self.rungs.len() > RUNGS || (self.bytes() > self.budget && self.rungs.len() > 2) {
            let gap = |i: usize| self.rungs[i + 1].0.position.record - self.rungs[i - 1].0.position.record;
            let Some(closest) = (1..self.rungs.len() - 1).min_by_key(|i| gap(*i)) else { return };
            self.forget(self.rungs[closest].0.position);
        }
    }

    fn path(&self, position: Position) -> PathBuf {
        self.folder.join(format!("{:012}.{:06}.state", position.record, position.index))
    }
}

/// A file's head, and its size; none when it is not a rung or its head is damaged.
fn head(path: &Path) -> Option<(Rung, u64)> {
    let mut file = fs::File::open(path).ok()?;
    let mut start = [0; 12];
    file.read_exact(&mut start).ok()?;
    let length = u32::from_le_bytes([start[8], start[9], start[10], start[11]]);
    if start[..8] != *MAGIC || length > HEAD_MAX {
        return None;
    }
    let mut head = vec![0; length as usize + 32];
    file.read_exact(&mut head).ok()?;
    let hash = head.split_off(length as usize);
    let size = file.metadata().ok()?.len();
    (blake3::hash(&head).as_bytes()[..] == hash[..])
        .then(|| postcard::from_bytes(&head).ok())
        .flatten()
        .map(|rung| (rung, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(record: u64) -> Rung {
        let position = Position { record, index: 0 };
        Rung { position, at: Time::from_secs(1), entries: record, witness: Chain::START, marks: Vec::new() }
    }

    fn records(ladder: &Ladder) -> Vec<u64> {
        ladder.rungs().map(|rung| rung.position.record).collect()
    }

    #[test]
    fn rungs_are_thinned_evenly_and_the_ends_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut ladder = Ladder::open(folder.path(), 1 << 30);
        for record in 1..=200 {
            ladder.keep(rung(record * 10), &codec::pack(b"state").unwrap()).unwrap();
        }
        let kept = records(&ladder);
        assert_eq!((kept.len(), kept[0], kept[RUNGS - 1]), (RUNGS, 10, 2_000));
        assert!(kept.windows(2).all(|pair| pair[1] - pair[0] <= 100), "{kept:?}");
        ladder.look();
        assert_eq!(records(&ladder), kept, "the folder holds the same");
        assert!(!ladder.wants(rung(2_001).position) && ladder.wants(rung(2_100).position));
    }

    #[test]
    fn bytes_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut ladder = Ladder::open(folder.path(), 2_000);
        let packed = codec::pack(blake3::hash(b"x").as_bytes()).unwrap();
        for record in 1..=40 {
            ladder.keep(rung(record), &packed).unwrap();
        }
        assert!(ladder.bytes() <= 2_000 && records(&ladder).len() > 5, "{:?}", records(&ladder));
        assert!(!Ladder::open(folder.path(), 0).wants(rung(99).position));
    }

    #[test]
    fn a_rung_of_another_version_is_passed_over_and_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut ladder = Ladder::open(folder.path(), 1 << 20);
        (1..=3).for_each(|record| ladder.keep(rung(record), &codec::pack(b"state").unwrap()).unwrap());
        let older = ladder.path(rung(2).position);
        let mut bytes = fs::read(&older).unwrap();
        bytes[7] -= 1;
        fs::write(&older, bytes).unwrap();
        let mut ladder = Ladder::open(folder.path(), 1 << 20);
        assert_eq!((records(&ladder), older.exists()), (vec![1, 3], true), "looking changes nothing");
        ladder.keep(rung(4), &codec::pack(b"state").unwrap()).unwrap();
        assert_eq!((records(&ladder), older.exists()), (vec![1, 3, 4], false));
    }

    #[test]
    fn a_damaged_rung_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut ladder = Ladder::open(folder.path(), 1 << 20);
        ladder.keep(rung(1), &codec::pack(b"state").unwrap()).unwrap();
        assert_eq!(ladder.load(rung(1).position).unwrap(), b"state");
        let path = ladder.path(rung(1).position);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            let read = Ladder::open(folder.path(), 1 << 20);
            let state = read.rungs().next().and_then(|rung| read.load(rung.position));
            assert_eq!(state, None, "byte {at}");
        }
    }
}
