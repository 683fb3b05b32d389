//! Limits of one call.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Limits of one call. They count from zero for each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time from the call to the answer, waiting for a free slot included. More than a day counts as a day.
    pub timeout: Duration,
    /// Linear memory of all memories of the component together, in bytes. Never more than
    /// [`Host::largest_memory`](crate::Host::largest_memory).
    pub memory_bytes: usize,
    /// Strings and lists in an answer, in bytes, as wasmtime counts them: a list of records counts the records too.
    pub output_bytes: usize,
}

impl Default for Limits {
    /// One second, 64 MiB of memory and answers of 4 MiB.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(1),
            memory_bytes: 64 << 20,
            output_bytes: 4 << 20,
        }
    }
}

/// The most elements that all tables of a component can have. An element takes a pointer of the host's memory.
const MAX_TABLE_ELEMENTS: usize = 1 << 20;

/// Sums up all memories and tables of a store: wasmtime asks for each of them separately.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    memory_limit: usize,
    memory: usize,
    tables: usize,
}

/// Ends the call, where `memory.grow` would return -1: language runtimes turn that into a trap that does not say why.
#[derive(Debug, thiserror::Error)]
#[error("wanted {wanted} bytes of memory")]
pub(crate) struct MemoryExceeded {
    pub(crate) wanted: usize,
}

impl MemoryLimiter {
    pub(crate) fn new(memory_limit: usize) -> Self {
        Self {
            memory_limit,
            memory: 0,
            tables: 0,
        }
    }

    /// All memories together, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.memory.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_limit {
            return Err(MemoryExceeded { wanted }.into());
        }
        // Growth beyond the module's own maximum fails without taking memory, which the module expects.
        let granted = maximum.is_none_or(|maximum| desired <= maximum);
        if granted {
            self.memory = wanted;
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.tables.saturating_add(desired.saturating_sub(current));
        let granted =
            wanted <= MAX_TABLE_ELEMENTS && maximum.is_none_or(|maximum| desired <= maximum);
        if granted {
            self.tables = wanted;
        }
        Ok(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_memories_of_a_component_together() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        let error = limiter.memory_growing(0, 60, None).unwrap_err();
        assert_eq!(error.downcast_ref::<MemoryExceeded>().unwrap().wanted, 120);
        assert!(
            limiter.memory_growing(0, 40, None).unwrap(),
            "the refused growth is not counted"
        );
    }

    #[test]
    fn does_not_count_what_the_modules_own_maximum_refuses() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(!limiter.memory_growing(0, 90, Some(80)).unwrap());
        assert!(limiter.memory_growing(0, 80, Some(80)).unwrap());
    }

    #[test]
    fn counts_all_tables_of_a_component_together() {
        let mut limiter = MemoryLimiter::new(0);
        assert!(limiter.table_growing(0, MAX_TABLE_ELEMENTS, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
    }
}
