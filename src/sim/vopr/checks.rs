//! What must hold after every entry, by a reference that knows the log, the sender's ledger and the target, and nothing
//! of the machines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::sender::{self, Sent};
use super::target::Target;
use crate::domain::settings::Levels;
use crate::domain::{Act, Autonomy, Body, EffectId, EffectResult, Entry, Order, PaymentId, Position, Step};
use crate::engine::{Effect, State};

/// Complete fingerprints are compared so many entries apart, and at the end; a digest of what folding shows after every
/// entry. A complete one takes a millisecond.
const PRINT_EVERY: usize = 4_000;

/// Payments remembered: the simulated configuration's bound, and what one record may add before the next forgets.
pub(super) const MAX_PAYMENTS: u64 = 2_000;
const SLACK: u64 = 1_000;
/// The largest checkpoint seen over 1,000 seeds was under 2 MB.
const MAX_BYTES: usize = 8 << 20;

/// What did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    /// An acknowledged event is nowhere.
    NothingLost,
    /// An outcome counts, or a row is written, more or less than once.
    NothingTwice,
    /// Spooled events reach the log in their order, and nothing overtakes them.
    InOrder,
    /// An epoch has one leader, epochs only rise, and nobody leads for longer than the store says.
    OneLeader,
    /// Nothing of an old epoch has an effect.
    NoOldEpoch,
    /// An act has an intent in the log before it is sent, and a result only where it was made.
    IntentFirst,
    /// No action above its level of autonomy.
    Autonomy,
    /// An act that may have been sent is not sent again before the target was asked.
    NoBlindRepeat,
    /// State stays within its bounds.
    Bounded,
    /// Replicas are equal at equal positions.
    Equal,
    /// When the faults are over, everything comes to rest.
    ComesToRest,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub invariant: Invariant,
    /// How it shows.
    pub detail: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.detail)
    }
}

pub(super) type Checked = Result<(), Broken>;

pub(super) fn holds(condition: bool, invariant: Invariant, detail: impl FnOnce() -> String) -> Checked {
    if condition { Ok(()) } else { Err(Broken { invariant, detail: detail() }) }
}

/// The reference.
pub(super) struct Checks {
    /// What folding each entry showed first.
    folded: Vec<(u64, Vec<Effect>)>,
    /// Rows that entries up to each one need.
    rows: Vec<u64>,
    prints: BTreeMap<usize, blake3::Hash>,
    levels: Levels,
    outcomes: BTreeSet<(PaymentId, u16)>,
    /// Who was granted each epoch: replica and incarnation.
    granted: BTreeMap<u64, (usize, u32)>,
    epoch: u64,
    intents: BTreeMap<EffectId, (u64, Act)>,
    /// For each event of the sender's ledger, how often it is in the log, and in a spool.
    logged: Vec<u32>,
    spooled: Vec<u32>,
}

impl Checks {
    pub(super) fn new(levels: Levels) -> Self {
        Self {
            folded: Vec::new(),
            rows: Vec::new(),
            prints: BTreeMap::new(),
            levels,
            outcomes: BTreeSet::new(),
            granted: BTreeMap::new(),
            epoch: 0,
            intents: BTreeMap::new(),
            logged: Vec::new(),
            spooled: Vec::new(),
        }
    }

    /// The store granted an epoch.
    pub(super) fn grant(&mut self, epoch: u64, to: (usize, u32)) -> Checked {
        let before = self.granted.insert(epoch, to);
        holds(before.is_none(), Invariant::OneLeader, || format!("epoch {epoch} was granted twice: {before:?} and {to:?}"))
    }

    /// The newest epoch granted.
    pub(super) fn newest_epoch(&self) -> u64 {
        self.granted.last_key_value().map_or(0, |(epoch, _)| *epoch)
    }

    /// A record was appended.
    pub(super) fn appended(&mut self, entries: &[Entry], epoch: u64, by: (usize, u32), target: &Target) -> Checked {
        if epoch != 0 {
            let owner = self.granted.get(&epoch);
            holds(owner == Some(&by), Invariant::OneLeader, || format!("{by:?} appends under epoch {epoch} of {owner:?}"))?;
            holds(epoch >= self.epoch, Invariant::NoOldEpoch, || format!("epoch {epoch} after {}", self.epoch))?;
            self.epoch = epoch;
        }
        for entry in entries {
            self.entered(entry, epoch, target)?;
        }
        Ok(())
    }

