//! Leadership: one process at a time ticks, samples and executes.
//!
//! Without a lease it asks for one; with one it renews it, opens the leadership (`EngineStarted`, then the configuration
//! where the log's differs) and ticks. One call is under way at a time: [`Leadership::next`] says which, and one of the
//! answers is given before it is asked again. A lease counts from the moment it was asked for, so that it ends here
//! before it ends in the store.

use std::sync::Arc;
use std::time::Duration;

use super::{Agenda, Bug, Planted};
use crate::domain::{Position, Settings, Time};

/// How long a lease lasts: after a leader's death its work rests for so long at most. Below 3 s a slow disk would cost
/// leadership; above a minute an operator would notice the pause.
pub const LEASE: Duration = Duration::from_secs(10);

/// How often it is renewed: two renewals may be lost before it ends.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);

/// Ticks are at least so far apart.
const TICK_MIN: Duration = Duration::from_secs(1);

/// Pause before an entry that the log did not take is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// This process's leadership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Its fencing epoch.
    pub epoch: u64,
    /// When it ends unless renewed, since this process started.
    pub until: Duration,
}

impl Lease {
    /// What is left of it.
    #[must_use]
    pub const fn left(&self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }
}

/// The next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask the store for the lease; [`Leadership::acquired`] is the answer.
    Acquire,
    /// Prolong the lease of this epoch; [`Leadership::renewed`] is the answer.
    Renew(u64),
    /// Append `EngineStarted` under this epoch; [`Leadership::appended`] is the answer, as for the next two.
    Start(u64),
    /// Append this process's configuration.
    Configure(u64),
    /// Append that time passed.
    Tick(u64),
    /// Nothing until then (since this process started), or until the agenda changes.
    Wait(Duration),
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable there.
    At(Position),
    /// The log refused the epoch: another process leads.
    Fenced,
    /// The log did not answer: it may have been written all the same.
    Failed,
}

/// How far a leadership is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// Its `EngineStarted` is to be appended.
    Start,
    /// That is waited for in the fold, but no longer than this: only then it can be told whether the configuration differs.
    Fold { position: Position, patience: Duration },
    /// The configuration is to be compared.
    Configure,
    /// It ticks.
    Open,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Leadership {
    held: Option<Lease>,
    opening: Opening,
    asked: Duration,
    renew_at: Duration,
    retry_at: Duration,
    ticked: Time,
    planted: Planted,
}

impl Leadership {
    /// A process that has just started.
    #[must_use]
    pub const fn new(planted: Planted) -> Self {
        Self {
            held: None,
            opening: Opening::Start,
            asked: Duration::ZERO,
            renew_at: Duration::ZERO,
            retry_at: Duration::ZERO,
            ticked: Time::ZERO,
            planted,
        }
    }

    /// The lease, as far as this process knows; [`Lease::left`] says whether it still holds.
    #[must_use]
    pub const fn lease(&self) -> Option<Lease> {
        self.held
    }

    /// What to do. `settings` is the configuration this process was started with.
    pub fn next(&mut self, now: Duration, at: Time, agenda: &Agenda, settings: &Arc<Settings>) -> Step {
        if now >= self.renew_at {
            (self.asked, self.renew_at) = (now, now + RENEW_EVERY);
            return self.held.map_or(Step::Acquire, |lease| Step::Renew(lease.epoch));
        }
        let Some(lease) = self.held else { return Step::Wait(self.renew_at) };
        self.open(now, &lease, agenda, settings);
        let due = match self.opening {
            _ if now < self.retry_at => self.retry_at,
            Opening::Start => return Step::Start(lease.epoch),
            Opening::Configure => return Step::Configure(lease.epoch),
            Opening::Fold { patience, .. } => patience,
            Opening::Open => match next_tick(agenda, self.ticked).map(|due| due.since(at)) {
                None => self.renew_at,
                Some(Duration::ZERO) => {
                    self.ticked = at;
                    return Step::Tick(lease.epoch);
                }
                Some(left) => now + left,
            },
        };
        Step::Wait(due.min(self.renew_at))
    }

    /// The leadership's opening, as far as the fold allows.
    fn open(&mut self, now: Duration, lease: &Lease, agenda: &Agenda, settings: &Arc<Settings>) {
        let folded = agenda.epoch == lease.epoch;
        if self.opening == Opening::Start && folded {
            // The answer was lost; the entry was not.
            self.opening = Opening::Configure;
        }
        if let Opening::Fold { position, patience } = self.opening
            && (agenda.position >= position || now >= patience)
        {
            self.opening = Opening::Configure;
        }
        if self.opening == Opening::Configure && agenda.settings.as_ref() == Some(settings) {
            self.opening = Opening::Open;
        }
    }

