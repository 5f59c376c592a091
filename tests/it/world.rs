//! The simulated world: seeds, scenarios, the demo.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

use std::time::Duration;

use apos::domain::{
    ActionClass, Body, Change, Command, ConnectorAccount, EventKind, OperatorName, Order, PaymentEvent, Record, Request, Time,
};
use apos::engine::snapshot::{ActionStatus, AnomalyType};
use apos::sim::chance::{Family, Stream};
use apos::sim::{Driver, Scenario, ScenarioError, World, WorldEvent};

/// Everything that happens in a world from its start on, each payment sent where `choose` says; while it warms up nobody
/// looks.
fn watch(
    world: &mut World,
    span: Duration,
    choose: &dyn Fn(&Request) -> ConnectorAccount,
    see: &mut dyn FnMut(Time, &WorldEvent),
) {
    let start = world.scenario().start;
    let until = start + span;
    while world.next_at() <= until {
        let at = world.next_at();
        let event = world.step();
        if at >= start {
            see(at, &event);
        }
        if let WorldEvent::Arrival(request) = &event {
            world.routed(request, &choose(request), at);
        }
    }
}

fn account_at<'r>(request: &'r Request, connector: &str) -> &'r ConnectorAccount {
    request.eligible.iter().find(|account| account.connector() == connector).unwrap()
}

fn to(connector: &'static str) -> impl Fn(&Request) -> ConnectorAccount {
    move |request| account_at(request, connector).clone()
}

fn named(name: &str, seed: u64) -> World {
    World::new(Scenario::named(name).unwrap(), seed)
}

/// The hash of everything that happens in two minutes.
fn history(seed: u64) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    watch(&mut named("outage", seed), Duration::from_mins(2), &to("adyen"), &mut |at, event| {
        hasher.update(format!("{at} {event:?}").as_bytes());
    });
    hasher.finalize()
}

#[test]
fn the_same_seed_gives_the_same_world() {
    assert_eq!(history(7), history(7));
    assert_ne!(history(7), history(8));
}

#[test]
fn one_more_draw_moves_nothing_elsewhere() {
    let undisturbed = Stream::new(1, "arrivals").unit().to_bits();
    let mut other = Stream::new(1, "resources");
    other.normal();
    assert_eq!(Stream::new(1, "arrivals").unit().to_bits(), undisturbed);
    let family = Family::new(1, "luck");
    let second = family.stream(2).unit().to_bits();
    let mut first = family.stream(1);
    first.unit();
    first.unit();
    assert_eq!(family.stream(2).unit().to_bits(), second);
}

/// Outcomes of the scenario's first minutes when everything goes to one connector, by payment.
fn outcomes(name: &str, connector: &'static str, span: Duration) -> Vec<(u64, PaymentEvent)> {
    let mut outcomes = Vec::new();
    watch(&mut named(name, 5), span, &to(connector), &mut |_, event| {
        if let WorldEvent::Event(event) = event
            && event.kind.success().is_some()
        {
            let number = event.payment.as_str().trim_start_matches("pay_").parse().unwrap();
            outcomes.push((number, (**event).clone()));
        }
    });
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes
}

/// Sent to another connector, the same payments arrive at the same times, and most meet the same end: what differs
/// is the connector's part alone.
#[test]
fn the_same_payment_meets_the_same_luck_whatever_is_decided() {
    let (at_stripe, at_adyen) =
        (outcomes("calm", "stripe", Duration::from_mins(3)), outcomes("calm", "adyen", Duration::from_mins(3)));
    let both = at_stripe.iter().filter_map(|(number, stripe)| {
        let found = at_adyen.binary_search_by_key(number, |(number, _)| *number).ok()?;
        Some((stripe, &at_adyen[found].1))
    });
    let pairs: Vec<_> = both.collect();
    assert!(pairs.len() > 8_000, "{}", pairs.len());
    for (stripe, adyen) in &pairs {
        assert_eq!((&stripe.profile, stripe.amount, stripe.context), (&adyen.profile, adyen.amount, adyen.context));
    }
    let same = pairs.iter().filter(|(stripe, adyen)| stripe.kind == adyen.kind).count();
    // Independent luck would agree on 0.93 × 0.935 + 0.07 × 0.065 = 87 %.
    assert!(same * 100 > pairs.len() * 94, "{same} of {}", pairs.len());
}

