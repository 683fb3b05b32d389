//! What kstatus makes of an object: tools that wait for one, such as Flux, Argo CD and Helm, go by its code, or by the same
//! rules.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cache::Cache;
use crate::command::checked;
use crate::go_program;

/// The program of `tests/kstatus`.
#[derive(Debug, Clone)]
pub struct Kstatus {
    program: PathBuf,
}

impl Kstatus {
    /// Builds it, unless it is there.
    ///
    /// # Errors
    /// When Go is missing, or its modules cannot be downloaded.
    pub fn build(cache: &Cache) -> Result<Self> {
        let program = go_program::build(cache, "kstatus")?;
        Ok(Self { program })
    }

    /// What it says: `Current`, `InProgress`, `Failed`, each with a message.
    ///
    /// # Errors
    /// When the object cannot be judged.
    pub fn of(&self, object: &Value) -> Result<String> {
        let mut command = Command::new(&self.program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start kstatus")?;
        let mut input = child.stdin.take().context("kstatus has no input")?;
        input.write_all(object.to_string().as_bytes())?;
        drop(input);
        checked(&command, child.wait_with_output()?)
    }
}
