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

    /// The probability, 0 to 1, that a payment ends well if this attempt goes to an account: at once, by the switch's own
    /// next attempt, or when its customer tries again, and is then sent where this way to route would send it. What is
    /// wrong by then counts; connectors' limits count as they are now, and customers come back after the usual while.
    pub(super) fn prospect(self, world: &World, request: &Request, account: &ConnectorAccount, at: Time) -> f64 {
        self.ends_well(world, request, (account, request.attempt), at)
    }

    fn ends_well(self, world: &World, request: &Request, (account, attempt): (&ConnectorAccount, u16), at: Time) -> f64 {
        let first = world.ends(request, account, at);
        let Some(next) = world.tried_next(request, account) else {
            return first.approved + (first.technical + first.otherwise) * self.comes_back(world, request, attempt, at);
        };
        let second = world.ends(request, next, at);
        let failed_twice = first.technical * (second.technical + second.otherwise);
        first.approved
            + first.technical * second.approved
            + first.otherwise * self.comes_back(world, request, attempt, at)
            + failed_twice * self.comes_back(world, request, attempt + 1, at)
    }

    /// The probability that a customer tries again whose attempt of this number failed, and succeeds in the end.
    fn comes_back(self, world: &World, request: &Request, attempt: u16, at: Time) -> f64 {
        let Some((share, pause)) = world.tried_again(attempt) else { return 0.0 };
        let at = at + pause;
        let account = self.choose(world, request, at);
        account.map_or(0.0, |account| share * self.ends_well(world, request, (account, attempt + 1), at))
    }

    /// The account it takes; none where the merchant has none.
    pub(super) fn choose<'r>(self, world: &'r World, request: &'r Request, at: Time) -> Option<&'r ConnectorAccount> {
        match self {
            Self::Priority => world.usual(request),
            Self::Oracle => {
                let chance = |account: &&ConnectorAccount| world.probability(request, account, at);
                request.eligible.iter().max_by(|a, b| chance(a).total_cmp(&chance(b)))
            }
        }
    }
}
