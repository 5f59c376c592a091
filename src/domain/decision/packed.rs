//! How a decision is written: its candidates by their places in the request, their numbers in as few bytes as they need.
//!
//! `decide` rounds what it tells of a candidate, so nothing is lost by that; a decision of a test keeps what it has. One of an
//! older version is written again in the bytes that version wrote, for an archive's chain goes over them: it is told by its
//! candidates, which do not tell what the view counted in flight.

mod tight;

use serde::{Deserialize, Serialize};

use tight::Tight;

use super::rough::single;
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

/// Variants are only ever added, at the end.
#[derive(Serialize, Deserialize)]
enum Candidates {
    /// All are of the request, and their numbers are of single precision. Of versions before `Tight`.
    Short(Vec<Short>),
    /// As they are. Of versions before `Counted`.
    Whole(Vec<Candidate>),
    /// Any other, of a decision that has notes: one that has none pays nothing for them.
    Noted(Vec<Note>, Box<Self>),
    /// All are of the request, and as `decide` tells them; with the notes.
    Tight(Tight),
    /// As they are, and what of each the view counted in flight.
    Counted(Vec<Candidate>, Vec<Option<u32>>),
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
        let Decision { request, decided_at, view, chosen, approach, propensity, confidence, .. } = decision;
        Self {
            request,
            decided_at: *decided_at,
            view: *view,
            chosen: *chosen,
            approach: *approach,
            candidates: Candidates::of(decision),
            propensity: *propensity,
            confidence: *confidence,
        }
    }
}

impl Packed<Request> {
    /// The decision; a sentence where a candidate names a place that the request has not.
    pub(super) fn decision(self) -> Result<Decision, &'static str> {
        let Self { request, decided_at, view, chosen, approach, candidates, propensity, confidence } = self;
        let (candidates, notes) = candidates.read(&request.eligible)?;
        Ok(Decision { request, decided_at, view, chosen, approach, candidates, propensity, confidence, notes })
    }
}

impl Candidates {
    fn of(decision: &Decision) -> Self {
        let Decision { request, candidates, notes, .. } = decision;
        let counted = candidates.iter().any(|candidate| candidate.folded.is_some());
        if let Some(tight) = counted.then(|| Tight::of(decision)).flatten() {
            return Self::Tight(tight);
        }
        let short = || candidates.iter().map(|candidate| Short::of(candidate, &request.eligible)).collect();
        let written = if counted {
            Self::Counted(candidates.clone(), candidates.iter().map(|candidate| candidate.folded).collect())
        } else {
            Option::map_or_else(short(), || Self::Whole(candidates.clone()), Self::Short)
        };
        if notes.is_empty() { written } else { Self::Noted(notes.clone(), Box::new(written)) }
    }

    /// They, and what was noted beside them.
    fn read(self, eligible: &[ConnectorAccount]) -> Result<(Vec<Candidate>, Vec<Note>), &'static str> {
        let candidates = match self {
            Self::Noted(_, inner) if matches!(*inner, Self::Noted(..) | Self::Tight(_)) => {
                return Err("a decision's notes are written twice");
            }
            Self::Noted(notes, inner) => return Ok((inner.read(eligible)?.0, notes)),
            Self::Tight(tight) => return tight.read(eligible),
            Self::Short(short) => short.into_iter().map(|one| one.candidate(eligible)).collect(),
            Self::Whole(whole) => Some(whole),
            Self::Counted(whole, folded) if whole.len() == folded.len() => {
                Some(whole.into_iter().zip(folded).map(|(one, folded)| Candidate { folded, ..one }).collect())
            }
            Self::Counted(..) => return Err("attempts in flight are told of other candidates than there are"),
        };
        Ok((candidates.ok_or("a candidate is none of the accounts that were allowed")?, Vec::new()))
    }
}

impl Short {
    /// None where something would be lost.
    fn of(candidate: &Candidate, eligible: &[ConnectorAccount]) -> Option<Self> {
        let Candidate { account, excluded, expected, spread, bonus, pending, evidence, folded: _ } = candidate;
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
            folded: None,
        })
    }
}

#[cfg(test)]
mod tests;
