//! Configuration of a host.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use mcp_operator_metrics::PluginCallMetrics;

use crate::observer::CallObserver;

/// Configuration of a [`Host`](crate::Host).
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Directory for compiled components. Created if it does not exist; refused if other users can write into it,
    /// because the machine code in it is run.
    pub cache_dir: PathBuf,
    /// How components are compiled.
    pub compiler: Compiler,
    /// The largest component that is accepted, in bytes. 8 MiB are enough for Rust, Go and JavaScript on QuickJS; a
    /// component made by componentize-py has 18.5 MB, so Python needs 20 MiB.
    pub max_component_bytes: usize,
    /// How many calls run at once, half of them of the same plugin, and half of those for the same namespace; others wait.
    /// Each has a slot of the instance pool:
    /// 4 GiB of address space for each memory of [`SlotSize`], of which up to 64 KiB stay resident.
    pub concurrency: u32,
    /// Memory of all calls that run at once, in bytes, half of it for the same plugin; others wait. A call counts with
    /// its limit ([`crate::Limits::memory_bytes`]) and not with what it uses, so this is never exceeded.
    pub memory_bytes: usize,
    /// Size of all compiled components in the cache, in bytes; the least recently used ones are evicted.
    pub cache_bytes: u64,
    /// Size of a slot of the instance pool.
    pub slot: SlotSize,
    /// Where calls are counted.
    pub metrics: PluginCallMetrics,
    /// Who is told of each call besides. Nobody, unless it is a tool for authors.
    pub observer: Option<CallObserver>,
}

/// The most that an instance of a component may need to fit into the pool. One that needs more is allocated on demand at
/// each call, which takes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotSize {
    /// Core instances: the modules that a component consists of.
    pub core_instances: u32,
    /// Linear memories.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
    /// Elements of each table; an element takes 8 bytes.
    pub table_elements: usize,
    /// wasmtime's own records of an instance, in bytes.
    pub instance_bytes: usize,
}

impl Default for SlotSize {
    /// Fits Rust, Go and JavaScript. A componentised Python needs about 100 core instances and tables and 100,000
    /// elements, which would make every slot large, and is slow to instantiate anyway.
    fn default() -> Self {
        Self {
            core_instances: 16,
            memories: 2,
            tables: 16,
            table_elements: 20_000,
            instance_bytes: 1 << 20,
        }
    }
}

impl HostConfig {
    /// The defaults: components of 8 MiB, 32 calls at once with 320 MiB of memory, a cache of 256 MiB.
    pub fn new(cache_dir: impl Into<PathBuf>, compiler: Compiler) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            compiler,
            max_component_bytes: 8 << 20,
            concurrency: 32,
            memory_bytes: 320 << 20,
            cache_bytes: 256 << 20,
            slot: SlotSize::default(),
            metrics: PluginCallMetrics::default(),
            observer: None,
        }
    }
}

/// The child process that compiles, and its limits.
///
/// Compiling is the one step whose memory cannot be bounded inside a process, and a malicious component could attack the
/// compiler; so it never happens in the process that serves.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// A program that calls [`crate::compile::child_main`] when it is started with `args`.
    pub program: PathBuf,
    /// Arguments that make `program` the compiler.
    pub args: Vec<OsString>,
    /// Address space of the child, in bytes. 64 MiB are enough for a Rust component of 300 kB, 1 GiB for one written in
    /// Python.
    pub memory_bytes: u64,
    /// Processor time to compile one component, in whole seconds. The clock may show ten times as much: requests go first,
    /// and on a busy node the child waits for most of its time.
    pub cpu_time: Duration,
}

impl Compiler {
    /// `program args...` with the defaults: 512 MiB and a minute of processor time.
    pub fn new(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            memory_bytes: 512 << 20,
            cpu_time: Duration::from_mins(1),
        }
    }
}
