//! The compiler process by itself, for tests and benchmarks of this crate. The operator has it as a hidden subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_plugin_host::compile::child_main()
}
