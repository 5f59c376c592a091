//! What could be saved of the payments that faults harm, and what was: against fixed priority, by exact probabilities.
//!
//! A payment is harmed where its merchant's fixed priority would send it into a fault. A perfect reaction sends it to
//! the best account instead; what that adds, from the fault's start or from its detection on, is the savable part.

use crate::domain::Time;

/// Below this share of failures a fault harms nobody: a ramp's first moments.
const HARM: f64 = 0.05;

/// Successes that could be, and were, added.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Saved {
    /// By a perfect reaction.
    pub savable: f64,
    /// By the choices made.
    pub saved: f64,
}

/// The chances of a harmed payment: at its usual account, at the best, and at the one chosen.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Chances {
    pub usual: f64,
    pub best: f64,
    pub chosen: f64,
}

/// One fault's harm before and after its detection.
#[derive(Debug, Clone, Copy, Default)]
struct Harmed {
    before: Saved,
    after: Saved,
    detected_at: Option<Time>,
}

/// The savings of a run, by the number of the fault.
#[derive(Debug, Clone, Default)]
pub struct Savings(Vec<Harmed>);

impl Savings {
    pub(in crate::sim) fn new(faults: usize) -> Self {
        Self(vec![Harmed::default(); faults])
    }

    /// An incident that a fault explains was opened.
    pub(in crate::sim) fn detected(&mut self, fault: usize, at: Time) {
        if let Some(harmed) = self.0.get_mut(fault) {
            harmed.detected_at.get_or_insert(at);
        }
    }

    /// A payment was sent on its way: the fault on its usual account and the share that fails for it, and its chances.
    pub(in crate::sim) fn routed(&mut self, (fault, share): (usize, f64), chances: Chances, at: Time) {
        let Some(harmed) = self.0.get_mut(fault).filter(|_| share >= HARM) else { return };
        let detected = harmed.detected_at.is_some_and(|detected| detected <= at);
        let sum = if detected { &mut harmed.after } else { &mut harmed.before };
        sum.savable += chances.best - chances.usual;
        sum.saved += chances.chosen - chances.usual;
    }

    /// When a fault was detected.
    #[must_use]
    pub fn detected_at(&self, fault: usize) -> Option<Time> {
        self.0.get(fault)?.detected_at
    }

    /// Against a perfect reaction at the faults' start.
    #[must_use]
    pub fn since_start(&self) -> Saved {
        self.0.iter().map(|harmed| harmed.before.plus(harmed.after)).fold(Saved::default(), Saved::plus)
    }

    /// Against a perfect reaction at the faults' detection; at their start where nobody noticed.
    #[must_use]
    pub fn since_detection(&self) -> Saved {
        let counted = |harmed: &Harmed| match harmed.detected_at {
            Some(_) => harmed.after,
            None => harmed.before,
        };
        self.0.iter().map(counted).fold(Saved::default(), Saved::plus)
    }
}

impl Saved {
    /// The share of the savable that was saved; none where so little could be that chance would decide.
    #[must_use]
    pub fn share(self, at_least: f64) -> Option<f64> {
        (self.savable >= at_least).then(|| self.saved / self.savable)
    }

    fn plus(self, other: Self) -> Self {
        Self { savable: self.savable + other.savable, saved: self.saved + other.saved }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_told_since_detection_and_from_the_start() {
        let mut savings = Savings::new(2);
        let (early, late) = (Time::from_secs(10), Time::from_secs(20));
        let chances = |usual, chosen| Chances { usual, best: 0.9, chosen };
        savings.routed((0, 0.9), chances(0.1, 0.1), early);
        savings.detected(0, late);
        savings.routed((0, 0.9), chances(0.1, 0.5), late);
        savings.routed((1, 0.01), chances(0.1, 0.5), late);
        savings.routed((1, 0.9), chances(0.2, 0.9), late);
        let (start, detection) = (savings.since_start(), savings.since_detection());
        assert!((start.savable - 2.3).abs() < 1e-9 && (start.saved - 1.1).abs() < 1e-9, "{start:?}");
        assert!((detection.savable - 1.5).abs() < 1e-9 && (detection.saved - 1.1).abs() < 1e-9, "{detection:?}");
        assert_eq!(start.share(200.0), None);
    }
}
