//! LLVM's fuzzer, with one of the targets: that which `MCP_FUZZ_TARGET` names.

#![no_main]
#![allow(
    unsafe_code,
    reason = "the fuzzer is C++, and calls functions by their names"
)]

use std::ffi::{c_char, c_int};
use std::process::{abort, exit};
use std::sync::LazyLock;

use mcp_fuzz::{Target, target};

#[link(name = "fuzzer", kind = "static")]
#[link(name = "stdc++")]
unsafe extern "C" {}

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("MCP_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        eprintln!("MCP_FUZZ_TARGET names no target: {name:?}");
        exit(2)
    })
});

// SAFETY: nothing else in this program has this name.
#[unsafe(no_mangle)]
extern "C" fn LLVMFuzzerInitialize(
    _arguments: *const c_int,
    _values: *const *const *const c_char,
) -> c_int {
    let tell = std::panic::take_hook();
    // The fuzzer keeps the bytes of what ends the program.
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        abort()
    }));
    0
}

// SAFETY: nothing else in this program has this name.
#[unsafe(no_mangle)]
extern "C" fn LLVMFuzzerTestOneInput(data: *const u8, size: usize) -> c_int {
    let bytes = if size == 0 {
        &[][..]
    } else {
        // SAFETY: the fuzzer gives so many bytes, and keeps them until this returns.
        unsafe { std::slice::from_raw_parts(data, size) }
    };
    (TARGET.run)(bytes);
    0
}
