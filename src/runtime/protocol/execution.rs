//! Execution: what the engine asks for is done in the world once its intent is in the log, and its result goes there too.
//!
//! Level-triggered: the fold says which acts are outstanding (asked for, not ended). An act that an earlier leadership
//! may have sent, and one whose answer was lost, is never sent again blindly: the target is asked first whether it is as
//! wanted. A target that does not tell within the allowed time leaves the act `unknown`, for a person. Nothing is sent
//! without a lease, looked at right before each call; no call may outlive what is left of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Agenda, Bug, Lease, Planted};
use crate::domain::{Act, EffectId, EffectResult};

/// First pause between tries, then twice as long each time; three tries in all: the original design's values.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const TRIES: u32 = 3;

/// Pause before an entry that the log did not take is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The target said no: trying again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// The target did not answer: it may have done it all the same.
    #[error("not reachable: {0}")]
    Unreachable(String),
}

/// The next thing to do about one act. `within` is how long the call may take at most.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// Append its intent; [`Executions::intended`] is the answer.
    Intend(EffectId, Act),
    /// Ask the target whether it is as the act wants it; [`Executions::read`] is the answer.
    Read {
        /// The effect.
        id: EffectId,
        /// What it wants.
        act: Act,
        /// For so long.
        within: Duration,
    },
    /// Make the target so; [`Executions::set`] is the answer.
    Set {
        /// The effect.
        id: EffectId,
        /// What it wants.
        act: Act,
        /// For so long.
        within: Duration,
    },
    /// Append its result; [`Executions::ended`] is the answer.
    End(EffectId, EffectResult),
}

/// How far an act has come here.
#[derive(Debug, Clone, PartialEq)]
enum Stage {
    /// Its intent is on its way to the log, or there and not folded yet.
    Intending,
    /// The target is to be asked, not before then.
    ToRead { from: Duration },
    /// The target is to be set.
    ToSet,
    /// A call is under way.
    Calling,
    /// The result is to be appended, not before then.
    ToEnd { result: EffectResult, from: Duration },
    /// The result is on its way to the log, or there and not folded yet.
    Ending { result: EffectResult },
}

/// One act in hand.
#[derive(Debug, Clone)]
struct Work {
    stage: Stage,
    tries: u32,
    /// No call may begin after this.
    deadline: Duration,
}

/// What every act is looked at with.
#[derive(Clone, Copy)]
struct Round<'a> {
    now: Duration,
    /// What is left of the lease.
    left: Duration,
    agenda: &'a Agenda,
    timeout: Duration,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Executions {
    /// The leadership whose acts are in hand, be it over or not.
    epoch: Option<u64>,
    /// Whether this process led when it looked last.
    leads: bool,
    works: BTreeMap<EffectId, Work>,
    intend_from: Duration,
    planted: Planted,
}

impl Executions {
    /// Nothing in hand.
    #[must_use]
    pub const fn new(planted: Planted) -> Self {
        Self { epoch: None, leads: false, works: BTreeMap::new(), intend_from: Duration::ZERO, planted }
    }

    /// What to do now. Nothing while this process does not lead, or while its own `EngineStarted` is not folded: acts of
    /// an earlier leadership are intended anew under its own. `timeout` is how long an act may be tried.
    pub fn next(&mut self, now: Duration, lease: Option<Lease>, agenda: &Agenda, timeout: Duration) -> Vec<Move> {
        let unchecked = self.planted.has(Bug::SendsWithoutLease);
        let lease = lease.filter(|lease| unchecked || !lease.left(now).is_zero());
        self.leads = lease.is_some();
        let Some(lease) = lease.filter(|lease| lease.epoch == agenda.epoch) else { return Vec::new() };
        // A lease that lapsed and is renewed under its old epoch is the same leadership: what it sent stays sent.
        if self.epoch != Some(lease.epoch) {
            self.works.clear();
            self.epoch = Some(lease.epoch);
        }
        if !self.works.is_empty() {
            let outstanding: BTreeSet<EffectId> = agenda.outstanding.iter().map(|(id, _)| *id).collect();
            self.works.retain(|id, _| outstanding.contains(id));
        }
        let round = Round { now, left: if unchecked { timeout } else { lease.left(now) }, agenda, timeout };
        agenda.outstanding.iter().filter_map(|(id, act)| self.about(*id, act, &round)).collect()
    }

