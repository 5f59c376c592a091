//! Silence is evidence: a connector that hangs tells of its failures a minute late, its successes at once.
//!
//! An attempt without an answer for far longer than answers take is silent. Where one connector has clearly more silent
//! attempts than the others, and than those of its own that were approved in the end, each further one is presumed to
//! have failed and teaches so; its outcome, when it comes, counts as any other but teaches a failure only once.

use core::time::Duration;

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::Subject;
use super::share::Share;
use crate::domain::Time;
use crate::engine::payments::Key;

/// An attempt is silent after so many times the usual delay: one answer in a thousand takes so long by itself.
const PATIENCE: f64 = 5.0;
/// But never before, in seconds: delays are told in whole seconds by some.
const LEAST_PATIENCE_S: f64 = 5.0;
/// And at the latest after a day.
const MOST_PATIENCE_S: f64 = 86_400.0;
/// The usual delay before any was seen, in seconds.
const USUAL_S: f64 = 10.0;
/// Answers over which the usual delay is taken.
const DELAY_MEMORY: f64 = 500.0;
/// Attempts over which a connector's silence is judged: at half of them silent, ten are enough.
const RECENT: f64 = 30.0;
/// Attempts over which the share of all, and of the innocent, is taken.
const LONG: f64 = 500.0;
/// Silent share expected before anything was seen.
const PRIOR: f64 = 0.02;
/// Standard deviations above what is expected from which a connector is presumed to hang.
const TOO_MANY: f64 = 4.0;
/// Most attempts watched; further ones are not.
const MAX_WATCHED: usize = 50_000;

/// An attempt that is watched.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Sent {
    at: Time,
    /// Its payment.
    pub(crate) payment: Key,
    /// Its place among that payment's attempts.
    pub(crate) place: u16,
    /// Where it was sent.
    pub(crate) subject: Subject,
    /// The merchant's number.
    pub(crate) merchant: u32,
}

/// One connector's silence.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Own {
    recent: Share,
    /// Silent attempts that were approved in the end, among all.
    innocent: Share,
}

/// The attempts that may fall silent, and how many did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Silence {
    sent: Vector<Sent>,
    /// Mean logarithm of the delay in seconds.
    log_delay: f64,
    all: Share,
    by_connector: Vector<Own>,
}

impl Default for Silence {
    fn default() -> Self {
        Self { sent: Vector::new(), log_delay: libm::log(USUAL_S), all: Share::default(), by_connector: Vector::new() }
    }
}

impl Silence {
    /// An attempt was sent.
    pub(crate) fn sent(&mut self, at: Time, (payment, place): (Key, u16), subject: Subject, merchant: u32) {
        if self.sent.len() < MAX_WATCHED {
            self.sent.push_back(Sent { at, payment, place, subject, merchant });
        }
    }

    /// An attempt was answered after so long.
    pub(crate) fn answered(&mut self, delay: Duration) {
        let log = libm::log(delay.as_secs_f64().max(0.1));
        self.log_delay += (log - self.log_delay) / DELAY_MEMORY;
    }

    /// The next attempt that was sent so long ago that it should have been answered.
    pub(crate) fn next_due(&mut self, at: Time) -> Option<Sent> {
        let waited = at.since(self.sent.front()?.at).as_secs_f64();
        // What anybody waits for is asked first, for this is asked with every entry.
        let due = waited >= LEAST_PATIENCE_S && waited >= (PATIENCE * libm::exp(self.log_delay)).min(MOST_PATIENCE_S);
        if due { self.sent.pop_front() } else { None }
    }

    /// Counts an attempt that should have been answered. `true`: it was not, and its connector is presumed to hang.
    pub(crate) fn count(&mut self, connector: u32, silent: bool) -> bool {
        let usual = self.all.estimate(PRIOR);
        let own = self.own(connector);
        own.recent.add(silent, RECENT);
        own.innocent.add(false, LONG);
        let hangs = own.recent.exceeds(usual.max(2.0 * own.innocent.estimate(PRIOR)), TOO_MANY);
        if !hangs {
            self.all.add(silent, LONG);
        }
        hangs && silent
    }

    /// A silent attempt was approved after all.
    pub(crate) fn acquit(&mut self, connector: u32) {
        self.own(connector).innocent.note();
    }

    fn own(&mut self, connector: u32) -> &mut Own {
        while self.by_connector.len() <= connector as usize {
            self.by_connector.push_back(Own::default());
        }
        &mut self.by_connector[connector as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_that_hangs_is_told_from_one_that_is_slow() {
        let mut silence = Silence::default();
        (0..300).for_each(|n| assert!(!silence.count(n % 3, n % 100 == 0)));
        let presumed = (0..40).filter(|n| silence.count(0, n % 2 == 0)).count();
        assert!(presumed >= 12, "{presumed} of 20 silent ones");
        assert!(!silence.count(1, true), "the others are not presumed to hang");
        (0..400).for_each(|_| {
            silence.count(2, true);
            silence.acquit(2);
        });
        assert!(!silence.count(2, true), "what is approved in the end is no failure");
    }

    #[test]
    fn patience_follows_the_delays() {
        let mut silence = Silence::default();
        let subject = Subject { connector: 0, account: 0 };
        let (profile, payment) =
            (crate::domain::ProfileId::parse("pro_1").unwrap(), crate::domain::PaymentId::parse("pay_1").unwrap());
        silence.sent(Time::ZERO, (Key::of(&profile, &payment), 0), subject, 0);
        (0..5_000).for_each(|_| silence.answered(Duration::from_secs(2)));
        assert!(silence.next_due(Time::from_secs(9)).is_none());
        assert!(silence.next_due(Time::from_secs(11)).is_some());
        assert!(silence.next_due(Time::from_secs(99)).is_none(), "each is due once");
    }
}
