//! `apos log export`: a stretch of time as one file, with the state before it, so that it can be folded by itself.

use std::fs::File;
use std::io::Read;

use anyhow::Context;

use super::ExportArguments;
use super::pseudonym::Pseudonyms;
use crate::cli::replay::Source;
use crate::cli::{Ended, Failure, Setup, live, output};
use crate::domain::{Position, Record, Time};
use crate::engine::{State, apply};
use crate::log::segment::{Header, Sealed, Writer};
use crate::log::{Chain, History, LogError, codec};
use crate::runtime::past::{PastError, Player};
use crate::tui::when;

/// The variable that holds the key of the pseudonyms.
const KEY: &str = "APOS_PSEUDONYM_KEY";

pub(super) fn run(arguments: &ExportArguments, setup: &Setup) -> Result<Ended, Failure> {
    if arguments.file.exists() {
        return Err(Failure::usage(format!("{} is there already: name another file", arguments.file.display())));
    }
    let runtime = live::tokio_runtime()?;
    let source = Source::open(None, setup, &runtime)?;
    let player = Player::open(source.history.clone(), source.index.clone(), runtime.handle().clone())
        .with_context(|| format!("{} cannot be exported", source.name))?;
    let pseudonyms = if arguments.pseudonymise { Some(Pseudonyms::new(&key(setup)?)) } else { None };
    let mut export = Export { player, runtime, pseudonyms };
    let (first, last) = export.records(arguments)?;
    let (sealed, damage) = export.write(arguments, first, last)?;
    output::talk(&format!(
        "apos: {} records, {} to {}, {} entries, from {} to {}",
        sealed.records, first, sealed.last, sealed.entries, sealed.from, sealed.to
    ));
    if let Some(error) = damage {
        return Err(anyhow::Error::from(error).context("the log is damaged; all before that is exported").into());
    }
    // Of a file that is cut off nobody knows how much is missing: only a stretch that ends before is whole.
    let cut = export.cut().filter(|_| sealed.last == export.player.span().last);
    match cut {
        None => Ok(Ended::Fine),
        Some(cut) => {
            Err(anyhow::anyhow!("{cut}: the records up to {} are exported, what came after is lost", sealed.last).into())
        }
    }
}

/// The configured key, or one that nobody knows.
fn key(setup: &Setup) -> anyhow::Result<Vec<u8>> {
    if let Some(key) = setup.environment.get(KEY).filter(|key| !key.is_empty()) {
        return Ok(key.as_bytes().to_vec());
    }
    let mut key = vec![0; 32];
    File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut key)).context("no random key can be made")?;
    Ok(key)
}

struct Export {
    player: Player,
    runtime: tokio::runtime::Runtime,
    pseudonyms: Option<Pseudonyms>,
}

impl Export {
    /// Where the log's file is cut off, if it is.
    fn cut(&self) -> Option<String> {
        let log = self.player.history().log()?;
        self.runtime.block_on(log.cut()).ok().flatten()
    }

    /// The first and the last record of the stretch asked for.
    fn records(&self, arguments: &ExportArguments) -> Result<(u64, u64), Failure> {
        let (span, zone) = (self.player.span(), jiff::tz::TimeZone::system());
        let read = |flag: &str, text: &str| {
            when::parse(text, &zone, span.to, (span.from, span.to))
                .map_err(|reason| Failure::usage(format!("--{flag}: {reason}")))
        };
        let at = |time: Time| {
            let found = self.runtime.block_on(self.player.history().record_at(time));
            found.map_err(|error| Failure::Failed(anyhow::Error::from(error).context("the log cannot be read")))
        };
        let first = match &arguments.from {
            Some(text) => at(Time::from_micros(read("from", text)?.micros() - 1))? + 1,
            None => span.first,
        };
        let last = arguments.to.as_ref().map_or(Ok(span.last), |text| at(read("to", text)?))?;
        let (first, last) = (first.max(span.first), last.min(span.last));
        if first > last {
            return Err(Failure::usage(format!(
                "there is nothing to export between these times: there are records from {} to {}",
                span.from, span.to
            )));
        }
        Ok((first, last))
    }

    /// Writes the file; what cannot be read ends it, and is told.
    fn write(&mut self, arguments: &ExportArguments, first: u64, last: u64) -> Result<(Sealed, Option<LogError>), Failure> {
        let state = if first > 1 { Some(self.state_before(first)?) } else { None };
        let before = self.player.history().archive().chain_after(first - 1).filter(|_| self.pseudonyms.is_none());
        let mut header = Header::new(first, before.unwrap_or(Chain::START));
        header.pseudonymised = self.pseudonyms.is_some();
        let mut writer = Writer::create(&arguments.file, &header).context("the export cannot be written")?;
        if let Some((position, bytes)) = state {
            let packed = codec::pack(&bytes).context("the state cannot be packed")?;
            writer.state(position, &packed).context("the export cannot be written")?;
        }
        let mut damage = None;
        let pseudonyms = self.pseudonyms.as_ref();
        let history = self.player.history().clone();
        let mut failed = Ok(());
        let read = self.runtime.block_on(each(&history, first, last, &mut |record| {
            failed = writer.push(&renamed(pseudonyms, record));
            failed.is_ok()
        }));
        failed.context("the export cannot be written")?;
        if let Err(error) = read {
            damage = Some(error);
        }
        let sealed = writer.finish(&arguments.file).context("the export cannot be written")?;
        Ok((sealed, damage))
    }

    /// The state before a record; under pseudonyms, that of the log under pseudonyms.
    fn state_before(&mut self, first: u64) -> Result<(Position, Vec<u8>), Failure> {
        let Some(pseudonyms) = &self.pseudonyms else {
            let reached = self.player.seek_record(first - 1, &mut |_| true);
            reached.map_err(|error: PastError| anyhow::Error::from(error).context("the state before it cannot be folded"))?;
            return Ok((self.player.state().position(), self.player.state().checkpoint()));
        };
        let span = self.player.span();
        if span.first > 1 {
            return Err(Failure::usage(
                "the log's beginning is in no archive here, so that the state before the stretch has no pseudonyms: leave \
                 out --pseudonymise",
            ));
        }
        output::talk("apos: folding the log under pseudonyms, from its beginning");
        let (mut state, mut effects) = (State::new(), Vec::new());
        let history = self.player.history().clone();
        let read = self.runtime.block_on(each(&history, 1, first - 1, &mut |record| {
            for entry in renamed(Some(pseudonyms), record).entries() {
                apply(&mut state, &entry, &mut effects);
                effects.clear();
            }
            true
        }));
        read.context("the records before the stretch cannot be read")?;
        Ok((state.position(), state.checkpoint()))
    }
}

fn renamed(pseudonyms: Option<&Pseudonyms>, record: Record) -> Record {
    match pseudonyms {
        Some(pseudonyms) => pseudonyms.record(record),
        None => record,
    }
}

/// Hands over records from one to another, as long as it is taken.
async fn each(history: &History, first: u64, last: u64, take: &mut dyn FnMut(Record) -> bool) -> Result<(), LogError> {
    let mut next = first;
    while next <= last {
        let records = history.read(next).await?;
        if records.is_empty() {
            return Err(LogError::Missing { wanted: next, found: last });
        }
        for record in records.into_iter().take_while(|record| record.number <= last) {
            next = record.number + 1;
            if !take(record) {
                return Ok(());
            }
        }
    }
    Ok(())
}
