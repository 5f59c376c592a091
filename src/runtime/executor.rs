//! Executes what the engine asks for, once its intent is in the log.
//!
//! Level-triggered: the engine says which acts are outstanding (asked for, not ended), [`plan`] says what to do about
//! them, the shell does it. A new leader, or this one after a restart, sees the same outstanding acts and executes them
//! again; every act sets a state, so repeating it is safe. Nothing is executed without leadership.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::actuators::{Actuators, Refusal};
use super::clock::Clock;
use super::leader::Lease;
use super::replica::{Agenda, Published};
use super::supervisor::{Phase, Stop};
use crate::domain::{Act, Body, EffectId, EffectResult};
use crate::log::{Log, LogError};

/// First pause between tries; then twice as long each time, three tries in all: the original design's values.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_FACTOR: f32 = 2.0;
const RETRIES: usize = 2;

/// Pause before the plan is made again after the log refused an entry.
const REPLAN_AFTER: Duration = Duration::from_secs(1);

/// How far an act has come here, as long as the fold does not show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its intent was appended and is not folded yet.
    Intended,
    /// It is being executed, or its result is not folded yet.
    Executing,
}

/// The next thing to do about one act.
#[derive(Debug, Clone, PartialEq)]
enum Move {
    /// Append its intent.
    Intend(EffectId, Act),
    /// Execute it, then append its result.
    Execute(EffectId, Act),
}

/// What to do now. Nothing while this process does not lead, or while its own `EngineStarted` is not folded: acts of an
/// earlier leadership are intended anew under its own.
fn plan(agenda: &Agenda, epoch: Option<u64>, begun: &BTreeMap<EffectId, Stage>) -> Vec<Move> {
    if epoch != Some(agenda.epoch) {
        return Vec::new();
    }
    let next = |(id, act): &(EffectId, Act)| match (begun.get(id), agenda.intended.contains(id)) {
        (Some(Stage::Executing), _) | (Some(Stage::Intended), false) => None,
        (_, true) => Some(Move::Execute(*id, act.clone())),
        (None, false) => Some(Move::Intend(*id, act.clone())),
    };
    agenda.outstanding.iter().filter_map(next).collect()
}

/// Forgets what the fold has settled: acts that ended, and everything of an earlier leadership.
fn settle(agenda: &Agenda, epoch: Option<u64>, begun: &mut BTreeMap<EffectId, Stage>) {
    let outstanding: BTreeSet<EffectId> = agenda.outstanding.iter().map(|(id, _)| *id).collect();
    begun.retain(|id, _| epoch.is_some() && outstanding.contains(id));
}

/// The executor's shell.
#[derive(Debug)]
pub(super) struct Executor {
    /// Where intents and results go.
    pub(super) log: Log,
    /// Stamps them.
    pub(super) clock: Clock,
    /// What the engine asks for, and its settings.
    pub(super) published: Arc<Published>,
    /// Whether this process leads.
    pub(super) lease: watch::Receiver<Option<Lease>>,
    /// What can be acted on.
    pub(super) actuators: Actuators,
}

type Executed = (Lease, EffectId, EffectResult);

impl Executor {
    /// Runs until the runtime is quiet.
    pub(super) async fn run(mut self, stop: Stop) {
        let mut agenda_changes = self.published.agenda();
        let mut begun = BTreeMap::new();
        let mut executing: JoinSet<Executed> = JoinSet::new();
        let mut led = None;
        loop {
            let lease = *self.lease.borrow_and_update();
            let agenda = agenda_changes.borrow_and_update().clone();
            let epoch = lease.map(|lease| lease.epoch);
            if led != epoch {
                begun.clear();
                executing = JoinSet::new();
                led = epoch;
            }
            settle(&agenda, epoch, &mut begun);
            let mut refused = false;
            for step in lease.map(|_| plan(&agenda, epoch, &begun)).unwrap_or_default() {
                let Some(lease) = lease else { continue };
                refused |= !self.take(step, lease, &mut begun, &mut executing).await;
            }
            tokio::select! {
                () = stop.at(Phase::Quiet) => return,
                Ok(()) = agenda_changes.changed() => {}
                Ok(()) = self.lease.changed() => {}
                Some(done) = executing.join_next(), if !executing.is_empty() => self.end(done.ok(), &mut begun).await,
                () = tokio::time::sleep(REPLAN_AFTER), if refused => {}
            }
        }
    }

    /// Does one move; `false` when the log did not take the intent.
    async fn take(
        &self,
        step: Move,
        lease: Lease,
        begun: &mut BTreeMap<EffectId, Stage>,
        executing: &mut JoinSet<Executed>,
    ) -> bool {
        match step {
            Move::Intend(id, act) => {
                let taken = self.append(lease, Body::Intended { id, act }).await.is_ok();
                if taken {
                    begun.insert(id, Stage::Intended);
                }
                taken
            }
            Move::Execute(id, act) => {
                begun.insert(id, Stage::Executing);
                let timeout = Duration::from_secs(self.published.view().settings().healing.execute_timeout_s);
                let (actuators, live) = (self.actuators.clone(), (self.lease.clone(), lease.epoch));
                executing.spawn(async move { (lease, id, execute(&actuators, &act, live, timeout).await) });
                true
            }
        }
    }

