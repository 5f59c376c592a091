//! Memory of what routing learns: `cargo bench --bench routing`. The column "max alloc" is what a state of so many
//! merchants, connectors and BINs holds, every account and BIN seen on every connector once; differences between the
//! rows are the bytes of a merchant, an account and a BIN.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench that cannot go on has failed")]

use apos::domain::settings::Deduplication;
use apos::domain::{
    Bin, Body, ConnectorAccount, Context, Country, Currency, Entry, EventKind, Method, Money, Network, PaymentEvent, PaymentId,
    Position, ProfileId, Settings, Source, Time,
};
use apos::engine::{State, apply};
use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// One outcome at a connector of a merchant, with a BIN; no decision before it, and nothing else remembered of it.
fn outcome(n: u64, merchant: u64, connector: u64, bin: u64) -> Body {
    Body::Payment(Box::new(PaymentEvent {
        source: Source::Stream,
        event_id: None,
        profile: ProfileId::parse(&format!("pro_{merchant}")).unwrap(),
        payment: PaymentId::parse(&format!("pay_{n}")).unwrap(),
        attempt: Some(1),
        account: Some(ConnectorAccount::parse(&format!("psp{connector}:mca_{merchant}")).unwrap()),
        kind: if n.is_multiple_of(10) { EventKind::Failed } else { EventKind::Captured },
        decline: None,
        amount: Some(Money::new(4_000, Currency::parse("EUR").unwrap())),
        context: Context {
            method: Some(Method::Card),
            network: Some(Network::Visa),
            country: Country::parse("DE").ok(),
            bin: Bin::parse(&format!("{:08}", 40_000_000 + bin)).ok(),
            ..Context::default()
        },
        latency_ms: None,
        attempts_made: None,
        occurred_at: Time::from_secs(1_750_000_000),
    }))
}

/// (merchants, connectors, BINs)
#[divan::bench(sample_count = 1, sample_size = 1, args = [
    (1_000, 20, 1_000), (10_000, 20, 1_000), (1_000, 10, 1_000), (1_000, 20, 50_000), (10_000, 20, 50_000), (10_000, 20, 400_000),
])]
fn state_of(bencher: Bencher, (merchants, connectors, bins): (u64, u64, u64)) {
    bencher.bench_local(|| {
        let mut state = State::new();
        let deduplication = Deduplication { max_payments: 1_000, ..Deduplication::default() };
        let settings = Settings { deduplication, ..Settings::default() };
        let mut effects = Vec::new();
        let mut record = 0;
        let mut push = |body: Body| {
            record += 1;
            let position = Position { record, index: 0 };
            apply(&mut state, &Entry { position, at: Time::from_secs(1_750_000_000), body }, &mut effects);
        };
        push(Body::Configured(settings.into()));
        for n in 0..(merchants * connectors).max(bins * 2) {
            push(outcome(n, n / connectors % merchants, n % connectors, n % bins));
        }
        state
    });
}
