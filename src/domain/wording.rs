//! What libraries say, in words that people who never saw the source understand.

use std::error::Error;

/// An error and what caused it, as one line. A cause that its error has told already is not told twice: clients of Redis
/// and of databases repeat in theirs what the system said.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let (mut told, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        let text = cause.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        next = cause.source();
    }
    told
}

/// The character, or a space for one that could move a cursor, end a line or turn the order of what is read: what a person
/// typed is shown to others, on terminals and in reports.
#[must_use]
pub fn printable(c: char) -> char {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { ' ' } else { c }
}

/// A refusal of serde's, without the names that only this source knows. `group` is what the format calls keys with
/// values: an object in JSON, a table in TOML.
#[must_use]
pub fn plain(message: &str, group: &str) -> String {
    // A list is taken for a group whose values come in order, so its length is what serde complains of.
    if ["invalid length", "invalid type: sequence"].iter().any(|said| message.starts_with(said))
        && message.contains("expected struct")
    {
        return format!("expected {group}, found a list");
    }
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let expected = match expected {
        "u16" => "a whole number from 0 to 65535",
        "u8" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => group,
        "a string" | "a borrowed string" => "text",
        struct_or_enum if struct_or_enum.starts_with("struct ") => group,
        struct_or_enum if struct_or_enum.starts_with("enum ") => "one of the words allowed",
        other => other,
    };
    let found = found.replace("floating point `", "number `").replace("integer `", "number `").replace("boolean `", "`");
    format!(
        "{}, expected {expected}",
        found.replace("string \"", "text \"").replace("sequence", "a list").replace("map", "a group")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Told(&'static str, #[source] Option<Box<Told>>);

    #[test]
    fn a_cause_is_told_once() {
        let refused = || Some(Box::new(Told("Connection refused (os error 111)", None)));
        let chained = |said, source| chain(&Told(said, source));
        assert_eq!(
            chained("the log failed", Some(Box::new(Told("Connection refused (os error 111)", refused())))),
            "the log failed: Connection refused (os error 111)"
        );
        assert_eq!(chained("(code: 26) file is not a database", None), "(code: 26) file is not a database");
    }

    #[test]
    fn no_name_of_the_source_is_told() {
        let check = |said, expected: &str| assert_eq!(plain(said, "a table"), expected);
        check("invalid type: string \"sqlite\", expected struct Log", "invalid type: text \"sqlite\", expected a table");
        check("invalid type: string \"x\", expected f64", "invalid type: text \"x\", expected a number");
        check("invalid value: integer `-1`, expected u64", "invalid value: number `-1`, expected a whole number, 0 or more");
        check("invalid length 0, expected struct Envelope with 4 elements", "expected a table, found a list");
        check(
            "unknown variant `kafka`, expected one of `sqlite`, `redis`",
            "unknown variant `kafka`, expected one of `sqlite`, `redis`",
        );
        check("allowed are 1 to 100", "allowed are 1 to 100");
    }
}
