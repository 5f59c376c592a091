//! A file that is rolled before it grows beyond its cap.
//!
//! Ours, because `tracing-appender` rolls by time alone: an incident at three in the morning that logs in a loop
//! would fill the disk long before midnight.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Appends to one file and rolls it: `apos.log` → `apos.log.1` → … → gone.
#[derive(Debug)]
pub struct RollingFile {
    path: PathBuf,
    file: File,
    size: u64,
    max_bytes: u64,
    max_files: u64,
}

impl RollingFile {
    /// Opens the file and its folder, making them where they do not exist; only their owner may read them.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path, max_bytes: u64, max_files: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = append_to(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_path_buf(), file, size, max_bytes, max_files })
    }

    /// Makes room for a line. Another process may write to the same files: if it has rolled them, follow it first.
    fn make_room(&mut self, length: u64) -> io::Result<()> {
        if !self.is_current() {
            self.reopen()?;
        }
        if self.is_full(length) {
            self.roll()?;
            self.reopen()?;
        }
        Ok(())
    }

    /// Whether a line would exceed the cap. An empty file takes any line: there is no better place for it.
    const fn is_full(&self, length: u64) -> bool {
        self.size > 0 && self.size + length > self.max_bytes
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = append_to(&self.path)?;
        self.size = self.file.metadata()?.len();
        Ok(())
    }

    fn is_current(&self) -> bool {
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let ours = self.file.metadata().map(identity).ok();
        ours.is_some() && ours == std::fs::metadata(&self.path).map(identity).ok()
    }

    fn roll(&self) -> io::Result<()> {
        if self.max_files == 1 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..self.max_files - 1).rev() {
            match std::fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: u64) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

impl Write for RollingFile {
    /// Takes whole lines: a line is never split over two files.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        if self.is_full(length) {
            self.make_room(length)?;
        }
        self.file.write_all(line)?;
        self.size += length;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
