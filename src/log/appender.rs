//! Group commit: many callers, one writer. Whatever waits while one record is being made durable is the next record.
//!
//! An append that is waited for is durable when it returns, or returned an error. One that is queued behind an answer
//! is kept and tried again while the log is down, up to a bound; what is dropped then is counted.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use super::{Log, LogError};
use crate::domain::{Body, Position, Time};

/// Appends that may wait. Four seconds of traffic at 15,000/s, about 100 MB: longer than a slow disk stalls.
const QUEUE: usize = 65_536;

/// Most appends a group takes. At about 100 bytes each a record stays under 1 MB; larger ones save no more fsyncs.
const GROUP: usize = 4_096;

/// Most entries kept for another try: 4 s of decisions at 15,000/s, about 60 MB.
const KEPT: usize = 65_536;

/// How long entries that nobody waits for gather. A crash may lose 20 ms of them; at 15,000/s this makes 125 records a
/// second of 120 entries each, instead of 800 of 19, and each costs an fsync, a fold and a published view.
const LINGER: Duration = Duration::from_millis(8);

/// The first pause before another try, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Failed tries for what is kept once the program is shutting down: a log that just restarts gets a second.
const LAST_TRIES: u32 = 3;

/// The door to the log for many callers. Clones share one queue.
#[derive(Debug, Clone)]
pub struct Appender {
    queue: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    epoch: AtomicU64,
    dropped: AtomicU64,
    /// Somebody queued an entry and waits for it.
    awaited: Notify,
}

#[derive(Debug)]
enum Message {
    Append(Claim, Vec<Body>),
    Behind(Body),
    Close,
}

/// Who waits for the answer.
type Claim = oneshot::Sender<Result<Position, LogError>>;

impl Appender {
    /// An appender, and the loop that serves it, which somebody must run. `now` is the clock records are stamped by.
    #[must_use]
    pub fn new<N: Fn() -> Time + Send + 'static>(log: Log, now: N) -> (Self, GroupCommit<N>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let shared = Arc::<Shared>::default();
        let served = GroupCommit { log, now, waiting, shared: Arc::clone(&shared), kept: VecDeque::new(), pause: FIRST_PAUSE };
        (Self { queue, shared }, served)
    }

    /// Appends an entry; it is durable when this returns. Waits while the queue is full. Dropping the future does not
    /// take the entry back.
    ///
    /// # Errors
    /// What the log says, or [`LogError::Closed`].
    pub async fn append(&self, body: Body) -> Result<Position, LogError> {
        self.append_many(vec![body]).await
    }

    /// Appends entries side by side into one record; the position is the last one's.
    ///
    /// # Errors
    /// As [`Appender::append`]; none of the entries counts as appended then.
    ///
    /// # Panics
    /// When there are none.
    pub async fn append_many(&self, bodies: Vec<Body>) -> Result<Position, LogError> {
        assert!(!bodies.is_empty(), "at least one entry is appended");
        let (claim, answer) = oneshot::channel();
        self.queue.send(Message::Append(claim, bodies)).await.map_err(|_| LogError::Closed)?;
        self.shared.awaited.notify_one();
        answer.await.map_err(|_| LogError::Closed)?
    }

    /// Queues an entry and returns at once; a crash before the next group commit loses it.
    ///
    /// # Errors
    /// [`LogError::QueueFull`] or [`LogError::Closed`].
    pub fn append_behind(&self, body: Body) -> Result<(), LogError> {
        self.queue.try_send(Message::Behind(body)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => LogError::QueueFull { waiting: QUEUE },
            mpsc::error::TrySendError::Closed(_) => LogError::Closed,
        })
    }

    /// The epoch records are written under from now on; 0 without a lease.
    pub fn set_epoch(&self, epoch: u64) {
        self.shared.epoch.store(epoch, Ordering::SeqCst);
    }

    /// The epoch records are written under; back at 0 once the log refused it.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.shared.epoch.load(Ordering::SeqCst)
    }

    /// Appends that wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Entries queued behind an answer that were given up since the start, because the log was down for too long.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Refuses further appends; what is queued is still appended, then the loop ends.
    pub async fn close(&self) {
        // An error means that it has ended already.
        let _ = self.queue.send(Message::Close).await;
    }
}

/// The loop behind an [`Appender`].
#[derive(Debug)]
pub struct GroupCommit<N> {
    log: Log,
    now: N,
    waiting: mpsc::Receiver<Message>,
    shared: Arc<Shared>,
    kept: VecDeque<Body>,
    pause: Duration,
}

