//! Does an account work at all? Until its first success it may be one that never will: not activated yet, with wrong
//! credentials, set up for another currency.
//!
//! The scores alone say too little of that: they expect of an account what they expect of its kind, forget its few failures,
//! and take what others do well for a sign that it would too. So for an account without a success the odds that it is dead are
//! kept beside them: each failure is by 1 ÷ (1 − p) likelier of a dead account than of one that works. They fade, for what is
//! not set up today may be tomorrow.

use serde::{Deserialize, Serialize};

use super::belief::Belief;
use crate::domain::numbers::sigmoid;

/// Logarithm of the odds that an account of which nothing is known is dead: one in a hundred.
const PRIOR: f64 = -4.6;
/// Outcomes, of any account, after which the evidence has faded to 1/e.
const MEMORY: f64 = 3_000.0;
/// Probability of success that an account has at least, if it works: about what is expected of any at first.
const USUAL: f64 = 0.85;
/// Most evidence, in nats: with it one account in 30,000 works; one that nothing was sent to for 3,500 outcomes is then as
/// likely to work as not.
const MOST: f64 = 15.0;

/// What is known of whether an account works at all.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Proof {
    /// It has had a success.
    proven: bool,
    /// Evidence that it is dead, in nats, as it was after so many outcomes.
    evidence: f32,
    learnt: u64,
}

impl Proof {
    /// An attempt was approved, or failed by what may be the account's fault; `expected` was its probability of success by the
    /// scores. `learnt`: outcomes so far.
    pub(crate) fn saw(&mut self, success: bool, expected: f64, learnt: u64) {
        if self.proven || success {
            *self = Self { proven: true, ..Self::default() };
            return;
        }
        let works = self.if_it_works(expected);
        let evidence = (self.faded(learnt) - libm::log((1.0 - works).max(f64::MIN_POSITIVE))).min(MOST);
        #[expect(clippy::cast_possible_truncation, reason = "single precision is enough")]
        let evidence = evidence as f32;
        (self.evidence, self.learnt) = (evidence, learnt);
    }

    /// The probability of success that an account has if it works: what is expected of one without a success falls with its
    /// failures, and then they would tell nothing.
    pub(crate) const fn if_it_works(&self, expected: f64) -> f64 {
        if self.proven { expected } else { expected.max(USUAL) }
    }

    fn faded(&self, learnt: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a fading of e^(-2^53) is zero anyway")]
        let passed = learnt.saturating_sub(self.learnt) as f64;
        f64::from(self.evidence) * libm::exp(-passed / MEMORY)
    }

    /// What the doubt takes off a logit of success: σ(mean + doubt) = σ(mean) × P(it works). 0 or below.
    pub(crate) fn doubt(&self, mean: f64, learnt: u64) -> f64 {
        if self.proven || self.evidence <= 0.0 {
            return 0.0;
        }
        let dead = sigmoid(PRIOR + self.faded(learnt));
        libm::log1p(-dead) - libm::log1p(dead * libm::exp(mean))
    }

    /// A belief about an account's own part, beside what is shared, with the doubt in it.
    pub(crate) fn doubted(&self, own: Belief, shared: Belief, learnt: u64) -> Belief {
        own.moved(self.doubt(shared.mean + own.mean, learnt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of an account of which 0.88 was expected, after so many failures and so many outcomes elsewhere.
    fn shown(failures: u32, elsewhere: u64) -> f64 {
        let mut proof = Proof::default();
        (0..failures).for_each(|_| proof.saw(false, 0.88, 0));
        sigmoid(2.0 + proof.doubt(2.0, elsewhere))
    }

    #[test]
    fn a_handful_of_failures_and_no_success_show_for_long() {
        assert!((shown(0, 0) - sigmoid(2.0)).abs() < 1e-12, "nothing is held against what was never tried");
        assert!((0.75..0.88).contains(&shown(1, 0)), "{}", shown(1, 0));
        assert!((0.4..0.7).contains(&shown(2, 0)), "{}", shown(2, 0));
        assert!(shown(4, 0) < 0.05, "{}", shown(4, 0));
        assert!(shown(2, 400) < 0.7 && shown(4, 400) < 0.1, "{} {}", shown(2, 400), shown(4, 400));
        assert!(shown(50, 30_000) > 0.8, "what is not set up today may be tomorrow: {}", shown(50, 30_000));
    }

    #[test]
    fn an_account_that_goes_on_failing_stays_in_doubt() {
        let mut proof = Proof::default();
        (1..=100).for_each(|probe| proof.saw(false, 0.1, 700 * probe));
        assert!(sigmoid(2.0 + proof.doubt(2.0, 70_000)) < 0.02, "{}", proof.doubt(2.0, 70_000));
    }

    #[test]
    fn one_success_proves_it() {
        let mut proof = Proof::default();
        (0..10).for_each(|_| proof.saw(false, 0.88, 0));
        proof.saw(true, 0.88, 10);
        (0..10).for_each(|_| proof.saw(false, 0.88, 20));
        assert!(proof.doubt(2.0, 20).abs() < f64::EPSILON);
    }
}
