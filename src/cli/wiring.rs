//! From the configuration to what the runtime and the API are started with.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;

use super::{Failure, Setup, output};
use crate::adapters::decline::DeclineTables;
use crate::adapters::hyperswitch::{ApiKeys, Switch};
use crate::api::{ApiConfig, Keys, PeerAccess, WebhookKey};
use crate::config::{self, Config, Environment, LogKind, Secret, TablesKind};
use crate::domain::Model;
use crate::engine::learn::{Course, Underway};
use crate::log::LogError;
use crate::runtime::background::let_answers_go_first;
use crate::runtime::{
    self, Durability, FetchConfig, LogChoice, Pace, RetentionConfig, RuntimeConfig, StreamConfig, TablesChoice, Untrained,
};

/// Makes models as the service does, each when it is asked for.
pub(super) fn train_at_once(course: Course) -> Underway {
    Underway::new(move || runtime::train(&course.lessons, &course.connectors, course.version).ok())
}

/// Makes models as the service does, each on a thread of its own, from when it is begun.
pub(super) fn train_beside(course: Course) -> Underway {
    let (version, made) = (course.version, OnceLock::new());
    let underway = Underway::new(move || made.get_or_init(|| trained(&course)).clone());
    let early = underway.clone();
    let spawned = std::thread::Builder::new().name("trainer".to_owned()).spawn(move || {
        let_answers_go_first();
        early.wait()
    });
    if let Err(error) = spawned {
        tracing::warn!(component = "trainer", version, %error, "trains without a thread of its own");
    }
    underway
}

/// A model; none where there is nothing to train, or the library gave up, which the log file tells.
fn trained(course: &Course) -> Option<Model> {
    let Course { lessons, connectors, version } = course;
    // A library's panic must not end the world that waits for the model: the next training may go well.
    let model = panic::catch_unwind(AssertUnwindSafe(|| runtime::train(lessons, connectors, *version)));
    match model.unwrap_or_else(|_| Err(Untrained::Trees("it panicked".to_owned()))) {
        Ok(model) => Some(model),
        Err(error) => {
            tracing::warn!(component = "trainer", version, %error, "no model could be trained");
            None
        }
    }
}

/// What the runtime is started with; the data folder is made.
pub(super) fn runtime_config(setup: &Setup) -> Result<RuntimeConfig, Failure> {
    let (config, environment) = (setup.config(), &setup.environment);
    let data_dir = setup.data_dir()?;
    make_private(&data_dir)?;
    Ok(RuntimeConfig {
        data_dir,
        settings: Arc::new(config.settings()),
        log: log(&config.log, environment),
        tables: tables(&config.tables, environment),
        stream: stream(config, environment, setup.declines()?),
        hyperswitch: hyperswitch(setup)?,
        durability: match config.log.durability {
            config::Durability::Behind => Durability::Behind,
            config::Durability::Sync => Durability::Sync,
        },
        retention: RetentionConfig {
            log: days(config.log.keep_days),
            tables: days(config.tables.keep_days),
            archive_dir: Some(archive_dir(setup)?),
            jump_bytes: config.log.replay_mb << 20,
            ..RetentionConfig::default()
        },
    })
}

/// So many days; 0 is for ever.
fn days(days: u64) -> Option<Duration> {
    (days > 0).then(|| Duration::from_hours(24 * days))
}

/// What the listener is started with.
pub(super) fn api_config(setup: &Setup) -> Result<ApiConfig, Failure> {
    let (api, secrets) = (&setup.config().api, &setup.secrets);
    let peer = match &secrets.peer_secret {
        Some(secret) => PeerAccess::secret(secret.expose()),
        None if secrets.peer_open => PeerAccess::open(),
        None => PeerAccess::closed(),
    };
    let webhook_key = |(profile, key): (&_, &Secret)| (Clone::clone(profile), WebhookKey::new(key.expose()));
    Ok(ApiConfig {
        listen: api.listen,
        workers: usize::try_from(api.workers).unwrap_or(0),
        max_body_bytes: usize::try_from(api.max_body_bytes).unwrap_or(usize::MAX),
        keys: Keys::new(secrets.api_keys.iter().map(|(role, key)| (*role, key.expose()))),
        peer,
        webhook_keys: secrets.webhook_keys.iter().map(webhook_key).collect(),
        declines: setup.declines()?,
    })
}

