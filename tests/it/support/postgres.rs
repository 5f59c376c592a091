//! One real PostgreSQL cluster a test process, on a free loopback port in a temporary folder; a fresh database a test.
//!
//! PostgreSQL refuses to run as root, so it runs as an unprivileged user then. A shell outlives the tests, holding a
//! pipe from them: however they end, it sees the pipe close, stops the cluster and removes the folder.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::port;

struct Cluster {
    port: u16,
    programs: PathBuf,
    databases: u32,
}

static CLUSTER: Mutex<Option<Cluster>> = Mutex::new(None);

/// Creates an empty database and returns its URL. The first call starts the cluster.
pub(crate) fn database() -> Result<String> {
    let mut shared = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = Some(Cluster::start()?);
    }
    shared.as_mut().context("the cluster has just been started")?.create()
}

impl Cluster {
    fn start() -> Result<Self> {
        let programs = programs()?;
        let user = unprivileged_user()?;
        // The watcher removes the folder: a static is never dropped.
        let folder = TempDir::with_prefix("apos-postgres-")?.keep();
        if let Some(user) = &user {
            run(Command::new("chown").arg(user).arg(&folder))?;
        }
        let data = folder.join("data");
        let initdb = [programs.join("initdb").as_os_str(), "-D".as_ref(), data.as_os_str()].map(std::ffi::OsStr::to_owned);
        run(as_user(user.as_deref(), &folder).args(initdb).args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--no-locale",
        ]))?;
        let port = start_server(&programs, &folder, user.as_deref())?;
        watch(&programs, &folder, user.as_deref())?;
        Ok(Self { port, programs, databases: 0 })
    }

    fn create(&mut self) -> Result<String> {
        self.databases += 1;
        let (name, port) = (format!("apos_{}", self.databases), self.port);
        run(Command::new(self.programs.join("createdb")).args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-U",
            "postgres",
            &name,
        ]))?;
        Ok(format!("postgres://postgres@127.0.0.1:{port}/{name}"))
    }
}

/// Where PostgreSQL's programs are: Debian keeps them out of the PATH, by version; the newest is taken.
fn programs() -> Result<PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path().join("bin"));
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let version = |bin: &Path| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    packaged
        .chain(on_path)
        .filter(|bin| bin.join("initdb").exists() && bin.join("pg_ctl").exists())
        .max_by_key(|bin| version(bin))
        .context("PostgreSQL's initdb and pg_ctl were not found; is it installed (Debian: postgresql)?")
}

/// Whom the server must run as: nobody else unless we are root.
fn unprivileged_user() -> Result<Option<String>> {
    if run(Command::new("id").arg("-u"))?.trim() != "0" {
        return Ok(None);
    }
    let known = |user: &&str| Command::new("id").arg(user).output().is_ok_and(|found| found.status.success());
    let user = ["postgres", "nobody"].into_iter().find(known).context("root, and neither user postgres nor nobody exists")?;
    Ok(Some(user.to_owned()))
}

fn as_user(user: Option<&str>, folder: &Path) -> Command {
    let mut command = match user {
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]);
            command
        }
        None => Command::new("env"),
    };
    command.current_dir(folder);
    command
}

/// `pg_ctl start` returns when the server accepts connections, or fails after a minute.
fn start_server(programs: &Path, folder: &Path, user: Option<&str>) -> Result<u16> {
    let mut last = None;
    for _ in 0..5 {
        let port = port::free()?;
        let options = format!("-h 127.0.0.1 -p {port} -c unix_socket_directories='' -c fsync=on -c max_connections=200");
        let started = run(as_user(user, folder)
            .arg(programs.join("pg_ctl"))
            .args(["start", "-w", "-t", "60", "-s", "-D", "data"])
            .args(["-l", "server.log", "-o", &options]));
        match started {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no attempt was made")?)
}

/// Leaves a shell behind that stops the server and removes the folder when this process is gone.
fn watch(programs: &Path, folder: &Path, user: Option<&str>) -> Result<()> {
    const SCRIPT: &str = r#"trap "" INT TERM HUP; read -r _; "$@" stop -s -m immediate -D data; cd /; rm -rf "$FOLDER""#;
    let stop = as_user(user, folder);
    let watcher = Command::new("sh")
        .args(["-c", SCRIPT, "sh"])
        .arg(stop.get_program())
        .args(stop.get_args())
        .arg(programs.join("pg_ctl"))
        .env("FOLDER", folder)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // The pipe closes with this process, not before; the watcher outlives it on purpose.
    std::mem::forget(watcher);
    Ok(())
}

/// Runs a command to its end; its output, or an error that shows it. The output goes through a file: a daemon keeps
/// what it inherits open, so that a pipe would never end.
fn run(command: &mut Command) -> Result<String> {
    let mut talk = tempfile::tempfile()?;
    let status = command
        .stdin(Stdio::null())
        .stdout(talk.try_clone()?)
        .stderr(talk.try_clone()?)
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    let mut said = String::new();
    talk.rewind()?;
    talk.read_to_string(&mut said)?;
    if !status.success() {
        bail!("{command:?} ended with {status}: {said}");
    }
    Ok(said)
}
