//! Who routes without an engine: fixed priority, and somebody who knows everything.

use super::world::{Tally, World, WorldEvent};
use crate::domain::{ConnectorAccount, Request, Time};

/// A way to route that needs no engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// The first account of the merchant's list that can handle the payment, whatever is wrong with it.
    Priority,
    /// The account that is best at this moment, by the world's own probabilities.
    Oracle,
}

impl Baseline {
    /// Plays a world from its origin to a time.
    #[must_use]
    pub fn play(self, mut world: World, until: Time) -> Tally {
        loop {
            let at = world.next_at();
            if at > until {
                return world.tally();
            }
            if let WorldEvent::Arrival(request) = world.step()
                && let Some(account) = self.choose(&world, &request, at).cloned()
            {
                world.routed(&request, &account, at);
            }
        }
    }

    fn choose<'r>(self, world: &'r World, request: &'r Request, at: Time) -> Option<&'r ConnectorAccount> {
        match self {
            Self::Priority => world.usual(request),
            Self::Oracle => {
                let chance = |account: &&ConnectorAccount| world.probability(request, account, at);
                request.eligible.iter().max_by(|a, b| chance(a).total_cmp(&chance(b)))
            }
        }
    }
}
