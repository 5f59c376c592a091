//! Where the peer is weak, seen on its running server: one test a weakness, each over the same calls.
#![allow(clippy::unwrap_used, reason = "answers that have the fields asked for")]

use anyhow::Result;
use apos::domain::{PaymentId, ProfileId};
use serde_json::{Value, json};

use crate::peer::{decide_request, update_request};
use crate::support::app::{OPERATOR, PROFILE, TestApp};
use crate::webhooks::sign;

const STRIPE: &str = "stripe:mca_1";
const ADYEN: &str = "adyen:mca_2";

async fn decide(app: &TestApp, payment: &str) -> Result<Value> {
    Ok(app.post_as_switch("/decide-gateway", &decide_request("pro_1", payment, &[STRIPE, ADYEN])).await?.body)
}

async fn tell(app: &TestApp, payment: &str, account: &str, status: &str) -> Result<()> {
    let answer = app.post_as_switch("/update-gateway-score", &update_request(payment, account, status)).await?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

/// What a decision knew of an account.
fn candidate<'a>(decision: &'a Value, account: &str) -> &'a Value {
    decision["apos"]["candidates"].as_array().unwrap().iter().find(|one| one["account"] == account).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_failure_posted_ten_times_counts_once() -> Result<()> {
    let app = TestApp::start().await?;
    for _ in 0..10 {
        tell(&app, "pay_1", STRIPE, "FAILURE").await?;
    }
    app.until_events(10).await?;
    let statistics = &app.read("/analytics").await?["statistics"];
    assert_eq!((&statistics["failed"], &statistics["repeats"]), (&json!(1), &json!(9)), "{statistics}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_for_an_unknown_payment_is_kept_and_the_answer_says_so() -> Result<()> {
    let app = TestApp::start().await?;
    let decided = app.post_as_switch("/decide-gateway", &decide_request("pro_1", "pay_known", &[STRIPE])).await?;
    assert_eq!(decided.body["routing_approach"], "DEFAULT");
    for (payment, known) in [("pay_known", true), ("pay_unknown", false)] {
        let answer = app.post_as_switch("/update-gateway-score", &update_request(payment, STRIPE, "CHARGED")).await?;
        assert_eq!(answer.body["message"], "Gateway score updated successfully");
        assert_eq!(answer.body["apos"]["payment_known"], known, "{payment}");
    }
    app.until_events(2).await?;
    for (status, known_end) in [("CHARGED", "repeated"), ("FAILURE", "contradicts")] {
        let answer = app.post_as_switch("/update-gateway-score", &update_request("pay_known", STRIPE, status)).await?;
        assert_eq!(answer.body["apos"]["known_end"], known_end, "{status}");
    }
    let account = app.read("/status").await?["connectors"][0]["accounts"][0].clone();
    assert_eq!((&account["account"], &account["approved"]), (&json!(STRIPE), &json!(2)), "{account}");
    app.stop().await?;
    Ok(())
}

/// The peer lost sixteen of 400 payments to it, and still showed 0.872.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_at_zero_percent_from_cold_is_known_within_a_handful_of_payments() -> Result<()> {
    let app = TestApp::start().await?;
    let mut lost = 0;
    for number in 0..400_u64 {
        let payment = format!("pay_{number}");
        let decided = decide(&app, &payment).await?["decided_gateway"].as_str().unwrap().to_owned();
        lost += u64::from(decided == ADYEN);
        tell(&app, &payment, &decided, if decided == ADYEN { "FAILURE" } else { "CHARGED" }).await?;
        app.until_folded().await?;
    }
    assert!((1..=8).contains(&lost), "{lost} lost");
    // Some 390 successes elsewhere later, the few failures are not forgotten, nor taken for bad luck.
    let decision = decide(&app, "pay_last").await?;
    let known = candidate(&decision, ADYEN);
    assert!(known["expected"].as_f64().unwrap() < 0.75 && known["spread"].as_f64().unwrap() > 0.0, "{decision}");
    for number in 0..8_u64 {
        tell(&app, &format!("more_{number}"), ADYEN, "FAILURE").await?;
    }
    app.until_folded().await?;
    let decision = decide(&app, "pay_at_last").await?;
    assert!(candidate(&decision, ADYEN)["expected"].as_f64().unwrap() < 0.1, "{decision}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_outcome_teaches_not_five_percent_of_them() -> Result<()> {
    let app = TestApp::start().await?;
    let mut spread = f64::INFINITY;
    for number in 0..20_u64 {
        tell(&app, &format!("pay_{number}"), STRIPE, if number % 4 == 0 { "FAILURE" } else { "CHARGED" }).await?;
        app.until_folded().await?;
        let decision = decide(&app, &format!("asked_{number}")).await?;
        let now = candidate(&decision, STRIPE)["spread"].as_f64().unwrap();
        assert!(now < spread, "outcome {number}: {spread} then {now}");
        spread = now;
    }
    app.stop().await?;
    Ok(())
}

/// Both accounts have worked; then stripe fails technically, and adyen for reasons that Hyperswitch does not tell.
async fn fail_both(app: &TestApp) -> Result<()> {
    for number in 0..60_u64 {
        tell(app, &format!("well_{number}"), if number % 2 == 0 { STRIPE } else { ADYEN }, "CHARGED").await?;
    }
    for number in 0..5_u64 {
        let outcome = json!({
            "profile": "pro_1", "payment": format!("timeout_{number}"), "account": STRIPE, "status": "failed", "class": "gateway",
        });
        assert_eq!(app.post_as(OPERATOR, "/v1/outcomes", &outcome).await?.status, 200);
    }
    for number in 0..20_u64 {
        tell(app, &format!("failed_{number}"), ADYEN, "FAILURE").await?;
    }
    app.until_folded().await
}

/// The peer took 79 failures in a row and did nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_in_a_row_open_the_breaker() -> Result<()> {
    let app = TestApp::start().await?;
    fail_both(&app).await?;
    let decision = decide(&app, "pay_asked").await?;
    assert_eq!(candidate(&decision, STRIPE)["excluded"], "breaker_open", "five technical ones: {decision}");
    assert_eq!(candidate(&decision, ADYEN)["excluded"], "breaker_open", "twenty that chance does not explain: {decision}");
    assert!(candidate(&decision, ADYEN)["expected"].as_f64().unwrap() < 0.2, "{decision}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_outage_the_approach_is_one_that_hyperswitch_sends_feedback_for() -> Result<()> {
    let app = TestApp::start().await?;
    fail_both(&app).await?;
    let decision = decide(&app, "pay_asked").await?;
    let approach = decision["routing_approach"].as_str().unwrap();
    assert!(["SR_SELECTION_V3_ROUTING", "SR_V3_HEDGING"].contains(&approach), "{decision}");
    assert_eq!(candidate(&decision, STRIPE)["excluded"], "breaker_open", "the true reason: {decision}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_are_taken_as_hyperswitch_spells_them() -> Result<()> {
    let app = TestApp::start().await?;
    let spellings = ["VBV_SUCCESSFUL", "V_B_V_SUCCESSFUL", "COD_INITIATED", "C_O_D_INITIATED", "VOIDED_POST_CHARGE"];
    for (number, status) in spellings.iter().enumerate() {
        tell(&app, &format!("pay_{number}"), STRIPE, status).await?;
    }
    app.until_events(5).await?;
    assert_eq!(app.read("/analytics").await?["statistics"]["approved"], 3);
    let refused = app.post_as_switch("/update-gateway-score", &update_request("pay_1", STRIPE, "CHARGE")).await?;
    let told = refused.body["error_message"].as_str().unwrap();
    assert!(refused.status == 400 && told.starts_with("status: `CHARGE` is none of CHARGED"), "{refused:?}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_dynamic_request_hides_is_taken_from_the_static_half_and_the_webhook() -> Result<()> {
    let app = TestApp::start().await?;
    let body = include_bytes!("fixtures/hyperswitch/webhook.payment_succeeded.body.json");
    let webhook: Value = serde_json::from_slice(body)?;
    let object = &webhook["content"]["object"];
    let payment = object["payment_id"].as_str().unwrap();
    let account = format!("{}:{}", object["connector"].as_str().unwrap(), object["merchant_connector_id"].as_str().unwrap());
    let half = json!({ "created_by": PROFILE, "payment_id": payment, "parameters": {
        "card_bin": { "type": "str_value", "value": "424242" }, "card_network": { "type": "enum_variant", "value": "Visa" },
    } });
    let dynamic = decide_request(PROFILE, payment, &[&account, "other:mca_9"]);
    let both = json!({ "static_routing_request": half, "dynamic_routing_request": dynamic });
    assert_eq!(app.post_as_switch("/routing/hybrid", &both).await?.status, 200);
    let (profile, id) = (ProfileId::parse(PROFILE).unwrap(), PaymentId::parse(payment).unwrap());
    let known = app.handle().decided(&profile, &id).unwrap().request.context;
    assert!(known.bin.is_some() && known.network.is_some(), "{known:?}");
    // The webhook and the feedback of the same attempt are one outcome.
    let signature = sign(body);
    assert_eq!(app.post_webhook(PROFILE, body.to_vec(), Some(&signature)).await?.status, 200);
    let mut feedback = update_request(payment, &account, "CHARGED");
    feedback["merchantId"] = json!(PROFILE);
    assert_eq!(app.post_as_switch("/update-gateway-score", &feedback).await?.status, 200);
    app.until_events(2).await?;
    let statistics = app.read("/analytics").await?["statistics"].clone();
    assert_eq!((&statistics["approved"], &statistics["repeats"]), (&json!(1), &json!(1)), "{statistics}");
    app.stop().await?;
    Ok(())
}

/// Where nobody asks the switch for them, that they are missing is told all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_that_webhooks_hide_are_told_as_unseen() -> Result<()> {
    let app = TestApp::start().await?;
    let mut webhook: Value =
        serde_json::from_slice(include_bytes!("fixtures/hyperswitch/webhook.payment_succeeded.body.json"))?;
    webhook["content"]["object"]["attempt_count"] = json!(3);
    webhook["event_id"] = json!("evt_rescued");
    let body = serde_json::to_vec(&webhook)?;
    let signature = sign(&body);
    assert_eq!(app.post_webhook(PROFILE, body, Some(&signature)).await?.status, 200);
    app.until_events(1).await?;
    let analytics = app.read("/analytics").await?;
    assert_eq!((&analytics["statistics"]["attempts_unseen"], &analytics["attempts_coverage"]), (&json!(2), &json!(1.0 / 3.0)));
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_merchant_is_created_by_its_first_call() -> Result<()> {
    let app = TestApp::start().await?;
    let asked = decide_request("pro_never_heard_of", "pay_1", &[STRIPE, ADYEN]);
    assert_eq!(app.post_as_switch("/decide-gateway", &asked).await?.status, 200);
    app.until("it is known", || app.handle().view().knows(&ProfileId::parse("pro_never_heard_of").unwrap())).await?;
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_split_that_sums_to_110_is_refused() -> Result<()> {
    let app = TestApp::start().await?;
    let split = |percent: u8, name: &str| json!({ "split": percent, "output": { "gateway_name": name, "gateway_id": null } });
    let rule = json!({
        "name": "bad", "description": "bad", "created_by": "pro_1", "algorithm_for": "payment",
        "algorithm": { "type": "volume_split", "data": [split(70, "stripe"), split(40, "adyen")] },
    });
    let refused = app.post_as_switch("/routing/create", &rule).await?;
    let told = refused.body["message"].as_str().unwrap();
    assert!(refused.status == 400 && told.starts_with("algorithm.data: ") && told.contains("110"), "{refused:?}");
    assert_eq!(app.post_as_switch("/routing/list/pro_1", &json!({})).await?.body, json!([]));
    app.stop().await?;
    Ok(())
}

/// Alerts and actions on the switch are shown by `engine::healing` and `rehearsal`; here, that the calls carry confidence,
/// and that what was long ago weighs less.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_fades_and_every_decision_says_how_sure_it_is() -> Result<()> {
    let app = TestApp::start().await?;
    for number in 0..8_u64 {
        tell(&app, &format!("old_{number}"), ADYEN, "FAILURE").await?;
    }
    app.until_folded().await?;
    let before = decide(&app, "pay_before").await?;
    assert!(before["apos"]["confidence"].as_f64().unwrap() > 0.5, "{before}");
    for number in 0..4_000_u64 {
        tell(&app, &format!("new_{number}"), STRIPE, "CHARGED").await?;
    }
    app.until_folded().await?;
    let after = decide(&app, "pay_after").await?;
    let evidence = |decision: &Value| candidate(decision, ADYEN)["evidence"].as_f64().unwrap();
    assert!(evidence(&after) < 0.8 * evidence(&before), "{} then {}", evidence(&before), evidence(&after));
    app.stop().await?;
    Ok(())
}

/// The engine of this test has no database, no Redis and no tables: nothing but its own memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_needs_no_other_service_and_analytics_are_built_in() -> Result<()> {
    let app = TestApp::start().await?;
    assert_eq!(decide(&app, "pay_1").await?["apos"]["attempt"], 1);
    tell(&app, "pay_1", STRIPE, "CHARGED").await?;
    app.until_events(1).await?;
    assert_eq!(app.read("/analytics").await?["analytics"]["connectors"][0]["approved"], 1);
    app.stop().await?;
    Ok(())
}