#[test]
fn attempts_succeed_as_often_as_the_world_says_they_do() {
    for connector in ["stripe", "adyen"] {
        let (mut expected, mut variance, mut won, mut answered) = (0.0, 0.0, 0.0, 0.0);
        let mut world = named("calm", 11);
        let mut chances = std::collections::BTreeMap::new();
        let until = world.scenario().start + Duration::from_mins(20);
        while world.next_at() <= until {
            let at = world.next_at();
            match world.step() {
                WorldEvent::Arrival(request) => {
                    let account = account_at(&request, connector);
                    chances.insert(request.payment.clone(), world.probability(&request, account, at));
                    world.routed(&request, account, at);
                }
                WorldEvent::Event(event) => {
                    let Some(success) = event.kind.success() else { continue };
                    let p = chances[&event.payment];
                    expected += p;
                    variance += p * (1.0 - p);
                    won += f64::from(u8::from(success));
                    answered += 1.0;
                }
                WorldEvent::Sample(_) | WorldEvent::Deployed(_) => {}
            }
        }
        let z = (won - expected) / f64::sqrt(variance);
        assert!(z.abs() < 4.5 && answered > 50_000.0, "{connector}: {won} of {answered}, expected {expected}: z = {z}");
        let stated = if connector == "stripe" { 0.93 } else { 0.935 };
        assert!((won / answered - stated).abs() < 0.015, "{connector}: {} is not near {stated}", won / answered);
    }
}

#[test]
fn traffic_is_poisson_at_the_stated_rate() {
    let mut counts = [0_u32; 600];
    let mut world = named("calm", 3);
    let start = world.scenario().start;
    watch(&mut world, Duration::from_secs(599), &to("stripe"), &mut |at, event| {
        if matches!(event, WorldEvent::Arrival(_)) {
            counts[usize::try_from(at.since(start).as_secs()).unwrap()] += 1;
        }
    });
    let mean = counts.iter().map(|c| f64::from(*c)).sum::<f64>() / 600.0;
    let variance = counts.iter().map(|c| (f64::from(*c) - mean) * (f64::from(*c) - mean)).sum::<f64>() / 600.0;
    // From 09:00 to 09:10 the season rises from 1 to 1.013.
    assert!((mean - 50.3).abs() < 1.5, "{mean}");
    // The ratio of a Poisson variable's variance to its mean is 1, within √(2 ÷ 600) = 0.058 a deviation.
    assert!((variance / mean - 1.0).abs() < 0.25, "{}", variance / mean);
}

#[test]
fn the_season_turns_over_a_day() {
    let text = "name = \"night\"\nstart = \"2026-03-03T03:00:00Z\"\nseason = 0.9\n";
    let night = World::new(Scenario::parse("night.toml", text).unwrap(), 1);
    let day = World::new(Scenario::parse("day.toml", &text.replace("T03", "T15")).unwrap(), 1);
    let arrivals = |mut world: World| {
        let mut count = 0;
        watch(&mut world, Duration::from_mins(2), &to("stripe"), &mut |_, event| {
            count += u32::from(matches!(event, WorldEvent::Arrival(_)));
        });
        count
    };
    let (night, day) = (arrivals(night), arrivals(day));
    assert!(night > 400 && night < 800 && day > 10_600 && day < 12_200, "{night} {day}");
}