    /// What to do about one act.
    fn about(&mut self, id: EffectId, act: &Act, round: &Round<'_>) -> Option<Move> {
        let Round { now, left, agenda, timeout } = *round;
        let intended = agenda.intended.contains(&id) || self.planted.has(Bug::ActsBeforeIntent);
        let stage = self.works.get(&id).map(|work| &work.stage);
        if intended && matches!(stage, None | Some(Stage::Intending)) {
            let ask = agenda.inherited(id) && !self.planted.has(Bug::RepeatsBlindly);
            let stage = if ask { Stage::ToRead { from: now } } else { Stage::ToSet };
            self.works.insert(id, Work { stage, tries: 0, deadline: now + timeout });
        }
        let Some(work) = self.works.get_mut(&id) else {
            if now < self.intend_from {
                return None;
            }
            self.works.insert(id, Work { stage: Stage::Intending, tries: 0, deadline: now });
            return Some(Move::Intend(id, act.clone()));
        };
        let within = left.min(work.deadline.saturating_sub(now));
        match work.stage.clone() {
            Stage::ToRead { from } if now >= from => {
                work.stage = Stage::Calling;
                Some(Move::Read { id, act: act.clone(), within })
            }
            Stage::ToSet => {
                work.stage = Stage::Calling;
                Some(Move::Set { id, act: act.clone(), within })
            }
            Stage::ToEnd { result, from } if now >= from => {
                work.stage = Stage::Ending { result: result.clone() };
                Some(Move::End(id, result))
            }
            _ => None,
        }
    }

    /// When something is due that no answer and no entry will tell.
    #[must_use]
    pub fn wake_at(&self, agenda: &Agenda) -> Option<Duration> {
        if !self.leads || self.epoch != Some(agenda.epoch) {
            return None;
        }
        let waits = self.works.values().filter_map(|work| match work.stage {
            Stage::ToRead { from } | Stage::ToEnd { from, .. } => Some(from),
            _ => None,
        });
        let begins = agenda.outstanding.iter().any(|(id, _)| !self.works.contains_key(id)).then_some(self.intend_from);
        waits.chain(begins).min()
    }

    /// Whether the log took an intent of this epoch.
    pub fn intended(&mut self, now: Duration, epoch: u64, id: EffectId, taken: bool) {
        if !taken && self.epoch == Some(epoch) && self.works.get(&id).is_some_and(|work| work.stage == Stage::Intending) {
            // If it was written all the same, the fold says so.
            self.works.remove(&id);
            self.intend_from = now + RETRY_AFTER;
        }
    }

    /// The target told whether it is as wanted.
    pub fn read(&mut self, now: Duration, epoch: u64, id: EffectId, answer: Result<bool, Refusal>) {
        let Some(work) = self.called(epoch, id) else { return };
        match answer {
            Ok(true) => work.end(now, EffectResult::Done),
            Ok(false) => work.stage = Stage::ToSet,
            Err(Refusal::Unreachable(reason)) => work.retry(now, reason),
            Err(Refusal::Refused(reason)) => work.end(now, EffectResult::Unknown { reason }),
        }
    }

    /// The target was set, or why not.
    pub fn set(&mut self, now: Duration, epoch: u64, id: EffectId, answer: Result<(), Refusal>) {
        let Some(work) = self.called(epoch, id) else { return };
        match answer {
            Ok(()) => work.end(now, EffectResult::Done),
            Err(Refusal::Refused(reason)) => work.end(now, EffectResult::Refused { reason }),
            Err(Refusal::Unreachable(reason)) => work.retry(now, reason),
        }
    }

