//! A routing decision: a complete value that carries its reasons.

pub mod explain;
mod note;
mod packed;
mod rough;
pub mod told;
mod weighed;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ConnectorAccount, Context, Money, PaymentId, Position, ProfileId, RuleId, Time};
pub use explain::{Explanation, Pursued};
pub use note::Note;
use packed::Packed;
pub use rough::roughly;
pub use weighed::{Cost, LatencyStep, Weighed};

/// What a caller asks: where should this attempt go?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The merchant.
    pub profile: ProfileId,
    /// The payment.
    pub payment: PaymentId,
    /// The attempt's number, from 1.
    pub attempt: u16,
    /// The amount to be authorised.
    pub amount: Money,
    /// What else is known of the payment.
    pub context: Context,
    /// The accounts the caller allows, in the caller's own order: each once, [`ELIGIBLE_MAX`] at most.
    pub eligible: Vec<ConnectorAccount>,
}

/// Most accounts one request may name. Merchants have a handful; at a hundred an answer is 20 KB, and the choice must
/// not become a way to keep the API's threads busy.
pub const ELIGIBLE_MAX: usize = 100;

impl Request {
    /// The accounts a caller named, each once, in the caller's order.
    ///
    /// # Errors
    /// A sentence, when there are more than [`ELIGIBLE_MAX`] of them.
    pub fn distinct(named: Vec<ConnectorAccount>) -> Result<Vec<ConnectorAccount>, String> {
        let mut distinct = Vec::with_capacity(named.len().min(ELIGIBLE_MAX));
        for account in named {
            // Looked through one by one: lists are short, and nothing is allocated.
            if distinct.contains(&account) {
                continue;
            }
            if distinct.len() == ELIGIBLE_MAX {
                return Err(format!("more than {ELIGIBLE_MAX} different accounts are named"));
            }
            distinct.push(account);
        }
        Ok(distinct)
    }
}

/// How the choice was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approach {
    /// Only one account was left.
    Single,
    /// The merchant's fixed priority list.
    Priority,
    /// The highest score: what is expected, plus the worth of learning more.
    Bandit,
    /// The uniform slice: a fair draw among those close to the best, so that the past can be judged without bias.
    Uniform,
    /// A probe of an account whose breaker is open or which is excluded.
    Probe,
    /// Nothing was left: the least bad of those that were excluded.
    LeastBad,
    /// The order of the merchant's routing rule, where the caller asked for that.
    Rule(RuleId),
    /// The issuer wants the customer authenticated: 3DS on the account of the attempt before, and no other.
    StepUp,
    /// The static order: the merchant's priority list or rule if it has one, else the order of the request's list.
    Static,
}

/// Why a candidate was not to be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// It does not handle the payment's method.
    Method,
    /// It does not handle the payment's currency.
    Currency,
    /// Its circuit breaker is open.
    BreakerOpen,
    /// An operator, or an approved action, excluded it.
    Operator,
    /// The merchant's routing rule does not send such a payment there.
    Rule(RuleId),
    /// The issuer wants the customer authenticated, which is done where the payment is.
    StepUp,
    /// It does not handle the card's network.
    Network,
    /// It does not handle cards of the issuing country.
    Country,
    /// It does not handle the amount: too little or too much.
    Amount,
    /// It does not handle payments with 3DS, or none without.
    ThreeDs,
    /// It is planned to be out of use.
    Maintenance,
    /// Routing is conservative, and too little is known of it.
    Unproven,
}

impl Exclusion {
    /// Whether sending the payment there would be wrong whatever the account's health is: it cannot do the payment, or must
    /// not have it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Method | Self::Currency | Self::Network | Self::Country | Self::Amount | Self::ThreeDs | Self::Rule(_)
        )
    }

    /// The reason in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "does not support the payment method",
            Self::Currency => "does not support the currency",
            Self::BreakerOpen => "its circuit breaker is open",
            Self::Operator => "excluded by an operator",
            Self::Rule(_) => "not in the merchant's routing rule",
            Self::StepUp => "the issuer wants authentication on the account of the attempt before",
            Self::Network => "does not support the card network",
            Self::Country => "does not support the issuing country",
            Self::Amount => "does not support the amount",
            Self::ThreeDs => "does not support the payment with, or without, 3DS",
            Self::Maintenance => "in planned maintenance",
            Self::Unproven => "routing is conservative, and too little is known of it",
        }
    }
}

