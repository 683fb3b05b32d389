//! What a host is made with.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What a [`Host`](crate::Host) is made with.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Directory for compiled components. Made if it does not exist; refused if others can write into it, because
    /// the machine code in it is run.
    pub cache_dir: PathBuf,
    /// How components are compiled.
    pub compiler: Compiler,
    /// The largest component that is accepted. 8 MiB serve Rust, Go and JavaScript; one written in Python needs 40.
    pub max_component_bytes: usize,
    /// How many calls run at once, half of them of the same plugin; others wait. Each has a slot of the instance pool:
    /// 4 GiB of address space for each memory of [`SlotSize`], of which up to 64 KiB stay resident.
    pub concurrency: u32,
    /// Memory of all calls that run at once, in bytes, half of it for the same plugin; others wait. A call counts with
    /// what it may use ([`crate::Limits::memory_bytes`]), so this is never exceeded, whatever plugins do.
    pub memory_bytes: usize,
    /// How large the compiled components of the cache may become together, in bytes; those that were not used for the
    /// longest time go.
    pub cache_bytes: u64,
    /// How large a slot of the instance pool is.
    pub slot: SlotSize,
}

/// What one instance of a component can have in the pool. One that has more gets what it needs at each call, which
/// takes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotSize {
    /// Core instances: the modules that a component consists of.
    pub core_instances: u32,
    /// Linear memories.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
    /// Elements of each table, 8 bytes each.
    pub table_elements: usize,
    /// Bytes of the host's own records of an instance.
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
    /// The defaults, with what has none.
    pub fn new(cache_dir: impl Into<PathBuf>, compiler: Compiler) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            compiler,
            max_component_bytes: 8 << 20,
            concurrency: 32,
            memory_bytes: 320 << 20,
            cache_bytes: 256 << 20,
            slot: SlotSize::default(),
        }
    }
}

/// The child process that compiles, and what it may use.
///
/// Compiling is the one step whose memory cannot be bounded inside of a process, and it is most of what an attack
/// on the compiler could reach; so it never happens in the process that serves.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// Program whose `main` calls [`crate::compile::child_main`].
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Address space of the child. 64 MiB are enough for a Rust component of 300 kB, 1 GiB for one written in Python.
    pub memory_bytes: u64,
    /// Time to compile one component.
    pub timeout: Duration,
}

impl Compiler {
    /// The defaults for `program args...`.
    pub fn new(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            memory_bytes: 512 << 20,
            timeout: Duration::from_mins(1),
        }
    }
}
