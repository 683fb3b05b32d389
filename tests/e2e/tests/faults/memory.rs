//! How much memory a process takes.

use std::fs;

use anyhow::{Context, Result};

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
