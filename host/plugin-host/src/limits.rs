//! What one call may use.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// What one call may use. Every call starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time from the call to the answer, waiting for a free instance included. At most a day.
    pub timeout: Duration,
    /// Bytes of linear memory, all memories of the component together.
    pub memory_bytes: usize,
    /// Bytes of strings and lists in an answer, as the host counts them: a list of records counts the records too.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(1),
            memory_bytes: 64 << 20,
            output_bytes: 4 << 20,
        }
    }
}

/// The most elements that all tables of a component can have. An element takes a pointer of the host's memory.
const TABLE_ELEMENTS: usize = 1 << 20;

/// Counts what a store's instances take, because wasmtime asks for each memory and table by itself.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_limit: usize,
    memory: usize,
    tables: usize,
}

/// Ends the call instead of making `memory.grow` answer -1: languages turn that into traps that do not say why.
#[derive(Debug, thiserror::Error)]
#[error("wanted {wanted} bytes of memory")]
pub(crate) struct MemoryExceeded {
    pub(crate) wanted: usize,
}

impl Meter {
    pub(crate) fn new(memory_limit: usize) -> Self {
        Self {
            memory_limit,
            memory: 0,
            tables: 0,
        }
    }
}

impl ResourceLimiter for Meter {
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
        // What the module's own maximum refuses is not taken, and the module knows how to live with it.
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
        let granted = wanted <= TABLE_ELEMENTS && maximum.is_none_or(|maximum| desired <= maximum);
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
        let mut meter = Meter::new(100);
        assert!(meter.memory_growing(0, 60, None).unwrap());
        let error = meter.memory_growing(0, 60, None).unwrap_err();
        assert_eq!(error.downcast_ref::<MemoryExceeded>().unwrap().wanted, 120);
        assert!(
            meter.memory_growing(0, 40, None).unwrap(),
            "the refused growth is not counted"
        );
    }

    #[test]
    fn does_not_count_what_the_modules_own_maximum_refuses() {
        let mut meter = Meter::new(100);
        assert!(!meter.memory_growing(0, 90, Some(80)).unwrap());
        assert!(meter.memory_growing(0, 80, Some(80)).unwrap());
    }

    #[test]
    fn counts_all_tables_of_a_component_together() {
        let mut meter = Meter::new(0);
        assert!(meter.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        assert!(!meter.table_growing(0, 1, None).unwrap());
    }
}
