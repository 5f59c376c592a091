//! The self-healing service: proposes what routing cannot repair by itself, and carries it through.
//!
//! Pending → in progress → succeeded | failed → rolled back; a pending one may also be rejected or lapse. A proposal is
//! a complete value with its evidence; executing it makes no choices. Nothing here acts: acts are asked for as
//! effects, and only their recorded end changes the state.

mod command;
mod execute;
mod propose;
mod verify;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

pub(crate) use execute::Targets;
pub(crate) use propose::{Draft, Site};

use super::Effect;
use super::route::RoutingView;
use super::snapshot::{ActionRow, ActionStatus, CommandOutcome, HistoryRow};
use crate::domain::settings::Levels;
use crate::domain::{Act, ActionClass, ActionId, Autonomy, Change, EffectId, IncidentId, Position, Step, Time};

/// Finished actions kept in State; the tables keep all.
const KEPT: usize = 100;
/// Outcomes of commands kept, for whoever waits for theirs.
const OUTCOMES: usize = 64;

/// Where an action is within its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// For a person, or for its veto to run out.
    Waiting,
    /// For the end of an effect.
    Executing(Step),
    /// For the evidence that it helped.
    Verifying { since: Time, until: Time },
    /// For nothing.
    Over,
}

/// One action.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Action {
    pub(crate) row: ActionRow,
    phase: Phase,
    /// When the trouble it answers was noticed.
    noticed_at: Time,
}

/// All actions that are open or lately over, and what governs them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Healer {
    actions: BTreeMap<ActionId, Action>,
    numbered: u64,
    pub(crate) levels: Levels,
    /// Acts asked for whose end is not recorded yet.
    outstanding: BTreeMap<EffectId, Act>,
    /// Changes a person turned down, and until when they are not proposed again.
    turned_down: Vec<(Change, Time)>,
    outcomes: VecDeque<CommandOutcome>,
}

/// Asks for effects, numbering them within one entry.
pub(crate) struct Asking<'e> {
    pub(crate) position: Position,
    pub(crate) at: Time,
    pub(crate) effects: &'e mut Vec<Effect>,
    pub(crate) numbered: u16,
}

impl Asking<'_> {
    fn act(&mut self, act: Act) -> EffectId {
        let id = EffectId { position: self.position, number: self.numbered };
        self.numbered += 1;
        self.effects.push(Effect::Act { id, act });
        id
    }

    fn tabulate(&mut self, row: &ActionRow) {
        self.effects.push(Effect::Action(Box::new(row.clone())));
    }
}

impl Healer {
    /// Takes over levels of autonomy that a configuration changes; one that stays the same leaves what operators set since,
    /// and the first one leaves what they set before it.
    pub(crate) fn configure(&mut self, before: &Levels, now: &Levels, configured: bool) {
        for class in ActionClass::ALL {
            let ordered = !configured && self.levels.of(class) != before.of(class);
            if before.of(class) != now.of(class) && !ordered {
                self.levels.set(class, now.of(class));
            }
        }
        self.levels.veto_delay_s = now.veto_delay_s;
    }

