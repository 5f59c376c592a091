//! A merchant's routing rule: which accounts a payment may go to, by what is known of it.
//!
//! These are values that were checked where they came in: every key exists, every word is one of its key's, percentages
//! sum to 100, and nothing is larger than the limits below. How a rule is judged is the engine's.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{Comparison, ConnectorAccount, Position, Purpose, Time};

/// Most rules of one merchant. Hyperswitch shows its merchants a list of a few; the oldest can be deleted.
pub const RULES_MAX: usize = 100;
/// Largest rule, in bytes of its algorithm as JSON without white space: three hundred conditions or so.
pub const RULE_BYTES_MAX: usize = 32_768;
/// Most bytes of all merchants' rules together, measured as above: they are in memory and in every checkpoint.
pub const RULES_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Deepest nesting of statements: people lose their way at three or four.
pub const NESTING_MAX: usize = 8;
/// Longest name of a rule, and longest value it compares with, in bytes.
pub const TEXT_MAX: usize = 256;
/// Longest description of a rule, in bytes.
pub const DESCRIPTION_MAX: usize = 1_024;
/// Most things told of one payment to judge a rule on; Hyperswitch tells about twenty.
pub const PARAMETERS_MAX: usize = 100;

/// A rule's id: the position of the entry that created it, written as the peer writes ids: `routing_<uuid>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub Position);

/// What stands before the UUID.
const ID_PREFIX: &str = "routing_";

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 16];
        // Version and variant take the upper bits of bytes 6 and 8. 48 bits of record are 9,000 years at 1,000 a second.
        bytes[..6].copy_from_slice(&self.0.record.to_be_bytes()[2..]);
        bytes[12..].copy_from_slice(&self.0.index.to_be_bytes());
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        write!(f, "{ID_PREFIX}{}", Uuid::new_v8(bytes).hyphenated().encode_lower(&mut text))
    }
}

impl core::str::FromStr for RuleId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uuid = text.strip_prefix(ID_PREFIX).and_then(|uuid| Uuid::parse_str(uuid).ok());
        let uuid = uuid.ok_or_else(|| format!("it is not an id such as {}", Self(Position { record: 42, index: 0 })))?;
        let (mut record, mut index) = ([0; 8], [0; 4]);
        record[2..].copy_from_slice(&uuid.as_bytes()[..6]);
        index.copy_from_slice(&uuid.as_bytes()[12..]);
        Ok(Self(Position { record: u64::from_be_bytes(record), index: u32::from_be_bytes(index) }))
    }
}

impl Serialize for RuleId {
    /// The id's text to people and peers; the position in our own encoding.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            CompactString::deserialize(from)?.parse().map_err(serde::de::Error::custom)
        } else {
            Position::deserialize(from).map(Self)
        }
    }
}

/// What a merchant writes of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleText {
    /// Its name; two rules may have the same.
    pub name: String,
    /// What it is for, in the merchant's words.
    pub description: String,
    /// What decides.
    pub algorithm: Algorithm,
    /// Its size, as [`RULE_BYTES_MAX`] measures it.
    pub bytes: u32,
}

/// A merchant's rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// What it routes.
    pub purpose: Purpose,
    /// What the merchant wrote.
    pub text: RuleText,
    /// When it was created.
    pub created_at: Time,
    /// When it was written last.
    pub modified_at: Time,
}

/// What decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// The same accounts for every payment.
    Fixed(Output),
    /// Accounts by what is known of the payment.
    Advanced(Program),
}

/// Accounts, in order or by share. A bare connector name means every account of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// One account.
    Single(ConnectorAccount),
    /// Accounts, first choice first.
    Priority(Vec<ConnectorAccount>),
    /// Accounts, each with its share of payments.
    VolumeSplit(Vec<Split<ConnectorAccount>>),
    /// Lists of accounts, each list with its share of payments.
    VolumeSplitPriority(Vec<Split<Vec<ConnectorAccount>>>),
}

impl Algorithm {
    /// Every account it names, in no order and as often as it does.
    pub fn accounts(&self) -> impl Iterator<Item = &ConnectorAccount> {
        let (fixed, program) = match self {
            Self::Fixed(output) => (Some(output), None),
            Self::Advanced(program) => (None, Some(program)),
        };
        let cases = program.into_iter().flat_map(|program| program.cases.iter().map(|case| &case.output));
        fixed.into_iter().chain(program.map(|program| &program.default)).chain(cases).flat_map(Output::accounts)
    }
}

impl Algorithm {
    /// As [`Algorithm::accounts`], to be changed.
    pub fn accounts_mut(&mut self) -> Vec<&mut ConnectorAccount> {
        match self {
            Self::Fixed(output) => output.accounts_mut(),
            Self::Advanced(program) => {
                let outputs = program.cases.iter_mut().map(|case| &mut case.output).chain([&mut program.default]);
                outputs.flat_map(Output::accounts_mut).collect()
            }
        }
    }
}

