//! A whole engine behind its API, on a free loopback port, with its data in a temporary folder.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use apos::adapters::decline::DeclineTables;
use apos::api::{ApiConfig, Keys, PeerAccess, Server, WebhookKey};
use apos::domain::{ProfileId, Role, Settings};
use apos::runtime::{Durability, FetchConfig, Handle, LogChoice, RetentionConfig, Runtime, RuntimeConfig, TablesChoice};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

/// The secret that the recorded requests send.
pub(crate) const PEER_SECRET: &str = "test_admin";
/// An operator's key.
pub(crate) const OPERATOR: &str = "0123456789abcdef0123456789abcdef-operator";
/// An admin's key.
pub(crate) const ADMIN: &str = "0123456789abcdef0123456789abcdef-admin";
/// A viewer's key.
pub(crate) const VIEWER: &str = "0123456789abcdef0123456789abcdef-viewer";
/// The profile of the recorded webhooks.
pub(crate) const PROFILE: &str = "pro_UfVajfSqskx9FjWfP5cP";
/// The key they are signed with.
pub(crate) const WEBHOOK_KEY: &str = "hs_test_payment_response_hash_key_0123456789abcdef";

/// How long a condition may take to come true. A loaded machine needs a second or two.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// A running engine and its API.
pub(crate) struct TestApp {
    pub(crate) dir: tempfile::TempDir,
    runtime: Runtime,
    server: Server,
    http: Client,
}

/// An answer: its status and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) request_id: Option<String>,
}

/// The API as the tests want it: every role has a key, one profile may send webhooks.
pub(crate) fn api_config() -> Result<ApiConfig> {
    let profile = ProfileId::parse(PROFILE).map_err(anyhow::Error::msg)?;
    Ok(ApiConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        workers: 1,
        max_body_bytes: 65_536,
        keys: Keys::new([(Role::Viewer, VIEWER), (Role::Operator, OPERATOR), (Role::Admin, ADMIN)]),
        peer: PeerAccess::secret(PEER_SECRET),
        webhook_keys: BTreeMap::from([(profile, WebhookKey::new(WEBHOOK_KEY))]),
        declines: Arc::new(DeclineTables::built_in()?),
    })
}

/// An engine with these settings that keeps nothing.
pub(crate) fn in_memory(settings: Settings) -> RuntimeConfig {
    RuntimeConfig {
        data_dir: std::path::PathBuf::new(),
        settings: Arc::new(settings),
        log: LogChoice::Memory,
        tables: TablesChoice::None,
        stream: None,
        hyperswitch: None,
        durability: Durability::Behind,
        retention: RetentionConfig::default(),
    }
}

/// A client of the tests' own. It speaks plain HTTP only, but is built with a TLS provider all the same.
pub(crate) fn http_client() -> Result<Client> {
    // An error says that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::builder().timeout(Duration::from_secs(30)).build()?)
}

