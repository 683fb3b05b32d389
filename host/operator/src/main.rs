//! The operator's command line.

use std::process::ExitCode;

use clap::Parser;
use mcp_operator::cli::{Arguments, Command};
use mcp_operator::{crd, run, telemetry};

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::CompileComponent => return mcp_plugin_host::compile::child_main(),
        Command::Crd { plural } => crd::yaml(plural.as_deref()).map(|yaml| print!("{yaml}")),
        Command::Run(arguments) => operate(*arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn operate(arguments: mcp_operator::cli::RunArguments) -> anyhow::Result<()> {
    telemetry::init(arguments.log_json);
    telemetry::install_crypto();
    tokio::runtime::Runtime::new()?.block_on(run::run(arguments))
}
