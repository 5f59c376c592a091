//! `apos serve`, killed in the middle of traffic, again and again: by the sender's own ledger of what was acknowledged
//! nothing is lost and nothing counts twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::{PATIENCE, fingerprints};
use crate::support::app::http_client;

/// Payments each start of the server takes before it is killed; the last one takes what is left.
const PER_LIFE: u64 = 150;
const KILLS: u64 = 4;
const PAYMENTS: u64 = PER_LIFE * (KILLS + 1);

/// Senders at a time: several appends are always under way when the kill comes.
const SENDERS: u64 = 8;

/// A process that does not outlive its test.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    /// A server that has folded its log: until then it decides nothing.
    async fn start(home: &Path) -> Result<Self> {
        let client = http_client()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_apos"));
        command.arg("serve").env_clear().env("HOME", home).env("LANG", "C.UTF-8");
        command.env("APOS__API__LISTEN", "127.0.0.1:0").env("APOS_PEER_OPEN", "1");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().context("its standard error")?).read_line(&mut line)?;
        let mut serving = Self { child, address: String::new() };
        let address = line.trim().strip_prefix("apos: listening on ").with_context(|| format!("it said: {line}"))?;
        address.clone_into(&mut serving.address);
        let ready = async {
            while !client.get(format!("{}/health/ready", serving.address)).send().await?.status().is_success() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, ready).await??;
        Ok(serving)
    }

    fn end(mut self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the sender knows: where each payment was sent, and whose outcome was acknowledged.
#[derive(Default)]
struct Book {
    sent_to: BTreeMap<u64, String>,
    acknowledged: BTreeSet<u64>,
}

type Ledger = Arc<Mutex<Book>>;

/// Asks where a payment goes, unless that was answered before, and tells its outcome, as the switch does.
async fn pay(client: &Client, address: &str, number: u64, ledger: &Ledger) -> Result<()> {
    let payment = format!("pay_{number}");
    let known = ledger.lock().unwrap().sent_to.get(&number).cloned();
    let gateway = match known {
        Some(gateway) => gateway,
        None => decide(client, address, &payment).await?,
    };
    ledger.lock().unwrap().sent_to.insert(number, gateway.clone());
    let told = json!({"merchantId": "pro_1", "gateway": gateway, "status": "CHARGED", "paymentId": payment});
    client.post(format!("{address}/update-gateway-score")).json(&told).send().await?.error_for_status()?;
    ledger.lock().unwrap().acknowledged.insert(number);
    Ok(())
}

async fn decide(client: &Client, address: &str, payment: &str) -> Result<String> {
    let asked = json!({
        "merchantId": "pro_1", "eligibleGatewayList": ["stripe:mca_1", "adyen:mca_2"], "rankingAlgorithm": "SR_BASED_ROUTING",
        "eliminationEnabled": true,
        "paymentInfo": {
            "paymentId": payment, "amount": 6540, "currency": "USD", "paymentType": "ORDER_PAYMENT",
            "paymentMethodType": "UPI", "paymentMethod": "card",
        },
    });
    let answer = client.post(format!("{address}/decide-gateway")).json(&asked).send().await?.error_for_status()?;
    let decided: Value = answer.json().await?;
    Ok(decided["decided_gateway"].as_str().with_context(|| format!("no gateway in {decided}"))?.to_owned())
}

fn acknowledged(ledger: &Ledger) -> u64 {
    ledger.lock().unwrap().acknowledged.len() as u64
}

/// Sends what is not acknowledged yet, once; what fails, because the server was killed, is for the next one.
async fn send(address: String, upto: u64, ledger: Ledger) {
    let client = http_client().unwrap();
    let missing: Vec<u64> = (0..upto).filter(|number| !ledger.lock().unwrap().acknowledged.contains(number)).collect();
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let share: Vec<u64> = missing.iter().copied().filter(|number| number % SENDERS == sender).collect();
        let (client, address, ledger) = (client.clone(), address.clone(), ledger.clone());
        senders.spawn(async move {
            for number in share {
                // An error means that the server is gone.
                let _ = pay(&client, &address, number, &ledger).await;
            }
        });
    }
    senders.join_all().await;
}

async fn statistics(address: &str) -> Result<Value> {
    let mut status: Value = http_client()?.get(format!("{address}/status")).send().await?.error_for_status()?.json().await?;
    Ok(status["runtime"]["statistics"].take())
}

/// The folder with the log.
fn data(home: &Path) -> PathBuf {
    home.join(".local/share/apos")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "the senders of one life are one task of the test, awaited in it")]
async fn kills_lose_nothing_that_was_acknowledged_and_double_nothing() -> Result<()> {
    let home = tempfile::tempdir()?;
    let ledger = Ledger::default();
    for life in 1..=KILLS {
        let serving = Serving::start(home.path()).await?;
        let sending = tokio::spawn(send(serving.address.clone(), life * PER_LIFE, ledger.clone()));
        // In the middle: once half of this life's payments are acknowledged, the others under way.
        let half = life * PER_LIFE - PER_LIFE / 2;
        let reached = async {
            while acknowledged(&ledger) < half && !sending.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await?;
        serving.end(Signal::KILL)?;
        sending.await?;
        ensure!(acknowledged(&ledger) < life * PER_LIFE, "the kill came too late to interrupt anything");
    }

    let serving = Serving::start(home.path()).await?;
    send(serving.address.clone(), PAYMENTS, ledger.clone()).await;
    assert_eq!(acknowledged(&ledger), PAYMENTS, "all are acknowledged in the end");
    let looks = async {
        loop {
            let statistics = statistics(&serving.address).await?;
            if statistics["approved"].as_u64() >= Some(PAYMENTS) {
                return anyhow::Ok(statistics);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let statistics = tokio::time::timeout(PATIENCE, looks).await??;
    let counted = (statistics["approved"].as_u64(), statistics["payments"].as_u64());
    assert_eq!(counted, (Some(PAYMENTS), Some(PAYMENTS)), "{statistics}");
    serving.end(Signal::TERM)?;

    let (checkpoint, folded) = fingerprints(&data(home.path())).await?;
    assert_eq!(checkpoint, folded, "after every restart, and folded from the beginning");
    let mut database = SqliteConnectOptions::new().filename(data(home.path()).join("tables.db")).connect().await?;
    let (rows,): (i64,) = sqlx::query_as("SELECT count(DISTINCT payment) FROM payment_events").fetch_one(&mut database).await?;
    assert_eq!(u64::try_from(rows)?, PAYMENTS, "the tables know every payment");
    database.close().await?;
    Ok(())
}
