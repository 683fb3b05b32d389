//! `kubectl mcp`: what people ask of a cluster with MCPServers.
//!
//! - In: the API's objects, with what the kubeconfig of whoever asks may read ([`cluster`]).
//! - Out: text for people or JSON on standard output, and an [`Outcome`].
//! - Never: it changes nothing, reaches into no pod, and shows no value of a Secret.
//!
//! Each command has one file or folder, and data goes one way in it: objects are read, a view is made of them without a
//! client, and the view is shown ([`view`]). What somebody may not read is said in one line, and the rest is answered all the
//! same ([`readable`]).

#![warn(missing_docs)]

mod arguments;
mod causes;
mod cluster;
mod doctor;
mod explain;
mod pod_trouble;
mod readable;
mod remedies;
mod report;
mod status;
mod tree;
mod view;
mod why;

#[cfg(test)]
mod test_cluster;

use std::io::Write;

use anyhow::Result;
use jiff::Timestamp;

pub use arguments::{KubectlArguments, KubectlCommand, OutputFormat};

use self::cluster::Cluster;
use self::view::{Style, View};

/// What came of a command: its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is wrong, or nobody asked whether it is.
    Fine = 0,
    /// `why` or `doctor` found something.
    Wrong = 1,
    /// The cluster does not answer, or there is no such MCPServer.
    Unanswered = 2,
}

impl From<Outcome> for std::process::ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome as u8)
    }
}

/// Asks, and prints the answer.
///
/// # Errors
/// One sentence: there is no cluster, it does not answer, or what is asked about is not there.
pub async fn run(arguments: KubectlArguments) -> Result<Outcome> {
    let cluster = Cluster::connect(&arguments).await?;
    let output = arguments.output;
    let now = Timestamp::now();
    match arguments.command {
        KubectlCommand::Status { all_namespaces } => {
            show(&status::fleet(&cluster, all_namespaces, now).await?, output)
        }
        KubectlCommand::Tree { name } => show(&tree::tree(&cluster, &name).await?, output),
        KubectlCommand::Explain { name, field } => show(
            &explain::explain(&cluster, &name, field.as_deref()).await?,
            output,
        ),
        KubectlCommand::Why { name } => show(&why::why(&cluster, &name).await?, output),
        KubectlCommand::Doctor => show(&doctor::examine(&cluster, now).await?, output),
        KubectlCommand::Report {
            file,
            all_namespaces,
        } => show(
            &report::write(&cluster, &file, all_namespaces, now).await?,
            output,
        ),
    }
}

fn show(view: &impl View, output: Option<OutputFormat>) -> Result<Outcome> {
    let text = match output {
        Some(OutputFormat::Json) => serde_json::to_string_pretty(view)? + "\n",
        None => view.text(&Style::of_terminal()),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(view.outcome())
}
