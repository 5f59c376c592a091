//! What a decision says of its own chance is true: over many payments that differ in nothing but their names, an account is
//! chosen as often as the recorded propensities say.

use std::collections::BTreeMap;

use apos::domain::{
    Approach, Body, ConnectorAccount, Context, Currency, Decline, DeclineClass, Entry, EventKind, Money, PaymentEvent,
    PaymentId, Position, ProfileId, Request, Settings, Source, Time,
};
use apos::engine::{State, apply, decide};
use proptest::prelude::*;

const DECISIONS: u32 = 20_000;
/// Of a binomial share; chance exceeds it once in a million accounts.
const DEVIATIONS: f64 = 5.0;

/// A world that stands still: accounts of known shares of success, the last of them with an open breaker or not.
#[derive(Debug, Clone)]
struct Still {
    seed: u64,
    uniform_share: f64,
    probe_share: f64,
    accounts: u32,
    open: bool,
}

impl Still {
    fn account(number: u32) -> ConnectorAccount {
        ConnectorAccount::parse(&format!("psp{number}:mca_1")).unwrap()
    }

    fn request(payment: &str, accounts: u32) -> Request {
        Request {
            profile: ProfileId::parse("pro_1").unwrap(),
            payment: PaymentId::parse(payment).unwrap(),
            attempt: 1,
            amount: Money::new(4_000, Currency::parse("EUR").unwrap()),
            context: Context::default(),
            eligible: (0..accounts).map(Self::account).collect(),
        }
    }

    /// A hundred outcomes of each account, nine in ten approved, and a run of failures of the last where its breaker is open.
    fn state(&self) -> State {
        let mut settings = Settings { seed: self.seed, ..Settings::default() };
        settings.routing.uniform_share = self.uniform_share;
        settings.routing.probe_share = self.probe_share;
        let mut state = State::new();
        let mut effects = Vec::new();
        let mut push = |body: Body| {
            let position = Position { record: state.position().record + 1, index: 0 };
            apply(&mut state, &Entry { position, at: Time::from_secs(1_000), body }, &mut effects);
        };
        push(Body::Configured(settings.into()));
        let told = |n: u32, account: u32, failed: bool| PaymentEvent {
            source: Source::Feedback,
            event_id: None,
            profile: ProfileId::parse("pro_1").unwrap(),
            payment: PaymentId::parse(&format!("before_{n}")).unwrap(),
            attempt: Some(1),
            account: Some(Self::account(account)),
            kind: if failed { EventKind::Failed } else { EventKind::Captured },
            decline: failed.then(|| Decline { class: DeclineClass::Gateway, code: "timeout".into() }),
            amount: None,
            context: Context::default(),
            latency_ms: None,
            attempts_made: None,
            occurred_at: Time::from_secs(1_000),
        };
        for n in 0..100 * self.accounts {
            push(Body::Payment(Box::new(told(n, n % self.accounts, (n / self.accounts).is_multiple_of(10)))));
        }
        for n in 0..if self.open { 6 } else { 0 } {
            push(Body::Payment(Box::new(told(1_000_000 + n, self.accounts - 1, true))));
        }
        // What was sent there just now is no reason to probe it by time.
        let request = Self::request("now", self.accounts);
        let mut sent = decide(state.view(), &|_| 0, request, Time::from_secs(1_000)).unwrap();
        let last = sent.candidates.iter().position(|one| one.account == Self::account(self.accounts - 1)).unwrap();
        sent.chosen = u16::try_from(last).unwrap();
        let position = Position { record: state.position().record + 1, index: 0 };
        let body = Body::Decided(sent.into());
        apply(&mut state, &Entry { position, at: Time::from_secs(1_000), body }, &mut Vec::new());
        state
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn an_account_is_chosen_as_often_as_its_propensity_says(
        seed: u64, uniform_share in 0.0..0.5, probe_share in 0.0..0.2, accounts in 2_u32..6, open: bool,
    ) {
        let still = Still { seed, uniform_share, probe_share, accounts, open };
        let state = still.state();
        let mut chosen: BTreeMap<ConnectorAccount, (u32, f64)> = BTreeMap::new();
        for n in 0..DECISIONS {
            let request = Still::request(&format!("pay_{n}"), accounts);
            let decision = decide(state.view(), &|_| 0, request, Time::from_secs(1_000)).unwrap();
            prop_assert!(open || decision.approach != Approach::Probe);
            let (count, propensity) = chosen.entry(decision.chosen().account.clone()).or_insert((0, decision.propensity));
            // The view stands still, so an account's propensity is the same however it came to be chosen.
            prop_assert!((*propensity - decision.propensity).abs() < 1e-12, "{propensity} {}", decision.propensity);
            *count += 1;
        }
        let total: f64 = chosen.values().map(|(_, propensity)| propensity).sum();
        prop_assert!(total < 1.0 + 1e-9, "{chosen:?}");
        for (account, (count, propensity)) in &chosen {
            let (expected, count) = (propensity * f64::from(DECISIONS), f64::from(*count));
            let deviation = (expected * (1.0 - propensity)).sqrt().max(1.0);
            prop_assert!((count - expected).abs() < DEVIATIONS * deviation, "{account}: {count} for {expected}");
        }
    }
}
