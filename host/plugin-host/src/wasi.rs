//! A WASI that gives nothing and always says the same.
//!
//! A plugin is a pure function, but standard libraries import WASI. They get no environment, arguments, files, sockets
//! or input; clocks that stand still; random numbers that repeat; and an output that is kept for the log.

use std::time::Duration;

use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};

use crate::transcript::Transcript;

/// The most random bytes of one request; they are memory of the host.
const RANDOM_BYTES: u64 = 64 << 10;

/// What "random" bytes repeat. Any will do; these look like nothing in particular.
const RANDOM: [u8; 16] = *b"\x8f\x1c\x5b\xe2\x47\xa9\x30\xd6\x0b\x72\xfc\x95\x2e\xc1\x68\x14";

/// Every clock shows this, and always will.
struct Standstill;

impl HostWallClock for Standstill {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Standstill {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// A context whose output goes into `transcript`.
pub(crate) fn inert(transcript: &Transcript) -> WasiCtx {
    WasiCtxBuilder::new()
        .stdout(transcript.clone())
        .stderr(transcript.clone())
        .wall_clock(Standstill)
        .monotonic_clock(Standstill)
        .secure_random(Deterministic::new(RANDOM.to_vec()))
        .insecure_random(Deterministic::new(RANDOM.to_vec()))
        .insecure_random_seed(u128::from_le_bytes(RANDOM))
        .max_random_size(RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}
