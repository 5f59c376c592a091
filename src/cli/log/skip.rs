//! `apos log skip`: an operator's order to leave out an entry that cannot be folded.
//!
//! The order is appended to the log, behind the entry: every replica that has halted there goes on behind it, and every
//! replay leaves the same entry out. An entry that can be folded is never left out.

use anyhow::Context;
use compact_str::CompactString;

use crate::cli::replay::Source;
use crate::cli::{Ended, Failure, Setup, live, output, screen, wiring};
use crate::domain::{Body, Command, Order, Position, Role, personal};
use crate::log::Log;
use crate::runtime::LogChoice;
use crate::runtime::clock::Clock;
use crate::runtime::past::{PastError, Player};

/// The longest reason, in characters.
const REASON_MAX: usize = 200;

pub(super) fn run(position: Position, reason: &str, setup: &Setup) -> Result<Ended, Failure> {
    if setup.role() < Role::Admin {
        return Err(Failure::usage("leaving an entry out needs the role admin: dashboard.role, or --role, is below it"));
    }
    let reason = checked(reason)?;
    let operator = screen::operator(setup)?;
    let runtime = live::tokio_runtime()?;
    let source = Source::open(None, setup, &runtime)?;
    let mut player = Player::open(source.history.clone(), source.index.clone(), runtime.handle().clone())
        .with_context(|| format!("{} cannot be read", source.name))?;
    is_poison(&mut player, position, &runtime)?;
    let order = Body::Commanded(Command { operator, order: Order::Skip { position, reason } });
    let at = runtime.block_on(append(order, setup))?;
    output::talk(&format!(
        "apos: the order stands in the log at {at}: every replica leaves out the entry at {position} and goes on behind it"
    ));
    Ok(Ended::Fine)
}

fn checked(reason: &str) -> Result<CompactString, Failure> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control) {
        return Err(Failure::usage(format!(
            "--reason: say why in one line of 1 to {REASON_MAX} characters; the audit keeps it"
        )));
    }
    if let Some(data) = personal::within(reason) {
        return Err(Failure::usage(format!("--reason: it holds {data}: the audit keeps it, so leave that out")));
    }
    Ok(reason.into())
}

/// Whether folding halts at exactly that entry.
fn is_poison(player: &mut Player, position: Position, runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
    let span = player.span();
    let there = (span.first..=span.last).contains(&position.record);
    let record = if there { Some(runtime.block_on(player.history().record(position.record))) } else { None };
    let record = record.transpose().context("the entry's record cannot be read: `apos log verify` says more")?;
    if record.is_none_or(|record| position.index as usize >= record.bodies.len()) {
        return Err(Failure::usage(format!(
            "there is no entry at {position}: there are records {} to {}",
            span.first, span.last
        )));
    }
    match player.seek_record(position.record, &mut |_| true) {
        Err(PastError::Poison { position: at }) if at == position => Ok(()),
        Err(PastError::Poison { position: at }) => Err(Failure::usage(format!(
            "the entry at {at} cannot be folded and comes before {position}: leave that one out first"
        ))),
        Err(error) => Err(anyhow::Error::from(error).context("the log cannot be folded up to there").into()),
        Ok(_) if player.leaves_out(position) => {
            Err(Failure::usage(format!("the entry at {position} is left out already: nothing is to be done")))
        }
        Ok(_) => Err(Failure::usage(format!("the entry at {position} can be folded: only what cannot be is left out"))),
    }
}

/// Appends the order beside a running engine, or without one.
async fn append(order: Body, setup: &Setup) -> anyhow::Result<Position> {
    let log = match wiring::log_choice(setup) {
        LogChoice::Redis { url, key } => Log::redis(&url, &key).await.context("the log's Redis cannot be reached")?,
        LogChoice::Memory | LogChoice::Sqlite => {
            let path = setup.data_dir()?.join("log.db");
            Log::sqlite(&path).await.with_context(|| format!("the log {} cannot be opened", path.display()))?
        }
    };
    let last = log.last().await.context("the log cannot be read")?;
    let latest = log.read(last, 1).await.context("the log cannot be read")?;
    let now = Clock::start(latest.first().map_or(crate::domain::Time::ZERO, |record| record.at)).now();
    let record = log.append(0, now, vec![order]).await.context("the order cannot be appended")?;
    log.close().await;
    Ok(Position { record: record.number, index: 0 })
}
