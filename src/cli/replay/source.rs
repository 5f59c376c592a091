//! What is replayed: the configured log with its archive, or a file. Opened to be read only.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::{Failure, Setup, output, wiring};
use crate::log::{History, Log};
use crate::runtime::LogChoice;
use crate::runtime::past::{Index, ladder_dir};

/// Records, and the index that makes jumps short.
pub(in crate::cli) struct Source {
    /// What a person calls it: `log.db`, or a file's name.
    pub(in crate::cli) name: String,
    /// The records.
    pub(in crate::cli) history: History,
    /// Checkpoints and marks.
    pub(in crate::cli) index: Index,
    /// A folder of this process's own, gone with it.
    _scratch: Option<Scratch>,
}

impl Source {
    /// Opens a file, or the configured log.
    ///
    /// # Errors
    /// Usage where there is nothing to open; else what could not be opened.
    pub(in crate::cli) fn open(file: Option<&Path>, setup: &Setup, runtime: &tokio::runtime::Runtime) -> Result<Self, Failure> {
        let budget = setup.config().log.replay_mb << 20;
        if let Some(file) = file {
            let history = History::file(file).with_context(|| format!("{} cannot be replayed", file.display()))?;
            return Self::with_scratch(name_of(file), history, budget);
        }
        let (log, name) = runtime.block_on(open_log(setup))?;
        let archive = wiring::archive_dir(setup)?;
        let history = History::of(log, &archive);
        let ladder = ladder_dir(&archive);
        if fs::create_dir_all(&ladder).is_ok() && !is_read_only(&ladder) {
            return Ok(Self { name, history, index: Index::open(&ladder, budget), _scratch: None });
        }
        Self::with_scratch(name, history, budget)
    }

    /// With checkpoints in a folder that goes with this process.
    fn with_scratch(name: String, history: History, budget: u64) -> Result<Self, Failure> {
        let scratch = Scratch::make()?;
        Ok(Self { name, history, index: Index::open(&scratch.0, budget), _scratch: Some(scratch) })
    }
}

/// The configured log, to be read only, and its name.
///
/// # Errors
/// Usage where the configured log cannot outlive its process, or is not there; else what could not be opened.
pub(in crate::cli) async fn open_log(setup: &Setup) -> Result<(Log, String), Failure> {
    match wiring::log_choice(setup) {
        LogChoice::Memory => Err(Failure::usage("log.kind is \"memory\": nothing of it is kept, so there is no past")),
        LogChoice::Sqlite => {
            let path = setup.data_dir()?.join("log.db");
            if !path.exists() {
                return Err(Failure::usage(format!(
                    "there is no log {}: name its folder with --data-dir, or a file with --file",
                    path.display()
                )));
            }
            let log = Log::sqlite_read_only(&path).await;
            let log = log.with_context(|| format!("the log {} cannot be opened", path.display()))?;
            if let Ok(Some(cut)) = log.cut().await {
                output::talk(&format!("apos: {cut}; what comes before can be read"));
            }
            Ok((log, name_of(&path)))
        }
        LogChoice::Redis { url, key } => {
            let log = Log::redis_read_only(&url, &key).await;
            let log = log.map_err(|error| wiring::with_address(error.into(), setup))?;
            Ok((log, key))
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn is_read_only(folder: &Path) -> bool {
    let probe = folder.join("writable");
    let writable = fs::write(&probe, b"").is_ok();
    // What is left of it is an empty file.
    let _ = fs::remove_file(&probe);
    !writable
}

/// A folder that is removed with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("apos-replay-{}", std::process::id()));
        // Of a process of the same number that was killed; what is in it would be of another past.
        let _ = fs::remove_dir_all(&folder);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it lies where the system cleans up.
        let _ = fs::remove_dir_all(&self.0);
    }
}
