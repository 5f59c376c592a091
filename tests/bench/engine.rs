//! Benches of the engine, on the mix its promises name. `cargo bench --bench engine`
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench that cannot go on has failed")]

use std::cell::RefCell;

use apos::domain::settings::{Connector, Fee, Merchant, Objective};
use apos::domain::{Body, ConnectorName, Country, Entry, Network, Position, ProfileId, Settings, Time};
use apos::engine::{RoutingView, apply, decide, snapshot};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

mod mix;

use mix::Mix;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// One of a hundred decisions in a row, the recorded repeat not looked up: promise ≤ 5 µs at 10 connectors.
#[divan::bench(args = [10, 20], sample_size = 100)]
fn decide_at(bencher: Bencher, connectors: u64) {
    decide_next(bencher, &Mix::warm(connectors));
}

/// The same where everything is known of a payment that can be.
#[divan::bench(args = [10, 20], sample_size = 100)]
fn decide_all_known_at(bencher: Bencher, connectors: u64) {
    decide_next(bencher, &Mix::warm_all_known(connectors));
}

/// The same with a learnt model in force.
#[divan::bench(args = [10, 20], sample_size = 100)]
fn decide_with_a_model_at(bencher: Bencher, connectors: u64) {
    decide_next(bencher, &Mix::modelled(connectors));
}

/// The same by expected value, for 500 merchants with objectives and ten connectors with fee tables: promise ≤ 5 µs.
#[divan::bench(sample_size = 100)]
fn decide_by_value(bencher: Bencher) {
    let mut mix = Mix::warm(10);
    let objective = Objective { margin_percent: 20.0, cost_weight: 1.0, latency_percent_per_s: 0.1 };
    let merchant = |n| (ProfileId::parse(&format!("pro_{n}")).unwrap(), Merchant { objective, ..Merchant::default() });
    let row = Fee { countries: vec![Country::parse("DE").unwrap()], fee_minor: 10, fee_percent: 0.5, ..Fee::default() };
    let told = Connector { networks: vec![Network::Visa], fees: vec![row], ..Connector::default() };
    let connector = |n| (ConnectorName::parse(&format!("connector{n}")).unwrap(), told.clone());
    let settings = Settings {
        merchants: (0..500).map(merchant).collect(),
        connectors: (0..10).map(connector).collect(),
        ..Settings::default()
    };
    let position = Position { record: mix.state.position().record + 1, index: 0 };
    let entry = Entry { position, at: mix.state.at(), body: Body::Configured(settings.into()) };
    apply(&mut mix.state, &entry, &mut Vec::new());
    decide_next(bencher, &mix);
}

/// Requests that were not decided before, one after another.
fn decide_next(bencher: Bencher, mix: &Mix) {
    let view: RoutingView = mix.state.view().clone();
    let mut n = 1_000_000;
    let next = || {
        n += 1;
        mix.request(n)
    };
    bencher.with_inputs(next).bench_local_values(|request| decide(black_box(&view), &|_| 0, request, Time::ZERO));
}

/// One of a hundred outcomes in a row, folded: their decisions and starts before them are not counted. Promise ≤ 3 µs.
#[divan::bench(sample_count = 100, sample_size = 100)]
fn outcome(bencher: Bencher) {
    fold_outcomes(bencher, || Mix::warm(10), None);
}

/// The same with a view published every 100 entries, as in the program at 20,000 payments a second: what an outcome
/// changes first after that is copied.
#[divan::bench(sample_count = 100, sample_size = 100)]
fn outcome_between_views(bencher: Bencher) {
    fold_outcomes(bencher, || Mix::warm(10), Some(100));
}

/// The same where everything is known of a payment that can be.
#[divan::bench(sample_count = 100, sample_size = 100)]
fn outcome_all_known(bencher: Bencher) {
    fold_outcomes(bencher, || Mix::warm_all_known(10), None);
}

/// The same with a learnt model in force: each outcome judges it, and is kept to train on. Promise ≤ 3 µs.
#[divan::bench(sample_count = 100, sample_size = 100)]
fn outcome_with_a_model(bencher: Bencher) {
    fold_outcomes(bencher, || Mix::modelled(10), None);
}

/// Outcomes of payments that come next, one after another, a view published every so many entries. The state they are
/// folded into is nobody else's, as in the program: only views of it are shared.
fn fold_outcomes(bencher: Bencher, warm: impl Fn() -> Mix, published_every: Option<u64>) {
    let Mix { state, entries: before, .. } = warm();
    let mut mix = warm();
    (0..12_000).for_each(|_| mix.pay());
    let mut entries = mix.entries[before.len()..].iter();
    let folded = RefCell::new((None, state));
    // A sample's inputs are made before any of it is folded, so each entry gets its position when it is.
    let fold = |mut entry: Entry| {
        let (published, state) = &mut *folded.borrow_mut();
        entry.position = Position { record: state.position().record + 1, index: 0 };
        entry.at = entry.at.max(state.at());
        apply(state, &entry, &mut Vec::new());
        if published_every.is_some_and(|every| entry.position.record.is_multiple_of(every)) {
            *published = Some(state.view().clone());
        }
    };
    let is_outcome = |entry: &Entry| matches!(&entry.body, Body::Payment(event) if event.kind.success().is_some());
    let next = || loop {
        let entry = entries.next().unwrap().clone();
        if is_outcome(&entry) {
            return entry;
        }
        fold(entry);
    };
    bencher.with_inputs(next).bench_local_values(fold);
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
