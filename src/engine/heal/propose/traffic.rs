//! What moves of pinned merchants come to: the traffic they touch, and what it would have on the targets.

use std::collections::BTreeMap;

use super::{Site, about, blast};
use crate::domain::numbers::as_f64;
use crate::domain::{ConnectorAccount, Context, Money, PriorityMove};
use crate::engine::detect::{rate_of, scaled};
use crate::engine::heal::verify::add;
use crate::engine::monitor::{Slice, Sums};
use crate::engine::snapshot::{BlastRadius, Prediction};

/// Seconds over which traffic is measured for a proposal: all the window holds.
pub(super) const MEASURED_S: u64 = 60;
/// What is usual counts as so many attempts: enough that three failures in a row do not decide, few enough that twenty do.
const USUAL_COUNTS: f64 = 10.0;
/// Standard deviations that leave one in twenty on each side.
const NINETY: f64 = 1.645;

/// Moves, weighed.
pub(super) struct Weighed {
    traffic: Traffic,
    targets: BTreeMap<String, usize>,
    pub(super) predicted: Prediction,
}

impl Weighed {
    /// Moves against the rate of a window that ends now.
    pub(super) fn of(moves: &[PriorityMove], window_s: u64, site: &Site<'_>) -> Self {
        let traffic = Traffic::of(moves, site, window_s);
        let predicted = predict(moves, &traffic, site);
        Self { traffic, targets: targets(moves), predicted }
    }

    /// How many merchants each target gets, in words.
    pub(super) fn targets(&self) -> String {
        self.targets.iter().map(|(name, count)| format!("{count} to {name}")).collect::<Vec<_>>().join(", ")
    }

    /// Whether the attempt rate is expected to rise, as far as anything is known.
    pub(super) fn helps(&self) -> bool {
        let Prediction { rate_now, rate_after, .. } = self.predicted;
        rate_now.zip(rate_after).is_none_or(|(now, after)| after > now)
    }

    /// What moves is a part of what an incident hits: it gains no more than all of that loses. Targets that do better than
    /// the failing connector ever did, and other tickets, would have it otherwise.
    pub(super) fn within(mut self, lost_per_min: &[Money]) -> Self {
        if !lost_per_min.is_empty() {
            for saved in &mut self.predicted.saved_per_min {
                let lost = lost_per_min.iter().find(|lost| lost.currency == saved.currency);
                saved.minor = saved.minor.min(lost.map_or(0, |lost| lost.minor));
            }
            self.predicted.saved_per_min.retain(|saved| saved.minor != 0);
        }
        self
    }

    /// Probability that the attempt rate rises.
    pub(super) fn confidence(&self) -> f64 {
        confidence(&self.predicted)
    }

    /// Probability that it does not fall by more than five points.
    pub(super) fn harmlessness(&self) -> f64 {
        1.0 - confidence_of_harm(&self.predicted)
    }

    /// What the confidence that the rate rises rests on.
    pub(super) fn basis(&self, site: &Site<'_>) -> String {
        format!(
            "probability that the attempt rate rises: {} attempts judged there and {} on the targets in {MEASURED_S} s, what is usual counted as ten more",
            self.traffic.sums.judged(),
            self.judged(site),
        )
    }

    /// Attempts judged on the targets in the last minute.
    pub(super) fn judged(&self, site: &Site<'_>) -> u64 {
        target_sums(&self.targets, site).judged()
    }

    pub(super) fn against(&self, site: &Site<'_>) -> Vec<String> {
        against(&self.targets, &self.predicted, &self.traffic, site)
    }
}

/// `1 pinned merchant`, `3 pinned merchants`.
pub(super) fn counted(what: &str, count: usize) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// How many merchants each target connector gets.
fn targets(moves: &[PriorityMove]) -> BTreeMap<String, usize> {
    let mut targets = BTreeMap::new();
    for first in moves.iter().filter_map(|m| m.after.first()) {
        *targets.entry(first.connector().to_owned()).or_default() += 1;
    }
    targets
}