/// Where the log is.
pub(super) fn log_choice(setup: &Setup) -> LogChoice {
    log(&setup.config().log, &setup.environment)
}

/// Where a log's Redis was looked for, by which key, and what to do, if that is what failed.
pub(super) fn with_address(error: anyhow::Error, setup: &Setup) -> anyhow::Error {
    let unreachable = error.chain().any(|cause| matches!(cause.downcast_ref(), Some(LogError::Redis(_))));
    if !unreachable {
        return error;
    }
    let address = setup.config().log.redis_url.as_str();
    error.context(format!(
        "log.redis_url: {address} does not serve as the log: see that Redis runs there and lets us in, or name another one"
    ))
}

/// Where the archive is; not made here.
pub(super) fn archive_dir(setup: &Setup) -> Result<PathBuf, Failure> {
    let named = &setup.config().log.archive_dir;
    if named.as_os_str().is_empty() { Ok(setup.data_dir()?.join("archive")) } else { Ok(named.clone()) }
}

fn log(log: &config::Log, environment: &Environment) -> LogChoice {
    match log.kind {
        LogKind::Memory => LogChoice::Memory,
        LogKind::Sqlite => LogChoice::Sqlite,
        LogKind::Redis => {
            let password = password(&log.redis_password_env, environment);
            let url = log.redis_url.with_password(password.as_ref()).expose().to_owned();
            LogChoice::Redis { url, key: log.redis_key.clone() }
        }
    }
}

fn tables(tables: &config::Tables, environment: &Environment) -> TablesChoice {
    match tables.kind {
        TablesKind::None => TablesChoice::None,
        TablesKind::Sqlite => TablesChoice::Sqlite,
        TablesKind::Postgres => {
            let password = password(&tables.postgres_password_env, environment);
            TablesChoice::Postgres { url: tables.postgres_url.with_password(password.as_ref()).expose().to_owned() }
        }
    }
}

fn stream(config: &Config, environment: &Environment, declines: Arc<DeclineTables>) -> Option<StreamConfig> {
    let stream = &config.stream;
    let url = stream.redis_url.as_ref().filter(|_| config.event_monitor.enabled)?;
    let password = password(&stream.redis_password_env, environment);
    Some(StreamConfig {
        url: url.with_password(password.as_ref()).expose().to_owned(),
        key: stream.key.clone(),
        group: stream.group.clone(),
        consumer: if stream.consumer.is_empty() { host_name() } else { stream.consumer.clone() },
        claim_idle: Duration::from_millis(stream.claim_idle_ms),
        declines,
    })
}

/// The switch's API, where an address is given.
fn hyperswitch(setup: &Setup) -> Result<Option<FetchConfig>, Failure> {
    let (config, secrets) = (&setup.config().hyperswitch, &setup.secrets);
    if !config.is_on() {
        return Ok(None);
    }
    let own = secrets.hyperswitch_keys.iter().map(|(profile, key)| (profile.clone(), key.expose()));
    let keys = ApiKeys::new(own, secrets.hyperswitch_key.as_ref().map(Secret::expose)).map_err(Failure::usage)?;
    let switch = Switch::new(&config.base_url, keys, Duration::from_millis(config.timeout_ms));
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Some(FetchConfig {
        switch: switch.map_err(|problem| Failure::usage(format!("hyperswitch.base_url: {problem}")))?,
        pace: Pace {
            per_s: small(config.requests_per_s),
            burst: small(config.burst),
            delay: Duration::from_millis(config.delay_ms),
        },
        declines: setup.declines()?,
    }))
}

