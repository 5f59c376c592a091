//! One keep-alive connection: requests built by hand, answers read by hand, nothing allocated in between.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Call;

/// Largest answer read. One of ten candidates has about 3 KiB.
const ANSWER_MAX: usize = 65_536;

/// The rule of every merchant: two cases, the second holds for half of the payments.
const RULE: &str = r#"{"type":"advanced","data":{"globals":{},"default_selection":{"priority":[{"gateway_name":"psp0","gateway_id":"mca_0"}]},"rules":[{"name":"jcb","routing_type":"priority","output":{"priority":[{"gateway_name":"psp2","gateway_id":"mca_2"}]},"statements":[{"condition":[{"lhs":"card_network","comparison":"equal","value":{"type":"enum_variant","value":"JCB"}}]}]},{"name":"large","routing_type":"volume_split_priority","output":{"volume_split_priority":[{"split":50,"output":[{"gateway_name":"psp1","gateway_id":"mca_1"},{"gateway_name":"psp2","gateway_id":"mca_2"}]},{"split":50,"output":[{"gateway_name":"psp3","gateway_id":"mca_3"}]}]},"statements":[{"condition":[{"lhs":"amount","comparison":"greater_than","value":{"type":"number","value":11000}},{"lhs":"currency","comparison":"equal","value":{"type":"enum_variant","value":"EUR"}}]}]}]}}"#;

/// Where the requests go, and what all of them share.
#[derive(Debug)]
pub(crate) struct Target {
    address: String,
    /// Header lines after the request line.
    headers: String,
    /// `["psp0:mca_0", …]`
    eligible: String,
    merchants: u64,
    /// Sets this run's payment ids apart from every other run's.
    run: u32,
}

impl Target {
    /// A server at `http://host:port`.
    pub(crate) fn new(url: &str, secret: &str, merchants: u64, accounts: u64) -> Result<Self> {
        let address = url.strip_prefix("http://").context("the URL begins with http://")?.trim_end_matches('/').to_owned();
        let secret = if secret.is_empty() { String::new() } else { format!("x-admin-secret: {secret}\r\n") };
        let headers = format!("host: {address}\r\ncontent-type: application/json\r\n{secret}");
        let eligible: Vec<String> = (0..accounts).map(|number| format!("\"psp{number}:mca_{number}\"")).collect();
        Ok(Self { address, headers, eligible: format!("[{}]", eligible.join(",")), merchants, run: std::process::id() })
    }
}

/// A connection and its buffers.
#[derive(Debug)]
pub(crate) struct Connection {
    target: Arc<Target>,
    stream: TcpStream,
    body: String,
    request: String,
    answer: Vec<u8>,
    /// Where the answer's body begins.
    body_at: usize,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(target: Arc<Target>) -> Result<Self> {
        let stream = TcpStream::connect(&target.address).await?;
        stream.set_nodelay(true)?;
        let (body, request) = (String::with_capacity(1_024), String::with_capacity(2_048));
        Ok(Self { target, stream, body, request, answer: Vec::with_capacity(ANSWER_MAX), body_at: 0 })
    }