impl<N: Fn() -> Time + Send + 'static> GroupCommit<N> {
    /// Serves the appender until it is closed, or its last clone is dropped, and all that was queued is in the log.
    pub async fn run(mut self) {
        while let Some(group) = self.gather().await {
            self.commit(group).await;
        }
        let mut failures = 0;
        while !self.kept.is_empty() && failures < LAST_TRIES {
            let left = self.kept.len();
            let group = self.started();
            self.commit(group).await;
            if self.kept.len() >= left {
                failures += 1;
                tokio::time::sleep(self.pause).await;
            }
        }
        self.give_up(self.kept.len());
    }

    /// Waits for something to append, and takes all that waits. `None`: closed, and nothing is left but what is kept.
    async fn gather(&mut self) -> Option<Group> {
        let first = if self.kept.is_empty() {
            self.waiting.recv().await?
        } else if let Ok(first) = tokio::time::timeout(self.pause, self.waiting.recv()).await {
            first?
        } else {
            return Some(self.started());
        };
        let mut group = self.started();
        self.take(first, &mut group);
        if group.awaited() {
            // The callers just answered get their turn to queue the next: the groups grow, the fsyncs become fewer.
            tokio::task::yield_now().await;
        } else {
            self.linger().await;
        }
        for _ in 1..GROUP {
            let Ok(next) = self.waiting.try_recv() else { break };
            self.take(next, &mut group);
        }
        Some(group)
    }

    /// Lets what nobody waits for gather, until somebody waits or the time is up. The queue is not looked at meanwhile: at
    /// 15,000/s a wake-up for each entry costs more than the entry.
    async fn linger(&self) {
        // An error: the time is up.
        let _ = tokio::time::timeout(LINGER, self.shared.awaited.notified()).await;
    }

    /// A group that begins with what was kept, the oldest first.
    fn started(&mut self) -> Group {
        let mut group = Group::default();
        for body in self.kept.drain(..self.kept.len().min(GROUP)) {
            group.add(None, [body]);
        }
        group
    }

    fn take(&mut self, message: Message, group: &mut Group) {
        match message {
            Message::Append(claim, bodies) => group.add(Some(claim), bodies),
            // Not before those that wait longer.
            Message::Behind(body) if !self.kept.is_empty() => self.kept.push_back(body),
            Message::Behind(body) => group.add(None, [body]),
            Message::Close => self.waiting.close(),
        }
    }

    async fn commit(&mut self, mut group: Group) {
        if group.bodies.is_empty() {
            return;
        }
        let epoch = self.shared.epoch.load(Ordering::SeqCst);
        let mut outcome = self.log.commit(epoch, (self.now)(), &group.bodies).await;
        if let Err(fenced @ LogError::Fenced { .. }) = &outcome {
            // Somebody else leads. What only a leader may say is refused; what anybody took in still goes to the log.
            let _ = self.shared.epoch.compare_exchange(epoch, 0, Ordering::SeqCst, Ordering::SeqCst);
            let (led, free) = group.split(needs_lease);
            led.refuse(fenced);
            group = free;
            if group.bodies.is_empty() {
                return;
            }
            outcome = self.log.commit(0, (self.now)(), &group.bodies).await;
        }
        match outcome {
            Ok(stamp) => {
                self.pause = FIRST_PAUSE;
                group.answer(stamp.number);
            }
            Err(error) => self.keep(group.refuse(&error), &error),
        }
    }

    /// Keeps entries for another try, before those kept already: they are older.
    fn keep(&mut self, bodies: Vec<Body>, error: &LogError) {
        if bodies.is_empty() {
            return;
        }
        let cause = error.source().map(tracing::field::display);
        tracing::warn!(component = "log", entries = bodies.len(), %error, cause, "not appended; will be tried again");
        for body in bodies.into_iter().rev() {
            self.kept.push_front(body);
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.give_up(self.kept.len().saturating_sub(KEPT));
    }

    /// Drops the oldest of those kept: the newer ones are worth more.
    fn give_up(&mut self, entries: usize) {
        if entries == 0 {
            return;
        }
        self.kept.drain(..entries);
        self.shared.dropped.fetch_add(entries as u64, Ordering::Relaxed);
        tracing::error!(component = "log", entries, "gave up entries that could not be appended");
    }
}

/// Whether only the holder of the lease may say this.
const fn needs_lease(body: &Body) -> bool {
    matches!(body, Body::EngineStarted { .. } | Body::Intended { .. } | Body::Ended { .. } | Body::Sampled(_) | Body::Ticked)
}

/// Entries that become one record, and who waits for which of them.
#[derive(Debug, Default)]
struct Group {
    bodies: Vec<Body>,
    /// In the order of the bodies: how many each brought, and whom to answer.
    shares: Vec<(usize, Option<Claim>)>,
}

impl Group {
    fn add(&mut self, claim: Option<Claim>, bodies: impl IntoIterator<Item = Body>) {
        let before = self.bodies.len();
        self.bodies.extend(bodies);
        self.shares.push((self.bodies.len() - before, claim));
    }

    /// Whether whoever came last waits for it.
    fn awaited(&self) -> bool {
        self.shares.last().is_some_and(|(_, claim)| claim.is_some())
    }

    /// Tells each waiter the position of its last entry.
    fn answer(self, record: u64) {
        let mut end = 0;
        for (entries, claim) in self.shares {
            end += entries;
            let index = u32::try_from(end - 1).unwrap_or(u32::MAX);
            // A waiter that is gone needs no answer.
            let _ = claim.map(|claim| claim.send(Ok(Position { record, index })));
        }
    }