/// Share of attempts that succeeded of those sent in a span of the scenario, and their mean latency.
fn rate_within(
    name: &str,
    connector: &'static str,
    from_s: u64,
    to_s: u64,
    only: &dyn Fn(&PaymentEvent) -> bool,
) -> (f64, f64) {
    let start = Scenario::named(name).unwrap().start;
    let (mut won, mut all, mut latency) = (0.0, 0.0, 0.0);
    for (_, event) in outcomes(name, connector, Duration::from_secs(to_s + 40)) {
        let took = event.latency_ms.unwrap();
        let sent = (event.occurred_at - Duration::from_millis(u64::from(took))).since(start).as_secs();
        if (from_s..to_s).contains(&sent) && only(&event) {
            won += f64::from(u8::from(event.kind.success() == Some(true)));
            all += 1.0;
            latency += f64::from(took);
        }
    }
    assert!(all > 0.0, "no attempt to judge");
    (won / all, latency / all)
}

#[test]
fn faults_do_what_they_say_where_and_when_they_say_it() {
    let all = |_: &PaymentEvent| true;
    let check = |what: &str, rate: f64, low: f64, high: f64| assert!((low..=high).contains(&rate), "{what}: {rate}");
    check("adyen before its outage", rate_within("outage", "adyen", 0, 19, &all).0, 0.88, 0.98);
    check("adyen in its outage", rate_within("outage", "adyen", 21, 80, &all).0, 0.0, 0.05);
    check("stripe in adyen's outage", rate_within("outage", "stripe", 21, 80, &all).0, 0.88, 0.97);
    check("adyen after its outage", rate_within("outage", "adyen", 501, 560, &all).0, 0.88, 0.98);
    check("stripe in its brown-out", rate_within("brownout", "stripe", 31, 90, &all).0, 0.5, 0.62);
    let bin = |event: &PaymentEvent| event.context.bin.is_some_and(|bin| bin.to_string() == "424242");
    check("the failing BIN", rate_within("bin-failure", "checkout", 31, 120, &bin).0, 0.0, 0.12);
    check(
        "other cards",
        rate_within("bin-failure", "checkout", 31, 120, &|e| {
            !bin(e) && e.decline.as_ref().is_none_or(|d| d.code != "payment_method_not_supported")
        })
        .0,
        0.86,
        0.97,
    );
    check("the failing BIN elsewhere", rate_within("bin-failure", "stripe", 31, 120, &bin).0, 0.8, 1.0);
    let (calm, slow) = (rate_within("latency", "adyen", 0, 29, &all), rate_within("latency", "adyen", 31, 90, &all));
    check("latency's factor", slow.1 / calm.1, 4.5, 7.0);
    check("success in spite of latency", slow.0, 0.88, 0.98);
}

#[test]
fn bursts_and_spikes_bring_traffic() {
    let arrivals = |name: &str, only: &dyn Fn(&Request) -> bool| {
        let mut counts = [0_u32; 2];
        let mut world = named(name, 2);
        let start = world.scenario().start;
        watch(&mut world, Duration::from_mins(2), &to("stripe"), &mut |at, event| {
            if let WorldEvent::Arrival(request) = event
                && only(request)
            {
                // The first 30 s, and the last 30 s: each before and within the fault.
                let second = at.since(start).as_secs();
                counts[0] += u32::from(second < 30);
                counts[1] += u32::from(second >= 90);
            }
        });
        f64::from(counts[1]) / f64::from(counts[0])
    };
    let spike = arrivals("black-friday", &|_| true);
    assert!((3.5..4.6).contains(&spike), "{spike}");
    let lumen = |request: &Request| request.profile.as_str() == "pro_lumen";
    let burst = arrivals("fraud-burst", &lumen);
    assert!((4.8..7.5).contains(&burst), "{burst}");
    let others = arrivals("fraud-burst", &|request| !lumen(request));
    assert!((0.85..1.2).contains(&others), "{others}");
}

