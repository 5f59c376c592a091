//! Asks the world's switch for attempts that it hides, as the fetcher asks Hyperswitch: the leader alone, a while after it
//! became known that there are some, no faster than allowed.

use std::time::Duration;

use super::Driver;
use crate::domain::{Body, FetchEnd, Time};

impl Driver {
    /// When the switch is asked next, if a payment waits.
    pub(super) fn next_fetch(&self) -> Option<Time> {
        let oldest = self.state.view().hidden().next_back()?;
        let outcomes = &self.world.scenario().outcomes;
        let at = self.ask_from.max(oldest.since + outcomes.fetched_after).max(self.now);
        (outcomes.fetches_per_s > 0.0 && self.is_led(at)).then_some(at)
    }

    /// Asks for the first payment that has waited long enough: what the switch hid, and that it was asked.
    pub(super) fn fetch(&mut self, at: Time) -> Vec<Body> {
        let outcomes = &self.world.scenario().outcomes;
        self.ask_from = at + Duration::from_secs_f64(1.0 / outcomes.fetches_per_s);
        let ready = at - outcomes.fetched_after;
        let Some(hidden) = self.state.view().hidden().find(|hidden| hidden.since <= ready).cloned() else { return Vec::new() };
        let told = self.world.ask(&hidden.payment);
        let end = if told.is_some() { FetchEnd::Told } else { FetchEnd::NotFound };
        let (profile, payment, made) = (hidden.profile, hidden.payment, hidden.made);
        told.map(Body::Payment).into_iter().chain([Body::AttemptsFetched { profile, payment, made, end }]).collect()
    }
}
