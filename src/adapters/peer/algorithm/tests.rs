//! Algorithms, read.

use serde_json::json;

use super::*;

fn gateway(name: &str) -> Json {
    json!({ "gateway_name": name, "gateway_id": format!("mca_{name}") })
}

fn advanced(condition: &Json) -> Json {
    json!({
        "type": "advanced",
        "data": {
            "globals": { "nordic": [{ "type": "enum_variant", "value": "Sweden" }] },
            "default_selection": { "priority": [gateway("stripe")] },
            "rules": [{
                "name": "case",
                "routing_type": "volume_split_priority",
                "output": { "volume_split_priority": [
                    { "split": 60, "output": [gateway("stripe"), gateway("adyen")] },
                    { "split": 40, "output": [{ "gateway_name": "checkout", "gateway_id": null }] },
                ] },
                "statements": [{ "condition": [condition], "nested": [
                    { "condition": [condition], "nested": null },
                ] }],
            }],
            "metadata": { "note": "kept" },
        },
    })
}

fn condition(lhs: &str, comparison: &str, kind: &str, value: &Json) -> Json {
    json!({ "lhs": lhs, "comparison": comparison, "value": { "type": kind, "value": value }, "metadata": { "note": 1 } })
}

#[test]
fn what_is_read_is_given_back_as_it_was_written() {
    let conditions = [
        condition("amount", "greater_than", "number", &json!(5)),
        condition("amount", "not_equal", "number_array", &json!([1, 2])),
        condition("amount", "equal", "number_comparison_array", &json!([{ "comparison_type": "less_than", "number": 9 }])),
        condition("card_network", "equal", "enum_variant", &json!("VISA")),
        condition("card_network", "not_equal", "enum_variant_array", &json!(["Visa", "Master Card"])),
        condition("card_bin", "equal", "str_value", &json!("424242")),
        condition("metadata", "equal", "metadata_variant", &json!({ "key": "tier", "value": "gold" })),
        condition("billing_country", "equal", "global_ref", &json!("nordic")),
    ];
    let fixed = [
        json!({ "type": "single", "data": gateway("stripe") }),
        json!({ "type": "priority", "data": [gateway("stripe"), gateway("adyen")] }),
        json!({ "type": "volume_split", "data": [{ "split": 100, "output": gateway("stripe") }] }),
        json!({ "type": "volume_split_priority", "data": [{ "split": 100, "output": [gateway("stripe")] }] }),
    ];
    for algorithm in conditions.iter().map(advanced).chain(fixed) {
        let (read, bytes) = read(&algorithm).unwrap();
        assert_eq!(json!(AsWritten(&read)), algorithm);
        assert_eq!(bytes as usize, algorithm.to_string().len());
    }
}

#[test]
fn a_refusal_names_the_field_and_what_is_allowed() {
    let check = |algorithm: &Json, field: &str, told: &str| {
        let refused = read(algorithm).unwrap_err();
        assert_eq!(refused.field, format!("algorithm.{field}"), "{refused}");
        assert!(refused.problem.contains(told), "{refused}");
    };
    let split = |percents: &[i64]| {
        let share = |(index, percent)| json!({ "split": percent, "output": gateway(&format!("psp_{index}")) });
        let data: Vec<Json> = percents.iter().enumerate().map(share).collect();
        json!({ "type": "volume_split", "data": data })
    };
    check(&split(&[70, 40]), "data", "sum to 110, not to 100");
    check(&split(&[70, -30]), "data[1].split", "whole number");
    check(&split(&[256]), "data[0].split", "0 to 100");
    check(&split(&[]), "data", "1 to 100");
    check(&json!({ "type": "random", "data": [] }), "type", "single, priority");
    check(&json!({ "type": "single", "data": {} }), "data.gateway_name", "missing");
    check(&json!({ "type": "single", "data": { "gateway_name": "a b" } }), "data", "white space");
    check(&json!({ "type": "priority", "data": [gateway("a"), gateway("a")] }), "data[1]", "named twice");
    let twice = [json!({ "split": 40, "output": gateway("a") }), json!({ "split": 60, "output": gateway("a") })];
    check(&json!({ "type": "volume_split", "data": twice }), "data[1]", "named twice");
    let many: Vec<Json> = (0..10_000).map(|number| json!({ "gateway_name": format!("p{number}") })).collect();
    assert!(read(&json!({ "type": "priority", "data": many })).unwrap_err().problem.contains("32768"));

    let place = "data.rules[0].statements[0].condition[0]";
    let one = |lhs: &str, comparison: &str, kind: &str, value: Json| advanced(&condition(lhs, comparison, kind, &value));
    check(&one("moon_phase", "equal", "number", json!(1)), &format!("{place}.lhs"), "`moon_phase` is no key");
    check(&one("currency", "equal", "enum_variant", json!("USDT")), &format!("{place}.value"), "no value of `currency`");
    check(&one("amount", "equal", "number", json!(-1)), &format!("{place}.value.value"), "0 or more");
    check(&one("amount", "equal", "enum_variant", json!("1")), &format!("{place}.value"), "number_array");
    check(&one("amount", "like", "number", json!(1)), &format!("{place}.comparison"), "none of equal, not_equal");
    check(&one("currency", "less_than", "enum_variant", json!("EUR")), &format!("{place}.comparison"), "equal or not_equal");
    check(&one("card_bin", "equal", "str_value", json!("4242")), &format!("{place}.value"), "6 digits");
    check(&one("amount", "equal", "global_ref", json!("nordic")), &format!("{place}.value"), "number");
    check(&one("billing_country", "equal", "global_ref", json!("baltic")), &format!("{place}.value"), "no set");
}

/// What was stored before this was refused is still read: the log holds the values, not this JSON.
#[test]
fn a_case_or_a_statement_that_asks_nothing_is_refused_with_its_place() {
    let one = condition("amount", "equal", "number", &json!(1));
    let with = |statements: Json| {
        let mut algorithm = advanced(&one);
        algorithm["data"]["rules"][0]["statements"] = statements;
        read(&algorithm)
    };
    let nothing = json!({ "condition": [], "nested": null });
    for (statements, place) in [
        (json!([]), ""),
        (json!([nothing]), "[0].condition"),
        (json!([{ "condition": [one] }, nothing]), "[1].condition"),
        (json!([{ "condition": [one], "nested": [nothing] }]), "[0].nested[0].condition"),
    ] {
        let refused = with(statements).unwrap_err();
        assert_eq!(refused.field, format!("algorithm.data.rules[0].statements{place}"), "{refused}");
        assert!(refused.problem.contains("it is empty"), "{refused}");
    }
    assert!(with(json!([{ "condition": [one], "nested": [] }])).is_ok(), "no nested statement is needed");
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| {
        let one = condition("amount", "equal", "number", &json!(1));
        let inner = (1..depth).fold(Json::Null, |inner, _| json!([{ "condition": [one], "nested": inner }]));
        let mut algorithm = advanced(&one);
        algorithm["data"]["rules"][0]["statements"] = json!([{ "condition": [one], "nested": inner }]);
        read(&algorithm)
    };
    assert!(nested(NESTING_MAX).is_ok());
    assert!(nested(NESTING_MAX + 1).unwrap_err().problem.contains("more than 8 deep"));
}