impl Output {
    fn accounts_mut(&mut self) -> Vec<&mut ConnectorAccount> {
        match self {
            Self::Single(account) => vec![account],
            Self::Priority(accounts) => accounts.iter_mut().collect(),
            Self::VolumeSplit(splits) => splits.iter_mut().map(|split| &mut split.output).collect(),
            Self::VolumeSplitPriority(splits) => splits.iter_mut().flat_map(|split| &mut split.output).collect(),
        }
    }

    /// Every account it names, as it names them.
    #[must_use]
    pub fn accounts(&self) -> Vec<&ConnectorAccount> {
        match self {
            Self::Single(account) => vec![account],
            Self::Priority(accounts) => accounts.iter().collect(),
            Self::VolumeSplit(splits) => splits.iter().map(|split| &split.output).collect(),
            Self::VolumeSplitPriority(splits) => splits.iter().flat_map(|split| &split.output).collect(),
        }
    }
}

/// A share of payments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split<T> {
    /// 0 to 100; those of one output sum to 100.
    pub percent: u8,
    /// Where they go.
    pub output: T,
}

/// Cases, tried in order; the first that holds decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Sets of values, by the name conditions refer to them.
    pub globals: Vec<(CompactString, Vec<Value>)>,
    /// Where payments go that no case holds for.
    pub default: Output,
    /// The cases.
    pub cases: Vec<Case>,
    /// The merchant's own notes, a JSON object; empty: none.
    pub notes: String,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its name.
    pub name: CompactString,
    /// Where its payments go.
    pub output: Output,
    /// It holds when any of these does.
    pub statements: Vec<Statement>,
}

/// Conditions that must all hold, and then, where there are any, one of the statements within.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// The statements within; empty: none is needed.
    pub nested: Vec<Self>,
}

/// One comparison of something known of a payment with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What is compared: a key of the rule builder.
    pub key: CompactString,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub value: Value,
    /// The merchant's own notes, a JSON object; empty: none.
    pub notes: String,
}

/// A value, as a rule compares with it and as a payment has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// A whole number; amounts are in minor units.
    Number(u64),
    /// A word of the key's vocabulary.
    Word(CompactString),
    /// A key of the payment's own metadata, and its value.
    Metadata(CompactString, CompactString),
    /// A text.
    Text(CompactString),
    /// The name of a set of values.
    Global(CompactString),
    /// Numbers, any of which will do.
    Numbers(Vec<u64>),
    /// Words, any of which will do.
    Words(Vec<CompactString>),
    /// Comparisons, all of which must hold.
    Ranges(Vec<(Comparison, u64)>),
}

/// What is told of a payment to judge a rule on: keys and values, each key once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters(Vec<(CompactString, Value)>);

impl Parameters {
    /// Nothing is told.
    pub const NONE: Self = Self(Vec::new());

    /// Takes keys and values; of a key that comes twice the first counts.
    #[must_use]
    pub const fn new(told: Vec<(CompactString, Value)>) -> Self {
        Self(told)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// The word of a key, where its value is one.
    #[must_use]
    pub fn word(&self, key: &str) -> Option<&str> {
        if let Some(Value::Word(word) | Value::Text(word)) = self.get(key) { Some(word) } else { None }
    }

    /// The value of a key of the payment's own metadata.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.0.iter().find_map(|(_, told)| match told {
            Value::Metadata(known, value) if known == key => Some(value.as_str()),
            _ => None,
        })
    }
}

/// Whether two words are one: case, spaces and underscores do not count.
#[must_use]
pub fn same_word(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

fn letters(word: &str) -> impl Iterator<Item = u8> {
    word.bytes().filter(|byte| !matches!(byte, b' ' | b'_')).map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back() {
        for (record, index) in [(1, 0), (0x7fff_1234_5678, 7), (42, u32::MAX)] {
            let id = RuleId(Position { record, index });
            assert_eq!(id.to_string().parse::<RuleId>(), Ok(id));
            assert_eq!(id.to_string().len(), "routing_eea8801a-4ee9-4cc7-ae40-5ebff52c4098".len());
            assert_eq!(postcard::from_bytes::<RuleId>(&postcard::to_allocvec(&id).unwrap()).unwrap(), id);
        }
        assert!("rule-1".parse::<RuleId>().unwrap_err().contains("routing_"));
    }

    #[test]
    fn words_are_one_in_every_spelling() {
        for spelling in ["apple_pay", "ApplePay", "APPLE PAY", "_applepay_"] {
            assert!(same_word("apple_pay", spelling), "{spelling}");
        }
        assert!(!same_word("apple_pay", "apple_pa") && !same_word("", "a"));
    }
}
