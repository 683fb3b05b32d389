//! `mcp-operator plugin test`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use mcp_operator_offline::{Decoder, Outcome};
use serde_json::{Value, json};

use crate::answer::{Answer, Failure};
use crate::case::{self, Case};
use crate::difference::differences;
use crate::junit::{self, CaseResult};
use crate::mistakes;
use crate::project::Project;
use crate::session::{HostArguments, Session};

/// Options of `plugin test`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Folder of the plugin, or its component.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// File or folder with cases. May be given several times. [default: the folder `cases` of the plugin]
    #[arg(short, long, value_name = "PATH")]
    cases: Vec<PathBuf>,

    /// Only cases with this in their names.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Write the results as JUnit's XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// How plugins are run.
    #[command(flatten)]
    host: HostArguments,
}

pub(crate) const HELP: &str = "\
A case is an item of a YAML file:

  - name: a server without an owner is refused
    settings: {label: owner}              # default: spec.settings of plugin.yaml
    manifest: {spec: {image: {repository: ghcr.io/acme/mcp}}}      # or file: server.yaml
    request: {operation: update, stage: admission, user: {username: ann, groups: [dev]}, oldObject: {...}}
    context: {namespace: {labels: {env: prod}}}       # what the plugin asks for; `rendered` is made of the manifest
    expect:
      findings: [{code: owner, field: 'metadata.labels[owner]', type: Required}]

What `expect` may have, and only what is said is compared:
  findings   all that a validator finds, in any order: code, field, type, value, message, severity
  patches    what a defaulter changes: kind, code, operations [{op, path, value}]
  result     the objects after that; with `request: {stage: reconcile}` those that the MCPServer becomes
  reads      what a registrar reads;  plan: {steps, registrations}  what it does
  failure    why there is no answer: a word such as InvalidSettings, Trapped or PatchRefused, or
             {category: Trapped, message: a part of the sentence}
A registrar is given `servers: [MCPServer...]` and `observations: [{id: list, found: {configKey: null}}]`, where
`found` is one of configKey, workload, http {status, headers, body} and unavailable.

Plugins are loaded, limited and confined as by the operator, by spec.limits and spec.grants of plugin.yaml. What a defaulter \
has completed it is asked about again, and must not change.

Exit codes:
  0  all cases passed
  1  some did not
  2  nobody can say: no component, a case that cannot be read";

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let decoder = Decoder::new()?;
    let project = Project::built(&arguments.path, &decoder)?;
    let files = files(&arguments.cases, &project.folder)?;
    let session = Session::start(&arguments.host)?;
    // Compiled once, so that the times of cases are their own. Why it cannot be is told by each case.
    let _ = session.activate(&project, None).await;
    let mut results = Vec::new();
    for file in &files {
        let folder = file.parent().unwrap_or(Path::new(""));
        for case in case::read(file)? {
            let wanted = arguments.filter.as_deref().unwrap_or_default();
            if !case.name.contains(wanted) {
                continue;
            }
            let (result, output) = judge(&session, &project, &decoder, &case, folder).await?;
            print(&result, &output);
            results.push(result);
        }
    }
    if results.is_empty() {
        bail!("there is no case to ask");
    }
    if let Some(file) = &arguments.junit {
        std::fs::write(file, junit::xml(project.name(), &results))
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let failed = results
        .iter()
        .filter(|result| result.failure.is_some())
        .count();
    println!(
        "{}: {} passed, {failed} failed",
        project.name(),
        results.len() - failed
    );
    Ok(if failed == 0 {
        Outcome::Admitted
    } else {
        Outcome::Denied
    })
}

/// The files with cases, those of folders by name.
fn files(given: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    let default = [folder.join("cases")];
    let places = if given.is_empty() {
        &default[..]
    } else {
        given
    };
    let mut files = Vec::new();
    for place in places {
        if place.is_dir() {
            let entries = place
                .read_dir()
                .with_context(|| format!("{} cannot be read", place.display()))?;
            let paths = entries.flatten().map(|entry| entry.path());
            let is_yaml = |path: &PathBuf| {
                let extension = path.extension().and_then(|extension| extension.to_str());
                matches!(extension, Some("yaml" | "yml" | "json"))
            };
            let mut found: Vec<PathBuf> = paths.filter(is_yaml).collect();
            found.sort();
            files.extend(found);
        } else {
            files.push(place.clone());
        }
    }
    if files.is_empty() {
        bail!(
            "{} has no cases: `mcp-operator plugin test --help` shows one",
            places[0].display()
        );
    }
    Ok(files)
}

/// Asks, and says what is wrong with the answer. Mistakes that nobody asked about come with what the plugin wrote.
async fn judge(
    session: &Session,
    project: &Project,
    decoder: &Decoder,
    case: &Case,
    folder: &Path,
) -> Result<(CaseResult, Vec<String>)> {
    let began = Instant::now();
    let mut notes = Vec::new();
    let answer = match session.activate(project, case.settings.as_ref()).await {
        Ok(plugin) => {
            let about = || format!("case {:?}", case.name);
            let answer = case
                .ask(&plugin, decoder, folder)
                .await
                .with_context(about)?;
            if let Ok(said) = &answer {
                notes = mistakes::in_findings(
                    &plugin,
                    decoder,
                    &said.get("findings").cloned().unwrap_or_default(),
                );
            }
            answer
        }
        Err(why) => Err(Failure::from(&why)),
    };
    let result = CaseResult {
        name: case.name.clone(),
        took: began.elapsed(),
        failure: failure(case, &answer),
    };
    let mut output: Vec<String> = notes
        .iter()
        .map(|note| format!("warning: {note}"))
        .collect();
    let wrote = session.take_last_call().output;
    output.extend(wrote.lines().map(|line| format!("wrote: {line}")));
    Ok((result, output))
}

