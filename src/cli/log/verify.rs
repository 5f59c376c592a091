//! `apos log verify`: reads every record of the archive and the log, and says what is not as it was written.

use anyhow::Context;

use crate::cli::replay::open_log;
use crate::cli::{Ended, Failure, Setup, live, output, wiring};
use crate::domain::{Record, Time};
use crate::log::segment::Segment;
use crate::log::{Archive, Chain, Log, LogError};

/// Records read from the log at once.
const BATCH: usize = 512;

/// A word about the progress, each so many records.
const SAY_EVERY: u64 = 200_000;

pub(super) fn run(setup: &Setup, expect: Option<&str>) -> Result<Ended, Failure> {
    let expected = expect.map(expected).transpose()?;
    let folder = wiring::archive_dir(setup)?;
    let runtime = live::tokio_runtime()?;
    let (log, name) = runtime.block_on(open_log(setup))?;
    let mut walk = Walk { expected, ..Walk::default() };
    let archive = Archive::open(&folder);
    walk.archive(&archive);
    runtime.block_on(walk.log(&log, &archive)).with_context(|| format!("{name} cannot be read"))?;
    walk.tell(&name)
}

fn expected(text: &str) -> Result<(u64, String), Failure> {
    let parts = text.split_once(':').and_then(|(record, hash)| Some((record.parse().ok()?, hash.to_ascii_lowercase())));
    parts.ok_or_else(|| Failure::usage(format!("--expect {text}: allowed is a record and its hash, such as 4711:9f86d0…")))
}

/// How far the records were read, and what was wrong.
#[derive(Default)]
struct Walk {
    /// The last record that was as it should be, its time, and the chain after it.
    last: Option<(u64, Time)>,
    chain: Option<Chain>,
    begun: Option<u64>,
    records: u64,
    entries: u64,
    problems: Vec<String>,
    expected: Option<(u64, String)>,
    /// Whether the record of `expected` was met.
    met: bool,
}

impl Walk {
    fn archive(&mut self, archive: &Archive) {
        self.problems.extend(archive.unreadable().iter().map(ToString::to_string));
        for segment in archive.segments() {
            self.segment(segment);
        }
    }

    fn segment(&mut self, segment: &Segment) {
        let header = segment.header();
        let follows = self.last.is_none_or(|(last, _)| last + 1 == header.first);
        if !follows {
            self.gap(header.first);
        }
        if self.last.is_some() && follows && self.chain.is_some_and(|chain| chain != header.before) {
            self.problems.push(format!("{}: its chain does not go on from the segment before it", segment.path().display()));
        }
        if self.last.is_none() || !follows {
            self.chain = Some(header.before);
        }
        for block in segment.blocks() {
            match segment.read(block) {
                Err(error) => {
                    self.problems.push(error.to_string());
                    // What follows is checked by itself, from the chain that the block says it ends with.
                    (self.last, self.chain) = (Some((block.last, block.to)), Some(block.chain));
                }
                Ok(records) => {
                    for record in &records {
                        self.record(record);
                    }
                    if self.chain != Some(block.chain) {
                        let (first, last) = (block.first, block.last);
                        let path = segment.path().display();
                        self.problems.push(format!("{path}: records {first} to {last} are not those that were sealed"));
                        self.chain = Some(block.chain);
                    }
                }
            }
        }
        self.problems.extend(segment.damage().map(ToString::to_string));
    }

