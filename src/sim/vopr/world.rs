//! The simulated world: a queue of what happens when, and what happens then.

mod acting;
mod faulting;
mod operating;
mod serving;
mod taking;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::checks::{Broken, Checked, Checks, Invariant, MAX_PAYMENTS, holds};
use super::faults::{Counts, Fault};
use super::log::Log;
use super::replica::Replica;
use super::sender::{self, Sender};
use super::target::Target;
use super::{FAULTS, below, between, chance};
use crate::domain::settings::Merchant;
use crate::domain::{Act, Body, EffectId, EffectResult, Position, Settings, Time};
use crate::runtime::protocol::{Drain, Intake, Planted, Refusal, Step};
use crate::sim::chance::Stream;

/// Replicas.
const REPLICAS: usize = 3;
/// The log's readers learn of a record so much later: one look for all that came meanwhile.
const TAIL: Duration = Duration::from_millis(4);
/// A reader that cannot reach the log looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Payments a second, about; each makes two to five events.
const PAYMENT_EVERY: Duration = Duration::from_millis(90);
/// Between faults, on average.
const FAULT_EVERY: Duration = Duration::from_secs(4);
/// When the faults are over, everything has come to rest after so long at the latest.
const REST: Duration = Duration::from_mins(5);
/// Entries between checkpoints of one replica.
const CHECKPOINT_EVERY: usize = 2_500;

/// A process: a replica and which of its incarnations.
type Pid = (usize, u32);

/// What is asked of the log, and what the answer is for.
#[derive(Debug, Clone)]
enum Ask {
    Acquire,
    Renew(u64),
    /// The leadership's own entries.
    Lead(Step, Body),
    /// An event of the sender's ledger.
    Deliver(usize, Body),
    /// What is spooled, up to this number.
    Drain(u64, Vec<(u64, usize, Body)>),
    Intend(u64, EffectId, Act),
    End(u64, EffectId, EffectResult),
    /// A sample, under an epoch; a decision or a command, under none. Nobody waits for the answer.
    Behind(u64, Body),
}

/// What the log answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Granted(Option<u64>),
    Renewed(bool),
    At(Position),
    Fenced,
    /// None: it may have been done all the same.
    Silent,
}

/// What the target answers.
#[derive(Debug, Clone)]
enum Told {
    Read(Result<bool, Refusal>),
    Set(Result<(), Refusal>),
}

/// What happens.
#[derive(Debug, Clone)]
enum Event {
    /// The sender makes a payment.
    Pay,
    /// The sender delivers an event, and again until it is told "I have it".
    Send(usize),
    /// A webhook arrives at a replica.
    Arrive(usize, usize),
    /// The sender hears "I have it".
    Heard(usize),
    /// A request arrives at the log, stamped by its sender; nobody hears the answer when it is mute.
    Asked { by: Pid, at: Time, ask: Box<Ask>, mute: bool },
    /// The log's answer arrives.
    Answered { to: Pid, ask: Box<Ask>, answer: Answer },
    /// The disk has what was to be spooled.
    Spooled { to: Pid, number: usize, body: Box<Body> },
    /// A call arrives at the target; nobody hears the answer when it is mute.
    Called { by: Pid, epoch: u64, id: EffectId, act: Box<Act>, set: bool, mute: bool },
    /// The target's answer arrives.
    CallAnswered { to: Pid, epoch: u64, id: EffectId, told: Told },
    /// A replica looks at the log.
    Tail(usize),
    /// A process looks at its machines.
    Wake(Pid),
    /// An operator looks at a screen.
    Operate,
    /// Something goes wrong.
    Fault,
    /// A replica that died starts again.
    Start(usize),
}

impl Event {
    /// The replica whose process handles it, and the incarnation it is for, if any.
    fn process(&self) -> Option<(usize, Option<u32>)> {
        match self {
            Self::Arrive(replica, _) | Self::Tail(replica) => Some((*replica, None)),
            Self::Answered { to, .. } | Self::Spooled { to, .. } | Self::CallAnswered { to, .. } | Self::Wake(to) => {
                Some((to.0, Some(to.1)))
            }
            _ => None,
        }
    }
}

