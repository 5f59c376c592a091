//! Proposals: what could repair an open incident, with everything an approval must show.

mod account;
mod blast;
mod priority;
mod scaling;
mod traffic;
mod way_back;

use core::time::Duration;

use super::{Action, Followed, Healer, Phase, Subject};
use crate::domain::{ActionId, Autonomy, Change, ConnectorAccount, IncidentId, Money, ProfileId, Time};
use crate::engine::detect::{Incident, Incidents};
use crate::engine::experiments::{self, Experiments};
use crate::engine::monitor::{Monitor, Slice};
use crate::engine::route::RoutingView;
use crate::engine::scale::Scaler;
use crate::engine::snapshot::{ActionRow, ActionStatus, BlastRadius, Evidence, Prediction};

pub(super) use account::chosen as chosen_account;
pub(crate) use blast::in_scope as blast_in_scope;
pub(super) use priority::chosen as chosen_moves;
pub(super) use scaling::chosen as chosen_scale;
pub(super) use way_back::hindrance;

/// How a measurement is told that speaks less for a repair than the one it was proposed on.
const BETTER: &str = "it looks better now: ";
/// The part of the worst drop below which a drop is clearly less bad: half would still show a connector that mostly works
/// again, and nearly all of it would be left by chance.
const LESS_BAD: f64 = 0.75;

/// What proposals are made from.
pub(crate) struct Site<'s> {
    pub(crate) view: &'s RoutingView,
    pub(crate) monitor: &'s Monitor,
    pub(crate) scaler: &'s Scaler,
    pub(crate) experiments: &'s Experiments,
}

/// Whether a repair rests for a merchant.
type Resting<'r> = &'r dyn Fn(&Subject, &ProfileId) -> bool;

/// A proposal before it has an id: all that its evidence gives.
pub(crate) struct Draft {
    pub(crate) change: Change,
    pub(crate) subject: Subject,
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

impl Healer {
    /// Proposes what is missing: repairs of open incidents, the way back after them, and scale. What is open already is
    /// brought up to date, and what nothing calls for any more is withdrawn.
    pub(crate) fn propose_all(&mut self, site: &Site<'_>, incidents: &mut Incidents, asking: &mut super::Asking<'_>) -> u64 {
        if !site.view.settings.healing.enabled {
            return 0;
        }
        let resting = |subject: &Subject, merchant: &ProfileId| self.rests.holds_for(subject, merchant, asking.at);
        let repairs: Vec<Draft> =
            incidents.open_ones().filter_map(|incident| repair(incident, incidents, site, &resting)).collect();
        let back = way_back::drafts(self, incidents, site);
        let restores = account::restores(site);
        let arms = experiments::drafts(site);
        let drafts: Vec<Draft> =
            repairs.into_iter().chain(back).chain(restores).chain(scaling::draft(self, site)).chain(arms).collect();
        let wanted: Vec<Subject> = drafts.iter().map(|draft| draft.subject.clone()).collect();
        let mut proposed = 0;
        for draft in drafts {
            let incident = draft.incident;
            if let Some(open) = self.open_about(&draft.subject) {
                let better = draft.looks_better(incidents);
                self.refresh(open, (draft, better), site, asking);
                continue;
            }
            let Some(action) = self.propose(draft, site, asking) else { continue };
            proposed += 1;
            if let Some(incident) = incident {
                incidents.link(incident, action);
            }
        }
        self.withdraw(&wanted, site, incidents, asking);
        proposed
    }

    /// Slices that get probes besides those of open incidents: where traffic could go back to.
    pub(crate) fn probed(&self, incidents: &Incidents, site: &Site<'_>) -> Vec<Slice> {
        way_back::probed(self, incidents, site)
    }

    /// Brings a proposal that still waits up to date. Its version is raised, and the time for a veto starts again, only
    /// when the change itself is another one: a person must then look again. Where the trouble looks better now, that is
    /// told, and the evidence stays what the repair was proposed on: it may be over before anybody answers.
    fn refresh(
        &mut self,
        id: ActionId,
        (draft, better): (Draft, Option<String>),
        site: &Site<'_>,
        asking: &mut super::Asking<'_>,
    ) {
        let Some(action) = self.actions.get_mut(&id).filter(|action| action.phase == Phase::Waiting) else { return };
        let other = draft.change != action.row.change;
        let repair =
            Followed { subject: &draft.subject, change: &draft.change, incident: draft.incident, action: Some(action.row.id) };
        self.shadowed.follow(&repair, asking.position, asking.at);
        if better.is_none() || other {
            let evidence = better.as_ref().and(action.row.evidence.clone());
            draft.renew(action, site);
            action.row.evidence = evidence.or(action.row.evidence.take());
        }
        action.row.against.retain(|one| !one.starts_with(BETTER));
        if let Some(better) = better {
            action.row.against.insert(0, better);
        }
        if other {
            action.row.version += 1;
            if action.row.executes_by_itself {
                let delay = Duration::from_secs(site.view.settings.autonomy.veto_delay_s);
                action.row.expires_at = action.row.expires_at.max(asking.at + delay);
            }
            action.note(asking.at, "apos", "changed: other merchants, another order or another number");
            self.tabulate(id, asking);
        }
    }

