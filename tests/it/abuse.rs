//! Arbitrary and mutated bodies at every route of the real server: never a 5xx, never a panic, and what is refused leaves
//! nothing in the log, of which the state is a function.
//!
//! `APOS_ABUSE_CASES` sets how many; a failing one is printed, shrunk, with the route and the body that did it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::cell::RefCell;

use anyhow::{Result, ensure};
use apos::domain::Body;
use proptest::prelude::*;
use proptest::strategy::Union;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::peer::{decide_request, update_request};
use crate::support::app::{ADMIN, PEER_SECRET, PROFILE, TestApp};

/// Enough to meet every route a dozen times with each kind of body.
const CASES: u32 = 1_500;

/// A route, and a body that it takes.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) valid: Value,
}

/// Every route of the server: those that take a body with one that they take, and the others as the server's table has them.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = with_bodies();
    for (method, pattern) in apos::api::served() {
        if routes.iter().any(|route| route.method == method && fits(&pattern, &route.path)) {
            continue;
        }
        assert_eq!(method, "GET", "{method} {pattern}: what body does it take?");
        let path = pattern.replace("{profile}", "pro_1").replace("{id}", "act-1").replace("{payment}", "pay_1?profile=pro_1");
        routes.push(Route { method: "GET", path, valid: Value::Null });
    }
    for route in &routes {
        let served = apos::api::served().any(|(method, pattern)| method == route.method && fits(&pattern, &route.path));
        assert!(served, "{} {} is not served", route.method, route.path);
    }
    routes.push(Route { method: "POST", path: "/nothing/here".to_owned(), valid: json!({}) });
    routes
}

/// Whether a path is one of a pattern's.
fn fits(pattern: &str, path: &str) -> bool {
    let parts = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, path) = (parts(pattern), parts(path));
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(any, part)| any.starts_with('{') || any == part)
}

