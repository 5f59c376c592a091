//! Benches of the engine, on the mix its promises name. `cargo bench --bench engine`
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench that cannot go on has failed")]

use apos::domain::{Body, Entry, EventKind, Time};
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
    let mix = Mix::warm(connectors);
    let view: RoutingView = mix.state.view().clone();
    let mut n = 1_000_000;
    let next = || {
        n += 1;
        mix.request(n)
    };
    bencher.with_inputs(next).bench_local_values(|request| decide(black_box(&view), &|_| 0, request, Time::ZERO));
}

/// The same with a learnt model in force.
#[divan::bench(args = [10, 20], sample_size = 100)]
fn decide_with_a_model_at(bencher: Bencher, connectors: u64) {
    let mix = Mix::modelled(connectors);
    let view: RoutingView = mix.state.view().clone();
    let mut n = 1_000_000;
    let next = || {
        n += 1;
        mix.request(n)
    };
    bencher.with_inputs(next).bench_local_values(|request| decide(black_box(&view), &|_| 0, request, Time::ZERO));
}

/// Outcomes folded with a model in force, judged and kept to train on: promise ≤ 3 µs each.
#[divan::bench(sample_count = 10)]
fn outcomes_with_a_model(bencher: Bencher) {
    let mut mix = Mix::modelled(10);
    let (state, from) = (mix.state.clone(), mix.entries.len());
    (0..20_000).for_each(|_| mix.pay());
    let outcome = |entry: &&Entry| matches!(&entry.body, Body::Payment(event) if event.kind != EventKind::Started);
    let entries: Vec<Entry> = mix.entries[from..].iter().filter(outcome).cloned().collect();
    bencher.counter(ItemsCount::new(entries.len())).with_inputs(|| state.clone()).bench_local_values(|mut state| {
        entries.iter().for_each(|entry| apply(&mut state, entry, &mut Vec::new()));
        state
    });
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