/// Whom moves touch.
pub(super) fn touched(moves: &[PriorityMove], site: &Site<'_>) -> BlastRadius {
    blast::of_merchants(moves.iter().map(|m| m.profile.clone()).collect(), 1.0, site)
}

/// The touched traffic of the last minute.
struct Traffic {
    sums: Sums,
    /// Attempt rate over the window the incident was judged by: how it is now, not before the trouble.
    rate_now: Option<f64>,
    /// Mean tickets, each with the judged attempts a minute over the incident's window: what an incident's cost counts.
    judged: Vec<(f64, Money)>,
}

impl Traffic {
    fn of(moves: &[PriorityMove], site: &Site<'_>, window_s: u64) -> Self {
        let mut all = Self { sums: Sums::default(), rate_now: None, judged: Vec::new() };
        let mut recent = Sums::default();
        for watched in merchants(moves, site) {
            let now = watched.window.sums(site.view.at, window_s);
            recent.approved += now.approved;
            recent.failed += now.failed;
            let a_minute = as_f64(now.judged()) * 60.0 / as_f64(window_s.max(1));
            all.judged.extend(watched.tickets().map(|(share, ticket)| (share * a_minute, ticket)));
            let sums = watched.window.sums(site.view.at, MEASURED_S);
            all.sums.approved += sums.approved;
            all.sums.failed += sums.failed;
            all.sums.excused += sums.excused;
        }
        all.rate_now = rate_of(&recent);
        all
    }
}

fn merchants<'s>(moves: &[PriorityMove], site: &'s Site<'_>) -> impl Iterator<Item = &'s crate::engine::monitor::Watched> {
    let slices: Vec<Slice> = moves.iter().filter_map(|m| site.view.profiles.get(&m.profile)).map(Slice::Merchant).collect();
    slices.into_iter().filter_map(|slice| site.monitor.get(slice))
}

fn connector_sums(name: &str, site: &Site<'_>) -> Sums {
    let watched = site.view.connectors.get(name).and_then(|number| site.monitor.get(Slice::Connector(number)));
    watched.map_or_else(Sums::default, |watched| watched.window.sums(site.view.at, MEASURED_S))
}

/// What the target connectors did in the last minute, together.
fn target_sums(targets: &BTreeMap<String, usize>, site: &Site<'_>) -> Sums {
    targets.keys().fold(Sums::default(), |mut all, name| {
        let sums = connector_sums(name, site);
        all.approved += sums.approved;
        all.failed += sums.failed;
        all.excused += sums.excused;
        all
    })
}

/// What the touched merchants would have on the targets, with its 5th and 95th percentile, and what that is worth.
fn predict(moves: &[PriorityMove], traffic: &Traffic, site: &Site<'_>) -> Prediction {
    let [low, after, high] = expected(moves, site);
    let now = traffic.rate_now;
    let gain = now.map_or(0.0, |now| after - now);
    let (mut saved_per_min, mut fees_per_min) = (Vec::new(), Vec::new());
    for (count, ticket) in &traffic.judged {
        add(&mut saved_per_min, scaled(*ticket, count * gain));
    }
    for m in moves {
        for (count, fee) in fees(m, after, now.unwrap_or(after), site) {
            add(&mut fees_per_min, scaled(fee, count));
        }
    }
    let named: Vec<String> = targets(moves).keys().map(|name| describe(name, site)).collect();
    Prediction {
        rate_now: now,
        rate_after: Some(after),
        rate_after_range: Some((low, high)),
        saved_per_min,
        fees_per_min,
        target: named.join("; "),
    }
}

