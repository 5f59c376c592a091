//! The native API, from outside.
#![allow(clippy::unwrap_used, reason = "answers that have the fields asked for")]

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use apos::api::{Keys, StartError};
use serde_json::{Value, json};

use crate::support::app::{ADMIN, OPERATOR, TestApp, VIEWER, api_config, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seeds_five_routes_answer_with_what_happened() -> Result<()> {
    let app = TestApp::start().await?;
    for (payment, status) in [("pay_1", "CHARGED"), ("pay_2", "CHARGED"), ("pay_3", "FAILURE")] {
        let told = json!({ "merchantId": "pro_1", "gateway": "stripe:mca_1", "status": status, "paymentId": payment });
        assert_eq!(app.post_as_switch("/update-gateway-score", &told).await?.status, 200);
    }
    app.until_events(3).await?;
    for prefix in ["", "/v1"] {
        let health = app.read(&format!("{prefix}/health")).await?;
        assert_eq!(health["message"], "Health is good");
        assert_eq!(app.read(&format!("{prefix}/health/ready")).await?["message"], "Up");
        let status = app.read(&format!("{prefix}/status")).await?;
        assert_eq!((&status["connectors"][0]["name"], &status["connectors"][0]["attempts"]), (&json!("stripe"), &json!(3)));
        assert_eq!(status["runtime"]["log"]["kind"], "memory");
        let analytics = app.read(&format!("{prefix}/analytics")).await?;
        let row = &analytics["analytics"]["connectors"][0];
        assert_eq!((&row["attempts"], &row["approved"]), (&json!(3), &json!(2)), "{analytics}");
        assert_eq!(app.read(&format!("{prefix}/anomalies")).await?["anomalies"], json!([]));
        let healing = app.read(&format!("{prefix}/healing")).await?;
        assert_eq!(
            (&healing["pending"], &healing["shadows"]["rows"], &healing["hindsights"]),
            (&0.into(), &json!([]), &json!([]))
        );
    }
    let models = app.read("/v1/models").await?;
    assert_eq!((&models["enabled"], &models["champion"], &models["past"]), (&json!(false), &Value::Null, &json!([])));
    assert_eq!(models["confidence"].as_array().map(Vec::len), Some(10), "{models}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_changes_something_needs_a_key_of_the_role() -> Result<()> {
    let app = TestApp::start().await?;
    let check = async |method: &str, path: &str, key: Option<&str>, status: u16, code: &str| -> Result<()> {
        let request = app.request(method, path)?.json(&json!({}));
        let answer = send(if let Some(key) = key { request.bearer_auth(key) } else { request }).await?;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (status, &json!(code)), "{method} {path} {key:?}");
        Ok(())
    };
    for verb in ["approve", "reject", "override", "undo", "reopen"] {
        let path = format!("/v1/actions/act-1/{verb}");
        check("POST", &path, None, 401, "no_key").await?;
        check("POST", &path, Some("guess"), 401, "unknown_key").await?;
        check("POST", &path, Some(VIEWER), 403, "role_too_low").await?;
        check("POST", &path, Some(OPERATOR), 400, "bad_field").await?;
    }
    check("PUT", "/v1/autonomy", Some(OPERATOR), 403, "role_too_low").await?;
    check("PUT", "/v1/autonomy", Some(ADMIN), 400, "bad_field").await?;
    check("POST", "/v1/decisions", None, 401, "no_key").await?;
    check("POST", "/v1/decisions", Some(VIEWER), 403, "role_too_low").await?;
    let lower = app.request("PUT", "/v1/autonomy")?.header("authorization", format!("bearer {ADMIN}"));
    assert_eq!(send(lower.json(&json!({ "level": "veto" }))).await?.status, 200, "the scheme has no case");
    let by_header = app.request("PUT", "/v1/autonomy")?.header("x-api-key", ADMIN).json(&json!({ "level": "veto" }));
    assert_eq!(send(by_header).await?.status, 200);
    app.stop().await?;

    let mut config = api_config()?;
    config.keys = Keys::default();
    let app = TestApp::with_api(config).await?;
    let answer = app.post_as(OPERATOR, "/v1/actions/act-1/approve", &json!({ "version": 1 })).await?;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (403, &json!("no_key_configured")));
    assert!(answer.body["error"]["remedy"].as_str().unwrap().contains("APOS_API_KEY__OPERATOR"), "{answer:?}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn autonomy_is_set_and_shown() -> Result<()> {
    let app = TestApp::start().await?;
    let set = app.request("PUT", "/v1/autonomy")?.bearer_auth(ADMIN).json(&json!({ "class": "scaling", "level": "auto" }));
    let answer = send(set).await?;
    assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(true)), "{answer:?}");
    let levels = app.read("/healing").await?["autonomy"].clone();
    assert_eq!((&levels["scaling"], &levels["priority"]), (&json!("auto"), &json!("approve")), "{levels}");
    let refused = app.request("PUT", "/v1/autonomy")?.bearer_auth(ADMIN).json(&json!({ "class": "scaling", "level": "full" }));
    let answer = send(refused).await?;
    let told = answer.body["error"]["message"].as_str().unwrap();
    assert_eq!((answer.status, &answer.body["error"]["field"]), (400, &json!("level")));
    assert!(told.contains("`full`") && told.contains("`veto`"), "{told}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dial_shadow_and_kill_switch_are_set_and_shown() -> Result<()> {
    let app = TestApp::start().await?;
    let put = async |path: &str, key: &str, body: Value| -> Result<(u16, Value)> {
        let answer = send(app.request("PUT", path)?.bearer_auth(key).json(&body)).await?;
        Ok((answer.status, answer.body))
    };
    assert_eq!(put("/v1/adoption", OPERATOR, json!({ "dial": 10 })).await?.0, 403);
    for (body, field) in [
        (json!({ "dial": 101 }), "dial"),
        (json!({}), "dial"),
        (json!({ "shadow": "yes" }), "shadow"),
        (json!({ "profile": "" }), "profile"),
        (json!({ "profile": "4111111111111111", "dial": 10 }), "profile"),
        (json!({ "dial": null, "shadow": null }), "dial"),
        (json!({ "profile": "pro_2" }), "dial"),
        (json!({ "profile": "pro_2", "dial": null }), "dial"),
        (json!({ "profile": "pro_2", "shadow": null }), "dial"),
    ] {
        let (status, answer) = put("/v1/adoption", ADMIN, body.clone()).await?;
        assert_eq!((status, &answer["error"]["field"]), (400, &json!(field)), "{body}: {answer}");
    }
    assert_eq!(put("/v1/adoption", ADMIN, json!({ "dial": 10 })).await?.0, 200);
    let (status, answer) = put("/v1/adoption", ADMIN, json!({ "profile": "pro_2", "shadow": true })).await?;
    assert_eq!((status, &answer["merchant_known"]), (200, &json!(false)), "{answer}");
    let (_, answer) = put("/v1/adoption", ADMIN, json!({ "profile": "pro_2" })).await?;
    let told = answer["error"]["message"].as_str().unwrap();
    assert!(told.contains("follow all again") && told.contains(r#""dial": null, "shadow": null"#), "{answer}");
    let (status, answer) = put("/v1/adoption", ADMIN, json!({ "profile": "pro_3", "dial": null, "shadow": null })).await?;
    assert!(status == 200 && answer.to_string().contains("pro_3 follows all merchants"), "{answer}");
    assert_eq!(put("/v1/kill-switch", VIEWER, json!({ "pulled": true })).await?.0, 403);
    assert_eq!(put("/v1/kill-switch", OPERATOR, json!({ "pulled": true, "reason": "x".repeat(201) })).await?.0, 400);
    for reason in ["fraud on 4111 1111 1111 1111", "asked by ada@example.org"] {
        let (status, answer) = put("/v1/kill-switch", OPERATOR, json!({ "pulled": true, "reason": reason })).await?;
        assert_eq!((status, &answer["error"]["field"]), (400, &json!("reason")), "{answer}");
        assert!(!answer.to_string().contains("4111") && !answer.to_string().contains("ada@"), "{answer}");
    }
    let (status, answer) = put("/v1/kill-switch", OPERATOR, json!({ "pulled": true, "reason": "wrong figures" })).await?;
    assert_eq!((status, &answer["accepted"]), (200, &json!(true)), "{answer}");
    for adoption in [app.read("/v1/adoption").await?, app.read("/status").await?["adoption"].clone()] {
        assert_eq!((&adoption["dial"], &adoption["shadow"]), (&json!(10), &json!(false)), "{adoption}");
        assert_eq!(adoption["kill_switch"]["reason"], "wrong figures");
        assert_eq!(adoption["merchants"][0], json!({ "profile": "pro_2", "dial": null, "shadow": true }));
    }
    let status = app.read("/status").await?;
    assert_eq!((&status["status"], &status["adoption"]["conservative"]), (&json!("degraded"), &json!(null)), "{status}");
    let degraded = status["runtime"]["degraded"].to_string();
    assert!(degraded.contains("routing: the kill switch is pulled by ") && degraded.contains(": wrong figures"), "{degraded}");
    for path in ["/health", "/health/ready"] {
        let told = app.read(path).await?;
        assert_eq!(told["degraded"], json!(["routing: the kill switch is pulled"]), "anybody may ask for {path}");
    }
    let asked = json!({
        "profile": "pro_1", "payment": "pay_killed", "amount": { "minor": 100, "currency": "EUR" },
        "eligible": ["stripe:mca_1", "adyen:mca_2"]
    });
    let decided = app.post_as(OPERATOR, "/v1/decisions", &asked).await?.body;
    assert_eq!((&decided["account"], &decided["approach"]), (&json!("stripe:mca_1"), &json!("static")), "{decided}");
    assert_eq!(decided["notes"], json!(["kill_switch"]));
    assert_eq!(put("/v1/kill-switch", OPERATOR, json!({ "pulled": false })).await?.0, 200);
    assert_eq!(app.read("/v1/adoption").await?["kill_switch"], json!(null));
    assert_eq!(app.read("/status").await?["status"], "ok");
    assert_eq!(app.read("/v1/experiments").await?["experiments"], json!([]));
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_on_an_action_that_is_not_there_is_refused() -> Result<()> {
    let app = TestApp::start().await?;
    for (verb, body) in [
        ("approve", json!({ "version": 1 })),
        ("reject", json!({ "version": 1, "reason": "not now" })),
        ("override", json!({ "version": 1, "change": { "exclude_account": { "account": "stripe:mca_1" } } })),
        ("undo", json!({ "version": 1 })),
        ("reopen", json!({ "version": 1 })),
    ] {
        let answer = app.post_as(OPERATOR, &format!("/v1/actions/act-9/{verb}"), &body).await?;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (404, &json!("not_found")), "{verb}: {answer:?}");
    }
    let check = async |path: &str, body: Value, status: u16, field: Option<&str>| -> Result<()> {
        let answer = app.post_as(OPERATOR, path, &body).await?;
        assert_eq!((answer.status, answer.body["error"]["field"].as_str()), (status, field), "{path} {body}: {answer:?}");
        Ok(())
    };
    check("/v1/actions/9/approve", json!({ "version": 1 }), 400, Some("id")).await?;
    check("/v1/actions/act-9/approve", json!({}), 400, Some("version")).await?;
    check("/v1/actions/act-9/override", json!({ "version": 1 }), 400, Some("change")).await?;
    check("/v1/actions/act-9/reject", json!({ "version": 1, "reason": "x".repeat(201) }), 400, Some("reason")).await?;
    check("/v1/actions/act-9/applaud", json!({ "version": 1 }), 404, None).await?;
    assert_eq!(app.get("/v1/actions/act-9").await?.status, 404);
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_made_and_found_again() -> Result<()> {
    let app = TestApp::start().await?;
    let asked = json!({
        "profile": "pro_1",
        "payment": "pay_1",
        "amount": { "minor": 6540, "currency": "EUR" },
        "context": { "method": "card", "network": "visa", "country": "DE", "bin": "411111" },
        "eligible": ["stripe:mca_1", "adyen:mca_2"],
    });
    let made = app.post_as(OPERATOR, "/v1/decisions", &asked).await?;
    assert_eq!((made.status, &made.body["attempt"]), (200, &json!(1)), "{made:?}");
    assert_eq!(made.body["candidates"].as_array().unwrap().len(), 2);
    let mut found = app.read("/v1/decisions/pay_1?profile=pro_1").await?;
    let explanation = found.as_object_mut().unwrap().remove("explanation").unwrap();
    assert_eq!(found, made.body);
    assert_eq!((&explanation["chosen"], &explanation["model"]), (&made.body["account"], &json!("online")));
    assert_eq!(explanation["candidates"][0]["interval"].as_array().unwrap().len(), 2, "{explanation}");
    let pending =
        |of: &Value| of["candidates"].as_array().unwrap().iter().map(|one| one["pending"].clone()).collect::<Vec<_>>();
    assert_eq!(pending(&explanation), pending(&found));
    let path = "/v1/decisions/pay_1?profile=pro_1";
    let by_query = app.request("GET", &format!("{path}&format=text"))?;
    for request in [by_query, app.request("GET", path)?.header("accept", "text/plain")] {
        let answer = request.bearer_auth(VIEWER).send().await?;
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        let text = answer.text().await?;
        assert!(text.starts_with("Attempt 1 of pay_1 (merchant pro_1, EUR 65.40, card, Visa, DE, BIN 411111)"), "{text}");
    }
    assert_eq!(app.get("/v1/decisions/pay_1?profile=pro_1&format=xml").await?.body["error"]["field"], "format");
    assert_eq!(app.get("/v1/decisions/pay_1").await?.body["error"]["field"], "profile");
    assert_eq!(app.get("/v1/decisions/pay_2?profile=pro_1").await?.status, 404);
    let mut none = asked.clone();
    none["eligible"] = json!([]);
    none["payment"] = json!("pay_none");
    let refused = app.post_as(OPERATOR, "/v1/decisions", &none).await?;
    assert_eq!((refused.status, &refused.body["error"]["code"]), (400, &json!("no_candidate")), "{refused:?}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_cannot_be_asked_for_is_refused_by_its_field() -> Result<()> {
    let app = TestApp::start().await?;
    let check = async |change: &dyn Fn(&mut Value), field: &str| -> Result<()> {
        let mut asked = json!({
            "profile": "pro_1", "payment": "pay_1", "amount": { "minor": 6540, "currency": "EUR" },
            "eligible": ["stripe:mca_1", "adyen:mca_2"],
        });
        change(&mut asked);
        let refused = app.post_as(OPERATOR, "/v1/decisions", &asked).await?;
        assert_eq!((refused.status, &refused.body["error"]["field"]), (400, &json!(field)), "{asked}: {refused:?}");
        Ok(())
    };
    check(&|asked| asked["amount"]["minor"] = json!(-5), "amount.minor").await?;
    check(&|asked| asked["amount"]["minor"] = json!(i64::MAX), "amount.minor").await?;
    check(&|asked| asked["attempt"] = json!(0), "attempt").await?;
    check(&|asked| asked["attempt"] = json!(70_000), "attempt").await?;
    check(&|asked| asked["payment"] = json!("pay\u{202e}1"), "payment").await?;
    check(&|asked| asked["payment"] = json!("4111111111111111"), "payment").await?;
    check(&|asked| asked["payment"] = json!("ada@example.org"), "payment").await?;
    check(&|asked| asked["profile"] = json!("4111111111111111"), "profile").await?;
    check(&|asked| asked["eligible"][1] = json!("a:4111111111111111"), "eligible[1]").await?;
    check(&|asked| asked["context"]["country"] = json!("ZZ"), "context.country").await?;
    check(&|asked| asked["context"]["issuer"] = json!("John 4111 1111 1111 1111"), "context.issuer").await?;
    let many: Vec<String> = (0..101).map(|number| format!("psp:{number}")).collect();
    check(&|asked| asked["eligible"] = json!(many), "eligible").await?;
    let list = app.post_as(OPERATOR, "/v1/decisions", &json!([])).await?;
    let told = list.body["error"]["message"].as_str().unwrap();
    assert_eq!((list.status, told), (400, "the body: expected an object, found a list"));
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_path_tells_which_methods_it_takes() -> Result<()> {
    let app = TestApp::start().await?;
    for (method, path, allowed) in [
        ("GET", "/decide-gateway", "POST"),
        ("GET", "/v1/decisions", "POST"),
        ("POST", "/v1/decisions/pay_1", "GET"),
        ("POST", "/status", "GET"),
        ("POST", "/v1/autonomy", "PUT"),
        ("PUT", "/merchant-account/pro_1", "GET, DELETE"),
        ("GET", "/webhooks/hyperswitch/pro_1", "POST"),
    ] {
        let answer = app.request(method, path)?.send().await?;
        let allow = answer.headers().get("allow").and_then(|value| value.to_str().ok()).map(str::to_owned);
        assert_eq!((answer.status().as_u16(), allow.as_deref()), (405, Some(allowed)), "{method} {path}");
        let body: Value = serde_json::from_slice(&answer.bytes().await?)?;
        assert_eq!(body["error"]["code"], "method_not_allowed");
    }
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_keys_only_loopback_is_listened_on() -> Result<()> {
    let app = TestApp::start().await?;
    let mut config = api_config()?;
    config.listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    config.keys = Keys::default();
    let refused = apos::api::start(app.handle(), config).unwrap_err();
    assert!(matches!(refused, StartError::NeedsKeys(_)), "{refused}");
    assert!(refused.to_string().contains("APOS_API_KEY__OPERATOR"), "{refused}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_route_says_so_in_json() -> Result<()> {
    let app = TestApp::start().await?;
    let answer = app.get("/nothing/here").await?;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (404, &json!("not_found")));
    app.stop().await?;
    Ok(())
}