    /// Appends the result of an execution; the log refuses it when another leader took over meanwhile.
    async fn end(&self, done: Option<Executed>, begun: &mut BTreeMap<EffectId, Stage>) {
        let Some((lease, id, result)) = done else {
            tracing::error!(component = "executor", "an execution ended by a panic");
            return;
        };
        tracing::info!(component = "executor", effect = %id, ?result, "executed");
        if self.append(lease, Body::Ended { id, result }).await.is_err() {
            // Still outstanding: it is executed again, which is safe, and its result appended then.
            begun.remove(&id);
        }
    }

    async fn append(&self, lease: Lease, body: Body) -> Result<(), LogError> {
        let appended = self.log.append(lease.epoch, self.clock.now(), vec![body]).await;
        appended.map(drop).inspect_err(|error| tracing::warn!(component = "executor", %error, "the log did not take an entry"))
    }
}

/// Sets the target to what the act wants: retried with growing pauses while it cannot be reached, never beyond the
/// allowed time. Right before each try the lease is checked, and no try outlives what is left of it.
async fn execute(
    actuators: &Actuators,
    act: &Act,
    (lease, epoch): (watch::Receiver<Option<Lease>>, u64),
    timeout: Duration,
) -> EffectResult {
    let tries = ExponentialBuilder::default().with_min_delay(RETRY_FIRST).with_factor(RETRY_FACTOR).with_max_times(RETRIES);
    let attempt = || async {
        let left = lease.borrow().filter(|held| held.epoch == epoch).map_or(Duration::ZERO, |held| held.left());
        if left.is_zero() {
            return Err(Refusal::Refused("leadership was lost before it was sent".to_owned()));
        }
        match tokio::time::timeout(left, actuators.set(&act.change)).await {
            Ok(answer) => answer,
            Err(_) => Err(Refusal::Unreachable(format!("no answer within {:.1} s", left.as_secs_f64()))),
        }
    };
    let outcome = attempt.retry(tries).when(|refusal| matches!(refusal, Refusal::Unreachable(_)));
    match tokio::time::timeout(timeout, outcome).await {
        Ok(Ok(())) => EffectResult::Done,
        Ok(Err(refusal)) => EffectResult::Refused { reason: refusal.to_string() },
        Err(_) => EffectResult::Refused { reason: format!("not done within {} s", timeout.as_secs()) },
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock;
    use super::*;
    use crate::domain::{ActionId, Change, Position, Step};

    fn act(record: u64) -> (EffectId, Act) {
        let position = Position { record, index: 0 };
        let act = Act { action: ActionId(record), step: Step::Execute, change: Change::Scale { from: 2, to: 3 } };
        (EffectId { position, number: 0 }, act)
    }

    fn agenda(epoch: u64, outstanding: &[u64], intended: &[u64]) -> Agenda {
        Agenda {
            epoch,
            outstanding: outstanding.iter().map(|record| act(*record)).collect(),
            intended: intended.iter().map(|record| act(*record).0).collect(),
            ..Agenda::default()
        }
    }

    #[test]
    fn only_the_leader_of_the_folded_epoch_acts() {
        let agenda = agenda(3, &[10], &[]);
        assert!(plan(&agenda, None, &BTreeMap::new()).is_empty());
        assert!(plan(&agenda, Some(4), &BTreeMap::new()).is_empty(), "its own EngineStarted is not folded yet");
        assert_eq!(plan(&agenda, Some(3), &BTreeMap::new()), [Move::Intend(act(10).0, act(10).1)]);
    }

    #[test]
    fn an_act_is_executed_once_its_intent_is_folded_and_not_again() {
        let (id, content) = act(10);
        let mut begun = BTreeMap::from([(id, Stage::Intended)]);
        assert!(plan(&agenda(3, &[10], &[]), Some(3), &begun).is_empty(), "its intent is on its way");
        assert_eq!(plan(&agenda(3, &[10], &[10]), Some(3), &begun), [Move::Execute(id, content)]);
        begun.insert(id, Stage::Executing);
        assert!(plan(&agenda(3, &[10], &[10]), Some(3), &begun).is_empty());
        settle(&agenda(3, &[], &[]), Some(3), &mut begun);
        assert!(begun.is_empty());
    }

    #[test]
    fn after_a_restart_an_act_without_a_result_is_intended_again() {
        let begun = BTreeMap::new();
        assert_eq!(plan(&agenda(4, &[10], &[]), Some(4), &begun).len(), 1);
    }

    #[tokio::test]
    async fn an_act_is_not_sent_after_the_lease_ended() {
        let (actuators, second) = (Actuators::new(2), Duration::from_secs(1));
        let (lease, held) = watch::channel(Some(Lease { epoch: 1, until: clock::instant() }));
        let ended = execute(&actuators, &act(1).1, (held.clone(), 1), second).await;
        assert!(matches!(ended, EffectResult::Refused { .. }), "{ended:?}");
        lease.send_replace(Some(Lease { epoch: 2, until: clock::instant() + second }));
        let ended = execute(&actuators, &act(1).1, (held.clone(), 1), second).await;
        assert!(matches!(ended, EffectResult::Refused { .. }), "another leadership: {ended:?}");
        assert_eq!(actuators.instances(), 2);
        assert_eq!(execute(&actuators, &act(1).1, (held, 2), second).await, EffectResult::Done);
        assert_eq!(actuators.instances(), 3);
    }
}
