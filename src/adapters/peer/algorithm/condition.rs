//! One condition: a key, a comparison, and a value of the key's kind.

use compact_str::CompactString;

use super::super::keys::{self, Kind};
use super::{Names, notes, short, shown};
use crate::adapters::json::{BadField, Field};
use crate::domain::Comparison;
use crate::domain::rule::{Condition, Value};

/// Reads a condition.
pub(super) fn read(field: &Field<'_>, names: &Names<'_>) -> Result<Condition, BadField> {
    let lhs = field.get("lhs")?;
    let key = keys::key(lhs.text()?).ok_or_else(|| {
        lhs.bad(format!("`{}` is no key; GET /config/routing-keys lists them", shown(lhs.text().unwrap_or_default())))
    })?;
    let comparison = comparison(&field.get("comparison")?)?;
    let given = field.get("value")?;
    let value = value(&given)?;
    suits(&given, key, &value, names)?;
    compares(&field.get("comparison")?, comparison, &value)?;
    Ok(Condition { key: CompactString::const_new(key.name), comparison, value, notes: notes(&field.get("metadata")?)? })
}

/// The sets of values that conditions refer to. What a value is compared with tells its kind, so here any will do.
pub(super) fn globals(field: &Field<'_>) -> Result<Vec<(CompactString, Vec<Value>)>, BadField> {
    let mut sets = Vec::new();
    for name in field.object()?.keys() {
        let set = field.get(name)?;
        let mut values = Vec::new();
        for element in set.list()? {
            match value(&element)? {
                value @ (Value::Number(_) | Value::Word(_) | Value::Text(_)) => values.push(value),
                _ => return Err(element.bad("a set holds values of the types number, enum_variant and str_value")),
            }
        }
        sets.push((CompactString::from(name.as_str()), values));
    }
    Ok(sets)
}

fn comparison(field: &Field<'_>) -> Result<Comparison, BadField> {
    let word = field.text()?;
    Comparison::parse(word).ok_or_else(|| {
        let allowed: Vec<&str> = Comparison::ALL.iter().map(|comparison| comparison.as_str()).collect();
        field.bad(format!("`{}` is none of {}", shown(word), allowed.join(", ")))
    })
}

/// `{"type", "value"}`, as rules and payments tell values.
pub(in crate::adapters::peer) fn value(field: &Field<'_>) -> Result<Value, BadField> {
    let (kind, value) = (field.get("type")?, field.get("value")?);
    Ok(match kind.text()? {
        "number" => Value::Number(value.whole()?),
        "enum_variant" => Value::Word(short(&value)?),
        "str_value" => Value::Text(short(&value)?),
        "global_ref" => Value::Global(short(&value)?),
        "metadata_variant" => Value::Metadata(short(&value.get("key")?)?, short(&value.get("value")?)?),
        "number_array" => Value::Numbers(value.list()?.iter().map(Field::whole).collect::<Result<_, _>>()?),
        "enum_variant_array" => Value::Words(value.list()?.iter().map(short).collect::<Result<_, _>>()?),
        "number_comparison_array" => Value::Ranges(value.list()?.iter().map(range).collect::<Result<_, _>>()?),
        other => {
            return Err(kind.bad(format!(
                "`{}` is none of number, enum_variant, str_value, global_ref, metadata_variant, number_array, \
                 enum_variant_array, number_comparison_array",
                shown(other)
            )));
        }
    })
}

fn range(field: &Field<'_>) -> Result<(Comparison, u64), BadField> {
    Ok((comparison(&field.get("comparison_type")?)?, field.get("number")?.whole()?))
}

/// Whether the value is of the key's kind, and its words are the key's.
fn suits(given: &Field<'_>, key: &keys::Key, value: &Value, names: &Names<'_>) -> Result<(), BadField> {
    let wrong = |expected: &str| Err(given.bad(format!("`{}` compares with {expected}", key.name)));
    match (key.kind, value) {
        (_, Value::Global(name)) => {
            let Some((_, set)) = names.0.iter().find(|(known, _)| known == name) else {
                return Err(given.bad(format!("`{}` is no set of globals", shown(name))));
            };
            set.iter().try_for_each(|value| suits(given, key, value, names))
        }
        (Kind::Number, Value::Number(_) | Value::Numbers(_) | Value::Ranges(_))
        | (Kind::Text, Value::Text(_))
        | (Kind::Metadata, Value::Metadata(..)) => Ok(()),
        (Kind::Digits(count), Value::Text(text)) if text.len() == count && text.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
        (kind, Value::Word(word)) if kind.is_words() => known(given, key, word),
        (kind, Value::Words(words)) if kind.is_words() => words.iter().try_for_each(|word| known(given, key, word)),
        (Kind::Number, _) => wrong("number, number_array or number_comparison_array"),
        (Kind::Text, _) => wrong("str_value"),
        (Kind::Digits(count), _) => wrong(&format!("a str_value of {count} digits")),
        (Kind::Metadata, _) => wrong("metadata_variant"),
        (_, _) => wrong("enum_variant or enum_variant_array"),
    }
}

fn known(given: &Field<'_>, key: &keys::Key, word: &str) -> Result<(), BadField> {
    if key.kind.has(word) {
        return Ok(());
    }
    Err(given.bad(format!("`{}` is no value of `{}`; GET /config/routing-keys lists them", shown(word), key.name)))
}

/// Whether the value can be compared so.
fn compares(given: &Field<'_>, comparison: Comparison, value: &Value) -> Result<(), BadField> {
    let (allowed, told): (&[Comparison], &str) = match value {
        Value::Number(_) => return Ok(()),
        Value::Ranges(_) | Value::Global(_) => (&[Comparison::Equal], "equal"),
        _ => (&[Comparison::Equal, Comparison::NotEqual], "equal or not_equal"),
    };
    if allowed.contains(&comparison) { Ok(()) } else { Err(given.bad(format!("such a value compares by {told} only"))) }
}
