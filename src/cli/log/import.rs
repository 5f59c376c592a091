//! `apos log import`: a log of an exported file, up to where that is damaged.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;

use crate::cli::{Ended, Failure, live, output};
use crate::log::Import;
use crate::log::segment::{Segment, SegmentError};

pub(super) fn run(file: &Path, into: &Path) -> Result<Ended, Failure> {
    let segment = Segment::open(file).context("the export cannot be imported")?;
    let path = into.join("log.db");
    if path.exists() {
        return Err(Failure::usage(format!("{} is there already: name another folder with --into", path.display())));
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(into)
        .with_context(|| format!("the folder {} cannot be made", into.display()))?;
    let runtime = live::tokio_runtime()?;
    let (records, damage) = runtime.block_on(import(&segment, &path))?;
    output::talk(&format!("apos: {records} records imported; look at them: apos replay --data-dir {}", into.display()));
    match damage {
        None => Ok(Ended::Fine),
        Some(damage) => Err(anyhow::Error::from(damage).context("the export is damaged; all before that is imported").into()),
    }
}

/// Records imported, and the damage that ended it.
async fn import(segment: &Segment, path: &Path) -> anyhow::Result<(u64, Option<SegmentError>)> {
    let import = Import::begin(path).await.context("the log cannot be made")?;
    let mut damage = segment.damage().cloned();
    match segment.state() {
        Ok(Some((position, bytes))) => import.state(position, &bytes).await.context("the log cannot be written")?,
        Ok(None) => {}
        Err(error) if segment.header().first > 1 => {
            return Err(
                anyhow::Error::from(error).context("the state before its first record is damaged: nothing can be folded")
            );
        }
        Err(error) => damage = Some(error),
    }
    let mut records = 0;
    for block in segment.blocks() {
        match segment.read(block) {
            Ok(read) => {
                records += read.len() as u64;
                import.push(&read).await.context("the log cannot be written")?;
            }
            Err(error) => {
                damage = Some(error);
                break;
            }
        }
    }
    import.finish().await.context("the log cannot be written")?;
    Ok((records, damage))
}
