//! A server that plays Hyperswitch: it answers what it is told to, and keeps what it was asked.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use anyhow::{Context as _, Result};
use apos::adapters::decline::DeclineTables;
use apos::adapters::hyperswitch::{ApiKeys, Switch};
use apos::runtime::{FetchConfig, Pace};

/// The merchant's api-key.
pub(crate) const API_KEY: &str = "snd_0123456789abcdef";

/// The key it was asked with, and the path and query.
type Asked = (Option<String>, String);

#[derive(Default)]
struct Script {
    /// The next answers; when they are used up, the last one goes on.
    answers: VecDeque<(u16, Vec<u8>)>,
    asked: Vec<Asked>,
}

/// The server, on a thread of its own.
pub(crate) struct PlayedSwitch {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    handle: ServerHandle,
    thread: JoinHandle<std::io::Result<()>>,
}

impl PlayedSwitch {
    /// Answers these in their order, and the last one from then on.
    pub(crate) fn answering(answers: impl IntoIterator<Item = (u16, Vec<u8>)>) -> Result<Self> {
        let script = Arc::new(Mutex::new(Script { answers: answers.into_iter().collect(), asked: Vec::new() }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, played) = (listener.local_addr()?, web::Data::from(script.clone()));
        let (started, wait) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("played-switch".to_owned()).spawn(move || {
            let serve = async move {
                let app = move || App::new().app_data(played.clone()).default_service(web::to(answer));
                let server = HttpServer::new(app).workers(1).shutdown_timeout(0).disable_signals().listen(listener)?.run();
                let _ = started.send(server.handle());
                server.await
            };
            rt::System::new().block_on(serve)
        })?;
        let handle = wait.recv().context("the played switch does not listen")?;
        Ok(Self { address, script, handle, thread })
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().asked.clone()
    }

    /// How it is asked: at once, and with a key or without.
    pub(crate) fn fetch(&self, key: Option<&str>) -> Result<FetchConfig> {
        let keys = ApiKeys::new([], key).map_err(anyhow::Error::msg)?;
        let base = format!("http://{}/hs/", self.address);
        Ok(FetchConfig {
            switch: Switch::new(&base, keys, Duration::from_secs(10)).map_err(anyhow::Error::msg)?,
            pace: Pace { per_s: 1_000, burst: 100, delay: Duration::ZERO },
            declines: Arc::new(DeclineTables::built_in()?),
        })
    }

    /// Ends it.
    pub(crate) async fn stop(self) -> Result<()> {
        self.handle.stop(false).await;
        self.thread.join().map_err(|_| anyhow::anyhow!("the played switch panicked"))??;
        Ok(())
    }
}

async fn answer(request: HttpRequest, script: web::Data<Mutex<Script>>) -> HttpResponse {
    let mut script = script.lock().unwrap();
    let key = request.headers().get("api-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    script.asked.push((key, request.uri().to_string()));
    let last = script.answers.len() == 1;
    let next = if last { script.answers.front().cloned() } else { script.answers.pop_front() };
    let (status, body) = next.unwrap_or((500, Vec::new()));
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).content_type("application/json").body(body)
}
