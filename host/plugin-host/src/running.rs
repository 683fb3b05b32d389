//! What every call needs, and every plugin keeps alive.

use tokio::sync::Semaphore;

use crate::config::HostConfig;
use crate::ticker::Ticker;

/// What every call needs, and every plugin keeps alive.
pub(crate) struct Running {
    /// A permit for each slot of the pool. Without, a call too many would be an error and not a wait.
    pub(crate) slots: Semaphore,
    /// A permit for each [`UNIT`] of memory.
    pub(crate) memory: Semaphore,
    /// The most memory that a call can have, in bytes.
    pub(crate) largest_memory: usize,
    pub(crate) ticker: Ticker,
}

impl Running {
    /// For so many calls at once, with so much memory.
    pub(crate) fn new(config: &HostConfig, ticker: Ticker) -> Self {
        Self {
            slots: Semaphore::new(config.concurrency as usize),
            memory: Semaphore::new(config.memory_bytes / UNIT),
            largest_memory: half(config.memory_bytes / UNIT) * UNIT,
            ticker,
        }
    }
}

/// What memory is counted in: permits are numbers of 32 bits.
const UNIT: usize = 1 << 20;

/// Permits for so many bytes.
pub(crate) fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// How much of what all share one plugin may take: not all, or one that is slow would stop the others.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) slots: Semaphore,
    pub(crate) memory: Semaphore,
}

impl Share {
    pub(crate) fn new(config: &HostConfig) -> Self {
        Self {
            slots: Semaphore::new(half(config.concurrency as usize)),
            memory: Semaphore::new(half(config.memory_bytes / UNIT)),
        }
    }
}

fn half(all: usize) -> usize {
    (all / 2).max(1)
}
