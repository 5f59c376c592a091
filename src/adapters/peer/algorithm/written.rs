//! An algorithm in the peer's JSON, as it was given.

use serde_json::{Map, Value as Json, json};

use super::super::evaluate::Connector;
use crate::domain::rule::{Algorithm, Case, Condition, Output, Program, Statement, Value};

/// `{"type", "data"}`.
#[must_use]
pub fn written(algorithm: &Algorithm) -> Json {
    match algorithm {
        Algorithm::Fixed(output) => json!({ "type": kind(output), "data": data(output) }),
        Algorithm::Advanced(program) => json!({ "type": "advanced", "data": advanced(program) }),
    }
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

fn data(output: &Output) -> Json {
    match output {
        Output::Single(account) => json!(Connector(account)),
        Output::Priority(accounts) => accounts.iter().map(|account| json!(Connector(account))).collect(),
        Output::VolumeSplit(splits) => {
            splits.iter().map(|split| json!({ "split": split.percent, "output": Connector(&split.output) })).collect()
        }
        Output::VolumeSplitPriority(splits) => {
            let list = |accounts: &[_]| accounts.iter().map(|account| json!(Connector(account))).collect::<Json>();
            splits.iter().map(|split| json!({ "split": split.percent, "output": list(&split.output) })).collect()
        }
    }
}

/// An output under the name of its kind.
fn tagged(output: &Output) -> Json {
    Json::Object(Map::from_iter([(kind(output).to_owned(), data(output))]))
}

fn advanced(program: &Program) -> Json {
    let globals = program.globals.iter().map(|(name, set)| (name.to_string(), set.iter().map(value).collect()));
    json!({
        "globals": Json::Object(globals.collect()),
        "default_selection": tagged(&program.default),
        "rules": program.cases.iter().map(case).collect::<Json>(),
        "metadata": notes(&program.notes),
    })
}

fn case(case: &Case) -> Json {
    json!({
        "name": case.name,
        "routing_type": routing_type(&case.output),
        "output": tagged(&case.output),
        "statements": case.statements.iter().map(statement).collect::<Json>(),
    })
}

fn statement(one: &Statement) -> Json {
    let nested = if one.nested.is_empty() { Json::Null } else { one.nested.iter().map(statement).collect() };
    json!({ "condition": one.conditions.iter().map(condition).collect::<Json>(), "nested": nested })
}

fn condition(condition: &Condition) -> Json {
    json!({
        "lhs": condition.key,
        "comparison": condition.comparison,
        "value": value(&condition.value),
        "metadata": notes(&condition.notes),
    })
}

fn value(value: &Value) -> Json {
    let (kind, value) = match value {
        Value::Number(number) => ("number", json!(number)),
        Value::Word(word) => ("enum_variant", json!(word)),
        Value::Metadata(key, value) => ("metadata_variant", json!({ "key": key, "value": value })),
        Value::Text(text) => ("str_value", json!(text)),
        Value::Global(name) => ("global_ref", json!(name)),
        Value::Numbers(numbers) => ("number_array", json!(numbers)),
        Value::Words(words) => ("enum_variant_array", json!(words)),
        Value::Ranges(ranges) => {
            let range = |(comparison, number): &_| json!({ "comparison_type": comparison, "number": number });
            ("number_comparison_array", ranges.iter().map(range).collect())
        }
    };
    json!({ "type": kind, "value": value })
}

/// Notes are kept as text that was JSON when it came in.
fn notes(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| json!({}))
}
