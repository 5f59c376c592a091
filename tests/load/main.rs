//! The open-loop load generator: one of the peer's calls at a fixed rate, whether or not the server keeps up.
//!
//! A request has the time it was due, and its latency runs from there to the last byte of its answer: a server that
//! stalls is charged for every request that should have been sent meanwhile. Every payment id is sent once.
//!
//! ```text
//! cargo run --release --example load -- --url http://127.0.0.1:8080 --rate 15000 --seconds 60 --p99-ms 10
//! ```
//!
//! Exits 1 when an answer was missing or other than 2xx, or when p99 of the calls or of their outcomes was above
//! `--p99-ms`.
#![expect(clippy::print_stdout, reason = "a program whose result is a table on standard output")]
#![expect(clippy::disallowed_methods, reason = "it measures: it reads the clock and starts tasks of its own")]

mod connection;
mod histogram;
mod timer;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::sync::{Mutex, mpsc};

use connection::{Connection, Target};
use histogram::Histogram;
use timer::Timer;

/// Posts payments to /decide-gateway at a fixed rate, open loop.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// The server, without TLS.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Requests due a second.
    #[arg(long, default_value_t = 15_000)]
    rate: u64,
    /// The call. /routing/evaluate and /routing/hybrid need a rule in force: one of each merchant is created first.
    #[arg(long, value_enum, default_value_t = Call::Decide)]
    call: Call,
    /// For how long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Keep-alive connections; each has one request under way at a time. Outcomes have as many of their own.
    #[arg(long, default_value_t = 64)]
    connections: u64,
    /// Merchants the payments are spread over.
    #[arg(long, default_value_t = 500)]
    merchants: u64,
    /// Connector accounts a request allows.
    #[arg(long, default_value_t = 10)]
    accounts: u64,
    /// After every decision, post its outcome to /update-gateway-score, over as many connections again: an outcome is
    /// answered when it is durable, and no decision waits behind it. The rate counts decisions.
    #[arg(long)]
    outcomes: bool,
    /// Fail when p99 is above so many milliseconds: of the calls and, where there are any, of their outcomes.
    #[arg(long, default_value_t = 10.0)]
    p99_ms: f64,
    /// Name of the environment variable that holds the server's peer secret; empty there: none is sent.
    #[arg(long, default_value = "APOS_PEER_SECRET")]
    secret_env: String,
}

/// The calls that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Call {
    /// `POST /decide-gateway`.
    Decide,
    /// `POST /routing/evaluate`, with what Hyperswitch tells of a card payment.
    Evaluate,
    /// `POST /routing/hybrid`, both halves.
    Hybrid,
    /// `GET /health`: what HTTP and this program cost by themselves, for comparison.
    Health,
}

impl Call {
    const fn path(self) -> &'static str {
        match self {
            Self::Decide => "/decide-gateway",
            Self::Evaluate => "/routing/evaluate",
            Self::Hybrid => "/routing/hybrid",
            Self::Health => "/health",
        }
    }
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    decisions: Histogram,
    outcomes: Histogram,
    /// The latest decision of those due in each second: a stall has a time, slowness has none.
    latest: BTreeMap<u64, Duration>,
    /// Calls that were begun, outcomes not among them.
    calls: u64,
    /// Calls and outcomes.
    sent: u64,
    answered: u64,
    not_2xx: u64,
    /// The first answer that was none, in words.
    first_failure: Option<String>,
}

/// Which requests are due when. Connections take them in turn.
struct Schedule {
    start: Instant,
    rate: u64,
    count: u64,
    /// The next request, and what tells when it is due: whoever waits for that holds it.
    next: Mutex<(u64, Timer)>,
}

impl Schedule {
    /// The next request and the time it is due, which has come; `None` after the last.
    async fn take(&self) -> Result<Option<(u64, Instant)>> {
        let mut next = self.next.lock().await;
        let (number, timer) = &mut *next;
        if *number == self.count {
            return Ok(None);
        }
        let due = self.start + Duration::from_nanos(number.saturating_mul(1_000_000_000) / self.rate);
        timer.wait_until(due).await?;
        *number += 1;
        Ok(Some((*number - 1, due)))
    }
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    // One thread: the server needs the rest of the machine.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(args))
}

async fn run(args: Args) -> Result<ExitCode> {
    anyhow::ensure!(args.rate > 0 && args.connections > 0 && args.merchants > 0, "rate, connections and merchants are above 0");
    let secret = std::env::var(&args.secret_env).unwrap_or_default();
    let target = Arc::new(Target::new(&args.url, &secret, args.merchants, args.accounts)?);
    let mut connections = open(&args, &target).await?;
    let telling = if args.outcomes { open(&args, &target).await? } else { Vec::new() };
    if matches!(args.call, Call::Evaluate | Call::Hybrid) {
        connections[0].prepare(args.merchants).await?;
    }
    // A moment ahead, so that every connection waits for its first request.
    let start = Instant::now() + Duration::from_millis(50);
    let schedule = Arc::new(Schedule {
        start,
        rate: args.rate,
        count: args.rate * args.seconds,
        next: Mutex::new((0, Timer::starting_at(start))),
    });
    let (tell, told) = mpsc::unbounded_channel();
    let told = Arc::new(Mutex::new(told));
    let tell_of = |connection| tokio::spawn(tell_outcomes(connection, target.clone(), told.clone()));
    let mut tasks: Vec<_> = telling.into_iter().map(tell_of).collect();
    let tell = args.outcomes.then_some(tell);
    let drive = |connection| tokio::spawn(drive(connection, target.clone(), schedule.clone(), (args.call, tell.clone())));
    tasks.extend(connections.into_iter().map(drive));
    drop(tell);
    let mut total = Seen::default();
    for task in tasks {
        total.add(task.await?);
    }
    Ok(report(&args, &total, start.elapsed()))
}

