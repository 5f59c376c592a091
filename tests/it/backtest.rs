//! `apos backtest routing` from outside, and the policies against each other on a slice of a scenario.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::BufWriter;
use std::process::Command;

use apos::backtest::routing::Lacking;
use apos::backtest::routing::suite::Scenario;
use apos::backtest::routing::{Case, Engine, Policy, PolicyName, Report, judge, write};
use apos::domain::Settings;
use apos::sim::chance::{Family, pick, running_totals};
use serde_json::Value;

/// The first payments of a scenario.
fn slice(scenario: &str, payments: usize) -> Case {
    let mut case = Scenario::find(scenario).unwrap().case(1);
    case.payments.truncate(payments);
    case.outcomes.truncate(payments);
    case
}

fn judged(case: &Case, policy: PolicyName) -> Report {
    let engine = Engine { settings: &Settings::default(), trainer: None };
    judge(case, policy, engine, &|| std::time::Duration::ZERO, &mut |_, _| {})
}

#[test]
fn a_report_has_what_was_promised_and_is_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (payments, outcomes) = (folder.path().join("p.jsonl"), folder.path().join("o.jsonl"));
    let create = |path| BufWriter::new(File::create(path).unwrap());
    let case = slice("cold-start", 1_500);
    write(&case, &mut create(&payments), &mut create(&outcomes)).unwrap();
    let run = |report: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apos"));
        command.env_clear().env("HOME", folder.path()).args(["backtest", "routing", "--report", report, "--payments"]);
        let output = command.arg(&payments).arg("--outcomes").arg(&outcomes).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (first, again): (Value, Value) =
        (serde_json::from_str(&run("json")).unwrap(), serde_json::from_str(&run("json")).unwrap());
    assert_eq!((&first["payments"], &first["fingerprint"]), (&1_500.into(), &again["fingerprint"]));
    let share = |key: &str| first[key].as_f64().unwrap_or_else(|| panic!("{key} is missing: {first}"));
    assert!(share("success_rate") > 0.5 && share("success_rate") <= share("oracle_success_rate"));
    let regret = (share("oracle_success_rate") - share("success_rate")) * 1_000.0;
    assert!((share("regret_per_1000") - regret).abs() < 1e-6);
    for key in ["best_fixed_regret_per_1000", "last_n_regret_per_1000", "brier", "ece", "us_per_decision"] {
        assert!(share(key) >= 0.0, "{key}");
    }
    assert!(run("text").contains("a last-125 rule loses"));
    assert_eq!(judged(&case, PolicyName::Bdl).fingerprint, first["fingerprint"], "files and memory are judged alike");
}

#[test]
fn files_are_written_or_judged_and_what_one_does_not_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for option in [&["--policy", "bdl"][..], &["--model"], &["--report", "json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apos"));
        command.env_clear().env("HOME", folder.path()).args(["backtest", "routing", "--suite", "--write"]);
        let output = command.arg(folder.path().join("written")).args(option).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(option[0]) && said.contains("--write"), "{said}");
    }
    assert!(!folder.path().join("written").exists());
}

#[test]
fn a_malformed_line_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (payments, outcomes) = (folder.path().join("p.jsonl"), folder.path().join("o.jsonl"));
    std::fs::write(&payments, "{\"id\":\"p\",\"t\":-1}\n").unwrap();
    std::fs::write(&outcomes, "").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_apos"));
    command.env_clear().env("HOME", folder.path()).args(["backtest", "routing", "--payments"]).arg(&payments);
    let output = command.arg("--outcomes").arg(&outcomes).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("p.jsonl, line 1, field `") && said.contains("wanted"), "{said}");
}

#[test]
fn lines_out_of_order_are_counted_and_change_no_figure() {
    let folder = tempfile::tempdir().unwrap();
    let (payments, outcomes) = (folder.path().join("p.jsonl"), folder.path().join("o.jsonl"));
    let create = |path| BufWriter::new(File::create(path).unwrap());
    write(&slice("cold-start", 200), &mut create(&payments), &mut create(&outcomes)).unwrap();
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apos"));
        command.env_clear().env("HOME", folder.path()).args(["backtest", "routing", "--report", "json", "--payments"]);
        let output = command.arg(&payments).arg("--outcomes").arg(&outcomes).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (report["fingerprint"].clone(), String::from_utf8(output.stderr).unwrap())
    };
    let (in_order, said) = run();
    assert!(!said.contains("out of order"), "{said}");
    let mut lines: Vec<String> = std::fs::read_to_string(&payments).unwrap().lines().map(str::to_owned).collect();
    let first = lines.remove(0);
    lines.insert(100, first);
    std::fs::write(&payments, lines.join("\n")).unwrap();
    let (moved, said) = run();
    assert_eq!(moved, in_order);
    assert!(said.contains("p.jsonl: 1 line was out of order"), "{said}");
}

