//! Proposals: what could repair an open incident, with everything an approval must show.

mod account;
mod priority;
mod scaling;

use core::time::Duration;

use crate::domain::{ActionId, Autonomy, Change, ConnectorAccount, IncidentId, Money, Time};
use crate::engine::detect::{Incident, Incidents};
use crate::engine::monitor::Monitor;
use crate::engine::route::RoutingView;
use crate::engine::scale::Scaler;
use crate::engine::snapshot::{ActionRow, ActionStatus, BlastRadius, Evidence, Prediction};

/// What proposals are made from.
pub(crate) struct Site<'s> {
    pub(crate) view: &'s RoutingView,
    pub(crate) monitor: &'s Monitor,
    pub(crate) scaler: &'s Scaler,
}

/// A proposal before it has an id: all that its evidence gives.
pub(crate) struct Draft {
    pub(crate) change: Change,
    pub(crate) sentence: String,
    pub(crate) incident: Option<IncidentId>,
    pub(crate) evidence: Option<Evidence>,
    pub(crate) confidence: f64,
    pub(crate) confidence_basis: String,
    pub(crate) against: Vec<String>,
    pub(crate) alternatives: Vec<String>,
    pub(crate) blast: BlastRadius,
    pub(crate) predicted: Prediction,
    pub(crate) undo: String,
    pub(crate) noticed_at: Time,
}

impl super::Healer {
    /// Proposes what is missing: repairs of open incidents, the way back after them, and scale.
    pub(crate) fn propose_all(&mut self, site: &Site<'_>, incidents: &mut Incidents, asking: &mut super::Asking<'_>) -> u64 {
        if !site.view.settings.healing.enabled {
            return 0;
        }
        let repairs: Vec<Draft> = incidents.open_ones().filter_map(|incident| repair(incident, incidents, site)).collect();
        let back = priority::way_back(self, incidents, site);
        let restores = account::restores(site);
        let mut proposed = 0;
        for draft in repairs.into_iter().chain(back).chain(restores).chain(scaling::draft(self, site)) {
            let incident = draft.incident;
            if let Some(open) = incident.and_then(|incident| self.answering(incident)) {
                self.refresh(open, draft, site, asking);
                continue;
            }
            let Some(action) = self.propose(draft, site, asking) else { continue };
            proposed += 1;
            if let Some(incident) = incident {
                incidents.link(incident, action);
            }
        }
        proposed
    }
}

impl super::Healer {
    /// Brings the evidence of a proposal that still waits up to date. Its version is raised only when the change itself
    /// is another one: a person must then look again.
    fn refresh(&mut self, id: ActionId, draft: Draft, site: &Site<'_>, asking: &mut super::Asking<'_>) {
        let Some(action) = self.actions.get_mut(&id).filter(|action| action.phase == super::Phase::Waiting) else { return };
        let other = draft.change != action.row.change;
        draft.renew(&mut action.row, site);
        if other {
            action.row.version += 1;
            action.note(asking.at, "apos", "changed: other merchants or another order");
            self.tabulate(id, asking);
        }
    }
}

/// What could repair an incident: exclude the one account that fails, or move pinned merchants off the connector.
fn repair(incident: &Incident, incidents: &Incidents, site: &Site<'_>) -> Option<Draft> {
    account::exclude(incident, site).or_else(|| priority::repair(incident, incidents, site))
}

impl Draft {
    /// Replaces what a row says of the change and its evidence.
    fn renew(self, row: &mut ActionRow, site: &Site<'_>) {
        row.before_after = before_after(&self.change, site.view);
        row.change = self.change;
        row.sentence = self.sentence;
        row.evidence = self.evidence;
        row.confidence = self.confidence;
        row.confidence_basis = self.confidence_basis;
        row.against = self.against;
        row.alternatives = self.alternatives;
        row.blast = self.blast;
        row.predicted = self.predicted;
    }

