//! Sample-ratio mismatch: whether the arms have as many payments as their shares promise, and as many outcomes as payments.
//!
//! Where they have not, something besides the lot decides who is in which, or whose outcome is told; then a difference
//! between the arms may be that, and no winner is believed.

use crate::domain::numbers::as_f64;

/// Probability of such counts below which they are a mismatch. It is asked again and again, so it is far below what one look
/// would need: of ten thousand looks at a fair split, dependent as they are, about one in a hundred runs shows it.
pub(super) const MISMATCH: f64 = 1e-4;
/// Payments below which nothing is said: a cell of the test needs five, and shares go down to a hundredth.
const LEAST: u64 = 1_000;

/// The probability of counts at least as far from what was promised of them, by the chi-square test; none where there are
/// too few. What was promised counts by its ratios.
pub(super) fn probability(counts: &[(u64, f64)]) -> Option<f64> {
    // What was promised nothing, as an arm that never ran, got nothing.
    let cells = || counts.iter().filter(|(_, promised)| *promised > 0.0);
    let total: u64 = cells().map(|(count, _)| count).sum();
    let (all, cell_count) = (cells().map(|(_, promised)| promised).sum::<f64>(), cells().count());
    if total < LEAST || cell_count < 2 {
        return None;
    }
    let statistic: f64 = cells()
        .map(|(count, promised)| {
            let expected = as_f64(total) * promised / all;
            (as_f64(*count) - expected) * (as_f64(*count) - expected) / expected
        })
        .sum();
    Some(upper_tail(statistic, cell_count - 1))
}

/// Probability that a chi-square variable of so many degrees of freedom is above a value: Q(k/2, x/2), by its recursion
/// Q(s + 1, x) = Q(s, x) + x^s·e^(−x)/Γ(s + 1) from Q(1/2, x) = erfc(√x) or Q(1, x) = e^(−x).
fn upper_tail(value: f64, degrees: usize) -> f64 {
    let x = value / 2.0;
    let odd = degrees % 2 == 1;
    let mut tail = if odd { libm::erfc(x.sqrt()) } else { libm::exp(-x) };
    let (mut s, mut term) = if odd { (0.5, libm::exp(-x) * x.sqrt() / libm::tgamma(1.5)) } else { (1.0, libm::exp(-x) * x) };
    for _ in 0..(degrees - 1) / 2 {
        tail += term;
        s += 1.0;
        term *= x / s;
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_the_tables() {
        for (value, degrees, expected) in [
            (3.841, 1, 0.05),
            (6.635, 1, 0.01),
            (5.991, 2, 0.05),
            (7.815, 3, 0.05),
            (13.277, 4, 0.01),
            (11.070, 5, 0.05),
            (0.0, 2, 1.0),
        ] {
            let tail = upper_tail(value, degrees);
            assert!((tail - expected).abs() < 5e-5, "{value} {degrees}: {tail}");
        }
    }

    #[test]
    fn a_split_that_is_not_as_promised_is_told() {
        assert_eq!(probability(&[(400, 50.0), (500, 50.0)]), None, "too few");
        assert_eq!(probability(&[(4_000, 50.0), (0, 0.0)]), None, "one arm alone");
        assert!(probability(&[(5_050, 50.0), (4_950, 50.0)]).unwrap() > 0.1);
        assert!(probability(&[(5_250, 50.0), (4_750, 50.0)]).unwrap() < MISMATCH);
        assert!(probability(&[(7_900, 80.0), (1_050, 10.0), (1_050, 10.0)]).unwrap() > MISMATCH);
        assert!(probability(&[(7_600, 80.0), (1_200, 10.0), (1_200, 10.0)]).unwrap() < MISMATCH);
    }
}
