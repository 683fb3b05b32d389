//! How many calls run at once, and with how much memory.

use tokio::sync::Semaphore;

use crate::config::HostConfig;
use crate::ticker::Ticker;

/// What the calls of all plugins share. Every plugin holds it, so plugins outlive their host.
pub(crate) struct SharedQuota {
    /// A permit for each slot of the pool. Without it, a call beyond the last slot would fail instead of wait.
    pub(crate) slots: Semaphore,
    /// A permit for each [`MEMORY_UNIT`].
    pub(crate) memory: Semaphore,
    /// The most memory that a call can have, in bytes.
    pub(crate) largest_memory: usize,
    pub(crate) ticker: Ticker,
}

impl SharedQuota {
    pub(crate) fn new(config: &HostConfig, ticker: Ticker) -> Self {
        Self {
            slots: Semaphore::new(config.concurrency as usize),
            memory: Semaphore::new(config.memory_bytes / MEMORY_UNIT),
            largest_memory: half(config.memory_bytes / MEMORY_UNIT) * MEMORY_UNIT,
            ticker,
        }
    }
}

/// Bytes that one permit stands for: a semaphore counts in 32 bits.
const MEMORY_UNIT: usize = 1 << 20;

/// The number of permits for so much memory.
pub(crate) fn permits_for(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(MEMORY_UNIT)).unwrap_or(u32::MAX)
}

/// What one plugin may take of [`SharedQuota`]: half of it, so that a slow plugin does not stop the others.
#[derive(Debug)]
pub(crate) struct PluginQuota {
    pub(crate) slots: Semaphore,
    pub(crate) memory: Semaphore,
}

impl PluginQuota {
    pub(crate) fn new(config: &HostConfig) -> Self {
        Self {
            slots: Semaphore::new(half(config.concurrency as usize)),
            memory: Semaphore::new(half(config.memory_bytes / MEMORY_UNIT)),
        }
    }
}

fn half(all: usize) -> usize {
    (all / 2).max(1)
}
