//! What is left to chance in a choice, and how likely each candidate is by it.

use smallvec::SmallVec;

use super::Draw;
use super::score::Scored;
use crate::domain::Approach;
use crate::domain::numbers::len_as_f64;

/// Indices of candidates: no more than a request may name.
pub(super) type Places = SmallVec<[u8; 16]>;

/// The indices of those, of so many, that are meant.
pub(super) fn places(count: usize, meant: impl Fn(usize) -> bool) -> Places {
    (0..u8::try_from(count).unwrap_or(u8::MAX)).filter(|place| meant(usize::from(*place))).collect()
}

/// A probe, with its share of the decisions; else one of those close to the best, with the uniform share; else the first.
pub(super) struct Lottery {
    probes: Places,
    probe_share: f64,
    close: Places,
    uniform_share: f64,
    /// Who is chosen otherwise, and how; none: the payment is refused.
    first: Option<(usize, Approach)>,
}

impl Lottery {
    /// This one, whatever is drawn.
    pub(super) const fn certain(index: usize, approach: Approach) -> Self {
        Self::first(Some((index, approach)))
    }

    /// None of them.
    pub(super) const fn refusal() -> Self {
        Self::first(None)
    }

    const fn first(first: Option<(usize, Approach)>) -> Self {
        Self { probes: Places::new_const(), probe_share: 0.0, close: Places::new_const(), uniform_share: 0.0, first }
    }

    /// The same, but a share of the decisions are probes of these, if there are any.
    pub(super) fn or_probe(self, probes: Places, share: f64) -> Self {
        let probe_share = if probes.is_empty() { 0.0 } else { share };
        Self { probes, probe_share, ..self }
    }

    /// The same, but a share of the other decisions is drawn among those whose expectation (or, under another objective than
    /// success, expected value) is close to the best one.
    pub(super) fn or_close(self, open: &[Scored<'_>], margin: f64, share: f64) -> Self {
        let best = open.iter().map(|s| s.merit).fold(f64::NEG_INFINITY, f64::max);
        let close = places(open.len(), |i| open[i].merit >= best - margin);
        let uniform_share = if close.is_empty() { 0.0 } else { share };
        Self { close, uniform_share, ..self }
    }

    /// The candidate that a draw chooses, and how; none: it refuses the payment.
    pub(super) fn drawn(&self, draw: &Draw) -> Option<(usize, Approach)> {
        let one_of = |places: &[u8]| usize::from(places[draw.pick(places.len())]);
        if draw.probe < self.probe_share {
            return Some((one_of(&self.probes), Approach::Probe));
        }
        if draw.uniform < self.uniform_share {
            return Some((one_of(&self.close), Approach::Uniform));
        }
        self.first
    }

    /// The probability that a candidate is drawn.
    pub(super) fn chance(&self, index: usize) -> f64 {
        let among = |places: &[u8], share: f64| {
            if places.iter().any(|place| usize::from(*place) == index) { share / len_as_f64(places.len()) } else { 0.0 }
        };
        let first = if self.first.is_some_and(|(first, _)| first == index) { 1.0 - self.uniform_share } else { 0.0 };
        among(&self.probes, self.probe_share) + (1.0 - self.probe_share) * (first + among(&self.close, self.uniform_share))
    }
}
