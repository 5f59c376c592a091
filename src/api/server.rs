//! The listener: bound where the caller can see it fail, run on threads of its own, stopped in order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, rt, web};

use super::{Api, ApiConfig, reply, routes, webhooks};
use crate::runtime::Handle;

/// Connections are kept for so long without a request: longer than the idle time-out of the switch's own client (a
/// minute and a half in reqwest), so that it is the client that closes.
const KEEP_ALIVE: Duration = Duration::from_secs(100);

/// Requests under way get so long to end when the listener stops.
const STOP_GRACE_S: u64 = 5;

/// Why the listener did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Everybody on the network could reach it, and it has no keys to tell them apart.
    #[error("api.listen: {0} is not a loopback address: set APOS_API_KEY__OPERATOR first, or listen on 127.0.0.1")]
    NeedsKeys(SocketAddr),
    /// The address is taken, or not ours.
    #[error("api.listen: cannot listen on {address}: end what listens there, or choose another address")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Its threads could not be started.
    #[error("cannot start the API's threads")]
    Threads(#[source] io::Error),
}

/// A running listener.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Where it listens; the port that was found where port 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, lets those under way end, and ends.
    ///
    /// # Errors
    /// What ended it before.
    pub async fn stop(self) -> io::Result<()> {
        self.handle.stop(true).await;
        self.thread.join().map_err(|_| io::Error::other("the API's thread panicked"))?
    }
}

/// Starts the listener.
///
/// # Errors
/// See [`StartError`].
pub fn start(handle: Handle, config: ApiConfig) -> Result<Server, StartError> {
    if !config.listen.ip().is_loopback() && config.keys.is_empty() {
        return Err(StartError::NeedsKeys(config.listen));
    }
    let bind = |source| StartError::Bind { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).map_err(bind)?;
    listener.set_nonblocking(true).map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let api = Api { handle, config, webhooks: webhooks::Counts::default(), requests: reply::RequestIds::default() };
    let (started, wait) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("apos-api".to_owned())
        .spawn(move || rt::System::new().block_on(serve(listener, api, started)))
        .map_err(StartError::Threads)?;
    match wait.recv() {
        Ok(handle) => Ok(Server { address, handle, thread }),
        Err(_) => Err(StartError::Threads(failure(thread))),
    }
}

/// What ended the thread before it served.
fn failure(thread: JoinHandle<io::Result<()>>) -> io::Error {
    match thread.join() {
        Ok(Err(error)) => error,
        Ok(Ok(())) | Err(_) => io::Error::other("the API's thread ended at once"),
    }
}

async fn serve(listener: TcpListener, api: Api, started: mpsc::SyncSender<ServerHandle>) -> io::Result<()> {
    let (workers, limit) = (api.config.workers, api.config.max_body_bytes);
    let api = web::Data::new(api);
    let server = HttpServer::new(move || {
        App::new().app_data(api.clone()).app_data(web::PayloadConfig::new(limit)).configure(routes::configure)
    })
    .keep_alive(KEEP_ALIVE)
    .tcp_nodelay(true)
    .shutdown_timeout(STOP_GRACE_S)
    .disable_signals();
    let server = if workers == 0 { server } else { server.workers(workers) };
    let server = server.listen(listener)?.run();
    // Nobody waits only when the starter itself is gone.
    let _ = started.send(server.handle());
    server.await
}
