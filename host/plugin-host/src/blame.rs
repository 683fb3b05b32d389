//! Converts an error of wasmtime into a [`Fault`].

use wasmtime::{Error, PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;

use crate::error::{Fault, one_line};
use crate::limits::{Limits, MemoryExceeded};
use crate::store::DeadlinePassed;

/// The message of wasmtime's error for an answer that is larger than the store's hostcall fuel. It has to be matched by its
/// text: the type, `HostcallFuelExhausted`, is private to wasmtime 48, and it is no [`Trap`]. A changed text fails the
/// test `a_large_answer_is_not_taken`.
const HOSTCALL_FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// How many bytes of a guest's output an error repeats.
const OUTPUT_TAIL: usize = 500;

/// The fault of a `call` that ended with `error`, after the guest wrote `output`.
pub(crate) fn fault(error: &Error, call: &'static str, limits: &Limits, output: &str) -> Fault {
    if error.is::<DeadlinePassed>() {
        return Fault::DeadlineExceeded {
            call,
            timeout: limits.timeout,
        };
    }
    if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
        return Fault::OutOfMemory {
            call,
            wanted: exceeded.wanted,
            limit: limits.memory_bytes,
        };
    }
    if error.is::<PoolConcurrencyLimitError>() || error.is::<std::io::Error>() {
        return Fault::HostFailed {
            call,
            cause: format!("{error:#}"),
        };
    }
    let root = error.root_cause().to_string();
    if root.contains(HOSTCALL_FUEL_EXHAUSTED) {
        return Fault::OutputTooLarge {
            call,
            limit: limits.output_bytes,
        };
    }
    let cause = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => return Fault::StackOverflow { call },
        Some(trap) => trap
            .to_string()
            .trim_start_matches("wasm trap: ")
            .to_owned(),
        None => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => format!("it exited with code {code}"),
            // Everything else is about the answer itself, such as a string that is not UTF-8.
            None => root,
        },
    };
    Fault::Trapped {
        call,
        cause: with_output_tail(cause, output),
    }
}

/// Adds the end of the output, where the message of a panic is.
fn with_output_tail(cause: String, output: &str) -> String {
    if output.is_empty() {
        return cause;
    }
    let start = output.ceil_char_boundary(output.len().saturating_sub(OUTPUT_TAIL));
    format!("{cause}; it wrote: {}", one_line(&output[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_between_characters() {
        let cause = with_output_tail("unreachable".to_owned(), &"ä".repeat(OUTPUT_TAIL));
        assert_eq!(
            cause,
            format!("unreachable; it wrote: {}", "ä".repeat(OUTPUT_TAIL / 2))
        );
        assert_eq!(
            with_output_tail("unreachable".to_owned(), ""),
            "unreachable"
        );
    }
}
