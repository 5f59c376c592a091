//! What a decision says of its own chance is true: over many payments that differ in nothing but their names, an account is
//! chosen as often as the recorded propensities say.

use std::collections::BTreeMap;

use apos::domain::settings::WhenNoneLeft;
use apos::domain::{
    Approach, Body, ConnectorAccount, Entry, EventKind, PaymentEvent, PaymentId, Position, Request, Settings, Time,
};
use apos::engine::route::chances;
use apos::engine::{NoCandidate, RoutingView, State, apply, decide};
use proptest::prelude::*;

use crate::support::plain;

const DECISIONS: u32 = 20_000;
/// Of a binomial share; chance exceeds it once in a million accounts.
const DEVIATIONS: f64 = 5.0;

/// How often each account was chosen, and the propensity that was recorded then; how many payments were refused or probes.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub(super) accounts: BTreeMap<ConnectorAccount, (u32, f64)>,
    refused: u32,
    probes: u32,
}

impl Drawn {
    pub(super) fn share(&self, account: &ConnectorAccount) -> f64 {
        self.accounts.get(account).map_or(0.0, |(count, _)| f64::from(*count) / f64::from(DECISIONS))
    }
}

/// Many payments that differ in nothing but their names: an account is chosen as often as it is recorded, and as `chances`
/// says beforehand; what is missing to 1 is refused.
pub(super) fn check(view: &RoutingView, at: Time, request: &dyn Fn(PaymentId) -> Request) -> Drawn {
    let request = |n: u32| request(PaymentId::parse(&format!("many_{n}")).unwrap());
    let mut drawn = Drawn::default();
    for n in 0..DECISIONS {
        let decision = match decide(view, &|_| 0, request(n), at) {
            Ok(decision) => decision,
            Err(NoCandidate::Excluded(_)) => {
                drawn.refused += 1;
                continue;
            }
            Err(unnamed) => panic!("{unnamed}"),
        };
        drawn.probes += u32::from(decision.approach == Approach::Probe);
        let account = decision.chosen().account.clone();
        let (count, propensity) = drawn.accounts.entry(account).or_insert((0, decision.propensity));
        // The view stands still, so an account's propensity is the same however it came to be chosen.
        assert!((*propensity - decision.propensity).abs() < 1e-12, "{propensity} {}", decision.propensity);
        *count += 1;
    }
    let is_share = |count: u32, share: f64| {
        let deviation = (share * f64::from(DECISIONS) * (1.0 - share)).max(0.0).sqrt().max(1.0);
        (f64::from(count) - share * f64::from(DECISIONS)).abs() < DEVIATIONS * deviation
    };
    let (named, chances) = (request(0), chances(view, &|_| 0, &request(0), at, None).unwrap());
    for (account, chance) in named.eligible.iter().zip(&chances) {
        let (count, propensity) = drawn.accounts.get(account).copied().unwrap_or((0, *chance));
        assert!((propensity - chance).abs() < 1e-12, "{account}: {propensity} recorded, {chance} told beforehand");
        assert!(is_share(count, *chance), "{account}: {count} at {chance}");
    }
    assert!(is_share(drawn.refused, 1.0 - chances.iter().sum::<f64>()), "{drawn:?} {chances:?}");
    drawn
}

/// A world that stands still: accounts of known shares of success, of some of which, the last, the breakers are open.
#[derive(Debug, Clone, Default)]
struct Still {
    seed: u64,
    uniform_share: f64,
    probe_share: f64,
    accounts: u32,
    open: u32,
    /// Where all are excluded payments are refused.
    refuse: bool,
    /// Two arms of an experiment share the payments, one of which leaves nothing to chance.
    arms: bool,
}

impl Still {
    fn account(number: u32) -> ConnectorAccount {
        plain::account(&format!("psp{number}:mca_1"))
    }

