//! The passing of time: proposals lapse or, at `veto`, execute; what was executed is verified by the rate it was to repair.

use super::evidence::Evidence;
use super::propose::stale;
use super::{Action, Asking, Healer, Phase, Site, Subject, quiet};
use crate::domain::{ActionId, Autonomy, Change, Money, PriorityMove, Time};
use crate::engine::detect::Incidents;
use crate::engine::monitor::Slice;
use crate::engine::snapshot::{ActionRow, ActionStatus, AnomalyType, UNVERIFIED};

/// Attempts needed before a verdict; fewer prove nothing (half of them by chance differ by 20 points).
const MIN_ATTEMPTS: u64 = 10;
/// Points the rate must have gained to count as helped, or lost to count as harmed.
const MARGIN: f64 = 0.05;

/// What a verification found.
enum Verdict {
    /// It repairs nothing that a rate could show (scale, the way back): the target is as wanted.
    InPlace(String),
    Helped(String),
    Useless(String),
    Harmed(String),
}

impl Healer {
    /// Follows every action that waits for time to pass.
    pub(crate) fn tick(&mut self, site: &Site<'_>, incidents: &Incidents, asking: &mut Asking<'_>) {
        let ids: Vec<ActionId> = self.actions.iter().filter(|(_, a)| a.phase != Phase::Over).map(|(id, _)| *id).collect();
        for id in ids {
            match self.actions.get(&id).map(|action| action.phase) {
                Some(Phase::Waiting) => self.wait(id, site, incidents, asking),
                Some(Phase::Verifying { .. }) => self.verify(id, site, incidents, asking),
                _ => {}
            }
        }
        self.forget_evidence();
        let actions = &self.actions;
        let waits = |id: ActionId| actions.get(&id).is_some_and(|action| action.phase == Phase::Waiting);
        self.shadowed.tick(incidents, waits, (asking.position, asking.at));
        let quiet_min = site.view.settings.healing.reject_quiet_s / 60;
        for action in self.actions.values_mut().filter(|action| action.row.undoable) {
            action.row.undo = action.undo_now(incidents, quiet_min);
        }
    }

    fn wait(&mut self, id: ActionId, site: &Site<'_>, incidents: &Incidents, asking: &mut Asking<'_>) {
        let Some(action) = self.actions.get_mut(&id) else { return };
        let over = action.row.incident.and_then(|i| incidents.get(i)).is_some_and(|incident| !incident.is_open());
        if over {
            action.finish(ActionStatus::Expired, asking.at, "apos", "withdrawn: the incident is over");
        } else if asking.at < action.row.expires_at {
            return;
        } else if !action.row.executes_by_itself {
            action.finish(ActionStatus::Expired, asking.at, "apos", "lapsed: nobody answered");
            let subject = action.subject.clone();
            if action.row.incident.is_none() {
                self.rests.put(subject, asking.at, quiet(site.view));
            }
        } else if let Some(reason) = stale(&action.row.change, site) {
            action.finish(ActionStatus::Expired, asking.at, "apos", &format!("withdrawn: {reason}"));
        } else {
            self.start(id, "apos", "executed by itself: nobody vetoed", asking);
        }
        self.tabulate(id, asking);
    }

    fn verify(&mut self, id: ActionId, site: &Site<'_>, incidents: &Incidents, asking: &mut Asking<'_>) {
        let level = self.actions.get(&id).map_or(Autonomy::Observe, |action| self.levels.of(action.row.class));
        let Some(action) = self.actions.get_mut(&id) else { return };
        let Phase::Verifying { since, until } = action.phase else { return };
        if asking.at < until {
            return;
        }
        let evidence = self.evidence.iter().find(|evidence| evidence.action == id);
        let verdict = verdict(action, evidence, (site, incidents), since);
        let (Verdict::InPlace(what) | Verdict::Helped(what) | Verdict::Useless(what) | Verdict::Harmed(what)) = &verdict;
        action.row.verification = Some(what.clone());
        match &verdict {
            Verdict::InPlace(what) => action.finish(ActionStatus::Succeeded, asking.at, "apos", what),
            Verdict::Helped(what) => {
                let recovery = asking.at.since(action.noticed_at).as_millis();
                action.row.recovery_time_ms = u64::try_from(recovery).ok();
                action.finish(ActionStatus::Succeeded, asking.at, "apos", what);
            }
            Verdict::Useless(what) => {
                let told = action.and_stands(what);
                action.finish(ActionStatus::Failed, asking.at, "apos", &told);
            }
            Verdict::Harmed(what) => {
                if let Some(reason) = action.stays(level, site) {
                    action.finish(ActionStatus::Failed, asking.at, "apos", &format!("{what}; not rolled back: {reason}"));
                } else {
                    action.set(ActionStatus::Failed);
                    self.start_roll_back(id, ("apos", what), site.view, asking);
                }
            }
        }
        self.tabulate(id, asking);
    }
}

