//! The project's commands: `cargo xtask --help`.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Everything that is done with this checkout: each command sets up what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the main job on a real cluster on this machine.
    Demo(commands::demo::Arguments),
    /// Measure what plugins or the controller cost, and print ratios.
    Bench(commands::bench::Arguments),
    /// Break everything around two replicas by a schedule, and have it judged what users saw of that.
    Chaos(commands::chaos::Arguments),
    /// Have MCPServers judged on a real node while replicas are replaced, drained, killed, upgraded and rolled back.
    Availability(commands::availability::Arguments),
    /// Let a fuzzer look for bytes from outside that something does not hold for.
    Fuzz(commands::fuzz::Arguments),
    /// Run every test there is.
    Test(commands::test::Arguments),
    /// Build what clusters need into the cache, and nothing else.
    Build(commands::build::Arguments),
    /// Make the operator's container image, without a container engine.
    Image(commands::image::Arguments),
    /// Count the instructions of what the operator does most often, beside what is kept of them.
    Instructions(commands::instructions::Arguments),
    /// Make the manifests of kustomize from the chart, or check both.
    Manifests(commands::manifests::Arguments),
    /// Start a cluster that stays until `down`.
    Up(commands::up::Arguments),
    /// Stop the cluster that `up` started.
    Down,
    /// Print the path of the kubeconfig of the cluster that `up` started.
    Kubeconfig,
    /// Keep a cluster running; `up` starts this in the background.
    #[command(hide = true)]
    Supervise(commands::supervise::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => commands::demo::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::Chaos(arguments) => commands::chaos::run(&arguments),
        Command::Availability(arguments) => commands::availability::run(&arguments),
        Command::Fuzz(arguments) => commands::fuzz::run(&arguments),
        Command::Test(arguments) => commands::test::run(&arguments),
        Command::Build(arguments) => commands::build::run(&arguments),
        Command::Image(arguments) => commands::image::run(&arguments),
        Command::Instructions(arguments) => commands::instructions::run(&arguments),
        Command::Manifests(arguments) => commands::manifests::run(&arguments),
        Command::Up(arguments) => commands::up::run(&arguments),
        Command::Down => commands::down::run(),
        Command::Kubeconfig => commands::kubeconfig::run(),
        Command::Supervise(arguments) => commands::supervise::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_has_no_contradictions() {
        super::Arguments::command().debug_assert();
    }
}
