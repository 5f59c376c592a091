//! The peer's API: its recorded answers, and where it is weak.
#![allow(clippy::unwrap_used, reason = "fixtures that parse")]

use anyhow::{Result, ensure};
use apos::api::PeerAccess;
use apos::domain::Settings;
use serde_json::{Value, json};

use crate::support::app::{Answer, OPERATOR, TestApp, VIEWER, api_config, send};

/// Requests and answers recorded from the peer, in the order they were sent: later ones depend on earlier ones.
const RECORDED: [&str; 43] = [
    include_str!("fixtures/decision-engine/01.health.json"),
    include_str!("fixtures/decision-engine/02.health-ready.json"),
    include_str!("fixtures/decision-engine/03.health-diagnostics.json"),
    include_str!("fixtures/decision-engine/04.merchant-create.json"),
    include_str!("fixtures/decision-engine/06.merchant-get.json"),
    include_str!("fixtures/decision-engine/08.rule-create-sr.json"),
    include_str!("fixtures/decision-engine/09.rule-create-sr-dup.json"),
    include_str!("fixtures/decision-engine/10.rule-get-sr.json"),
    include_str!("fixtures/decision-engine/11.rule-update-sr.json"),
    include_str!("fixtures/decision-engine/12.rule-create-elim.json"),
    include_str!("fixtures/decision-engine/13.rule-get-elim.json"),
    include_str!("fixtures/decision-engine/15.decide-hs.json"),
    include_str!("fixtures/decision-engine/16.update-hs.json"),
    include_str!("fixtures/decision-engine/17.decide-single.json"),
    include_str!("fixtures/decision-engine/18.decide-empty-list.json"),
    include_str!("fixtures/decision-engine/19.decide-unknown-merchant.json"),
    include_str!("fixtures/decision-engine/21.decide-pl.json"),
    include_str!("fixtures/decision-engine/22.decide-debit-not-enabled.json"),
    include_str!("fixtures/decision-engine/25.update-unknown-payment.json"),
    include_str!("fixtures/decision-engine/27.update-with-errorinfo.json"),
    include_str!("fixtures/decision-engine/31.evaluate-no-rule-fallback.json"),
    include_str!("fixtures/decision-engine/32.create-single.json"),
    include_str!("fixtures/decision-engine/33.activate-single.json"),
    include_str!("fixtures/decision-engine/34.evaluate-single.json"),
    include_str!("fixtures/decision-engine/35.create-priority.json"),
    include_str!("fixtures/decision-engine/36.activate-priority.json"),
    include_str!("fixtures/decision-engine/37.evaluate-priority.json"),
    include_str!("fixtures/decision-engine/38.create-volume_split.json"),
    include_str!("fixtures/decision-engine/39.activate-volume_split.json"),
    include_str!("fixtures/decision-engine/40.evaluate-volume_split.json"),
    include_str!("fixtures/decision-engine/41.create-advanced.json"),
    include_str!("fixtures/decision-engine/42.activate-advanced.json"),
    include_str!("fixtures/decision-engine/43.evaluate-advanced.json"),
    include_str!("fixtures/decision-engine/44.evaluate-advanced-default.json"),
    include_str!("fixtures/decision-engine/45.evaluate-advanced-vsp.json"),
    include_str!("fixtures/decision-engine/51.list.json"),
    include_str!("fixtures/decision-engine/52.list-active.json"),
    include_str!("fixtures/decision-engine/53.hybrid-hs.json"),
    include_str!("fixtures/decision-engine/54.hybrid-static-only.json"),
    include_str!("fixtures/decision-engine/55.hybrid-dynamic-only.json"),
    include_str!("fixtures/decision-engine/57.features.json"),
    include_str!("fixtures/decision-engine/58.rule-delete-sr.json"),
    include_str!("fixtures/decision-engine/59.merchant-delete.json"),
];