#[test]
fn the_engine_beats_the_last_125_rule_where_connectors_fail() {
    let report = judged(&slice("outage", 8_000), PolicyName::Bdl);
    let (lost, last_n) = (report.regret_per_1000.unwrap(), report.last_n_regret_per_1000.unwrap());
    assert!(lost < 0.85 * last_n, "{lost} against {last_n}");
    assert!(report.ece.unwrap() < 0.03, "{:?}", report.ece);
}

/// The log that a policy leaves which draws among a payment's first connectors alike, with what is recorded of each draw.
fn drawn(complete: &Case, (seed, first): (u64, usize), propensity: impl Fn(usize, f64) -> Option<f64>) -> Case {
    let draws = Family::new(seed, "log");
    let mut log = complete.clone();
    for (n, (payment, outcomes)) in complete.payments.iter().zip(&mut log.outcomes).enumerate() {
        let count = payment.connectors.len().min(first);
        let share = 1.0 / f64::from(u32::try_from(count).unwrap());
        let place = pick(&running_totals(vec![share; count]), draws.stream(n as u64).unit());
        let chosen = complete.outcome(n, payment.connectors[place]).unwrap().clone();
        outcomes.clear();
        outcomes.push(apos::backtest::routing::Outcome { propensity: propensity(n, share), p: None, ..chosen });
    }
    log
}

/// Traffic is no merit: of a log, the best fixed connector is the one that did best, however seldom it was tried.
#[test]
fn the_best_fixed_connector_of_a_log_is_the_one_that_did_best() {
    let complete = slice("stationary", 6_000);
    let best = judged(&complete, PolicyName::BestFixed).success_rate.unwrap();
    for propensity in [true, false] {
        let log = drawn(&complete, (1, usize::MAX), |_, share| propensity.then_some(share));
        let mut skewed = log.clone();
        // Nine of ten payments went to the first of the list.
        for (n, outcomes) in skewed.outcomes.iter_mut().enumerate().filter(|(n, _)| n % 10 != 0) {
            let first = complete.outcome(n, complete.payments[n].connectors[0]).unwrap().clone();
            outcomes[0] = apos::backtest::routing::Outcome { propensity: propensity.then_some(0.9), p: None, ..first };
        }
        for log in [log, skewed] {
            let mut policy = Policy::new(PolicyName::BestFixed, &log, Engine { settings: &Settings::default(), trainer: None });
            let chosen = |n: usize| complete.outcome(n, policy.choose(&complete, n).connector).unwrap().value();
            let rate = (0..6_000).map(chosen).sum::<f64>() / 6_000.0;
            assert!((rate - best).abs() < 1e-9, "{rate} of {best}");
        }
    }
}

/// What the engine comes to that learns only where it chooses as a log did, as the log's judge lets it: exactly, since every
/// choice's probability of success is known here.
fn comes_to(complete: &Case, log: &Case) -> f64 {
    let settings = Settings::default();
    let mut policy = Policy::new(PolicyName::Bdl, log, Engine { settings: &settings, trainer: None });
    let (mut due, mut sum) = (BinaryHeap::new(), 0.0);
    for (n, payment) in log.payments.iter().enumerate() {
        while let Some(Reverse((at, n))) = due.peek().copied().filter(|Reverse((at, _))| *at <= payment.at) {
            due.pop();
            policy.learn(log, n, &log.outcomes[n][0], at);
        }
        let chosen = policy.choose(log, n).connector;
        sum += complete.outcome(n, chosen).unwrap().p.unwrap();
        if log.outcomes[n][0].connector == chosen {
            policy.commit(log, n);
            due.push(Reverse((payment.at + log.outcomes[n][0].observed_after, n)));
        }
    }
    sum / f64::from(u32::try_from(log.payments.len()).unwrap())
}

/// What the engine is said to come to lies where it does come to, whatever goes wrong: nineteen times of twenty, so that of
/// twelve logs more than two outside are one chance in fifty.
#[test]
fn a_log_of_fair_draws_tells_of_the_engine_what_is_exact() {
    let mut outside = Vec::new();
    for world in ["stationary", "outage", "drift"] {
        let complete = slice(world, 6_000);
        for seed in 1..=4 {
            let log = drawn(&complete, (seed, usize::MAX), |_, share| Some(share));
            let (exact, report) = (comes_to(&complete, &log), judged(&log, PolicyName::Bdl));
            let estimate = report.estimate.unwrap();
            let (value, half) = (estimate.doubly_robust.unwrap(), estimate.half_width_95.unwrap());
            if (value - exact).abs() > half {
                outside.push(format!("{world} {seed}: {value} ± {half} against {exact}"));
            }
            assert!(half < 0.035, "{world} {seed}: ± {half}");
            assert_eq!((report.success_rate, estimate.unsupported, estimate.raised), (Some(value), 0, 0), "{world}");
            assert!(estimate.sentence().contains(&format!("it learnt from the {} on", estimate.matched)));
        }
    }
    assert!(outside.len() <= 2, "{outside:#?}");
}

