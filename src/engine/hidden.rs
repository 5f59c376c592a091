//! Attempts that the switch hides: how many there are, and what becomes of asking for them.
//!
//! A webhook tells of a payment's last attempt and how many were made. Those before it are *unseen* until an event tells
//! of them, whatever its source. Where somebody asks the switch for them, their payments wait here; who asks, how often and
//! how fast is the runtime's business.

use super::payments::{Coverage, Hidden, Key};
use super::state::State;
use crate::domain::{FetchEnd, PaymentEvent, PaymentId, ProfileId};

impl State {
    /// Counts what an event changed of how many of a payment's attempts are known, and lets the payment wait to be asked
    /// for where it showed that some are hidden.
    pub(super) fn cover(&mut self, key: Key, event: &PaymentEvent, coverage: Coverage) {
        self.statistics.attempts_seen += u64::from(coverage.newly_seen);
        self.statistics.attempts_unseen = self.statistics.attempts_unseen.saturating_add_signed(coverage.newly_unseen);
        let max = self.max_waiting();
        if max == 0 {
            return;
        }
        let waiting = &mut self.view.payments.hidden;
        if coverage.unseen == 0 {
            waiting.settle(key, coverage.made);
        } else if coverage.newly_unseen > 0 {
            let (profile, payment) = (event.profile.clone(), event.payment.clone());
            let hidden = Hidden { profile, payment, made: coverage.made, since: self.view.at };
            self.statistics.fetches_dropped += waiting.note(key, hidden, max) as u64;
        }
    }

    /// The switch was asked for a payment's attempts.
    pub(super) fn fetched(&mut self, (profile, payment): (&ProfileId, &PaymentId), made: u16, end: FetchEnd) {
        let counter = match end {
            FetchEnd::Told => &mut self.statistics.fetches_told,
            FetchEnd::NotFound => &mut self.statistics.fetches_not_found,
            FetchEnd::GivenUp => &mut self.statistics.fetches_given_up,
        };
        *counter += 1;
        self.view.payments.hidden.settle(Key::of(profile, payment), made);
    }

    /// A configuration came into force: fewer may have to wait, or nobody asks any more.
    pub(super) fn keep_waiting(&mut self) {
        let max = self.max_waiting();
        self.statistics.fetches_dropped += self.view.payments.hidden.keep(max) as u64;
    }

    fn max_waiting(&self) -> usize {
        usize::try_from(self.view.settings.fetching.max_waiting).unwrap_or(usize::MAX)
    }
}