/// One account that was considered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The account.
    pub account: ConnectorAccount,
    /// Why it could not be chosen, if so.
    pub excluded: Option<Exclusion>,
    /// Expected probability of success, 0 to 1.
    #[serde(serialize_with = "single")]
    pub expected: f64,
    /// Standard deviation of the connector's own part of the score, in logits.
    #[serde(serialize_with = "single")]
    pub spread: f64,
    /// What learning more about it was worth, in logits; part of the score.
    #[serde(serialize_with = "single")]
    pub bonus: f64,
    /// Attempts in flight on it when this was decided, known only to the deciding replica (not yet in its view).
    pub pending: u16,
    /// Effective sample size behind `expected`, in outcomes.
    #[serde(serialize_with = "single")]
    pub evidence: f64,
    /// Attempts in flight on its connector that the view counted: with `pending`, those that damped the bonus. None: by a
    /// version that did not tell. It is no part of a candidate's own bytes, which are those of that version.
    #[serde(skip)]
    pub folded: Option<u32>,
}

impl Candidate {
    /// Attempts in flight that damped the bonus, as far as they are told.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.folded.unwrap_or(0).saturating_add(u32::from(self.pending))
    }
}

/// Writes an estimate to people and peers with the digits of single precision, in which it is recorded; elsewhere as it is.
///
/// # Errors
/// The serialiser's.
#[expect(clippy::cast_possible_truncation, clippy::trivially_copy_pass_by_ref, reason = "as asked, and as serde calls it")]
pub fn single<S: Serializer>(estimate: &f64, to: S) -> Result<S::Ok, S::Error> {
    if to.is_human_readable() { to.serialize_f32(*estimate as f32) } else { to.serialize_f64(*estimate) }
}

/// A routing decision, as it is answered and recorded: at ten candidates 185 bytes besides its request, and 300 with all that
/// can be noted of it at once (an experiment's two names in 23 of them).
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What was asked.
    pub request: Request,
    /// When it was made, by the log's time on the machine that made it: it may reach the log much later. None: by a
    /// version that did not tell.
    pub decided_at: Option<Time>,
    /// The position of the view it was decided on: with it, the decision can be computed again, exactly.
    pub view: Position,
    /// Index of the chosen one in `candidates`.
    pub chosen: u16,
    /// How it was chosen.
    pub approach: Approach,
    /// All considered, in the order of preference; those excluded come last.
    pub candidates: Vec<Candidate>,
    /// Probability that this choice would be made for such a payment, 0 to 1 (for estimates on past traffic).
    pub propensity: f64,
    /// Probability that the chosen one is the best, 0 to 1.
    pub confidence: f64,
    /// What else shaped it, each kind once; mostly nothing.
    pub notes: Vec<Note>,
}

impl Decision {
    /// The chosen candidate.
    ///
    /// # Panics
    /// When `chosen` is not an index of `candidates`: a decision is only ever built by `decide`, which ensures it.
    #[must_use]
    pub fn chosen(&self) -> &Candidate {
        &self.candidates[usize::from(self.chosen)]
    }

    /// The version of the learnt model that was in force, if one was.
    #[must_use]
    pub fn model(&self) -> Option<u32> {
        self.notes.iter().find_map(Note::model)
    }

    /// The merchant's routing rule, where it made a difference: it kept accounts out, or its order was followed.
    #[must_use]
    pub fn rule(&self) -> Option<RuleId> {
        let kept_out = self.candidates.iter().find_map(|one| match one.excluded {
            Some(Exclusion::Rule(rule)) => Some(rule),
            _ => None,
        });
        if let Approach::Rule(rule) = self.approach { Some(rule) } else { kept_out }
    }

    /// What its candidates cost and what counted besides success, where that is told.
    #[must_use]
    pub fn weighed(&self) -> Option<&Weighed> {
        self.notes.iter().find_map(|note| if let Note::Objective(weighed) = note { Some(weighed) } else { None })
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Packed::of(self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Decision {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Packed::deserialize(from)?.decision().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(numbers: impl Iterator<Item = usize>) -> Vec<ConnectorAccount> {
        numbers.map(|number| ConnectorAccount::parse(&format!("psp:{number}")).unwrap()).collect()
    }

    #[test]
    fn an_account_named_twice_counts_once_where_it_stood_first() {
        assert_eq!(Request::distinct(named([2, 1, 2, 3, 1].into_iter())), Ok(named([2, 1, 3].into_iter())));
        assert_eq!(Request::distinct(named((0..100_000).map(|n| n % ELIGIBLE_MAX))), Ok(named(0..ELIGIBLE_MAX)));
        assert!(Request::distinct(named(0..=ELIGIBLE_MAX)).unwrap_err().contains("more than 100"));
    }
}
