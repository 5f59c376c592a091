//! What could be saved of the payments that faults harm, and what was: against fixed priority, by exact probabilities.
//!
//! A payment is harmed where its merchant's fixed priority would send its first attempt into a fault. A perfect reaction
//! sends it to the best account instead; what that adds, from the fault's start or from its detection on, is the savable
//! part. A payment counts by its end: what the switch repairs by its own next attempt, or a customer by trying again, no
//! reaction saves. So each choice counts by what it adds to the payment's prospect while the rest goes by fixed priority;
//! over the attempts that a payment takes these sum up to what routing added (the performance difference lemma, Kakade and
//! Langford 2002).

use std::collections::BTreeMap;

use crate::domain::{PaymentId, Time};

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

/// A payment's prospects to end well: under fixed priority from here on, with the best account every time, and with this
/// attempt where it was sent and all later ones under fixed priority.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Prospects {
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

/// The savings of a run.
#[derive(Debug, Clone, Default)]
pub struct Savings {
    /// By the number of the fault.
    harmed: Vec<Harmed>,
    /// Harmed payments, where customers try again: by which fault, and whether it was detected then.
    known: BTreeMap<PaymentId, (usize, bool)>,
}

impl Savings {
    pub(in crate::sim) fn new(faults: usize) -> Self {
        Self { harmed: vec![Harmed::default(); faults], known: BTreeMap::new() }
    }

    /// An incident that a fault explains was opened.
    pub(in crate::sim) fn detected(&mut self, fault: usize, at: Time) {
        if let Some(harmed) = self.harmed.get_mut(fault) {
            harmed.detected_at.get_or_insert(at);
        }
    }

    /// Whether a fault that fails such a share of payments harms them.
    pub(in crate::sim) fn harms(share: f64) -> bool {
        share >= HARM
    }

    /// Whether a payment was harmed when it was first sent.
    pub(in crate::sim) fn knows(&self, payment: &PaymentId) -> bool {
        self.known.contains_key(payment)
    }

    /// A harmed payment is sent for the first time: the fault on its usual account, and its prospects. `comes_back` says
    /// whether its customer may try again.
    pub(in crate::sim) fn routed(&mut self, (payment, comes_back): (&PaymentId, bool), fault: usize, of: Prospects, at: Time) {
        let Some(harmed) = self.harmed.get_mut(fault) else { return };
        let detected = harmed.detected_at.is_some_and(|detected| detected <= at);
        let sum = harmed.sum(detected);
        sum.savable += of.best - of.usual;
        sum.saved += of.chosen - of.usual;
        if comes_back {
            self.known.insert(payment.clone(), (fault, detected));
        }
    }

    /// The same payment is sent again: the savable was counted at once, and what this choice adds belongs to it.
    pub(in crate::sim) fn routed_again(&mut self, payment: &PaymentId, of: Prospects) {
        let Some((fault, detected)) = self.known.get(payment) else { return };
        if let Some(harmed) = self.harmed.get_mut(*fault) {
            harmed.sum(*detected).saved += of.chosen - of.usual;
        }
    }

    /// When a fault was detected.
    #[must_use]
    pub fn detected_at(&self, fault: usize) -> Option<Time> {
        self.harmed.get(fault)?.detected_at
    }

    /// Against a perfect reaction at the faults' start.
    #[must_use]
    pub fn since_start(&self) -> Saved {
        self.harmed.iter().map(|harmed| harmed.before.plus(harmed.after)).fold(Saved::default(), Saved::plus)
    }

    /// Against a perfect reaction at the faults' detection; at their start where nobody noticed.
    #[must_use]
    pub fn since_detection(&self) -> Saved {
        let counted = |harmed: &Harmed| match harmed.detected_at {
            Some(_) => harmed.after,
            None => harmed.before,
        };
        self.harmed.iter().map(counted).fold(Saved::default(), Saved::plus)
    }
}

impl Harmed {
    const fn sum(&mut self, detected: bool) -> &mut Saved {
        if detected { &mut self.after } else { &mut self.before }
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
        let prospects = |usual, chosen| Prospects { usual, best: 0.9, chosen };
        let [one, other] = ["pay_1", "pay_2"].map(|payment| PaymentId::parse(payment).unwrap());
        savings.routed((&one, true), 0, prospects(0.1, 0.1), early);
        savings.detected(0, late);
        savings.routed((&other, false), 0, prospects(0.1, 0.5), late);
        savings.routed((&other, false), 1, prospects(0.2, 0.9), late);
        let (start, detection) = (savings.since_start(), savings.since_detection());
        assert!((start.savable - 2.3).abs() < 1e-9 && (start.saved - 1.1).abs() < 1e-9, "{start:?}");
        assert!((detection.savable - 1.5).abs() < 1e-9 && (detection.saved - 1.1).abs() < 1e-9, "{detection:?}");
        assert_eq!(start.share(200.0), None);
        // The customer's second try counts where the payment's first attempt did.
        assert!(savings.knows(&one) && !savings.knows(&other));
        savings.routed_again(&one, prospects(0.1, 0.4));
        savings.routed_again(&other, prospects(0.1, 0.4));
        assert!((savings.since_start().saved - 1.4).abs() < 1e-9, "{:?}", savings.since_start());
        assert_eq!(savings.since_detection(), detection);
    }
}
