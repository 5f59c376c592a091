//! Personal data where an id belongs: what no sender may name a payment, a merchant or an account by, since ids are stored,
//! logged and shown.
//!
//! Ids that only resemble it must pass, so each part of one, between colons, is judged as a whole: `pay_…`, UUIDs and order
//! numbers are fine.

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
    // Most words are neither.
    if !text.contains('@') && text.bytes().filter(u8::is_ascii_digit).count() < CARD_DIGITS_LEAST {
        return None;
    }
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

/// Whether a group of digits, or some that follow each other as those of cards do, are a card number.
fn holds_card_number(row: &str) -> bool {
    let groups: Vec<&str> = row.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let alone = groups.iter().any(|group| is_issued(group));
    alone || SHAPES.iter().any(|shape| groups.windows(shape.len()).any(|groups| is_grouped(groups, shape)))
}

/// Whether a text is a card number, in one or in the groups that cards show it in. Others are order numbers, dates and times,
/// which merchants do make ids of.
#[must_use]
pub fn is_card_number(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(|c| c.is_ascii_digit() || is_grouping(c)) {
        return false;
    }
    let groups: Vec<&str> = text.split(is_grouping).collect();
    if groups.len() == 1 { is_issued(text) } else { SHAPES.iter().any(|shape| is_grouped(&groups, shape)) }
}

/// Digits of the shortest card numbers.
const CARD_DIGITS_LEAST: usize = 14;

/// How many digits the groups of card numbers have: of most; of the longest; of American Express; of Diners Club; of UATP.
const SHAPES: [&[usize]; 5] = [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4], &[4, 5, 6]];

fn is_grouped(groups: &[&str], shape: &[usize]) -> bool {
    groups.len() == shape.len()
        && groups.iter().zip(shape).all(|(group, digits)| group.len() == *digits)
        && is_issued(&groups.concat())
}

/// Whether digits are a card number: as many as are issued in their range (ISO/IEC 7812), and they pass Luhn's check. The 13
/// digits that Visa once issued are times and serial numbers by now.
fn is_issued(digits: &str) -> bool {
    let first = |count: usize| digits.get(..count).and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
    let issued = match digits.len() {
        // Diners Club.
        14 => matches!(first(2), 36 | 38 | 39) || (300..=305).contains(&first(3)),
        // American Express; UATP, of airlines.
        15 => matches!(first(2), 34 | 37) || first(1) == 1,
        // Visa, Discover, UnionPay, Maestro and the like; Mastercard's and Mir's ranges of 2; JCB, Diners Club abroad.
        16 => match first(1) {
            2 => (2_221..=2_720).contains(&first(4)) || (2_200..=2_204).contains(&first(4)),
            3 => matches!(first(2), 30 | 35 | 36 | 38 | 39),
            4..=6 => true,
            _ => false,
        },
        // Visa; Maestro, UnionPay.
        19 => first(1) == 4 || first(1) == 6 || matches!(first(2), 50 | 56..=58),
        _ => false,
    };
    issued && passes_luhn(digits)
}

/// What people put between groups of digits.
const fn is_grouping(c: char) -> bool {
    matches!(c, '-' | '.' | '_' | '/')
}

/// Luhn's check (ISO/IEC 7812-1, annex B): every second digit from the right counts twice, its digits added up.
fn passes_luhn(digits: &str) -> bool {
    let twice = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let from_right = digits.chars().rev().filter_map(|digit| digit.to_digit(10)).enumerate();
    let sum: u32 = from_right.map(|(place, digit)| if place % 2 == 1 { twice(digit) } else { digit }).sum();
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
            ("rates per minute 45.12 40.33 51.07 38.90 44.10 61.5", None),
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
            "3782-822463-10005",
            "30569309025904",
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
            "4222222222222",
            "342-4251459-7948311",
            "14-10-2026-6972106",
            "4524_1764295264",
            "595995442946465242",
            "62979738282573",
            "3667116030472",
            "27105423010343",
            "41-11-1111-1111-1111",
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