    fn entered(&mut self, entry: &Entry, epoch: u64, target: &Target) -> Checked {
        match &entry.body {
            Body::Payment(event) => {
                if let Some(number) = sender::number(event) {
                    count(&mut self.logged, number, 1);
                }
            }
            Body::EngineStarted { epoch: told, .. } => {
                holds(*told == epoch, Invariant::OneLeader, || format!("{told} is opened under epoch {epoch}"))?;
            }
            Body::Intended { id, act } => _ = self.intents.insert(*id, (epoch, act.clone())),
            Body::Ended { id, result } => {
                let intent = self.intents.get(id).map(|(epoch, _)| *epoch);
                holds(intent == Some(epoch), Invariant::NoOldEpoch, || {
                    format!("{id} ends under epoch {epoch}, its intent is of {intent:?}")
                })?;
                let made = *result != EffectResult::Done || target.is_as_wanted(*id);
                holds(made, Invariant::IntentFirst, || format!("{id} is done, says the log; the target says no"))?;
                let unsure = !matches!(result, EffectResult::Refused { .. }) || !target.in_doubt(*id);
                holds(unsure, Invariant::IntentFirst, || format!("{id} is refused, says the log; nobody knows"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A call that changes something leaves a replica.
    pub(super) fn sends(&self, id: EffectId, act: &Act, epoch: u64) -> Checked {
        let newest = self.newest_epoch();
        holds(epoch == newest, Invariant::NoOldEpoch, || format!("{id} is sent under epoch {epoch}, {newest} leads"))?;
        let intent = self.intents.get(&id);
        let fits = intent.is_some_and(|(of, intended)| *of == epoch && intended == act);
        holds(fits, Invariant::IntentFirst, || format!("{id} is sent under epoch {epoch}, its intent is {intent:?}"))
    }

    /// A call arrives at the target.
    pub(super) fn arrives(&self, id: EffectId, epoch: u64) -> Checked {
        let newest = self.newest_epoch();
        holds(epoch == newest, Invariant::NoOldEpoch, || format!("{id} of epoch {epoch} arrives, {newest} leads"))
    }

    /// A sender is told "I have it".
    pub(super) fn acknowledged(&self, number: usize) -> Checked {
        let there = self.is_logged(number) || self.spooled.get(number).is_some_and(|times| *times > 0);
        holds(there, Invariant::NothingLost, || {
            format!("event {number} is acknowledged, and neither in the log nor in a spool")
        })
    }

    /// A spool has an event on disk, or forgot it.
    pub(super) fn spool(&mut self, number: usize, more: i32) {
        count(&mut self.spooled, number, more);
    }

    pub(super) fn is_logged(&self, number: usize) -> bool {
        self.logged.get(number).is_some_and(|times| *times > 0)
    }

    /// A replica folded the entry with this index.
    pub(super) fn folded(&mut self, index: usize, entry: &Entry, state: &State, effects: &[Effect]) -> Checked {
        let digest = digest(state);
        if let Some((known, asked)) = self.folded.get(index) {
            let equal = *known == digest && asked == effects;
            return holds(equal, Invariant::Equal, || format!("replicas differ at {}", entry.position))
                .and_then(|()| self.print(index, state));
        }
        self.refer(entry);
        let statistics = state.statistics();
        let (counted, expected) = (statistics.approved + statistics.failed, self.outcomes.len() as u64);
        holds(counted == expected, Invariant::NothingTwice, || {
            format!("{counted} outcomes are counted at {}, the log tells {expected}", entry.position)
        })?;
        let (remembered, _) = state.remembered();
        holds(remembered as u64 <= MAX_PAYMENTS + SLACK, Invariant::Bounded, || format!("{remembered} payments remembered"))?;
        for effect in effects {
            if let Effect::Act { id, act } = effect {
                self.may(entry, *id, act)?;
            }
        }
        let own = u64::from(matches!(entry.body, Body::Payment(_) | Body::Decided(_)));
        let others = effects.iter().filter(|effect| !matches!(effect, Effect::Act { .. })).count() as u64;
        self.rows.push(self.rows.last().copied().unwrap_or(0) + own + others);
        self.folded.push((digest, effects.to_vec()));
        self.print(index, state)
    }

    /// What the reference learns of an entry.
    fn refer(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Payment(event) if event.kind.success().is_some() => {
                self.outcomes.insert((event.payment.clone(), event.attempt.unwrap_or(0)));
            }
            Body::Commanded(command) => {
                if let Order::SetAutonomy { class, level } = &command.order {
                    let classes = class.map_or_else(|| crate::domain::ActionClass::ALL.to_vec(), |class| vec![class]);
                    for class in classes {
                        self.levels.set(class, *level);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether the level of autonomy allows what an entry asks for. To take back what was made, an undo and a
    /// verification that found harm are always allowed.
    fn may(&self, entry: &Entry, id: EffectId, act: &Act) -> Checked {
        let level = self.levels.of(act.change.class());
        let needed = match (&entry.body, act.step) {
            (_, Step::RollBack) => Autonomy::Observe,
            (Body::Commanded(_), Step::Execute) => Autonomy::Approve,
            (_, Step::Execute) => Autonomy::Veto,
        };
        holds(level >= needed, Invariant::Autonomy, || format!("{id} is asked for at `{level}`, which needs `{needed}`"))
    }

    /// Compares the complete fingerprint where it is due.
    fn print(&mut self, index: usize, state: &State) -> Checked {
        if (index + 1).is_multiple_of(PRINT_EVERY) { self.compare(index, state) } else { Ok(()) }
    }

    /// Compares the complete fingerprint after the entry with this index.
    pub(super) fn compare(&mut self, index: usize, state: &State) -> Checked {
        let bytes = state.checkpoint();
        holds(bytes.len() <= MAX_BYTES, Invariant::Bounded, || format!("State has {} bytes", bytes.len()))?;
        let print = blake3::hash(&bytes);
        let known = *self.prints.entry(index).or_insert(print);
        holds(known == print, Invariant::Equal, || format!("fingerprints differ at {}", state.position()))
    }

    /// How many rows the entry with this index needs, and how many all up to it.
    pub(super) fn rows(&self, index: usize) -> Option<(u64, u64)> {
        let upto = *self.rows.get(index)?;
        let before = index.checked_sub(1).map_or(0, |before| self.rows[before]);
        Some((upto - before, upto))
    }

    /// Every event that the sender was told "I have it" for is in the log.
    pub(super) fn all_logged(&self, ledger: &[Sent]) -> Checked {
        let missing = ledger.iter().enumerate().find(|(number, sent)| sent.acknowledged && !self.is_logged(*number));
        holds(missing.is_none(), Invariant::NothingLost, || format!("{missing:?} was acknowledged and is not in the log"))
    }
}

fn count(counts: &mut Vec<u32>, number: usize, more: i32) {
    if counts.len() <= number {
        counts.resize(number + 1, 0);
    }
    counts[number] = counts[number].saturating_add_signed(more);
}

/// A cheap digest of what the fold shows after every entry.
fn digest(state: &State) -> u64 {
    let totals = state.statistics();
    let Position { record, index } = state.position();
    let deadline = state.deadline().map_or(0, |at| at.micros().unsigned_abs());
    let (remembered, open) = state.remembered();
    [
        record,
        u64::from(index),
        state.at().micros().unsigned_abs(),
        state.epoch(),
        deadline,
        totals.events,
        totals.repeats,
        totals.late,
        totals.payments,
        totals.decisions,
        totals.approved,
        totals.failed,
        totals.anomalies,
        totals.actions,
        totals.commands_refused,
        remembered as u64,
        open as u64,
    ]
    .into_iter()
    // The multiplier of Knuth's MMIX generator: odd, so that no field is lost.
    .fold(0, |sum: u64, field| (sum.rotate_left(23) ^ field).wrapping_mul(6_364_136_223_846_793_005))
}
