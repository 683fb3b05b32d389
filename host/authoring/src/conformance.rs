//! `mcp-operator plugin conformance`.

mod ask;
mod compare;
mod input;
mod outcome;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use mcp_operator_offline::Outcome;
use mcp_plugin_host::{Interfaces, Limits, Plugin};
use serde::Deserialize;
use serde_json::Value;

use crate::session::{HostArguments, Session};

/// What the build script found.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/conformance.rs"));
}

/// The version of the contract that the cases are of.
const VERSION: &str = "1.0.0";

/// Options of `plugin conformance`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// A component that does what wit/1.0.0/conformance says.
    component: PathBuf,

    /// How plugins are run.
    #[command(flatten)]
    host: HostArguments,
}

pub(crate) const HELP: &str = "\
Whether a language, or a tool that makes components, speaks the contract: a plugin in that language that does what \
wit/1.0.0/conformance/README.md says is asked what the cases there have, and must answer to the byte. Interfaces that it does not \
export are passed over. It says nothing about rules: `plugin test` does.

Exit codes:
  0  it answers all of them
  1  it does not
  2  nobody can say: it cannot be read, or is of another version of the contract";

/// One question, and its only answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    function: Function,
    settings: Option<Value>,
    input: Option<Value>,
    expected: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Function {
    Describe,
    ValidateSettings,
    Validate,
    Defaults,
    Observe,
    Plan,
}

impl Function {
    fn is_exported(self, interfaces: Interfaces) -> bool {
        match self {
            Self::Describe | Self::ValidateSettings => true,
            Self::Validate => interfaces.validator,
            Self::Defaults => interfaces.defaulter,
            Self::Observe | Self::Plan => interfaces.registrar,
        }
    }
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let file = arguments.component.display();
    let bytes =
        std::fs::read(&arguments.component).with_context(|| format!("{file} cannot be read"))?;
    let session = Session::start(&arguments.host)?;
    let plugin = session.host().load("conformance", &bytes).await;
    let plugin = plugin.map_err(|error| anyhow!("{file}: {}", error.fault()))?;
    let version = plugin.contract().as_str();
    ensure!(
        version == VERSION,
        "{file} is of the contract {version}: there are only cases for {VERSION}"
    );
    let (mut asked, mut failed, mut passed_over) = (0, 0, 0);
    for case in cases()? {
        if !case.function.is_exported(plugin.interfaces()) {
            passed_over += 1;
            continue;
        }
        asked += 1;
        match judge(&plugin, &case).await? {
            None => println!("ok   {}", case.name),
            Some(difference) => {
                failed += 1;
                println!("FAIL {}\n     {difference}", case.name);
                for line in session.take_last_call().output.lines() {
                    println!("     wrote: {line}");
                }
            }
        }
    }
    let interfaces: Vec<&str> = plugin.interfaces().names().collect();
    println!(
        "conformance {VERSION} ({}): {} passed, {failed} failed, {passed_over} of interfaces that it does not export",
        interfaces.join(", "),
        asked - failed
    );
    Ok(if failed == 0 {
        Outcome::Admitted
    } else {
        Outcome::Denied
    })
}

/// All cases, those of `metadata` first.
fn cases() -> Result<Vec<Case>> {
    let mut files: Vec<_> = embedded::CASES.iter().collect();
    files.sort_by_key(|(name, _)| (*name != "metadata.json", *name));
    let mut cases = Vec::new();
    for (name, text) in files {
        let read: Vec<Case> =
            serde_json::from_str(text).with_context(|| format!("wit/{VERSION}: {name}"))?;
        cases.extend(read);
    }
    Ok(cases)
}

/// Asks, and says where the answer differs. The error is about the case.
async fn judge(plugin: &Plugin, case: &Case) -> Result<Option<String>> {
    // Languages that begin slowly are not what is looked at.
    let limits = Limits {
        timeout: Duration::from_secs(10),
        ..Limits::default()
    };
    let about = || format!("case {:?}", case.name);
    let found = ask::ask(plugin, case, &limits).await.with_context(about)?;
    let expected = match (&case.expected, &case.input) {
        (Value::String(word), Some(input)) if word == "echo" => {
            outcome::echo(case.function, input).with_context(about)?
        }
        (expected, _) => expected.clone(),
    };
    Ok(compare::difference("", &expected, &found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_cases_of_each_function_and_each_has_what_it_needs() {
        let cases = cases().unwrap();
        let of = |function| {
            cases
                .iter()
                .filter(move |case: &&Case| case.function == function)
        };
        for function in [
            Function::Describe,
            Function::ValidateSettings,
            Function::Validate,
            Function::Defaults,
            Function::Observe,
            Function::Plan,
        ] {
            assert!(of(function).next().is_some(), "{function:?}");
            let has_input = matches!(
                function,
                Function::Validate | Function::Defaults | Function::Plan
            );
            for case in of(function) {
                assert_eq!(case.input.is_some(), has_input, "{}", case.name);
                let has_settings = function != Function::Describe;
                assert_eq!(case.settings.is_some(), has_settings, "{}", case.name);
            }
        }
        let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "no name twice in all of the files");
    }
}
