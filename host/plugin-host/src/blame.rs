//! From wasmtime's errors to ours.

use wasmtime::{Error, PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;

use crate::error::{Fault, one_line};
use crate::guest::DeadlinePassed;
use crate::limits::{Limits, MemoryExceeded};

/// What wasmtime says when an answer is larger than the store's hostcall fuel. The error has no public type.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// How much of a guest's last words goes into an error.
const LAST_WORDS: usize = 500;

/// What it means that `call` ended with `error`, after the guest wrote `output`.
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
    if root.contains(FUEL_EXHAUSTED) {
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
            // What is left is about the guest's answer, such as text that is not UTF-8.
            None => root,
        },
    };
    Fault::Trapped {
        call,
        cause: with_last_words(cause, output),
    }
}

/// A panic's message is in what was written last.
fn with_last_words(cause: String, output: &str) -> String {
    if output.is_empty() {
        return cause;
    }
    let start = output.ceil_char_boundary(output.len().saturating_sub(LAST_WORDS));
    format!("{cause}; it wrote: {}", one_line(&output[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_cut_between_characters() {
        let cause = with_last_words("unreachable".to_owned(), &"ä".repeat(LAST_WORDS));
        assert_eq!(
            cause,
            format!("unreachable; it wrote: {}", "ä".repeat(LAST_WORDS / 2))
        );
        assert_eq!(with_last_words("unreachable".to_owned(), ""), "unreachable");
    }
}
