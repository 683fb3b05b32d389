//! How much memory a process takes, and what ends it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A group of processes with an end of memory; nothing where this machine lets nobody make one.
pub(crate) struct MemoryGroup(PathBuf);

impl MemoryGroup {
    /// Puts a process into a group of its own, by either version of control groups.
    pub(crate) fn around(process: u32, most_kib: u64) -> Result<Option<Self>> {
        let name = format!("mcp-operator-test-{process}");
        let groups = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        for (root, limit) in groups {
            let group = Self(Path::new(root).join(&name));
            if fs::create_dir(&group.0).is_ok() && group.0.join(limit).exists() {
                fs::write(group.0.join(limit), (most_kib << 10).to_string())?;
                fs::write(group.0.join("cgroup.procs"), process.to_string())?;
                return Ok(Some(group));
            }
        }
        println!("no control group for memory here: only the process itself is measured");
        Ok(None)
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Where a failed test leaves it, an empty group takes nothing.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Another text for each number, which does not compress.
pub(crate) fn incompressible(number: usize, bytes: usize) -> String {
    let mut state = number as u64 + 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    })
    .take(bytes / 16)
    .collect()
}

/// What a process has in memory.
pub(crate) fn resident_kib(process: u32) -> Result<u64> {
    memory_kib(process, "VmRSS:")
}

/// The most that it ever had.
pub(crate) fn most_resident_kib(process: u32) -> Result<u64> {
    memory_kib(process, "VmHWM:")
}

fn memory_kib(process: u32, what: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(what))
        .context(what.to_owned())?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
