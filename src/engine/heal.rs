//! The self-healing service: proposes what routing cannot repair by itself, and carries it through.
//!
//! Pending → in progress → succeeded | failed → rolled back; a pending one may also be rejected or lapse. A proposal is
//! a complete value with its evidence; executing it makes no choices. Nothing here acts: acts are asked for as
//! effects, and only their recorded end changes the state.

mod command;
mod evidence;
mod execute;
mod hold;
mod overriding;
mod propose;
mod rest;
mod shadow;
mod subject;
mod verify;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

pub(crate) use evidence::End;
pub(crate) use execute::Targets;
pub(crate) use propose::{Draft, Site, blast_in_scope};
pub(crate) use subject::Subject;

use evidence::Evidence;
use rest::Rests;
use shadow::{Followed, Shadowed};

use super::Effect;
use super::route::RoutingView;
use super::snapshot::{ActionRow, ActionStatus, CommandOutcome, HistoryRow};
use crate::domain::settings::Levels;
use crate::domain::{Act, ActionClass, ActionId, Autonomy, Change, EffectId, Position, Step, Time};

/// Finished actions kept in State, besides those whose change stands; the tables keep all.
const KEPT: usize = 100;
/// Finished actions whose change stands, kept at the most: no merchant and no account is in two of them.
const STANDING: usize = 1_000;
/// Outcomes of commands kept, for the screens.
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
    pub(crate) subject: Subject,
    phase: Phase,
    /// When the trouble it answers was noticed.
    noticed_at: Time,
    /// When its change was made.
    executed_at: Option<Time>,
    /// What of its change still stands: what undo and the way back take back.
    standing: Option<Change>,
    /// How to take it back, without what speaks against doing so now.
    undo: String,
}

/// All actions that are open or lately over, and what governs them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Healer {
    actions: BTreeMap<ActionId, Action>,
    numbered: u64,
    pub(crate) levels: Levels,
    /// Acts asked for whose end is not recorded yet.
    outstanding: BTreeMap<EffectId, Act>,
    /// What was turned down, and until when it is not proposed again.
    pub(crate) rests: Rests,
    outcomes: VecDeque<CommandOutcome>,
    /// What was proposed, or would have been, and not executed.
    pub(crate) shadowed: Shadowed,
    /// What is known of changes that are being verified.
    evidence: Vec<Evidence>,
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
    pub(crate) fn outcomes(&self) -> impl DoubleEndedIterator<Item = &CommandOutcome> {
        self.outcomes.iter()
    }

    /// The open action about a subject.
    fn open_about(&self, subject: &Subject) -> Option<ActionId> {
        self.iter().find(|action| action.phase != Phase::Over && action.subject == *subject).map(|action| action.row.id)
    }

    /// Makes a draft a proposal, as far as the level of autonomy goes.
    pub(crate) fn propose(&mut self, draft: Draft, site: &Site<'_>, asking: &mut Asking<'_>) -> Option<ActionId> {
        let level = self.levels.of(draft.change.class());
        if level == Autonomy::Observe {
            self.shadow(&draft, None, asking);
            return None;
        }
        if self.rests.holds(&draft.subject, asking.at) {
            return None;
        }
        self.numbered += 1;
        let id = ActionId(self.numbered);
        self.shadow(&draft, Some(id), asking);
        let held = self.held_until(&draft.subject, &draft.change, level).filter(|until| asking.at < *until);
        let mut action = draft.into_action(id, level, site);
        action.note(asking.at, "apos", "proposed");
        if let Some(until) = held {
            action.hold(until, asking.at);
        }
        self.actions.insert(id, action);
        if level == Autonomy::Auto && held.is_none() {
            self.start(id, "apos", "executed by itself: autonomy is auto", asking);
        }
        self.tabulate(id, asking);
        self.forget();
        Some(id)
    }

    /// Follows a repair that is not executed, or not yet.
    fn shadow(&mut self, draft: &Draft, action: Option<ActionId>, asking: &Asking<'_>) {
        let repair = Followed { subject: &draft.subject, change: &draft.change, incident: draft.incident, action };
        self.shadowed.follow(&repair, asking.position, asking.at);
    }

    /// Starts executing a pending action.
    fn start(&mut self, id: ActionId, who: &str, what: &str, asking: &mut Asking<'_>) {
        self.shadowed.executed(id);
        let Some(action) = self.actions.get_mut(&id) else { return };
        action.phase = Phase::Executing(Step::Execute);
        action.set(ActionStatus::InProgress);
        action.note(asking.at, who, what);
        let act = Act { action: id, step: Step::Execute, change: action.row.change.clone() };
        self.outstanding.insert(asking.act(act.clone()), act);
    }

    /// Starts taking an executed action back: what of it still stands. It is not proposed again at once.
    fn start_roll_back(&mut self, id: ActionId, (who, what): (&str, &str), view: &RoutingView, asking: &mut Asking<'_>) {
        let Some(action) = self.actions.get_mut(&id) else { return };
        let Some(standing) = action.standing.clone() else { return };
        action.phase = Phase::Executing(Step::RollBack);
        action.row.undoable = false;
        action.row.version += 1;
        action.note(asking.at, who, what);
        let subject = action.subject.clone();
        self.rests.put_undone(subject, &standing, asking.at, quiet(view));
        let act = Act { action: id, step: Step::RollBack, change: standing.inverse() };
        self.outstanding.insert(asking.act(act.clone()), act);
    }

    /// A change was made by one action: of what others made, that much stands no more.
    fn supersede(&mut self, by: ActionId, made: &Change, view: &RoutingView, asking: &mut Asking<'_>) {
        let mut touched = Vec::new();
        for action in self.actions.values_mut().filter(|action| action.row.id != by) {
            let Some(standing) = &action.standing else { continue };
            let left = subject::standing_after(standing, made);
            if left.as_ref() == Some(standing) {
                continue;
            }
            action.standing = left;
            action.row.undoable = action.row.undoable && action.standing.is_some();
            action.row.version += 1;
            let what = match &action.standing {
                Some(left) => {
                    action.row.before_after = propose::before_after(left, view);
                    format!("{by} took over a part of it: what is listed still stands")
                }
                None => format!("{by} took over: there is nothing left to undo"),
            };
            action.note(asking.at, "apos", &what);
            touched.push(action.row.id);
        }
        for id in touched {
            self.tabulate(id, asking);
        }
    }

    fn record(&mut self, position: Position, accepted: bool, text: String) {
        self.outcomes.push_back(CommandOutcome { position, accepted, text });
        while self.outcomes.len() > OUTCOMES {
            self.outcomes.pop_front();
        }
    }

    /// Forgets the oldest that are over, those whose change stands last.
    fn forget(&mut self) {
        for (kept, stands) in [(KEPT, false), (STANDING, true)] {
            let over = |action: &&Action| action.phase == Phase::Over && action.standing.is_some() == stands;
            let ids: Vec<ActionId> = self.iter().filter(over).map(|action| action.row.id).collect();
            let surplus = ids.len().saturating_sub(kept);
            ids.iter().take(surplus).for_each(|id| _ = self.actions.remove(id));
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

/// How long what was turned down, or what nobody cared for, is not proposed again.
fn quiet(view: &RoutingView) -> Duration {
    Duration::from_secs(view.settings().healing.reject_quiet_s)
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
