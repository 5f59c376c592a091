//! A decision's candidates and notes as `decide` tells them, in as few bytes as that takes: a rule is named once, what each
//! candidate costs stands apart from the rest of its note, and numbers are as precise as they are told.

use serde::{Deserialize, Serialize};

use super::super::rough::{Fee, Rough, single};
use super::super::{Candidate, Cost, Decision, Exclusion, LatencyStep, Note, Weighed};
use crate::domain::{ConnectorAccount, RuleId};

#[derive(Serialize, Deserialize)]
pub(super) struct Tight {
    /// The rule that keeps candidates out; none: none does, or a note names it.
    rule: Option<RuleId>,
    candidates: Vec<Close>,
    /// What each candidate costs; empty: nothing of that is noted, or the note itself has it.
    costs: Vec<(Fee, LatencyStep)>,
    notes: Vec<Note>,
}

/// A candidate.
#[derive(Serialize, Deserialize)]
struct Close {
    /// The account's place in the request.
    place: u8,
    out: Out,
    expected: f32,
    spread: Rough,
    bonus: Rough,
    evidence: Rough,
    pending: u16,
    folded: u32,
}

/// Why it could not be chosen, in a byte. Variants are only ever added, at the end.
#[derive(Serialize, Deserialize)]
enum Out {
    No,
    Method,
    Currency,
    BreakerOpen,
    Operator,
    Rule,
    StepUp,
    Network,
    Country,
    Amount,
    ThreeDs,
    Maintenance,
    Unproven,
}

impl Tight {
    /// None where something would be lost.
    pub(super) fn of(decision: &Decision) -> Option<Self> {
        let rule = decision.candidates.iter().find_map(|candidate| match candidate.excluded {
            Some(Exclusion::Rule(rule)) => Some(rule),
            _ => None,
        });
        let eligible = &decision.request.eligible;
        let close = decision.candidates.iter().map(|candidate| Close::of(candidate, eligible, rule));
        let candidates = close.collect::<Option<Vec<_>>>()?;
        let mut notes = decision.notes.clone();
        let costs = notes.iter_mut().find_map(costs).and_then(|costs| {
            let tight = costs.iter().map(|cost| Some((Fee::of(cost.fee)?, cost.latency))).collect::<Option<Vec<_>>>()?;
            costs.clear();
            Some(tight)
        });
        let rule = rule.filter(|_| noted(&notes) != rule);
        Some(Self { rule, candidates, costs: costs.unwrap_or_default(), notes })
    }

    /// The candidates and the notes; a sentence where what is written cannot be.
    pub(super) fn read(self, eligible: &[ConnectorAccount]) -> Result<(Vec<Candidate>, Vec<Note>), &'static str> {
        let Self { rule, candidates, costs: told, mut notes } = self;
        let rule = rule.or_else(|| noted(&notes));
        let candidates: Result<Vec<Candidate>, _> = candidates.into_iter().map(|one| one.candidate(eligible, rule)).collect();
        if !told.is_empty() {
            let costs = notes.iter_mut().find_map(costs).ok_or("costs are told where none counted")?;
            *costs = told.into_iter().map(|(fee, latency)| Cost { fee: fee.number(), latency }).collect();
        }
        Ok((candidates?, notes))
    }
}

/// The rule that a note names.
fn noted(notes: &[Note]) -> Option<RuleId> {
    notes.iter().find_map(|note| if let Note::Ruling { rule, .. } = note { Some(*rule) } else { None })
}

/// The costs of a note that has some.
fn costs(note: &mut Note) -> Option<&mut Vec<Cost>> {
    if let Note::Objective(Weighed { costs, .. }) = note { Some(costs) } else { None }
}

impl Close {
    fn of(candidate: &Candidate, eligible: &[ConnectorAccount], rule: Option<RuleId>) -> Option<Self> {
        let Candidate { account, excluded, expected, spread, bonus, pending, evidence, folded } = candidate;
        Some(Self {
            place: u8::try_from(eligible.iter().position(|one| one == account)?).ok()?,
            out: Out::of(*excluded, rule)?,
            expected: single(*expected)?,
            spread: Rough::of(*spread)?,
            bonus: Rough::of(*bonus)?,
            evidence: Rough::of(*evidence)?,
            pending: *pending,
            folded: (*folded)?,
        })
    }

    fn candidate(self, eligible: &[ConnectorAccount], rule: Option<RuleId>) -> Result<Candidate, &'static str> {
        let account = eligible.get(usize::from(self.place)).ok_or("a candidate is none of the accounts that were allowed")?;
        Ok(Candidate {
            account: account.clone(),
            excluded: self.out.excluded(rule)?,
            expected: f64::from(self.expected),
            spread: self.spread.number(),
            bonus: self.bonus.number(),
            pending: self.pending,
            evidence: self.evidence.number(),
            folded: Some(self.folded),
        })
    }
}

impl Out {
    /// None where another rule keeps it out than the one that is named.
    fn of(excluded: Option<Exclusion>, rule: Option<RuleId>) -> Option<Self> {
        Some(match excluded {
            None => Self::No,
            Some(Exclusion::Method) => Self::Method,
            Some(Exclusion::Currency) => Self::Currency,
            Some(Exclusion::BreakerOpen) => Self::BreakerOpen,
            Some(Exclusion::Operator) => Self::Operator,
            Some(Exclusion::Rule(own)) if Some(own) == rule => Self::Rule,
            Some(Exclusion::Rule(_)) => return None,
            Some(Exclusion::StepUp) => Self::StepUp,
            Some(Exclusion::Network) => Self::Network,
            Some(Exclusion::Country) => Self::Country,
            Some(Exclusion::Amount) => Self::Amount,
            Some(Exclusion::ThreeDs) => Self::ThreeDs,
            Some(Exclusion::Maintenance) => Self::Maintenance,
            Some(Exclusion::Unproven) => Self::Unproven,
        })
    }

    fn excluded(self, rule: Option<RuleId>) -> Result<Option<Exclusion>, &'static str> {
        Ok(Some(match self {
            Self::No => return Ok(None),
            Self::Method => Exclusion::Method,
            Self::Currency => Exclusion::Currency,
            Self::BreakerOpen => Exclusion::BreakerOpen,
            Self::Operator => Exclusion::Operator,
            Self::Rule => Exclusion::Rule(rule.ok_or("a rule keeps a candidate out, and none is named")?),
            Self::StepUp => Exclusion::StepUp,
            Self::Network => Exclusion::Network,
            Self::Country => Exclusion::Country,
            Self::Amount => Exclusion::Amount,
            Self::ThreeDs => Exclusion::ThreeDs,
            Self::Maintenance => Exclusion::Maintenance,
            Self::Unproven => Exclusion::Unproven,
        }))
    }
}
