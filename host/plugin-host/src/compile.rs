//! Compiles components in a child process with bounded memory and time.
//!
//! The child reads the component from standard input and writes machine code to standard output, which is a file of the
//! cache. So it needs no path, no right to write anywhere, and no other descriptor.

mod child;

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

pub use child::child_main;

use crate::config::Compiler;
use crate::error::{Fault, one_line};

/// KiB of addresses that the child's allocator reserves at a time.
const ARENA_KIB: &str = "65536";
/// Environment variable of the child: its address space, in bytes.
const MEMORY_VARIABLE: &str = "MCP_PLUGIN_COMPILER_MEMORY_BYTES";
/// Environment variable of the child: its processor time, in seconds.
const CPU_TIME_VARIABLE: &str = "MCP_PLUGIN_COMPILER_CPU_SECONDS";
/// How many times its processor time the child may take by the clock.
const PATIENCE: u32 = 10;

/// Exit codes of the child, after sysexits.h: the component is at fault, or the output could not be written.
const EXIT_COMPONENT: u8 = 65;
const EXIT_OUTPUT: u8 = 74;

/// Exit code of a Rust program that panicked: there is no memory for a thread, or the compiler has a defect.
const EXIT_PANIC: u8 = 101;

/// How much of the child's standard error is kept.
const STDERR_BYTES: u64 = 4096;

/// Why there is no machine code.
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    /// The same component would fail again with the same limits.
    pub(crate) permanent: bool,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        let permanent = false;
        Self { fault, permanent }
    }
}

/// Compiles `component` into `output`.
pub(crate) async fn run(compiler: &Compiler, component: &[u8], output: File) -> Result<(), Failed> {
    let mut child = spawn(compiler, output)?;
    // Dropping the child, here or because the caller was dropped, kills it.
    let patience = compiler.cpu_time.saturating_mul(PATIENCE);
    let (status, message) = tokio::time::timeout(patience, feed(&mut child, component))
        .await
        .map_err(|_| took_too_long(compiler))?
        .map_err(|error| Fault::CompilerUnavailable(error.to_string()))?;
    check_status(compiler, status, one_line(&message))
}

fn took_too_long(compiler: &Compiler) -> Fault {
    Fault::CompileTimeout {
        cpu_time: compiler.cpu_time,
    }
}

fn spawn(compiler: &Compiler, output: File) -> Result<Child, Fault> {
    Command::new(&compiler.program)
        .args(&compiler.args)
        .env_clear()
        .env(MEMORY_VARIABLE, compiler.memory_bytes.to_string())
        .env(
            CPU_TIME_VARIABLE,
            compiler.cpu_time.as_secs().max(1).to_string(),
        )
        // The allocator of the static program would reserve a GiB of addresses at once, more than the child may have.
        .env("MIMALLOC_ARENA_RESERVE", ARENA_KIB)
        // Each thread needs memory, and CPU time that requests need.
        .env("RAYON_NUM_THREADS", "2")
        .stdin(Stdio::piped())
        .stdout(output)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            Fault::CompilerUnavailable(format!("{}: {error}", compiler.program.display()))
        })
}

/// Writes the component to the child and reads its standard error until it ends.
async fn feed(child: &mut Child, component: &[u8]) -> std::io::Result<(ExitStatus, String)> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let send = async {
        if let Some(mut stdin) = stdin {
            // A child that ended early reports why by its exit status.
            let _ = stdin.write_all(component).await;
        }
    };
    let receive = async {
        let mut message = Vec::new();
        if let Some(stderr) = stderr {
            let mut head = stderr.take(STDERR_BYTES);
            head.read_to_end(&mut message).await?;
            tokio::io::copy(&mut head.into_inner(), &mut tokio::io::sink()).await?;
        }
        Ok::<_, std::io::Error>(message)
    };
    let ((), message) = tokio::join!(send, receive);
    Ok((
        child.wait().await?,
        String::from_utf8_lossy(&message?).into_owned(),
    ))
}

fn check_status(compiler: &Compiler, status: ExitStatus, message: String) -> Result<(), Failed> {
    if status.success() {
        return Ok(());
    }
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return Err(took_too_long(compiler).into());
    }
    if let Some(signal) = status.signal() {
        let why = format!(
            "the compiler was ended by signal {signal}, most likely because it may only have {} MiB of memory: start the operator with a larger --compiler-memory-mib",
            compiler.memory_bytes >> 20,
        );
        return Err(Failed {
            fault: Fault::CompileFailed(why),
            // Other signals come from outside, for example from the kernel's OOM killer.
            permanent: signal == Signal::ABORT.as_raw(),
        });
    }
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code @ (EXIT_COMPONENT | EXIT_PANIC)) => Err(Failed {
            fault: Fault::CompileFailed(message),
            permanent: code == EXIT_COMPONENT,
        }),
        Some(EXIT_OUTPUT) => Err(Fault::CacheUnusable(message).into()),
        _ => Err(Fault::CompilerUnavailable(format!(
            "{} ended with {status}: {message}",
            compiler.program.display(),
        ))
        .into()),
    }
}
