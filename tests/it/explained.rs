//! Explanations, connectors and refusals from outside: what the API tells of why.
#![allow(clippy::unwrap_used, reason = "answers that have the fields asked for")]

use std::time::Duration;

use anyhow::Result;
use apos::domain::decision::Explanation;
use apos::domain::settings::{Connector, Merchant, Objective, WhenNoneLeft, Window};
use apos::domain::{ConnectorName, Network, PaymentId, ProfileId, Settings, Time};
use apos::runtime::{LogChoice, TablesChoice};
use serde_json::{Value, json};

use crate::peer::decide_request;
use crate::support::app::{OPERATOR, TestApp, api_config};

const STRIPE: &str = "stripe:mca_1";
const ADYEN: &str = "adyen:mca_2";

fn settings(connectors: &[(&str, Connector)]) -> Settings {
    let named = connectors.iter().map(|(name, told)| (ConnectorName::parse(name).unwrap(), told.clone()));
    Settings { connectors: named.collect(), ..Settings::default() }
}

fn asked(payment: &str) -> Value {
    json!({
        "profile": "pro_1",
        "payment": payment,
        "amount": { "minor": 10_000, "currency": "EUR" },
        "context": { "method": "card", "network": "visa" },
        "eligible": [STRIPE, ADYEN],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_is_no_longer_open_is_explained_from_the_log() -> Result<()> {
    let app = TestApp::start_with(Settings::default(), api_config()?, LogChoice::Sqlite, TablesChoice::Sqlite).await?;
    let (profile, payment) = (ProfileId::parse("pro_1").unwrap(), PaymentId::parse("pay_1").unwrap());
    assert_eq!(app.post_as(OPERATOR, "/v1/decisions", &asked("pay_1")).await?.status, 200);
    let rows = |app: &TestApp| app.handle().status().tables.map_or(0, |tables| tables.rows);
    app.until("the tables hold the decision", || rows(&app) >= 1).await?;
    let (open, recalled) = (app.handle().decided(&profile, &payment), app.handle().recalled(&profile, &payment, None).await?);
    let text = |decision: Option<_>| decision.map(|decision: std::sync::Arc<_>| Explanation::of(&decision).text());
    assert!(open.is_some() && open == recalled && text(open) == text(recalled));
    let unknown = PaymentId::parse("pay_unknown").unwrap();
    assert_eq!(app.handle().recalled(&profile, &unknown, None).await?, None);
    app.stop().await?;
    Ok(())
}

/// A repeat of attempt 1 that arrives after attempt 2 was decided never gets attempt 2's account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attempt_is_answered_and_explained_as_it_was_decided() -> Result<()> {
    let app = TestApp::start_with(Settings::default(), api_config()?, LogChoice::Sqlite, TablesChoice::Sqlite).await?;
    let ask = async |attempt: u16, eligible: &[&str]| {
        let mut body = asked("pay_1");
        (body["attempt"], body["eligible"]) = (json!(attempt), json!(eligible));
        app.post_as(OPERATOR, "/v1/decisions", &body).await
    };
    let explained = async |query: &str| app.get(&format!("/v1/decisions/pay_1?profile=pro_1{query}")).await;
    let mut decided = Vec::new();
    for (attempt, account) in (1..=5).zip([STRIPE, ADYEN, STRIPE, ADYEN, STRIPE]) {
        let answer = ask(attempt, &[account]).await?;
        assert_eq!((answer.status, &answer.body["account"]), (200, &json!(account)), "{answer:?}");
        decided.push(answer.body);
        app.until_folded().await?;
        app.until("it is covered", || app.handle().status().decisions.in_flight == 0).await?;
    }
    for attempt in 2..=5 {
        let again = ask(attempt, &[ADYEN, STRIPE]).await?;
        assert_eq!((again.status, &again.body), (200, &decided[usize::from(attempt) - 1]), "attempt {attempt}");
    }
    for (attempt, eligible) in [(1, [STRIPE, ADYEN].as_slice()), (2, &[STRIPE])] {
        let refused = ask(attempt, eligible).await?;
        let error = &refused.body["error"];
        assert_eq!((refused.status, &error["code"], &error["field"]), (409, &json!("overtaken"), &json!("attempt")));
        assert_eq!(error["latest_attempt"], 5, "{error}");
        assert!(error["message"].as_str().unwrap().contains("the latest is attempt 5") && error["remedy"].is_string());
    }
    app.until("the tables hold them", || app.handle().status().tables.is_some_and(|tables| tables.rows >= 5)).await?;
    for attempt in 1..=5 {
        let told = explained(&format!("&attempt={attempt}")).await?.body;
        let was = &decided[attempt - 1];
        assert_eq!((&told["attempt"], &told["account"]), (&was["attempt"], &was["account"]), "attempt {attempt}");
    }
    assert_eq!(explained("").await?.body["attempt"], 5, "the latest");
    assert_eq!(explained("&attempt=6").await?.status, 404);
    for (query, named) in [("&attempt=0", "attempt"), ("&attempt=x", "attempt"), ("&atempt=1", "`atempt`")] {
        let refused = explained(query).await?;
        assert!(refused.status == 400 && refused.body.to_string().contains(named), "{query}: {refused:?}");
    }
    let refused = app.get("/v1/connectors?profil=pro_1").await?;
    assert_eq!((refused.status, &refused.body["error"]["field"]), (400, &json!("profil")), "{refused:?}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connectors_tell_what_they_can_do_what_they_cost_and_when_they_are_maintained() -> Result<()> {
    let hour = Duration::from_hours(1);
    let long_ago = Time::parse_rfc3339("2020-01-01T00:00:00Z").unwrap();
    let in_force = Window { start: long_ago, end: long_ago + 24 * 365 * 100 * hour, accounts: vec!["mca_2".into()] };
    let over = Window { start: long_ago, end: long_ago + hour, accounts: Vec::new() };
    let adyen = Connector { maintenance: vec![over, in_force], fee_percent: 1.5, ..Connector::default() };
    let unseen = Connector { networks: vec![Network::Visa], ..Connector::default() };
    let app = TestApp::with_settings(settings(&[("adyen", adyen), ("worldpay", unseen)])).await?;
    for account in [STRIPE, ADYEN] {
        let told = json!({ "merchantId": "pro_1", "gateway": account, "status": "CHARGED", "paymentId": account });
        assert_eq!(app.post_as_switch("/update-gateway-score", &told).await?.status, 200);
    }
    app.until_events(2).await?;
    let told = app.read("/v1/connectors").await?;
    let names: Vec<&str> = told["connectors"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["adyen", "stripe", "worldpay"]);
    let [adyen, stripe, worldpay] = [0, 1, 2].map(|index| &told["connectors"][index]);
    assert_eq!(adyen["maintenance"].as_array().unwrap().len(), 1, "what is over is not told: {adyen}");
    let account = &adyen["accounts"][0];
    assert_eq!((&account["account"], &account["breaker"]), (&json!(ADYEN), &json!("closed")));
    assert!(account["maintenance_until"].is_string() && account["expected"].as_f64().unwrap() > 0.8, "{account}");
    assert!(account["samples"].as_f64().unwrap() > 0.0 && account["latency_ms"].is_number(), "{account}");
    assert_eq!((&adyen["configured"]["fee_percent"], &stripe["configured"]), (&json!(1.5), &Value::Null));
    assert_eq!((&worldpay["configured"]["networks"][0], &worldpay["accounts"]), (&json!("visa"), &json!([])));
    let decision = app.post_as_switch("/decide-gateway", &decide_request("pro_1", "pay_1", &[STRIPE, ADYEN])).await?.body;
    assert_eq!((&decision["decided_gateway"], &decision["is_scheduled_outage"]), (&json!(STRIPE), &json!(true)));
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_none_is_left_the_peers_error_is_answered_if_so_configured() -> Result<()> {
    let dollars = Connector { currencies: vec![apos::domain::Currency::parse("JPY").unwrap()], ..Connector::default() };
    let mut settings = settings(&[("stripe", dollars.clone()), ("adyen", dollars)]);
    settings.routing.when_none_left = WhenNoneLeft::Refuse;
    let app = TestApp::with_settings(settings).await?;
    let refused = app.post_as_switch("/decide-gateway", &decide_request("pro_1", "pay_1", &[STRIPE, ADYEN])).await?;
    let info = &refused.body["error_info"];
    assert_eq!((refused.status, &info["code"]), (400, &json!("GATEWAY_NOT_FOUND")), "{refused:?}");
    assert_eq!(refused.body["routing_approach"], "NONE");
    let why = info["developer_message"].as_str().unwrap();
    assert!(why.contains("stripe:mca_1: does not support") && why.contains("adyen:mca_2: does not support"), "{why}");
    let refused = app.post_as(OPERATOR, "/v1/decisions", &asked("pay_2")).await?;
    assert_eq!((refused.status, &refused.body["error"]["code"]), (400, &json!("no_candidate")), "{refused:?}");
    app.stop().await?;
    Ok(())
}

/// For the peer's own word for it Hyperswitch would send no feedback, and nothing would be learnt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_by_expected_value_keeps_feedback_flowing_and_tells_its_reason_beside() -> Result<()> {
    let fee = |fee_percent| Connector { fee_percent, ..Connector::default() };
    let mut settings = settings(&[("stripe", fee(5.0)), ("adyen", fee(1.0))]);
    settings.routing.uniform_share = 0.0;
    let objective = Objective { margin_percent: 10.0, cost_weight: 1.0, ..Objective::default() };
    settings.merchants.insert(ProfileId::parse("pro_1").unwrap(), Merchant { objective, ..Merchant::default() });
    let app = TestApp::with_settings(settings).await?;
    let decision = app.post_as_switch("/decide-gateway", &decide_request("pro_1", "pay_1", &[STRIPE, ADYEN])).await?.body;
    assert_eq!(
        (&decision["decided_gateway"], &decision["routing_approach"]),
        (&json!(ADYEN), &json!("SR_SELECTION_V3_ROUTING"))
    );
    let objective = &decision["apos"]["objective"];
    assert_eq!(objective["by_success"], STRIPE, "the first of two that are alike: {objective}");
    assert!(objective["fees_saved_minor"].as_f64().unwrap() > 0.0, "{objective}");
    let plain = app.post_as_switch("/decide-gateway", &decide_request("pro_2", "pay_1", &[STRIPE, ADYEN])).await?.body;
    assert_eq!((&plain["decided_gateway"], plain["apos"].get("objective")), (&json!(STRIPE), None));
    app.stop().await?;
    Ok(())
}