fn password(variable: &str, environment: &Environment) -> Option<Secret> {
    environment.get(variable).map(|text| Secret::new(text.to_owned()))
}

fn host_name() -> String {
    sysinfo::System::host_name().unwrap_or_else(|_| "apos".to_owned())
}

/// Payments are nobody else's business on a shared machine: what is made is for its owner alone, and so are from now on
/// the files that an earlier version made for everybody. A folder that is there already is somebody's choice; see
/// [`warn_of_open_folder`].
fn make_private(folder: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("the data folder {} cannot be made", folder.display()))?;
    // Whatever is made from here on, the databases and their journals above all.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    for name in ["log.db", "tables.db"].iter().flat_map(|name| ["", "-wal", "-shm"].map(|end| format!("{name}{end}"))) {
        let file = folder.join(name);
        if is_open(&file)
            && let Err(error) = std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))
        {
            // Another user's file in a folder that is shared on purpose: the engine may still work on it.
            tracing::warn!(component = "runtime", file = %file.display(), %error, "others can read it");
        }
    }
    Ok(())
}

/// Says on standard error when others can read the data folder.
pub(super) fn warn_of_open_folder(setup: &Setup) -> Result<(), Failure> {
    let folder = setup.data_dir()?;
    if is_open(&folder) {
        let shown = folder.display();
        output::talk(&format!("apos: others on this machine can enter the data folder {shown}: chmod 700 {shown}"));
    }
    Ok(())
}

/// Whether a file or a folder is there and not for its owner alone.
fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Flags;

    fn setup(pairs: &[(&str, &str)]) -> Setup {
        Setup::read(&Flags::default(), &Environment::from_pairs(pairs.iter().copied())).unwrap()
    }

    #[test]
    fn passwords_reach_the_clients() {
        let setup = setup(&[
            ("APOS__LOG__KIND", "redis"),
            ("APOS__LOG__REDIS_PASSWORD_ENV", "MINE"),
            ("MINE", "hunter2"),
            ("APOS__STREAM__REDIS_URL", "redis://stream/1"),
            ("APOS__STREAM__CONSUMER", "one"),
        ]);
        let (config, environment) = (setup.config(), &setup.environment);
        let url = "redis://:hunter2@127.0.0.1:6379/0".to_owned();
        assert_eq!(log(&config.log, environment), LogChoice::Redis { url, key: "apos:log".to_owned() });
        let stream = stream(config, environment, setup.declines().unwrap()).unwrap();
        assert_eq!((stream.url.as_str(), stream.consumer.as_str()), ("redis://stream/1", "one"));
    }

    #[test]
    fn a_stream_is_read_where_a_server_is_named_and_the_monitor_is_on() {
        let read = |pairs: &[(&str, &str)]| {
            let setup = setup(pairs);
            stream(setup.config(), &setup.environment, setup.declines().unwrap()).is_some()
        };
        let server = ("APOS__STREAM__REDIS_URL", "redis://127.0.0.1:6379");
        assert!(!read(&[]));
        assert!(read(&[server]));
        assert!(!read(&[server, ("APOS__EVENT_MONITOR__ENABLED", "false")]));
    }

    #[test]
    fn the_data_folder_is_made_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let config = runtime_config(&setup(&[("HOME", home.path().to_str().unwrap())])).unwrap();
        assert_eq!(config.data_dir, home.path().join(".local/share/apos"));
        assert_eq!(std::fs::metadata(&config.data_dir).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn files_that_others_can_read_are_closed_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let (log, other) = (folder.path().join("log.db"), folder.path().join("notes.txt"));
        for file in [&log, &other] {
            std::fs::write(file, "").unwrap();
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        make_private(folder.path()).unwrap();
        let mode = |file| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&log), mode(&other)), (0o600, 0o644));
        let journal = folder.path().join("log.db-wal");
        std::fs::write(&journal, "").unwrap();
        assert_eq!(mode(&journal), 0o600, "what is made later is private too");
    }
}
