//! The engines: one that only compiles, two that only run.
//!
//! All are made from [`common`], because machine code is only accepted by an engine with the settings it was compiled
//! with.

use std::hash::{DefaultHasher, Hash, Hasher};

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result,
};

use crate::config::SlotSize;

/// Memory of each slot that is zeroed and kept after a call, in bytes; the rest goes back to the kernel. Small, because
/// zeroing takes time at every call: with 64 KiB a fresh instance takes 19 us, with 1 MiB 80.
const KEEP_RESIDENT: usize = 64 << 10;
const DECOMMIT_BATCH: usize = 16;

/// The engine of the child process.
pub(crate) fn compiling() -> Result<Engine> {
    Engine::new(&common())
}

/// The engine of most plugins. Instances come from a pool of preallocated slots, so a fresh one for each call is cheap.
pub(crate) fn pooling(concurrency: u32, slot: SlotSize) -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(concurrency)
        .total_core_instances(concurrency * slot.core_instances)
        .total_memories(concurrency * slot.memories)
        .total_tables(concurrency * slot.tables)
        .total_stacks(concurrency)
        .max_core_instances_per_component(slot.core_instances)
        .max_memories_per_component(slot.memories)
        .max_tables_per_component(slot.tables)
        .table_elements(slot.table_elements)
        .max_component_instance_size(slot.instance_bytes)
        .max_core_instance_size(slot.instance_bytes)
        // Only address space is reserved; `limits::MemoryLimiter` bounds what a call uses of it.
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

/// The engine of plugins that do not fit into a slot of the pool.
pub(crate) fn on_demand() -> Result<Engine> {
    let mut config = common();
    config
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .enable_compiler(false);
    Engine::new(&config)
}

/// A hash of everything that machine code depends on: version of wasmtime, settings, CPU.
pub(crate) fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

fn common() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // The contract has no asynchronous functions, and stores are smaller without support for them.
        .concurrency_support(false)
        // Deterministic on every machine: the same input gives the same answer.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    config
}
