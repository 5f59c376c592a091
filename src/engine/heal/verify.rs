//! The passing of time: proposals lapse or, at `veto`, execute; what was executed is verified by the rate it was to repair.

use super::{Asking, Healer, Phase, Site};
use crate::domain::{ActionId, Money};
use crate::engine::detect::Incidents;
use crate::engine::monitor::{Slice, Sums};
use crate::engine::snapshot::{ActionRow, ActionStatus};

/// Attempts needed before a verdict; fewer prove nothing (half of them by chance differ by 20 points).
const MIN_ATTEMPTS: u64 = 10;
/// Points the rate must have gained to count as helped, or lost to count as harmed.
const MARGIN: f64 = 0.05;

/// What a verification found.
enum Verdict {
    /// It repairs nothing that a rate could show (scale, the way back): the target is as wanted.
    InPlace,
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
                Some(Phase::Verifying { .. }) => self.verify(id, site, asking),
                _ => {}
            }
        }
    }

    fn wait(&mut self, id: ActionId, site: &Site<'_>, incidents: &Incidents, asking: &mut Asking<'_>) {
        let Some(action) = self.actions.get_mut(&id) else { return };
        let over = action.row.incident.and_then(|i| incidents.get(i)).is_some_and(|incident| !incident.is_open());
        if over {
            action.finish(ActionStatus::Expired, asking.at, "apos", "withdrawn: the incident is over");
        } else if asking.at < action.row.expires_at {
            return;
        } else if action.row.executes_by_itself {
            self.start(id, "apos", "executed by itself: nobody vetoed", asking);
        } else {
            action.finish(ActionStatus::Expired, asking.at, "apos", "lapsed: nobody answered");
            let change = action.row.change.clone();
            if action.row.incident.is_none() {
                self.rest(change, site.view, asking.at);
            }
        }
        self.tabulate(id, asking);
    }

    fn verify(&mut self, id: ActionId, site: &Site<'_>, asking: &mut Asking<'_>) {
        let Some(action) = self.actions.get_mut(&id) else { return };
        let Phase::Verifying { since, until } = action.phase else { return };
        if asking.at < until {
            return;
        }
        let seconds = asking.at.since(since).as_secs().clamp(5, 60);
        match verdict(&action.row, site, seconds) {
            Verdict::InPlace => action.finish(ActionStatus::Succeeded, asking.at, "apos", "in place"),
            Verdict::Helped(what) => {
                action.row.verification = Some(what.clone());
                let recovery = asking.at.since(action.noticed_at).as_millis();
                action.row.recovery_time_ms = u64::try_from(recovery).ok();
                action.finish(ActionStatus::Succeeded, asking.at, "apos", &what);
            }
            Verdict::Useless(what) => {
                action.row.verification = Some(what.clone());
                action.finish(ActionStatus::Failed, asking.at, "apos", &what);
            }
            Verdict::Harmed(what) => {
                action.row.verification = Some(what.clone());
                action.set(ActionStatus::Failed);
                self.start_roll_back(id, ("apos", &what), site.view, asking);
            }
        }
        self.tabulate(id, asking);
    }
}

/// Compares the rate of the touched merchants since the change with the one before it.
fn verdict(row: &ActionRow, site: &Site<'_>, seconds: u64) -> Verdict {
    if row.incident.is_none() {
        return Verdict::InPlace;
    }
    let before = row.predicted.rate_now;
    let mut sums = Sums::default();
    for slice in row.blast.merchants.iter().filter_map(|profile| site.view.profiles.get(profile)).map(Slice::Merchant) {
        if let Some(watched) = site.monitor.get(slice) {
            let part = watched.window.sums(site.view.at, seconds);
            sums.approved += part.approved;
            sums.failed += part.failed;
        }
    }
    let judged = sums.judged();
    let (Some(after), Some(before)) = (crate::engine::detect::rate_of(&sums), before) else {
        return Verdict::Useless("could not be verified: no attempts since".to_owned());
    };
    let seen = format!("attempt rate {:.0} % of {judged} attempts, {:.0} % before", after * 100.0, before * 100.0);
    if judged < MIN_ATTEMPTS {
        Verdict::Useless(format!("could not be verified: only {judged} attempts since; {seen}"))
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