    fn request(&self, payment: &PaymentId) -> Request {
        let eligible = (0..self.accounts).map(Self::account).collect();
        plain::request(plain::profile("pro_1"), payment.as_str(), eligible)
    }

    /// A hundred outcomes of each account, nine in ten approved, and a run of failures of those whose breaker is open.
    fn state(&self) -> State {
        let mut settings = Settings { seed: self.seed, ..Settings::default() };
        settings.routing.uniform_share = self.uniform_share;
        settings.routing.probe_share = self.probe_share;
        if self.arms {
            let text =
                "[experiments.x]\narms = [{ name = \"a\", share = 50 }, { name = \"b\", share = 25, uniform_share = 0.0 }]\n";
            settings.experiments = toml::from_str::<Settings>(text).unwrap().experiments;
        }
        let (mut state, mut effects) = (State::new(), Vec::new());
        let mut push = |state: &mut State, body: Body| {
            let position = Position { record: state.position().record + 1, index: 0 };
            apply(state, &Entry { position, at: Time::from_secs(1_000), body }, &mut effects);
        };
        push(&mut state, Body::Configured(settings.clone().into()));
        let told = |n: u32, account: u32, failed: bool| {
            let kind = if failed { EventKind::Failed } else { EventKind::Captured };
            let event = plain::event(plain::profile("pro_1"), &format!("before_{n}"), Self::account(account), kind);
            PaymentEvent { occurred_at: Time::from_secs(1_000), ..event }
        };
        for n in 0..100 * self.accounts {
            let outcome = told(n, n % self.accounts, (n / self.accounts).is_multiple_of(10));
            push(&mut state, Body::Payment(Box::new(outcome)));
        }
        let open = self.accounts - self.open..self.accounts;
        for (n, account) in (1_000_000..).zip(open.clone().flat_map(|account| [account; 6])) {
            push(&mut state, Body::Payment(Box::new(told(n, account, true))));
        }
        // What was sent there just now is no reason to probe it by time.
        for number in open {
            let request = self.request(&plain::payment(&format!("now_{number}")));
            let mut sent = decide(state.view(), &|_| 0, request, Time::from_secs(1_000)).unwrap();
            let place = sent.candidates.iter().position(|one| one.account == Self::account(number)).unwrap();
            sent.chosen = u16::try_from(place).unwrap();
            push(&mut state, Body::Decided(sent.into()));
        }
        if self.refuse {
            settings.routing.when_none_left = WhenNoneLeft::Refuse;
            push(&mut state, Body::Configured(settings.into()));
        }
        state
    }

    fn check(&self) -> Drawn {
        check(self.state().view(), Time::from_secs(1_000), &|payment| self.request(&payment))
    }
}

/// Where all are excluded and payments are refused but for probes, a probe is as rare as its share, not certain.
#[test]
fn a_probe_of_what_would_be_refused_is_as_rare_as_its_share() {
    let refusing =
        |accounts, arms| Still { seed: 7, probe_share: 0.1, accounts, open: accounts, refuse: true, arms, ..Still::default() };
    for still in [refusing(1, false), refusing(3, false), refusing(1, true), refusing(3, true)] {
        let drawn = still.check();
        let promised: f64 = drawn.accounts.values().map(|(_, propensity)| propensity).sum();
        assert!((promised - 0.1).abs() < 1e-12 && drawn.probes + drawn.refused == DECISIONS, "{still:?}: {drawn:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn an_account_is_chosen_as_often_as_its_propensity_says(
        seed: u64, uniform_share in 0.0..0.5, probe_share in 0.0..0.2, accounts in 2_u32..6, open in 0_u32..3, refuse: bool, arms: bool,
    ) {
        let drawn = Still { seed, uniform_share, probe_share, accounts, open, refuse, arms }.check();
        prop_assert!(open > 0 || drawn.probes == 0, "{:?}", drawn);
        prop_assert!((refuse && open == accounts) || drawn.refused == 0, "{:?}", drawn);
    }
}
