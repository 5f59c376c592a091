//! The stretch of time a replay plays, and how a person moves in it.

use std::sync::Arc;

use crate::domain::{Decision, Time};

/// Where a replay stands, and what is known of its stretch. What moves it comes back as a newer one.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// The first time that can be shown.
    pub from: Time,
    /// The last one.
    pub to: Time,
    /// The time shown.
    pub at: Time,
    /// What is marked, in order of time.
    pub marks: Vec<Mark>,
    /// How far a jump is, 0 to 100, while one goes on.
    pub folding: Option<u8>,
    /// How far the marks and checkpoints of the stretch are known, 0 to 100.
    pub indexed: u8,
    /// The decision that a jump came to, while it stands there.
    pub decided: Option<Arc<Decision>>,
}

/// Something one may want to go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Time,
    /// What.
    pub what: Marked,
}

/// Kinds of mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// An anomaly was noticed.
    Incident,
    /// An action was proposed.
    Action,
}

/// A move in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// To a time.
    To(Time),
    /// So many seconds back (negative) or on.
    By(i64),
    /// To the next mark of a kind.
    Next(Marked),
    /// To the mark of a kind before.
    Previous(Marked),
    /// To just after the next routing decision.
    NextDecision,
    /// To the beginning.
    Begin,
    /// To the end.
    End,
}

impl Timeline {
    /// How far a time is between the ends, 0 to 1.
    #[must_use]
    pub fn part(&self, at: Time) -> f64 {
        let whole = self.to.since(self.from).as_secs_f64();
        if whole > 0.0 { (at.since(self.from).as_secs_f64() / whole).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// The mark of a kind after the time shown, or before it.
    #[must_use]
    pub fn mark(&self, what: Marked, after: bool) -> Option<Time> {
        let mut times = self
            .marks
            .iter()
            .filter(|mark| mark.what == what && mark.at <= self.to && mark.at >= self.from)
            .map(|mark| mark.at);
        if after { times.find(|at| *at > self.at) } else { times.take_while(|at| *at < self.at).last() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_on_either_side() {
        let at = Time::from_secs;
        let mark = |second, what| Mark { at: at(second), what };
        let marks =
            vec![mark(5, Marked::Incident), mark(12, Marked::Action), mark(20, Marked::Incident), mark(99, Marked::Incident)];
        let timeline = Timeline { from: at(0), to: at(40), at: at(20), marks, folding: None, indexed: 100, decided: None };
        assert_eq!(timeline.mark(Marked::Incident, false), Some(at(5)));
        assert_eq!(timeline.mark(Marked::Incident, true), None, "beyond the end");
        assert_eq!(timeline.mark(Marked::Action, false), Some(at(12)));
        assert!((timeline.part(at(10)) - 0.25).abs() < 1e-9 && timeline.part(at(-1)) <= 0.0);
    }
}
