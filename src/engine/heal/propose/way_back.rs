//! The way back: merchants that were moved off a connector, to their own order once it has recovered.
//!
//! Never while an incident or an open breaker covers a target, and never on trust: each target has shown that it works.

use core::time::Duration;
use std::collections::BTreeMap;

use super::traffic::{MEASURED_S, Weighed, counted, touched};
use super::{Draft, Site};
use crate::domain::{Change, ConnectorAccount, PriorityMove};
use crate::engine::detect::{Incidents, measure_rate, rate_of};
use crate::engine::heal::{Healer, Subject};
use crate::engine::monitor::Slice;
use crate::engine::snapshot::{ActionStatus, AnomalyType, Evidence};

/// So long after the incident, merchants whose accounts have proven themselves no longer wait for those whose have not:
/// some see a payment an hour.
const TOGETHER_FOR: Duration = Duration::from_mins(2);

/// One proposal for each slice that merchants were moved off, where they could go back.
pub(super) fn drafts(healer: &Healer, incidents: &Incidents, site: &Site<'_>) -> Vec<Draft> {
    away(healer, site).into_iter().filter_map(|(slice, moves)| draft(slice, moves, incidents, site)).collect()
}

/// Accounts that merchants could go back to: probed once nothing is known to be wrong with their connector any more.
pub(super) fn probed(healer: &Healer, incidents: &Incidents, site: &Site<'_>) -> Vec<Slice> {
    let moves = away(healer, site).into_values().flatten();
    let accounts = moves.filter_map(|m| site.view.account(m.after.first()?));
    accounts
        .map(|(number, state)| Slice::Account(state.connector, number))
        .filter(|slice| !incidents.hits(*slice, AnomalyType::HighFailureRate))
        .collect()
}

/// Why traffic is not to go back now, if so: an incident or an open breaker covers a target.
pub(in crate::engine::heal) fn hindrance(change: &Change, incidents: &Incidents, site: &Site<'_>) -> Option<String> {
    let Change::ReorderPriority { moves } = change else { return None };
    moves.iter().filter_map(|m| m.after.first()).find_map(|account| hindered(account, incidents, site))
}

fn hindered(account: &ConnectorAccount, incidents: &Incidents, site: &Site<'_>) -> Option<String> {
    let (number, state) = site.view.account(account)?;
    if incidents.hits(Slice::Account(state.connector, number), AnomalyType::HighFailureRate) {
        return Some(format!("an incident is open on {}", account.connector()));
    }
    if state.excluded.is_some() {
        return Some(format!("{account} is excluded"));
    }
    state.breaker.open.is_some().then(|| format!("the breaker of {account} is open"))
}

/// The moves that would take back what still stands of repairs, by what they were moved off.
fn away(healer: &Healer, site: &Site<'_>) -> BTreeMap<Slice, Vec<PriorityMove>> {
    let mut away = BTreeMap::<Slice, Vec<PriorityMove>>::new();
    // A failed one whose change stands too: it could not be verified, or did not help.
    let over =
        healer.iter().filter(|a| matches!(a.row.status, ActionStatus::Succeeded | ActionStatus::Failed) && a.row.undoable);
    for action in over {
        if let (Subject::Repair(slice), Some(Change::ReorderPriority { moves })) =
            (&action.subject, action.standing.as_ref().map(Change::inverse))
        {
            let fitting = moves.into_iter().filter(|m| site.view.priority(&m.profile) == Some(m.before.as_slice()));
            away.entry(*slice).or_default().extend(fitting);
        }
    }
    away
}

fn draft(slice: Slice, mut moves: Vec<PriorityMove>, incidents: &Incidents, site: &Site<'_>) -> Option<Draft> {
    let all = moves.len();
    moves.retain(|m| m.after.first().is_some_and(|account| is_proven(account, incidents, site)));
    let together = incidents.over_since(slice).is_some_and(|over| site.view.at.since(over) < TOGETHER_FOR);
    if moves.is_empty() || (moves.len() < all && together) {
        return None;
    }
    let weighed = Weighed::of(&moves, MEASURED_S, site);
    let judged = weighed.judged(site);
    let mut against = weighed.against(site);
    if moves.len() < all {
        against.push(format!("{} of {all} stay behind: their accounts have not proven themselves", all - moves.len()));
    }
    Some(Draft {
        sentence: format!("Put {} back to their own order ({})", counted("pinned merchant", moves.len()), weighed.targets()),
        subject: Subject::Return(slice),
        incident: None,
        evidence: moves.first().and_then(|m| evidence(m.after.first()?, site)),
        confidence: weighed.harmlessness(),
        confidence_basis: format!("probability that the attempt rate does not fall, from {judged} attempts on the targets"),
        against,
        alternatives: vec!["Do nothing: the merchants stay on the order that was approved during the incident".to_owned()],
        blast: touched(&moves, site),
        predicted: weighed.predicted,
        undo: "u moves them off again, at once".to_owned(),
        noticed_at: incidents.over_since(slice).unwrap_or(site.view.at),
        change: Change::ReorderPriority { moves },
    })
}

/// Whether an account works again: nothing speaks against it (a breaker that opened has seen its probes succeed), and its
/// connector succeeds as often as it did.
fn is_proven(account: &ConnectorAccount, incidents: &Incidents, site: &Site<'_>) -> bool {
    let Some((_, state)) = site.view.account(account) else { return false };
    let Some(watched) = site.monitor.get(Slice::Connector(state.connector)) else { return false };
    let sums = watched.window.sums(site.view.at, MEASURED_S);
    let usual = watched.baseline.rate().unwrap_or(0.5) - site.view.settings.detection.min_drop;
    hindered(account, incidents, site).is_none()
        && sums.approved >= site.view.settings.routing.probe_successes
        && rate_of(&sums).is_some_and(|rate| rate >= usual)
}

/// How the connector of an account does now.
fn evidence(account: &ConnectorAccount, site: &Site<'_>) -> Option<Evidence> {
    let (_, state) = site.view.account(account)?;
    let watched = site.monitor.get(Slice::Connector(state.connector))?;
    measure_rate(watched, site.view.at, MEASURED_S, watched.baseline.rate()?)
}