    /// The row of the action that this becomes.
    pub(super) fn into_row(self, id: ActionId, level: Autonomy, site: &Site<'_>) -> ActionRow {
        let settings = &site.view.settings;
        let at = site.view.at;
        let by_itself = level == Autonomy::Veto;
        let wait = if by_itself { settings.autonomy.veto_delay_s } else { settings.healing.expiry_s };
        ActionRow {
            id,
            version: 1,
            status: ActionStatus::Pending,
            class: self.change.class(),
            before_after: before_after(&self.change, site.view),
            change: self.change,
            sentence: self.sentence,
            incident: self.incident,
            evidence: self.evidence,
            confidence: self.confidence,
            confidence_basis: self.confidence_basis,
            against: self.against,
            alternatives: self.alternatives,
            blast: self.blast,
            predicted: self.predicted,
            undo: self.undo,
            why_asked: why_asked(level),
            proposed_at: at,
            expires_at: at + Duration::from_secs(wait),
            executes_by_itself: by_itself,
            undoable: false,
            history: Vec::new(),
            verification: None,
            recovery_time_ms: None,
        }
    }
}

fn why_asked(level: Autonomy) -> String {
    match level {
        Autonomy::Observe | Autonomy::Suggest => "autonomy is `suggest`: nothing is executed",
        Autonomy::Approve => "autonomy is `approve`: a person decides",
        Autonomy::Veto => "autonomy is `veto`: it executes by itself unless a person vetoes",
        Autonomy::Auto => "nobody is asked: autonomy is `auto`; it can be undone",
    }
    .to_owned()
}

/// What is now and what will be, one line for each thing that changes.
pub(super) fn before_after(change: &Change, view: &RoutingView) -> Vec<(String, String)> {
    match change {
        Change::ReorderPriority { moves } => {
            moves.iter().map(|m| (format!("{}: {}", name(view, &m.profile), order(&m.before)), order(&m.after))).collect()
        }
        Change::ExcludeAccount { account } => vec![(format!("{account}: in routing"), "excluded, but for probes".to_owned())],
        Change::RestoreAccount { account } => vec![(format!("{account}: excluded, but for probes"), "in routing".to_owned())],
        Change::Scale { from, to } => vec![(format!("{from} instances"), format!("{to} instances"))],
    }
}

/// A merchant's name for people.
pub(super) fn name(view: &RoutingView, profile: &crate::domain::ProfileId) -> String {
    let named = view.settings.merchants.get(profile).map(|m| m.name.as_str()).filter(|name| !name.is_empty());
    named.unwrap_or(profile.as_str()).to_owned()
}

/// Amounts for a sentence.
pub(super) fn about(amounts: &[Money]) -> String {
    amounts.iter().map(|amount| amount.grouped()).collect::<Vec<_>>().join(" + ")
}

/// A priority list, by connector names.
fn order(accounts: &[ConnectorAccount]) -> String {
    accounts.iter().map(ConnectorAccount::connector).collect::<Vec<_>>().join(" › ")
}

/// Why a change no longer fits the state it was proposed for, if so.
pub(super) fn stale(change: &Change, view: &RoutingView) -> Option<String> {
    match change {
        Change::ReorderPriority { moves } => moves.iter().find_map(|m| {
            let now = view.priority(&m.profile).unwrap_or_default();
            (now != m.before).then(|| format!("the priority list of {} is now {}", name(view, &m.profile), order(now)))
        }),
        Change::ExcludeAccount { account } => excluded(view, account).then(|| format!("{account} is excluded already")),
        Change::RestoreAccount { account } => (!excluded(view, account)).then(|| format!("{account} is not excluded")),
        Change::Scale { to, .. } => {
            let (min, max) = (view.settings.scaling.min_instances, view.settings.scaling.max_instances);
            (!(min..=max).contains(&u64::from(*to))).then(|| format!("{to} instances are outside the limits, {min} to {max}"))
        }
    }
}

fn excluded(view: &RoutingView, account: &ConnectorAccount) -> bool {
    view.account(account).is_some_and(|(_, state)| state.excluded.is_some())
}
