//! What belongs to one call: the store, and what its guest may use.

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::deadline::Deadline;
use crate::limits::{Limits, Meter};
use crate::transcript::Transcript;
use crate::wasi;

/// The most WASI handles (streams, pollables) that a guest can hold; they are memory of the host.
const HANDLES: usize = 256;

/// The state of a store.
pub(crate) struct Guest {
    // Made when it is first asked for: most calls never do, and it costs as much as the rest of an instance.
    wasi: Option<WasiCtx>,
    handles: ResourceTable,
    meter: Meter,
    transcript: Transcript,
}

/// The guest was still running when its time was up.
#[derive(Debug, thiserror::Error)]
#[error("the deadline passed")]
pub(crate) struct DeadlinePassed;

/// A store for one call.
///
/// At each tick of the clock its guest lets others run, and at the first one after `deadline` it ends.
pub(crate) fn store(
    engine: &Engine,
    limits: &Limits,
    mut deadline: Deadline,
    transcript: Transcript,
) -> Store<Guest> {
    let mut handles = ResourceTable::new();
    handles.set_max_capacity(HANDLES);
    let guest = Guest {
        wasi: None,
        handles,
        meter: Meter::new(limits.memory_bytes),
        transcript,
    };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.meter);
    store.set_hostcall_fuel(limits.output_bytes);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if deadline.has_passed() {
            return Err(DeadlinePassed.into());
        }
        // Tokio's own yield lets timers and sockets have their turn too, which waking oneself does not.
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(tokio::task::yield_now()),
        ))
    });
    store
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: self
                .wasi
                .get_or_insert_with(|| wasi::inert(&self.transcript)),
            table: &mut self.handles,
        }
    }
}
