//! What the leader and the executor follow: all that is due, as of one position of the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{Act, Body, EffectId, Position, Settings, Time};
use crate::engine::State;

/// All that is due.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agenda {
    /// The last entry folded.
    pub position: Position,
    /// The log's time there.
    pub at: Time,
    /// When the next tick is due.
    pub deadline: Option<Time>,
    /// The epoch of the latest leadership.
    pub epoch: u64,
    /// Where that leadership began; before the log where this process did not see it begin.
    pub opened: Position,
    /// The configuration in force, once one has entered the log.
    pub settings: Option<Arc<Settings>>,
    /// Acts that were asked for and have not ended.
    pub outstanding: Vec<(EffectId, Act)>,
    /// Those among them whose intent was appended under the latest leadership.
    pub intended: BTreeSet<EffectId>,
}

impl Agenda {
    /// Whether an earlier leadership may have sent an act: it was asked for before this one began.
    #[must_use]
    pub fn inherited(&self, id: EffectId) -> bool {
        id.position < self.opened
    }

    /// Takes over what folding changes with nearly every entry; `true` when the leader has to look again.
    pub fn follow(&mut self, state: &State) -> bool {
        let (deadline, epoch) = (state.deadline(), state.epoch());
        let configured = state.settings();
        let news = self.deadline != deadline || self.epoch != epoch || self.settings.is_some() != configured.is_some();
        (self.position, self.at, self.deadline, self.epoch) = (state.position(), state.at(), deadline, epoch);
        let same = self.settings.as_ref().zip(configured).is_some_and(|(known, now)| Arc::ptr_eq(known, now));
        if !same {
            self.settings = configured.cloned();
        }
        news
    }

    /// Takes over the acts.
    pub fn take(&mut self, state: &State, acts: &Acts) {
        self.outstanding = state.outstanding();
        self.intended.clone_from(&acts.intended);
        self.opened = acts.opened;
    }
}

/// What the fold shows of intents; not part of State, since only the leadership that appended them asks.
#[derive(Debug, Clone, Default)]
pub struct Acts {
    epoch: u64,
    opened: Position,
    intended: BTreeSet<EffectId>,
}

impl Acts {
    /// Notes an entry that was folded; `true` when it changes what is intended or outstanding.
    pub fn note(&mut self, position: Position, body: &Body) -> bool {
        match body {
            // Said twice when the answer to the first was lost: what was intended since stays intended.
            Body::EngineStarted { epoch, .. } if *epoch == self.epoch => false,
            Body::EngineStarted { epoch, .. } => {
                (self.epoch, self.opened) = (*epoch, position);
                self.intended.clear();
                true
            }
            Body::Intended { id, .. } => self.intended.insert(*id),
            Body::Ended { id, .. } => {
                self.intended.remove(id);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ActionId, Change, EffectResult, Step};

    #[test]
    fn a_leadership_that_opens_twice_keeps_its_intents_and_a_new_one_has_none() {
        let position = |record| Position { record, index: 0 };
        let id = EffectId { position: position(1), number: 0 };
        let act = Act { action: ActionId(1), step: Step::Execute, change: Change::Scale { from: 2, to: 3 } };
        let started = |epoch| Body::EngineStarted { version: "1".to_owned(), epoch };
        let mut acts = Acts::default();
        assert!(acts.note(position(2), &started(4)));
        assert!(acts.note(position(3), &Body::Intended { id, act }));
        assert!(!acts.note(position(4), &started(4)), "the same leadership");
        assert_eq!((acts.intended.len(), acts.opened), (1, position(2)));
        assert!(acts.note(position(5), &started(5)));
        assert_eq!((acts.intended.len(), acts.opened), (0, position(5)));
        assert!(acts.note(position(6), &Body::Ended { id, result: EffectResult::Done }));
    }
}
