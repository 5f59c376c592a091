//! Candidates and notes as callers are told of them: what a recorded one keeps apart for its replica's sake is one number.

use serde::{Serialize, Serializer};

use super::{Candidate, Exclusion, Note, single};
use crate::domain::ConnectorAccount;

#[derive(Serialize)]
struct Told<'c> {
    account: &'c ConnectorAccount,
    excluded: Option<Exclusion>,
    #[serde(serialize_with = "single")]
    expected: f64,
    #[serde(serialize_with = "single")]
    spread: f64,
    #[serde(serialize_with = "single")]
    bonus: f64,
    /// All that damped the bonus.
    pending: u32,
    #[serde(serialize_with = "single")]
    evidence: f64,
}

impl<'c> Told<'c> {
    fn of(candidate: &'c Candidate) -> Self {
        let Candidate { account, excluded, expected, spread, bonus, evidence, .. } = candidate;
        let (excluded, expected, spread, bonus, evidence) = (*excluded, *expected, *spread, *bonus, *evidence);
        Self { account, excluded, expected, spread, bonus, pending: candidate.in_flight(), evidence }
    }
}

/// Writes a decision's notes for an answer. Costs that had no part in the choice are told by its explanation.
///
/// # Errors
/// The serialiser's.
pub fn notes<S: Serializer>(all: &[Note], to: S) -> Result<S::Ok, S::Error> {
    let weighed = |note: &&Note| !matches!(note, Note::Objective(weighed) if weighed.objective().is_success());
    to.collect_seq(all.iter().filter(weighed))
}

/// Writes a decision's candidates for an answer.
///
/// # Errors
/// The serialiser's.
pub fn candidates<S: Serializer>(all: &[Candidate], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().map(Told::of))
}
