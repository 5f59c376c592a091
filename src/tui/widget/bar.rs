//! Bars: counts beside each other, and a share against a mark.

use super::spark::block;
use crate::domain::numbers::as_f64;

/// One bar a count, each so many columns wide, from zero to the highest count; blank where there is nothing.
pub(crate) fn bars(counts: &[u64], columns: usize) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    #[expect(clippy::cast_possible_truncation, reason = "a share, for seven blocks")]
    let height = |count: u64| (as_f64(count) / as_f64(most)) as f32;
    let bar = |count: &u64| if *count == 0 { ' ' } else { block(height(*count)) };
    counts.iter().flat_map(|count| std::iter::repeat_n(bar(count), columns)).collect()
}

/// A share from 0 to 1 in so many columns, and a mark where another one stands.
pub(crate) fn against(share: f64, mark: f64, columns: usize) -> String {
    let places = as_f64(columns as u64);
    let filled = |column: usize| as_f64(column as u64) + 0.5 <= share * places;
    let marked = (0..columns).rfind(|column| as_f64(*column as u64) <= mark * places);
    let cell = |column| match column {
        _ if Some(column) == marked => '│',
        _ if filled(column) => '█',
        _ => ' ',
    };
    (0..columns).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_reach_from_nothing_to_the_highest_count() {
        assert_eq!(bars(&[0, 1, 50, 100], 2), "  ▁▁▄▄▇▇");
        assert_eq!(bars(&[0, 0], 1), "  ");
    }

    #[test]
    fn a_mark_stands_where_it_was_expected() {
        let check = |share, mark, expected| assert_eq!(against(share, mark, 10), expected, "{share} {mark}");
        check(0.5, 0.85, "█████   │ ");
        check(0.95, 0.5, "█████│████");
        check(0.0, 0.0, "│         ");
        check(1.0, 1.0, "█████████│");
        check(0.04, 0.1, " │        ");
    }
}
