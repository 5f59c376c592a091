//! Attempts that the switch hides: asked for, and counted once each, whoever tells of them.

use anyhow::{Result, ensure};
use apos::adapters::decline::DeclineTables;
use apos::adapters::hyperswitch::attempts;
use apos::domain::settings::Fetching;
use apos::domain::{PaymentId, ProfileId, Settings};
use apos::runtime::status::HyperswitchStatus;
use apos::runtime::{FetchConfig, LogChoice, RuntimeConfig, TablesChoice};
use serde_json::{Value, json};

use crate::peer::update_request;
use crate::support::app::{OPERATOR, PROFILE, TestApp, api_config, in_memory};
use crate::support::switch::{API_KEY, PlayedSwitch};
use crate::webhooks::sign;

/// What the switch answers of the payment: `adyen` failed, `checkout` declined, `stripe` took it.
const ANSWER: &[u8] = include_bytes!("fixtures/hyperswitch/payment.expand_attempts.json");
const PAYMENT: &str = "pay_6vacj5lnQX9BKSLeXYUy";
const ADYEN: &str = "adyen:mca_TalfqFgCAtIdn1KQFRU1";

/// The personal data that stand in the answer.
const PERSONAL: [&str; 4] = ["Rosalind", "rosalind@example.org", "5550100199", "1467 Example Street"];

fn settings() -> Settings {
    Settings { fetching: Fetching { max_waiting: 100 }, ..Settings::default() }
}

async fn asking(switch: &PlayedSwitch) -> Result<TestApp> {
    TestApp::asking(settings(), switch.fetch(Some(API_KEY))?).await
}

/// An answer about another payment.
fn answer(payment: &str) -> Vec<u8> {
    String::from_utf8_lossy(ANSWER).replace(PAYMENT, payment).into_bytes()
}

/// The switch tells that a payment succeeded at its third attempt, of the others nothing.
async fn tell_success(app: &TestApp, payment: &str) -> Result<()> {
    let mut webhook: Value =
        serde_json::from_slice(include_bytes!("fixtures/hyperswitch/webhook.payment_succeeded.body.json"))?;
    let object = &mut webhook["content"]["object"];
    object["payment_id"] = json!(payment);
    object["attempt_count"] = json!(3);
    object["connector"] = json!("stripe");
    object["merchant_connector_id"] = json!("mca_Xs7hFGhWq2Hb");
    webhook["event_id"] = json!(format!("evt_{payment}"));
    send(app, &webhook).await
}