fn with_bodies() -> Vec<Route> {
    let gateway = json!({ "gateway_name": "stripe", "gateway_id": "mca_1" });
    let parameters = json!({
        "amount": { "type": "number", "value": 6540 },
        "currency": { "type": "enum_variant", "value": "USD" },
        "card_bin": { "type": "str_value", "value": "424242" },
        "metadata": { "type": "metadata_variant", "value": { "key": "tier", "value": "gold" } },
    });
    let condition = |lhs: &str, kind: &str, value: Value| json!({ "lhs": lhs, "comparison": "equal", "value": { "type": kind, "value": value }, "metadata": {} });
    let advanced = json!({
        "globals": { "set": [{ "type": "number", "value": 5 }] },
        "default_selection": { "priority": [gateway] },
        "rules": [{
            "name": "case", "routing_type": "volume_split",
            "output": { "volume_split": [{ "split": 100, "output": gateway }] },
            "statements": [{
                "condition": [
                    condition("amount", "number_comparison_array", json!([{ "comparison_type": "less_than", "number": 9 }])),
                    condition("card_network", "enum_variant_array", json!(["Visa"])),
                ],
                "nested": [{ "condition": [condition("amount", "global_ref", json!("set"))], "nested": null }],
            }],
        }],
        "metadata": {},
    });
    let rule = json!({
        "name": "rule", "description": "", "created_by": "pro_1", "algorithm_for": "payment",
        "routing_algorithm_id": "routing_00000000-0001-8000-8000-000000000000",
        "algorithm": { "type": "advanced", "data": advanced },
    });
    let evaluate =
        json!({ "created_by": "pro_1", "payment_id": "pay_1", "parameters": parameters, "fallback_output": [gateway] });
    let dynamic = decide_request("pro_1", "pay_1", &["stripe:mca_1", "adyen:mca_2"]);
    let success_rate = json!({ "merchant_id": "pro_1", "algorithm": "successRate", "config": { "type": "elimination", "data": { "threshold": 0.35 } } });
    let native = json!({
        "profile": "pro_1", "payment": "pay_2", "attempt": 1, "amount": { "minor": 5, "currency": "EUR" },
        "context": { "method": "card", "bin": "424242" }, "eligible": ["stripe:mca_1"],
    });
    let outcome = json!({
        "profile": "pro_1", "payment": "pay_2", "attempt": 1, "account": "stripe:mca_1", "status": "failed", "class": "gateway",
        "code": "timeout", "latency_ms": 5, "event_id": "evt_1", "occurred_at": "2026-01-01T00:00:00Z",
    });
    let route = |method, path: &str, valid: &Value| Route { method, path: path.to_owned(), valid: valid.clone() };
    let post = |path: &str, valid: &Value| route("POST", path, valid);
    let put = |path: &str, valid: &Value| route("PUT", path, valid);
    let order = |verb: &str| post(&format!("/v1/actions/act-1/{verb}"), &json!({ "version": 1 }));
    vec![
        post("/decide-gateway", &dynamic),
        post("/update-gateway-score", &update_request("pay_1", "stripe:mca_1", "CHARGED")),
        post("/merchant-account/create", &json!({ "merchant_id": "pro_9" })),
        route("DELETE", "/merchant-account/pro_8", &Value::Null),
        post("/merchant-account/pro_1/features/autopilot", &json!({ "enabled": true })),
        post("/merchant-account/pro_1/debit-routing", &json!({ "enabled": false })),
        post("/rule/create", &success_rate),
        post("/rule/update", &success_rate),
        post("/rule/get", &success_rate),
        post("/rule/delete", &success_rate),
        post("/routing/create", &rule),
        post("/routing/update", &rule),
        post("/routing/activate", &rule),
        post("/routing/deactivate", &rule),
        post("/routing/delete", &rule),
        post("/routing/list/pro_1", &Value::Null),
        post("/routing/list/active/pro_1", &Value::Null),
        post("/routing/evaluate", &evaluate),
        post(
            "/routing/evaluate/batch",
            &json!({ "created_by": "pro_1", "requests": [{ "payment_id": "pay_1", "parameters": parameters }] }),
        ),
        post("/routing/hybrid", &json!({ "static_routing_request": evaluate, "dynamic_routing_request": dynamic })),
        post(
            "/config-sr-dimension",
            &json!({ "merchant_id": "pro_1", "paymentInfo": { "udfs": [1], "fields": ["currency"] } }),
        ),
        post("/gateway-score/reset", &json!({ "merchant_id": "pro_1" })),
        post("/v1/decisions", &native),
        post("/v1/outcomes", &outcome),
        order("approve"),
        order("reject"),
        order("undo"),
        order("reopen"),
        post(
            "/v1/actions/act-1/override",
            &json!({ "version": 1, "change": { "exclude_account": { "account": "stripe:mca_1" } } }),
        ),
        put("/v1/autonomy", &json!({ "class": "scaling", "level": "veto" })),
        put("/v1/adoption", &json!({ "profile": "pro_1", "dial": 50 })),
        put("/v1/kill-switch", &json!({ "pulled": false, "reason": "a drill" })),
        post("/webhooks/hyperswitch/pro_UfVajfSqskx9FjWfP5cP", &json!({ "event_id": "evt_1", "content": {} })),
    ]
}

/// What is put in the place of a part of a valid body, or thrown as it is.
fn junk() -> impl Strategy<Value = Value> {
    let leaf = Union::new([
        Just(Value::Null).boxed(),
        any::<bool>().prop_map(Value::from).boxed(),
        any::<i64>().prop_map(Value::from).boxed(),
        any::<u64>().prop_map(Value::from).boxed(),
        any::<f64>().prop_map(Value::from).boxed(),
        Union::new(WORDS.map(Just)).prop_map(Value::from).boxed(),
        ".{0,200}".prop_map(Value::from).boxed(),
        Just(json!(vec!["psp:1"; 10_000])).boxed(),
        Just(json!("x".repeat(60_000))).boxed(),
    ]);
    leaf.prop_recursive(4, 24, 4, |inner| {
        Union::new([
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from).boxed(),
            prop::collection::btree_map(".{0,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()).boxed(),
        ])
    })
}

/// Words at the edges of what fields take.
const WORDS: [&str; 12] = [
    "",
    " ",
    "NaN",
    "-1",
    "USDT",
    "pay\u{202e}1",
    "\0",
    "stripe:",
    ":mca_1",
    "routing_",
    "4242424242424242",
    "0001-01-01T00:00:00Z",
];