    /// Whether the log took a result of this epoch. One it did not take is appended again, never made again.
    pub fn ended(&mut self, now: Duration, epoch: u64, id: EffectId, taken: bool) {
        if taken || self.epoch != Some(epoch) {
            return;
        }
        if let Some(work) = self.works.get_mut(&id)
            && let Stage::Ending { result } = &work.stage
        {
            work.stage = Stage::ToEnd { result: result.clone(), from: now + RETRY_AFTER };
        }
    }

    /// The act whose call was answered; none when leadership changed or it ended meanwhile.
    fn called(&mut self, epoch: u64, id: EffectId) -> Option<&mut Work> {
        let works = &mut self.works;
        works.get_mut(&id).filter(|work| self.epoch == Some(epoch) && work.stage == Stage::Calling)
    }
}

impl Work {
    fn end(&mut self, now: Duration, result: EffectResult) {
        self.stage = Stage::ToEnd { result, from: now };
    }

    /// Asks the target after a pause, as long as tries and time are left.
    fn retry(&mut self, now: Duration, reason: String) {
        self.tries += 1;
        let from = now + FIRST_PAUSE * 2_u32.pow(self.tries - 1);
        if self.tries >= TRIES || from >= self.deadline {
            return self.end(now, EffectResult::Unknown { reason });
        }
        self.stage = Stage::ToRead { from };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ActionId, Change, Position, Step};

    const NOW: Duration = Duration::from_secs(100);
    const TIMEOUT: Duration = Duration::from_secs(30);
    const LEASE: Option<Lease> = Some(Lease { epoch: 3, until: Duration::from_secs(110) });

    fn act(record: u64) -> (EffectId, Act) {
        let position = Position { record, index: 0 };
        let act = Act { action: ActionId(record), step: Step::Execute, change: Change::Scale { from: 2, to: 3 } };
        (EffectId { position, number: 0 }, act)
    }

    /// The leadership began at record 5.
    fn agenda(epoch: u64, outstanding: &[u64], intended: &[u64]) -> Agenda {
        Agenda {
            epoch,
            opened: Position { record: 5, index: 0 },
            outstanding: outstanding.iter().map(|record| act(*record)).collect(),
            intended: intended.iter().map(|record| act(*record).0).collect(),
            ..Agenda::default()
        }
    }

    #[test]
    fn only_the_leader_of_the_folded_epoch_acts() {
        let mut executions = Executions::new(Planted::default());
        let mut next = |now, lease, epoch| executions.next(now, lease, &agenda(epoch, &[10], &[]), TIMEOUT);
        assert!(next(NOW, None, 3).is_empty());
        assert!(next(NOW, LEASE, 2).is_empty(), "its own EngineStarted is not folded yet");
        assert!(next(NOW * 2, LEASE, 3).is_empty(), "the lease has ended");
        assert_eq!(next(NOW, LEASE, 3), [Move::Intend(act(10).0, act(10).1)]);
    }

    #[test]
    fn an_act_is_sent_once_its_intent_is_folded_and_its_result_is_appended_until_the_log_has_it() {
        let ((id, act), mut executions) = (act(10), Executions::new(Planted::default()));
        assert_eq!(executions.next(NOW, LEASE, &agenda(3, &[10], &[]), TIMEOUT).len(), 1);
        executions.intended(NOW, 3, id, true);
        assert!(executions.next(NOW, LEASE, &agenda(3, &[10], &[]), TIMEOUT).is_empty(), "its intent is on its way");
        let folded = agenda(3, &[10], &[10]);
        let within = Duration::from_secs(10);
        assert_eq!(executions.next(NOW, LEASE, &folded, TIMEOUT), [Move::Set { id, act, within }], "no longer than the lease");
        executions.set(NOW, 3, id, Ok(()));
        let end = [Move::End(id, EffectResult::Done)];
        assert_eq!(executions.next(NOW, LEASE, &folded, TIMEOUT), end);
        executions.ended(NOW, 3, id, false);
        assert!(executions.next(NOW, LEASE, &folded, TIMEOUT).is_empty());
        assert_eq!(executions.wake_at(&folded), Some(NOW + RETRY_AFTER));
        assert_eq!(executions.next(NOW + RETRY_AFTER, LEASE, &folded, TIMEOUT), end, "the result again, not the act");
        assert!(executions.next(NOW, LEASE, &agenda(3, &[], &[]), TIMEOUT).is_empty());
        assert!(executions.works.is_empty());
    }