impl TestApp {
    /// Defaults, everything in memory.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(Settings::default(), api_config()?, LogChoice::Memory, TablesChoice::None).await
    }

    /// With these settings, everything in memory.
    pub(crate) async fn with_settings(settings: Settings) -> Result<Self> {
        Self::start_with(settings, api_config()?, LogChoice::Memory, TablesChoice::None).await
    }

    /// With this API, everything in memory.
    pub(crate) async fn with_api(api: ApiConfig) -> Result<Self> {
        Self::start_with(Settings::default(), api, LogChoice::Memory, TablesChoice::None).await
    }

    /// As wanted. Returns once the engine is ready: it leads, and its settings are in force.
    pub(crate) async fn start_with(settings: Settings, api: ApiConfig, log: LogChoice, tables: TablesChoice) -> Result<Self> {
        Self::start_in(tempfile::tempdir()?, RuntimeConfig { log, tables, ..in_memory(settings) }, api).await
    }

    /// Asks a switch for attempts that it hides; everything in memory.
    pub(crate) async fn asking(settings: Settings, fetch: FetchConfig) -> Result<Self> {
        let config = RuntimeConfig { hyperswitch: Some(fetch), ..in_memory(settings) };
        Self::start_in(tempfile::tempdir()?, config, api_config()?).await
    }

    /// As wanted, with its data in this folder.
    pub(crate) async fn start_in(dir: tempfile::TempDir, config: RuntimeConfig, api: ApiConfig) -> Result<Self> {
        let settings = Settings::clone(&config.settings);
        let app = Self::listening_in(dir, config, api).await?;
        app.until("the engine is ready", || {
            let handle = app.handle();
            handle.status().ready && handle.status().leader && **handle.view().settings() == settings
        })
        .await?;
        Ok(app)
    }

    /// As [`TestApp::start_in`], but returns as soon as it listens: what its log holds may still have to be folded.
    pub(crate) async fn listening_in(dir: tempfile::TempDir, config: RuntimeConfig, api: ApiConfig) -> Result<Self> {
        let runtime = Runtime::start(RuntimeConfig { data_dir: dir.path().to_owned(), ..config }).await?;
        let server = apos::api::start(runtime.handle(), api)?;
        Ok(Self { dir, runtime, server, http: http_client()? })
    }

    /// The engine itself.
    pub(crate) fn handle(&self) -> Handle {
        self.runtime.handle()
    }

    /// Waits until a condition of the engine holds.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) -> Result<()> {
        for _ in 0..PATIENCE.as_millis() / POLL.as_millis() {
            if holds() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        anyhow::bail!("not so within {PATIENCE:?}: {what}; status {:?}", self.handle().status())
    }

    /// Waits until so many payment events are folded and shown.
    pub(crate) async fn until_events(&self, count: u64) -> Result<()> {
        self.until(&format!("{count} events are folded"), || self.handle().snapshot().statistics.events == count).await
    }

    /// Waits until decisions know everything that is in the log now, which is sooner than it is shown.
    pub(crate) async fn until_folded(&self) -> Result<()> {
        let last = self.handle().log().last().await?;
        for _ in 0..PATIENCE.as_millis() {
            if self.handle().folded().record >= last {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::bail!("record {last} is not folded within {PATIENCE:?}")
    }

    /// A request to a path.
    pub(crate) fn request(&self, method: &str, path: &str) -> Result<RequestBuilder> {
        let method = method.parse().context("a method")?;
        Ok(self.http.request(method, format!("http://{}{path}", self.server.address())))
    }

    /// Reads a path as a viewer.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        send(self.request("GET", path)?.bearer_auth(VIEWER)).await
    }

    /// Reads a path that must answer 200.
    pub(crate) async fn read(&self, path: &str) -> Result<Value> {
        let answer = self.get(path).await?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        Ok(answer.body)
    }

    /// Posts JSON with a key.
    pub(crate) async fn post_as(&self, key: &str, path: &str, body: &Value) -> Result<Answer> {
        send(self.request("POST", path)?.bearer_auth(key).json(body)).await
    }

    /// Posts JSON as Hyperswitch posts to the peer.
    pub(crate) async fn post_as_switch(&self, path: &str, body: &Value) -> Result<Answer> {
        send(self.request("POST", path)?.header("x-admin-secret", PEER_SECRET).json(body)).await
    }

    /// Posts a webhook.
    pub(crate) async fn post_webhook(&self, profile: &str, body: Vec<u8>, signature: Option<&str>) -> Result<Answer> {
        let request = self.request("POST", &format!("/webhooks/hyperswitch/{profile}"))?.body(body);
        send(if let Some(signature) = signature { request.header("X-Webhook-Signature-512", signature) } else { request }).await
    }

    /// Stops the API, then the engine. The folder stays until it is dropped.
    pub(crate) async fn stop(self) -> Result<tempfile::TempDir> {
        let Self { dir, runtime, server, http } = self;
        drop(http);
        server.stop().await?;
        runtime.shutdown().await;
        Ok(dir)
    }
}

/// Sends a request and reads the answer; a body that is neither empty nor JSON fails the test.
pub(crate) async fn send(request: RequestBuilder) -> Result<Answer> {
    let response: Response = request.send().await?;
    let status = response.status().as_u16();
    let request_id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let bytes = response.bytes().await?;
    let body = match &bytes[..] {
        [] => Value::Null,
        json => serde_json::from_slice(json).with_context(|| String::from_utf8_lossy(json).into_owned())?,
    };
    Ok(Answer { status, body, request_id })
}