#[derive(Debug, Clone)]
enum Thrown {
    Bytes(Vec<u8>),
    Json(Value),
    /// A part of the valid body, counted through all its parts, replaced or (none) removed.
    Mutated(usize, Option<Value>),
    /// A byte of the valid body replaced.
    Damaged(usize, u8),
    /// The valid body, so deep that a naive reader runs out of stack.
    Deep(usize),
    /// A body larger than the limit.
    Huge,
    Valid,
}

fn thrown() -> impl Strategy<Value = Thrown> {
    prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Thrown::Bytes),
        2 => junk().prop_map(Thrown::Json),
        10 => (any::<usize>(), prop::option::weighted(0.9, junk())).prop_map(|(at, with)| Thrown::Mutated(at, with)),
        3 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Thrown::Damaged(at, byte)),
        1 => (1_usize..20_000).prop_map(Thrown::Deep),
        1 => Just(Thrown::Huge),
        2 => Just(Thrown::Valid),
    ]
}

/// Paths of all parts of a value.
fn parts(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, part)| parts(part, &format!("{path}/{key}"), found)),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, part)| parts(part, &format!("{path}/{index}"), found)),
        _ => {}
    }
}

fn mutated(valid: &Value, at: usize, with: Option<&Value>) -> Value {
    let (mut body, mut found) = (valid.clone(), Vec::new());
    parts(valid, "", &mut found);
    let path = &found[at % found.len()];
    let (parent, key) = path.rsplit_once('/').unwrap_or(("", ""));
    if let Some(with) = with {
        *body.pointer_mut(path).unwrap() = with.clone();
    } else if let Some(Value::Object(map)) = body.pointer_mut(parent) {
        map.remove(key);
    }
    body
}

fn bytes(thrown: &Thrown, valid: &Value) -> Vec<u8> {
    match thrown {
        Thrown::Bytes(bytes) => bytes.clone(),
        Thrown::Json(value) => value.to_string().into_bytes(),
        Thrown::Mutated(at, with) => mutated(valid, *at, with.as_ref()).to_string().into_bytes(),
        Thrown::Damaged(at, byte) => {
            let mut bytes = valid.to_string().into_bytes();
            let at = at % bytes.len();
            bytes[at] = *byte;
            bytes
        }
        Thrown::Deep(depth) => [b"[".repeat(*depth), b"]".repeat(*depth)].concat(),
        Thrown::Huge => vec![b' '; 10_000_000],
        Thrown::Valid => valid.to_string().into_bytes(),
    }
}

/// Whether an entry may come in beside a refusal: it says that time passed; or it is an operator's command, which is
/// recorded for the audit whatever becomes of it; or what a static half tells of a payment, which is kept for the question that
/// follows though there be no rule to judge.
fn is_expected(body: &Body) -> bool {
    let is_told = matches!(body, Body::PaymentTold { .. });
    is_told
        || matches!(
            body,
            Body::Ticked | Body::Sampled(_) | Body::EngineStarted { .. } | Body::Configured(_) | Body::Commanded(_)
        )
}

/// The server, and up to which record its log was looked at.
struct Target {
    app: TestApp,
    looked_at: u64,
}

impl Target {
    /// Throws one body, and gives the answer's status. An answer that refuses must leave nothing in the log.
    async fn throw(&mut self, route: &Route, body: Vec<u8>) -> Result<u16> {
        let shown = || format!("{} {} {}", route.method, route.path, String::from_utf8_lossy(&body[..body.len().min(2_000)]));
        let request = self.app.request(route.method, &route.path)?.header("x-admin-secret", PEER_SECRET).bearer_auth(ADMIN);
        // A body over the limit is refused while it is sent: the connection may then end before the answer is read.
        let sent = request.header("content-type", "application/json").body(body.clone()).send().await;
        let status = match sent {
            Ok(answer) => answer.status().as_u16(),
            Err(_) if body.len() > 1_000_000 => 413,
            Err(error) => return Err(error.into()),
        };
        ensure!(status < 500, "{status}: {}", shown());
        if status < 300 {
            // Decisions go to the log behind their answer: they are waited for, so as not to be taken for another's.
            self.app.until("all is folded", || self.app.handle().status().decisions.in_flight == 0).await?;
            self.app.until_folded().await?;
            self.looked_at = self.app.handle().log().last().await?;
            return Ok(status);
        }
        let entered = self.app.handle().log().read(self.looked_at + 1, 100).await?;
        let wrong: Vec<&Body> = entered.iter().flat_map(|record| &record.bodies).filter(|body| !is_expected(body)).collect();
        ensure!(wrong.is_empty(), "{status} and yet {wrong:?}: {}", shown());
        Ok(status)
    }
}