#[test]
fn embedded_scenarios_load_and_run() {
    for name in Scenario::names() {
        let scenario = Scenario::named(name).unwrap();
        assert_eq!(scenario.name, name);
        assert!(scenario.description.ends_with('.'), "{name}");
        let mut kinds = std::collections::BTreeSet::new();
        let mut last = scenario.start;
        watch(&mut World::new(scenario, 1), Duration::from_mins(2), &to("stripe"), &mut |at, event| {
            assert!(at >= last, "time runs backwards");
            last = at;
            kinds.insert(match event {
                WorldEvent::Arrival(_) => "arrival",
                WorldEvent::Sample(_) => "sample",
                WorldEvent::Event(event) if event.kind == EventKind::Started => "start",
                WorldEvent::Event(_) => "outcome",
                WorldEvent::Deployed(_) => return,
            });
        });
        assert_eq!(kinds.len(), 4, "{name}: {kinds:?}");
    }
}

#[test]
fn calm_lists_every_default() {
    let calm = Scenario::named("calm").unwrap();
    let default = Scenario {
        name: calm.name.clone(),
        description: calm.description.clone(),
        expectations: calm.expectations.clone(),
        ..Scenario::default()
    };
    assert_eq!(calm, default);
}

#[test]
fn errors_name_the_file_the_line_and_the_remedy() {
    let check = |text: &str, line: usize, allowed: &str| {
        let error = Scenario::parse("my.toml", &format!("name = \"my\"\n{text}\n")).unwrap_err();
        assert!(matches!(&error, ScenarioError::Invalid { line: found, .. } if *found == line), "{error}");
        let shown = error.to_string();
        assert!(shown.starts_with(&format!("my.toml:{line}: ")) && shown.contains(allowed), "{shown}");
        assert!(shown.contains("Correct that line"), "{shown}");
    };
    check("payments_per_s = 0.0", 2, "0.01 to 20000");
    check("\npayment_per_s = 5.0", 3, "payments_per_s");
    check("season = 1.0", 2, "0 to 0.95");
    check("start = \"yesterday\"", 2, "RFC 3339");
    check("duration = \"ten minutes\"", 2, "ms, s, m, h or d");
    check("pinned = 13", 2, "0 to 12");
    check("merchants = 0\npinned = 0", 3, "1 or more");
    check("pinned_first = \"paypal\"", 2, "adyen, braintree, checkout, stripe, worldpay");
    check("[methods]\ncard = -1.0", 3, "above 0");
    check("[methods]\ncards = 1.0", 3, "wallet");
    check("[countries]\nGermany = 1.0", 3, "two-letter country code");
    check("[connectors.stripe]\nsuccess = 1.0", 3, "0.01 to 0.965");
    check("[connectors.stripe]\nsuccess = 1.5", 3, "0 to 1");
    check("[connectors.stripe]\nlatency_ms_p95 = 10.0", 3, "latency_ms");
    check("[connectors.stripe]\nmethods = [\"card\"]", 2, "no connector handles pay_later in EUR");
    check("[[merchant]]\nprofile = \"pro_x\"\n[[merchant]]\nprofile = \"pro_x\"", 5, "twice");
    check("[[merchant]]\nprofile = \"pro_x\"\npriority = [\"paypal\"]", 4, "no connector is called");
    check("[[bin]]\nbin = \"4242\"\ncountry = \"DE\"", 3, "six to eight digits");
    check("\n[[fault]]\nkind = \"outage\"\nat = \"20s\"\nfor = \"8m\"", 3, "needs a `connector`");
    check("[[fault]]\nkind = \"outrage\"\nat = \"20s\"\nfor = \"8m\"", 3, "outage");
    check("[[fault]]\nkind = \"outage\"\nat = \"20s\"\nfor = \"8m\"\nconnector = \"paypal\"", 6, "no connector is called");
    check("[[fault]]\nkind = \"brownout\"\nat = \"20s\"\nfor = \"8m\"\nconnector = \"adyen\"\nstrength = 2.0", 7, "0 to 1");
    check("[[fault]]\nkind = \"traffic_spike\"\nat = \"20s\"\nfor = \"8m\"\nbin = \"424242\"", 6, "no `bin`");
    check("[[fault]]\nkind = \"bin_failure\"\nat = \"20s\"\nfor = \"8m\"\nbin = \"999999\"", 6, "424242");
    check("[[fault]]\nkind = \"traffic_spike\"\nat = \"20s\"\nfor = \"8m\"\nmerchant = \"pro_y\"", 6, "pro_lumen");
    check("[[fault]]\nkind = \"traffic_spike\"\nat = \"20s\"\nfor = \"0s\"", 5, "1ms or more");
    check("[[fault]]\nkind = \"log_down\"\nat = \"20s\"\nfor = \"1m\"\nshape = \"ramp\"", 6, "`step` or `flap`");
    check("[[fault]]\nkind = \"scheme_outage\"\nat = \"20s\"\nfor = \"1m\"", 2, "needs a `network`");
    check(
        "[[fault]]\nkind = \"currency_failure\"\nat = \"1s\"\nfor = \"1m\"\nconnector = \"adyen\"\ncurrency = \"JPY\"",
        7,
        "EUR, GBP, USD",
    );
    check("[[fault]]\nkind = \"webhook_storm\"\nat = \"1s\"\nfor = \"5m\"\nshape = \"flap\"\nperiod = \"1s\"", 7, "2s to");
    check("[[expect]]\nfalse_incidents_at_most = 0\nsuccess_rate_at_least = 0.5", 4, "says one thing");
    check("[[expect]]\ndetected_within = \"1m\"", 2, "this scenario has none: add a [[fault]]");
    check("[[expect]]\nneeds = \"ears\"\nfalse_incidents_at_most = 0", 3, "eyes");
    check("[[expect]]\nsaved_share_at_least = 60", 3, "0 to 1");
    check("[[expect]]\nfalse_incidents_at_most = -1", 3, "-1 is out of range: allowed are whole numbers from 0 on");
    check("seed = -1", 2, "-1 is out of range: allowed are whole numbers from 0 on");
    check("merchants = -1", 2, "whole numbers from 0 on");
    check("duration = \"0s\"", 2, "from 1ms to 365d");
    check("duration = \"1m\"\n[[fault]]\nkind = \"log_down\"\nat = \"60s\"\nfor = \"1m\"", 5, "ends after 60 s");
    let outage =
        "[[fault]]\nkind = \"outage\"\nat = \"20s\"\nfor = \"8m\"\nconnector = \"adyen\"\n[[expect]]\ndetected_within = \"1m\"";
    for (slice, allowed) in [
        ("connector nope", "there are adyen, braintree"),
        ("account nope:mca_1", "there are adyen, braintree"),
        ("merchant pro_nope", "pro_lumen"),
        ("adyen × BIN 999999", "424242"),
        ("adyen", "`connector adyen`, `account adyen:mca_7`"),
    ] {
        check(&format!("{outage}\nslice = \"{slice}\""), 9, allowed);
    }
    let nameless = Scenario::parse("my.toml", "").unwrap_err().to_string();
    assert!(nameless.starts_with("my.toml:1: the scenario has no name"), "{nameless}");
    check("weekend = 0.0", 2, "0.05 to 20");
    check("[outcomes]\nlost = 2.0", 3, "0 to 1");
}

