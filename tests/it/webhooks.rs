//! Hyperswitch's webhooks, signed as Hyperswitch signs them.
#![allow(clippy::unwrap_used, reason = "fixtures that parse")]

use std::future::poll_fn;
use std::task::Poll;

use anyhow::{Context as _, Result, ensure};
use apos::domain::{Body, Settings};
use apos::runtime::{LogChoice, TablesChoice};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha512;

use crate::support::app::{Answer, OPERATOR, PROFILE, TestApp, WEBHOOK_KEY, api_config};

/// A recorded webhook: the exact bytes, and the headers they came with.
struct Recorded {
    body: &'static [u8],
    headers: &'static str,
}

macro_rules! recorded {
    ($name:literal) => {
        Recorded {
            body: include_bytes!(concat!("fixtures/hyperswitch/webhook.", $name, ".body.json")),
            headers: include_str!(concat!("fixtures/hyperswitch/webhook.", $name, ".headers.json")),
        }
    };
}

const RECORDED: [Recorded; 5] = [
    recorded!("payment_processing"),
    recorded!("payment_failed.psp_generic"),
    recorded!("payment_failed.psp_technical"),
    recorded!("payment_failed.user_fault_insufficient_funds"),
    recorded!("payment_succeeded"),
];

/// The personal data that stand in the recorded bodies.
const PERSONAL: [&str; 5] = ["John Doe", "customer@gmail.com", "9999999999", "joseph Doe", "customer123"];

impl Recorded {
    fn signature(&self) -> String {
        let headers: Value = serde_json::from_str(self.headers).unwrap();
        headers["headers"]["X-Webhook-Signature-512"].as_str().unwrap().to_owned()
    }

    async fn post(&self, app: &TestApp) -> Result<Answer> {
        app.post_webhook(PROFILE, self.body.to_vec(), Some(&self.signature())).await
    }
}