    /// The log, from its first record; what the archive has too must be the same.
    async fn log(&mut self, log: &Log, archive: &Archive) -> Result<(), LogError> {
        let (mut next, end) = (log.first().await?, log.last().await?);
        if let Some(cut) = log.cut().await? {
            self.problems.push(format!("{cut}; records up to {end} can be read"));
        }
        while next != 0 && next <= end {
            let left = usize::try_from(end - next + 1).unwrap_or(BATCH);
            match log.read(next, BATCH.min(left)).await {
                Ok(records) => {
                    let Some(last) = records.last().map(|record| record.number) else { break };
                    self.log_records(&records, archive);
                    next = last + 1;
                }
                Err(LogError::Unreadable { number, source }) => {
                    let before = usize::try_from(number - next).unwrap_or(0);
                    if before > 0 {
                        self.log_records(&log.read(next, before).await?, archive);
                    }
                    self.problems.push(format!("record {number} of the log cannot be read: {source}"));
                    // The chain ends where a record is not known.
                    (self.last, self.chain) = (Some((number, self.last.map_or(Time::ZERO, |(_, at)| at))), None);
                    next = number + 1;
                }
                Err(LogError::Missing { wanted, found }) => {
                    let before = usize::try_from(wanted - next).unwrap_or(0);
                    if before > 0 {
                        self.log_records(&log.read(next, before).await?, archive);
                    }
                    self.gap(found);
                    next = found;
                }
                // A page of the file is damaged: what lies on it is not to be had.
                Err(error @ LogError::DamagedFile(_)) => {
                    if let Ok(one) = log.read(next, 1).await {
                        self.log_records(&one, archive);
                    } else {
                        let why = anyhow::Error::new(error);
                        self.problems.push(format!("record {next} of the log cannot be read: {}", why.root_cause()));
                        (self.last, self.chain) = (Some((next, self.last.map_or(Time::ZERO, |(_, at)| at))), None);
                    }
                    next += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn log_records(&mut self, records: &[Record], archive: &Archive) {
        for record in records {
            if archive.last().is_some_and(|last| record.number <= last) {
                let archived = archive.read(record.number).ok().and_then(|records| records.into_iter().next());
                if archived.is_some_and(|archived| archived != *record) {
                    self.problems.push(format!("record {} of the log is not the one in the archive", record.number));
                }
                continue;
            }
            if let Some((last, _)) = self.last
                && last + 1 != record.number
            {
                self.gap(record.number);
            }
            self.record(record);
        }
    }

    fn gap(&mut self, found: u64) {
        let wanted = self.last.map_or(1, |(last, _)| last + 1);
        self.problems.push(format!("records {wanted} to {} are missing", found.saturating_sub(1)));
        (self.last, self.chain) = (None, None);
    }

    fn record(&mut self, record: &Record) {
        if self.last.is_some_and(|(_, at)| record.at < at) {
            self.problems.push(format!("record {}: its time {} is before that of its predecessor", record.number, record.at));
        }
        if self.begun.is_none() {
            self.begun = Some(record.number);
            self.chain = self.chain.or(Some(Chain::START));
        }
        self.chain = self.chain.and_then(|chain| chain.after(record).ok());
        self.last = Some((record.number, record.at));
        self.records += 1;
        self.entries += record.bodies.len() as u64;
        if self.records.is_multiple_of(SAY_EVERY) {
            output::talk(&format!("apos: {} records read", self.records));
        }
        self.compare(record.number);
    }

    /// The chain after a record against the one that was told earlier.
    fn compare(&mut self, number: u64) {
        let Some((_, hash)) = self.expected.as_ref().filter(|(record, _)| *record == number) else { return };
        self.met = true;
        let found = self.chain.map(|chain| chain.to_string());
        if found.as_ref() != Some(hash) {
            let found = found.unwrap_or_else(|| "not known, for a record before it is damaged".to_owned());
            self.problems.push(format!("the chain after record {number} is {found}: something up to there was changed"));
        }
    }

    fn tell(mut self, name: &str) -> Result<Ended, Failure> {
        if let Some((record, _)) = self.expected.as_ref().filter(|_| !self.met) {
            self.problems.push(format!("record {record}, whose chain was expected, is not there"));
        }
        let mut lines = self.problems.clone();
        if let (Some((last, at)), Some(begun)) = (self.last, self.begun) {
            let Self { records, entries, .. } = self;
            lines.push(format!("{records} records from {begun} to {last}, {entries} entries, the last at {at}"));
            if let Some(chain) = self.chain.filter(|_| self.problems.is_empty()) {
                lines.push(format!("chain after record {last}: {last}:{chain}"));
            }
        } else {
            lines.push("there are no records".to_owned());
        }
        output::data((lines.join("\n") + "\n").as_bytes())?;
        match self.problems.len() {
            0 => Ok(Ended::Fine),
            1 => Err(anyhow::anyhow!("{name} or its archive is damaged in one place, told above").into()),
            count => Err(anyhow::anyhow!("{name} or its archive is damaged in {count} places, told above").into()),
        }
    }
}
