//! What if, and the report of an incident, from outside, on the log of a simulated outage.

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use apos::domain::rule::{Algorithm, Output, RuleText};
use apos::domain::{Body, ConnectorAccount, ProfileId, Purpose, Record, RuleId, Time};
use apos::sim::driver::operator::Deciding;
use apos::sim::{Driver, Scenario, World};
use serde_json::Value;
use tempfile::TempDir;

use crate::past::kept;
use crate::support::binary::apos;

/// An outage that is noticed, repaired by an operator after a minute, and goes on for another.
struct Night {
    records: Vec<Record>,
    start: Time,
}

static NIGHT: LazyLock<Night> = LazyLock::new(|| night((20.0, 3), 210));

/// Payments a second, the seed, and how many seconds it lasts.
fn night((payments_per_s, seed): (f64, u64), seconds: u64) -> Night {
    let mut scenario = Scenario::named("outage").unwrap();
    scenario.payments_per_s = payments_per_s;
    let start = scenario.start;
    let world = World::new(scenario, seed);
    let deciding: Deciding = "approve:60s".parse().unwrap();
    let mut settings = world.settings();
    settings.autonomy = deciding.levels(&settings.autonomy);
    let mut records = Vec::new();
    let mut driver = Driver::start(world, settings, &mut |record| records.push(record.clone())).decided_by(deciding);
    driver.run_until(start + Duration::from_secs(seconds), &mut |record| records.push(record.clone()));
    Night { records, start }
}

/// A data folder with the night's log in it.
fn folder() -> TempDir {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    kept(&runtime, &NIGHT.records)
}

/// A quiet stretch in which the first merchant that the bandit routes for has a rule: stripe alone, from a minute on.
fn ruled() -> (TempDir, ProfileId) {
    let mut scenario = Scenario::named("calm").unwrap();
    scenario.payments_per_s = 20.0;
    let start = scenario.start;
    let world = World::new(scenario, 3);
    let settings = world.settings();
    let free = settings.merchants.iter().find(|(_, merchant)| merchant.priority.is_empty());
    let profile = free.map(|(profile, _)| profile.clone()).unwrap();
    let mut records = Vec::new();
    let mut keep = |record: &Record| records.push(record.clone());
    let mut driver = Driver::start(world, settings, &mut keep);
    driver.run_until(start + Duration::from_mins(1), &mut keep);
    let stripe = ConnectorAccount::parse("stripe").unwrap();
    let algorithm = Algorithm::Fixed(Output::Single(stripe));
    let text = Box::new(RuleText { name: "stripe alone".to_owned(), description: String::new(), algorithm, bytes: 100 });
    driver.enter(Body::RuleCreated { profile: profile.clone(), purpose: Purpose::Payment, text }, &mut keep);
    let id = RuleId(driver.state().position());
    driver.enter(Body::RuleActivated { profile: profile.clone(), id, active: true }, &mut keep);
    driver.run_until(start + Duration::from_secs(150), &mut keep);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    (kept(&runtime, &records), profile)
}

