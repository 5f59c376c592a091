//! Personal data where an id belongs: what no sender may name a payment, a merchant or an account by, since ids are stored,
//! logged and shown.
//!
//! Ids that only resemble it must pass, so each part of one, between colons, is judged as a whole: `pay_…`, UUIDs and order
//! numbers are fine.

/// Digits of a card number, by ISO/IEC 7812: shorter ones are order numbers.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// What of a person's this text is, or a part of it between colons, in words; `None` for an ordinary id. Most parts are told
/// by their first letter: a list of a hundred accounts is looked through in a few microseconds.
pub(super) fn named(text: &str) -> Option<&'static str> {
    if text.split(':').any(is_card_number) {
        Some("a card number")
    } else if is_email(text) {
        Some("an e-mail address")
    } else {
        None
    }
}

/// What of a person's a text that somebody wrote holds, in words: a card number, its groups apart or not, or an address. A row of
/// digits is found whatever stands around it.
#[must_use]
pub fn within(text: &str) -> Option<&'static str> {
    let rows = text.split(|c: char| !c.is_ascii_digit() && c != ' ' && !is_grouping(c));
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '\''));
    if rows.into_iter().any(holds_card_number) {
        Some("a card number")
    } else if words.map(|word| word.trim_end_matches(['.', '!', '?'])).any(is_email) {
        Some("an e-mail address")
    } else {
        None
    }
}

/// Whether some groups of digits that follow each other are a card number.
fn holds_card_number(row: &str) -> bool {
    let groups: Vec<&str> = row.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    (0..groups.len()).any(|from| {
        let mut number = String::new();
        groups[from..]
            .iter()
            .take_while(|group| {
                number.push_str(group);
                number.len() <= *CARD_DIGITS.end() && !is_card_number(&number)
            })
            .count();
        is_card_number(&number)
    })
}

/// Whether a text is a card number: 13 to 19 digits that pass Luhn's check, however they are grouped, in a range
/// that cards are issued in (ISO/IEC 7812: 3 to 6, of 2 those from 2221 to 2720, of 1 the 15 digits of airlines). Others are order
/// numbers, and times in milliseconds and microseconds, which merchants do make ids of.
#[must_use]
pub fn is_card_number(text: &str) -> bool {
    if !text.chars().all(|c| c.is_ascii_digit() || is_grouping(c)) {
        return false;
    }
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let issued = match digits.first() {
        Some(1) => digits.len() == 15,
        Some(2) => (2_221..=2_720).contains(&digits.iter().take(4).fold(0, |number, digit| 10 * number + digit)),
        Some(3..=6) => true,
        _ => false,
    };
    issued && CARD_DIGITS.contains(&digits.len()) && passes_luhn(&digits)
}

/// What people put between groups of digits.
const fn is_grouping(c: char) -> bool {
    matches!(c, '-' | '.' | '_' | '/')
}

/// Luhn's check (ISO/IEC 7812-1, annex B): every second digit from the right counts twice, its digits added up.
fn passes_luhn(digits: &[u32]) -> bool {
    let twice = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let from_right = digits.iter().rev().enumerate();
    let sum: u32 = from_right.map(|(place, &digit)| if place % 2 == 1 { twice(digit) } else { digit }).sum();
    sum.is_multiple_of(10)
}

/// Whether a text is an address: something, one `@`, and a domain with a dot in it.
fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let labels = domain.rsplit_once('.');
    !name.is_empty() && labels.is_some_and(|(domain, top)| !domain.is_empty() && !top.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sentence_holds_of_a_person_is_found() {
        for (text, held) in [
            ("customer 4111 1111 1111 1111 complains", Some("a card number")),
            ("order 12: 4111-1111-1111-1111.", Some("a card number")),
            ("PAN=4111111111111111, again", Some("a card number")),
            ("see 12 378282246310005", Some("a card number")),
            ("asked by ada@example.org.", Some("an e-mail address")),
            ("asked by Ada <ada@example.org>", Some("an e-mail address")),
            ("wrong figures since 2026-11-27 04:12:00, 1,200 payments of pay_1786652670254", None),
            ("adyen:mca_1 @ 12.5 %: not tonight", None),
            ("", None),
        ] {
            assert_eq!(within(text), held, "{text}");
        }
    }

    #[test]
    fn card_numbers_and_addresses_are_known_and_ids_are_not_taken_for_them() {
        for card in [
            "4111111111111111",
            "4111-1111-1111-1111",
            "378282246310005",
            "4222222222222",
            "6304000000000000000",
            "135410014004955",
            "2223003122003222",
        ] {
            assert_eq!(named(card), Some("a card number"), "{card}");
            for account in [format!("stripe:{card}"), format!("{card}:mca_1"), format!("a:{card}:b")] {
                assert_eq!(named(&account), Some("a card number"), "{account}");
            }
        }
        for address in ["ada@example.org", "ada+shop@mail.example.co.uk"] {
            assert_eq!(named(address), Some("an e-mail address"), "{address}");
        }
        for id in [
            "pay_LOrSTDvs2fs1rntR8Bv7",
            "4111111111111112",
            "411111111112",
            "100000000008",
            "1786652670254",
            "2026112700000002",
            "9000000000000001",
            "0000000000000000",
            "550e8400-e29b-41d4-a716-446655440000",
            "41111111-1111-4111-8111-111111111111",
            "order@shop",
            "stripe:mca_LOrSTDvs2fs1rntR8Bv7",
            "adyen:4111111111111112",
            "psp:41111111-1111-4111-8111-111111111111",
            "@example.org",
            "",
        ] {
            assert_eq!(named(id), None, "{id}");
        }
    }
}