/// A merchant that a file lists has its own routing and is not made a second time.
#[test]
fn listed_merchants_come_first_and_once() {
    let text = "name = \"mine\"\nmerchants = 2\npinned = 0\n[[merchant]]\nprofile = \"pro_lumen\"\npriority = [\"stripe\", \"adyen\"]\n";
    let settings = World::new(Scenario::parse("mine.toml", text).unwrap(), 1).settings();
    let profiles: Vec<_> = settings.merchants.keys().map(ToString::to_string).collect();
    assert_eq!(profiles, ["pro_alder", "pro_lumen", "pro_vela"]);
    let priority = |profile: &str| settings.merchants.iter().find(|(p, _)| p.as_str() == profile).unwrap().1.priority.clone();
    assert!(priority("pro_alder").is_empty());
    let accounts: Vec<_> = priority("pro_lumen").iter().map(ToString::to_string).collect();
    assert_eq!(accounts, ["stripe:mca_lumen_st", "adyen:mca_lumen_ad"]);
}

#[test]
fn a_scenario_is_found_by_name_or_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "name = \"mine\"\npayments_per_s = 5.0\n").unwrap();
    assert_eq!(Scenario::find(file.to_str().unwrap()).unwrap().name, "mine");
    assert_eq!(Scenario::find("outage").unwrap().name, "outage");
    let unknown = Scenario::find("outrage").unwrap_err().to_string();
    assert!(unknown.contains("outrage") && unknown.contains("calm, outage, brownout"), "{unknown}");
    let missing = Scenario::find("nowhere/mine.toml").unwrap_err().to_string();
    assert!(missing.contains("nowhere/mine.toml") && missing.contains("calm, outage"), "{missing}");
}

