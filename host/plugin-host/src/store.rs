//! The store of one call.

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::captured_output::CapturedOutput;
use crate::deadline::Deadline;
use crate::limits::{Limits, MemoryLimiter};
use crate::wasi;

/// The most WASI handles (streams, pollables) that a guest can hold; they take memory of the host.
const MAX_HANDLES: usize = 256;

/// The host's data in a store.
pub(crate) struct StoreState {
    // Made on first use: most calls never use WASI, and it costs as much as the rest of an instance.
    wasi: Option<WasiCtx>,
    handles: ResourceTable,
    limiter: MemoryLimiter,
    output: CapturedOutput,
}

/// The guest was still running at its deadline.
#[derive(Debug, thiserror::Error)]
#[error("the deadline passed")]
pub(crate) struct DeadlinePassed;

/// A store for one call. At each tick its guest yields to other tasks; at the first one after `deadline` it ends.
pub(crate) fn new(
    engine: &Engine,
    limits: &Limits,
    mut deadline: Deadline,
    output: CapturedOutput,
) -> Store<StoreState> {
    let mut handles = ResourceTable::new();
    handles.set_max_capacity(MAX_HANDLES);
    let state = StoreState {
        wasi: None,
        handles,
        limiter: MemoryLimiter::new(limits.memory_bytes),
        output,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(limits.output_bytes);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if deadline.has_passed() {
            return Err(DeadlinePassed.into());
        }
        // tokio's own yield also drives timers and I/O, which waking the task from here would not.
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(tokio::task::yield_now()),
        ))
    });
    store
}

impl StoreState {
    /// Linear memory of the guest, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.limiter.memory()
    }
}

impl WasiView for StoreState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: self
                .wasi
                .get_or_insert_with(|| wasi::without_capabilities(&self.output)),
            table: &mut self.handles,
        }
    }
}
