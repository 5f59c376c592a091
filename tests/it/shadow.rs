//! The shadow ledger against the truth: the same world, seed and luck, once watched alone and once with every repair made.

use std::collections::BTreeMap;
use std::time::Duration;

use apos::domain::{Body, Money, PaymentId, Record, Time};
use apos::engine::Snapshot;
use apos::engine::snapshot::ShadowSum;
use apos::sim::driver::operator::Deciding;
use apos::sim::{Driver, Scenario, World};

/// Payments that succeeded, and their amounts in the reference currency.
#[derive(Default)]
struct Taken(BTreeMap<PaymentId, Money>);

impl Taken {
    fn see(&mut self, record: &Record, from: Time) {
        for body in &record.bodies {
            if let Body::Payment(event) = body
                && record.at >= from
                && event.kind.success() == Some(true)
                && let Some(amount) = event.amount
            {
                self.0.insert(event.payment.clone(), amount);
            }
        }
    }
}

/// Plays a scenario under a level of autonomy: what succeeded from its start on, and how the engine stands at the end.
fn played(name: &str, seed: u64, deciding: Deciding, minutes: u64) -> (Taken, Snapshot) {
    let mut scenario = Scenario::named(name).unwrap();
    scenario.payments_per_s = scenario.payments_per_s.min(50.0);
    let (start, duration) = (scenario.start, scenario.duration);
    let world = World::new(scenario, seed);
    let mut settings = world.settings();
    settings.autonomy = deciding.levels(&settings.autonomy);
    let mut taken = Taken::default();
    let mut driver = Driver::start(world, settings, &mut |_| {}).decided_by(deciding);
    driver.run_until(start + duration.min(Duration::from_mins(minutes)), &mut |record| taken.see(record, start));
    (taken, driver.snapshot())
}

/// What the ledger says, net, with its interval; and what the other run says.
struct Told {
    payments: (f64, f64, f64),
    truth: f64,
    money: (f64, f64, f64),
    money_truth: f64,
}

fn told(name: &str, seed: u64, minutes: u64) -> Option<Told> {
    let (observed, snapshot) = played(name, seed, Deciding::Observe, minutes);
    let (repaired, _) = played(name, seed, Deciding::Auto, minutes);
    let rates = apos::domain::Settings::default().money;
    let total = |taken: &Taken| -> f64 { taken.0.values().map(|m| m.major() / rates.per_reference[&m.currency]).sum() };
    let sums: Vec<(&ShadowSum, f64)> =
        snapshot.shadows.rows.iter().flat_map(|row| [(&row.saved, 1.0), (&row.harmed, -1.0)]).collect();
    if sums.iter().all(|(sum, _)| sum.repairs == 0) {
        return None;
    }
    let half = |(low, high): (f64, f64)| (high - low) / 2.0;
    let (mut payments, mut spread, mut money, mut money_spread) = (0.0, 0.0, 0.0, 0.0);
    for (sum, sign) in sums {
        payments += sign * sum.payments;
        spread += half(sum.payments_range).powi(2);
        if let (Some(total), Some((low, high))) = (sum.total, sum.total_range) {
            money += sign * total.major();
            money_spread += half((low.major(), high.major())).powi(2);
        }
    }
    let range = |mean: f64, spread: f64| (mean, mean - spread.sqrt(), mean + spread.sqrt());
    Some(Told {
        payments: range(payments, spread),
        truth: repaired.0.len() as f64 - observed.0.len() as f64,
        money: range(money, money_spread),
        money_truth: total(&repaired) - total(&observed),
    })
}

/// Plays scenarios, prints what each was told, and gives how many of how many intervals held the truth.
fn held(names: &[&str], seeds: std::ops::RangeInclusive<u64>, minutes: u64) -> (usize, usize) {
    let (mut held, mut all) = (0, 0);
    for name in names {
        for seed in seeds.clone() {
            let Some(told) = told(name, seed, minutes) else {
                println!("{name} {seed}: nothing was left undone");
                continue;
            };
            let within = |(_, low, high): (f64, f64, f64), truth: f64| low <= truth && truth <= high;
            let (payments, money) = (within(told.payments, told.truth), within(told.money, told.money_truth));
            println!(
                "{name} {seed}: payments {:.0} ({:.0} to {:.0}), in truth {:.0}: {payments}; EUR {:.0} ({:.0} to {:.0}), in truth {:.0}: {money}",
                told.payments.0, told.payments.1, told.payments.2, told.truth,
                told.money.0, told.money.1, told.money.2, told.money_truth,
            );
            all += 2;
            held += usize::from(payments) + usize::from(money);
        }
    }
    (held, all)
}

#[test]
fn the_ledgers_intervals_hold_what_the_repairs_would_have_saved() {
    // More of both is a measurement: APOS_SHADOW_SCENARIOS=outage,flapping-connector APOS_SHADOW_SEEDS=5, with --nocapture.
    let seeds = std::env::var("APOS_SHADOW_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let scenarios = std::env::var("APOS_SHADOW_SCENARIOS").unwrap_or_else(|_| "outage,brownout".to_owned());
    let names: Vec<&str> = scenarios.split(',').collect();
    let (held, all) = held(&names, 1..=seeds, 12);
    println!("{held} of {all} intervals held the truth");
    assert!(all >= 4 && held * 4 >= all * 3, "{held} of {all}");
}