/// Requests as Hyperswitch's source builds them.
const BUILT: [&str; 6] = [
    include_str!("fixtures/hyperswitch/merchant-account-create.request.json"),
    include_str!("fixtures/hyperswitch/rule-create.success-rate-default.request.json"),
    include_str!("fixtures/hyperswitch/rule-create.elimination-default.request.json"),
    include_str!("fixtures/hyperswitch/decide-gateway.sr.request.json"),
    include_str!("fixtures/hyperswitch/update-gateway-score.request.json"),
    include_str!("fixtures/hyperswitch/routing-hybrid.request.json"),
];

/// Values that are this product's own: scores, choices, times, and words about what it does not do.
const OURS: [&str; 12] = [
    "decided_gateway",
    "fallback_gateways",
    "gateway_priority_map",
    "gateway_before_evaluation",
    "routing_approach",
    "failure_reason",
    "latency",
    "developer_message",
    "api_key",
    // A rule's id and times.
    "rule_id",
    "created_at",
    "modified_at",
];

/// Where the order is by chance.
const DRAWN: &str = "(by share).evaluated_output";

/// Where `found` has not all that `expected` has: every key, the same type (a whole number for a whole number), and the same value but for [`OURS`].
fn differences(path: &str, expected: &Value, found: &Value, told: &mut Vec<String>) {
    let ours = OURS.iter().any(|name| path.ends_with(name) || path.contains(&format!("{name}.")));
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                match found.get(key) {
                    Some(other) => differences(&format!("{path}.{key}"), value, other, told),
                    None => told.push(format!("{path}.{key} is missing")),
                }
            }
        }
        // The peer draws a share at random, so any of the shares may come first.
        (Value::Array(expected), Value::Array(found)) if path == DRAWN => {
            let sorted = |list: &[Value]| list.iter().map(Value::to_string).collect::<std::collections::BTreeSet<_>>();
            if sorted(expected) != sorted(found) {
                told.push(format!("{path}: expected {expected:?}, found {found:?}"));
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                differences(&format!("{path}.{index}"), expected, found, told);
            }
        }
        // A typed client that reads a whole number reads no fraction.
        (Value::Number(expected), Value::Number(found)) if ours && (found.is_u64() || !expected.is_u64()) => {}
        (Value::String(_), Value::String(_)) if ours => {}
        // No key is made by a call: the field is there, and says so.
        (Value::String(_), Value::Null) if path.ends_with("api_key") => {}
        _ if expected == found => {}
        _ => told.push(format!("{path}: expected {expected}, found {found}")),
    }
}

/// The recording, with the ids of rules that the peer gave replaced by those that were given here.
fn renamed(recorded: &str, ids: &[(String, String)]) -> Result<Value> {
    let text = ids.iter().fold(recorded.to_owned(), |text, (peers, ours)| text.replace(peers, ours));
    let mut recorded: Value = serde_json::from_str(&text)?;
    let body = &mut recorded["response"]["body"];
    if body["_text"] == "" {
        *body = Value::Null;
    }
    // The peer took a split that sums to 110; here it was refused.
    if let Some(rules) = body.as_array_mut() {
        rules.retain(|rule| rule["name"] != "bad");
    }
    // Whom a decision chose is this product's own.
    if !body["dynamic_routing"].is_null() {
        body.as_object_mut().unwrap().remove("evaluated_connectors");
    }
    Ok(recorded)
}