fn written(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The report of the stretch from the scenario's start on, with a configuration laid over the recorded one.
fn with(folder: &TempDir, text: &str) -> Value {
    let (file, from) = (written(folder, "other.toml", text), NIGHT.start.to_string());
    let ran = apos(folder.path(), &["replay", "--with", &file, "--from", &from, "--report", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(!ran.err.contains(['\r', '\x1b']), "nobody watches a bar in a file: {:?}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn executed(rows: &Value) -> usize {
    rows.as_array().unwrap().iter().filter(|row| row["executed"] == true).count()
}

#[test]
fn the_same_configuration_changes_nothing() {
    let folder = folder();
    let same = with(&folder, "");
    let decided = NIGHT.records.iter().filter(|record| record.at >= NIGHT.start).flat_map(|record| &record.bodies);
    let decided = decided.filter(|body| matches!(body, Body::Decided(_))).count();
    assert_eq!((same["decisions"].as_u64(), same["differ"].as_u64()), (Some(decided as u64), Some(0)));
    assert!(decided > 3_000, "{decided}");
    let success = &same["success"];
    assert_eq!(success["was"], success["other"], "{success}");
    assert_eq!(success["other_range"], Value::from(vec![success["was"].clone(); 2]), "nothing is estimated: {success}");
    let apart = (number(&success["was"]) - number(&same["second_opinion"]["other"])).abs();
    assert!(apart < 1e-9, "what is chosen alike is as likely on both sides: {}", same["second_opinion"]);
    assert!(same["incidents"].as_array().unwrap().iter().all(|told| told["later_s"] == 0.0), "{}", same["incidents"]);
    assert_eq!(same["actions_was"], same["actions_other"]);
    assert!(executed(&same["actions_was"]) >= 1, "the operator's approval is given again: {}", same["actions_was"]);
    assert_eq!((&same["orders_left_out"], &same["warnings"]), (&0.into(), &Value::Array(Vec::new())));
}

#[test]
fn more_autonomy_would_have_turned_the_pinned_merchants_earlier() {
    let folder = folder();
    let auto = with(&folder, "[autonomy]\npriority = \"auto\"\n");
    let differ = auto["differ"].as_u64().unwrap();
    assert!(differ > 50, "{differ}");
    let flows = auto["flows"].as_array().unwrap();
    let left = |flow: &&Value| flow["from"] == "adyen" && flow["count"].as_u64().unwrap() > 50;
    assert!(flows.iter().any(|flow| left(&flow)), "{}", auto["flows"]);
    assert!(executed(&auto["actions_other"]) >= 1, "{}", auto["actions_other"]);
    assert!(auto["orders_left_out"].as_u64().unwrap() >= 1, "what is approved by itself leaves nothing to approve");
    let (was, other) = (number(&auto["success"]["was"]), number(&auto["success"]["other"]));
    assert!(other > was + 0.01, "{was} {other}");
    let turned = &auto["turned"];
    let (low, high) = (number(&turned["payments_range"][0]), number(&turned["payments_range"][1]));
    let gained = number(&turned["payments"]);
    assert!(low > 0.0 && low < gained && gained < high, "{turned}");
    // One answer: what those turned bring is what the success is higher by, and the amounts.
    let outcomes = number(&auto["success"]["outcomes"]);
    assert!((other - was - gained / outcomes).abs() < 1e-9, "{}: {turned}", auto["success"]);
    let range = &auto["success"]["other_range"];
    assert!((number(&range[0]) - was - low / outcomes).abs() < 1e-9 && number(&range[1]) > other, "{range}");
    for (amount, more) in auto["amounts"].as_array().unwrap().iter().zip(turned["amount"].as_array().unwrap()) {
        let minor = |money: &Value| number(&money["minor"]);
        assert!((minor(&amount["other"]) - minor(&amount["was"]) - minor(more)).abs() <= 1.0, "{amount}: {more}");
        assert!(minor(&amount["other_range"][0]) < minor(&amount["other"]), "{amount}");
    }
    let warnings = auto["warnings"].to_string();
    assert!(warnings.contains("no propensity speaks for them"), "a fixed list leaves nothing to chance: {warnings}");
    let examples = auto["examples"].as_array().unwrap();
    assert!(!examples.is_empty() && examples.len() <= 10 && examples[0]["was_by"] == "priority", "{examples:?}");
}

/// At the scenario's own rate hundreds of failures of attempts that were sent before the change come after it, and of those
/// sent after it nothing is recorded: neither says that the change did harm.
#[test]
fn an_action_is_not_taken_back_for_what_was_sent_before_it() {
    let night = night((50.0, 7), 150);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let auto = with(&kept(&runtime, &night.records), "[autonomy]\npriority = \"auto\"\n");
    let made: Vec<&Value> = auto["actions_other"].as_array().unwrap().iter().filter(|row| row["executed"] == true).collect();
    assert!(!made.is_empty() && made.iter().all(|row| row["status"] != "rolled_back"), "{made:?}");
    assert!(number(&auto["turned"]["payments"]) > 0.0, "{}", auto["turned"]);
    let away = auto["flows"].as_array().unwrap().iter().filter(|flow| flow["to"] == "adyen");
    assert!(away.map(|flow| number(&flow["count"])).sum::<f64>() < 50.0, "nothing goes where it fails: {}", auto["flows"]);
    assert!(auto["warnings"].to_string().contains("could not be verified"), "{}", auto["warnings"]);
    assert!(made.iter().any(|row| row["status"] == "not_verified"), "no failure is told of what nothing is known of: {made:?}");
}

#[test]
fn another_detector_notices_later_and_people_read_it() {
    let folder = folder();
    let file = written(&folder, "slow.toml", "[detection]\nmax_probability = 1e-300\nmin_drop = 0.95\n");
    let from = NIGHT.start.to_string();
    let ran = apos(folder.path(), &["replay", "--with", &file, "--from", &from]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for told in ["would not be noticed", "orders of operators had nothing to act on", "intervals of 95 %", "slow.toml"] {
        assert!(ran.out.contains(told), "{told}: {}", ran.out);
    }
}

#[test]
fn a_merchant_keeps_its_rule_and_may_be_given_another_or_none() {
    let (folder, profile) = ruled();
    let report = |arguments: &[&str]| -> Value {
        let ran = apos(folder.path(), &[&["replay", "--report", "json"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        serde_json::from_str(&ran.out).unwrap()
    };
    let same = report(&["--with", &written(&folder, "same.toml", "")]);
    assert_eq!((&same["differ"], &same["warnings"]), (&0.into(), &Value::Array(Vec::new())), "{same}");

    let rule = |algorithm: &str| format!(r#"[{{"name": "r", "created_by": "{profile}", "algorithm": {algorithm}}}]"#);
    let without = report(&["--with-rules", &written(&folder, "none.json", &rule("null"))]);
    assert!(without["differ"].as_u64().unwrap() > 0 && without["flows"][0]["from"] == "stripe", "{}", without["flows"]);
    assert_eq!(without["configurations_left_out"], 1, "its own rule, when it came into force");

    let adyen = r#"{"type": "advanced", "data": {"globals": {}, "metadata": {}, "default_selection":
        {"single": {"gateway_name": "adyen", "gateway_id": null}}, "rules": []}}"#;
    let other = report(&["--with-rules", &written(&folder, "adyen.json", &rule(adyen))]);
    assert_eq!(other["merchants"][0]["name"], profile.as_str(), "{}", other["merchants"]);
    let mut examples = other["examples"].as_array().unwrap().iter().filter(|one| one["merchant"] == profile.as_str());
    assert!(examples.all(|one| one["other"].as_str().unwrap().starts_with("adyen:")), "{}", other["examples"]);
    assert!(other["warnings"].to_string().contains("is not recorded"), "{}", other["warnings"]);

    let nobody = rule(adyen).replace(profile.as_str(), "pro_nobody");
    let unseen = report(&["--with-rules", &written(&folder, "nobody.json", &nobody)]);
    assert!(unseen["warnings"].to_string().contains("no decision of pro_nobody is recorded"), "{}", unseen["warnings"]);
    let nowhere = rule(r#"{"type": "single", "data": {"gateway_name": "stripe", "gateway_id": "mca_nope"}}"#);
    let nowhere = report(&["--with-rules", &written(&folder, "nowhere.json", &nowhere)]);
    assert!(nowhere["warnings"].to_string().contains("names stripe:mca_nope, where none"), "{}", nowhere["warnings"]);

    let bad = written(&folder, "bad.json", &rule(r#"{"type": "double"}"#));
    let refused = apos(folder.path(), &["replay", "--with-rules", &bad]);
    assert!(refused.code == Some(2) && refused.err.contains("bad.json: [0].algorithm"), "{}", refused.err);
}

#[test]
fn a_bad_file_and_an_empty_stretch_are_refused() {
    let folder = folder();
    let check = |text: &str, arguments: &[&str], told: &[&str]| {
        let file = written(&folder, "bad.toml", text);
        let ran = apos(folder.path(), &[&["replay", "--with", &file], arguments].concat());
        assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
        for told in told {
            assert!(ran.err.contains(told), "{told}: {}", ran.err);
        }
    };
    check("[routing]\nexploration = -1\n", &[], &["bad.toml, line 2", "0 to 1000"]);
    check("[routing]\nexplore = 1\n", &[], &["bad.toml, line 2", "explore"]);
    check(
        "[scaling]\nmin_instances = 9999\n",
        &[],
        &["scaling.min_instances = 9999 (", "bad.toml, line 2", "as it was recorded"],
    );
    check("", &["--from", "2031-01-01"], &["nothing to replay"]);
}

#[test]
fn a_stretch_reports_what_was_open_when_it_began() {
    let folder = folder();
    let incidents = |from: Time| -> Vec<String> {
        let ran = apos(folder.path(), &["replay", "--headless", "--report", "json", "--from", &from.to_string()]);
        let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
        serde_json::from_value(report["incidents"].clone()).unwrap()
    };
    let whole = incidents(NIGHT.start);
    let first = whole.iter().find(|told| told.contains(" inc-1 ")).unwrap_or_else(|| panic!("{whole:?}"));
    let noticed = Time::parse_rfc3339(first.split(' ').next().unwrap()).unwrap();
    let later = incidents(noticed + Duration::from_secs(1));
    assert!(later.iter().any(|told| told.contains(" inc-1 ")), "{later:?}");
}

/// A part of what an incident cost is not told as all of it.
#[test]
fn a_record_that_begins_within_an_incident_tells_its_cost_from_there_on() {
    let folder = folder();
    let json = |arguments: &[&str]| -> Value {
        let ran = apos(folder.path(), &[&["report", "inc-1", "--format", "json", "--out", "-"], arguments].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err))
    };
    let whole = json(&[]);
    assert_eq!(whole["known_from"], Value::Null);
    let noticed = Time::parse_rfc3339(whole["incident"]["detected_at"].as_str().unwrap()).unwrap();
    let from = (noticed + Duration::from_mins(1)).to_string();
    let file = folder.path().join("part.seg").to_str().unwrap().to_owned();
    let exported = apos(folder.path(), &["log", "export", &file, "--from", &from]);
    assert_eq!(exported.code, Some(0), "{}", exported.err);
    let part = json(&["--file", &file]);
    let begins = Time::parse_rfc3339(part["known_from"].as_str().unwrap_or_else(|| panic!("{part}"))).unwrap();
    assert!(begins > noticed, "{begins}");
    let minor = |report: &Value| report["cost"].as_array().unwrap().iter().map(|sum| number(&sum["minor"])).sum::<f64>();
    assert!(minor(&part) < minor(&whole), "{} {}", part["cost"], whole["cost"]);
    let people = apos(folder.path(), &["report", "inc-1", "--out", "-", "--file", &file]);
    assert!(people.out.contains(&format!("| cost from {begins} on | about ")), "{}", people.out);
    assert!(people.out.contains("the cost in all is higher") && !people.out.contains("| cost in all |"), "{}", people.out);
    assert!(people.err.contains("its cost is told from there on alone"), "{}", people.err);
}

#[test]
fn an_incident_is_reported_with_its_stretch() {
    let folder = folder();
    let out = folder.path().join("night.md");
    let ran = apos(folder.path(), &["report", "inc-1", "--out", out.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let text = fs::read_to_string(&out).unwrap();
    for told in [
        "# Incident inc-1: ",
        "HighFailureRate on connector adyen",
        "cost in all | about EUR",
        "## Evidence",
        "## Timeline",
        "| simulated | act-1: approved |",
        "### act-1: Move ",
        "apos replay --from ",
        "apos replay --file ",
    ] {
        assert!(text.contains(told), "{told}:\n{text}");
    }
    assert!(text.contains("; by chance ") && text.contains("1 in 10^"), "a probability as the screen tells it:\n{text}");
    // The file is what the link says it is.
    let segment = out.with_extension("seg");
    let shown = apos(folder.path(), &["replay", "--headless", "--file", segment.to_str().unwrap()]);
    assert!(shown.code == Some(0) && shown.out.contains("inc-1 "), "{}{}", shown.out, shown.err);
    let json = apos(folder.path(), &["report", "inc-1", "--format", "json", "--out", "-"]);
    let json: Value = serde_json::from_str(&json.out).unwrap_or_else(|error| panic!("{error}: {}", json.err));
    assert_eq!((&json["incident"]["id"], &json["export"]), (&"inc-1".into(), &Value::Null));
    let again = apos(folder.path(), &["report", "inc-1", "--out", out.to_str().unwrap()]);
    assert!(again.code == Some(2) && again.err.contains("there already"), "{}", again.err);
    let unknown = apos(folder.path(), &["report", "inc-99", "--out", "-"]);
    assert!(unknown.code == Some(2) && unknown.err.contains("there is no incident inc-99"), "{}", unknown.err);
}
