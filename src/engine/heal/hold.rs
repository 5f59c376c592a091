//! What waits: a way back that would come too soon after what it takes back, and everything after a panic.

use core::time::Duration;

use super::{Action, Asking, Healer, Phase, Subject};
use crate::domain::{ActionClass, ActionId, Autonomy, Change, Time};

/// What was moved away stays away so long at least, where nobody is asked: most outages that come back do so within
/// minutes.
const AWAY: Duration = Duration::from_mins(5);
/// Each way back of the last hour doubles that, up to the hour itself.
const FLAPS_WITHIN: Duration = Duration::from_hours(1);

impl Healer {
    /// Until when a way back is not executed by itself; a repair never waits.
    pub(super) fn held_until(&self, subject: &Subject, change: &Change, level: Autonomy) -> Option<Time> {
        if level < Autonomy::Veto || !subject.is_way_back() {
            return None;
        }
        let back = change.inverse();
        let undone = |action: &&Action| {
            action
                .standing
                .as_ref()
                .is_some_and(|standing| super::subject::standing_after(standing, &back).as_ref() != Some(standing))
        };
        let made_at = self.iter().filter(undone).filter_map(|action| action.executed_at).max()?;
        let times = self.iter().filter(|action| action.subject == *subject).filter_map(|action| action.executed_at);
        let flaps = times.filter(|at| made_at.since(*at) < FLAPS_WITHIN).count();
        let away = (0..flaps).fold(AWAY, |away, _| (away * 2).min(FLAPS_WITHIN));
        Some(made_at + away)
    }

    /// After a change of levels: what would have executed by itself waits for a person, and every pending row says why.
    pub(super) fn hold(&mut self, class: Option<ActionClass>, asking: &mut Asking<'_>, who: &str) {
        let levels = self.levels.clone();
        let pending = |action: &&Action| action.phase == Phase::Waiting && class.is_none_or(|class| class == action.row.class);
        let ids: Vec<ActionId> = self.iter().filter(pending).map(|action| action.row.id).collect();
        for id in ids {
            if let Some(action) = self.actions.get_mut(&id) {
                action.govern(levels.of(action.row.class), asking.at, who);
            }
            self.tabulate(id, asking);
        }
    }
}

impl Action {
    /// A way back that nobody is asked about comes too soon: it waits.
    pub(super) fn hold(&mut self, until: Time, at: Time) {
        // At `veto` a person has the whole delay in any case; at `auto` nobody is waited for.
        let veto = if self.row.executes_by_itself { self.row.expires_at } else { at };
        self.row.executes_by_itself = true;
        self.row.expires_at = veto.max(until);
        let wait = until.since(at).as_secs();
        let what = format!("waits {wait} s more: what it takes back was done too lately, or has come and gone");
        self.row.why_asked = format!("{}; it {what}", self.row.why_asked);
        self.note(at, "apos", &what);
    }

    /// Another level governs a pending action.
    fn govern(&mut self, level: Autonomy, at: Time, who: &str) {
        let held = self.row.executes_by_itself && level < Autonomy::Veto;
        self.row.executes_by_itself &= !held;
        let level = if self.row.executes_by_itself { level } else { level.min(Autonomy::Approve) };
        let why = super::propose::why_asked(level);
        if why == self.row.why_asked && !held {
            return;
        }
        self.row.why_asked = why;
        // Approving it is still approving the same thing, unless it would have needed no approval.
        self.row.version += u32::from(held);
        let what = match level {
            Autonomy::Observe => "held: autonomy is `observe`, nothing can be executed",
            Autonomy::Suggest => "held: autonomy is `suggest`, nothing can be executed",
            _ if held => "held: autonomy was lowered, a person decides",
            _ => "the level of autonomy was changed",
        };
        self.note(at, who, what);
    }
}