/// The world.
pub(super) struct World {
    now: Duration,
    queue: BTreeMap<(Duration, u64), Event>,
    queued: u64,
    settings: Arc<Settings>,
    planted: Planted,
    intake: Intake,
    log: Log,
    log_down_until: Duration,
    /// When the newest lease ends in the store.
    lease_ends: Duration,
    replicas: Vec<Replica>,
    /// Whether a look at the log is queued, for each replica.
    looks: [bool; REPLICAS],
    /// When each replica is woken next.
    wakes: [Option<Duration>; REPLICAS],
    sender: Sender,
    target: Target,
    checks: Checks,
    counts: Counts,
    network: Stream,
    faults: Stream,
    operator: Stream,
    /// Faults that happen to the next webhook or acknowledgement.
    armed: std::collections::BTreeSet<Fault>,
    /// The greatest number of a spooled event that reached the log, for each replica.
    drained: [u64; REPLICAS],
    /// Faults are over.
    calm: bool,
}

impl World {
    pub(super) fn new(seed: u64, planted: Planted) -> Self {
        let sender = Sender::new(seed);
        let settings = Arc::new(settings(seed, &sender));
        Self {
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            planted,
            intake: Intake::new(planted),
            log: Log::new(),
            log_down_until: Duration::ZERO,
            lease_ends: Duration::ZERO,
            replicas: (0..REPLICAS).map(|_| Replica::new()).collect(),
            looks: [false; REPLICAS],
            wakes: [None; REPLICAS],
            sender,
            target: Target::new(4),
            checks: Checks::new(settings.autonomy.clone()),
            settings,
            counts: Counts::of_one_seed(),
            network: Stream::new(seed, "vopr network"),
            faults: Stream::new(seed, "vopr faults"),
            operator: Stream::new(seed, "vopr operator"),
            armed: std::collections::BTreeSet::new(),
            drained: [0; REPLICAS],
            calm: false,
        }
    }

    pub(super) fn entries(&self) -> usize {
        self.log.entries().len()
    }

    pub(super) const fn now(&self) -> Duration {
        self.now
    }

    /// Runs to the end.
    pub(super) fn run(&mut self, entries: usize) -> Result<Counts, Broken> {
        for replica in 0..REPLICAS {
            self.after(Duration::ZERO, Event::Start(replica));
        }
        for event in [Event::Pay, Event::Operate, Event::Fault] {
            self.after(Duration::from_secs(1), event);
        }
        while self.entries() < entries {
            self.step()?;
        }
        self.calm_down();
        let end = self.now + REST;
        while !self.rests() {
            holds(self.now < end, Invariant::ComesToRest, || self.unrest())?;
            self.step()?;
        }
        self.checks.all_logged(&self.sender.ledger)?;
        let last = self.entries() - 1;
        for replica in &self.replicas {
            if let Some(process) = &replica.process {
                self.checks.compare(last, &process.state)?;
            }
        }
        self.counts.entries = self.entries() as u64;
        holds(self.counts.faults() >= FAULTS, Invariant::ComesToRest, || format!("only {} faults", self.counts.faults()))?;
        Ok(self.counts)
    }

    /// The next thing happens.
    fn step(&mut self) -> Checked {
        let Some(((at, _), event)) = self.queue.pop_first() else {
            return holds(false, Invariant::ComesToRest, || "nothing is going to happen any more".to_owned());
        };
        self.now = self.now.max(at);
        if let Some((replica, incarnation)) = event.process() {
            let held = &self.replicas[replica];
            if held.process.is_none() || incarnation.is_some_and(|number| number != held.incarnation) {
                self.unheard(&event);
                return Ok(());
            }
            if self.now < held.paused_until {
                self.at(held.paused_until, event);
                return Ok(());
            }
        }
        self.happen(event)
    }