/// The attempt rate on the targets: 5th percentile, mean, 95th percentile. A Beta posterior: what is usual over all
/// traffic counts as a few attempts beside those seen in the last minute; its quantiles by the normal approximation.
fn expected(moves: &[PriorityMove], site: &Site<'_>) -> [f64; 3] {
    let seen = target_sums(&targets(moves), site);
    let usual = site.monitor.get(Slice::All).and_then(|all| all.baseline.rate()).unwrap_or(0.5);
    let n = as_f64(seen.judged()) + USUAL_COUNTS;
    let mean = (as_f64(seen.approved) + USUAL_COUNTS * usual) / n;
    let deviation = (mean * (1.0 - mean) / (n + 1.0)).sqrt();
    [(mean - NINETY * deviation).max(0.0), mean, (mean + NINETY * deviation).min(1.0)]
}

/// A target and how it does.
fn describe(name: &str, site: &Site<'_>) -> String {
    let sums = connector_sums(name, site);
    match rate_of(&sums) {
        Some(rate) => format!("{name}: {:.0} % of {} judged attempts approved in {MEASURED_S} s", rate * 100.0, sums.judged()),
        None => format!("{name}: no attempts in {MEASURED_S} s"),
    }
}

/// Fees a minute more per currency of one merchant: approved on the target times its fee, less the same on the source.
fn fees(m: &PriorityMove, after: f64, now: f64, site: &Site<'_>) -> Vec<(f64, Money)> {
    let (Some(from), Some(to)) = (m.before.first(), m.after.first()) else { return Vec::new() };
    let fee = |account: &ConnectorAccount, ticket: Money| {
        let connector = site.view.settings.connectors.get(account.connector());
        connector.map_or(0.0, |connector| connector.fee(&Context::default(), ticket))
    };
    let mut fees = Vec::new();
    for watched in merchants(core::slice::from_ref(m), site) {
        let started = as_f64(watched.window.sums(site.view.at, MEASURED_S).started);
        for (share, ticket) in watched.tickets() {
            let more = after * fee(to, ticket) - now * fee(from, ticket);
            fees.push((share * started * more / 1_000.0, Money::new(1_000, ticket.currency)));
        }
    }
    fees
}

/// Probability that the rate rises: the normal approximation of the prediction against the rate now.
fn confidence(predicted: &Prediction) -> f64 {
    let (Some(now), Some(after), Some((low, high))) = (predicted.rate_now, predicted.rate_after, predicted.rate_after_range)
    else {
        return 0.5;
    };
    let deviation = ((high - low) / (2.0 * NINETY)).max(1e-3);
    0.5 * libm::erfc(-(after - now) / deviation / core::f64::consts::SQRT_2)
}

/// Probability that the rate falls by more than five points.
fn confidence_of_harm(predicted: &Prediction) -> f64 {
    let shifted = Prediction { rate_now: predicted.rate_now.map(|now| now - 0.05), ..predicted.clone() };
    1.0 - confidence(&shifted)
}

/// What argues against it, the strongest first.
fn against(targets: &BTreeMap<String, usize>, predicted: &Prediction, traffic: &Traffic, site: &Site<'_>) -> Vec<String> {
    let mut against = Vec::new();
    let load = targets.keys().map(|name| connector_sums(name, site).answered()).sum::<u64>();
    let more = traffic.sums.started;
    let names = targets.keys().cloned().collect::<Vec<_>>().join(" and ");
    if more * 4 >= load {
        against.push(format!(
            "{names} would carry {more} payments a minute on top of {load} now; whether there is room is not known"
        ));
    }
    if let (Some(after), Some((low, _))) = (predicted.rate_after, predicted.rate_after_range)
        && low < after - 0.05
    {
        against.push(format!("the target's rate is not well known: it could be as low as {:.0} %", low * 100.0));
    }
    let fees: Vec<Money> = predicted.fees_per_min.iter().copied().filter(|m| m.major() >= 1.0).collect();
    if !fees.is_empty() {
        against.push(format!("fees rise by about {} a minute", about(&fees)));
    }
    against.push("the merchants chose their order themselves; contracts or volumes may depend on it".to_owned());
    against
}
