//! The modelled target of acts: what is set stays set, and every call is remembered.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Change, EffectId};

/// What acts are made on.
pub(super) struct Target {
    instances: u16,
    /// Effects that were made, and are as wanted.
    made: BTreeSet<EffectId>,
    /// Effects that were sent since anybody asked what became of them.
    sent: BTreeMap<EffectId, u32>,
    /// Effects that were seen as wanted.
    seen: BTreeSet<EffectId>,
}

impl Target {
    pub(super) const fn new(instances: u16) -> Self {
        Self { instances, made: BTreeSet::new(), sent: BTreeMap::new(), seen: BTreeSet::new() }
    }

    pub(super) const fn instances(&self) -> u16 {
        self.instances
    }

    /// A call leaves a replica; `false` when one left before and nobody asked since what became of it.
    pub(super) fn send(&mut self, id: EffectId) -> bool {
        let sent = self.sent.entry(id).or_default();
        *sent += 1;
        *sent == 1
    }

    /// The call arrives.
    pub(super) fn set(&mut self, id: EffectId, change: &Change) {
        if let Change::Scale { to, .. } = change {
            self.instances = *to;
        }
        self.made.insert(id);
    }

    /// Whether the target is as the effect wants it.
    pub(super) fn read(&mut self, id: EffectId, change: &Change) -> bool {
        let as_wanted = match change {
            Change::Scale { to, .. } => self.instances == *to,
            _ => self.made.contains(&id),
        };
        self.sent.remove(&id);
        if as_wanted {
            self.seen.insert(id);
        }
        as_wanted
    }

    /// Whether an effect was made, or was found as wanted.
    pub(super) fn is_as_wanted(&self, id: EffectId) -> bool {
        self.made.contains(&id) || self.seen.contains(&id)
    }

    /// Whether anything was ever sent for an effect that nobody asked about since.
    pub(super) fn in_doubt(&self, id: EffectId) -> bool {
        self.sent.contains_key(&id)
    }
}