    /// Every action, the oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Action> {
        self.actions.values()
    }

    /// Acts asked for whose end is not recorded.
    pub(crate) fn outstanding(&self) -> impl Iterator<Item = (EffectId, &Act)> {
        self.outstanding.iter().map(|(id, act)| (*id, act))
    }

    /// How many actions wait for a person.
    pub(crate) fn pending(&self) -> u32 {
        u32::try_from(self.iter().filter(|action| action.phase == Phase::Waiting).count()).unwrap_or(u32::MAX)
    }

    /// Whether any action waits for time to pass.
    pub(crate) fn waits(&self) -> bool {
        self.iter().any(|action| action.phase != Phase::Over)
    }

    /// What became of the latest commands.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &CommandOutcome> {
        self.outcomes.iter()
    }

    /// The action that answers the incident and is not over.
    fn answering(&self, incident: IncidentId) -> Option<ActionId> {
        self.iter()
            .find(|action| action.row.incident == Some(incident) && action.phase != Phase::Over)
            .map(|action| action.row.id)
    }

    /// Whether an action is open that makes this kind of change, or the change was turned down lately.
    fn busy_with(&self, change: &Change, at: Time) -> bool {
        let open = self.iter().any(|action| action.phase != Phase::Over && action.row.change == *change);
        open || self.turned_down.iter().any(|(known, until)| known == change && at < *until)
    }

    /// Makes a draft a proposal, as far as the level of autonomy goes.
    pub(crate) fn propose(&mut self, draft: Draft, site: &Site<'_>, asking: &mut Asking<'_>) -> Option<ActionId> {
        let class = draft.change.class();
        let level = self.levels.of(class);
        if level == Autonomy::Observe || self.busy_with(&draft.change, asking.at) {
            return None;
        }
        self.numbered += 1;
        let id = ActionId(self.numbered);
        let noticed_at = draft.noticed_at;
        let row = draft.into_row(id, level, site);
        let mut action = Action { row, phase: Phase::Waiting, noticed_at };
        action.note(asking.at, "apos", "proposed");
        self.actions.insert(id, action);
        if level == Autonomy::Auto {
            self.start(id, "apos", "executed by itself: autonomy is auto", asking);
        }
        if let Some(action) = self.actions.get(&id) {
            asking.tabulate(&action.row);
        }
        self.forget();
        Some(id)
    }

    /// Starts executing a pending action.
    fn start(&mut self, id: ActionId, who: &str, what: &str, asking: &mut Asking<'_>) {
        let Some(action) = self.actions.get_mut(&id) else { return };
        action.phase = Phase::Executing(Step::Execute);
        action.set(ActionStatus::InProgress);
        action.note(asking.at, who, what);
        let act = Act { action: id, step: Step::Execute, change: action.row.change.clone() };
        self.outstanding.insert(asking.act(act.clone()), act);
    }

    /// Starts taking an executed action back. What was taken back is not proposed again at once.
    fn start_roll_back(&mut self, id: ActionId, (who, what): (&str, &str), view: &RoutingView, asking: &mut Asking<'_>) {
        let Some(change) = self.actions.get(&id).map(|action| action.row.change.clone()) else { return };
        self.rest(change, view, asking.at);
        let Some(action) = self.actions.get_mut(&id) else { return };
        action.phase = Phase::Executing(Step::RollBack);
        action.row.undoable = false;
        action.row.version += 1;
        action.note(asking.at, who, what);
        let act = Act { action: id, step: Step::RollBack, change: action.row.change.inverse() };
        self.outstanding.insert(asking.act(act.clone()), act);
    }

    /// A change that was turned down, or that nobody cared for, is not proposed again for a while.
    fn rest(&mut self, change: Change, view: &RoutingView, at: Time) -> Duration {
        let quiet = Duration::from_secs(view.settings().healing.reject_quiet_s);
        self.turned_down.retain(|(_, until)| *until > at);
        self.turned_down.push((change, at + quiet));
        quiet
    }

    fn record(&mut self, position: Position, accepted: bool, text: String) {
        self.outcomes.push_back(CommandOutcome { position, accepted, text });
        while self.outcomes.len() > OUTCOMES {
            self.outcomes.pop_front();
        }
    }

    fn forget(&mut self) {
        while self.actions.len() > KEPT {
            let over = self.actions.iter().find(|(_, action)| action.phase == Phase::Over).map(|(id, _)| *id);
            let Some(id) = over else { return };
            self.actions.remove(&id);
        }
    }
}

impl Action {
    fn note(&mut self, at: Time, who: &str, what: &str) {
        self.row.history.push(HistoryRow { at, who: who.to_owned(), what: what.to_owned() });
    }

    fn set(&mut self, status: ActionStatus) {
        self.row.status = status;
        self.row.version += 1;
        self.row.executes_by_itself = false;
    }

    /// Ends it in a state.
    fn finish(&mut self, status: ActionStatus, at: Time, who: &str, what: &str) {
        self.phase = Phase::Over;
        self.set(status);
        self.note(at, who, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_overrides_operators_but_not_what_they_set_before_the_first() {
        let mut healer = Healer { levels: Levels { exclusion: Autonomy::Observe, ..Levels::default() }, ..Healer::default() };
        let first = Levels { exclusion: Autonomy::Auto, scaling: Autonomy::Auto, ..Levels::default() };
        healer.configure(&Levels::default(), &first, false);
        assert_eq!((healer.levels.exclusion, healer.levels.scaling), (Autonomy::Observe, Autonomy::Auto));
        healer.configure(&first, &Levels { exclusion: Autonomy::Veto, ..first.clone() }, true);
        assert_eq!((healer.levels.exclusion, healer.levels.scaling), (Autonomy::Veto, Autonomy::Auto));
    }
}
