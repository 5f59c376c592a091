//! The circuit breaker of a connector account.
//!
//! It counts gateway-class failures only: a customer's or an issuer's decline neither adds nor resets, a success
//! resets. Failures of no known class open it when their run is too unlikely under the expected rate. An open breaker
//! lets probes through, and closes after so many of them succeeded in a row. What was sent before a run of failures began
//! and is answered during it tells of the time before: where answers are late, a run would never show otherwise.

use serde::{Deserialize, Serialize};

use crate::domain::settings::Routing;
use crate::domain::{DeclineClass, Time};

/// A run of unclassified failures less likely than this opens the breaker: once in a million runs by chance.
const RUN_PROBABILITY: f64 = 1e-6;

/// Why a breaker opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Opened {
    /// So many gateway-class failures in a row.
    Consecutive(u32),
    /// A run of unclassified failures that chance does not explain.
    UnlikelyRun(u32),
}

impl Opened {
    /// The reason in words.
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Consecutive(n) => format!("{n} technical failures in a row"),
            Self::UnlikelyRun(n) => format!("{n} unclassified failures in a row: less likely than 1 in a million"),
        }
    }
}

/// One account's breaker.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Breaker {
    /// Gateway-class failures in a row.
    pub(crate) consecutive: u32,
    /// Unclassified failures in a row.
    unclassified: u32,
    /// Logarithm of that run's probability under the expected rate.
    run_log_probability: f64,
    /// When the first attempt of the run of failures was sent.
    run_since: Time,
    /// Open since when and why.
    pub(crate) open: Option<(Time, Opened)>,
    /// Successes in a row while open, or while the account is excluded.
    pub(crate) probe_successes: u32,
}

/// What an outcome did to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    Stayed,
    /// Opened it.
    Opened(Opened),
    /// Closed it.
    Closed,
}

/// When an attempt was sent, and when it was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    /// The time of the answer where it is not known.
    pub(crate) sent: Time,
    pub(crate) at: Time,
}

impl Breaker {
    /// An attempt was approved.
    pub(crate) fn succeed(&mut self, answered: Answered, routing: &Routing) -> Turn {
        if self.is_run() && answered.sent < self.run_since {
            return Turn::Stayed;
        }
        self.consecutive = 0;
        self.unclassified = 0;
        self.run_log_probability = 0.0;
        self.probe_successes = self.probe_successes.saturating_add(1);
        if self.open.is_some() && u64::from(self.probe_successes) >= routing.probe_successes {
            self.open = None;
            return Turn::Closed;
        }
        Turn::Stayed
    }

    /// An attempt failed; `expected` is the probability of success it had.
    pub(crate) fn fail(&mut self, class: DeclineClass, expected: f64, answered: Answered, routing: &Routing) -> Turn {
        let began = if self.is_run() { self.run_since.min(answered.sent) } else { answered.sent };
        match class {
            DeclineClass::Gateway => {
                self.consecutive = self.consecutive.saturating_add(1);
                self.probe_successes = 0;
            }
            DeclineClass::Unclassified => {
                self.unclassified = self.unclassified.saturating_add(1);
                self.run_log_probability += libm::log((1.0 - expected).max(f64::MIN_POSITIVE));
                self.probe_successes = 0;
            }
            DeclineClass::Mixed | DeclineClass::User | DeclineClass::ScaRequired | DeclineClass::DataError => {
                return Turn::Stayed;
            }
        }
        self.run_since = began;
        let reason = if u64::from(self.consecutive) >= routing.breaker_failures {
            Opened::Consecutive(self.consecutive)
        } else if self.run_log_probability < libm::log(RUN_PROBABILITY) {
            Opened::UnlikelyRun(self.unclassified)
        } else {
            return Turn::Stayed;
        };
        if self.open.is_some() {
            return Turn::Stayed;
        }
        self.open = Some((answered.at, reason));
        Turn::Opened(reason)
    }

    /// Whether the latest answers are failures of a kind that is counted.
    const fn is_run(&self) -> bool {
        self.consecutive > 0 || self.unclassified > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Answered = Answered { sent: Time::ZERO, at: Time::ZERO };

    /// Feeds a run of outcomes (`.` success, `g` gateway, `u` user, `m` mixed, `?` unclassified) and says if it is open.
    fn check(run: &str, open: bool) {
        let routing = Routing::default();
        let mut breaker = Breaker::default();
        for outcome in run.chars() {
            let class = match outcome {
                'g' => DeclineClass::Gateway,
                'u' => DeclineClass::User,
                'm' => DeclineClass::Mixed,
                '?' => DeclineClass::Unclassified,
                _ => {
                    breaker.succeed(NOW, &routing);
                    continue;
                }
            };
            breaker.fail(class, 0.9, NOW, &routing);
        }
        assert_eq!(breaker.open.is_some(), open, "{run}");
    }

    #[test]
    fn counts_what_is_the_gateways_fault() {
        check("ggggg", true);
        check("gggg", false);
        check("gggg.gggg", false);
        check("gugmgugmg", true);
        check("uuuuuuuuuuuuuuummmmmmmmmmmm", false);
        check("?????", false);
        check("???????", true);
        check("ggggg.....", false);
        check("ggggg....g.....", false);
    }

    #[test]
    fn an_answer_to_what_was_sent_before_a_run_does_not_end_it() {
        let routing = Routing::default();
        let answered = |sent: i64| Answered { sent: Time::from_secs(sent), at: Time::from_secs(200) };
        let mut breaker = Breaker::default();
        for sent in 100..105 {
            breaker.fail(DeclineClass::Gateway, 0.9, answered(sent), &routing);
            breaker.succeed(answered(sent - 50), &routing);
        }
        assert!(breaker.open.is_some(), "five in a row of those sent since");
        assert_eq!(breaker.probe_successes, 0, "nor is it a probe's success");
        let mut breaker = Breaker::default();
        for sent in 100..110 {
            breaker.fail(DeclineClass::Gateway, 0.9, answered(sent), &routing);
            breaker.succeed(answered(sent), &routing);
        }
        assert!(breaker.open.is_none());
    }
}