/// What is wrong, as text of some lines.
fn failure(case: &Case, answer: &Answer) -> Option<String> {
    let expected = case.expect.get("failure");
    let texts = match (answer, expected) {
        (Err(failed), Some(expected)) => failure_differences(expected, failed),
        (Err(failed), None) => vec![format!(
            "failure\n  expected nothing\n  got      {}: {}",
            failed.category, failed.message
        )],
        (Ok(_), Some(expected)) => vec![format!(
            "failure\n  expected {expected}\n  got      nothing: the plugin answered {}",
            json!(answer.as_ref().ok())
        )],
        (Ok(said), None) => {
            let expected = case.expect.iter();
            let all = expected.flat_map(|(name, expected)| match said.get(name) {
                Some(Value::Array(objects)) if name == "result" => results(expected, objects),
                found => differences(name, expected, found.unwrap_or(&Value::Null))
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            });
            all.collect()
        }
    };
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// Of the objects, only those that are named.
fn results(expected: &Value, objects: &[Value]) -> Vec<String> {
    let Some(expected) = expected.as_array() else {
        return vec![format!(
            "result\n  expected a list of objects\n  but the case has {expected}"
        )];
    };
    let mut texts = Vec::new();
    for wanted in expected {
        let kind = &wanted["kind"];
        let found = objects
            .iter()
            .find(|object| kind.is_null() || object["kind"] == *kind);
        let path = format!("result[{}]", kind.as_str().unwrap_or("first"));
        let all = differences(&path, wanted, found.unwrap_or(&Value::Null));
        texts.extend(all.iter().map(ToString::to_string));
    }
    texts
}

/// A word is the category; of a sentence, a part is enough.
fn failure_differences(expected: &Value, failed: &Failure) -> Vec<String> {
    let (category, message) = match expected {
        Value::String(word) => (Some(word.as_str()), None),
        members => (members["category"].as_str(), members["message"].as_str()),
    };
    let fits = category.is_none_or(|word| word == failed.category)
        && message.is_none_or(|part| failed.message.contains(part));
    if fits && (category.is_some() || message.is_some()) {
        return Vec::new();
    }
    vec![format!(
        "failure\n  expected {expected}\n  got      {}",
        failed.json()
    )]
}

fn print(result: &CaseResult, output: &[String]) {
    let word = if result.failure.is_none() {
        "ok  "
    } else {
        "FAIL"
    };
    println!("{word} {} ({})", result.name, readable(result.took));
    for line in result
        .failure
        .iter()
        .flat_map(|text| text.lines())
        .chain(output.iter().map(String::as_str))
    {
        println!("     {line}");
    }
}

fn readable(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(expect: Value, answer: &Answer) -> String {
        let case = json!({ "name": "a", "manifest": {}, "expect": expect });
        let case: Case = serde_json::from_value(case).unwrap();
        failure(&case, answer).unwrap_or_default()
    }

    #[test]
    fn a_failure_is_expected_by_its_category_or_a_part_of_its_message() {
        let failed = Err(Failure::new("Trapped", "trapped in validate: unreachable"));
        assert_eq!(texts(json!({ "failure": "Trapped" }), &failed), "");
        assert_eq!(
            texts(json!({ "failure": { "message": "unreachable" } }), &failed),
            ""
        );
        assert!(texts(json!({ "failure": "Internal" }), &failed).contains("expected \"Internal\""));
        assert!(texts(json!({ "failure": {} }), &failed).contains("expected {}"));
        assert!(texts(json!({ "findings": [] }), &failed).contains("Trapped: trapped in"));
        let said = Ok(serde_json::Map::from_iter([(
            "findings".to_owned(),
            json!([]),
        )]));
        assert!(texts(json!({ "failure": "Trapped" }), &said).contains("got      nothing"));
        assert_eq!(texts(json!({ "findings": [] }), &said), "");
        assert!(
            texts(json!({ "patches": [] }), &said).contains("got      null"),
            "it is no defaulter"
        );
    }

    #[test]
    fn of_the_result_only_the_kinds_that_are_named_are_compared() {
        let objects = json!([{ "kind": "Service" }, { "kind": "Deployment", "spec": { "a": 1 } }]);
        let said = Ok(serde_json::Map::from_iter([("result".to_owned(), objects)]));
        let expect = |a: i32| json!({ "result": [{ "kind": "Deployment", "spec": { "a": a } }] });
        assert_eq!(texts(expect(1), &said), "");
        assert!(texts(expect(2), &said).starts_with("result[Deployment].spec.a\n"));
        assert!(texts(json!({ "result": [{ "kind": "Pod" }] }), &said).contains("got      null"));
        assert!(texts(json!({ "result": {} }), &said).contains("expected a list"));
    }
}
