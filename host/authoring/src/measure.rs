//! Times and memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Times of many calls, sorted.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The time within which this part of the calls ended, in percent.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let index = (self.0.len() * percent / 100).min(last);
        self.0.get(index).copied().unwrap_or_default()
    }
}

/// A time as people read it.
pub(crate) struct Readable(pub(crate) Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        if seconds < 0.001 {
            write!(f, "{:.0} µs", seconds * 1e6)
        } else if seconds < 1.0 {
            write!(f, "{:.1} ms", seconds * 1e3)
        } else {
            write!(f, "{seconds:.1} s")
        }
    }
}

/// Whole MiB, rounded up.
pub(crate) fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

/// The most that the largest child process of this one has had, while it is watched. Only Linux tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChildMemory {
    /// Address space, which is what the compiler is limited by, in bytes.
    pub(crate) address_space: u64,
    /// Memory that was there, in bytes.
    pub(crate) resident: u64,
}

/// Watches the memory of child processes until it is stopped.
pub(crate) struct ChildWatch {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<ChildMemory>,
}

/// How often it looks. A compilation takes a hundred times as long.
const INTERVAL: Duration = Duration::from_millis(2);

impl ChildWatch {
    pub(crate) fn start() -> Self {
        let stop: Arc<AtomicBool> = Arc::default();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            // The kernel remembers the most. Before a child runs its own program that is what this process has, so that the
            // last look at it counts.
            let mut seen: BTreeMap<u32, ChildMemory> = BTreeMap::new();
            while !stopped.load(Ordering::Relaxed) {
                for child in children() {
                    let now = memory(child);
                    if now != ChildMemory::default() {
                        seen.insert(child, now);
                    }
                }
                thread::sleep(INTERVAL);
            }
            let most = seen.into_values().max_by_key(|child| child.resident);
            most.unwrap_or_default()
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> ChildMemory {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn children() -> Vec<u32> {
    let threads = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let lists =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|one| one.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// What the kernel remembers of a process.
fn memory(process: u32) -> ChildMemory {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes << 10)
    };
    ChildMemory {
        address_space: bytes("VmPeak:").unwrap_or_default(),
        resident: bytes("VmHWM:").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times = Times::new((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!(times.percentile(50), Duration::from_millis(51));
        assert_eq!(times.percentile(99), Duration::from_millis(100));
        assert_eq!(Times::new(Vec::new()).percentile(50), Duration::ZERO);
        assert_eq!(Readable(Duration::from_micros(51)).to_string(), "51 µs");
        assert_eq!(Readable(Duration::from_millis(51)).to_string(), "51.0 ms");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_a_child_is_seen() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Started when it has opened its files.
        while memory(child.id()).resident == 0 {
            thread::yield_now();
        }
        assert!(children().contains(&child.id()));
        assert!(memory(child.id()).address_space >= memory(child.id()).resident);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
