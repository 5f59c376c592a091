//! Merchants' routing rules: judging one on a payment, and what a decision may choose under it.
//!
//! A rule says which accounts may be chosen: all it names for the payment or, where it gives shares, those of the share
//! the payment falls into. Which share that is, a hash of rule and payment says, so that a retry lands the same way.
//! Within what is left the bandit chooses, unless the caller asked for the rule's own order.

mod book;
mod facts;

pub(crate) use book::Book;
pub use facts::Facts;

use super::RoutingView;
use crate::domain::rule::{Algorithm, Case, Condition, Output, Parameters, Program, Split, Statement, Value};
use crate::domain::{
    Approach, Candidate, Comparison, ConnectorAccount, Decision, Exclusion, Note, PaymentId, ProfileId, Purpose, Request,
    RuleId,
};
use facts::Fact;

/// Accounts in an order, none twice.
pub type Order<'r> = Vec<&'r ConnectorAccount>;

/// What came out of a rule for a payment.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'r> {
    /// The case that holds; none: the algorithm has no cases, or none holds.
    pub case: Option<&'r Case>,
    /// Whether no case holds of an algorithm that has cases.
    pub by_default: bool,
    /// Where the payment may go.
    pub output: &'r Output,
    /// The share it falls into, by its index; 0 where there are no shares.
    share: usize,
}

/// Judges a rule on what is known of a payment. `lot` says which share the payment falls into: see [`lot`].
#[must_use]
pub fn judge<'r>(algorithm: &'r Algorithm, facts: &Facts<'_>, lot: u8) -> Verdict<'r> {
    let (case, output, by_default) = match algorithm {
        Algorithm::Fixed(output) => (None, output, false),
        Algorithm::Advanced(program) => match program.cases.iter().find(|case| any(&case.statements, program, facts)) {
            Some(case) => (Some(case), &case.output, false),
            None => (None, &program.default, true),
        },
    };
    let share = match output {
        Output::Single(_) | Output::Priority(_) => 0,
        Output::VolumeSplit(splits) => drawn(splits, lot),
        Output::VolumeSplitPriority(splits) => drawn(splits, lot),
    };
    Verdict { case, by_default, output, share }
}

/// The hundredth of payments that a payment falls into under a rule, 0 to 99: the same for all its attempts.
#[must_use]
pub fn lot(rule: RuleId, profile: &ProfileId, payment: &PaymentId) -> u8 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"share\0").update(&rule.0.record.to_le_bytes()).update(&rule.0.index.to_le_bytes());
    hasher.update(profile.as_str().as_bytes()).update(&[0]).update(payment.as_str().as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u8::try_from(u64::from_le_bytes(bytes) % 100).unwrap_or(0)
}

/// The share that a lot falls into. The percentages sum to 100.
fn drawn<T>(splits: &[Split<T>], lot: u8) -> usize {
    let mut below = 0_u8;
    let holds = |split: &Split<T>| {
        below = below.saturating_add(split.percent);
        lot < below
    };
    splits.iter().position(holds).unwrap_or(0)
}

impl<'r> Verdict<'r> {
    /// Every account of the output, those of the payment's share first.
    #[must_use]
    pub fn order(&self) -> Order<'r> {
        let mut order = self.allowed();
        match self.output {
            Output::Single(_) | Output::Priority(_) => {}
            Output::VolumeSplit(splits) => splits.iter().for_each(|split| add(&mut order, &split.output)),
            Output::VolumeSplitPriority(splits) => {
                splits.iter().flat_map(|split| &split.output).for_each(|account| add(&mut order, account));
            }
        }
        order
    }

    /// The accounts that the payment may go to: all of them, or those of its share.
    #[must_use]
    pub fn allowed(&self) -> Order<'r> {
        match self.output {
            Output::Single(account) => core::iter::once(account).collect(),
            Output::Priority(accounts) => accounts.iter().collect(),
            Output::VolumeSplit(splits) => splits.get(self.share).map(|split| &split.output).into_iter().collect(),
            Output::VolumeSplitPriority(splits) => splits.get(self.share).iter().flat_map(|split| &split.output).collect(),
        }
    }
}

fn add<'r>(order: &mut Order<'r>, account: &'r ConnectorAccount) {
    if !order.contains(&account) {
        order.push(account);
    }
}

/// Any of the statements holds.
fn any(statements: &[Statement], program: &Program, facts: &Facts<'_>) -> bool {
    statements.iter().any(|statement| {
        statement.conditions.iter().all(|condition| holds(condition, program, facts))
            && (statement.nested.is_empty() || any(&statement.nested, program, facts))
    })
}

