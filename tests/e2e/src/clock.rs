//! A wall clock that steps, for one program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use mcp_cluster::ensure_fake_time;

/// A wall clock of a program's own. What counts seconds (timeouts, pauses) is not touched, as with a real step.
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// One that shows the machine's time, until it is set.
    ///
    /// # Errors
    /// When the library that shows it is missing and cannot be installed.
    pub fn new(folder: &Path) -> Result<Self> {
        let clock = Self {
            library: ensure_fake_time()?,
            file: folder.join("clock"),
        };
        clock.step("+0")?;
        Ok(clock)
    }

    /// Sets it to this much before or after the machine's: `+1h`, `-30m`.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn step(&self, offset: &str) -> Result<()> {
        // The program may read at any time: the file is never half written.
        let next = self.file.with_extension("next");
        std::fs::write(&next, format!("{offset}\n"))
            .and_then(|()| std::fs::rename(&next, &self.file))
            .with_context(|| format!("cannot set {}", self.file.display()))
    }

    /// Lets a program see it.
    pub(crate) fn show(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}
