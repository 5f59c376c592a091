//! `POST /routing/evaluate` and its batch: what a merchant's active rule says of a payment.

use std::fmt;

use compact_str::CompactString;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::keys::{self, Kind};
use crate::adapters::json::BadField;
use crate::domain::decision::ELIGIBLE_MAX;
use crate::domain::rule::{Algorithm, Output, PARAMETERS_MAX, Parameters, Split, Value};
use crate::domain::{
    Bin, Comparison, ConnectorAccount, Context, Country, Currency, Method, Money, Network, PaymentId, ProfileId, Purpose,
};
use crate::engine::route::rules::{Facts, Verdict, judge};

/// Most questions of one batch, as the peer allows.
pub const BATCH_MAX: usize = 50;

/// `POST /routing/evaluate`.
#[derive(Debug, Deserialize)]
pub struct EvaluateRequest {
    /// The profile.
    pub created_by: ProfileId,
    /// What the rule routes; payments when absent.
    #[serde(default)]
    pub algorithm_for: Option<Purpose>,
    /// The payment. Without one, equal questions fall into the same share.
    pub payment_id: Option<PaymentId>,
    /// What is known of it.
    pub parameters: Told,
    /// Where it goes when no case of the rule holds, instead of the rule's own default.
    #[serde(default)]
    pub fallback_output: Option<Vec<Gateway>>,
}

/// `POST /routing/evaluate/batch`: several questions about one merchant's rule.
#[derive(Debug, Deserialize)]
pub struct BatchRequest {
    /// The profile.
    pub created_by: ProfileId,
    /// As in [`EvaluateRequest`].
    #[serde(default)]
    pub algorithm_for: Option<Purpose>,
    /// As in [`EvaluateRequest`], for every question.
    #[serde(default)]
    pub fallback_output: Option<Vec<Gateway>>,
    /// The questions, at most [`BATCH_MAX`].
    pub requests: Vec<Question>,
}

/// One question of a batch.
#[derive(Debug, Deserialize)]
pub struct Question {
    /// The payment; several questions may be about one.
    pub payment_id: Option<PaymentId>,
    /// What is known of it.
    pub parameters: Told,
}

/// `{"gateway_name", "gateway_id"?}`, as it is asked.
#[derive(Debug, Deserialize)]
pub struct Gateway {
    gateway_name: CompactString,
    gateway_id: Option<CompactString>,
}

/// The accounts of a list that was sent, each once.
///
/// # Errors
/// When there are more than a decision may have, or one is no account.
pub fn fallback(named: Option<&[Gateway]>) -> Result<Vec<ConnectorAccount>, BadField> {
    let named = named.unwrap_or_default();
    if named.len() > ELIGIBLE_MAX {
        return Err(BadField::new("fallback_output", format!("it names {} accounts; at most {ELIGIBLE_MAX}", named.len())));
    }
    let account = |(index, gateway): (usize, &Gateway)| {
        ConnectorAccount::of(&gateway.gateway_name, gateway.gateway_id.as_deref())
            .map_err(|problem| BadField::new(format!("fallback_output[{index}]"), problem))
    };
    named.iter().enumerate().map(account).collect()
}

/// What is told of a payment: `{"amount": {"type": "number", "value": 6540}, …}`. A key that is none of the rule
/// builder's says nothing, whatever its value, for Hyperswitch may know more of them; one that is must have a value of its kind.
#[derive(Debug, Default)]
pub struct Told(pub Parameters);

/// A value as it is sent.
#[derive(Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
enum Sent {
    Number(u64),
    EnumVariant(CompactString),
    StrValue(CompactString),
    GlobalRef(CompactString),
    MetadataVariant { key: CompactString, value: CompactString },
    NumberArray(Vec<u64>),
    EnumVariantArray(Vec<CompactString>),
    NumberComparisonArray(Vec<Range>),
}

#[derive(Deserialize)]
struct Range {
    comparison_type: Comparison,
    number: u64,
}

impl From<Sent> for Value {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Number(number) => Self::Number(number),
            Sent::EnumVariant(word) => Self::Word(word),
            Sent::StrValue(text) => Self::Text(text),
            Sent::GlobalRef(name) => Self::Global(name),
            Sent::MetadataVariant { key, value } => Self::Metadata(key, value),
            Sent::NumberArray(numbers) => Self::Numbers(numbers),
            Sent::EnumVariantArray(words) => Self::Words(words),
            Sent::NumberComparisonArray(ranges) => {
                Self::Ranges(ranges.into_iter().map(|range| (range.comparison_type, range.number)).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Told;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Told, A::Error> {
        let mut told = Vec::with_capacity(from.size_hint().unwrap_or(16));
        while let Some(key) = from.next_key::<CompactString>()? {
            let Some(known) = keys::key(&key) else {
                from.next_value::<IgnoredAny>()?;
                continue;
            };
            let Some(value) = from.next_value::<Option<Sent>>()?.map(Value::from) else { continue };
            if !suits(known.kind, &value) {
                return Err(de::Error::custom(format!("`{key}` has a value of another type")));
            }
            if told.len() == PARAMETERS_MAX {
                return Err(de::Error::custom(format!("more than {PARAMETERS_MAX} parameters are told")));
            }
            told.push((key, value));
        }
        Ok(Told(Parameters::new(told)))
    }
}

/// Whether a payment can have such a value of a key of this kind. BINs come as text and as words.
const fn suits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Number => matches!(value, Value::Number(_)),
        Kind::Metadata => matches!(value, Value::Metadata(..)),
        Kind::Words(_) | Kind::Country | Kind::Currency | Kind::Network | Kind::Text | Kind::Digits(_) => {
            matches!(value, Value::Word(_) | Value::Text(_))
        }
    }
}

