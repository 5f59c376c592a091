//! Reading JSON so that a refusal names the field: `content.object.payment_id: missing`.

mod field;
mod strict;

pub use field::Field;

use std::fmt;

use serde::Deserialize;
use strict::Strict;

use crate::domain::{personal, wording};

/// Why a body was not understood. Safe to answer to its sender; not to be logged, since it may repeat a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadField {
    /// The field's path; empty where the body as a whole is meant.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl BadField {
    /// A refusal of one field. What is a person's in it is not repeated.
    #[must_use]
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let (field, problem) = (field.into(), problem.into());
        let impersonal = |text: String, instead: &dyn Fn(&str) -> String| match personal::within(&text) {
            None => text,
            Some(data) => instead(data),
        };
        Self {
            field: impersonal(field, &|data| format!("(a field that holds {data})")),
            problem: impersonal(problem, &|data| format!("it holds {data}, which has no place here")),
        }
    }
}

/// Refuses a text that would be kept and shown, where it holds what is a person's.
///
/// # Errors
/// The field, with what it holds, which is not repeated.
pub fn impersonal(field: &str, text: &str) -> Result<(), BadField> {
    let held = |data| BadField::new(field, format!("it holds {data}: it would be kept and shown, so leave that out"));
    personal::within(text).map_or(Ok(()), |data| Err(held(data)))
}

impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "the body" } else { &self.field };
        write!(f, "{field}: {}", self.problem)
    }
}

impl std::error::Error for BadField {}

/// Reads a value: objects where objects are expected, words as text, all of it UTF-8. The path of a bad field is looked for
/// only when there is one: good bodies are read once, fast.
///
/// # Errors
/// The first bad field, or the line and column where the body stops being JSON.
pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BadField> {
    // What is skipped would not be looked at by serde.
    let text = std::str::from_utf8(body)
        .map_err(|error| BadField::new("", format!("not UTF-8 after {} bytes", error.valid_up_to())))?;
    let mut from = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Strict(&mut from)).and_then(|value| from.end().map(|()| value));
    value.map_err(|error| explain::<T>(text, &error))
}

fn explain<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> BadField {
    if error.is_syntax() || error.is_eof() {
        return BadField::new("", format!("not JSON: {error}"));
    }
    let mut from = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, T>(Strict(&mut from)) {
        Ok(_) => BadField::new("", error.to_string()),
        Err(found) => {
            let path = found.path().to_string();
            bad_field(if path == "." { "" } else { &path }, &found.inner().to_string())
        }
    }
}

/// serde places a missing field at its parent and names it in the message; here the field's own path is wanted.
fn bad_field(parent: &str, message: &str) -> BadField {
    let problem = message.rsplit_once(" at line ").map_or(message, |(problem, _)| problem);
    let missing = problem.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match missing {
        Some(name) if parent.is_empty() => BadField::new(name, "missing"),
        Some(name) => BadField::new(format!("{parent}.{name}"), "missing"),
        None => BadField::new(parent, wording::plain(problem, "an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "only whether it parses matters")]
        inner: Inner,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Plain,
        Carrying { amount: i64 },
    }

    #[derive(Debug, Deserialize)]
    struct Words {
        word: Option<Word>,
        #[serde(default)]
        words: Vec<Word>,
    }

    #[test]
    fn a_word_is_text_and_one_of_those_allowed() {
        let read = |body: &str| read::<Words>(body.as_bytes());
        let check = |body: &str, expected: &str| assert_eq!(read(body).unwrap_err().to_string(), expected);
        check(r#"{"word":-1}"#, "word: invalid type: number `-1`, expected one of `plain`, `carrying`");
        check(r#"{"word":true}"#, "word: invalid type: `true`, expected one of `plain`, `carrying`");
        check(r#"{"word":["plain"]}"#, "word: invalid type: a list, expected one of `plain`, `carrying`");
        check(r#"{"word":"other"}"#, "word: unknown variant `other`, expected `plain` or `carrying`");
        check(r#"{"words":["plain",null]}"#, "words[1]: invalid type: null, expected one of `plain`, `carrying`");
        let carrying = r#"{"word":{"carrying":{"amount":2}},"words":["plain"]}"#;
        let told = read(carrying).unwrap();
        assert_eq!((told.word, told.words), (Some(Word::Carrying { amount: 2 }), vec![Word::Plain]));
        assert_eq!(read(r#"{"word":null}"#).unwrap().word, None);
    }

    #[test]
    fn what_is_skipped_is_utf_8_too() {
        let body = b"{\"inner\":{\"amount\":1},\"other\":\"\xff\"}";
        assert_eq!(read::<Outer>(body).unwrap_err().to_string(), "the body: not UTF-8 after 31 bytes");
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only whether it parses matters")]
        amount: i64,
    }

    #[test]
    fn names_the_field() {
        let check = |body: &str, expected: &str| {
            assert_eq!(read::<Outer>(body.as_bytes()).unwrap_err().to_string(), expected);
        };
        check("{}", "inner: missing");
        check(r#"{"inner":{}}"#, "inner.amount: missing");
        check(r#"{"inner":{"amount":"x"}}"#, r#"inner.amount: invalid type: text "x", expected a whole number"#);
        check("[]", "the body: expected an object, found a list");
        check(r#"{"inner":[]}"#, "inner: expected an object, found a list");
        check(r#"{"inner":[1]}"#, "inner: expected an object, found a list");
        check("[[1]]", "the body: expected an object, found a list");
        check("[", "the body: expected an object, found a list");
        check("{", "the body: not JSON: EOF while parsing an object at line 1 column 1");
        check(r#"{"inner" 1"#, "the body: not JSON: expected `:` at line 1 column 10");
    }
}
