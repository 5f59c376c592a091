//! Shadow reports: what the engine would have made of merchants that it does not route yet.
//!
//! Of every attempt that got the static order its decision knows where the engine would have sent it. Where that is
//! elsewhere, what was expected there stands against what became of the attempt, corrected by what became of those that did
//! go there ([`Tally`]): merchants that the engine routes tell of connectors that those in shadow do not use.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::route::RoutingView;
use super::snapshot::ShadowReport;
use super::tally::{Attempted, Tally};
use crate::domain::numbers::as_f64;
use crate::domain::settings::Rates;
use crate::domain::{Decision, Note, Time};

/// Merchants with a report of their own, the first that got one; of those whose shadow is over the one that ended longest ago
/// makes room. The sum of all counts every one. Each outcome corrects all of them, which must stay far below a microsecond.
const MERCHANTS: usize = 32;
/// A report goes on learning for so long after its shadow has ended: longer than any time-out of a connector.
const LATE: Duration = Duration::from_mins(2);

/// What is known of one merchant, or of all in shadow.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Report {
    since: Time,
    until: Option<Time>,
    /// Attempts with an outcome.
    attempts: u64,
    tally: Tally,
}

/// The reports.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Reports {
    all: Option<Report>,
    merchants: BTreeMap<u32, Report>,
}

impl Reports {
    /// Whether any attempt is to be told of.
    pub(crate) fn is_watching(&self, at: Time) -> bool {
        self.all.as_ref().is_some_and(|report| report.learns(at))
    }

    /// The mode of merchants may have changed: reports whose shadow is over end, and one that began again begins afresh.
    pub(crate) fn turn(&mut self, view: &RoutingView) {
        let (adoption, at) = (view.adoption(), view.at());
        for (merchant, report) in &mut self.merchants {
            report.turn(adoption.of(Some(*merchant)).0, at);
        }
        let any = adoption.shadow || adoption.merchants.values().any(|own| own.shadow == Some(true));
        match &mut self.all {
            Some(report) => report.turn(any, at),
            None if any => self.all = Some(Report { since: at, ..Report::default() }),
            None => {}
        }
    }

    /// An attempt ended.
    pub(crate) fn saw(&mut self, attempted: &Attempted<'_>, merchant: u32, view: &RoutingView) {
        let at = view.at();
        if !self.is_watching(at) {
            return;
        }
        let engine = engine(attempted.decision);
        if engine.is_some() && self.is_reported(merchant, view) {
            let report = self.merchants.entry(merchant).or_insert_with(|| Report { since: at, ..Report::default() });
            report.count(attempted, engine);
        }
        let Some(all) = &mut self.all else { return };
        all.count(attempted, engine);
        for report in self.merchants.values_mut().chain([all]).filter(|report| report.learns(at)) {
            report.tally.learn(attempted);
        }
    }

    /// Whether a merchant has a report of its own, or room for one while it is in shadow.
    fn is_reported(&mut self, merchant: u32, view: &RoutingView) -> bool {
        if self.merchants.contains_key(&merchant) {
            return true;
        }
        if !view.adoption().of(Some(merchant)).0 {
            return false;
        }
        if self.merchants.len() >= MERCHANTS {
            let over = self.merchants.iter().filter(|(_, report)| !report.learns(view.at()));
            let Some(oldest) = over.min_by_key(|(_, report)| report.until).map(|(merchant, _)| *merchant) else { return false };
            self.merchants.remove(&oldest);
        }
        true
    }

    /// The reports for people: of all, then by merchant.
    pub(crate) fn view(&self, view: &RoutingView, rates: &Rates) -> Vec<ShadowReport> {
        let all = self.all.iter().filter(|report| report.attempts > 0).map(|report| report.view(None, rates));
        let own = self.merchants.iter().filter_map(|(merchant, report)| {
            let profile = view.profiles.name(*merchant)?;
            Some(report.view(Some(profile.clone()), rates))
        });
        all.chain(own).collect()
    }
}

/// The candidate that the engine would have chosen, by its index; none: the merchant was not in shadow.
fn engine(decision: &Decision) -> Option<usize> {
    decision.notes.iter().find_map(|note| if let Note::Shadow { engine } = note { Some(usize::from(*engine)) } else { None })
}

impl Report {
    fn learns(&self, at: Time) -> bool {
        self.until.is_none_or(|until| at.since(until) < LATE)
    }

    fn turn(&mut self, on: bool, at: Time) {
        match (on, self.until) {
            (true, Some(_)) => *self = Self { since: at, ..Self::default() },
            (false, None) => self.until = Some(at),
            _ => {}
        }
    }

    fn count(&mut self, attempted: &Attempted<'_>, engine: Option<usize>) {
        let Some(engine) = engine else { return };
        self.attempts += 1;
        let decision = attempted.decision;
        if let Some(other) = decision.candidates.get(engine).filter(|_| engine != usize::from(decision.chosen)) {
            self.tally.turn(attempted, other);
        }
    }

    fn view(&self, merchant: Option<crate::domain::ProfileId>, rates: &Rates) -> ShadowReport {
        let estimate = self.tally.estimate(rates);
        let attempts = as_f64(self.attempts.max(1));
        let (low, high) = estimate.payments_range;
        ShadowReport {
            merchant,
            since: self.since,
            until: self.until,
            attempts: self.attempts,
            points: 100.0 * estimate.payments / attempts,
            points_range: (100.0 * low / attempts, 100.0 * high / attempts),
            estimate,
        }
    }
}
