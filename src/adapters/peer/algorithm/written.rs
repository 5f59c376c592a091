//! An algorithm in the peer's JSON, as it was given. It is written as it is walked: a list of rules has megabytes.

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::super::evaluate::{Connector, Connectors};
use crate::domain::rule::{Algorithm, Case, Condition, Output, Program, Split, Statement, Value};
use crate::domain::{Comparison, ConnectorAccount};

/// `{"type", "data"}`.
#[derive(Debug)]
pub struct AsWritten<'a>(pub &'a Algorithm);

impl Serialize for AsWritten<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Algorithm::Fixed(output) => pair(to, ("type", kind(output)), ("data", &Data(output))),
            Algorithm::Advanced(program) => pair(to, ("type", "advanced"), ("data", &Advanced::of(program))),
        }
    }
}

/// An object of two keys.
fn pair<S: Serializer>(to: S, first: (&'static str, &str), second: (&'static str, &impl Serialize)) -> Result<S::Ok, S::Error> {
    let mut pair = to.serialize_struct("Pair", 2)?;
    pair.serialize_field(first.0, first.1)?;
    pair.serialize_field(second.0, second.1)?;
    pair.end()
}

/// The peer's name of an output's kind.
const fn kind(output: &Output) -> &'static str {
    match output {
        Output::Single(_) => "single",
        Output::Priority(_) => "priority",
        Output::VolumeSplit(_) => "volume_split",
        Output::VolumeSplitPriority(_) => "volume_split_priority",
    }
}

/// The same beside a case; there is no word for a single account there.
pub(super) const fn routing_type(output: &Output) -> &'static str {
    match output {
        Output::Single(_) => "priority",
        other => kind(other),
    }
}

/// A list, each of whose elements is shown as something.
struct List<'a, T, W>(&'a [T], fn(&'a T) -> W);

impl<T, W: Serialize> Serialize for List<'_, T, W> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(self.1))
    }
}

/// An output, without the name of its kind.
struct Data<'a>(&'a Output);

#[derive(Serialize)]
struct Share<T> {
    split: u8,
    output: T,
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        fn one(split: &Split<ConnectorAccount>) -> Share<Connector<'_>> {
            Share { split: split.percent, output: Connector(&split.output) }
        }
        fn list(split: &Split<Vec<ConnectorAccount>>) -> Share<Connectors<'_>> {
            Share { split: split.percent, output: Connectors(&split.output) }
        }
        match self.0 {
            Output::Single(account) => Connector(account).serialize(to),
            Output::Priority(accounts) => Connectors(accounts).serialize(to),
            Output::VolumeSplit(splits) => List(splits, one).serialize(to),
            Output::VolumeSplitPriority(splits) => List(splits, list).serialize(to),
        }
    }
}

/// An output under the name of its kind.
struct Tagged<'a>(&'a Output);

impl Serialize for Tagged<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map([(kind(self.0), Data(self.0))])
    }
}

#[derive(Serialize)]
struct Advanced<'a> {
    globals: Globals<'a>,
    default_selection: Tagged<'a>,
    rules: List<'a, Case, Rule<'a>>,
    metadata: Json,
}

impl<'a> Advanced<'a> {
    fn of(program: &'a Program) -> Self {
        Self {
            globals: Globals(program),
            default_selection: Tagged(&program.default),
            rules: List(&program.cases, Rule::of),
            metadata: notes(&program.notes),
        }
    }
}

/// Sets of values, by their names.
struct Globals<'a>(&'a Program);

impl Serialize for Globals<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut sets = to.serialize_map(Some(self.0.globals.len()))?;
        for (name, set) in &self.0.globals {
            sets.serialize_entry(name, &List(set, Told))?;
        }
        sets.end()
    }
}

#[derive(Serialize)]
struct Rule<'a> {
    name: &'a str,
    routing_type: &'static str,
    output: Tagged<'a>,
    statements: List<'a, Statement, Group<'a>>,
}

impl<'a> Rule<'a> {
    fn of(case: &'a Case) -> Self {
        Self {
            name: &case.name,
            routing_type: routing_type(&case.output),
            output: Tagged(&case.output),
            statements: List(&case.statements, Group::of),
        }
    }
}

#[derive(Serialize)]
struct Group<'a> {
    condition: List<'a, Condition, Asked<'a>>,
    nested: Option<List<'a, Statement, Group<'a>>>,
}

impl<'a> Group<'a> {
    fn of(statement: &'a Statement) -> Self {
        let nested = Some(&statement.nested).filter(|nested| !nested.is_empty());
        Self { condition: List(&statement.conditions, Asked::of), nested: nested.map(|nested| List(nested, Self::of)) }
    }
}

#[derive(Serialize)]
struct Asked<'a> {
    lhs: &'a str,
    comparison: Comparison,
    value: Told<'a>,
    metadata: Json,
}

impl<'a> Asked<'a> {
    fn of(condition: &'a Condition) -> Self {
        Self {
            lhs: &condition.key,
            comparison: condition.comparison,
            value: Told(&condition.value),
            metadata: notes(&condition.notes),
        }
    }
}

/// `{"type", "value"}`.
struct Told<'a>(&'a Value);

#[derive(Serialize)]
struct Metadata<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Range {
    comparison_type: Comparison,
    number: u64,
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let range =
            |(comparison_type, number): &(Comparison, u64)| Range { comparison_type: *comparison_type, number: *number };
        match self.0 {
            Value::Number(number) => pair(to, ("type", "number"), ("value", number)),
            Value::Word(word) => pair(to, ("type", "enum_variant"), ("value", word)),
            Value::Metadata(key, value) => pair(to, ("type", "metadata_variant"), ("value", &Metadata { key, value })),
            Value::Text(text) => pair(to, ("type", "str_value"), ("value", text)),
            Value::Global(name) => pair(to, ("type", "global_ref"), ("value", name)),
            Value::Numbers(numbers) => pair(to, ("type", "number_array"), ("value", numbers)),
            Value::Words(words) => pair(to, ("type", "enum_variant_array"), ("value", words)),
            Value::Ranges(ranges) => pair(to, ("type", "number_comparison_array"), ("value", &List(ranges, range))),
        }
    }
}

/// Notes are kept as text that was JSON when it came in; most are empty.
fn notes(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::Object(serde_json::Map::new()))
}
