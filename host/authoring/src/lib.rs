//! `mcp-operator plugin`: a rule of one's own, from an empty folder to a component that ships.
//!
//! - In: the folder of a plugin ([`project`]), or a component by itself; manifests and test cases.
//! - Out: folders that build as they are ([`mod@new`]), components ([`build`]), answers and what is wrong with them, an
//!   [`Outcome`].
//! - Never: it talks to no cluster, and judges nothing itself: a plugin is loaded, limited and confined by the very code of
//!   the operator.
//!
//! [`session`] has the plugin host of an author's machine; [`question`] is what a plugin is asked, [`answer`] what it said,
//! as JSON that people read and write. [`captured`] has questions that an API server has put. [`mod@test`] compares both by [`case`] and [`difference`]; [`mistakes`] names what nobody
//! would notice. [`conformance`] asks by the very words of the contract. [`component`] looks into a component without compiling it, [`componentize`] makes one of a core module.

mod answer;
mod bench;
mod build;
mod captured;
mod case;
mod component;
mod componentize;
mod conformance;
mod difference;
mod inspect;
mod junit;
mod measure;
mod mistakes;
mod new;
mod project;
mod question;
mod registration_json;
mod replay;
mod run;
mod session;
mod test;
mod tools;

use anyhow::Result;
use clap::Subcommand;
pub use mcp_operator_offline::Outcome;
pub use session::{COMPILER_MEMORY_MIB, SIZE_LIMIT_MIB, user_cache};

/// What `mcp-operator plugin` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a folder with a plugin that builds, passes its tests and ships as it is.
    #[command(after_long_help = new::HELP)]
    New(new::Arguments),
    /// Build the component of a folder, with the tools of its language.
    #[command(after_long_help = build::HELP)]
    Build(build::Arguments),
    /// Ask a plugin what the cases of a folder say, and compare its answers.
    #[command(after_long_help = test::HELP)]
    Test(test::Arguments),
    /// Ask a plugin about manifests, and print what it answers.
    #[command(after_long_help = run::HELP)]
    Run(run::Arguments),
    /// Ask a plugin again what an API server has asked.
    #[command(after_long_help = replay::HELP)]
    Replay(replay::Arguments),
    /// Measure what a plugin costs: a call, loading it, compiling it.
    #[command(after_long_help = bench::HELP)]
    Bench(bench::Arguments),
    /// Ask a component that was made for it whether its language speaks the contract.
    #[command(after_long_help = conformance::HELP)]
    Conformance(conformance::Arguments),
    /// Say what a component is: interfaces, imports, description, size, digest.
    #[command(after_long_help = inspect::HELP)]
    Inspect(inspect::Arguments),
}

/// Does it.
///
/// # Errors
/// Why it cannot be done.
pub async fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::New(arguments) => new::run(&arguments),
        Command::Build(arguments) => build::run(&arguments).await,
        Command::Test(arguments) => test::run(&arguments).await,
        Command::Run(arguments) => run::run(&arguments).await,
        Command::Replay(arguments) => replay::run(&arguments).await,
        Command::Bench(arguments) => bench::run(&arguments).await,
        Command::Conformance(arguments) => conformance::run(&arguments).await,
        Command::Inspect(arguments) => inspect::run(&arguments).await,
    }
}