/// A condition about something that is not known does not hold, whatever it compares.
fn holds(condition: &Condition, program: &Program, facts: &Facts<'_>) -> bool {
    if let Value::Metadata(key, value) = &condition.value {
        return facts.metadata(key).is_some_and(|known| equality(condition.comparison, known == value));
    }
    let Some(fact) = facts.get(&condition.key) else { return false };
    if let Value::Global(name) = &condition.value {
        let set = program.globals.iter().find(|(known, _)| known == name);
        return set.is_some_and(|(_, values)| values.iter().any(|value| is(&fact, Comparison::Equal, value)));
    }
    is(&fact, condition.comparison, &condition.value)
}

/// Whether a fact compares so with a value. Values of different kinds do not compare.
fn is(fact: &Fact<'_>, comparison: Comparison, value: &Value) -> bool {
    match (fact, value) {
        (Fact::Number(known), Value::Number(number)) => comparison.holds(*known, *number),
        (Fact::Number(known), Value::Numbers(numbers)) => equality(comparison, numbers.contains(known)),
        (Fact::Number(known), Value::Ranges(ranges)) => {
            equality(comparison, ranges.iter().all(|(range, number)| range.holds(*known, *number)))
        }
        (Fact::Word(known), Value::Word(word)) => equality(comparison, known.is(word)),
        (Fact::Word(known), Value::Words(words)) => equality(comparison, words.iter().any(|word| known.is(word))),
        (Fact::Text(known), Value::Text(text)) => equality(comparison, known == text),
        _ => false,
    }
}

/// Equal or not equal; other comparisons of what is no number do not hold.
const fn equality(comparison: Comparison, equal: bool) -> bool {
    match comparison {
        Comparison::Equal => equal,
        Comparison::NotEqual => !equal,
        _ => false,
    }
}

/// What a question brings, beside its request, to judge the merchant's rule on.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// What the caller told of the payment.
    pub parameters: &'a Parameters,
    /// Whether the rule's own order decides, not the bandit.
    pub in_order: bool,
}

impl Default for Terms<'_> {
    /// Nothing more is told, and the bandit chooses within the rule.
    fn default() -> Self {
        Self { parameters: const { &Parameters::NONE }, in_order: false }
    }
}

/// What a decision may choose under a merchant's rule.
#[derive(Debug, Clone)]
pub struct Ruling<'r> {
    /// The rule.
    pub rule: RuleId,
    /// Whether its order decides.
    pub in_order: bool,
    allowed: Order<'r>,
}

impl<'r> Ruling<'r> {
    /// What a recorded decision was made under, so that it can be computed again; none where no rule made a difference.
    #[must_use]
    pub fn recorded(decision: &'r Decision) -> Option<Self> {
        let noted = decision.notes.iter().find_map(|note| match note {
            Note::Ruling { rule, in_order, order } => Some((*rule, *in_order, order)),
            _ => None,
        });
        if let Some((rule, in_order, order)) = noted {
            let eligible = &decision.request.eligible;
            let allowed = order.iter().filter_map(|place| eligible.get(usize::from(*place))).collect();
            return Some(Self { rule, in_order, allowed });
        }
        let kept_out = |one: &&Candidate| matches!(one.excluded, Some(Exclusion::Rule(_)));
        let allowed = decision.candidates.iter().filter(|one| !kept_out(one)).map(|one| &one.account).collect();
        let in_order = matches!(decision.approach, Approach::Rule(_));
        decision.rule().map(|rule| Self { rule, in_order, allowed })
    }

    /// The account's place in the rule's order; none where the payment may not go there.
    #[must_use]
    pub fn rank(&self, account: &ConnectorAccount) -> Option<usize> {
        self.allowed.iter().position(|named| names(named, account))
    }
}

/// Whether a rule's account means this one. A bare connector name, on either side, means every account of it.
fn names(named: &ConnectorAccount, account: &ConnectorAccount) -> bool {
    named == account
        || ((named.reference().is_empty() || account.reference().is_empty()) && named.connector() == account.connector())
}

impl RoutingView {
    /// What a request may be answered with under the merchant's active rule. None where there is none, or where it names
    /// none of the accounts that the caller allows: a rule narrows a choice, and must not leave a payment without one.
    #[must_use]
    pub fn ruling(&self, request: &Request, terms: Terms<'_>) -> Option<Ruling<'_>> {
        let rule = self.active_rule(&request.profile, Purpose::Payment)?;
        let facts = Facts { parameters: terms.parameters, request: Some(request) };
        let verdict = judge(&rule.text.algorithm, &facts, lot(rule.id, &request.profile, &request.payment));
        let ruling = Ruling { rule: rule.id, in_order: terms.in_order, allowed: verdict.allowed() };
        request.eligible.iter().any(|account| ruling.rank(account).is_some()).then_some(ruling)
    }
}

#[cfg(test)]
mod tests;
