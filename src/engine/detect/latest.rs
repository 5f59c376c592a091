//! The latest attempts on a slice, whenever they were: where traffic has left, a window holds too few to judge by.

use crate::domain::numbers::as_f64;
use serde::{Deserialize, Serialize};

/// Attempts remembered, and needed for a verdict: at a usual rate of 92 % eight of ten succeed in 96 of 100 cases, at half
/// of that in one of 100.
const REMEMBERED: u8 = 10;
/// The share they may fall short by besides: one attempt of ten.
const ONE: f64 = 0.1;

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
    pub(crate) const fn count(self) -> u8 {
        self.count
    }

    /// The share that was approved, where there were enough.
    pub(crate) fn rate(self) -> Option<f64> {
        let approved = as_f64(u64::from(self.approved.count_ones()));
        (self.count == REMEMBERED).then(|| approved / as_f64(u64::from(self.count)))
    }

    /// Whether they do as well as this, within one attempt; none where there were too few.
    pub(crate) fn reach(self, rate: f64) -> Option<bool> {
        self.rate().map(|seen| seen >= rate - ONE)
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
        assert_eq!((latest.count(), latest.rate(), latest.reach(0.87)), (10, Some(0.4), Some(false)));
        (0..4).for_each(|_| latest.note(true));
        assert_eq!((latest.rate(), latest.reach(0.87)), (Some(0.8), Some(true)));
        let mut few = Latest::default();
        (0..9).for_each(|_| few.note(true));
        assert_eq!((few.rate(), few.reach(0.87)), (None, None));
    }
}
