//! A rule's algorithm between the peer's JSON and the engine's values: every key and word checked, every refusal with
//! its path.

mod condition;
mod written;

pub use written::AsWritten;

use compact_str::CompactString;
use serde_json::Value as Json;

use crate::adapters::json::{BadField, Field};
use crate::domain::ConnectorAccount;
use crate::domain::decision::ELIGIBLE_MAX;
use crate::domain::rule::{Algorithm, Case, NESTING_MAX, Output, Program, RULE_BYTES_MAX, Split, Statement, TEXT_MAX, Value};

/// Reads an algorithm: the algorithm, and its size in bytes.
///
/// # Errors
/// The first field that is not as it must be.
pub fn read(algorithm: &Json) -> Result<(Algorithm, u32), BadField> {
    let field = Field::new("algorithm", algorithm);
    let size = algorithm.to_string().len();
    let bytes = u32::try_from(size).ok().filter(|_| size <= RULE_BYTES_MAX);
    let bytes = bytes.ok_or_else(|| field.bad(format!("it has {size} bytes; a rule has at most {RULE_BYTES_MAX}")))?;
    let (kind, data) = (field.get("type")?, field.get("data")?);
    let read = match kind.text()? {
        "advanced" => Algorithm::Advanced(program(&data)?),
        fixed => Algorithm::Fixed(output(fixed, &data)?.ok_or_else(|| {
            let allowed = "single, priority, volume_split, volume_split_priority, advanced";
            kind.bad(format!("`{}` is none of {allowed}", shown(fixed)))
        })?),
    };
    Ok((read, bytes))
}

/// As much of a value as a refusal repeats.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// An output of a kind; `None` for a kind there is not.
fn output(kind: &str, data: &Field<'_>) -> Result<Option<Output>, BadField> {
    Ok(Some(match kind {
        "single" => Output::Single(account(data)?),
        "priority" => Output::Priority(accounts(data)?),
        "volume_split" => Output::VolumeSplit(distinct(splits(data, account)?, data)?),
        "volume_split_priority" => Output::VolumeSplitPriority(splits(data, accounts)?),
        _ => return Ok(None),
    }))
}

fn program(data: &Field<'_>) -> Result<Program, BadField> {
    let globals = match data.get("globals")?.given() {
        Some(globals) => condition::globals(&globals)?,
        None => Vec::new(),
    };
    let names = Names(&globals);
    let mut cases = Vec::new();
    for rule in data.get("rules")?.list()? {
        cases.push(case(&rule, &names)?);
    }
    let default = tagged(&data.get("default_selection")?)?;
    let notes = notes(&data.get("metadata")?)?;
    Ok(Program { globals, default, cases, notes })
}

/// The sets of values that conditions may refer to.
struct Names<'a>(&'a [(CompactString, Vec<Value>)]);

/// An output under the name of its kind: `{"priority": […]}`.
fn tagged(field: &Field<'_>) -> Result<Output, BadField> {
    let object = field.object()?;
    let Some(kind) = object.keys().next().filter(|_| object.len() == 1) else {
        return Err(field.bad("expected one of single, priority, volume_split, volume_split_priority"));
    };
    output(kind, &field.get(kind)?)?.ok_or_else(|| field.bad(format!("`{}` is no kind of output", shown(kind))))
}

fn case(rule: &Field<'_>, names: &Names<'_>) -> Result<Case, BadField> {
    let name = short(&rule.get("name")?)?;
    let first = |preferred: &str, other: &str| match rule.get(preferred)?.given() {
        Some(given) => Ok(given),
        None => rule.get(other),
    };
    let output = tagged(&first("output", "routingOutput")?)?;
    let kind = first("routing_type", "routingType")?;
    let expected = written::routing_type(&output);
    if !matches!(output, Output::Single(_)) && kind.text()? != expected {
        return Err(kind.bad(format!("the output is of the kind {expected}")));
    }
    let list = rule.get("statements")?;
    let statements = statements(&list, names, NESTING_MAX)?;
    if statements.is_empty() {
        return Err(list.bad("it is empty, so the case would never hold: give it a statement, or leave the case out"));
    }
    Ok(Case { name, output, statements })
}