async fn open(args: &Args, target: &Arc<Target>) -> Result<Vec<Connection>> {
    let mut connections = Vec::new();
    for _ in 0..args.connections {
        connections.push(Connection::open(target.clone()).await.with_context(|| format!("cannot connect to {}", args.url))?);
    }
    Ok(connections)
}

/// Sends what is due until nothing is left. A connection that fails is opened again; its request counts as unanswered.
async fn drive(
    mut connection: Connection,
    target: Arc<Target>,
    schedule: Arc<Schedule>,
    (call, tell): (Call, Option<mpsc::UnboundedSender<Decided>>),
) -> Seen {
    let mut seen = Seen::default();
    while let Ok(Some((number, due))) = schedule.take().await.inspect_err(|error| seen.failed(error)) {
        (seen.calls, seen.sent) = (seen.calls + 1, seen.sent + 1);
        match connection.call(call, number).await {
            Ok(status) => {
                seen.decided(number / schedule.rate, due.elapsed());
                seen.count(status, &connection);
                if let Some(tell) = tell.as_ref().filter(|_| (200..300).contains(&status)) {
                    let decided = connection.gateway().map(|gateway| Decided { number, gateway, at: Instant::now() });
                    decided.map_or_else(|error| seen.failed(&error), |decided| drop(tell.send(decided)));
                }
            }
            Err(error) => {
                seen.failed(&error);
                let Ok(opened) = Connection::open(target.clone()).await else { return seen };
                connection = opened;
            }
        }
    }
    seen
}

/// A payment whose outcome is to be told, and since when.
struct Decided {
    number: u64,
    gateway: String,
    at: Instant,
}

/// Tells the outcome of every payment that was decided.
async fn tell_outcomes(
    mut connection: Connection,
    target: Arc<Target>,
    told: Arc<Mutex<mpsc::UnboundedReceiver<Decided>>>,
) -> Seen {
    let mut seen = Seen::default();
    loop {
        let Some(Decided { number, gateway, at }) = told.lock().await.recv().await else { return seen };
        seen.sent += 1;
        match connection.outcome(number, &gateway).await {
            Ok(status) => {
                seen.outcomes.record(at.elapsed());
                seen.count(status, &connection);
            }
            Err(error) => {
                seen.failed(&error);
                let Ok(opened) = Connection::open(target.clone()).await else { return seen };
                connection = opened;
            }
        }
    }
}

impl Seen {
    fn failed(&mut self, error: &anyhow::Error) {
        self.first_failure.get_or_insert(format!("{error:#}"));
    }

    /// A decision that was due in a second of the run, and how late its answer was.
    fn decided(&mut self, second: u64, latency: Duration) {
        self.decisions.record(latency);
        let latest = self.latest.entry(second).or_default();
        *latest = latency.max(*latest);
    }

    fn count(&mut self, status: u16, connection: &Connection) {
        self.answered += 1;
        if !(200..300).contains(&status) {
            self.not_2xx += 1;
            self.first_failure.get_or_insert_with(|| format!("{status}: {}", connection.body()));
        }
    }

    fn add(&mut self, other: Self) {
        self.decisions.add(&other.decisions);
        self.outcomes.add(&other.outcomes);
        for (second, latency) in other.latest {
            let latest = self.latest.entry(second).or_default();
            *latest = latency.max(*latest);
        }
        self.calls += other.calls;
        self.sent += other.sent;
        self.answered += other.answered;
        self.not_2xx += other.not_2xx;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }
}

fn report(args: &Args, seen: &Seen, took: Duration) -> ExitCode {
    let due = args.rate * args.seconds;
    let unanswered = due.saturating_sub(seen.calls) + (seen.sent - seen.answered);
    println!(
        "rate {}/s for {} s over {} connections, took {:.2} s",
        args.rate,
        args.seconds,
        args.connections,
        took.as_secs_f64()
    );
    println!("due {due}  sent {}  answered {}  non-2xx {}  unanswered {unanswered}", seen.sent, seen.answered, seen.not_2xx);
    line(&format!("{}, from the time due", args.call.path()), &seen.decisions);
    if args.outcomes {
        line("/update-gateway-score, from the decision's answer", &seen.outcomes);
    }
    stalls(&seen.latest, args.p99_ms);
    if let Some(failure) = &seen.first_failure {
        println!("first failure: {failure}");
    }
    let in_time = |of: &Histogram| of.quantile_ms(0.99) <= args.p99_ms;
    let good = seen.not_2xx == 0 && unanswered == 0 && in_time(&seen.decisions) && in_time(&seen.outcomes);
    println!("{}", if good { "ok" } else { "FAILED" });
    ExitCode::from(u8::from(!good))
}

/// The seconds in which an answer was later than the bound.
fn stalls(latest: &BTreeMap<u64, Duration>, bound_ms: f64) {
    let late: Vec<String> = latest
        .iter()
        .map(|(second, latency)| (second, latency.as_secs_f64() * 1e3))
        .filter(|(_, ms)| *ms > bound_ms)
        .map(|(second, ms)| format!("{second} s ({ms:.0} ms)"))
        .collect();
    if !late.is_empty() {
        println!("an answer later than {bound_ms} ms in {} of {} seconds: {}", late.len(), latest.len(), late.join(", "));
    }
}

fn line(what: &str, seen: &Histogram) {
    println!(
        "{what}: p50 {:.2} ms  p99 {:.2} ms  p99.9 {:.2} ms  max {:.2} ms",
        seen.quantile_ms(0.5),
        seen.quantile_ms(0.99),
        seen.quantile_ms(0.999),
        seen.max_ms()
    );
}
