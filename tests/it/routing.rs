//! Merchants' routing rules over HTTP: written, in force, obeyed; and the calls that stand beside them.
#![allow(clippy::unwrap_used, reason = "answers that have the fields asked for")]

use anyhow::{Result, ensure};
use apos::domain::rule::RULES_MAX;
use apos::domain::{PaymentId, ProfileId};
use serde_json::{Value, json};

use crate::peer::{decide_request, update_request};
use crate::support::app::{Answer, OPERATOR, TestApp, send};

const STRIPE: &str = "stripe:mca_1";
const ADYEN: &str = "adyen:mca_2";

fn gateway(account: &str) -> Value {
    let (name, id) = account.split_once(':').unwrap();
    json!({ "gateway_name": name, "gateway_id": id })
}

fn priority(accounts: &[&str]) -> Value {
    json!({ "type": "priority", "data": accounts.iter().map(|account| gateway(account)).collect::<Vec<_>>() })
}

fn rule(algorithm: &Value) -> Value {
    json!({ "name": "rule", "description": "", "created_by": "pro_1", "algorithm_for": "payment", "algorithm": algorithm })
}

fn chosen(id: &str) -> Value {
    json!({ "created_by": "pro_1", "routing_algorithm_id": id })
}

async fn create(app: &TestApp, algorithm: &Value) -> Result<String> {
    let answer = app.post_as_switch("/routing/create", &rule(algorithm)).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(answer.body["rule_id"].as_str().unwrap().to_owned())
}

/// Creates a rule and puts it into force.
async fn activate(app: &TestApp, algorithm: &Value) -> Result<String> {
    let id = create(app, algorithm).await?;
    let answer = app.post_as_switch("/routing/activate", &chosen(&id)).await?;
    ensure!(answer.status == 200 && answer.body.is_null(), "{answer:?}");
    Ok(id)
}

async fn decide(app: &TestApp, payment: &str, ranking: &str) -> Result<Answer> {
    let mut asked = decide_request("pro_1", payment, &[STRIPE, ADYEN]);
    asked["rankingAlgorithm"] = json!(ranking);
    app.post_as_switch("/decide-gateway", &asked).await
}