/// A card's number, and an address, in the place of each text of every body and of each id in a path.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_a_persons_is_neither_kept_nor_repeated_wherever_it_is_sent() -> Result<()> {
    let app = TestApp::start().await?;
    for data in ["4111111111111111", "ada@example.org"] {
        throw_personal(&app, data).await?;
    }
    app.stop().await?;
    Ok(())
}

async fn throw_personal(app: &TestApp, data: &str) -> Result<()> {
    let mut thrown = 0;
    for Route { method, path, valid } in routes() {
        let mut places = Vec::new();
        parts(&valid, "", &mut places);
        places.retain(|place| valid.pointer(place).is_some_and(Value::is_string));
        let with_data = |place: &String| {
            let mut body = valid.clone();
            *body.pointer_mut(place).unwrap() = data.into();
            (path.clone(), body)
        };
        let mut asked: Vec<(String, Value)> = places.iter().map(with_data).collect();
        for id in ["pro_1", "pro_8", "pay_1", PROFILE] {
            asked.extend(path.contains(id).then(|| (path.replace(id, data), valid.clone())));
        }
        for (path, body) in asked {
            let request = app.request(method, &path)?.header("x-admin-secret", PEER_SECRET).bearer_auth(ADMIN);
            let answer = if body.is_null() { request } else { request.json(&body) }.send().await?.text().await?;
            assert!(!answer.to_lowercase().contains(data), "{method} {path} {body}: {answer}");
            thrown += 1;
        }
    }
    assert!(thrown > 150, "only {thrown}");
    app.until("all is recorded", || app.handle().status().decisions.in_flight == 0).await?;
    app.until_folded().await?;
    let kept = app.handle().log().read(1, 1_000).await?;
    let kept: Vec<&Body> = kept
        .iter()
        .flat_map(|record| &record.bodies)
        .filter(|body| format!("{body:?}").to_lowercase().contains(data))
        .collect();
    assert!(kept.is_empty(), "{kept:?}");
    Ok(())
}

#[test]
fn whatever_is_thrown_is_answered_and_what_is_refused_changes_nothing() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let app = runtime.block_on(TestApp::start())?;
    let target = RefCell::new(Target { app, looked_at: 0 });
    let routes = routes();
    assert!(routes.iter().any(|route| route.path.ends_with(PROFILE)));
    // Every route takes what it is meant to take, so that the mutations start from what is real.
    for route in &routes {
        let status = runtime.block_on(target.borrow_mut().throw(route, route.valid.to_string().into_bytes()))?;
        // The peer says so where no rule is in force, too.
        let is_taken = status != 400 || route.path.starts_with("/routing/evaluate");
        assert!(is_taken, "{} {} does not take {}", route.method, route.path, route.valid);
    }
    let cases = std::env::var("APOS_ABUSE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&(0..routes.len(), thrown()), |(index, thrown)| {
        let route = &routes[index];
        let thrown = runtime.block_on(target.borrow_mut().throw(route, bytes(&thrown, &route.valid)));
        thrown.map(drop).map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    ran.map_err(|failed| anyhow::anyhow!("{failed}"))?;
    let Target { app, .. } = target.into_inner();
    // What was thrown may have pulled it, which is told as long as it lasts.
    runtime.block_on(async {
        let release = app.request("PUT", "/v1/kill-switch")?.bearer_auth(ADMIN).json(&json!({ "pulled": false }));
        release.send().await?;
        app.until("it is released", || app.handle().snapshot().adoption.unwell().is_empty()).await
    })?;
    let ready = app.handle().status();
    assert!(ready.ready && ready.degraded.is_empty(), "{ready:?}");
    runtime.block_on(app.stop())?;
    Ok(())
}
