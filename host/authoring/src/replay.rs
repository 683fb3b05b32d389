//! `mcp-operator plugin replay`.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use mcp_operator_offline::{Decoder, Outcome, yaml};
use serde_json::{Map, Value, json};

use crate::captured::{self, Capture, Captured};
use crate::project::Project;
use crate::question::Question;
use crate::run::{print_text, settings, worst};
use crate::session::{HostArguments, Session, rejected};
use crate::{answer::Answer, case};

/// Options of `plugin replay`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// File with requests, `-` for standard input.
    file: PathBuf,

    /// Folder of the plugin, or its component.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// Settings as YAML or JSON, or `@FILE` with them. [default: spec.settings of plugin.yaml]
    #[arg(long, value_name = "SETTINGS")]
    settings: Option<String>,

    /// File with the namespaces of the requests, as `kubectl get namespaces --output yaml` prints them: no request has them.
    #[arg(long, value_name = "FILE")]
    namespaces: Option<PathBuf>,

    /// Write the answers into this file, a line of JSON for each request.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// Fail unless the answers are, byte for byte, those that were recorded in this file.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,

    /// How plugins are run.
    #[command(flatten)]
    host: HostArguments,
}

pub(crate) const HELP: &str = "\
A request is an AdmissionReview, or an event of an API server's audit log about an MCPServer (level Request or above; \
what is about something else is passed over). The plugin is asked what the operator would ask it. An audit log does not \
have the object before an update, and of what was admitted it has the object after all defaults.

Examples:
  grep mcpservers audit.log | mcp-operator plugin replay - my-rule
  mcp-operator plugin replay review.json my-rule --record before.jsonl
  mcp-operator plugin replay review.json my-rule --compare before.jsonl       # after a change of the rule

Exit codes:
  0  it found nothing wrong; with --compare: it says what it said
  1  it found errors; with --compare: it says something else
  2  it gave no answer, or the requests cannot be read";

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let decoder = Decoder::new()?;
    let source = arguments.file.display().to_string();
    let Capture { requests, left_out } =
        captured::read(&text(&arguments.file)?, &decoder).with_context(|| source.clone())?;
    for reason in &left_out {
        eprintln!("left out: {reason}");
    }
    ensure!(
        !requests.is_empty(),
        "{source}: there is no request about an MCPServer that can be put again"
    );
    let namespaces = namespaces(arguments.namespaces.as_deref())?;
    let project = Project::built(&arguments.path, &decoder)?;
    let session = Session::start(&arguments.host)?;
    let settings = arguments.settings.as_deref().map(settings).transpose()?;
    let plugin = session.activate(&project, settings.as_ref()).await;
    let plugin = plugin.map_err(|why| rejected(&why))?;
    let (mut answers, mut lines) = (Vec::new(), String::new());
    for request in requests {
        let title = title(&request);
        let Captured {
            object,
            request,
            answered,
            id,
        } = request;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let context = namespaces.get(namespace).cloned();
        let context = Map::from_iter(context.map(|facts| ("namespace".to_owned(), facts)));
        let question = Question::new(object, request, context);
        let question = question.map_err(|error| anyhow!("{title}: {error}"))?;
        let answer = case::ask(&plugin, &question).await;
        print_text(&title, &answer);
        if let Some(answered) = answered {
            println!("  (the API server answered: {answered})");
        }
        lines.push_str(&line(&id, &answer));
        answers.push(answer);
    }
    if let Some(file) = &arguments.record {
        std::fs::write(file, &lines)
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    match &arguments.compare {
        Some(file) => compare(&lines, file),
        None => Ok(worst(&answers)),
    }
}

fn text(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn title(request: &Captured) -> String {
    let metadata = &request.object["metadata"];
    let text = |name: &str| metadata[name].as_str().unwrap_or_default();
    // Of a name that is generated, a request has only the beginning.
    let name = match text("name") {
        "" => text("generateName"),
        name => name,
    };
    format!("{}/{name} ({})", text("namespace"), request.id)
}

/// What rules know of namespaces, by name.
fn namespaces(file: Option<&Path>) -> Result<Map<String, Value>> {
    let Some(file) = file else {
        return Ok(Map::new());
    };
    let source = file.display().to_string();
    let mut facts = Map::new();
    for document in yaml(&source, &text(file)?)? {
        let items = match &document["items"] {
            Value::Array(items) => items.clone(),
            _ => vec![document],
        };
        for item in items {
            if item["kind"] != "Namespace" {
                bail!("{source}: {} is no Namespace", item["kind"]);
            }
            let metadata = &item["metadata"];
            let of = |name: &str| match &metadata[name] {
                Value::Object(values) => values.clone(),
                _ => Map::new(),
            };
            let name = metadata["name"].as_str().unwrap_or_default();
            facts.insert(
                name.to_owned(),
                json!({ "labels": of("labels"), "annotations": of("annotations") }),
            );
        }
    }
    Ok(facts)
}

/// An answer, in the same bytes whenever it is the same.
fn line(id: &str, answer: &Answer) -> String {
    let mut members = match answer {
        Ok(said) => said.clone(),
        Err(failure) => Map::from_iter([("failure".to_owned(), failure.json())]),
    };
    members.insert("request".into(), json!(id));
    format!("{}\n", Value::Object(members))
}

fn compare(lines: &str, file: &Path) -> Result<Outcome> {
    let recorded = text(file)?;
    if recorded == lines {
        println!("the answers are those of {}", file.display());
        return Ok(Outcome::Admitted);
    }
    let (mut now, mut before) = (lines.lines(), recorded.lines());
    loop {
        match (now.next(), before.next()) {
            (Some(now), Some(before)) if now == before => {}
            (None, None) => break,
            (now, before) => {
                let shown = |line: Option<&str>| line.unwrap_or("nothing").to_owned();
                eprintln!("recorded  {}\nnow       {}", shown(before), shown(now));
            }
        }
    }
    Ok(Outcome::Denied)
}