/// Runs a scenario for a span under the demo's settings.
fn drive(name: &str, seed: u64, span: Duration) -> Driver {
    let world = named(name, seed);
    let (settings, until) = (world.settings(), world.scenario().start + span);
    let mut driver = Driver::start(world, settings, &mut |_| {});
    driver.run_until(until, &mut |_| {});
    driver
}

#[test]
fn every_scenario_routes_and_repeats_itself() {
    let briefly = |name: &str, seed| {
        let scenario = Scenario { warm_up: Duration::from_secs(20), ..Scenario::named(name).unwrap() };
        let world = World::new(scenario, seed);
        let (settings, until) = (world.settings(), world.scenario().start + Duration::from_mins(1));
        let mut driver = Driver::start(world, settings, &mut |_| {});
        driver.run_until(until, &mut |_| {});
        driver
    };
    for name in Scenario::names() {
        let (once, again) = (briefly(name, 4), briefly(name, 4));
        assert_eq!(once.state().fingerprint(), again.state().fingerprint(), "{name}");
        // A minute at half the scenario's mean rate at the least: the season's night.
        let least = 0.5 * once.world().scenario().payments_per_s * 60.0;
        let routed = f64::from(u32::try_from(once.score().routed).unwrap());
        assert!(routed > least && once.score().unrouted == 0, "{name}: {:?}", once.score());
    }
    assert_ne!(briefly("calm", 4).state().fingerprint(), briefly("calm", 5).state().fingerprint());
}

/// The caller's steps are the caller's business: a paced run and an unpaced one are the same.
#[test]
fn pacing_changes_nothing() {
    let world = named("brownout", 9);
    let (settings, start) = (world.settings(), world.scenario().start);
    let mut driver = Driver::start(world, settings, &mut |_| {});
    for frame in 1..=1_200_u64 {
        driver.run_until(start + Duration::from_millis(frame * 100), &mut |_| {});
    }
    assert_eq!(driver.state().fingerprint(), drive("brownout", 9, Duration::from_mins(2)).state().fingerprint());
}

/// What the records say is all there is: folded by themselves they give the same state.
#[test]
fn the_records_alone_give_the_same_state() {
    let world = named("outage", 6);
    let (settings, until) = (world.settings(), world.scenario().start + Duration::from_mins(2));
    let mut records: Vec<Record> = Vec::new();
    let mut driver = Driver::start(world, settings, &mut |record| records.push(record.clone()));
    driver.run_until(until, &mut |record| records.push(record.clone()));
    assert!(matches!(records[0].bodies[..], [Body::EngineStarted { .. }, Body::Configured(_)]));
    let (mut state, mut effects) = (apos::engine::State::new(), Vec::new());
    let mut last = (0, Time::ZERO);
    for record in records {
        assert!(record.number == last.0 + 1 && record.at >= last.1, "record {} after {last:?}", record.number);
        last = (record.number, record.at);
        record.entries().for_each(|entry| apos::engine::apply(&mut state, &entry, &mut effects));
    }
    assert_eq!(state.fingerprint(), driver.state().fingerprint());
}

