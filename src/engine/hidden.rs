//! Attempts that the switch hides: how many there are, and what becomes of asking for them.
//!
//! A webhook tells of a payment's last attempt and how many were made. Those before it are *unseen* until an event tells
//! how they ended, whatever its source. Where somebody asks the switch for them, their payments wait here; who asks, how often and
//! how fast is the runtime's business.

use super::payments::{Coverage, Hidden, Key};
use super::state::State;
use crate::domain::{FetchEnd, PaymentEvent, PaymentId, ProfileId};

impl State {
    /// Counts what an event changed of how many of a payment's attempts are known, and lets the payment wait to be asked
    /// for where it showed that some are hidden.
    pub(super) fn cover(&mut self, key: Key, event: &PaymentEvent, coverage: Coverage) {
        let totals = &mut self.statistics;
        totals.attempts_seen = totals.attempts_seen.saturating_add_signed(coverage.newly_seen);
        totals.attempts_unseen = totals.attempts_unseen.saturating_add_signed(coverage.newly_unseen);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Fetching;
    use crate::domain::testing::{self, account, profile};
    use crate::domain::{Body, Entry, EventKind, Position, Settings, Time};
    use crate::engine::apply;

    /// A state that is told things, one a second.
    #[derive(Default)]
    struct Told(State);

    impl Told {
        fn body(&mut self, body: Body) {
            let record = self.0.position().record + 1;
            let entry = Entry {
                position: Position { record, index: 0 },
                at: Time::from_secs(i64::try_from(record).unwrap() + 1_000),
                body,
            };
            apply(&mut self.0, &entry, &mut Vec::new());
        }

        fn configured(max_waiting: u64) -> Self {
            let mut told = Self::default();
            told.configure(max_waiting);
            told
        }

        fn configure(&mut self, max_waiting: u64) {
            let fetching = Fetching { max_waiting };
            self.body(Body::Configured(Settings { fetching, ..Settings::default() }.into()));
        }

        fn event(&mut self, payment: &str, attempt: u16, kind: EventKind, made: u16) {
            self.body(Body::Payment(Box::new(PaymentEvent {
                payment: testing::payment(payment),
                attempt: Some(attempt),
                account: Some(account("stripe:mca_1")),
                attempts_made: Some(made),
                ..testing::event(kind)
            })));
        }

        fn waiting(&self) -> Vec<(&str, u16)> {
            self.0.view().hidden().map(|hidden| (hidden.payment.as_str(), hidden.made)).collect()
        }

        /// Attempts seen and unseen.
        fn attempts(&self) -> (u64, u64) {
            (self.0.statistics().attempts_seen, self.0.statistics().attempts_unseen)
        }
    }

    #[test]
    fn a_payment_waits_until_all_its_attempts_are_told_of_or_it_was_asked_for() {
        let mut told = Told::configured(9);
        told.event("pay_1", 3, EventKind::Captured, 3);
        told.event("pay_2", 2, EventKind::Failed, 2);
        assert_eq!((told.waiting(), told.attempts()), (vec![("pay_2", 2), ("pay_1", 3)], (2, 3)));
        told.event("pay_1", 1, EventKind::Failed, 3);
        told.event("pay_1", 2, EventKind::Failed, 3);
        assert_eq!((told.waiting(), told.attempts()), (vec![("pay_2", 2)], (4, 1)));
        let (profile, payment) = (profile(), testing::payment("pay_2"));
        told.body(Body::AttemptsFetched { profile, payment, made: 2, end: FetchEnd::NotFound });
        assert_eq!((told.waiting().len(), told.attempts()), (0, (4, 1)));
        assert_eq!(told.0.statistics().fetches_not_found, 1);
        told.event("pay_2", 3, EventKind::Failed, 3);
        assert_eq!(told.waiting().len(), 0, "no further attempt is hidden");
        told.event("pay_2", 5, EventKind::Captured, 5);
        assert_eq!(told.waiting(), [("pay_2", 5)]);
    }

    #[test]
    fn one_that_was_begun_and_overtaken_is_hidden_and_one_that_goes_on_is_not() {
        let mut told = Told::configured(9);
        told.event("pay_1", 1, EventKind::Started, 1);
        assert_eq!((told.waiting().len(), told.attempts()), (0, (1, 0)));
        told.event("pay_1", 2, EventKind::Captured, 2);
        assert_eq!((told.waiting(), told.attempts()), (vec![("pay_1", 2)], (1, 1)));
        told.event("pay_1", 1, EventKind::Failed, 2);
        assert_eq!((told.waiting().len(), told.attempts()), (0, (2, 0)));
        assert_eq!(told.0.statistics().attempts_coverage(), Some(1.0));
    }

    #[test]
    fn the_oldest_are_dropped_and_counted_and_none_waits_where_nobody_asks() {
        let mut told = Told::configured(2);
        for payment in ["pay_1", "pay_2", "pay_3"] {
            told.event(payment, 2, EventKind::Captured, 2);
        }
        assert_eq!((told.waiting(), told.0.statistics().fetches_dropped), (vec![("pay_3", 2), ("pay_2", 2)], 1));
        told.configure(0);
        assert_eq!((told.waiting().len(), told.0.statistics().fetches_dropped), (0, 3));
        told.event("pay_4", 2, EventKind::Captured, 2);
        assert_eq!((told.waiting().len(), told.attempts().1), (0, 4));
    }

    #[test]
    fn the_name_of_a_connector_means_the_only_account_that_can_be_meant() {
        let mut told = Told::configured(9);
        told.event("pay_1", 1, EventKind::Failed, 1);
        let meant = |told: &Told, payment: &str, connector: &str| {
            let (profile, payment) = (profile(), testing::payment(payment));
            told.0.view().account_meant((&profile, &payment), Some(1), connector).map(|account| account.to_string())
        };
        let stripe = Some("stripe:mca_1".to_owned());
        assert_eq!((meant(&told, "pay_1", "stripe"), meant(&told, "pay_2", "stripe")), (stripe.clone(), stripe.clone()));
        assert_eq!(meant(&told, "pay_1", "adyen"), None);
        let second = account("stripe:mca_2");
        told.body(Body::MerchantConfigured { profile: profile(), priority: vec![second] });
        assert_eq!((meant(&told, "pay_1", "stripe"), meant(&told, "pay_2", "stripe")), (stripe, None));
    }
}