#[test]
fn where_the_log_never_chooses_nothing_is_known_and_it_is_said() {
    let complete = slice("stationary", 6_000);
    let always = judged(&drawn(&complete, (1, 1), |_, _| Some(1.0)), PolicyName::LastN);
    let told = always.estimate.unwrap();
    assert_eq!((always.success_rate, told.doubly_robust, told.lacking), (None, None, Some(Lacking::Support)));
    assert!(told.unsupported > 4_500 && told.sentence().contains(&format!("no support for {}", told.unsupported)), "{told:?}");

    let exact = judged(&complete, PolicyName::Uniform).success_rate.unwrap();
    let connectors = complete.connectors.len();
    let report = judged(&drawn(&complete, (1, connectors - 1), |_, share| Some(share)), PolicyName::Uniform);
    let told = report.estimate.unwrap();
    let (value, half) = (told.doubly_robust.unwrap(), told.half_width_95.unwrap());
    assert!((value - exact).abs() < half && half > 0.1 && half < 0.25, "{told:?}: {exact}");
    assert!(told.unsupported.abs_diff(6_000 / connectors) < 100, "{told:?}");
}

#[test]
fn propensities_that_cannot_be_are_not_believed() {
    let complete = slice("stationary", 3_000);
    let tiny = judged(&drawn(&complete, (1, usize::MAX), |_, _| Some(1e-300)), PolicyName::Priority);
    let told = tiny.estimate.unwrap();
    assert_eq!((tiny.success_rate, told.lacking, told.raised), (None, Some(Lacking::FittingPropensities), 3_000));
    assert!(told.sentence().contains("3000 propensities were below 0.001"), "{}", told.sentence());

    let half = judged(&drawn(&complete, (1, usize::MAX), |n, share| (n % 2 == 0).then_some(share)), PolicyName::Priority);
    let told = half.estimate.unwrap();
    assert_eq!((half.success_rate, told.lacking), (told.matched_success_rate, Some(Lacking::Propensities)));
    assert!(told.sentence().starts_with("propensities of 1500 of 3000 payments alone"), "{}", told.sentence());
}

/// A log of fair draws, with its propensities: what the estimate of another policy says lies near what is exact.
#[test]
fn a_log_with_propensities_tells_what_a_policy_would_have_come_to() {
    let complete = slice("stationary", 12_000);
    let exact = judged(&complete, PolicyName::Priority).success_rate.unwrap();
    let mut log = complete.clone();
    for (n, outcomes) in log.outcomes.iter_mut().enumerate() {
        let count = outcomes.len();
        let kept = outcomes[((n * 2_654_435_761) >> 16) % count].clone();
        outcomes.clear();
        outcomes.push(apos::backtest::routing::Outcome {
            propensity: Some(1.0 / f64::from(u32::try_from(count).unwrap())),
            p: None,
            ..kept
        });
    }
    let report = judged(&log, PolicyName::Priority);
    let estimate = report.estimate.unwrap();
    let (value, half) = (estimate.doubly_robust.unwrap(), estimate.half_width_95.unwrap());
    assert!((value - exact).abs() < 1.5 * half && half < 0.03, "{value} ± {half} against {exact}");
    assert!((estimate.snips.unwrap() - exact).abs() < 0.03 && report.regret_per_1000.is_none());
    log.outcomes.iter_mut().for_each(|outcomes| outcomes[0].propensity = None);
    let blind = judged(&log, PolicyName::Priority).estimate.unwrap();
    assert!(blind.doubly_robust.is_none() && blind.sentence().contains("biased"), "{}", blind.sentence());
}

/// A log that the engine itself wrote, under the seed that judges it: its draws are not made a second time.
#[test]
fn a_log_of_the_engine_is_judged_with_other_draws() {
    let complete = slice("stationary", 6_000);
    let mut settings = Settings::default();
    (settings.routing.uniform_share, settings.routing.uniform_margin) = (0.3, 1.0);
    let engine = Engine { settings: &settings, trainer: None };
    let mut log = complete.clone();
    let (mut policy, mut approved) = (Policy::new(PolicyName::Bdl, &complete, engine), 0.0);
    for payment in 0..complete.payments.len() {
        let chosen = policy.choose(&complete, payment);
        policy.commit(&complete, payment);
        let outcome = complete.outcome(payment, chosen.connector).unwrap().clone();
        policy.learn(&complete, payment, &outcome, complete.payments[payment].at);
        approved += if outcome.success { 1.0 / 6_000.0 } else { 0.0 };
        log.outcomes[payment].clear();
        log.outcomes[payment].push(apos::backtest::routing::Outcome {
            propensity: Some(chosen.propensity),
            p: None,
            ..outcome
        });
    }
    let estimate = judge(&log, PolicyName::Bdl, engine, &|| std::time::Duration::ZERO, &mut |_, _| {}).estimate.unwrap();
    let told = (estimate.doubly_robust.unwrap(), estimate.snips.unwrap());
    // With the same draws it says .939, and is as sure.
    let half = estimate.half_width_95.unwrap();
    assert!((told.0 - approved).abs() < half && (told.1 - approved).abs() < half, "{estimate:?}: {approved} were approved");
}