    /// Withdraws proposals that wait and that nothing calls for any more.
    fn withdraw(&mut self, wanted: &[Subject], site: &Site<'_>, incidents: &Incidents, asking: &mut super::Asking<'_>) {
        let gone = |action: &&Action| action.phase == Phase::Waiting && !wanted.contains(&action.subject);
        let reason = |action: &Action| {
            let other = || match &action.subject {
                Subject::Repair(_) => None,
                Subject::Return(_) => hindrance(&action.row.change, incidents, site),
                Subject::Restore(_) => Some("its probes fail again".to_owned()),
                Subject::Scale { .. } => Some("the rule does not ask for it any more".to_owned()),
                Subject::Arm { .. } => Some("the experiment's figures do not ask for it any more".to_owned()),
            };
            stale(&action.row.change, site).or_else(other)
        };
        let ids: Vec<(ActionId, String)> =
            self.iter().filter(gone).filter_map(|action| Some((action.row.id, reason(action)?))).collect();
        for (id, reason) in ids {
            if let Some(action) = self.actions.get_mut(&id) {
                action.finish(ActionStatus::Expired, asking.at, "apos", &format!("withdrawn: {reason}"));
            }
            self.tabulate(id, asking);
        }
    }
}

/// What could repair an incident: exclude the one account that fails, or move pinned merchants off the connector.
fn repair(incident: &Incident, incidents: &Incidents, site: &Site<'_>, resting: Resting<'_>) -> Option<Draft> {
    account::exclude(incident, site).or_else(|| priority::repair(incident, incidents, site, resting))
}

impl Draft {
    /// What is measured now of the incident it repairs, where that is clearly less bad than it was at its worst. A window that
    /// reaches back before the trouble would always look so.
    fn looks_better(&self, incidents: &Incidents) -> Option<String> {
        let (seen, row) = (self.evidence.as_ref()?, &incidents.get(self.incident?)?.row);
        let within = seen.at.since(row.detected_at) >= Duration::from_secs(seen.window_s);
        let better = seen.baseline - seen.observed < LESS_BAD * (row.evidence.baseline - row.evidence.observed);
        (within && better).then(|| format!("{BETTER}{:.0} % of {} attempts", seen.observed * 100.0, seen.samples))
    }

    /// Replaces what an action says of the change and its evidence.
    pub(super) fn renew(self, action: &mut Action, site: &Site<'_>) {
        action.undo.clone_from(&self.undo);
        let row = &mut action.row;
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
        row.undo = self.undo;
    }

    /// The action that this becomes.
    pub(super) fn into_action(self, id: ActionId, level: Autonomy, site: &Site<'_>) -> Action {
        let settings = &site.view.settings;
        let at = site.view.at;
        let by_itself = level == Autonomy::Veto;
        let wait = if by_itself { settings.autonomy.veto_delay_s } else { settings.healing.expiry_s };
        let row = ActionRow {
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
            undo: self.undo.clone(),
            why_asked: why_asked(level),
            proposed_at: at,
            expires_at: at + Duration::from_secs(wait),
            executes_by_itself: by_itself,
            undoable: false,
            rests_until: None,
            history: Vec::new(),
            verification: None,
            recovery_time_ms: None,
        };
        Action {
            row,
            subject: self.subject,
            phase: Phase::Waiting,
            noticed_at: self.noticed_at,
            executed_at: None,
            standing: None,
            undo: self.undo,
        }
    }
}

/// Why a person is asked, or is not.
pub(super) fn why_asked(level: Autonomy) -> String {
    match level {
        Autonomy::Observe => "autonomy is `observe`: nothing is proposed or executed",
        Autonomy::Suggest => "autonomy is `suggest`: nothing is executed",
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
        Change::Scale { from, to } => vec![(format!("{from} simulated instances"), format!("{to} simulated instances"))],
        Change::SetArm { experiment, arm, from, to } => {
            vec![(format!("arm {arm} of {experiment}: {}", from.as_str()), to.as_str().to_owned())]
        }
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
pub(super) fn stale(change: &Change, site: &Site<'_>) -> Option<String> {
    let view = site.view;
    match change {
        Change::ReorderPriority { .. } => reordered(change, view),
        Change::ExcludeAccount { account } => excluded(view, account).then(|| format!("{account} is excluded already")),
        Change::RestoreAccount { account } => (!excluded(view, account)).then(|| format!("{account} is not excluded")),
        Change::Scale { from, to } => {
            let (min, max) = (view.settings.scaling.min_instances, view.settings.scaling.max_instances);
            let now = site.scaler.instances().filter(|now| now != from).map(|now| format!("there are {now} instances now"));
            let outside = !(min..=max).contains(&u64::from(*to));
            now.or_else(|| outside.then(|| format!("{to} instances are outside the limits, {min} to {max}")))
        }
        Change::SetArm { experiment, arm, from, .. } => {
            let known = view.settings.experiments.get(experiment).is_some_and(|one| one.arms.iter().any(|a| a.name == *arm));
            let now = view.arms.state(experiment, arm);
            if known {
                (now != *from).then(|| format!("arm {arm} of {experiment} is {} now", now.as_str()))
            } else {
                Some(format!("there is no arm {arm} of an experiment {experiment} any more"))
            }
        }
    }
}

/// The first merchant whose priority list is not what a change was made for, if there is one.
pub(super) fn reordered(change: &Change, view: &RoutingView) -> Option<String> {
    let Change::ReorderPriority { moves } = change else { return None };
    moves.iter().find_map(|m| {
        let now = view.priority(&m.profile).unwrap_or_default();
        (now != m.before).then(|| format!("the priority list of {} is now {}", name(view, &m.profile), order(now)))
    })
}

fn excluded(view: &RoutingView, account: &ConnectorAccount) -> bool {
    view.account(account).is_some_and(|(_, state)| state.excluded.is_some())
}
