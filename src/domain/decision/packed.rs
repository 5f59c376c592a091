//! How a decision is written: its candidates by their places in the request, their numbers in half the bytes.
//!
//! `decide` rounds what it tells of a candidate to single precision, so nothing is lost by that; a decision of an older
//! version, or of a test, keeps what it has.

use serde::{Deserialize, Serialize};

use super::{Approach, Candidate, Decision, Exclusion, Note, Request};
use crate::domain::{ConnectorAccount, Position, Time};

/// A decision as it is written (its request borrowed) and read.
#[derive(Serialize, Deserialize)]
pub(super) struct Packed<R> {
    request: R,
    decided_at: Option<Time>,
    view: Position,
    chosen: u16,
    approach: Approach,
    candidates: Candidates,
    propensity: f64,
    confidence: f64,
}

#[derive(Serialize, Deserialize)]
enum Candidates {
    /// All are of the request, and their numbers are of single precision.
    Short(Vec<Short>),
    /// As they are.
    Whole(Vec<Candidate>),
    /// Either, of a decision that has notes: one that has none pays nothing for them.
    Noted(Vec<Note>, Box<Self>),
}

#[derive(Serialize, Deserialize)]
struct Short {
    /// The account's place in the request.
    place: u8,
    excluded: Option<Exclusion>,
    expected: f32,
    spread: f32,
    bonus: f32,
    pending: u16,
    evidence: f32,
}

impl<'a> Packed<&'a Request> {
    pub(super) fn of(decision: &'a Decision) -> Self {
        let Decision { request, decided_at, view, chosen, approach, candidates, propensity, confidence, notes } = decision;
        let short: Option<Vec<Short>> = candidates.iter().map(|candidate| Short::of(candidate, &request.eligible)).collect();
        let candidates = short.map_or_else(|| Candidates::Whole(candidates.clone()), Candidates::Short);
        Self {
            request,
            decided_at: *decided_at,
            view: *view,
            chosen: *chosen,
            approach: *approach,
            candidates: if notes.is_empty() { candidates } else { Candidates::Noted(notes.clone(), Box::new(candidates)) },
            propensity: *propensity,
            confidence: *confidence,
        }
    }
}

impl Packed<Request> {
    /// The decision; a sentence where a candidate names a place that the request has not.
    pub(super) fn decision(self) -> Result<Decision, &'static str> {
        let Self { request, decided_at, view, chosen, approach, candidates, propensity, confidence } = self;
        let (candidates, notes) = candidates.noted();
        let candidates = match candidates {
            Candidates::Short(short) => short.into_iter().map(|one| one.candidate(&request.eligible)).collect(),
            Candidates::Whole(whole) => Some(whole),
            Candidates::Noted(..) => return Err("a decision's notes are written twice"),
        };
        let candidates: Vec<Candidate> = candidates.ok_or("a candidate is none of the accounts that were allowed")?;
        Ok(Decision { request, decided_at, view, chosen, approach, candidates, propensity, confidence, notes })
    }
}

impl Candidates {
    /// They, and what was noted beside them.
    fn noted(self) -> (Self, Vec<Note>) {
        if let Self::Noted(notes, candidates) = self { (*candidates, notes) } else { (self, Vec::new()) }
    }
}

impl Short {
    /// None where something would be lost.
    fn of(candidate: &Candidate, eligible: &[ConnectorAccount]) -> Option<Self> {
        let Candidate { account, excluded, expected, spread, bonus, pending, evidence } = candidate;
        Some(Self {
            place: u8::try_from(eligible.iter().position(|one| one == account)?).ok()?,
            excluded: *excluded,
            expected: single(*expected)?,
            spread: single(*spread)?,
            bonus: single(*bonus)?,
            pending: *pending,
            evidence: single(*evidence)?,
        })
    }

    fn candidate(self, eligible: &[ConnectorAccount]) -> Option<Candidate> {
        Some(Candidate {
            account: eligible.get(usize::from(self.place))?.clone(),
            excluded: self.excluded,
            expected: f64::from(self.expected),
            spread: f64::from(self.spread),
            bonus: f64::from(self.bonus),
            pending: self.pending,
            evidence: f64::from(self.evidence),
        })
    }
}

/// A number in single precision, where it is one.
fn single(number: f64) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "compared with what it was")]
    let single = number as f32;
    (f64::from(single).to_bits() == number.to_bits()).then_some(single)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Context, Currency, Money, PaymentId, ProfileId};

    fn account(number: usize) -> ConnectorAccount {
        ConnectorAccount::parse(&format!("connector{number}:mca_{number}")).unwrap()
    }

    fn decision(candidates: usize, expected: f64) -> Decision {
        let eligible: Vec<ConnectorAccount> = (0..candidates).map(account).collect();
        let candidate = |number: usize| Candidate {
            account: account(number),
            excluded: (number > 3).then_some(Exclusion::BreakerOpen),
            expected,
            spread: 0.25,
            bonus: 0.125,
            pending: 3,
            evidence: 812.5,
        };
        Decision {
            request: Request {
                profile: ProfileId::parse("pro_1").unwrap(),
                payment: PaymentId::parse("pay_1").unwrap(),
                attempt: 1,
                amount: Money::new(100, Currency::parse("EUR").unwrap()),
                context: Context::default(),
                eligible,
            },
            decided_at: Some(Time::from_secs(1_786_652_670)),
            view: Position { record: 41, index: 7 },
            chosen: 0,
            approach: Approach::Bandit,
            candidates: (0..candidates).rev().map(candidate).collect(),
            propensity: 0.99,
            confidence: 0.875,
            notes: Vec::new(),
        }
    }

    fn bytes(decision: &Decision) -> Vec<u8> {
        postcard::to_allocvec(decision).unwrap()
    }

    #[test]
    fn a_decision_is_read_as_it_was_whatever_its_precision_and_candidates() {
        let mut foreign = decision(2, 0.5);
        foreign.candidates[1].account = account(9);
        for decision in [decision(10, 0.910_156_25), decision(10, 0.91), decision(1, f64::MIN_POSITIVE), foreign] {
            assert_eq!(postcard::from_bytes::<Decision>(&bytes(&decision)).unwrap(), decision);
        }
    }

    #[test]
    fn ten_candidates_are_explained_in_300_bytes() {
        let decision = decision(10, 0.910_156_25);
        let request = postcard::to_allocvec(&decision.request).unwrap();
        let explanation = bytes(&decision).len() - request.len();
        assert!(explanation <= 300, "{explanation} bytes");
    }
}
