//! `mcp-operator plugin run`.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use mcp_operator_core::registration_plan::Observation;
use mcp_operator_offline::{Decoder, Outcome, yaml};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::case;
use crate::mistakes;
use crate::project::Project;
use crate::question::{Question, RequestPart, StageWord};
use crate::registration_json::ObservationPart;
use crate::session::{HostArguments, Session, rejected};

/// Options of `plugin run`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Folder of the plugin, or its component.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// File or folder with MCPServers, `-` for standard input. May be given several times.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,

    /// Namespace of manifests that name none.
    #[arg(short, long, default_value = "default")]
    namespace: String,

    /// Settings as YAML or JSON, or `@FILE` with them. [default: spec.settings of plugin.yaml]
    #[arg(long, value_name = "SETTINGS")]
    settings: Option<String>,

    /// When it is asked.
    #[arg(long, value_enum, default_value = "admission")]
    stage: StageWord,

    /// For a registrar: file with a list of what was found, as `observations` of a test case.
    #[arg(long, value_name = "FILE")]
    observations: Option<PathBuf>,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,

    /// How plugins are run.
    #[command(flatten)]
    host: HostArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// As one JSON document.
    Json,
}

pub(crate) const HELP: &str = "\
One plugin is asked, and nobody else: no schema, no other plugin, no defaults but those of the schema. What everything \
together says is printed by `mcp-operator check --plugin FOLDER -f MANIFEST`.

Examples:
  mcp-operator plugin run -f server.yaml
  mcp-operator plugin run my-rule -f server.yaml --settings '{label: team}' -o json
  mcp-operator plugin run require-team-label.wasm -f servers/

Exit codes:
  0  it found nothing wrong
  1  it found errors
  2  it gave no answer";

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let decoder = Decoder::new()?;
    let project = Project::built(&arguments.path, &decoder)?;
    let session = Session::start(&arguments.host)?;
    let settings = arguments.settings.as_deref().map(settings).transpose()?;
    let plugin = session.activate(&project, settings.as_ref()).await;
    let plugin = plugin.map_err(|why| rejected(&why))?;
    let servers = decoder.servers(&arguments.files, &arguments.namespace)?;
    let mut answers = Vec::new();
    if plugin.interfaces().registrar {
        let observations = observations(arguments.observations.as_ref())?;
        let count = servers.len();
        let servers: Vec<Value> = servers.into_iter().map(|(_, server)| server).collect();
        let entries = case::entries(&servers, &decoder)?;
        let answer = case::ask_registrar(&plugin, &entries, &observations).await;
        answers.push((format!("{count} servers"), answer));
    } else {
        for (source, object) in servers {
            let metadata = &object["metadata"];
            let text = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
            let title = format!("{}/{} ({source})", text("namespace"), text("name"));
            let request = RequestPart::at(arguments.stage);
            let question = Question::new(object, request, Map::new());
            let question = question.map_err(|error| anyhow!("{title}: {error}"))?;
            answers.push((title, case::ask(&plugin, &question).await));
        }
    }
    for (_, answer) in &answers {
        let findings = answer.as_ref().ok().and_then(|said| said.get("findings"));
        for note in mistakes::in_findings(&plugin, &decoder, findings.unwrap_or(&Value::Null)) {
            eprintln!("warning: {note}");
        }
    }
    for line in session.take_last_call().output.lines() {
        eprintln!("wrote: {line}");
    }
    match arguments.output {
        Format::Json => print_json(&answers)?,
        Format::Text => answers
            .iter()
            .for_each(|(title, answer)| print_text(title, answer)),
    }
    Ok(worst(answers.iter().map(|(_, answer)| answer)))
}

/// What came of several answers.
pub(crate) fn worst<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> Outcome {
    let outcomes = answers.into_iter().map(outcome);
    outcomes.max().unwrap_or(Outcome::Admitted)
}

/// Settings, or the file that has them.
pub(crate) fn settings(text: &str) -> Result<Map<String, Value>> {
    let (source, text) = match text.strip_prefix('@') {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            (
                file,
                read.with_context(|| format!("--settings: {file} cannot be read"))?,
            )
        }
        None => ("--settings", text.to_owned()),
    };
    match <[Value; 1]>::try_from(yaml(source, &text)?) {
        Ok([Value::Object(settings)]) => Ok(settings),
        _ => bail!("{source}: settings are one document with fields, such as {{label: team}}"),
    }
}

