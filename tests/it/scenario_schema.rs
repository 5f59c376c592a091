//! The JSON schema of scenario files says what the program accepts: editors and other programs read it.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

use std::collections::BTreeSet;

use apos::sim::Scenario;
use serde_json::Value;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../config/scenarios/schema.json")).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

#[test]
fn every_scenario_fits_the_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/scenarios")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let errors: Vec<String> =
                validator.iter_errors(&json(&text)).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            files += 1;
        }
    }
    assert_eq!(files, Scenario::names().len(), "every file is embedded");
}

/// What the parser refuses for itself, the schema refuses too.
#[test]
fn what_cannot_be_is_refused_by_both() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for wrong in [
        "payments_per_s = 0.0",
        "payment_per_s = 5.0",
        "duration = \"ten minutes\"",
        "duration = \"0s\"",
        "[outcomes]\nlost = 2.0",
        "[[fault]]\nkind = \"outrage\"\nat = \"1s\"\nfor = \"1s\"",
        "[[fault]]\nkind = \"outage\"\nat = \"1s\"\nfor = \"1s\"",
        "[[fault]]\nkind = \"traffic_spike\"\nat = \"1s\"\nfor = \"1s\"\nconnector = \"adyen\"",
        "[[expect]]\nsuccess_rate_at_least = 0.5\nfalse_incidents_at_most = 0",
        "[experiments.x]\narms = [{ name = \"only\" }]",
        "[experiments.x]\narms = [{ name = \"a\", policy = \"best\" }, { name = \"b\" }]",
        "[[expect]]\nfalse_incidents_at_most = 0\nslice = \"connector adyen\"",
    ] {
        let wrong = format!("name = \"wrong\"\n{wrong}");
        assert!(Scenario::parse("wrong.toml", &wrong).is_err(), "the parser takes {wrong}");
        assert!(!validator.is_valid(&json(&wrong)), "the schema takes {wrong}");
    }
    for nameless in ["", "name = \"\""] {
        assert!(Scenario::parse("wrong.toml", nameless).is_err() && !validator.is_valid(&json(nameless)), "{nameless}");
    }
}

/// The parser names every key it knows when it meets one it does not: the schema must have the same.
#[test]
fn the_schema_knows_every_key_and_no_other() {
    let fault = "[[fault]]\nkind = \"outage\"\nat = \"1s\"\nfor = \"1s\"\n";
    let bin = "[[bin]]\nbin = \"424242\"\ncountry = \"DE\"\n";
    for (text, pointer) in [
        ("", ""),
        ("[ticket]\n", "/properties/ticket"),
        ("[outcomes]\n", "/properties/outcomes"),
        ("[aftermath]\n", "/properties/aftermath"),
        ("[switch]\n", "/properties/switch"),
        (bin, "/properties/bin/items"),
        ("[connectors.x]\n", "/properties/connectors/additionalProperties"),
        ("[[merchant]]\nprofile = \"pro_x\"\n", "/properties/merchant/items"),
        ("[experiments.x]\n", "/properties/experiments/additionalProperties"),
        (fault, "/properties/fault/items"),
        ("[[expect]]\n", "/properties/expect/items"),
    ] {
        let refused = Scenario::parse("keys.toml", &format!("{text}zzz = 1\n")).unwrap_err().to_string();
        let known: BTreeSet<&str> = refused.split('`').skip(1).step_by(2).filter(|word| *word != "zzz").collect();
        let schema = schema();
        let written = schema.pointer(&format!("{pointer}/properties")).unwrap().as_object().unwrap();
        let written: BTreeSet<&str> = written.keys().map(String::as_str).collect();
        assert_eq!(known, written, "{pointer}: {refused}");
    }
}
