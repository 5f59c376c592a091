//! Rate limits: a connector takes so many attempts a second, and refuses what comes beyond.

use crate::domain::Time;

/// A token bucket for each connector: it holds one second's worth.
#[derive(Debug, Clone)]
pub(super) struct Limits(Vec<Bucket>);

#[derive(Debug, Clone)]
struct Bucket {
    /// Tokens a second; 0: no limit.
    rate: f64,
    tokens: f64,
    at: Time,
}

impl Limits {
    /// The limits of connectors, in their order.
    pub(super) fn new(rates: impl Iterator<Item = f64>) -> Self {
        Self(rates.map(|rate| Bucket { rate, tokens: rate, at: Time::ZERO }).collect())
    }

    /// Whether a connector refuses an attempt now.
    pub(super) fn is_reached(&self, acquirer: Option<usize>, at: Time) -> bool {
        let bucket = acquirer.and_then(|index| self.0.get(index)).filter(|bucket| bucket.rate > 0.0);
        bucket.is_some_and(|bucket| bucket.filled(at) < 1.0)
    }

    /// An attempt was sent; one that was refused takes no token.
    pub(super) fn take(&mut self, acquirer: Option<usize>, at: Time) {
        let Some(bucket) = acquirer.and_then(|index| self.0.get_mut(index)).filter(|bucket| bucket.rate > 0.0) else { return };
        let filled = bucket.filled(at);
        // Attempts of the switch's own come a little out of order.
        bucket.at = bucket.at.max(at);
        bucket.tokens = if filled < 1.0 { filled } else { filled - 1.0 };
    }
}

impl Bucket {
    fn filled(&self, at: Time) -> f64 {
        (self.tokens + self.rate * at.since(self.at).as_secs_f64()).min(self.rate.max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_comes_beyond_is_refused_until_the_bucket_fills() {
        let mut limits = Limits::new([0.0, 10.0].into_iter());
        let start = Time::from_secs(100);
        for _ in 0..10 {
            assert!(!limits.is_reached(Some(1), start));
            limits.take(Some(1), start);
        }
        assert!(limits.is_reached(Some(1), start));
        assert!(!limits.is_reached(Some(0), start) && !limits.is_reached(None, start));
        assert!(!limits.is_reached(Some(1), start + Duration::from_millis(100)));
    }
}