    #[test]
    fn what_an_earlier_leadership_may_have_sent_is_asked_for_first() {
        let ((id, act), mut executions) = (act(4), Executions::new(Planted::default()));
        let folded = agenda(3, &[4], &[4]);
        let within = Duration::from_secs(10);
        assert_eq!(executions.next(NOW, LEASE, &folded, TIMEOUT), [Move::Read { id, act: act.clone(), within }]);
        executions.read(NOW, 3, id, Ok(false));
        assert_eq!(executions.next(NOW, LEASE, &folded, TIMEOUT), [Move::Set { id, act, within }]);
    }

    #[test]
    fn a_lost_answer_is_asked_for_and_then_unknown() {
        let ((id, _), mut executions) = (act(10), Executions::new(Planted::default()));
        let folded = agenda(3, &[10], &[10]);
        let lease = Some(Lease { epoch: 3, until: NOW * 2 });
        let lost = || Refusal::Unreachable("no answer".to_owned());
        assert!(matches!(executions.next(NOW, lease, &folded, TIMEOUT)[..], [Move::Set { .. }]));
        executions.set(NOW, 3, id, Err(lost()));
        for pause in [2, 4] {
            let due = executions.wake_at(&folded).unwrap();
            assert!(executions.next(due.saturating_sub(Duration::from_millis(1)), lease, &folded, TIMEOUT).is_empty());
            assert!(matches!(executions.next(due, lease, &folded, TIMEOUT)[..], [Move::Read { .. }]), "{pause} s");
            executions.read(due, 3, id, Err(lost()));
        }
        let due = executions.wake_at(&folded).unwrap();
        let ends = executions.next(due, lease, &folded, TIMEOUT);
        assert!(matches!(&ends[..], [Move::End(_, EffectResult::Unknown { .. })]), "{ends:?}");
    }

    #[test]
    fn a_lease_that_lapses_and_is_renewed_forgets_nothing_that_was_sent() {
        let ((id, _), mut executions) = (act(10), Executions::new(Planted::default()));
        let folded = agenda(3, &[10], &[10]);
        assert!(matches!(executions.next(NOW, LEASE, &folded, TIMEOUT)[..], [Move::Set { .. }]));
        assert!(executions.next(NOW + TIMEOUT, LEASE, &folded, TIMEOUT).is_empty(), "the lease has lapsed");
        assert_eq!(executions.wake_at(&folded), None);
        let renewed = Some(Lease { epoch: 3, until: NOW * 2 });
        assert!(executions.next(NOW + TIMEOUT, renewed, &folded, TIMEOUT).is_empty(), "its answer is still to come");
        executions.set(NOW + TIMEOUT, 3, id, Ok(()));
        assert!(matches!(executions.next(NOW + TIMEOUT, renewed, &folded, TIMEOUT)[..], [Move::End(..)]));
    }

    #[test]
    fn answers_to_an_earlier_leadership_change_nothing() {
        let ((id, _), mut executions) = (act(10), Executions::new(Planted::default()));
        assert_eq!(executions.next(NOW, LEASE, &agenda(3, &[10], &[10]), TIMEOUT).len(), 1);
        executions.set(NOW, 2, id, Ok(()));
        assert!(executions.next(NOW, LEASE, &agenda(3, &[10], &[10]), TIMEOUT).is_empty(), "still calling");
    }
}
