//! A WASI without any capability, which always gives the same answers.
//!
//! A plugin is a pure function, but standard libraries import WASI. They get no environment, arguments, files, sockets
//! or input; clocks that do not move; random numbers that repeat; and an output that is captured for the log.

use std::time::Duration;

use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};

use crate::captured_output::CapturedOutput;

/// The most random bytes of one request; they take memory of the host.
const RANDOM_BYTES: u64 = 64 << 10;

/// The sequence that "random" bytes repeat; any other would do.
const RANDOM: [u8; 16] = *b"\x8f\x1c\x5b\xe2\x47\xa9\x30\xd6\x0b\x72\xfc\x95\x2e\xc1\x68\x14";

/// A clock that always shows the same.
struct FrozenClock;

impl HostWallClock for FrozenClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for FrozenClock {
    fn resolution(&self) -> u64 {
        1
    }

    /// Not zero, at which Go's runtime takes a clock for broken and does not start.
    fn now(&self) -> u64 {
        1
    }
}

/// A context whose output goes into `output`.
pub(crate) fn without_capabilities(output: &CapturedOutput) -> WasiCtx {
    WasiCtxBuilder::new()
        .stdout(output.clone())
        .stderr(output.clone())
        .wall_clock(FrozenClock)
        .monotonic_clock(FrozenClock)
        .secure_random(Deterministic::new(RANDOM.to_vec()))
        .insecure_random(Deterministic::new(RANDOM.to_vec()))
        .insecure_random_seed(u128::from_le_bytes(RANDOM))
        .max_random_size(RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}