/// Signs a body as Hyperswitch does.
pub(crate) fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(WEBHOOK_KEY.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_five_recorded_ones_are_taken_in_and_counted_once() -> Result<()> {
    let app = TestApp::start().await?;
    for webhook in &RECORDED {
        let answer = webhook.post(&app).await?;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("recorded")), "{answer:?}");
    }
    app.until_events(5).await?;
    let before = app.read("/analytics").await?;
    assert_eq!(before["statistics"]["payments"], 1, "{before}");
    assert_eq!(before["statistics"]["attempts_unseen"], 0, "both attempts were told of: {before}");
    for webhook in &RECORDED {
        let answer = webhook.post(&app).await?;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("repeated")), "{answer:?}");
    }
    let after = app.read("/analytics").await?;
    assert_eq!((&before["statistics"], &before["analytics"]), (&after["statistics"], &after["analytics"]));
    assert_eq!(app.read("/status").await?["webhooks"]["repeated"], 5);
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_no_payment_sends_is_refused_in_words_of_its_own() -> Result<()> {
    let app = TestApp::start().await?;
    let check = async |body: &[u8], said: &str| -> Result<()> {
        let answer = app.post_webhook(PROFILE, body.to_vec(), Some(&sign(body))).await?;
        let told = answer.body["error"]["message"].as_str().unwrap_or_default();
        assert!(answer.status == 400 && told.starts_with(said), "{answer:?}");
        Ok(())
    };
    check(b"[]", "the body: expected an object, found a list").await?;
    let paid: Value = serde_json::from_slice(RECORDED[4].body)?;
    for amount in [-5, i64::MAX] {
        let mut changed = paid.clone();
        changed["content"]["object"]["amount"] = json!(amount);
        check(&serde_json::to_vec(&changed)?, &format!("content.object.amount: {amount} is not")).await?;
    }
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_that_no_event_told_of_are_counted_as_unseen() -> Result<()> {
    let app = TestApp::start().await?;
    // The technical failure is the payment's second attempt; of the first nothing was heard.
    assert_eq!(RECORDED[2].post(&app).await?.status, 200);
    app.until_events(1).await?;
    let status = app.read("/status").await?;
    assert_eq!(status["header"]["attempts_unseen"], 1, "{status}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_with_the_profiles_key_is_refused() -> Result<()> {
    let app = TestApp::start().await?;
    let webhook = &RECORDED[0];
    let signature = webhook.signature();
    let mut altered = webhook.body.to_vec();
    altered.push(b' ');
    for (profile, body, signature, status, code) in [
        (PROFILE, webhook.body.to_vec(), None, 401, "bad_signature"),
        (PROFILE, webhook.body.to_vec(), Some("00"), 401, "bad_signature"),
        (PROFILE, altered, Some(signature.as_str()), 401, "bad_signature"),
        ("pro_nobody", webhook.body.to_vec(), Some(signature.as_str()), 404, "unknown_profile"),
    ] {
        let answer = app.post_webhook(profile, body, signature).await?;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (status, &json!(code)), "{answer:?}");
        assert!(answer.body["error"]["remedy"].as_str().unwrap().contains("APOS_WEBHOOK_KEY__"), "{answer:?}");
    }
    assert_eq!(app.read("/status").await?["webhooks"]["refused"], 4);
    assert_eq!(app.handle().snapshot().statistics.events, 0);
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_parse_is_refused_by_its_field() -> Result<()> {
    let app = TestApp::start().await?;
    let body = String::from_utf8(RECORDED[4].body.to_vec())?;
    let check = async |from: &str, to: &str, field: Option<&str>| -> Result<()> {
        ensure!(body.contains(from), "{from}");
        let broken = body.replacen(from, to, 1).into_bytes();
        let signature = sign(&broken);
        let answer = app.post_webhook(PROFILE, broken, Some(&signature)).await?;
        assert_eq!((answer.status, answer.body["error"]["field"].as_str()), (400, field), "{answer:?}");
        Ok(())
    };
    check(r#""payment_id":"pay_6vacj5lnQX9BKSLeXYUy","#, "", Some("content.object.payment_id")).await?;
    check(r#""amount":6540"#, r#""amount":"much""#, Some("content.object.amount")).await?;
    check(r#""event_id":"evt_01971892575c7c5395780fbd740e6b00","#, "", Some("event_id")).await?;
    check(r#"{"merchant_id""#, "{merchant_id", None).await?;
    let large = vec![b' '; 65_537];
    let answer = app.post_webhook(PROFILE, large, Some("00")).await?;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (413, &json!("too_large")), "{answer:?}");
    app.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_nothing_of_an_attempt_is_acknowledged_and_counted_as_ignored() -> Result<()> {
    let app = TestApp::start().await?;
    let body = br#"{"event_id":"evt_1","event_type":"mandate_active","content":{"type":"mandate_details","object":{}}}"#;
    let answer = app.post_webhook(PROFILE, body.to_vec(), Some(&sign(body))).await?;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("ignored")), "{answer:?}");
    assert_eq!(app.read("/status").await?["webhooks"]["ignored"], 1);
    app.stop().await?;
    Ok(())
}

fn clean(what: &str, text: &str) {
    for personal in PERSONAL {
        assert!(!text.contains(personal), "{what} holds `{personal}`");
    }
}

/// A switch that does not wait for its answer: the view knows the event only after the last of them has come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_that_come_at_once_are_one_event_and_one_row() -> Result<()> {
    let app = TestApp::start_with(Settings::default(), api_config()?, LogChoice::Sqlite, TablesChoice::Sqlite).await?;
    let answers = futures(20, || RECORDED[4].post(&app)).await?;
    let told = |status: &str| answers.iter().filter(|answer| answer.body["status"] == status).count();
    assert_eq!((told("recorded"), told("repeated")), (1, 19), "{answers:?}");
    app.until_events(1).await?;
    app.until("the tables are connected", || app.handle().tables().is_some()).await?;
    let tables = app.handle().tables().context("tables")?;
    app.until("the table has it", || app.handle().status().tables.is_some_and(|tables| tables.rows >= 1)).await?;
    assert_eq!(tables.counts().await?.payment_events, 1);
    let records = app.handle().log().read(1, 1_000).await?;
    let events = records.iter().flat_map(|record| &record.bodies).filter(|body| matches!(body, Body::Payment(_)));
    assert_eq!(events.count(), 1, "once in the log too");
    app.stop().await?;
    Ok(())
}

/// Polls so many at once, each from the start.
async fn futures<T, F: Future<Output = Result<T>>>(count: usize, one: impl Fn() -> F) -> Result<Vec<T>> {
    let mut going: Vec<_> = (0..count).map(|_| Box::pin(one())).collect();
    let mut ended: Vec<Option<T>> = (0..count).map(|_| None).collect();
    poll_fn(|context| {
        for (going, ended) in going.iter_mut().zip(&mut ended).filter(|(_, ended)| ended.is_none()) {
            if let Poll::Ready(done) = going.as_mut().poll(context) {
                *ended = Some(done?);
            }
        }
        if ended.iter().all(Option::is_some) { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
    .map(|()| ended.into_iter().flatten().collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn personal_data_stays_outside() -> Result<()> {
    let app = TestApp::start_with(Settings::default(), api_config()?, LogChoice::Sqlite, TablesChoice::Sqlite).await?;
    for webhook in &RECORDED {
        for personal in PERSONAL {
            assert!(String::from_utf8_lossy(webhook.body).contains(personal), "the canary is not in the body");
        }
        let answer = webhook.post(&app).await?;
        clean("an answer", &answer.body.to_string());
    }
    // The identifiers of payments are kept: none may be a card's number or an address.
    for personal in ["4242424242424242", "jane.canary@example.org"] {
        let body = String::from_utf8(RECORDED[4].body.to_vec())?.replace("pay_6vacj5lnQX9BKSLeXYUy", personal).into_bytes();
        let signature = sign(&body);
        let answer = app.post_webhook(PROFILE, body, Some(&signature)).await?;
        let told = &answer.body["error"];
        assert_eq!((answer.status, told["field"].as_str()), (400, Some("content.object.payment_id")), "{answer:?}");
        assert!(told["message"].as_str().is_some_and(|told| told.contains("send the id itself")));
        assert!(!told.to_string().contains(personal), "{told}");
    }
    app.until_events(5).await?;
    for path in ["/status", "/analytics", "/anomalies", "/healing", "/v1/actions"] {
        clean(path, &app.read(path).await?.to_string());
    }
    // The log's records are compressed on disk: what they hold is what they decode to.
    let records = app.handle().log().read(1, 1_000).await?;
    assert!(format!("{records:?}").contains("pay_6vacj5lnQX9BKSLeXYUy"), "the records hold the payment");
    clean("the log", &format!("{records:?}"));
    let rows = |app: &TestApp| app.handle().status().tables.map_or(0, |tables| tables.rows);
    app.until("the tables hold the events", || rows(&app) >= 5).await?;
    let dir = app.stop().await?;
    let mut seen = false;
    for file in std::fs::read_dir(dir.path())? {
        let file = file?.path();
        let text = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
        clean(&file.display().to_string(), &text);
        seen |= text.contains("pay_6vacj5lnQX9BKSLeXYUy");
    }
    assert!(seen, "the tables hold the payment");
    Ok(())
}

/// The recorded failure, as the issuer of a German Mastercard at this account would have answered it.
fn declined(connector: &str, reference: &str, code: &str, attempt: u16) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(RECORDED[1].body).unwrap();
    body["event_id"] = json!(format!("evt_{code}_{attempt}"));
    let object = &mut body["content"]["object"];
    object["connector"] = json!(connector);
    object["merchant_connector_id"] = json!(reference);
    object["attempt_count"] = json!(attempt);
    object["payment_method_data"]["card"]["card_network"] = json!("Mastercard");
    object["payment_method_data"]["card"]["card_issuing_country"] = json!("DE");
    object["error_code"] = json!(code);
    object["unified_code"] = json!("UE_9000");
    object["error_details"] = json!({ "issuer_details": { "code": code } });
    serde_json::to_vec(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_wants_authentication_is_asked_again_where_it_was() -> Result<()> {
    let app = TestApp::start().await?;
    let body: Value = serde_json::from_slice(RECORDED[1].body)?;
    let asked = json!({
        "profile": PROFILE,
        "payment": body["content"]["object"]["payment_id"],
        "amount": { "minor": 6540, "currency": "USD" },
        "eligible": ["stripe:mca_1", "adyen:mca_2", "checkout:mca_3"],
    });
    let first = app.post_as(OPERATOR, "/v1/decisions", &asked).await?;
    let account = first.body["account"].as_str().unwrap().to_owned();
    let (connector, reference) = account.split_once(':').unwrap();
    let body = declined(connector, reference, "65", 1);
    let answer = app.post_webhook(PROFILE, body.clone(), Some(&sign(&body))).await?;
    ensure!(answer.status == 200, "{answer:?}");
    app.until_events(1).await?;
    let second = app.post_as(OPERATOR, "/v1/decisions", &asked).await?.body;
    assert_eq!((&second["account"], &second["approach"], &second["attempt"]), (&json!(account), &json!("step_up"), &json!(2)));
    assert_eq!(second["candidates"][1]["excluded"], "step_up", "{second}");
    assert_eq!(app.read("/analytics").await?["analytics"]["unknown_codes"], json!([]));

    let body = declined(connector, reference, "X9", 2);
    let answer = app.post_webhook(PROFILE, body.clone(), Some(&sign(&body))).await?;
    ensure!(answer.status == 200, "{answer:?}");
    app.until_events(2).await?;
    let third = app.post_as(OPERATOR, "/v1/decisions", &asked).await?.body;
    assert_ne!(third["approach"], "step_up", "what followed was another refusal: {third}");
    let unknown = &app.read("/analytics").await?["analytics"]["unknown_codes"];
    let row = (&unknown[0]["connector"], &unknown[0]["code"], &unknown[0]["attempts"]);
    assert_eq!(row, (&json!(connector), &json!("issuer:X9"), &json!(1)), "{unknown}");
    app.stop().await?;
    Ok(())
}
