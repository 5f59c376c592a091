//! Latencies in logarithmic buckets: 32 to an octave, so that a value is told to within 3 %.

use std::time::Duration;

/// Buckets to an octave; a power of two.
const PER_OCTAVE: u64 = 32;
const OCTAVE_BITS: u32 = PER_OCTAVE.trailing_zeros();

/// Octaves of microseconds: up to 2³⁶ µs, 19 hours.
const OCTAVES: usize = 32;

/// Counts of latencies.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; OCTAVES << OCTAVE_BITS], count: 0, max_us: 0 }
    }
}

impl Histogram {
    /// Counts a latency.
    pub(crate) fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let last = self.buckets.len() - 1;
        self.buckets[bucket(us).min(last)] += 1;
        self.count += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Adds another's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, others) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += others;
        }
        self.count += other.count;
        self.max_us = self.max_us.max(other.max_us);
    }

    /// The latency that a share of all does not exceed, in milliseconds: the upper edge of its bucket.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank of a count"
    )]
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut below = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            below += count;
            if below >= rank {
                return upper(index).min(self.max_us) as f64 / 1_000.0;
            }
        }
        self.max_ms()
    }

    /// The longest, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "shown to 10 µs")]
    pub(crate) fn max_ms(&self) -> f64 {
        self.max_us as f64 / 1_000.0
    }
}

/// The bucket of a value: itself below [`PER_OCTAVE`], then [`PER_OCTAVE`] steps to each doubling.
fn bucket(us: u64) -> usize {
    let octave = (u64::BITS - us.leading_zeros()).saturating_sub(OCTAVE_BITS + 1);
    let step = us >> octave;
    usize::try_from((u64::from(octave) << OCTAVE_BITS) + step).unwrap_or(usize::MAX)
}

/// The largest value of a bucket.
fn upper(index: usize) -> u64 {
    let index = index as u64;
    let octave = (index >> OCTAVE_BITS).saturating_sub(1);
    ((index - (octave << OCTAVE_BITS) + 1) << octave) - 1
}