    /// The store granted the lease with this epoch, or another process holds it.
    pub fn acquired(&mut self, now: Duration, epoch: Option<u64>) {
        if let Some(epoch) = epoch {
            self.held = Some(Lease { epoch, until: self.ends(now) });
            self.opening = Opening::Start;
            self.retry_at = now;
        }
    }

    /// The store prolonged the lease, refused to (another process took it), or did not answer. `false` when leadership
    /// was lost.
    pub fn renewed(&mut self, now: Duration, answer: Option<bool>) -> bool {
        let until = self.ends(now);
        match (answer, &mut self.held) {
            (Some(true), Some(lease)) => lease.until = until,
            (None, Some(lease)) if !lease.left(now).is_zero() => {}
            _ => self.held = None,
        }
        self.held.is_some()
    }

    /// What became of the entry. `false` when leadership was lost.
    pub fn appended(&mut self, now: Duration, outcome: Appended) -> bool {
        let Some(lease) = self.held else { return false };
        match (outcome, self.opening) {
            (Appended::Fenced, _) => self.held = None,
            (Appended::Failed, _) => self.retry_at = now + RETRY_AFTER,
            (Appended::At(position), Opening::Start) => {
                // Half of what is left: the lease must not end while the fold catches up.
                self.opening = Opening::Fold { position, patience: now + lease.left(now) / 2 };
            }
            (Appended::At(_), Opening::Configure) => self.opening = Opening::Open,
            (Appended::At(_), _) => {}
        }
        self.held.is_some()
    }

    /// When a lease that is granted now ends.
    fn ends(&self, now: Duration) -> Duration {
        let from = if self.planted.has(Bug::LeaseFromAnswer) { now } else { self.asked };
        from + LEASE
    }
}

/// When the next tick is due: at the engine's deadline, but never in a burst.
fn next_tick(agenda: &Agenda, ticked: Time) -> Option<Time> {
    Some(agenda.deadline?.max(ticked + TICK_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn leading() -> (Leadership, Arc<Settings>, Agenda) {
        let (mut leader, settings, agenda) = (Leadership::new(Planted::default()), Arc::default(), Agenda::default());
        assert_eq!(leader.next(seconds(1), Time::ZERO, &agenda, &settings), Step::Acquire);
        leader.acquired(seconds(4), Some(7));
        (leader, settings, agenda)
    }

    #[test]
    fn ticks_follow_the_deadline_a_second_apart_at_most() {
        let check = |deadline: Option<i64>, ticked, expected: Option<i64>| {
            let agenda = Agenda { deadline: deadline.map(Time::from_secs), ..Agenda::default() };
            assert_eq!(next_tick(&agenda, Time::from_secs(ticked)), expected.map(Time::from_secs));
        };
        check(Some(105), 90, Some(105));
        check(Some(99), 99, Some(100));
        check(Some(99), 100, Some(101));
        check(None, 90, None);
    }

    #[test]
    fn a_lease_counts_from_its_request_and_ends_with_the_silence_of_the_store() {
        let (mut leader, settings, agenda) = leading();
        assert_eq!(leader.lease().map(|lease| lease.until), Some(seconds(11)), "asked at 1, answered at 4");
        assert_eq!(leader.next(seconds(5), Time::ZERO, &agenda, &settings), Step::Renew(7));
        assert!(leader.renewed(seconds(6), None), "one renewal may be lost");
        assert_eq!(leader.next(seconds(8), Time::ZERO, &agenda, &settings), Step::Renew(7));
        assert!(!leader.renewed(seconds(11), None), "now it has ended");
    }

    #[test]
    fn a_leadership_opens_once_even_when_the_answer_is_lost() {
        let (mut leader, settings, mut agenda) = leading();
        leader.renew_at = seconds(100);
        assert_eq!(leader.next(seconds(4), Time::ZERO, &agenda, &settings), Step::Start(7));
        assert!(leader.appended(seconds(5), Appended::Failed));
        assert_eq!(leader.next(seconds(5), Time::ZERO, &agenda, &settings), Step::Wait(seconds(6)));
        agenda.epoch = 7;
        assert_eq!(leader.next(seconds(6), Time::ZERO, &agenda, &settings), Step::Configure(7), "it was written all the same");
        agenda.settings = Some(settings.clone());
        agenda.deadline = Some(Time::from_secs(50));
        assert_eq!(leader.next(seconds(6), Time::from_secs(50), &agenda, &settings), Step::Tick(7));
        assert!(!leader.appended(seconds(7), Appended::Fenced));
        assert_eq!(leader.lease(), None);
    }
}
