//! One call: a slot, a fresh instance, a deadline, and the fault if it fails.

use std::pin::pin;
use std::time::Duration;

use mcp_operator_metrics::PluginCall;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};
use wasmtime::component::Instance;
use wasmtime::{Result as WasmResult, Store};

use crate::blame;
use crate::captured_output::CapturedOutput;
use crate::contract::Failure;
use crate::deadline::Deadline;
use crate::error::{Fault, PluginError};
use crate::limits::Limits;
use crate::observer::EndedCall;
use crate::plugin::Plugin;
use crate::quota::Permit;
use crate::store::{self, DeadlinePassed, StoreState};

/// The longest timeout of a call, whatever its limits say: a larger one could overflow `Instant`.
const MAX_TIMEOUT: Duration = Duration::from_hours(24);

impl Plugin {
    /// Calls a function whose own answer can be a [`Failure`].
    pub(crate) async fn call_fallible<T>(
        &self,
        call: &'static str,
        limits: &Limits,
        invoke: impl AsyncFnOnce(&mut Store<StoreState>, &Instance) -> WasmResult<Result<T, Failure>>,
    ) -> Result<T, PluginError> {
        let counted = self.program.calls.begin(call);
        let span = self.span(call);
        let ran = self.run(call, limits, &counted, invoke);
        let answer = match ran.instrument(span.clone()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err(reported(call, failure)),
            Err(fault) => Err(fault),
        };
        let outcome = answer.as_ref().map(drop).map_err(Fault::category);
        end(&span, outcome);
        counted.ended(outcome);
        answer.map_err(|fault| fault.in_plugin(&self.program.name))
    }

    /// Calls a function that always has an answer.
    pub(crate) async fn call<T>(
        &self,
        call: &'static str,
        limits: &Limits,
        invoke: impl AsyncFnOnce(&mut Store<StoreState>, &Instance) -> WasmResult<T>,
    ) -> Result<T, Fault> {
        let counted = self.program.calls.begin(call);
        let span = self.span(call);
        let ran = self.run(call, limits, &counted, invoke);
        let answer = ran.instrument(span.clone()).await;
        let outcome = answer.as_ref().map(drop).map_err(Fault::category);
        end(&span, outcome);
        counted.ended(outcome);
        answer
    }

    /// What a trace says of a call: whose it is, and what became of it.
    fn span(&self, call: &'static str) -> Span {
        info_span!(
            "plugin call",
            plugin = self.name(),
            function = call,
            outcome = Empty,
            otel.status_code = Empty
        )
    }

    /// Waits for a slot, makes an instance and invokes it.
    async fn run<T>(
        &self,
        call: &'static str,
        limits: &Limits,
        counted: &PluginCall<'_>,
        invoke: impl AsyncFnOnce(&mut Store<StoreState>, &Instance) -> WasmResult<T>,
    ) -> Result<T, Fault> {
        let limits = &Limits {
            memory_bytes: limits.memory_bytes.min(self.shared.largest_memory),
            ..*limits
        };
        let began = Instant::now();
        let ticks = self.shared.ticker.ticks();
        let mut deadline = Deadline::new(limits.timeout.min(MAX_TIMEOUT), ticks);
        // Declared before the store, so that it is released after the store is dropped.
        let by_caller = self.is_used_by_caller();
        let _permits = self.acquire(limits, deadline.at()).await.map_err(|_| {
            let waited = limits.timeout;
            Fault::Overloaded {
                call,
                waited,
                by_caller,
            }
        })?;
        let waited = began.elapsed();
        let output = CapturedOutput::default();
        let component = &self.program.component;
        let engine = component.engine();
        let mut store = store::new(engine, limits, deadline.clone(), output.clone());
        let mut instantiated = waited;
        let answer = {
            let mut invocation = pin!(async {
                let instance = component.instantiate_async(&mut store).await?;
                instantiated = began.elapsed();
                invoke(&mut store, &instance).await
            });
            loop {
                match timeout_at(deadline.at(), &mut invocation).await {
                    Ok(answer) => break answer,
                    Err(_) if deadline.has_passed() => break Err(DeadlinePassed.into()),
                    Err(_) => {}
                }
            }
        };
        counted.used_memory(store.data().memory(), limits.memory_bytes);
        let output = output.text();
        if let Some(observer) = &self.program.observer {
            observer.ended(&EndedCall {
                plugin: self.name(),
                call,
                took: began.elapsed().saturating_sub(waited),
                instantiating: instantiated.saturating_sub(waited),
                memory_bytes: store.data().memory(),
                output: &output,
            });
        }
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
                // The guest was left with less time than the call had waited for a slot.
                Fault::DeadlineExceeded { .. } if waited > limits.timeout / 2 => {
                    Fault::Overloaded {
                        call,
                        waited,
                        by_caller,
                    }
                }
                fault => fault,
            }
        })
    }

    /// Waits for a slot and for memory. The plugin's own quota comes first, so that the calls of a slow plugin wait for
    /// each other and not for those of others.
    async fn acquire(
        &self,
        limits: &Limits,
        deadline: Instant,
    ) -> Result<[Permit<'_>; 2], Elapsed> {
        let (caller, memory) = (&self.caller, limits.memory_bytes);
        let permits = async {
            let own = self.program.quota.acquire(caller, memory).await;
            [own, self.shared.quota.acquire(caller, memory).await]
        };
        timeout_at(deadline, permits).await
    }

    /// Whether other calls for the same namespace are in the way of one that begins now.
    fn is_used_by_caller(&self) -> bool {
        self.program.quota.is_used_by(&self.caller) || self.shared.quota.is_used_by(&self.caller)
    }
}

/// Says how a call has ended; one that was given up says nothing.
fn end(span: &Span, outcome: Result<(), &'static str>) {
    match outcome {
        Ok(()) => span.record("outcome", "Answered"),
        Err(category) => span
            .record("outcome", category)
            .record("otel.status_code", "ERROR"),
    };
}

fn reported(call: &'static str, failure: Failure) -> Fault {
    match failure {
        Failure::InvalidSettings(message) => Fault::InvalidSettings { call, message },
        Failure::Unsupported(message) => Fault::Unsupported { call, message },
        Failure::Internal(message) => Fault::Internal { call, message },
    }
}