    /// What is sent to a process that is gone.
    fn unheard(&mut self, event: &Event) {
        if let Event::Tail(replica) = event {
            self.looks[*replica] = false;
        }
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Pay => self.pay(),
            Event::Send(number) => self.send(number),
            Event::Arrive(replica, number) => return self.arrive(replica, number),
            Event::Heard(number) => self.sender.ledger[number].acknowledged = true,
            Event::Asked { by, at, ask, mute } => return self.asked(by, at, ask, mute),
            Event::Answered { to, ask, answer } => return self.answered(to, *ask, answer),
            Event::Spooled { to, number, body } => return self.spooled(to, number, *body),
            Event::Called { by, epoch, id, act, set, mute } => return self.called(by, (epoch, id, *act), set, mute),
            Event::CallAnswered { to, epoch, id, told } => return self.call_answered(to, (epoch, id), told),
            Event::Tail(replica) => return self.tail(replica),
            Event::Wake((replica, _)) => {
                self.wakes[replica] = None;
                return self.drive(replica);
            }
            Event::Operate => self.operate(),
            Event::Fault => self.fault(),
            Event::Start(replica) => self.start(replica),
        }
        Ok(())
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.queued += 1;
        self.queue.insert((at, self.queued), event);
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.at(self.now + delay, event);
    }

    fn pid(&self, replica: usize) -> Pid {
        (replica, self.replicas[replica].incarnation)
    }

    /// A look at the log, unless one is queued.
    fn look(&mut self, replica: usize, delay: Duration) {
        if !std::mem::replace(&mut self.looks[replica], true) {
            self.after(delay, Event::Tail(replica));
        }
    }

    /// A replica reads and folds what the log has.
    fn tail(&mut self, replica: usize) -> Checked {
        self.looks[replica] = false;
        if self.now < self.log_down_until || self.now < self.replicas[replica].cut_until {
            self.look(replica, LOOK_AGAIN);
            return Ok(());
        }
        let Some(process) = &mut self.replicas[replica].process else { return Ok(()) };
        process.fold(&self.log, &mut self.checks)?;
        process.catch_up(self.now);
        if process.next >= process.saved + CHECKPOINT_EVERY {
            process.saved = process.next;
            self.log.save(&process.state);
        }
        self.drive(replica)
    }

    /// The faults are over: whoever is down starts, whoever is cut off is back, what is armed is dropped.
    fn calm_down(&mut self) {
        self.calm = true;
        self.armed.clear();
        self.log_down_until = Duration::ZERO;
        for replica in &mut self.replicas {
            replica.armed.clear();
            replica.cut_until = Duration::ZERO;
        }
    }

    /// Whether all that was sent is acknowledged, in the log, folded everywhere and in every replica's tables.
    fn rests(&self) -> bool {
        let settled = |replica: &Replica| {
            let folded = replica.process.as_ref().is_some_and(|process| process.next == self.entries());
            folded && replica.disk.spool.is_empty() && replica.projected(&self.log)
        };
        self.replicas.iter().all(settled) && self.sender.is_done()
    }

    fn unrest(&self) -> String {
        let told = self.replicas.iter().map(|replica| {
            let next = replica.process.as_ref().map(|process| process.next);
            format!("folded {next:?}, {} spooled, projected: {}", replica.disk.spool.len(), replica.projected(&self.log))
        });
        let waiting = self.sender.ledger.iter().filter(|sent| !sent.acknowledged).count();
        format!("{} entries; {waiting} events unacknowledged; {}", self.entries(), told.collect::<Vec<_>>().join("; "))
    }
}

/// A configuration in which much happens in ten minutes, and State's bounds are reached.
fn settings(seed: u64, sender: &Sender) -> Settings {
    let mut settings = Settings { seed, ..Settings::default() };
    settings.routing.pending_timeout_s = 60;
    settings.healing.verify_s = 5;
    settings.healing.expiry_s = 20;
    settings.healing.reject_quiet_s = 5;
    settings.healing.execute_timeout_s = 20;
    settings.autonomy.veto_delay_s = 5;
    settings.scaling.cooldown_s = 1;
    settings.deduplication.max_payments = MAX_PAYMENTS;
    for profile in sender.merchants().iter().take(sender::PINNED as usize) {
        let merchant = Merchant { priority: sender.accounts().to_vec(), ..Merchant::default() };
        settings.merchants.insert(profile.clone(), merchant);
    }
    settings
}

/// A message's way through a healthy network.
fn way(stream: &mut Stream) -> Duration {
    between(stream, Duration::from_micros(200), Duration::from_millis(3))
}
