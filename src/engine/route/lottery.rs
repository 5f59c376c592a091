//! What is left to chance in the engine's choice, and how likely each candidate is by it.

use super::score::Scored;
use super::{Draw, as_f64};
use crate::domain::Approach;

/// A probe, with its share of the decisions; else one of those close to the best, with the uniform share; else the first.
pub(super) struct Lottery {
    probes: Vec<usize>,
    probe_share: f64,
    close: Vec<usize>,
    uniform_share: f64,
    /// How the first is chosen.
    first: Approach,
}

impl Lottery {
    /// The first of those left, or a probe of those that are not.
    pub(super) const fn first(probes: Vec<usize>, probe_share: f64, first: Approach) -> Self {
        Self { probes, probe_share, close: Vec::new(), uniform_share: 0.0, first }
    }

    /// The same, but a share of the decisions is drawn among those whose expectation (or, under another objective than
    /// success, expected value) is close to the best one.
    pub(super) fn or_close(self, open: &[Scored<'_>], margin: f64, share: f64) -> Self {
        let best = open.iter().map(|s| s.merit).fold(f64::NEG_INFINITY, f64::max);
        let close: Vec<usize> = (0..open.len()).filter(|&i| open[i].merit >= best - margin).collect();
        let uniform_share = if close.is_empty() { 0.0 } else { share };
        Self { close, uniform_share, ..self }
    }

    /// The candidate that a draw chooses, and how.
    pub(super) fn drawn(&self, draw: &Draw) -> (usize, Approach) {
        if !self.probes.is_empty() && draw.probe < self.probe_share {
            return (self.probes[draw.pick(self.probes.len())], Approach::Probe);
        }
        if draw.uniform < self.uniform_share {
            return (self.close[draw.pick(self.close.len())], Approach::Uniform);
        }
        (0, self.first)
    }

    /// The probability that a candidate is drawn.
    pub(super) fn chance(&self, index: usize) -> f64 {
        let among = |places: &[usize], share: f64| {
            if places.contains(&index) { share / as_f64(places.len()) } else { 0.0 }
        };
        let left = if self.probes.is_empty() { 1.0 } else { 1.0 - self.probe_share };
        let first = if index == 0 { 1.0 - self.uniform_share } else { 0.0 };
        among(&self.probes, self.probe_share) + left * (first + among(&self.close, self.uniform_share))
    }
}
