//! Benchmarks only: see `benches/`.

pub mod machine;
pub mod question;

use std::process::ExitCode;

use anyhow::Result;

/// The exit code of a measurement, with an error on standard error.
pub fn exit_code(measured: Result<()>) -> ExitCode {
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
