//! The operator's command line.

use std::process::ExitCode;

use mcp_operator::cli::{Arguments, CheckArguments, Command, PluginCommand, RunArguments};
use mcp_operator::telemetry::{Telemetry, install_crypto};
use mcp_operator::{crd, dashboards, plugin_registry, run, storage_migration, verify};
use mcp_operator_kubectl as kubectl;
use mcp_operator_metrics::Metrics;
use mcp_operator_offline::{self as offline, Outcome};

/// musl's own allocator has one lock for all threads, and gives each larger piece back to the kernel: a quarter of the time in
/// which a manifest is judged would go there.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let result = match arguments.command {
        Command::CompileComponent => return mcp_plugin_host::compile::child_main(),
        Command::Crd {
            plural,
            apply: false,
            serve,
        } => crd::manifests(plural.as_deref(), serve.as_deref()).map(|yaml| print!("{yaml}")),
        Command::Crd {
            plural,
            apply: true,
            serve,
        } => ask(crd::apply(plural.as_deref(), serve.as_deref())),
        Command::MigrateStorage => ask(storage_migration::migrate()),
        Command::Verify { namespace } => ask(verify::verify(&namespace)),
        Command::Plugin(command) => match *command {
            PluginCommand::Author(command) => {
                return answer(mcp_operator_authoring::run(command), Outcome::Unanswered);
            }
            PluginCommand::Registry(command) => ask(plugin_registry::run(command)),
        },
        Command::Import { files, namespace } => {
            return match offline::import(&files, namespace.as_deref()) {
                Ok(outcome) => outcome.into(),
                Err(error) => {
                    eprintln!("error: {error:#}");
                    Outcome::Unanswered.into()
                }
            };
        }
        Command::Kubectl(arguments) => return question(kubectl::run(*arguments)),
        Command::Dashboards { name } => dashboards::print(&name),
        Command::Run(arguments) => operate(*arguments),
        Command::Render(arguments) => {
            let rendered = async { offline::render(arguments.sources()?).await };
            return answer(rendered, Outcome::Unanswered);
        }
        Command::Check(arguments) => {
            let CheckArguments { manifests, report } = *arguments;
            let checked = async { offline::check(manifests.sources()?, report).await };
            return answer(checked, Outcome::Unanswered);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn operate(arguments: RunArguments) -> anyhow::Result<()> {
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    tokio::runtime::Runtime::new()?.block_on(async {
        let telemetry = Telemetry::start(&arguments, metrics.traces())?;
        run::run(arguments, metrics, telemetry).await
    })
}

/// A command that talks to a cluster, and ends.
fn ask(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    install_crypto();
    tokio::runtime::Runtime::new()?.block_on(command)
}

/// A question to a cluster.
fn question(command: impl Future<Output = anyhow::Result<kubectl::Outcome>>) -> ExitCode {
    install_crypto();
    answer(command, kubectl::Outcome::Unanswered)
}

/// Commands that answer have an exit code for each answer, and one for what could not be answered.
fn answer<T: Into<ExitCode>>(
    command: impl Future<Output = anyhow::Result<T>>,
    unanswered: T,
) -> ExitCode {
    let outcome = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(command));
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            unanswered.into()
        }
    }
}