fn observations(file: Option<&PathBuf>) -> Result<Vec<Observation>> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let source = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("{source} cannot be read"))?;
    let mut all = Vec::new();
    for document in yaml(&source, &text)? {
        let parts: Vec<ObservationPart> =
            serde_json::from_value(document).with_context(|| source.clone())?;
        all.extend(parts.into_iter().map(Observation::from));
    }
    Ok(all)
}

fn outcome(answer: &Answer) -> Outcome {
    match answer {
        Err(_) => Outcome::Unanswered,
        Ok(said) => {
            let findings = said.get("findings").and_then(Value::as_array);
            let mut findings = findings.into_iter().flatten();
            if findings.any(|finding| finding["severity"] != "warning") {
                Outcome::Denied
            } else {
                Outcome::Admitted
            }
        }
    }
}

fn print_json(answers: &[(String, Answer)]) -> Result<()> {
    let documents = answers.iter().map(|(title, answer)| match answer {
        Ok(said) => {
            let mut said = said.clone();
            said.insert("about".into(), json!(title));
            Value::Object(said)
        }
        Err(failure) => json!({ "about": title, "failure": failure.json() }),
    });
    println!(
        "{}",
        serde_json::to_string_pretty(&documents.collect::<Vec<_>>())?
    );
    Ok(())
}

/// For people.
pub(crate) fn print_text(title: &str, answer: &Answer) {
    let said = match answer {
        Ok(said) => said,
        Err(failure) => {
            eprintln!(
                "{title}: no answer: {}: {}",
                failure.category, failure.message
            );
            return;
        }
    };
    let list = |name: &str| said.get(name).and_then(Value::as_array);
    let mut lines = Vec::new();
    for finding in list("findings").into_iter().flatten() {
        let text = |name: &str| finding[name].as_str().unwrap_or_default();
        let severity = finding["severity"].as_str().unwrap_or("error");
        let value = finding
            .get("value")
            .map(|value| format!(" ({value})"))
            .unwrap_or_default();
        lines.push(format!(
            "{severity}: {}: {}{value}: {} [{}]",
            text("field"),
            text("type"),
            text("message"),
            text("code")
        ));
    }
    for patch in list("patches").into_iter().flatten() {
        for operation in patch["operations"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let value = operation
                .get("value")
                .map(|value| format!(" {value}"))
                .unwrap_or_default();
            lines.push(format!(
                "{}: {} {}{value} [{}]",
                text(&patch["kind"]),
                text(&operation["op"]),
                text(&operation["path"]),
                text(&patch["code"])
            ));
        }
    }
    for read in list("reads").into_iter().flatten() {
        lines.push(format!(
            "read {}: {}",
            read["id"].as_str().unwrap_or_default(),
            read["source"]
        ));
    }
    let plan = said.get("plan").unwrap_or(&Value::Null);
    for step in plan["steps"].as_array().into_iter().flatten() {
        lines.push(format!("step: {step}"));
    }
    for one in plan["registrations"].as_array().into_iter().flatten() {
        let text = |name: &str| one[name].as_str().unwrap_or_default();
        lines.push(format!(
            "{}: {} {}: {}",
            text("server"),
            text("state"),
            text("reason"),
            text("message")
        ));
    }
    let summary = if lines.is_empty() {
        " nothing to say"
    } else {
        ""
    };
    println!("{title}:{summary}");
    for line in lines {
        println!("  {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_yaml_json_or_a_file() {
        assert_eq!(settings("{label: team}").unwrap()["label"], "team");
        assert_eq!(settings("{\"a\": 1}").unwrap()["a"], 1);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.yaml");
        std::fs::write(&file, "a: [1]\n").unwrap();
        assert_eq!(
            settings(&format!("@{}", file.display())).unwrap()["a"],
            json!([1])
        );
        assert!(
            settings("[1]")
                .unwrap_err()
                .to_string()
                .contains("one document with fields")
        );
        assert!(
            settings("@/no/such")
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
    }

    #[test]
    fn warnings_are_no_errors() {
        let said = |findings: Value| Ok(Map::from_iter([("findings".to_owned(), findings)]));
        assert_eq!(outcome(&said(json!([]))), Outcome::Admitted);
        assert_eq!(
            outcome(&said(json!([{ "severity": "warning" }]))),
            Outcome::Admitted
        );
        assert_eq!(outcome(&said(json!([{ "code": "a" }]))), Outcome::Denied);
        assert_eq!(
            outcome(&Err(crate::answer::Failure::new("Trapped", ""))),
            Outcome::Unanswered
        );
    }
}
