//! Where in a scenario file something is wrong, and what was probably meant.

use std::ops::Range;

/// The place of the key that a message about a table names first; the table's own where it names none of its keys.
pub(super) fn of_key(text: &str, table: Range<usize>, message: &str) -> Range<usize> {
    let Some(rest) = text.get(table.start..).filter(|rest| rest.starts_with('[')) else { return table };
    let mut start = table.start;
    let mut named = Vec::new();
    for (number, line) in rest.split_inclusive('\n').enumerate() {
        if number > 0 && line.starts_with('[') {
            break;
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        named.extend(word_at(message, key).map(|at| (at, start..start + line.len())));
        start += line.len();
    }
    named.into_iter().min_by_key(|(at, _)| *at).map_or(table, |(_, line)| line)
}

/// Where a word stands in a text, by itself and not within another one.
fn word_at(text: &str, word: &str) -> Option<usize> {
    let within = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    let alone = |at: &usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !within(before) && !within(bytes.get(at + word.len()))
    };
    if word.is_empty() { None } else { text.match_indices(word).map(|(at, _)| at).find(alone) }
}

/// What the parser says of a number, without the names of types.
pub(super) fn in_words(message: &str) -> String {
    let whole = ["usize", "u64", "u32", "u16"].iter().any(|kind| message.ends_with(&format!("expected {kind}")));
    let number = message.split_once("integer `").and_then(|(_, rest)| rest.split_once('`')).map(|(number, _)| number);
    match number.filter(|_| whole) {
        Some(number) => format!("{number} is out of range: allowed are whole numbers from 0 on"),
        None => message.to_owned(),
    }
}

/// The name that was probably meant, as a question; empty where none is near.
pub(super) fn nearest(name: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|known| (strsim::damerau_levenshtein(known, name), *known)).min();
    match nearest {
        Some((distance, known)) if distance * 3 <= name.len() => format!(" (did you mean {known}?)"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_its_own_table_has_it() {
        let text = "at = 1\n[[fault]]\nkind = 2\nat = 3\n[[fault]]\nat = 4\n";
        let table = text.find("[[fault]]").unwrap();
        let line = |message: &str| &text[of_key(text, table..table + 9, message)];
        assert_eq!(line("`at` is too late for this kind"), "at = 3\n");
        assert_eq!(line("kind and at"), "kind = 2\n");
        assert_eq!(line("what matters is kindness"), "[[fault]]", "no key of it is named");
    }

    #[test]
    fn numbers_are_refused_in_words() {
        let check = |message: &str, told: &str| assert_eq!(in_words(message), told);
        let told = "-1 is out of range: allowed are whole numbers from 0 on";
        check("invalid value: integer `-1`, expected usize", told);
        check("invalid type: integer `-1` as i128, expected u64", told);
        check("expected a string", "expected a string");
    }

    #[test]
    fn the_nearest_name_is_asked_for() {
        assert_eq!(nearest("outrage", &["calm", "outage"]), " (did you mean outage?)");
        assert_eq!(nearest("monday", &["calm", "outage"]), "");
    }
}
