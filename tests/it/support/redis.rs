//! A real redis-server of the test's own: durable, on a free loopback port, in a temporary folder, gone when dropped.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::port;

/// Long enough for a loaded machine to start a server; a healthy one takes 20 ms.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running redis-server.
pub(crate) struct Redis {
    folder: TempDir,
    port: u16,
    server: Child,
}

impl Redis {
    /// Starts one that writes every change to disk before it answers.
    pub(crate) fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("apos-redis-")?;
        let mut last = None;
        for _ in 0..5 {
            let port = port::free()?;
            match launch(&folder, port) {
                Ok(server) => return Ok(Self { folder, port, server }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Kills it at once, as `kill -9` does; what it had acknowledged is on disk.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.server.kill().context("cannot kill redis-server")?;
        self.server.wait().context("cannot wait for redis-server")?;
        Ok(())
    }

    /// Kills it if it runs, and starts it on the same folder and port.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.server = launch(&self.folder, self.port)?;
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // An error here means that it is gone already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn launch(folder: &TempDir, port: u16) -> Result<Child> {
    let talk = folder.path().join("redis.log");
    let mut server = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(File::create(&talk)?)
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start redis-server; is it installed (Debian: redis-server)?")?;
    let ready = port::wait("redis-server", PATIENCE, || {
        if let Some(status) = server.try_wait()? {
            bail!("redis-server ended with {status}: {}", std::fs::read_to_string(&talk)?);
        }
        Ok(answers(port))
    });
    if let Err(error) = ready {
        let _ = server.kill();
        let _ = server.wait();
        return Err(error);
    }
    Ok(server)
}

/// Whether it answers a PING; while it reads its file it refuses, with `-LOADING`.
fn answers(port: u16) -> bool {
    let ping = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ping().unwrap_or(false)
}
