//! The child process.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, nice, setrlimit};

use super::{CPU_TIME_VARIABLE, EXIT_COMPONENT, EXIT_OUTPUT, MEMORY_VARIABLE};
use crate::engine;

/// Most bytes of machine code. It is a few times as large as the component, and all of it is in one volume.
const MAX_CODE_BYTES: u64 = 256 << 20;
/// The priority of the child: requests go first.
const NICENESS: i32 = 10;

/// The `main` of the compiler process: reads a component from standard input and writes its machine code to standard
/// output.
///
/// It first limits its own address space to [`crate::Compiler::memory_bytes`] of the parent and its processor time to
/// [`crate::Compiler::cpu_time`], and gives up to open anything: a
/// component that takes over the compiler finds no file, no socket and no other process's memory. The exit code says whether the
/// component or the machine is at fault; the message is on standard error.
pub fn child_main() -> ExitCode {
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("{message}");
            code
        }
    }
}

fn compile() -> Result<(), (ExitCode, String)> {
    limit_resources().map_err(|message| (ExitCode::FAILURE, message))?;
    let engine = engine::compiling().map_err(|error| (ExitCode::FAILURE, format!("{error:#}")))?;
    let mut component = Vec::new();
    io::stdin()
        .read_to_end(&mut component)
        .map_err(|error| (ExitCode::FAILURE, error.to_string()))?;
    let code = engine
        .precompile_component(&component)
        .map_err(|error| (EXIT_COMPONENT.into(), format!("{error:#}")))?;
    if u64::try_from(code.len()).is_ok_and(|bytes| bytes > MAX_CODE_BYTES) {
        let message = format!(
            "its machine code has more than {} MiB",
            MAX_CODE_BYTES >> 20
        );
        return Err((EXIT_COMPONENT.into(), message));
    }
    write(&code).map_err(|error| (EXIT_OUTPUT.into(), error.to_string()))
}

fn limit_resources() -> Result<(), String> {
    let bytes = told(MEMORY_VARIABLE)?;
    limit(Resource::As, bytes, bytes)?;
    // At the first of the two it is ended by a signal of its own, by which the parent knows why.
    let seconds = told(CPU_TIME_VARIABLE)?;
    limit(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    // No core dump: it would be as large as the address space.
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, MAX_CODE_BYTES, MAX_CODE_BYTES)?;
    // What is open stays open: the three standard streams.
    limit(Resource::Nofile, 0, 0)?;
    // It compiles with normal priority where this is not possible.
    let _ = nice(NICENESS);
    Ok(())
}

/// What the parent says of a limit.
fn told(variable: &str) -> Result<u64, String> {
    let value = std::env::var(variable).ok();
    value.and_then(|value| value.parse().ok()).ok_or_else(|| {
        format!("{variable} must be a number: this command is run by the operator itself")
    })
}

fn limit(resource: Resource, current: u64, maximum: u64) -> Result<(), String> {
    setrlimit(
        resource,
        Rlimit {
            current: Some(current),
            maximum: Some(maximum),
        },
    )
    .map_err(|error| format!("cannot limit {resource:?} to {current}: {error}"))
}

fn write(code: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(code)?;
    stdout.flush()
}
