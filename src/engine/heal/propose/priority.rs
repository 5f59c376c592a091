//! Pinned merchants: away from a failing connector.

use super::traffic::{MEASURED_S, Weighed, counted, touched};
use super::{Draft, Resting, Site, about, name};
use crate::domain::{Change, ConnectorAccount, PriorityMove, ProfileId};
use crate::engine::detect::{Incident, Incidents};
use crate::engine::heal::Subject;
use crate::engine::monitor::Slice;
use crate::engine::snapshot::{ActionRow, AnomalyType};

/// Moves pinned merchants off what an incident is about, where a healthy alternative is on their lists.
pub(super) fn repair(incident: &Incident, incidents: &Incidents, site: &Site<'_>, resting: Resting<'_>) -> Option<Draft> {
    if incident.row.kind != AnomalyType::HighFailureRate {
        return None;
    }
    let failing = |account: &ConnectorAccount| hit(incident.slice, account, site);
    let mends = Subject::Repair(incident.slice);
    let moves: Vec<PriorityMove> = site
        .view
        .profiles
        .iter()
        .filter(|(_, profile)| !resting(&mends, profile))
        .filter_map(|(number, profile)| move_off(number, profile, &failing, incidents, site))
        .collect();
    if moves.is_empty() {
        return None;
    }
    // The window that the incident's cost is taken over, so that the part and the whole speak of the same seconds.
    let weighed = Weighed::of(&moves, incident.now.window_s, site).within(&incident.row.at_risk);
    if !weighed.helps() {
        return None;
    }
    let subject = incident.row.slice.trim_start_matches("connector ").to_owned();
    Some(Draft {
        sentence: format!(
            "Move {} from {subject} to the next on their lists ({})",
            counted("pinned merchant", moves.len()),
            weighed.targets()
        ),
        subject: mends,
        incident: Some(incident.row.id),
        evidence: Some(incident.now.clone()),
        confidence: weighed.confidence(),
        confidence_basis: weighed.basis(site),
        against: weighed.against(site),
        alternatives: alternatives(incident, &moves, site),
        blast: touched(&moves, site),
        predicted: weighed.predicted,
        undo: "u puts the lists back as they were, at once; APOS proposes the way back when the connector has recovered"
            .to_owned(),
        noticed_at: incident.row.detected_at,
        change: Change::ReorderPriority { moves },
    })
}

/// The change an operator chose instead, in words and figures.
pub(in crate::engine::heal) fn chosen(row: &ActionRow, moves: Vec<PriorityMove>, who: &str, site: &Site<'_>) -> Draft {
    // As long as the incident is judged over: a minute back, most of it may be from before the fault.
    let window_s = row.evidence.as_ref().map_or(MEASURED_S, |evidence| evidence.window_s);
    let weighed = Weighed::of(&moves, window_s, site);
    Draft {
        sentence: format!("Reorder {} as {who} chose ({})", counted("pinned merchant", moves.len()), weighed.targets()),
        subject: Subject::Repair(Slice::All),
        incident: row.incident,
        evidence: row.evidence.clone(),
        confidence: weighed.confidence(),
        confidence_basis: weighed.basis(site),
        against: weighed.against(site),
        alternatives: vec![format!("What was proposed: {}", row.sentence)],
        blast: touched(&moves, site),
        predicted: weighed.predicted,
        undo: "u puts the lists back as they were, at once".to_owned(),
        noticed_at: row.proposed_at,
        change: Change::ReorderPriority { moves },
    }
}

/// The move of one merchant whose first usable choice is hit; none if it is not, or nothing healthy is left.
fn move_off(
    number: u32,
    profile: &ProfileId,
    failing: &dyn Fn(&ConnectorAccount) -> bool,
    incidents: &Incidents,
    site: &Site<'_>,
) -> Option<PriorityMove> {
    let before = site.view.merchants.get(number as usize)?.priority.clone();
    let usable = |account: &&ConnectorAccount| in_use(account, site);
    if !failing(before.iter().find(usable)?) {
        return None;
    }
    let (off, mut after): (Vec<_>, Vec<_>) = before.iter().cloned().partition(failing);
    let target = after.iter().find(usable)?;
    let state = site.view.account(target).map(|(_, state)| state);
    if state.is_some_and(|state| state.breaker.open.is_some()) {
        return None;
    }
    let connector = state.map(|state| Slice::Connector(state.connector));
    if connector.is_some_and(|slice| incidents.covers(slice, AnomalyType::HighFailureRate)) {
        return None;
    }
    after.extend(off);
    Some(PriorityMove { profile: profile.clone(), before, after })
}

/// Whether payments of a list may go to an account now: neither excluded nor in planned maintenance. What it cannot do at all
/// goes to the next of the list by itself.
fn in_use(account: &ConnectorAccount, site: &Site<'_>) -> bool {
    let maintained = site.view.settings.connectors.get(account.connector());
    maintained.is_none_or(|connector| connector.maintained_until(account, site.view.at).is_none())
        && site.view.account(account).is_none_or(|(_, state)| state.excluded.is_none())
}

/// Whether an incident's slice hits an account. One BIN is too little to reorder a whole merchant for.
fn hit(slice: Slice, account: &ConnectorAccount, site: &Site<'_>) -> bool {
    let Some((_, state)) = site.view.account(account) else { return false };
    match slice {
        Slice::Connector(connector) => state.connector == connector,
        Slice::All | Slice::Account(..) | Slice::Bin(..) | Slice::Merchant(_) => false,
    }
}

fn alternatives(incident: &Incident, moves: &[PriorityMove], site: &Site<'_>) -> Vec<String> {
    let risk = if incident.row.at_risk.is_empty() { "payments".to_owned() } else { about(&incident.row.at_risk) };
    let biggest = moves.iter().max_by_key(|m| {
        let slice = site.view.profiles.get(&m.profile).map(Slice::Merchant);
        slice.and_then(|slice| site.monitor.get(slice)).map_or(0, |w| w.window.sums(site.view.at, MEASURED_S).failed)
    });
    let mut alternatives =
        vec![format!("Do nothing: all that the incident hits goes on losing about {risk} a minute until it recovers")];
    if let Some(m) = biggest.filter(|_| moves.len() > 1) {
        alternatives.push(format!("Move only {}, which loses most", name(site.view, &m.profile)));
    }
    alternatives.push("Unpin the merchants: the bandit already avoids the connector for all that are free".to_owned());
    alternatives
}
