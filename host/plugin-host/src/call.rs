//! One call: a slot, a fresh instance, a deadline, and whose fault it was.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{AcquireError, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use wasmtime::component::Instance;
use wasmtime::{Result as WasmResult, Store};

use crate::blame;
use crate::contract::Failure;
use crate::deadline::Deadline;
use crate::error::{Fault, PluginError};
use crate::guest::{self, DeadlinePassed, Guest};
use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::running::units;
use crate::transcript::Transcript;

/// Nobody waits longer, whatever the limits say: it keeps the arithmetic of time in range.
const LONGEST: Duration = Duration::from_hours(24);

impl Plugin {
    /// A call of a function that can say by itself that it failed.
    pub(crate) async fn ask<T>(
        &self,
        call: &'static str,
        limits: &Limits,
        invoke: impl AsyncFnOnce(&mut Store<Guest>, &Instance) -> WasmResult<Result<T, Failure>>,
    ) -> Result<T, PluginError> {
        match self.run(call, limits, invoke).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err(failed(call, failure).of(&self.program.name)),
            Err(fault) => Err(fault.of(&self.program.name)),
        }
    }

    /// One call: waits for a slot, makes an instance, invokes it, and says whose fault it was.
    pub(crate) async fn run<T>(
        &self,
        call: &'static str,
        limits: &Limits,
        invoke: impl AsyncFnOnce(&mut Store<Guest>, &Instance) -> WasmResult<T>,
    ) -> Result<T, Fault> {
        let limits = &Limits {
            memory_bytes: limits.memory_bytes.min(self.running.largest_memory),
            ..*limits
        };
        let began = Instant::now();
        let ticks = self.running.ticker.ticks();
        let mut deadline = Deadline::new(limits.timeout.min(LONGEST), ticks);
        // Held until the store is gone: it is declared before it.
        let _slot = self.slot(call, limits, deadline.at()).await?;
        let waited = began.elapsed();
        let transcript = Transcript::default();
        let component = &self.program.component;
        let engine = component.engine();
        let mut store = guest::store(engine, limits, deadline.clone(), transcript.clone());
        let mut running = pin!(async {
            let instance = component.instantiate_async(&mut store).await?;
            invoke(&mut store, &instance).await
        });
        let answer = loop {
            match timeout_at(deadline.at(), &mut running).await {
                Ok(answer) => break answer,
                Err(_) if deadline.has_passed() => break Err(DeadlinePassed.into()),
                Err(_) => {}
            }
        };
        let output = transcript.text();
        if !output.is_empty() {
            tracing::debug!(plugin = self.name(), call, output, "plugin wrote");
        }
        answer.map_err(|error| {
            tracing::debug!(
                plugin = self.name(),
                call,
                error = format!("{error:?}"),
                "plugin failed"
            );
            match blame::fault(&error, call, limits, &output) {
                // The guest had less time than it took until it could begin.
                Fault::DeadlineExceeded { .. } if waited > limits.timeout / 2 => {
                    Fault::Overloaded { call, waited }
                }
                fault => fault,
            }
        })
    }

    /// Waits for a slot and for memory. The plugin's own share comes first, so that calls of one that is slow queue
    /// among themselves.
    async fn slot(
        &self,
        call: &'static str,
        limits: &Limits,
        deadline: Instant,
    ) -> Result<[SemaphorePermit<'_>; 4], Fault> {
        let (share, all) = (&self.program.share, &self.running);
        let memory = units(limits.memory_bytes);
        let permits = async {
            Ok([
                share.slots.acquire().await?,
                share.memory.acquire_many(memory).await?,
                all.slots.acquire().await?,
                all.memory.acquire_many(memory).await?,
            ])
        };
        timeout_at(deadline, permits)
            .await
            .map_err(|_| Fault::Overloaded {
                call,
                waited: limits.timeout,
            })?
            .map_err(|closed: AcquireError| Fault::HostFailed {
                call,
                cause: closed.to_string(),
            })
    }
}

fn failed(call: &'static str, failure: Failure) -> Fault {
    match failure {
        Failure::InvalidSettings(message) => Fault::InvalidSettings { call, message },
        Failure::Unsupported(message) => Fault::Unsupported { call, message },
        Failure::Internal(message) => Fault::Internal { call, message },
    }
}