impl Action {
    /// Why a change that did harm is not taken back by itself, if so.
    fn stays(&self, level: Autonomy, site: &Site<'_>) -> Option<String> {
        if level <= Autonomy::Suggest {
            return Some("autonomy is too low; undo it".to_owned());
        }
        match &self.standing {
            Some(standing) => stale(&standing.inverse(), site),
            None => Some("a later action took over".to_owned()),
        }
    }

    /// That a change which proved nothing is in force all the same, where it is: what failed is not what was not made.
    fn and_stands(&self, what: &str) -> String {
        let stands = self.standing.is_some() && !matches!(self.row.change, Change::Scale { .. });
        match what.split_once(": ").filter(|_| stands) {
            Some((found, seen)) => format!("{found}; its change stands until it is put back: {seen}"),
            None => what.to_owned(),
        }
    }

    /// How to take it back, and what speaks against doing so now.
    fn undo_now(&self, incidents: &Incidents, quiet_min: u64) -> String {
        let open = incidents
            .open_ones()
            .find(|i| self.subject == Subject::Repair(i.slice) && i.row.kind == AnomalyType::HighFailureRate);
        let warning = open.map_or_else(String::new, |i| format!("the incident is still open: {}; ", i.in_short()));
        format!("{warning}{}; not proposed again for {quiet_min} min then", self.undo)
    }
}

/// What became of a change, by what it was to do.
fn verdict(action: &Action, evidence: Option<&Evidence>, (site, incidents): (&Site<'_>, &Incidents), since: Time) -> Verdict {
    match &action.row.change {
        Change::Scale { to, .. } => match site.scaler.instances_since(since) {
            None => Verdict::Useless(format!("{UNVERIFIED}: no sample since")),
            Some(now) if now == *to => Verdict::InPlace(format!("in place: {now} simulated instances")),
            Some(now) => Verdict::Useless(format!("not in place: there are {now} simulated instances")),
        },
        Change::SetArm { to, .. } => Verdict::InPlace(format!("in place: {}", to.as_str())),
        Change::RestoreAccount { account } => {
            if site.view.account(account).is_some_and(|(_, state)| state.breaker.open.is_some()) {
                Verdict::Harmed("made it worse: its breaker opened again".to_owned())
            } else {
                Verdict::InPlace("in place: in routing, its breaker is closed".to_owned())
            }
        }
        Change::ReorderPriority { moves } if matches!(action.subject, Subject::Return(_)) => {
            let fails = |m: &PriorityMove| {
                let (number, state) = site.view.account(m.after.first()?)?;
                let slice = Slice::Account(state.connector, number);
                incidents.hits(slice, AnomalyType::HighFailureRate).then(|| m.after[0].connector().to_owned())
            };
            match moves.iter().find_map(fails) {
                Some(connector) => Verdict::Harmed(format!("made it worse: an incident is open on {connector}")),
                None => Verdict::InPlace("in place: no incident since".to_owned()),
            }
        }
        Change::ReorderPriority { .. } | Change::ExcludeAccount { .. } => by_rate(&action.row, evidence),
    }
}

/// Compares the rate of the touched merchants' attempts that were sent since the change with the one before it.
fn by_rate(row: &ActionRow, evidence: Option<&Evidence>) -> Verdict {
    let (Some(evidence), Some(before)) = (evidence, row.predicted.rate_now) else {
        return Verdict::Useless(format!("{UNVERIFIED}: no attempts since"));
    };
    let (sums, unanswered) = (evidence.sums(), evidence.unanswered());
    let judged = sums.judged();
    if unanswered > judged {
        let all = unanswered + judged;
        return Verdict::Useless(format!("{UNVERIFIED}: {unanswered} of {all} attempts since ended without an answer"));
    }
    let Some(after) = crate::engine::detect::rate_of(&sums) else {
        return Verdict::Useless(format!("{UNVERIFIED}: no attempts since"));
    };
    let seen = format!("attempt rate {:.0} % of {judged} attempts, {:.0} % before", after * 100.0, before * 100.0);
    if judged < MIN_ATTEMPTS {
        Verdict::Useless(format!("{UNVERIFIED}: only {judged} attempts since; {seen}"))
    } else if after >= before + MARGIN {
        Verdict::Helped(format!("verified: {seen}"))
    } else if after < before - MARGIN {
        Verdict::Harmed(format!("made it worse: {seen}"))
    } else {
        Verdict::Useless(format!("did not help: {seen}"))
    }
}

/// Sums amounts by currency, in the currencies' order.
pub(super) fn add(total: &mut Vec<Money>, money: Money) {
    match total.binary_search_by_key(&money.currency, |m| m.currency) {
        Ok(index) => total[index].minor = total[index].minor.saturating_add(money.minor),
        Err(index) => total.insert(index, money),
    }
}