async fn send(app: &TestApp, webhook: &Value) -> Result<()> {
    let body = serde_json::to_vec(webhook)?;
    let signature = sign(&body);
    let answer = app.post_webhook(PROFILE, body, Some(&signature)).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

fn fetching(app: &TestApp) -> HyperswitchStatus {
    app.handle().status().hyperswitch.unwrap()
}

/// Technical failures and declines of a connector, as `/analytics` tells them.
fn failures(analytics: &Value, connector: &str) -> (u64, u64) {
    let rows = analytics["analytics"]["connectors"].as_array().unwrap();
    let row = rows.iter().find(|row| row["key"] == connector).unwrap();
    (row["technical"].as_u64().unwrap(), row["declined"].as_u64().unwrap())
}

/// The totals that tell what was counted.
fn counted(app: &TestApp) -> (u64, u64, u64, u64) {
    let totals = app.handle().snapshot().statistics.clone();
    (totals.approved, totals.failed, totals.attempts_seen, totals.attempts_unseen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attempt_counts_once_whether_webhook_feedback_or_the_switch_tells_of_it() -> Result<()> {
    let switch = PlayedSwitch::answering([(200, ANSWER.to_vec())])?;
    let app = asking(&switch).await?;
    let asked = json!({ "profile": PROFILE, "payment": PAYMENT, "amount": { "minor": 6540, "currency": "USD" },
        "eligible": [ADYEN] });
    assert_eq!(app.post_as(OPERATOR, "/v1/decisions", &asked).await?.body["account"], ADYEN);
    let mut feedback = update_request(PAYMENT, ADYEN, "FAILURE");
    feedback["merchantId"] = json!(PROFILE);
    assert_eq!(app.post_as_switch("/update-gateway-score", &feedback).await?.status, 200);
    tell_success(&app, PAYMENT).await?;
    app.until("the switch was asked", || fetching(&app).fetched == 1).await?;
    assert_eq!(counted(&app), (1, 2, 3, 0));
    let first: Value =
        serde_json::from_slice(include_bytes!("fixtures/hyperswitch/webhook.payment_failed.psp_technical.body.json"))?;
    let mut first = first;
    first["content"]["object"]["attempt_count"] = json!(1);
    send(&app, &first).await?;
    app.until_events(6).await?;
    assert_eq!(counted(&app), (1, 2, 3, 0), "the first attempt's own webhook comes late and says nothing new");

    let status = fetching(&app);
    assert_eq!((status.asked, status.waiting, status.failed, status.dropped), (1, 0, 0, 0), "{status:?}");
    assert_eq!(status.coverage, Some(1.0));
    let asked = (Some(API_KEY.to_owned()), format!("/hs/payments/{PAYMENT}?force_sync=false&expand_attempts=true"));
    assert_eq!(switch.asked(), [asked]);
    let analytics = app.read("/analytics").await?;
    assert_eq!(analytics["attempts_coverage"], 1.0);
    // What the feedback told first, without a code, stands.
    assert_eq!((failures(&analytics, "adyen"), failures(&analytics, "checkout")), ((0, 1), (0, 1)), "{analytics}");
    let accounts = app.read("/status").await?["connectors"].to_string();
    assert!(accounts.contains(ADYEN) && !accounts.contains("\"account\":\"adyen\""), "its account is known: {accounts}");
    app.stop().await?;
    switch.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_asked_where_all_attempts_were_told_or_nobody_asks() -> Result<()> {
    let switch = PlayedSwitch::answering([(200, answer("pay_hidden"))])?;
    let app = asking(&switch).await?;
    let webhook: Value =
        serde_json::from_slice(include_bytes!("fixtures/hyperswitch/webhook.payment_failed.psp_generic.body.json"))?;
    send(&app, &webhook).await?;
    tell_success(&app, "pay_hidden").await?;
    app.until("the other was asked for", || fetching(&app).fetched == 1).await?;
    assert_eq!(switch.asked().len(), 1, "{:?}", switch.asked());
    app.stop().await?;
    let app = TestApp::start().await?;
    tell_success(&app, "pay_hidden").await?;
    app.until_events(1).await?;
    assert_eq!(app.handle().status().hyperswitch, None);
    assert_eq!((app.handle().view().hidden_count(), counted(&app).3), (0, 2));
    app.stop().await?;
    switch.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_refused_or_missing_is_told_with_its_variable_and_payments_go_on_waiting() -> Result<()> {
    let switch = PlayedSwitch::answering([(401, Vec::new())])?;
    for key in [Some(API_KEY), None] {
        let app = TestApp::asking(settings(), switch.fetch(key)?).await?;
        tell_success(&app, PAYMENT).await?;
        app.until("it is told", || !app.handle().status().degraded.is_empty()).await?;
        let degraded = app.handle().status().degraded.join("\n");
        let variable = format!("APOS_HYPERSWITCH_KEY__{PROFILE}");
        assert!(degraded.contains(&variable) && !degraded.contains(API_KEY), "{degraded}");
        assert_eq!((fetching(&app).waiting, fetching(&app).failed), (1, 0));
        app.stop().await?;
    }
    assert_eq!(switch.asked().len(), 1, "without a key nothing is sent: {:?}", switch.asked());
    switch.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_the_switch_does_not_know_is_asked_for_once() -> Result<()> {
    let switch = PlayedSwitch::answering([(404, Vec::new()), (200, answer("pay_known"))])?;
    let app = asking(&switch).await?;
    tell_success(&app, "pay_gone").await?;
    app.until("it is not known", || fetching(&app).failed == 1 && fetching(&app).waiting == 0).await?;
    tell_success(&app, "pay_known").await?;
    app.until("the next is", || fetching(&app).fetched == 1).await?;
    assert_eq!((switch.asked().len(), counted(&app)), (2, (2, 2, 4, 2)));
    assert_eq!(app.handle().status().degraded, [""; 0]);
    app.stop().await?;
    switch.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_in_trouble_is_asked_again_until_it_tells() -> Result<()> {
    let switch = PlayedSwitch::answering([(500, Vec::new()), (429, Vec::new()), (200, ANSWER.to_vec())])?;
    let app = asking(&switch).await?;
    tell_success(&app, PAYMENT).await?;
    app.until("it tells", || fetching(&app).fetched == 1).await?;
    assert_eq!((switch.asked().len(), fetching(&app).asked, counted(&app)), (3, 3, (1, 2, 3, 0)));
    let analytics = app.read("/analytics").await?;
    assert_eq!((failures(&analytics, "adyen"), failures(&analytics, "checkout")), ((1, 0), (0, 1)), "{analytics}");
    app.stop().await?;
    switch.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_understood_ends_it_and_is_told_without_its_content() -> Result<()> {
    let mut broken: Value = serde_json::from_slice(&answer("pay_3"))?;
    broken["attempts"][1]["modified_at"] = json!("Rosalind");
    let huge = vec![b' '; 2 * 1_048_576];
    let answers = [b"<html>".to_vec(), huge, serde_json::to_vec(&broken)?, answer("pay_4")];
    let switch = PlayedSwitch::answering(answers.map(|body| (200, body)))?;
    let app = asking(&switch).await?;
    for (number, said) in [(1, "the body"), (2, "more than 1048576 bytes"), (3, "attempts[1].modified_at")] {
        tell_success(&app, &format!("pay_{number}")).await?;
        app.until("it is given up", || fetching(&app).failed == number).await?;
        let degraded = app.handle().status().degraded.join("\n");
        assert!(degraded.contains(said) && !degraded.contains("Rosalind"), "{degraded}");
    }
    tell_success(&app, "pay_4").await?;
    app.until("the next is understood", || fetching(&app).fetched == 1).await?;
    assert_eq!(app.handle().status().degraded, [""; 0]);
    assert_eq!((switch.asked().len(), counted(&app)), (4, (4, 2, 6, 6)));
    app.stop().await?;
    switch.stop().await
}

/// On SQLite, in a folder that outlives it.
async fn kept(dir: tempfile::TempDir, hyperswitch: Option<FetchConfig>) -> Result<TestApp> {
    let kept = RuntimeConfig { log: LogChoice::Sqlite, tables: TablesChoice::Sqlite, hyperswitch, ..in_memory(settings()) };
    TestApp::start_in(dir, kept, api_config()?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_the_middle_loses_nothing_and_counts_nothing_twice() -> Result<()> {
    let switch = PlayedSwitch::answering([(503, Vec::new())])?;
    let app = kept(tempfile::tempdir()?, Some(switch.fetch(Some(API_KEY))?)).await?;
    tell_success(&app, "pay_waits").await?;
    tell_success(&app, PAYMENT).await?;
    app.until("both were asked for in vain", || fetching(&app).asked >= 2 && fetching(&app).waiting == 2).await?;
    let dir = app.stop().await?;
    switch.stop().await?;

    // Stopped after the attempts were recorded, and before it was that they had been asked for.
    let app = kept(dir, None).await?;
    let (profile, payment) = (ProfileId::parse(PROFILE).unwrap(), PaymentId::parse(PAYMENT).unwrap());
    let told = attempts::parse((&profile, &payment), ANSWER, &DeclineTables::built_in()?)?;
    app.handle().accept(told.clone()).await?;
    let dir = app.stop().await?;

    let switch = PlayedSwitch::answering([(200, answer("pay_waits"))])?;
    let app = kept(dir, Some(switch.fetch(Some(API_KEY))?)).await?;
    app.until("the other is asked for", || fetching(&app).fetched == 1).await?;
    app.handle().accept(told).await?;
    assert_eq!((switch.asked().len(), fetching(&app).waiting, counted(&app)), (1, 0, (2, 4, 6, 0)));
    app.stop().await?;
    switch.stop().await
}

fn clean(what: &str, text: &str) {
    for personal in PERSONAL {
        assert!(!text.contains(personal), "{what} holds `{personal}`");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn personal_data_of_the_answer_stays_outside() -> Result<()> {
    assert!(PERSONAL.iter().all(|personal| String::from_utf8_lossy(ANSWER).contains(personal)));
    let switch = PlayedSwitch::answering([(200, ANSWER.to_vec())])?;
    let app = kept(tempfile::tempdir()?, Some(switch.fetch(Some(API_KEY))?)).await?;
    tell_success(&app, PAYMENT).await?;
    app.until("the switch was asked", || fetching(&app).fetched == 1).await?;
    for path in ["/status", "/analytics", "/anomalies", "/healing", "/v1/actions"] {
        clean(path, &app.read(path).await?.to_string());
    }
    let records = format!("{:?}", app.handle().log().read(1, 1_000).await?);
    assert!(records.contains("AttemptsFetched") && records.contains("20051"));
    clean("the log", &records);
    let rows = |app: &TestApp| app.handle().status().tables.map_or(0, |tables| tables.rows);
    app.until("the tables hold the events", || rows(&app) >= 4).await?;
    let dir = app.stop().await?;
    for file in std::fs::read_dir(dir.path())? {
        let file = file?.path();
        clean(&file.display().to_string(), &String::from_utf8_lossy(&std::fs::read(&file)?));
    }
    switch.stop().await
}
