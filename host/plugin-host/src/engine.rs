//! The engines: one that only compiles, two that only run.
//!
//! All are made from [`common`], because machine code is only accepted by an engine with the settings it was compiled
//! with.

use std::hash::{DefaultHasher, Hash, Hasher};

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result,
};

/// What one component can have in the pool. Rust, Go and JavaScript guests have 1 memory and fewer than 8 instances
/// and tables; what a componentised Python needs (100 of each) would make every slot large.
const CORE_INSTANCES: u32 = 16;
const TABLES: u32 = 16;
const TABLE_ELEMENTS: usize = 20_000;
const MEMORIES: u32 = 2;
const INSTANCE_BYTES: usize = 1 << 20;

/// Of each slot, so much is wiped and kept; the rest goes back to the kernel. Small, because wiping costs time on
/// every call: with 64 KiB a fresh instance takes 19 us, with 1 MiB 80.
const KEEP_RESIDENT: usize = 64 << 10;
const DECOMMIT_BATCH: usize = 16;

/// The engine of the child process.
pub(crate) fn compiling() -> Result<Engine> {
    Engine::new(&common())
}

/// The engine of most plugins: instances come from a pool of preallocated slots, which makes a fresh one per call
/// cheap.
pub(crate) fn pooling(concurrency: u32) -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(concurrency)
        .total_core_instances(concurrency * CORE_INSTANCES)
        .total_memories(concurrency * MEMORIES)
        .total_tables(concurrency * TABLES)
        .total_stacks(concurrency)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .max_component_instance_size(INSTANCE_BYTES)
        .max_core_instance_size(INSTANCE_BYTES)
        // Address space only: how much of it a call gets is up to its own limit.
        .max_memory_size(4 << 30)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .decommit_batch_size(DECOMMIT_BATCH)
        .pagemap_scan(Enabled::Auto);
    let mut config = common();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .enable_compiler(false);
    Engine::new(&config)
}

/// The engine of the plugins that are too large for the pool.
pub(crate) fn on_demand() -> Result<Engine> {
    let mut config = common();
    config
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .enable_compiler(false);
    Engine::new(&config)
}

/// Stands for everything that machine code depends on: version of wasmtime, settings, CPU.
pub(crate) fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

fn common() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // The contract has no asynchronous functions, and stores are smaller without.
        .concurrency_support(false)
        // A verdict can be replayed: the same bytes in, the same bytes out, on every machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    config
}