/// Approves what is proposed of a class as soon as it is; tells how often.
fn approve(driver: &mut Driver, class: ActionClass) -> u32 {
    let pending = |row: &&apos::engine::snapshot::ActionRow| row.status == ActionStatus::Pending && row.class == class;
    let rows: Vec<_> = driver.snapshot().actions.iter().filter(pending).map(|row| (row.id, row.version)).collect();
    for (action, version) in &rows {
        let operator = OperatorName::parse("ada").unwrap();
        let order = Order::Approve { action: *action, version: *version };
        driver.command(Command { operator, order }, &mut |_| {});
    }
    u32::try_from(rows.len()).unwrap()
}

/// The attempt rate of pinned merchants from the second to the seventh minute of adyen's outage.
fn pinned_rate_in_the_outage(seed: u64, approving: bool) -> f64 {
    let world = named("outage", seed);
    let (settings, start) = (world.settings(), world.scenario().start);
    let pinned: Vec<_> = settings.merchants.iter().filter(|(_, m)| !m.priority.is_empty()).map(|(p, _)| p.clone()).collect();
    assert_eq!(pinned.len(), 5);
    let mut driver = Driver::start(world, settings, &mut |_| {});
    let (mut won, mut all, mut approved) = (0.0, 0.0, 0);
    for second in 1..=440 {
        let mut see = |record: &Record| {
            for body in &record.bodies {
                if let Body::Payment(event) = body
                    && second > 140
                    && pinned.contains(&event.profile)
                    && let Some(success) = event.kind.success()
                {
                    won += f64::from(u8::from(success));
                    all += 1.0;
                }
            }
        };
        driver.run_until(start + Duration::from_secs(second), &mut see);
        if approving {
            approved += approve(&mut driver, ActionClass::Priority);
        }
    }
    let snapshot = driver.snapshot();
    assert!(snapshot.incidents.iter().any(|row| row.kind == AnomalyType::HighFailureRate), "no incident was opened");
    assert!(!approving || approved > 0, "nothing was proposed: {:?}", snapshot.actions);
    assert!(all > 2_000.0, "{all}");
    won / all
}

#[test]
fn approving_the_repair_brings_pinned_merchants_back() {
    let (waiting, approving) = (pinned_rate_in_the_outage(1, false), pinned_rate_in_the_outage(1, true));
    assert!(waiting < 0.2, "without an approval pinned merchants go on failing: {waiting}");
    assert!(approving > 0.85, "with it they succeed: {approving}");
}

#[test]
fn black_friday_asks_for_an_instance_and_gets_it() {
    let world = named("black-friday", 1);
    let (settings, start) = (world.settings(), world.scenario().start);
    let mut driver = Driver::start(world, settings, &mut |_| {});
    let mut scaled = Vec::new();
    let mut see = |record: &Record| {
        for body in &record.bodies {
            if let Body::Intended { act, .. } = body
                && let Change::Scale { from, to } = act.change
            {
                scaled.push((from, to));
            }
        }
    };
    for second in 1..=180 {
        driver.run_until(start + Duration::from_secs(second), &mut see);
        let pending =
            driver.snapshot().actions.iter().find(|row| row.class == ActionClass::Scaling).map(|row| (row.id, row.version));
        if let Some((action, version)) = pending {
            assert!(second > 60, "scaling was proposed before the spike");
            let operator = OperatorName::parse("ada").unwrap();
            driver.command(Command { operator, order: Order::Approve { action, version } }, &mut see);
        }
    }
    assert_eq!(scaled, [(3, 4)]);
    assert_eq!(driver.snapshot().scaling.sample.map(|sample| sample.instances), Some(4));
}
