//! The latest attempts on a slice, whenever they were: where traffic has left, a window holds too few to judge by.

use serde::{Deserialize, Serialize};

use super::rate::as_f64;

/// Attempts remembered: of ten at the usual rate nine or ten succeed; at half of it hardly ever.
const REMEMBERED: u8 = 10;

/// Whether each of the latest attempts was approved: a bit each, the newest the lowest.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Latest {
    approved: u16,
    count: u8,
}

impl Latest {
    /// An attempt ended.
    pub(crate) fn note(&mut self, approved: bool) {
        self.approved = (self.approved << 1 | u16::from(approved)) & ((1 << REMEMBERED) - 1);
        self.count = (self.count + 1).min(REMEMBERED);
    }

    /// How many are remembered.
    pub(crate) const fn count(&self) -> u8 {
        self.count
    }

    /// The share that was approved, where there were at least so many.
    pub(crate) fn rate(&self, at_least: u64) -> Option<f64> {
        let approved = as_f64(u64::from(self.approved.count_ones()));
        (u64::from(self.count) >= at_least).then(|| approved / as_f64(u64::from(self.count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_ten_count_and_the_rest_is_forgotten() {
        let mut latest = Latest::default();
        (0..30).for_each(|_| latest.note(false));
        (0..4).for_each(|_| latest.note(true));
        assert_eq!((latest.count(), latest.rate(5)), (10, Some(0.4)));
        (0..6).for_each(|_| latest.note(true));
        assert_eq!(latest.rate(5), Some(1.0));
        let mut few = Latest::default();
        (0..4).for_each(|_| few.note(true));
        assert_eq!(few.rate(5), None);
    }
}
