//! Rules, judged.

use super::*;
use crate::domain::rule::Split;
use crate::domain::testing::{account, profile, request};
use crate::domain::{Bin, Context, Country, Method, Network, Position};

fn parameters(told: &[(&str, Value)]) -> Parameters {
    Parameters::new(told.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

fn condition(key: &str, comparison: Comparison, value: Value) -> Condition {
    Condition { key: key.into(), comparison, value, notes: String::new() }
}

fn program(statements: Vec<Statement>) -> Algorithm {
    let case = Case { name: "case".into(), output: Output::Single(account("stripe:a")), statements };
    let globals = vec![("nordic".into(), vec![Value::Word("Sweden".into()), Value::Word("Norway".into())])];
    let default = Output::Single(account("adyen:b"));
    Algorithm::Advanced(Program { globals, default, cases: vec![case], notes: String::new() })
}

/// Whether one condition holds of what is told.
fn check(told: &[(&str, Value)], (key, comparison, value): (&str, Comparison, Value), expected: bool) {
    let algorithm = program(vec![Statement { conditions: vec![condition(key, comparison, value)], nested: Vec::new() }]);
    let told = parameters(told);
    let verdict = judge(&algorithm, &Facts { parameters: &told, request: None }, 0);
    assert_eq!((verdict.case.is_some(), verdict.by_default), (expected, !expected), "{algorithm:?} {told:?}");
}

#[test]
fn every_comparison_compares() {
    use Comparison::{Equal, GreaterThan, GreaterThanEqual, LessThan, LessThanEqual, NotEqual};
    let told = [
        ("amount", Value::Number(1_000)),
        ("card_network", Value::Word("VISA".into())),
        ("issuer_country", Value::Word("Sweden".into())),
        ("business_label", Value::Text("Shop".into())),
        ("metadata", Value::Metadata("tier".into(), "gold".into())),
    ];
    let number = |comparison, with, expected| check(&told, ("amount", comparison, Value::Number(with)), expected);
    number(Equal, 1_000, true);
    number(NotEqual, 1_000, false);
    number(LessThan, 1_000, false);
    number(LessThanEqual, 1_000, true);
    number(GreaterThan, 999, true);
    number(GreaterThanEqual, 1_001, false);
    check(&told, ("amount", Equal, Value::Numbers(vec![5, 1_000])), true);
    check(&told, ("amount", NotEqual, Value::Numbers(vec![5, 1_000])), false);
    check(&told, ("amount", Equal, Value::Ranges(vec![(GreaterThan, 10), (LessThan, 2_000)])), true);
    check(&told, ("amount", Equal, Value::Ranges(vec![(GreaterThan, 10), (LessThan, 100)])), false);
    check(&told, ("card_network", Equal, Value::Word("Visa".into())), true);
    check(&told, ("card_network", NotEqual, Value::Word("visaCard".into())), false);
    check(&told, ("card_network", Equal, Value::Words(vec!["Mastercard".into(), "visa".into()])), true);
    check(&told, ("card_network", NotEqual, Value::Words(vec!["Mastercard".into()])), true);
    check(&told, ("business_label", Equal, Value::Text("Shop".into())), true);
    check(&told, ("business_label", Equal, Value::Text("shop".into())), false);
    check(&told, ("metadata", Equal, Value::Metadata("tier".into(), "gold".into())), true);
    check(&told, ("metadata", NotEqual, Value::Metadata("tier".into(), "silver".into())), true);
    check(&told, ("metadata", NotEqual, Value::Metadata("level".into(), "silver".into())), false);
    check(&told, ("issuer_country", Equal, Value::Global("nordic".into())), true);
    check(&told, ("issuer_country", Equal, Value::Global("baltic".into())), false);
    check(&told, ("amount", Equal, Value::Text("1000".into())), false);
    check(&told, ("currency", NotEqual, Value::Word("EUR".into())), false);
}

#[test]
fn statements_are_or_conditions_are_and_and_nested_ones_must_follow() {
    let amount = |above| condition("amount", Comparison::GreaterThan, Value::Number(above));
    let leaf = |conditions| Statement { conditions, nested: Vec::new() };
    let nested = Statement {
        conditions: vec![amount(10)],
        nested: vec![leaf(vec![amount(1_000)]), leaf(vec![amount(100), amount(200)])],
    };
    let algorithm = program(vec![leaf(vec![amount(5_000)]), nested]);
    let check = |paid: u64, expected: bool| {
        let told = parameters(&[("amount", Value::Number(paid))]);
        let verdict = judge(&algorithm, &Facts { parameters: &told, request: None }, 0);
        assert_eq!(verdict.case.is_some(), expected, "{paid}");
    };
    check(5, false);
    check(11, false);
    check(150, false);
    check(201, true);
    check(1_001, true);
    check(6_000, true);
}

fn shares() -> Output {
    Output::VolumeSplitPriority(vec![
        Split { percent: 70, output: vec![account("stripe:a"), account("adyen:b")] },
        Split { percent: 0, output: vec![account("never:z")] },
        Split { percent: 30, output: vec![account("checkout:c"), account("stripe:a")] },
    ])
}

#[test]
fn a_share_is_drawn_by_the_lot_and_the_others_follow_it() {
    let algorithm = Algorithm::Fixed(shares());
    let check = |lot: u8, allowed: &[&str], order: &[&str]| {
        let verdict = judge(&algorithm, &Facts { parameters: &Parameters::NONE, request: None }, lot);
        let names = |order: Order<'_>| order.iter().map(|account| account.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!((names(verdict.allowed()), names(verdict.order())), (names_of(allowed), names_of(order)), "{lot}");
    };
    check(0, &["stripe:a", "adyen:b"], &["stripe:a", "adyen:b", "never:z", "checkout:c"]);
    check(69, &["stripe:a", "adyen:b"], &["stripe:a", "adyen:b", "never:z", "checkout:c"]);
    check(70, &["checkout:c", "stripe:a"], &["checkout:c", "stripe:a", "adyen:b", "never:z"]);
    check(99, &["checkout:c", "stripe:a"], &["checkout:c", "stripe:a", "adyen:b", "never:z"]);
}

fn names_of(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn lots_are_fair_and_the_same_for_a_payment() {
    let (rule, profile) = (RuleId(Position { record: 7, index: 0 }), profile());
    let payment = |number: u32| PaymentId::parse(&format!("pay_{number}")).unwrap();
    let below = (0..20_000).filter(|number| lot(rule, &profile, &payment(*number)) < 30).count();
    // Six standard deviations of a fair draw.
    assert!((5_610..=6_390).contains(&below), "{below}");
    assert_eq!(lot(rule, &profile, &payment(1)), lot(rule, &profile, &payment(1)));
}

#[test]
fn a_request_tells_what_nobody_else_did() {
    let context = Context {
        method: Some(Method::Card),
        network: Some(Network::Visa),
        country: Country::parse("DE").ok(),
        bin: Bin::parse("42424242").ok(),
        three_ds: Some(false),
        ..Context::default()
    };
    let request = Request { context, ..request(&["stripe:a"]) };
    let holds = |key: &str, value: Value| {
        let statement = Statement { conditions: vec![condition(key, Comparison::Equal, value)], nested: Vec::new() };
        let facts = Facts { parameters: &Parameters::NONE, request: Some(&request) };
        judge(&program(vec![statement]), &facts, 0).case.is_some()
    };
    assert!(holds("amount", Value::Number(6_540)));
    assert!(holds("currency", Value::Word("eur".into())));
    assert!(holds("payment_method", Value::Word("card".into())));
    assert!(holds("card_network", Value::Word("VISA".into())));
    assert!(holds("issuer_country", Value::Word("Germany".into())));
    assert!(holds("authentication_type", Value::Word("no_three_ds".into())));
    assert!(holds("card_bin", Value::Text("424242".into())));
    assert!(holds("extended_card_bin", Value::Text("42424242".into())));
    assert!(!holds("billing_country", Value::Word("Germany".into())), "an issuer's country is not the customer's");
}