async fn replay(app: &TestApp, recorded: &Value) -> Result<Answer> {
    let asked = &recorded["request"];
    let request = app.request(asked["method"].as_str().unwrap(), asked["path"].as_str().unwrap())?;
    let request = request.header("x-admin-secret", asked["headers"]["x-admin-secret"].as_str().unwrap());
    send(if asked["body"].is_null() { request } else { request.json(&asked["body"]) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_as_the_peer_answered() -> Result<()> {
    let mut settings = Settings::default();
    settings.routing.auto_create_merchants = false;
    let app = TestApp::with_settings(settings).await?;
    let mut ids = Vec::new();
    for recorded in RECORDED {
        let recorded = renamed(recorded, &ids)?;
        let (asked, expected) = (&recorded["request"]["path"], &recorded["response"]);
        let answer = replay(&app, &recorded).await?;
        ensure!(expected["status"] == answer.status, "{asked}: {answer:?}");
        let mut told = Vec::new();
        if let (Some(peers), Some(ours)) = (expected["body"]["rule_id"].as_str(), answer.body["rule_id"].as_str()) {
            ids.push((peers.to_owned(), ours.to_owned()));
        }
        let by_share = answer.body["output"]["splits"].is_array();
        differences(if by_share { "(by share)" } else { "" }, &expected["body"], &answer.body, &mut told);
        ensure!(told.is_empty(), "{asked}: {told:#?}\n{}", answer.body);
    }
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takes_every_request_hyperswitch_builds() -> Result<()> {
    let app = TestApp::start().await?;
    for built in BUILT {
        let built: Value = serde_json::from_str(built)?;
        let answer = app.post_as_switch(built["path"].as_str().unwrap(), &built["body"]).await?;
        ensure!(answer.status == 200, "{}: {answer:?}", built["path"]);
    }
    app.stop().await?;
    Ok(())
}

pub(crate) fn decide_request(merchant: &str, payment: &str, gateways: &[&str]) -> Value {
    json!({
        "merchantId": merchant,
        "eligibleGatewayList": gateways,
        "rankingAlgorithm": "SR_BASED_ROUTING",
        "eliminationEnabled": true,
        "paymentInfo": {
            "paymentId": payment, "amount": 6540, "currency": "USD", "paymentType": "ORDER_PAYMENT", "metadata": null,
            "paymentMethodType": "UPI", "paymentMethod": "card", "cardIsin": null,
        },
    })
}

pub(crate) fn update_request(payment: &str, gateway: &str, status: &str) -> Value {
    json!({ "merchantId": "pro_1", "gateway": gateway, "status": status, "paymentId": payment })
}

/// As Hyperswitch orders its accounts: by `gateway_priority_map`, highest first; `decided_gateway` is not read.
fn hyperswitchs_choice(body: &Value) -> String {
    let scores = body["gateway_priority_map"].as_object().unwrap();
    let score = |account: &String| scores[account].as_f64().unwrap();
    scores.keys().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hyperswitch_goes_where_the_decision_says() -> Result<()> {
    let mut settings = Settings::default();
    // Half of all decisions are drawn at random, so that many are not the best by expectation.
    (settings.routing.uniform_share, settings.routing.uniform_margin) = (0.5, 1.0);
    let app = TestApp::with_settings(settings).await?;
    for number in 0..100 {
        let asked = decide_request("pro_1", &format!("pay_{number}"), &["stripe:mca_1", "adyen:mca_2", "checkout:mca_3"]);
        let body = app.post_as_switch("/decide-gateway", &asked).await?.body;
        assert_eq!(body["decided_gateway"], hyperswitchs_choice(&body), "{body}");
        let approach = body["routing_approach"].as_str().unwrap();
        assert!(["SR_SELECTION_V3_ROUTING", "SR_V3_HEDGING"].contains(&approach), "{body}");
    }
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_question_gets_the_recorded_answer() -> Result<()> {
    let app = TestApp::start().await?;
    let asked = decide_request("pro_1", "pay_1", &["stripe:mca_1", "adyen:mca_2"]);
    let ask = async || -> Result<(Value, Value)> {
        let mut body = app.post_as_switch("/decide-gateway", &asked).await?.body;
        // How long it took is each answer's own.
        let took = body["apos"].as_object_mut().and_then(|apos| apos.remove("latency_us"));
        ensure!(took.is_some_and(|took| took.is_u64()), "{body}");
        Ok((body["decided_gateway"].take(), body["apos"].take()))
    };
    let first = ask().await?;
    for _ in 0..20 {
        assert_eq!(ask().await?, first);
    }
    app.until("the decision is folded", || app.handle().snapshot().statistics.decisions > 0).await?;
    assert_eq!(app.read("/analytics").await?["statistics"]["decisions"], 1);
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_parse_names_the_field_in_the_peers_shape() -> Result<()> {
    let app = TestApp::start().await?;
    let mut no_id = decide_request("pro_1", "pay_1", &["stripe:mca_1"]);
    no_id["paymentInfo"].as_object_mut().unwrap().remove("paymentId");
    let mut no_money = decide_request("pro_1", "pay_1", &["stripe:mca_1"]);
    no_money["paymentInfo"]["currency"] = json!("USDT");
    let a_card = decide_request("pro_1", "4111111111111111", &["stripe:mca_1"]);
    let an_address = decide_request("pro_1", "ada@example.org", &["stripe:mca_1"]);
    for (body, field) in [(a_card, "card number"), (an_address, "e-mail address")] {
        let refused = app.post_as_switch("/decide-gateway", &body).await?;
        let told = refused.body["error_message"].as_str().unwrap();
        assert!(refused.status == 400 && told.starts_with("paymentInfo.paymentId: ") && told.contains(field), "{refused:?}");
        let quoted = told.contains("4111") || told.contains("ada@");
        assert!(!quoted, "{told}");
    }
    for (body, field) in [(no_id, "paymentInfo.paymentId: missing"), (no_money, "paymentInfo.currency: `USDT`")] {
        let refused = app.post_as_switch("/decide-gateway", &body).await?;
        let told = refused.body["error_message"].as_str().unwrap();
        assert!(refused.status == 400 && told.starts_with(field), "{refused:?}");
        assert_eq!(refused.body["error_info"]["code"], "INVALID_REQUEST");
    }
    let rule = json!({ "merchant_id": "pro_1", "config": { "type": "volumeSplit", "data": {} } });
    let refused = app.post_as_switch("/rule/create", &rule).await?;
    assert_eq!((refused.status, &refused.body["data"]), (400, &Value::Null), "{refused:?}");
    let unknown = app.post_as_switch("/rule/get", &json!({ "merchant_id": "pro_1", "algorithm": "elimination" })).await?;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("TE_04")), "{unknown:?}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amounts_and_lists_that_no_payment_has_are_refused_by_their_field() -> Result<()> {
    let app = TestApp::start().await?;
    let check = async |change: &dyn Fn(&mut Value), field: &str| -> Result<()> {
        let mut asked = decide_request("pro_1", "pay_1", &["stripe:mca_1"]);
        change(&mut asked);
        let refused = app.post_as_switch("/decide-gateway", &asked).await?;
        let told = refused.body["error_message"].as_str().unwrap_or_default();
        assert!(refused.status == 400 && told.starts_with(field), "{refused:?}");
        Ok(())
    };
    check(&|asked| asked["paymentInfo"]["amount"] = json!(-100), "paymentInfo.amount: -100 is not").await?;
    check(&|asked| asked["paymentInfo"]["amount"] = json!(i64::MAX), "paymentInfo.amount: ").await?;
    let many: Vec<String> = (0..101).map(|number| format!("psp:{number}")).collect();
    check(&|asked| asked["eligibleGatewayList"] = json!(many), "eligibleGatewayList: more than 100").await?;
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_named_twice_is_answered_once() -> Result<()> {
    let app = TestApp::start().await?;
    let asked = decide_request("pro_1", "pay_1", &["stripe:mca_1", "adyen:mca_2", "stripe:mca_1"]);
    let request = app.request("POST", "/decide-gateway")?.bearer_auth(OPERATOR).json(&asked).send().await?;
    let text = request.text().await?;
    let map = text.split("\"gateway_priority_map\":{").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
    assert_eq!(map.matches("stripe:mca_1").count(), 1, "{map}");
    let answer: Value = serde_json::from_str(&text)?;
    assert_eq!(answer["apos"]["candidates"].as_array().unwrap().len(), 2);
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_merchant_is_unknown_until_something_is_heard_of_it() -> Result<()> {
    let app = TestApp::start().await?;
    let by = async |method: &str| send(app.request(method, "/merchant-account/pro_1")?.bearer_auth(OPERATOR)).await;
    assert_eq!(by("DELETE").await?.status, 404, "never heard of");
    assert_eq!(app.post_as_switch("/merchant-account/create", &json!({ "merchant_id": "pro_1" })).await?.status, 200);
    let rule = json!({ "merchant_id": "pro_1", "config": { "type": "elimination", "data": { "threshold": 0.35 } } });
    assert_eq!(app.post_as_switch("/rule/create", &rule).await?.status, 200);
    let deleted = by("DELETE").await?;
    assert_eq!((deleted.status, &deleted.body["merchant_id"]), (200, &json!("pro_1")), "{deleted:?}");
    assert_eq!((by("GET").await?.status, by("DELETE").await?.status), (404, 404));
    let asked = json!({ "merchant_id": "pro_1", "algorithm": "elimination" });
    assert_eq!(app.post_as_switch("/rule/get", &asked).await?.status, 404, "its rules are gone");
    let decided = app.post_as_switch("/decide-gateway", &decide_request("pro_1", "pay_1", &["stripe:mca_1"])).await?;
    assert_eq!(decided.status, 200);
    app.until("it is known again", || app.handle().snapshot().statistics.decisions == 1).await?;
    assert_eq!(by("GET").await?.status, 200);
    assert_eq!(send(app.request("DELETE", "/merchant-account/pro_1")?).await?.status, 401, "without a secret");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merchant_that_is_only_heard_of_is_not_known_where_none_are_created() -> Result<()> {
    let mut settings = Settings::default();
    settings.routing.auto_create_merchants = false;
    let app = TestApp::with_settings(settings).await?;
    let told = app.post_as_switch("/update-gateway-score", &update_request("pay_1", "stripe:mca_1", "CHARGED")).await?;
    let outcome = json!({ "profile": "pro_1", "payment": "pay_2", "account": "stripe:mca_1", "status": "captured" });
    let outcome = app.post_as(OPERATOR, "/v1/outcomes", &outcome).await?;
    assert_eq!((told.status, outcome.status), (200, 200), "what happened is kept, whoever it is of");
    app.until_events(2).await?;

    let output = json!({ "type": "single", "data": { "gateway_name": "stripe", "gateway_id": "mca_1" } });
    let writes = [
        ("/rule/create", json!({ "merchant_id": "pro_1", "config": { "type": "elimination", "data": { "threshold": 0.35 } } })),
        ("/routing/create", json!({ "name": "one", "created_by": "pro_1", "algorithm": output })),
        ("/config-sr-dimension", json!({ "merchant_id": "pro_1", "paymentInfo": { "fields": ["currency"] } })),
    ];
    let asked = decide_request("pro_1", "pay_3", &["stripe:mca_1"]);
    let refused = app.post_as_switch("/decide-gateway", &asked).await?;
    assert_eq!((refused.status, &refused.body["error_info"]["code"]), (400, &json!("MERCHANT_NOT_FOUND")), "{refused:?}");
    for (path, body) in &writes {
        let refused = app.post_as_switch(path, body).await?;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!("TE_03")), "{path}: {refused:?}");
    }
    assert_eq!(app.post_as_switch("/merchant-account/create", &json!({ "merchant_id": "pro_1" })).await?.status, 200);
    for (path, body) in &writes {
        let taken = app.post_as_switch(path, body).await?;
        assert_eq!(taken.status, 200, "{path}: {taken:?}");
    }
    assert_eq!(app.post_as_switch("/decide-gateway", &asked).await?.status, 200);
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_not_known_says_nothing_whatever_its_value() -> Result<()> {
    let app = TestApp::start().await?;
    let check = async |key: &str, value: Value, status: u16| -> Result<()> {
        let told = json!({ "amount": { "type": "number", "value": 5 }, key: value });
        let half = json!({ "created_by": "pro_1", "payment_id": "pay_1", "parameters": told });
        let dynamic = decide_request("pro_1", "pay_1", &["stripe:mca_1"]);
        let asked = json!({ "static_routing_request": half, "dynamic_routing_request": dynamic });
        let answer = app.post_as_switch("/routing/hybrid", &asked).await?;
        assert_eq!(answer.status, status, "{key}: {answer:?}");
        Ok(())
    };
    check("a_key_of_tomorrow", json!({ "type": "float", "value": 1.5 }), 200).await?;
    check("a_key_of_tomorrow", json!({ "type": "number", "value": -1 }), 200).await?;
    check("a_key_of_tomorrow", json!([null, { "deep": [1e300] }]), 200).await?;
    check("card_network", json!({ "type": "float", "value": 1.5 }), 400).await?;
    check("card_network", json!({ "type": "number", "value": 1 }), 400).await?;
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peers_calls_need_the_secret_or_a_key() -> Result<()> {
    let app = TestApp::start().await?;
    let asked = decide_request("pro_1", "pay_1", &["stripe:mca_1"]);
    let plain = |path: &str| app.request("POST", path).map(|request| request.json(&asked));
    for path in ["/decide-gateway", "/update-gateway-score", "/merchant-account/create", "/rule/create", "/rule/delete"] {
        assert_eq!(send(plain(path)?).await?.status, 401, "{path}");
        assert_eq!(send(plain(path)?.header("x-admin-secret", "guess")).await?.status, 401, "{path}");
        assert_eq!(send(plain(path)?.bearer_auth(VIEWER)).await?.status, 401, "{path}");
    }
    assert_eq!(send(plain("/decide-gateway")?.bearer_auth(OPERATOR)).await?.status, 200);
    app.stop().await?;

    let mut config = api_config()?;
    config.peer = PeerAccess::closed();
    let app = TestApp::with_api(config.clone()).await?;
    let refused = send(app.request("POST", "/decide-gateway")?.json(&asked)).await?;
    assert_eq!(refused.status, 401);
    let told = refused.body["error_message"].as_str().unwrap();
    assert!(told.contains("APOS_PEER_SECRET") && told.contains("APOS_PEER_OPEN=1"), "{told}");
    app.stop().await?;

    config.peer = PeerAccess::open();
    let app = TestApp::with_api(config).await?;
    assert_eq!(send(app.request("POST", "/decide-gateway")?.json(&asked)).await?.status, 200);
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_keep_their_name_or_get_one() -> Result<()> {
    let app = TestApp::start().await?;
    let asked = decide_request("pro_1", "pay_1", &["stripe:mca_1"]);
    let named = app.request("POST", "/decide-gateway")?.bearer_auth(OPERATOR).header("x-request-id", "req-7").json(&asked);
    assert_eq!(send(named).await?.request_id.as_deref(), Some("req-7"));
    let made = [app.post_as_switch("/decide-gateway", &asked).await?, app.post_as_switch("/rule/get", &json!({})).await?];
    let [first, second] = made.map(|answer| answer.request_id.unwrap());
    assert!(first.len() == 36 && first != second, "{first} {second}");
    // Whatever is answered, by whatever route: to methods that a path does not take, and where there is no such path too.
    let mut asked: Vec<(String, String)> = apos::api::served().map(|(method, path)| (method.to_string(), path)).collect();
    asked.extend(apos::api::served().map(|(_, path)| ("PATCH".to_owned(), path)));
    asked.extend(["/nothing", "/v1/nothing"].map(|path| ("GET".to_owned(), path.to_owned())));
    for (method, path) in asked {
        let path = path.replace(['{', '}'], "");
        let given = send(app.request(&method, &path)?.header("x-request-id", "req-8")).await?;
        let made = send(app.request(&method, &path)?).await?;
        assert_eq!(given.request_id.as_deref(), Some("req-8"), "{method} {path}: {given:?}");
        assert!(made.request_id.is_some_and(|name| name.len() == 36), "{method} {path}");
    }
    app.stop().await?;
    Ok(())
}
