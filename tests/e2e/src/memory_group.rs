//! Processes that have an end of memory together, as the containers of a pod have.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A control group with an end of memory.
#[derive(Debug)]
pub struct MemoryGroup {
    folder: PathBuf,
    files: &'static Files,
}

/// What a group has at this moment, and had.
#[derive(Clone, Copy, Debug)]
pub struct MemoryUsage {
    /// In bytes, without files that were read and are not needed: what a kubelet calls the working set.
    pub working_set: u64,
    /// In bytes, with such files.
    pub peak: u64,
    /// How often the kernel found no more memory for it, also not by forgetting files.
    pub failures: u64,
}

/// How a version of control groups calls them.
#[derive(Debug)]
struct Files {
    root: &'static str,
    limit: &'static str,
    usage: &'static str,
    peak: &'static str,
    /// A line of `memory.stat`.
    inactive: &'static str,
    /// File, and the line of it that counts processes that were killed.
    kills: (&'static str, &'static str),
}

const VERSIONS: [Files; 2] = [
    Files {
        root: "/sys/fs/cgroup/memory",
        limit: "memory.limit_in_bytes",
        usage: "memory.usage_in_bytes",
        peak: "memory.max_usage_in_bytes",
        inactive: "total_inactive_file",
        kills: ("memory.oom_control", "oom_kill"),
    },
    Files {
        root: "/sys/fs/cgroup",
        limit: "memory.max",
        usage: "memory.current",
        peak: "memory.peak",
        inactive: "inactive_file",
        kills: ("memory.events", "oom_kill"),
    },
];

impl MemoryGroup {
    /// A group without processes, by either version of control groups; nothing where this machine lets nobody make one.
    ///
    /// # Errors
    /// When the group is there, and its end cannot be set.
    pub fn new(name: &str, most_kib: u64) -> Result<Option<Self>> {
        for files in &VERSIONS {
            let group = Self {
                folder: Path::new(files.root).join(format!("mcp-operator-{name}")),
                files,
            };
            let is_made = fs::create_dir(&group.folder).is_ok() || group.folder.exists();
            if is_made && group.folder.join(files.limit).exists() {
                fs::write(group.folder.join(files.limit), (most_kib << 10).to_string())?;
                return Ok(Some(group));
            }
        }
        println!("no control group for memory here: only the process itself is measured");
        Ok(None)
    }

    /// A group around a process that runs already.
    ///
    /// # Errors
    /// As [`MemoryGroup::new`], and when the process has ended.
    pub fn around(process: u32, most_kib: u64) -> Result<Option<Self>> {
        let group = Self::new(&format!("test-{process}"), most_kib)?;
        if let Some(group) = &group {
            fs::write(group.folder.join("cgroup.procs"), process.to_string())?;
        }
        Ok(group)
    }

    /// Writes a program that runs another one in the group, from its first moment.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn wrap(&self, program: &Path, wrapper: &Path) -> Result<()> {
        let script = format!(
            "#!/bin/sh\necho $$ >'{}/cgroup.procs' || exit\nexec '{}' \"$@\"\n",
            self.folder.display(),
            program.display()
        );
        fs::write(wrapper, script)?;
        fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// What it has now, and had since [`MemoryGroup::forget_peak`].
    ///
    /// # Errors
    /// When the kernel does not say it.
    pub fn usage(&self) -> Result<MemoryUsage> {
        let (kills, killed) = self.files.kills;
        let usage: u64 = self.read(self.files.usage)?.trim().parse()?;
        Ok(MemoryUsage {
            working_set: usage
                .saturating_sub(line(&self.read("memory.stat")?, self.files.inactive)?),
            peak: self.read(self.files.peak)?.trim().parse()?,
            failures: line(&self.read(kills)?, killed)?,
        })
    }

    /// Forgets the peak, where the kernel can.
    pub fn forget_peak(&self) {
        // From Linux 6.12 on for the second version.
        let _ = fs::write(self.folder.join(self.files.peak), "0");
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = self.folder.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

fn line(text: &str, name: &str) -> Result<u64> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value
        .with_context(|| format!("no {name}"))?
        .trim()
        .parse()?)
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Where a failed test leaves it, an empty group takes nothing.
        let _ = fs::remove_dir(&self.folder);
    }
}