    /// Gives every merchant a rule of two cases and puts it into force.
    pub(crate) async fn prepare(&mut self, merchants: u64) -> Result<()> {
        for merchant in 0..merchants {
            self.body.clear();
            write!(self.body, r#"{{"name":"load","created_by":"pro_{merchant:04}","algorithm":{RULE}}}"#)?;
            let status = self.post("/routing/create").await?;
            let id = text(self.body(), "rule_id").with_context(|| format!("{status}: {}", self.body()))?.to_owned();
            self.body.clear();
            write!(self.body, r#"{{"created_by":"pro_{merchant:04}","routing_algorithm_id":"{id}"}}"#)?;
            let status = self.post("/routing/activate").await?;
            anyhow::ensure!(status == 200, "{status}: {}", self.body());
        }
        Ok(())
    }

    /// Makes a call about a payment.
    pub(crate) async fn call(&mut self, call: Call, number: u64) -> Result<u16> {
        self.body.clear();
        match call {
            Call::Decide => self.write_decision(number)?,
            Call::Evaluate => self.write_evaluation(number)?,
            Call::Health => return self.get(call.path()).await,
            Call::Hybrid => {
                self.body.push_str(r#"{"static_routing_request":"#);
                self.write_evaluation(number)?;
                self.body.push_str(r#","dynamic_routing_request":"#);
                self.write_decision(number)?;
                self.body.push('}');
            }
        }
        self.post(call.path()).await
    }

    /// What Hyperswitch tells of a card payment.
    fn write_evaluation(&mut self, number: u64) -> Result<()> {
        let Target { merchants, run, .. } = &*self.target;
        let (amount, bin) = (1_000 + number % 20_000, 400_000 + number % 500);
        write!(
            self.body,
            r#"{{"created_by":"pro_{:04}","payment_id":"pay_{run:08x}_{number:010}","parameters":{{"amount":{{"type":"number","value":{amount}}},"currency":{{"type":"enum_variant","value":"EUR"}},"authentication_type":{{"type":"enum_variant","value":"no_three_ds"}},"card_bin":{{"type":"str_value","value":"{bin}"}},"capture_method":{{"type":"enum_variant","value":"automatic"}},"payment_method":{{"type":"enum_variant","value":"card"}},"card":{{"type":"enum_variant","value":"credit"}},"payment_method_type":{{"type":"enum_variant","value":"credit"}},"card_network":{{"type":"enum_variant","value":"Visa"}}}},"fallback_output":[{{"gateway_name":"psp0","gateway_id":"mca_0"}},{{"gateway_name":"psp1","gateway_id":"mca_1"}}]}}"#,
            number % merchants,
        )?;
        Ok(())
    }

    /// Where does a payment go?
    fn write_decision(&mut self, number: u64) -> Result<()> {
        let Target { merchants, eligible, run, .. } = &*self.target;
        write!(
            self.body,
            r#"{{"paymentInfo":{{"paymentId":"pay_{run:08x}_{number:010}","amount":{},"currency":"EUR","paymentType":"ORDER_PAYMENT","metadata":null,"paymentMethodType":"UPI","paymentMethod":"card","cardIsin":null}},"merchantId":"pro_{:04}","eligibleGatewayList":{eligible},"rankingAlgorithm":"SR_BASED_ROUTING","eliminationEnabled":true}}"#,
            1_000 + number % 20_000,
            number % merchants,
        )?;
        Ok(())
    }

    /// The gateway that the last answer named.
    pub(crate) fn gateway(&self) -> Result<String> {
        text(self.body(), "decided_gateway").map(str::to_owned).context("the answer names no gateway")
    }

    /// Tells a payment's outcome at a gateway: nine of ten are approved.
    pub(crate) async fn outcome(&mut self, number: u64, gateway: &str) -> Result<u16> {
        let Target { merchants, run, .. } = &*self.target;
        let status = if number.is_multiple_of(10) { "FAILURE" } else { "CHARGED" };
        self.body.clear();
        write!(
            self.body,
            r#"{{"merchantId":"pro_{:04}","gateway":"{gateway}","status":"{status}","paymentId":"pay_{run:08x}_{number:010}"}}"#,
            number % merchants,
        )?;
        self.post("/update-gateway-score").await
    }

    /// The last answer's body.
    pub(crate) fn body(&self) -> &str {
        core::str::from_utf8(&self.answer[self.body_at..]).unwrap_or("")
    }

    async fn post(&mut self, path: &str) -> Result<u16> {
        self.request.clear();
        let (headers, length) = (&self.target.headers, self.body.len());
        write!(self.request, "POST {path} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n{}", self.body)?;
        self.stream.write_all(self.request.as_bytes()).await?;
        self.read_answer().await
    }

    async fn get(&mut self, path: &str) -> Result<u16> {
        self.request.clear();
        write!(self.request, "GET {path} HTTP/1.1\r\n{}\r\n", self.target.headers)?;
        self.stream.write_all(self.request.as_bytes()).await?;
        self.read_answer().await
    }

    async fn read_answer(&mut self) -> Result<u16> {
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some((status, body_at, length)) = head(&self.answer)?
                && self.answer.len() >= body_at + length
            {
                self.body_at = body_at;
                return Ok(status);
            }
            anyhow::ensure!(self.answer.len() < ANSWER_MAX, "an answer of more than {ANSWER_MAX} bytes");
        }
    }
}

/// An answer's status, where its body begins and how long that is; `None` while the head is incomplete.
fn head(answer: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = core::str::from_utf8(&answer[..end])?;
    let status = text.get(9..12).and_then(|code| code.parse().ok()).context("no HTTP/1.1 answer")?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Ok(Some((status, end + 4, length.context("an answer without content-length")?)))
}

/// The first text of a name in an answer.
fn text<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let rest = body.split_once(&format!("\"{name}\":\""))?.1;
    rest.split_once('"').map(|(text, _)| text)
}
