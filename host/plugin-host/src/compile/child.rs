//! What the child process does.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, nice, setrlimit};

use super::{EXIT_COMPONENT, EXIT_OUTPUT, MEMORY_VARIABLE};
use crate::engine;

/// How much the child lets others go first.
const NICENESS: i32 = 10;

/// The whole of the compiler's `main`: compiles the component that standard input has, to standard output.
///
/// Limits its own address space first, as [`crate::Compiler::memory_bytes`] of the parent says.
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
    confine().map_err(|message| (ExitCode::FAILURE, message))?;
    let engine = engine::compiling().map_err(|error| (ExitCode::FAILURE, format!("{error:#}")))?;
    let mut component = Vec::new();
    io::stdin()
        .read_to_end(&mut component)
        .map_err(|error| (ExitCode::FAILURE, error.to_string()))?;
    let code = engine
        .precompile_component(&component)
        .map_err(|error| (EXIT_COMPONENT.into(), format!("{error:#}")))?;
    write(&code).map_err(|error| (EXIT_OUTPUT.into(), error.to_string()))
}

fn confine() -> Result<(), String> {
    let bytes: u64 = std::env::var(MEMORY_VARIABLE)
        .ok()
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| format!("{MEMORY_VARIABLE} must be a number of bytes: this command is run by the operator itself"))?;
    limit(Resource::As, bytes)?;
    // A crash of the compiler is reported, not dumped: the core would be as large as the limit.
    limit(Resource::Core, 0)?;
    // Not being able to step back is no reason not to compile.
    let _ = nice(NICENESS);
    Ok(())
}

fn limit(resource: Resource, bytes: u64) -> Result<(), String> {
    setrlimit(
        resource,
        Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        },
    )
    .map_err(|error| format!("cannot limit {resource:?} to {bytes} bytes: {error}"))
}

fn write(code: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(code)?;
    stdout.flush()
}
