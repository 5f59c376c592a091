//! Whether a trial did what its scenario expects.

use std::time::Duration;

use super::Trial;
use super::report::{Held, Report, Verdict};
use crate::domain::Change;
use crate::domain::change::ArmState;
use crate::sim::driver::Driver;
use crate::sim::scenario::{Expected, Need};

impl Trial {
    pub(super) fn judge(&self, report: &Report, driver: &Driver) -> Vec<Held> {
        let count = self.scenario.faults.len();
        let expectations = self.scenario.expectations.iter().map(toml::Spanned::get_ref);
        let judged = expectations.filter_map(|expectation| {
            // A scenario that was read holds no other.
            let expected = expectation.expected(count).ok()?;
            Some(self.hold(&expected, expectation.needs, report, driver))
        });
        judged.collect()
    }

    /// What is expected of an engine, where none ran.
    pub(super) fn not_judged(&self, routed_by: &str) -> Vec<Held> {
        let count = self.scenario.faults.len();
        let expectations = self.scenario.expectations.iter().map(toml::Spanned::get_ref);
        let told = expectations.filter_map(|expectation| {
            let expected = expectation.expected(count).ok()?;
            let seen = format!("not judged under {routed_by}");
            Some(Held { expectation: in_words(&expected, expectation.needs), verdict: Verdict::NotJudged, seen })
        });
        told.collect()
    }

    fn hold(&self, expected: &Expected, needs: Option<Need>, report: &Report, driver: &Driver) -> Held {
        let (met, seen) = match expected {
            Expected::Detected { fault, within, slice } => Self::hold_detected(*fault, *within, slice.as_deref(), report),
            Expected::Proposed { fault, change } => self.hold_proposed(*fault, change, driver),
            Expected::ArmStopped(arm) => Self::hold_arm_stopped(arm, driver),
            Expected::SavedShare(least) => {
                let seen = report.saved_share.map_or("too little to save".to_owned(), |share| format!("{share:.3}"));
                (report.saved_share.is_some_and(|share| share >= *least), seen)
            }
            Expected::SuccessRate(least) => {
                let rate = report.success_rate.unwrap_or(0.0);
                (rate >= *least, format!("{rate:.4}"))
            }
            Expected::FalseIncidents(most) => {
                let unexplained = report.incidents.iter().filter(|incident| !incident.expected);
                let slices: Vec<String> =
                    unexplained.map(|incident| format!("{} on {}", incident.kind, incident.slice)).collect();
                let seen = if slices.is_empty() { "none".to_owned() } else { slices.join(", ") };
                (slices.len() <= *most, seen)
            }
        };
        let verdict = match (needs, met) {
            (Some(_), _) => Verdict::NotYet,
            (None, true) => Verdict::Met,
            (None, false) if !self.comes_to(expected) => Verdict::NotYet,
            (None, false) => Verdict::Failed,
        };
        Held { expectation: in_words(expected, needs), verdict, seen }
    }

    /// Whether the run lasts until the expectation must have come true.
    fn comes_to(&self, expected: &Expected) -> bool {
        let fault = |fault: usize| self.scenario.faults.get(fault).map(toml::Spanned::get_ref);
        match expected {
            Expected::Detected { fault: number, within, .. } => fault(*number).is_none_or(|f| f.at + *within <= self.span),
            Expected::Proposed { fault: number, .. } => fault(*number).is_none_or(|f| f.at + f.lasts <= self.span),
            Expected::ArmStopped(_) | Expected::SavedShare(_) | Expected::SuccessRate(_) => self.span >= self.scenario.duration,
            Expected::FalseIncidents(_) => true,
        }
    }

    fn hold_detected(fault: usize, within: Duration, slice: Option<&str>, report: &Report) -> (bool, String) {
        let of_it = report.incidents.iter().filter(|incident| incident.fault == Some(fault + 1));
        let fitting = of_it.filter(|incident| slice.is_none_or(|slice| incident.slice == slice));
        let first = fitting.filter_map(|incident| incident.detected_after_s).min_by(f64::total_cmp);
        let met = first.is_some_and(|after| after <= within.as_secs_f64());
        (met, first.map_or("never".to_owned(), |after| format!("after {after:.1} s")))
    }

    fn hold_arm_stopped(arm: &str, driver: &Driver) -> (bool, String) {
        let mut stopped: Vec<&str> = driver
            .ledger()
            .actions
            .values()
            .filter_map(|row| match &row.change {
                Change::SetArm { arm, to: ArmState::Stopped, .. } => Some(arm.as_str()),
                _ => None,
            })
            .collect();
        stopped.sort_unstable();
        stopped.dedup();
        let seen = if stopped.is_empty() { "none".to_owned() } else { stopped.join(", ") };
        (stopped == [arm], seen)
    }

    fn hold_proposed(&self, fault: usize, change: &str, driver: &Driver) -> (bool, String) {
        let (from, until) = self.scenario.faults.get(fault).map_or((self.end(), self.end()), |fault| {
            let from = self.scenario.start + fault.get_ref().at;
            (from, from + fault.get_ref().lasts)
        });
        let during = driver.ledger().actions.values().filter(|row| from <= row.proposed_at && row.proposed_at <= until);
        let proposed: Vec<&str> = during.map(|row| row.change.name()).collect();
        let seen = if proposed.is_empty() { "nothing".to_owned() } else { proposed.join(", ") };
        (proposed.contains(&change), seen)
    }
}

/// An expectation as people read it.
fn in_words(expected: &Expected, needs: Option<Need>) -> String {
    let expectation = match expected {
        Expected::Detected { fault, within, slice } => {
            let on = slice.as_ref().map(|slice| format!(" on {slice}")).unwrap_or_default();
            format!("fault {} is detected within {} s{on}", fault + 1, within.as_secs())
        }
        Expected::Proposed { fault, change } => format!("{change} is proposed during fault {}", fault + 1),
        Expected::ArmStopped(arm) => format!("arm {arm} is proposed to be stopped, and no other"),
        Expected::SavedShare(least) => format!("a saved share of at least {least}"),
        Expected::SuccessRate(least) => format!("a success rate of at least {least}"),
        Expected::FalseIncidents(most) => format!("at most {most} false incidents"),
    };
    let waits = needs.map(|need| if need == Need::Eyes { " (needs eyes)" } else { " (needs hands)" });
    expectation + waits.unwrap_or_default()
}