    /// Tells each waiter the error; the entries nobody waits for come back.
    fn refuse(self, error: &LogError) -> Vec<Body> {
        let mut kept = Vec::new();
        let mut bodies = self.bodies.into_iter();
        for (entries, claim) in self.shares {
            let share = bodies.by_ref().take(entries);
            match claim {
                Some(claim) => {
                    share.for_each(drop);
                    let _ = claim.send(Err(error.clone()));
                }
                None => kept.extend(share),
            }
        }
        kept
    }

    /// The shares that hold an entry for which `chosen` holds, and the others.
    fn split(self, chosen: fn(&Body) -> bool) -> (Self, Self) {
        let (mut with, mut without) = (Self::default(), Self::default());
        let mut bodies = self.bodies.into_iter();
        for (entries, claim) in self.shares {
            let share: Vec<Body> = bodies.by_ref().take(entries).collect();
            let side = if share.iter().any(chosen) { &mut with } else { &mut without };
            side.add(claim, share);
        }
        (with, without)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merchant(name: &str) -> Body {
        let profile = crate::domain::ProfileId::parse(name).unwrap();
        Body::MerchantConfigured { profile, priority: Vec::new() }
    }

    #[tokio::test]
    async fn all_that_waits_becomes_one_record_in_order() {
        let (appender, commit) = Appender::new(Log::memory(), || Time::from_secs(1));
        appender.append_behind(merchant("a")).unwrap();
        appender.append_behind(merchant("b")).unwrap();
        let log = commit.log.clone();
        let calls = async {
            let position = appender.append_many(vec![merchant("c"), merchant("d")]).await.unwrap();
            appender.close().await;
            position
        };
        let (position, ()) = tokio::join!(calls, commit.run());
        let records = log.read(1, 10).await.unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].bodies, ["a", "b", "c", "d"].map(merchant));
        assert_eq!(position, Position { record: 1, index: 3 });
        assert!(matches!(appender.append(Body::Ticked).await, Err(LogError::Closed)));
    }

    #[tokio::test]
    async fn a_deposed_leader_still_takes_in_but_no_longer_leads() {
        let log = Log::memory();
        let old = log.acquire_lease("one", Duration::from_secs(1), Time::ZERO).await.unwrap().unwrap();
        let new = log.acquire_lease("two", Duration::from_secs(1), Time::from_secs(2)).await.unwrap().unwrap();
        let (appender, commit) = Appender::new(log.clone(), || Time::from_secs(2));
        appender.set_epoch(old);
        let calls = async {
            let (tick, intake) = tokio::join!(appender.append(Body::Ticked), appender.append(merchant("a")));
            assert!(matches!(tick, Err(LogError::Fenced { epoch, current }) if (epoch, current) == (old, new)));
            assert_eq!(intake.unwrap(), Position { record: 1, index: 0 });
            assert_eq!(appender.epoch(), 0);
            appender.close().await;
        };
        tokio::join!(calls, commit.run());
        assert_eq!(log.read(1, 10).await.unwrap()[0].bodies, [merchant("a")]);
    }

    #[tokio::test]
    async fn a_full_queue_is_an_error_at_once() {
        let (appender, commit) = Appender::new(Log::memory(), || Time::ZERO);
        for _ in 0..QUEUE {
            appender.append_behind(Body::Ticked).unwrap();
        }
        assert!(matches!(appender.append_behind(Body::Ticked), Err(LogError::QueueFull { waiting: QUEUE })));
        assert_eq!(appender.depth(), QUEUE);
        drop(commit);
        assert!(matches!(appender.append_behind(Body::Ticked), Err(LogError::Closed)));
    }

    #[test]
    fn what_cannot_be_kept_is_counted() {
        let (appender, mut commit) = Appender::new(Log::memory(), || Time::ZERO);
        commit.keep(vec![Body::Ticked; KEPT], &LogError::Closed);
        assert_eq!((commit.kept.len(), appender.dropped()), (KEPT, 0));
        commit.keep(vec![Body::Ticked; 10], &LogError::Closed);
        assert_eq!((commit.kept.len(), appender.dropped()), (KEPT, 10));
    }

    #[test]
    fn what_is_kept_keeps_its_order() {
        let (_appender, mut commit) = Appender::new(Log::memory(), || Time::ZERO);
        let numbered: Vec<Body> = (0..GROUP + 10).map(|number| merchant(&number.to_string())).collect();
        commit.keep(numbered[..GROUP + 5].to_vec(), &LogError::Closed);
        for body in &numbered[GROUP + 5..] {
            let mut group = commit.started();
            commit.take(Message::Behind(body.clone()), &mut group);
            let refused = group.refuse(&LogError::Closed);
            commit.keep(refused, &LogError::Closed);
        }
        assert_eq!(commit.kept, numbered);
    }
}
