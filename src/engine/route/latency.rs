//! How long answers take: a fading mean of the logarithm of the milliseconds, for latencies are skewed and multiply.

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::Subject;

/// Answers over which a latency is taken: a few seconds of a busy connector, an hour of a quiet one.
const MEMORY: f32 = 200.0;
/// What is known of the next wider group counts as so many answers of one's own.
const WIDER: f32 = 20.0;
/// Logarithm of the latency before any was told: 1 s, a usual authorisation.
const USUAL_LOG_MS: f32 = 6.907_755;
/// A latency of less than a millisecond is none.
const LEAST_MS: f64 = 1.0;

/// A fading mean.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Mean {
    log_ms: f32,
    answers: f32,
}

impl Mean {
    fn add(&mut self, log_ms: f32) {
        self.answers = (self.answers + 1.0).min(MEMORY);
        self.log_ms += (log_ms - self.log_ms) / self.answers;
    }

    /// The mean, drawn to the wider group's while there are few answers.
    fn within(self, wider: f32) -> f32 {
        (self.log_ms * self.answers + wider * WIDER) / (self.answers + WIDER)
    }
}

/// The latencies of all connectors and accounts, by number.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Latencies {
    all: Mean,
    connectors: Vector<Mean>,
    accounts: Vector<Mean>,
}

impl Latencies {
    /// An account answered after so many milliseconds.
    pub(crate) fn learn(&mut self, subject: Subject, ms: u32) {
        #[expect(clippy::cast_possible_truncation, reason = "single precision is enough")]
        let log_ms = libm::log(f64::from(ms).max(LEAST_MS)) as f32;
        self.all.add(log_ms);
        slot(&mut self.connectors, subject.connector).add(log_ms);
        slot(&mut self.accounts, subject.account).add(log_ms);
    }

    /// The logarithm of the milliseconds that an answer usually takes: of the account as far as it is known, else of its
    /// connector, else of all. What is not known is neither fast nor slow.
    pub(crate) fn log_ms(&self, connector: Option<u32>, account: Option<u32>) -> f64 {
        let known = |means: &Vector<Mean>, number: Option<u32>| number.and_then(|n| means.get(n as usize)).copied();
        let all = self.all.within(USUAL_LOG_MS);
        let connector = known(&self.connectors, connector).unwrap_or_default().within(all);
        f64::from(known(&self.accounts, account).unwrap_or_default().within(connector))
    }
}

fn slot(means: &mut Vector<Mean>, number: u32) -> &mut Mean {
    while means.len() <= number as usize {
        means.push_back(Mean::default());
    }
    &mut means[number as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_that_of_the_account_as_far_as_it_is_known() {
        let mut latencies = Latencies::default();
        let ms = |latencies: &Latencies, connector, account| libm::exp(latencies.log_ms(connector, account));
        assert!((ms(&latencies, None, None) - 1_000.0).abs() < 1.0);
        let tell = |latencies: &mut Latencies, connector, account, ms| {
            (0..500).for_each(|_| latencies.learn(Subject { connector, account }, ms));
        };
        tell(&mut latencies, 0, 0, 200);
        tell(&mut latencies, 1, 1, 2_000);
        let (fast, slow) = (ms(&latencies, Some(0), Some(0)), ms(&latencies, Some(1), Some(1)));
        assert!((200.0..260.0).contains(&fast) && (1_900.0..2_100.0).contains(&slow), "{fast} {slow}");
        let (sibling, stranger) = (ms(&latencies, Some(0), Some(7)), ms(&latencies, None, None));
        assert!(sibling < 300.0 && stranger > 1_000.0, "{sibling} {stranger}");
        tell(&mut latencies, 1, 1, 300);
        assert!(ms(&latencies, Some(1), Some(1)) < 400.0, "it follows");
    }
}
