//! The recorded end of an effect: only this changes what the action was about.

use core::time::Duration;

use super::{Action, Asking, Healer, Phase};
use crate::domain::{Act, Change, EffectId, EffectResult, Step};
use crate::engine::route::RoutingView;
use crate::engine::scale::Scaler;
use crate::engine::snapshot::ActionStatus;

/// What changes are made to.
pub(crate) struct Targets<'t> {
    pub(crate) view: &'t mut RoutingView,
    pub(crate) scaler: &'t mut Scaler,
}

impl Healer {
    /// An effect ended: makes its change, or records the refusal. An end of an effect nobody waits for changes nothing.
    pub(crate) fn ended(&mut self, id: EffectId, result: &EffectResult, targets: &mut Targets<'_>, asking: &mut Asking<'_>) {
        let Some(act) = self.outstanding.remove(&id) else { return };
        let result = checked(result, &act, targets.view);
        if result == EffectResult::Done {
            make(&act.change, targets);
        }
        let verify = Duration::from_secs(targets.view.settings.healing.verify_s);
        let Some(action) = self.actions.get_mut(&act.action) else { return };
        match &result {
            EffectResult::Done => action.executed(&act, verify, asking),
            EffectResult::Refused { reason } => action.refused(act.step, reason, asking),
            EffectResult::Unknown { reason } => {
                let what = format!("it is not known whether it was executed: {reason}; look at the target");
                action.finish(ActionStatus::Failed, asking.at, "apos", &what);
            }
        }
        if result == EffectResult::Done && act.step == Step::Execute {
            self.gather(act.action, asking.at, targets.view);
            self.supersede(act.action, &act.change, targets.view, asking);
        }
        self.tabulate(act.action, asking);
    }
}

/// The result, or a refusal where the routing table is no longer what the change was made for.
fn checked(result: &EffectResult, act: &Act, view: &RoutingView) -> EffectResult {
    let changed = super::propose::reordered(&act.change, view);
    match (result, changed) {
        (EffectResult::Done, Some(reason)) => EffectResult::Refused { reason },
        _ => result.clone(),
    }
}

impl Action {
    fn executed(&mut self, act: &Act, verify: Duration, asking: &Asking<'_>) {
        match act.step {
            Step::Execute => {
                self.phase = Phase::Verifying { since: asking.at, until: asking.at + verify };
                self.row.undoable = true;
                self.executed_at = Some(asking.at);
                self.standing = Some(act.change.clone());
                self.row.version += 1;
                self.row.verification = Some(format!("watching for {} s", verify.as_secs()));
                self.note(asking.at, "apos", "executed; verifying");
            }
            Step::RollBack => {
                self.row.undoable = false;
                self.standing = None;
                self.finish(ActionStatus::RolledBack, asking.at, "apos", "rolled back");
            }
        }
    }

    fn refused(&mut self, step: Step, reason: &str, asking: &Asking<'_>) {
        let what = match step {
            Step::Execute => format!("could not be executed: {reason}"),
            Step::RollBack => format!("could not be rolled back: {reason}"),
        };
        self.row.undoable = step == Step::RollBack && self.standing.is_some();
        self.finish(ActionStatus::Failed, asking.at, "apos", &what);
    }
}

/// Makes a change to APOS's own routing table, or to the number of instances it knows of.
fn make(change: &Change, targets: &mut Targets<'_>) {
    let Targets { view, scaler } = targets;
    match change {
        Change::ReorderPriority { moves } => {
            for m in moves {
                let number = view.intern_profile(&m.profile);
                if let Some(merchant) = number.and_then(|n| view.merchants.get_mut(n as usize)) {
                    merchant.priority.clone_from(&m.after);
                }
            }
        }
        Change::ExcludeAccount { account } | Change::RestoreAccount { account } => {
            let excluded = matches!(change, Change::ExcludeAccount { .. }).then_some(view.at);
            let number = view.intern_account(account);
            if let Some(state) = number.and_then(|n| view.accounts.get_mut(n as usize)) {
                state.excluded = excluded;
                state.breaker.probe_successes = 0;
            }
        }
        Change::Scale { from, to } => scaler.scaled(*from, *to, view.at),
        Change::SetArm { experiment, arm, to, .. } => view.arms.set(experiment, arm, *to),
    }
}