fn statements(list: &Field<'_>, names: &Names<'_>, depth: usize) -> Result<Vec<Statement>, BadField> {
    if depth == 0 {
        return Err(list.bad(format!("statements are nested more than {NESTING_MAX} deep")));
    }
    let mut read = Vec::new();
    for statement in list.list()? {
        let list = statement.get("condition")?;
        let mut conditions = Vec::new();
        for field in list.list()? {
            conditions.push(condition::read(&field, names)?);
        }
        let nested = match statement.get("nested")?.given() {
            Some(nested) => statements(&nested, names, depth - 1)?,
            None => Vec::new(),
        };
        if conditions.is_empty() && nested.is_empty() {
            return Err(
                list.bad("it is empty, and would hold for every payment: give it a condition, or leave the statement out")
            );
        }
        read.push(Statement { conditions, nested });
    }
    Ok(read)
}

/// `{"gateway_name", "gateway_id"?}`.
pub(super) fn account(field: &Field<'_>) -> Result<ConnectorAccount, BadField> {
    let name = field.get("gateway_name")?;
    let connector = name.text()?;
    if connector.contains(':') {
        return Err(name.bad("a connector's name has no colon; what follows it goes to gateway_id"));
    }
    let id = field.get("gateway_id")?.given();
    let reference = id.as_ref().map(Field::text).transpose()?;
    if reference == Some("") {
        return Err(field.bad("gateway_id is empty; leave it out, or null, for every account of the connector"));
    }
    ConnectorAccount::of(connector, reference).map_err(|problem| field.bad(problem))
}

/// A list of accounts, each once, one at least.
pub(super) fn accounts(field: &Field<'_>) -> Result<Vec<ConnectorAccount>, BadField> {
    let list = field.list()?;
    if list.is_empty() || list.len() > ELIGIBLE_MAX {
        return Err(field.bad(format!("it names {} accounts; allowed are 1 to {ELIGIBLE_MAX}", list.len())));
    }
    let mut accounts = Vec::with_capacity(list.len());
    for element in list {
        let named = account(&element)?;
        if accounts.contains(&named) {
            return Err(element.bad(format!("`{named}` is named twice")));
        }
        accounts.push(named);
    }
    Ok(accounts)
}

/// A split whose shares each go to another account: two of one account are one share, written twice or one mistaken.
fn distinct(splits: Vec<Split<ConnectorAccount>>, field: &Field<'_>) -> Result<Vec<Split<ConnectorAccount>>, BadField> {
    for ((index, split), place) in splits.iter().enumerate().zip(field.list()?) {
        if splits[..index].iter().any(|before| before.output == split.output) {
            return Err(place.bad(format!("`{}` is named twice", split.output)));
        }
    }
    Ok(splits)
}

/// Shares that sum to 100.
fn splits<T>(field: &Field<'_>, output: impl Fn(&Field<'_>) -> Result<T, BadField>) -> Result<Vec<Split<T>>, BadField> {
    let list = field.list()?;
    if list.is_empty() || list.len() > ELIGIBLE_MAX {
        return Err(field.bad(format!("it has {} shares; allowed are 1 to {ELIGIBLE_MAX}", list.len())));
    }
    let (mut splits, mut sum) = (Vec::with_capacity(list.len()), 0_u32);
    for element in list {
        let share = element.get("split")?;
        let percent = u8::try_from(share.whole()?).ok().filter(|percent| *percent <= 100);
        let percent = percent.ok_or_else(|| share.bad("a share is 0 to 100 percent"))?;
        sum += u32::from(percent);
        splits.push(Split { percent, output: output(&element.get("output")?)? });
    }
    if sum == 100 { Ok(splits) } else { Err(field.bad(format!("the shares sum to {sum}, not to 100"))) }
}

/// A text of at most [`TEXT_MAX`] bytes.
fn short(field: &Field<'_>) -> Result<CompactString, BadField> {
    let text = field.text()?;
    if text.is_empty() || text.len() > TEXT_MAX {
        return Err(field.bad(format!("it has {} bytes; allowed are 1 to {TEXT_MAX}", text.len())));
    }
    Ok(CompactString::from(text))
}

/// The merchant's own notes: an object, kept as it is; empty where it is.
fn notes(field: &Field<'_>) -> Result<String, BadField> {
    match field.value() {
        Json::Null => Ok(String::new()),
        Json::Object(notes) if notes.is_empty() => Ok(String::new()),
        notes => field.object().map(|_| notes.to_string()),
    }
}

#[cfg(test)]
mod tests;