async fn by(app: &TestApp, method: &str, path: &str) -> Result<Answer> {
    send(app.request(method, path)?.bearer_auth(OPERATOR)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_is_written_used_changed_and_deleted() -> Result<()> {
    let app = TestApp::start().await?;
    let evaluate = json!({ "created_by": "pro_1", "payment_id": "pay_1", "parameters": {} });
    let refused = async |path: &str, body: &Value, told: &str| -> Result<()> {
        let answer = app.post_as_switch(path, body).await?;
        let message = answer.body["message"].as_str().unwrap_or_default();
        ensure!(answer.status == 400 && answer.body["code"] == "TE_04" && message.contains(told), "{path}: {answer:?}");
        Ok(())
    };
    let (first, second) = (create(&app, &priority(&[STRIPE])).await?, create(&app, &priority(&[ADYEN, STRIPE])).await?);
    refused("/routing/evaluate", &evaluate, "No active routing algorithm found").await?;
    assert_eq!(app.post_as_switch("/routing/list/active/pro_1", &json!({})).await?.body, json!([]));
    for id in [&first, &second] {
        assert_eq!(app.post_as_switch("/routing/activate", &chosen(id)).await?.status, 200);
    }
    let active = app.post_as_switch("/routing/list/active/pro_1", &json!({})).await?.body;
    assert_eq!((active.as_array().unwrap().len(), &active[0]["id"]), (1, &json!(second)), "one at a time");
    let answer = app.post_as_switch("/routing/evaluate", &evaluate).await?;
    assert_eq!(answer.body["evaluated_output"], json!([gateway(ADYEN), gateway(STRIPE)]), "{answer:?}");

    let mut change = rule(&priority(&[ADYEN]));
    change["routing_algorithm_id"] = json!(second);
    change["name"] = json!("changed");
    refused("/routing/update", &change, "deactivate it first").await?;
    refused("/routing/delete", &chosen(&second), "deactivate it first").await?;
    for _ in 0..2 {
        assert_eq!(app.post_as_switch("/routing/deactivate", &chosen(&second)).await?.status, 200, "twice is once");
    }
    refused("/routing/evaluate", &evaluate, "No active routing algorithm found").await?;
    let changed = app.post_as_switch("/routing/update", &change).await?;
    assert_eq!((changed.status, &changed.body["name"], &changed.body["rule_id"]), (200, &json!("changed"), &json!(second)));
    let deleted = app.post_as_switch("/routing/delete", &chosen(&second)).await?;
    assert_eq!(deleted.body, json!({ "status": "deleted", "routing_algorithm_id": second }));

    let others = json!({ "created_by": "pro_2", "routing_algorithm_id": first });
    for (path, body) in [
        ("/routing/activate", &chosen(&second)),
        ("/routing/deactivate", &chosen("routing_nonsense")),
        ("/routing/activate", &others),
        ("/routing/update", &change),
        ("/routing/delete", &chosen(&second)),
    ] {
        let unknown = app.post_as_switch(path, body).await?;
        let message = unknown.body["message"].as_str().unwrap_or_default();
        ensure!(unknown.status == 404 && unknown.body["code"] == "TE_04", "{path}: {unknown:?}");
        assert!(message.contains("Routing algorithm not found"), "{path}: {unknown:?}");
    }
    let listed = app.post_as_switch("/routing/list/pro_1", &json!({})).await?.body;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["algorithm_data"]), (1, &priority(&[STRIPE])));
    assert_eq!(by(&app, "DELETE", "/merchant-account/pro_1").await?.status, 200);
    assert_eq!(app.post_as_switch("/routing/list/pro_1", &json!({})).await?.body, json!([]), "gone with the merchant");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merchant_has_room_for_so_many_rules() -> Result<()> {
    let app = TestApp::start().await?;
    for _ in 0..RULES_MAX {
        create(&app, &priority(&[STRIPE])).await?;
    }
    let refused = app.post_as_switch("/routing/create", &rule(&priority(&[STRIPE]))).await?;
    let told = refused.body["message"].as_str().unwrap();
    assert!(refused.status == 400 && told.contains("at most 100"), "{refused:?}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_stays_within_the_rule_and_says_so() -> Result<()> {
    let app = TestApp::start().await?;
    let id = activate(&app, &json!({ "type": "single", "data": gateway(ADYEN) })).await?;
    for number in 0..20 {
        let body = decide(&app, &format!("pay_{number}"), "SR_BASED_ROUTING").await?.body;
        assert_eq!((&body["decided_gateway"], &body["apos"]["rule"]), (&json!(ADYEN), &json!(id)), "{body}");
        assert_eq!(body["gateway_priority_map"][STRIPE], 0.0);
        let stripe = body["apos"]["candidates"].as_array().unwrap().iter().find(|one| one["account"] == STRIPE).unwrap();
        assert_eq!(stripe["excluded"], json!({ "rule": id }));
    }
    let native = json!({
        "profile": "pro_1", "payment": "native_1", "amount": { "minor": 1, "currency": "EUR" }, "eligible": [STRIPE, ADYEN],
    });
    let body = app.post_as(OPERATOR, "/v1/decisions", &native).await?.body;
    assert_eq!((&body["account"], &body["rule"]), (&json!(ADYEN), &json!(id)), "{body}");
    // A rule that names none of the accounts allowed leaves the choice as it is.
    activate(&app, &json!({ "type": "single", "data": gateway("checkout:mca_9") })).await?;
    let body = decide(&app, "pay_free", "SR_BASED_ROUTING").await?.body;
    assert!(body["apos"]["rule"].is_null() && body["decided_gateway"].is_string(), "{body}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_priority_list_is_followed_where_it_is_asked_for() -> Result<()> {
    let app = TestApp::start().await?;
    let id = activate(&app, &priority(&[ADYEN, STRIPE])).await?;
    for number in 0..20 {
        let payment = format!("pay_{number}");
        let body = decide(&app, &payment, "PL_BASED_ROUTING").await?.body;
        assert_eq!((&body["decided_gateway"], &body["routing_approach"]), (&json!(ADYEN), &json!("PRIORITY_LOGIC")), "{body}");
        assert_eq!(body["apos"]["approach"], json!({ "rule": id }));
        assert_eq!(body["priority_logic_output"]["primaryLogic"]["status"], "SUCCESS");
        // Its failures do not move it: the merchant's list is obeyed.
        let mut failed = update_request(&payment, ADYEN, "FAILURE");
        failed["errorInfo"] = json!({ "errorCode": "timeout" });
        assert_eq!(app.post_as_switch("/update-gateway-score", &failed).await?.status, 200);
    }
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_is_kept_and_a_retry_lands_the_same_way() -> Result<()> {
    let app = TestApp::start().await?;
    let split = |percent: u8, account: &str| json!({ "split": percent, "output": gateway(account) });
    activate(&app, &json!({ "type": "volume_split", "data": [split(30, STRIPE), split(70, ADYEN)] })).await?;
    let mut stripes = 0;
    for number in 0..200 {
        let payment = format!("pay_{number}");
        let evaluated = json!({ "created_by": "pro_1", "payment_id": payment, "parameters": {} });
        let drawn = app.post_as_switch("/routing/evaluate", &evaluated).await?.body["evaluated_output"][0].clone();
        let first = decide(&app, &payment, "SR_BASED_ROUTING").await?.body["decided_gateway"].clone();
        assert_eq!(gateway(first.as_str().unwrap()), drawn, "{payment}");
        stripes += u32::from(first == STRIPE);
        if number < 20 {
            let failed = update_request(&payment, first.as_str().unwrap(), "FAILURE");
            assert_eq!(app.post_as_switch("/update-gateway-score", &failed).await?.status, 200);
            app.until_events(number + 1).await?;
            let retry = decide(&app, &payment, "SR_BASED_ROUTING").await?.body;
            assert_eq!((&retry["decided_gateway"], &retry["apos"]["attempt"]), (&first, &json!(2)), "{payment}");
        }
    }
    // Five standard deviations of 60.
    assert!((28..=92).contains(&stripes), "{stripes} of 200 at 30 %");
    app.stop().await?;
    Ok(())
}

fn told() -> Value {
    json!({
        "amount": { "type": "number", "value": 6540 },
        "currency": { "type": "enum_variant", "value": "USD" },
        "card_bin": { "type": "str_value", "value": "424242" },
        "payment_method": { "type": "enum_variant", "value": "card" },
        "card_network": { "type": "enum_variant", "value": "VISA" },
        "issuer_country": { "type": "enum_variant", "value": "Germany" },
        "authentication_type": { "type": "enum_variant", "value": "three_ds" },
        "moon_phase": { "type": "enum_variant", "value": "full" },
        "capture_method": null,
    })
}

/// What the decision of a payment knew.
fn context(app: &TestApp, payment: &str) -> Value {
    let (profile, payment) = (ProfileId::parse("pro_1").unwrap(), PaymentId::parse(payment).unwrap());
    let mut context = serde_json::to_value(app.handle().decided(&profile, &payment).unwrap().request.context).unwrap();
    context.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    context
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_static_half_tells_is_joined_to_the_decision() -> Result<()> {
    let app = TestApp::start().await?;
    let full = json!({ "method": "card", "network": "visa", "country": "DE", "bin": 424_242, "three_ds": true });
    let half = |payment: &str| json!({ "created_by": "pro_1", "payment_id": payment, "parameters": told() });
    activate(&app, &json!({ "type": "single", "data": gateway(ADYEN) })).await?;

    let dynamic = decide_request("pro_1", "pay_both", &[STRIPE, ADYEN]);
    let both = json!({ "static_routing_request": half("pay_both"), "dynamic_routing_request": dynamic });
    let answer = app.post_as_switch("/routing/hybrid", &both).await?;
    assert_eq!((answer.status, &answer.body["evaluated_connectors"]), (200, &json!([gateway(ADYEN)])), "{answer:?}");
    assert_eq!(context(&app, "pay_both"), full);

    let alone = app.post_as_switch("/routing/hybrid", &json!({ "static_routing_request": half("pay_after") })).await?;
    assert_eq!((alone.status, &alone.body["evaluated_connectors"]), (200, &json!([gateway(ADYEN)])), "{alone:?}");
    assert_eq!(decide(&app, "pay_after", "SR_BASED_ROUTING").await?.status, 200);
    assert_eq!(context(&app, "pay_after"), full, "told a moment before");

    // What is told of another merchant's payment says nothing of this one, and of another payment nothing is told.
    let dynamic = decide_request("pro_1", "pay_other", &[STRIPE, ADYEN]);
    let mut other = json!({ "static_routing_request": half("pay_other"), "dynamic_routing_request": dynamic });
    other["static_routing_request"]["created_by"] = json!("pro_2");
    assert_eq!(app.post_as_switch("/routing/hybrid", &other).await?.status, 200);
    assert_eq!(context(&app, "pay_other")["bin"], Value::Null);
    other["static_routing_request"]["payment_id"] = json!("pay_both");
    let mut no_bin = json!({ "static_routing_request": half("pay_both") });
    no_bin["static_routing_request"]["parameters"]["card_bin"]["value"] = json!("42424x");
    for (body, fields) in [
        (&other, ["static_routing_request.payment_id: ", "dynamic_routing_request.paymentInfo.paymentId"]),
        (&no_bin, ["static_routing_request.parameters.card_bin: ", "six to eight digits"]),
    ] {
        let refused = app.post_as_switch("/routing/hybrid", body).await?;
        let message = refused.body["message"].as_str().unwrap_or_default();
        assert!(refused.status == 400 && message.starts_with(fields[0]) && message.contains(fields[1]), "{refused:?}");
    }

    // It is in the log, so that every replica knows it.
    app.post_as_switch("/routing/hybrid", &json!({ "static_routing_request": half("pay_later") })).await?;
    let (profile, payment) = (ProfileId::parse("pro_1").unwrap(), PaymentId::parse("pay_later").unwrap());
    app.until("it is folded", || app.handle().view().standing_of(&profile, &payment).context().bin.is_some()).await?;
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hybrid_call_falls_back_as_it_was_told() -> Result<()> {
    let app = TestApp::start().await?;
    let dynamic = decide_request("pro_1", "pay_1", &[]);
    let half = json!({ "created_by": "pro_1", "payment_id": "pay_1", "parameters": {}, "fallback_output": [gateway(STRIPE)] });
    let both = json!({ "static_routing_request": half, "dynamic_routing_request": dynamic });
    let answer = app.post_as_switch("/routing/hybrid", &both).await?;
    assert_eq!((answer.status, &answer.body["dynamic_routing"]["status"]), (200, &json!("fallback")), "{answer:?}");
    assert_eq!(answer.body["evaluated_connectors"], json!([gateway(STRIPE)]));
    let alone = app.post_as_switch("/routing/hybrid", &json!({ "dynamic_routing_request": dynamic })).await?;
    assert_eq!((alone.status, &alone.body["error_info"]["code"]), (400, &json!("GATEWAY_NOT_FOUND")), "{alone:?}");
    // Without a rule the static half alone is refused, but what it told is kept for the question that follows.
    let told = json!({ "static_routing_request": { "created_by": "pro_1", "payment_id": "pay_1", "parameters": told() } });
    let refused = app.post_as_switch("/routing/hybrid", &told).await?;
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!("TE_04")), "{refused:?}");
    let (profile, payment) = (ProfileId::parse("pro_1").unwrap(), PaymentId::parse("pay_1").unwrap());
    assert!(app.handle().told(&profile, &payment).bin.is_some());
    assert_eq!(decide(&app, "pay_1", "SR_BASED_ROUTING").await?.status, 200);
    assert_eq!(context(&app, "pay_1")["bin"], 424_242);
    let nothing = app.post_as_switch("/routing/hybrid", &json!({})).await?;
    assert!(nothing.status == 400 && nothing.body["message"].as_str().unwrap().contains("neither"), "{nothing:?}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_answered_in_its_order() -> Result<()> {
    let app = TestApp::start().await?;
    let visa = json!({ "lhs": "card_network", "comparison": "equal", "value": { "type": "enum_variant", "value": "Visa" } });
    let case = json!({
        "name": "visa", "routing_type": "priority", "output": priority_output(&[ADYEN]),
        "statements": [{ "condition": [visa] }],
    });
    let program = json!({ "globals": {}, "default_selection": priority_output(&[STRIPE]), "rules": [case] });
    activate(&app, &json!({ "type": "advanced", "data": program })).await?;
    let question = |network: &str| json!({ "payment_id": "pay_1", "parameters": { "card_network": { "type": "enum_variant", "value": network } } });
    let asked = json!({ "created_by": "pro_1", "requests": [question("JCB"), question("visa"), question("Visa")] });
    let answer = app.post_as_switch("/routing/evaluate/batch", &asked).await?;
    let first = |index: usize| answer.body[index]["evaluated_output"][0].clone();
    assert_eq!([first(0), first(1), first(2)], [gateway(STRIPE), gateway(ADYEN), gateway(ADYEN)], "{answer:?}");
    assert_eq!((&answer.body[0]["status"], &answer.body[1]["status"]), (&json!("default_selection"), &json!("success")));
    let fallback =
        json!({ "created_by": "pro_1", "requests": [question("JCB")], "fallback_output": [gateway("checkout:mca_3")] });
    let answer = app.post_as_switch("/routing/evaluate/batch", &fallback).await?;
    assert_eq!(answer.body[0]["evaluated_output"], json!([gateway("checkout:mca_3")]), "{answer:?}");
    let many = json!({ "created_by": "pro_1", "requests": vec![question("JCB"); 51] });
    let refused = app.post_as_switch("/routing/evaluate/batch", &many).await?;
    assert!(refused.status == 400 && refused.body["message"].as_str().unwrap().starts_with("requests: "), "{refused:?}");
    app.stop().await?;
    Ok(())
}

fn priority_output(accounts: &[&str]) -> Value {
    json!({ "priority": priority(accounts)["data"] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_peers_are_kept_and_given_back() -> Result<()> {
    let app = TestApp::start().await?;
    assert_eq!(app.post_as_switch("/merchant-account/create", &json!({ "merchant_id": "pro_1" })).await?.status, 200);
    let dimension = json!({ "merchant_id": "pro_1", "paymentInfo": { "udfs": [], "fields": ["currency", "country"] } });
    assert_eq!(by(&app, "GET", "/config-sr-dimension/pro_1").await?.body["paymentInfo"]["fields"], Value::Null);
    let kept = app.post_as_switch("/config-sr-dimension", &dimension).await?;
    assert_eq!(kept.body, json!("SR Dimension configuration updated successfully"));
    assert_eq!(by(&app, "GET", "/config-sr-dimension/pro_1").await?.body, dimension);
    let mut none = dimension.clone();
    none["paymentInfo"]["udfs"] = Value::Null;
    assert_eq!(app.post_as_switch("/config-sr-dimension", &none).await?.status, 200, "null is none");
    assert_eq!(by(&app, "GET", "/config-sr-dimension/pro_1").await?.body, dimension);
    for threshold in [-5.0, 1.5] {
        let rule = json!({ "merchant_id": "pro_1", "config": { "type": "elimination", "data": { "threshold": threshold } } });
        let refused = app.post_as_switch("/rule/create", &rule).await?;
        let message = refused.body["message"].as_str().unwrap_or_default();
        assert!(refused.status == 400 && message.starts_with("config.data.threshold"), "{refused:?}");
    }
    let size = json!({ "type": "successRate", "data": { "defaultBucketSize": -3 } });
    let level = json!({ "type": "successRate", "data": { "subLevelInputConfig": [{ "hedgingPercent": -0.5 }] } });
    let latency = json!({ "type": "elimination", "data": { "threshold": 0.5, "txnLatency": { "gatewayLatency": -1 } } });
    for (config, field) in [
        (size, "config.data.defaultBucketSize"),
        (level, "config.data.subLevelInputConfig[0].hedgingPercent"),
        (latency, "config.data.txnLatency.gatewayLatency"),
    ] {
        let refused = app.post_as_switch("/rule/create", &json!({ "merchant_id": "pro_1", "config": config })).await?;
        let message = refused.body["message"].as_str().unwrap_or_default();
        assert!(refused.status == 400 && message.starts_with(field), "{refused:?}");
    }
    let mut unknown = dimension.clone();
    unknown["paymentInfo"]["fields"][1] = json!("moon_phase");
    let refused = app.post_as_switch("/config-sr-dimension", &unknown).await?;
    assert!(refused.status == 400 && refused.body["message"].as_str().unwrap().contains("fields[1]"), "{refused:?}");

    let path = "/merchant-account/pro_1/features/autopilot";
    let on = app.post_as_switch(path, &json!({ "enabled": true })).await?;
    assert_eq!(on.body["features"][6], json!({ "feature": "autopilot", "enabled": true }), "{on:?}");
    let off = app.post_as_switch(path, &json!({ "enabled": false })).await?;
    assert_eq!(off.body["features"][6]["enabled"], false);
    let refused = app.post_as_switch("/merchant-account/pro_1/features/levitation", &json!({ "enabled": true })).await?;
    assert_eq!(refused.status, 400);

    let debit = "/merchant-account/pro_1/debit-routing";
    assert_eq!(by(&app, "GET", debit).await?.body, json!({ "merchant_id": "pro_1", "debit_routing_enabled": false }));
    assert_eq!(app.post_as_switch(debit, &json!({ "enabled": false })).await?.status, 200);
    let refused = app.post_as_switch(debit, &json!({ "enabled": true })).await?;
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!("TE_05")), "{refused:?}");
    let keys = by(&app, "GET", "/config/routing-keys").await?.body;
    assert_eq!((&keys["keys"]["amount"]["type"], &keys["keys"]["metadata"]["type"]), (&json!("integer"), &json!("udf")));
    for path in ["/config/routing-keys", "/config-sr-dimension/pro_1", "/merchant-account/pro_1/features", debit] {
        assert_eq!(send(app.request("GET", path)?).await?.status, 401, "{path}");
    }
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_forgets_how_the_merchants_accounts_did() -> Result<()> {
    let app = TestApp::start().await?;
    activate(&app, &priority(&[STRIPE, ADYEN])).await?;
    for number in 0..60_u64 {
        let status = if number < 30 { "CHARGED" } else { "FAILURE" };
        let told = update_request(&format!("pay_{number}"), STRIPE, status);
        assert_eq!(app.post_as_switch("/update-gateway-score", &told).await?.status, 200);
    }
    app.until_folded().await?;
    let stripe = async |payment: &str| -> Result<Value> {
        let body = decide(&app, payment, "SR_BASED_ROUTING").await?.body;
        Ok(body["apos"]["candidates"].as_array().unwrap().iter().find(|one| one["account"] == STRIPE).unwrap().clone())
    };
    let before = stripe("pay_before").await?;
    assert_eq!(before["excluded"], "breaker_open", "{before}");
    let reset = app.post_as_switch("/gateway-score/reset", &json!({ "merchant_id": "pro_1" })).await?;
    assert_eq!((reset.status, &reset.body["removed_overrides"]), (200, &json!(0)), "{reset:?}");
    assert!(reset.body["deleted_keys"].as_u64().unwrap() >= 2, "{reset:?}");
    let after = stripe("pay_after").await?;
    assert!(after["excluded"].is_null(), "{after}");
    assert!(after["expected"].as_f64().unwrap() > before["expected"].as_f64().unwrap(), "{before} {after}");
    let in_one_word = app.post_as_switch("/gateway-score/reset", &json!({ "merchantId": "pro_1" })).await?;
    assert_eq!((in_one_word.status, &in_one_word.body["merchant_id"]), (200, &json!("pro_1")), "{in_one_word:?}");
    let unknown = app.post_as_switch("/gateway-score/reset", &json!({ "merchant_id": "pro_none" })).await?;
    assert_eq!(unknown.status, 404);
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_has_a_defined_meaning_whenever_and_however_often_it_comes() -> Result<()> {
    let app = TestApp::start().await?;
    let outcome =
        |payment: &str, status: &str| json!({ "profile": "pro_1", "payment": payment, "account": STRIPE, "status": status });
    let tell = async |body: &Value| app.post_as(OPERATOR, "/v1/outcomes", body).await;
    let first = tell(&outcome("pay_1", "captured")).await?;
    assert_eq!((first.status, &first.body["status"], &first.body["payment_known"]), (200, &json!("recorded"), &json!(false)));
    assert_eq!(first.body.get("known_end"), None, "{first:?}");
    app.until_events(1).await?;
    let again = tell(&outcome("pay_1", "captured")).await?;
    app.until_events(2).await?;
    assert_eq!((again.status, &again.body["known_end"]), (200, &json!("repeated")), "{again:?}");
    let contradiction = tell(&outcome("pay_1", "failed")).await?;
    assert_eq!((contradiction.status, &contradiction.body["payment_known"]), (200, &json!(true)));
    assert_eq!((&contradiction.body["status"], &contradiction.body["known_end"]), (&json!("recorded"), &json!("contradicts")));
    let mut late = outcome("pay_2", "failed");
    late["occurred_at"] = json!("2001-01-01T00:00:00Z");
    late["code"] = json!("timeout");
    late["event_id"] = json!("evt_1");
    assert_eq!(tell(&late).await?.body["late"], true);
    app.until_events(4).await?;
    assert_eq!(tell(&late).await?.body["status"], "repeated", "its id was seen");
    let mut ahead = outcome("pay_3", "captured");
    ahead["occurred_at"] = json!("2999-01-01T00:00:00Z");
    assert_eq!(tell(&ahead).await?.body["late"], false, "a clock that is ahead counts from now");
    app.until_events(5).await?;
    let statistics = app.read("/analytics").await?["statistics"].clone();
    assert_eq!((&statistics["approved"], &statistics["failed"]), (&json!(2), &json!(1)), "{statistics}");
    assert_eq!((&statistics["contradictions"], &statistics["repeats"]), (&json!(1), &json!(1)), "{statistics}");
    assert_eq!(statistics["late"], 1);

    let mut coded = outcome("pay_5", "failed");
    coded["code"] = json!("authentication_required");
    assert_eq!(tell(&coded).await?.status, 200);
    app.until_events(6).await?;
    let asked = json!({
        "profile": "pro_1", "payment": "pay_5", "amount": { "minor": 6540, "currency": "USD" }, "eligible": [ADYEN, STRIPE],
    });
    let next = app.post_as(OPERATOR, "/v1/decisions", &asked).await?.body;
    assert_eq!((&next["account"], &next["approach"]), (&json!(STRIPE), &json!("step_up")), "the code says it: {next}");

    // An issuer's code means what its network means by it, as a webhook's does.
    let mut known = asked.clone();
    (known["payment"], known["context"]) = (json!("pay_6"), json!({ "method": "card", "network": "visa", "country": "DE" }));
    let decided = app.post_as(OPERATOR, "/v1/decisions", &known).await?.body;
    app.until_folded().await?;
    let mut coded = outcome("pay_6", "failed");
    (coded["account"], coded["issuer_code"], coded["code"]) = (decided["account"].clone(), json!("1A"), json!("refused"));
    let told = tell(&coded).await?;
    assert!(told.status == 200 && told.request_id.is_some(), "{told:?}");
    app.until_events(7).await?;
    let next = app.post_as(OPERATOR, "/v1/decisions", &known).await?.body;
    assert_eq!((&next["account"], &next["approach"]), (&decided["account"], &json!("step_up")), "{next}");

    let listed = json!(["pro_1", "pay_7", null, STRIPE, "captured", null, null, null, null, null, null]);
    let refused = tell(&listed).await?;
    assert_eq!(
        (refused.status, &refused.body["error"]["message"]),
        (400, &json!("the body: expected an object, found a list"))
    );

    let check = async |change: &dyn Fn(&mut Value), field: &str| -> Result<()> {
        let mut body = outcome("pay_4", "failed");
        change(&mut body);
        let refused = tell(&body).await?;
        ensure!(refused.status == 400 && refused.body["error"]["field"] == field, "{refused:?}");
        Ok(())
    };
    check(&|body| body["attempt"] = json!(0), "attempt").await?;
    check(&|body| body["status"] = json!("teleported"), "status").await?;
    check(&|body| body["status"] = json!(7), "status").await?;
    check(&|body| body["class"] = json!({}), "class").await?;
    check(&|body| body["account"] = json!("a b"), "account").await?;
    check(&|body| body["occurred_at"] = json!("1969-12-31T00:00:00Z"), "occurred_at").await?;
    check(&|body| body["occurred_at"] = json!("yesterday"), "occurred_at").await?;
    check(&|body| body["latency_ms"] = json!(-1), "latency_ms").await?;
    check(&|body| _ = body.as_object_mut().unwrap().remove("payment"), "payment").await?;
    let mut reasons = outcome("pay_4", "captured");
    reasons["class"] = json!("gateway");
    assert_eq!(tell(&reasons).await?.body["error"]["field"], "class");
    assert_eq!(app.post_as_switch("/v1/outcomes", &outcome("pay_4", "captured")).await?.status, 401, "an operator's key");
    app.stop().await?;
    Ok(())
}