/// What routing wants to know of a payment, out of what was told to judge a rule on. A word that is none of ours stays unknown.
///
/// # Errors
/// The BIN, where it is none.
pub fn context(told: &Parameters) -> Result<Context, BadField> {
    let bin = |key: &str| {
        let read = told.word(key).map(Bin::parse).transpose();
        read.map_err(|problem| BadField::new(format!("parameters.{key}"), problem))
    };
    let (bin, longer) = (bin("card_bin")?, bin("extended_card_bin")?);
    Ok(Context {
        method: told.word("payment_method").and_then(Method::parse),
        network: told.word("card_network").and_then(Network::spelt),
        country: told.word("issuer_country").and_then(Country::named),
        bin: longer.or(bin),
        three_ds: told.word("authentication_type").and_then(super::three_ds),
        ..Context::default()
    })
}

/// The amount that was told, where amount and currency were.
///
/// # Errors
/// The amount, where no payment has such a one.
pub fn amount(told: &Parameters) -> Result<Option<Money>, BadField> {
    let Some(Value::Number(minor)) = told.get("amount") else { return Ok(None) };
    let Some(currency) = told.word("currency").and_then(|code| Currency::parse(code).ok()) else { return Ok(None) };
    let money = Money::of_payment(i64::try_from(*minor).unwrap_or(i64::MAX), currency);
    money.map(Some).map_err(|problem| BadField::new("parameters.amount", problem))
}

/// What a rule says of a payment.
#[derive(Debug)]
pub struct Evaluated<'a> {
    payment: Option<&'a PaymentId>,
    verdict: Verdict<'a>,
    /// In the place of the rule's own default.
    fallback: Option<&'a [ConnectorAccount]>,
}

impl<'a> Evaluated<'a> {
    /// Judges an algorithm. `lot` says which share the payment falls into.
    #[must_use]
    pub fn new(
        algorithm: &'a Algorithm,
        (payment, parameters): (Option<&'a PaymentId>, &Parameters),
        fallback: &'a [ConnectorAccount],
        lot: u8,
    ) -> Self {
        let verdict = judge(algorithm, &Facts { parameters, request: None }, lot);
        let fallback = Some(fallback).filter(|accounts| verdict.by_default && !accounts.is_empty());
        Self { payment, verdict, fallback }
    }

    /// The accounts, first choice first.
    #[must_use]
    pub fn order(&self) -> Vec<&'a ConnectorAccount> {
        self.fallback.map_or_else(|| self.verdict.order(), |accounts| accounts.iter().collect())
    }
}

impl Serialize for Evaluated<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let named: Vec<&ConnectorAccount> =
            self.fallback.map_or_else(|| self.verdict.output.accounts(), |accounts| accounts.iter().collect());
        let mut answer = to.serialize_struct("Evaluated", 5)?;
        answer.serialize_field("payment_id", &self.payment)?;
        answer.serialize_field("status", if self.verdict.by_default { "default_selection" } else { "success" })?;
        match self.fallback {
            Some(accounts) => answer.serialize_field("output", &Shown::Priority { connectors: Connectors(accounts) })?,
            None => answer.serialize_field("output", &Shown::of(self.verdict.output))?,
        }
        answer.serialize_field("evaluated_output", &Each(&self.order()))?;
        answer.serialize_field("eligible_connectors", &Each(&distinct(named)))?;
        answer.end()
    }
}

fn distinct(named: Vec<&ConnectorAccount>) -> Vec<&ConnectorAccount> {
    let mut distinct = Vec::with_capacity(named.len());
    for account in named {
        if !distinct.contains(&account) {
            distinct.push(account);
        }
    }
    distinct
}

/// An output, as it is answered.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Shown<'a> {
    StraightThrough { connector: Connector<'a> },
    Priority { connectors: Connectors<'a> },
    VolumeSplit { splits: Vec<Share<'a>> },
    VolumeSplitPriority { splits: Vec<Shares<'a>> },
}

#[derive(Serialize)]
struct Share<'a> {
    connector: Connector<'a>,
    split: u8,
}

#[derive(Serialize)]
struct Shares<'a> {
    connectors: Connectors<'a>,
    split: u8,
}

impl<'a> Shown<'a> {
    fn of(output: &'a Output) -> Self {
        let share = |Split { percent, output }: &'a Split<_>| Share { connector: Connector(output), split: *percent };
        let shares = |Split { percent, output }: &'a Split<Vec<_>>| Shares { connectors: Connectors(output), split: *percent };
        match output {
            Output::Single(account) => Self::StraightThrough { connector: Connector(account) },
            Output::Priority(accounts) => Self::Priority { connectors: Connectors(accounts) },
            Output::VolumeSplit(splits) => Self::VolumeSplit { splits: splits.iter().map(share).collect() },
            Output::VolumeSplitPriority(splits) => Self::VolumeSplitPriority { splits: splits.iter().map(shares).collect() },
        }
    }
}

/// `{"gateway_name", "gateway_id"}`.
#[derive(Debug)]
pub struct Connector<'a>(pub &'a ConnectorAccount);

impl Serialize for Connector<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut connector = to.serialize_struct("Connector", 2)?;
        connector.serialize_field("gateway_name", self.0.connector())?;
        connector.serialize_field("gateway_id", &Some(self.0.reference()).filter(|reference| !reference.is_empty()))?;
        connector.end()
    }
}

pub(super) struct Connectors<'a>(pub(super) &'a [ConnectorAccount]);

impl Serialize for Connectors<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(Connector))
    }
}

/// Accounts by reference.
#[derive(Debug)]
pub struct Each<'a>(pub &'a [&'a ConnectorAccount]);

impl Serialize for Each<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|account| Connector(account)))
    }
}
