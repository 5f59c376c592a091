//! Benches of the engine, on the mix its promises name: started : decided : outcome 1:1:1, 10 connectors,
//! 500 merchants, 5,000 slices. `cargo bench --bench engine`
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use apos::domain::{
    Bin, Body, ConnectorAccount, Context, Country, Currency, Decline, DeclineClass, Entry, EventKind, Method, Money, Network,
    PaymentEvent, PaymentId, Position, ProfileId, Request, Settings, Source, Time,
};
use apos::engine::{RoutingView, State, apply, decide, snapshot};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const MERCHANTS: u64 = 500;
/// 500 BINs on 10 connectors are the 5,000 slices.
const BINS: u64 = 500;
/// Payments a second of log time.
const RATE: u64 = 1_000;

/// A log of the mix, written while it is folded, so that every decision is a real one.
struct Mix {
    state: State,
    connectors: u64,
    payments: u64,
    entries: Vec<Entry>,
    at: Time,
}

impl Mix {
    fn new(connectors: u64) -> Self {
        let mut mix =
            Self { state: State::new(), connectors, payments: 0, entries: Vec::new(), at: Time::from_secs(1_750_000_000) };
        mix.push(Body::EngineStarted { version: "bench".to_owned(), epoch: 1 });
        mix.push(Body::Configured(Arc::new(Settings::default())));
        mix
    }

    /// The mix after enough payments that every slice has been seen.
    fn warm(connectors: u64) -> Self {
        let mut mix = Self::new(connectors);
        (0..30_000).for_each(|_| mix.pay());
        mix
    }

    fn push(&mut self, body: Body) {
        let position = Position { record: self.state.position().record + 1, index: 0 };
        let entry = Entry { position, at: self.at, body };
        apply(&mut self.state, &entry, &mut Vec::new());
        self.entries.push(entry);
    }

    fn request(&self, n: u64) -> Request {
        let merchant = n * 7 % MERCHANTS;
        Request {
            profile: ProfileId::parse(&format!("pro_{merchant}")).unwrap(),
            payment: PaymentId::parse(&format!("pay_{n:016}")).unwrap(),
            attempt: 1,
            amount: Money::new(i64::try_from(500 + n % 9_500).unwrap(), Currency::parse("EUR").unwrap()),
            context: Context {
                method: Some(Method::Card),
                network: Some(Network::Visa),
                country: Some(Country::parse("DE").unwrap()),
                bin: Some(Bin::parse(&format!("4{:05}", n * 13 % BINS)).unwrap()),
                three_ds: None,
            },
            eligible: (0..self.connectors)
                .map(|c| ConnectorAccount::parse(&format!("connector{c}:mca_{merchant}")).unwrap())
                .collect(),
        }
    }

    fn pay(&mut self) {
        let n = self.payments;
        self.payments += 1;
        self.at = self.at + Duration::from_micros(1_000_000 / RATE);
        let decision = decide(self.state.view(), &|_| 0, self.request(n)).unwrap();
        let (request, account) = (decision.request.clone(), decision.chosen().account.clone());
        let event = |kind| {
            Box::new(PaymentEvent {
                source: Source::Simulation,
                event_id: None,
                profile: request.profile.clone(),
                payment: request.payment.clone(),
                attempt: Some(1),
                account: Some(account.clone()),
                kind,
                decline: (kind == EventKind::Failed)
                    .then(|| Decline { class: DeclineClass::Mixed, code: "do_not_honor".into() }),
                amount: Some(request.amount),
                context: request.context,
                latency_ms: Some(300),
                attempts_made: Some(1),
                occurred_at: self.at,
            })
        };
        let kind = if n.is_multiple_of(10) { EventKind::Failed } else { EventKind::Captured };
        let (started, ended) = (event(EventKind::Started), event(kind));
        self.push(Body::Decided(Arc::new(decision)));
        self.push(Body::Payment(started));
        self.push(Body::Payment(ended));
        if self.payments.is_multiple_of(RATE) {
            self.push(Body::Ticked);
        }
    }
}

/// One decision, the recorded repeat not looked up: promise ≤ 5 µs at 10 connectors.
#[divan::bench(args = [10, 20])]
fn decide_at(bencher: Bencher, connectors: u64) {
    let mix = Mix::warm(connectors);
    let view: RoutingView = mix.state.view().clone();
    let mut n = 1_000_000;
    let next = || {
        n += 1;
        mix.request(n)
    };
    bencher.with_inputs(next).bench_local_values(|request| decide(black_box(&view), &|_| 0, request));
}

/// Entries folded, ticks among them, a view published every 100 entries: promise ≥ 150,000/s.
#[divan::bench(sample_count = 10)]
fn apply_mix(bencher: Bencher) {
    let mut mix = Mix::warm(10);
    let (state, from) = (mix.state.clone(), mix.entries.len());
    (0..50_000).for_each(|_| mix.pay());
    let entries = &mix.entries[from..];
    bencher.counter(ItemsCount::new(entries.len())).with_inputs(|| state.clone()).bench_local_values(|mut state| {
        let mut effects = Vec::new();
        let mut published = state.view().clone();
        for (n, entry) in entries.iter().enumerate() {
            apply(&mut state, entry, &mut effects);
            effects.clear();
            if n % 100 == 0 {
                published = state.view().clone();
            }
        }
        (state, published)
    });
}

/// What a screen or the API costs, at most ten times a second.
#[divan::bench]
fn snapshot_of_the_mix(bencher: Bencher) {
    let mix = Mix::warm(10);
    bencher.bench_local(|| snapshot(black_box(&mix.state)));
}

/// A checkpoint's bytes, off the engine's thread; the clone that it starts from is on it.
#[divan::bench]
fn checkpoint_of_the_mix(bencher: Bencher) {
    let mix = Mix::warm(10);
    bencher.bench_local(|| black_box(&mix.state).checkpoint().len());
}

#[divan::bench]
fn clone_of_the_state(bencher: Bencher) {
    let mix = Mix::warm(10);
    bencher.bench_local(|| black_box(&mix.state).clone());
}
