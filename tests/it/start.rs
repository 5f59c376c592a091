//! A listener is up before its log is folded: until then nothing is answered out of less than what the log holds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use anyhow::Result;
use apos::domain::{Command, OperatorName, Order, Settings, Time};
use apos::log::Log;
use apos::runtime::{LogChoice, RuntimeConfig};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::task::JoinSet;

use crate::abuse::{Route, routes};
use crate::support::app::{ADMIN, OPERATOR, PEER_SECRET, TestApp, api_config, in_memory};

/// What is answered at once, whatever is folded.
const AT_ONCE: &[&str] =
    &["/health", "/health/ready", "/health/diagnostics", "/status", "/kill-switch", "/webhooks/hyperswitch"];
/// What is taken in any case, once what is known was waited for.
const TAKEN: &[&str] = &["/update-gateway-score", "/v1/outcomes"];

fn on_disk() -> RuntimeConfig {
    RuntimeConfig { log: LogChoice::Sqlite, ..in_memory(Settings::default()) }
}

/// An answer: its status, whether it says when to ask again, and its body.
struct Answered {
    status: StatusCode,
    is_to_be_repeated: bool,
    body: String,
}

/// Sends to every route, all at the same time, what it takes.
async fn ask(app: &TestApp, routes: Vec<Route>) -> Result<Vec<(Route, Answered)>> {
    let mut asked = JoinSet::new();
    for route in routes {
        let request = app.request(route.method, &route.path)?.header("x-admin-secret", PEER_SECRET).bearer_auth(ADMIN);
        let request = if route.valid.is_null() { request } else { request.json(&route.valid) };
        asked.spawn(async move {
            let answer = request.send().await?;
            let (status, is_to_be_repeated) = (answer.status(), answer.headers().contains_key("retry-after"));
            anyhow::Ok((route, Answered { status, is_to_be_repeated, body: answer.text().await? }))
        });
    }
    asked.join_all().await.into_iter().collect()
}

/// No configuration is in force, because another process holds the lease and never says one: as long as a log takes to fold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn until_the_log_is_folded_no_route_answers_out_of_an_empty_state() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let log = Log::sqlite(&dir.path().join("log.db")).await?;
    let epoch = log.acquire_lease("another", Duration::from_secs(1), Time::from_secs(1 << 33)).await?.unwrap();
    let app = TestApp::listening_in(dir, on_disk(), api_config()?).await?;

    for (Route { method, path, .. }, Answered { status, is_to_be_repeated, body }) in ask(&app, routes()).await? {
        let is = |list: &[&str]| {
            list.iter().any(|known| path.trim_start_matches("/v1").starts_with(known.trim_start_matches("/v1")))
        };
        let shown = format!("{method} {path}: {status} {body}");
        if path == "/nothing/here" || is(AT_ONCE) {
            assert!(!body.contains("not_ready"), "{shown}");
        } else if is(TAKEN) {
            assert!(status.is_success() && !body.contains("payment_known"), "{shown}");
        } else {
            assert!(status == StatusCode::SERVICE_UNAVAILABLE && is_to_be_repeated && body.contains("not_ready"), "{shown}");
        }
    }
    let status = app.read("/status").await?;
    assert_eq!((&status["runtime"]["ready"], &status["runtime"]["log"]["folding_to"]), (&json!(false), &json!(0)), "{status}");

    log.release_lease("another", epoch).await?;
    app.until("it is folded", || app.handle().status().ready).await?;
    let status = app.read("/status").await?;
    assert_eq!(status["runtime"]["log"].get("folding_to"), None, "{status}");
    for (route, answered) in ask(&app, routes()).await? {
        assert!(!answered.body.contains("not_ready"), "{} {}: {}", route.method, route.path, answered.body);
    }
    app.stop().await?;
    Ok(())
}

/// A decision, and what the snapshot tells, as they are answered first. All else that is read goes the same way.
async fn first_read(app: &TestApp) -> Result<(Value, Value, Value)> {
    let (decision, adoption, analytics) =
        tokio::join!(app.read("/v1/decisions/pay_7?profile=pro_1"), app.read("/v1/adoption"), app.read("/analytics"));
    Ok((decision?, adoption?["kill_switch"].clone(), analytics?["statistics"]["decisions"].clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_first_after_a_restart_is_what_was_acknowledged_before() -> Result<()> {
    let app = TestApp::start_in(tempfile::tempdir()?, on_disk(), api_config()?).await?;
    for number in 0..300 {
        let asked = json!({
            "profile": "pro_1", "payment": format!("pay_{number}"), "amount": { "minor": 5, "currency": "EUR" }, "eligible": ["a:1", "b:2"],
        });
        assert_eq!(app.post_as(OPERATOR, "/v1/decisions", &asked).await?.status, 200);
    }
    app.until_folded().await?;
    let order = Order::SetKillSwitch { pulled: true, reason: "a drill".into() };
    assert!(app.handle().command(Command { operator: OperatorName::parse("ada").unwrap(), order }).await?.accepted);
    let before = first_read(&app).await?;
    assert_eq!((&before.1["by"], &before.2), (&json!("ada"), &json!(300)), "{before:?}");
    let dir = app.stop().await?;
    // Without its checkpoint all of the log is to be folded.
    let mut log = SqliteConnectOptions::new().filename(dir.path().join("log.db")).connect().await?;
    sqlx::query("DELETE FROM checkpoints").execute(&mut log).await?;
    log.close().await?;

    let app = TestApp::listening_in(dir, on_disk(), api_config()?).await?;
    assert_eq!(first_read(&app).await?, before);
    app.stop().await?;
    Ok(())
}
