//! Test cases: a question, and what is expected of the answer.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build;
use mcp_operator_core::desired_entries::RegistrationEntry;
use mcp_operator_core::registration_plan::Observation;
use mcp_operator_offline::{Decoder, yaml};
use mcp_operator_policy::ActivePlugin;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::{self, Answer, Failure};
use crate::question::{Question, RequestPart};
use crate::registration_json::{self, ObservationPart};

/// The installation that a registrar registers for, in tests.
const INSTANCE: &str = "mcp-operator";

/// One case, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// In the place of those of `plugin.yaml`.
    pub(crate) settings: Option<Map<String, Value>>,
    /// The MCPServer.
    manifest: Option<Value>,
    /// The file that has the MCPServer, from the folder of the cases.
    file: Option<PathBuf>,
    #[serde(default)]
    request: RequestPart,
    /// Values that the plugin asks for, in the place of those that are made of the MCPServer.
    #[serde(default)]
    context: Map<String, Value>,
    /// The MCPServers that a registrar registers.
    servers: Option<Vec<Value>>,
    /// What was found for its reads.
    #[serde(default)]
    observations: Vec<ObservationPart>,
    pub(crate) expect: Map<String, Value>,
}

/// What can be expected.
const EXPECTATIONS: [&str; 6] = ["findings", "patches", "result", "reads", "plan", "failure"];

/// The cases of a file.
pub(crate) fn read(file: &Path) -> Result<Vec<Case>> {
    let source = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("{source} cannot be read"))?;
    let mut cases = Vec::new();
    for document in yaml(&source, &text)? {
        let items = match document {
            Value::Array(items) => items,
            one => vec![one],
        };
        for item in items {
            let name = item["name"].as_str().unwrap_or("without a name").to_owned();
            let about = || format!("{source}: case {name:?}");
            let case: Case =
                serde_json::from_value(item).map_err(|error| anyhow!("{}: {error}", about()))?;
            case.check().with_context(about)?;
            cases.push(case);
        }
    }
    Ok(cases)
}

impl Case {
    fn check(&self) -> Result<()> {
        ensure!(
            !self.expect.is_empty(),
            "expect says nothing: it may have {}",
            EXPECTATIONS.join(", ")
        );
        for name in self.expect.keys() {
            ensure!(
                EXPECTATIONS.contains(&name.as_str()),
                "expect.{name}: there are only {}",
                EXPECTATIONS.join(", ")
            );
        }
        let about = [
            self.manifest.is_some(),
            self.file.is_some(),
            self.servers.is_some(),
        ];
        match about.into_iter().filter(|given| *given).count() {
            1 => Ok(()),
            0 => bail!("say what it is about: manifest, file, or servers for a registrar"),
            _ => bail!("only one of manifest, file and servers can be given"),
        }
    }

    /// Asks the plugin. The outer error is about the case.
    pub(crate) async fn ask(
        &self,
        plugin: &ActivePlugin,
        decoder: &Decoder,
        folder: &Path,
    ) -> Result<Answer> {
        if let Some(servers) = &self.servers {
            let entries = entries(servers, decoder)?;
            return Ok(self.ask_registrar(plugin, &entries).await);
        }
        let question = self.question(decoder, folder)?;
        Ok(ask(plugin, &question).await)
    }

    fn question(&self, decoder: &Decoder, folder: &Path) -> Result<Question> {
        let object = match (&self.manifest, &self.file) {
            (Some(manifest), _) => decoder
                .server(manifest.clone(), "default")
                .context("manifest")?,
            (None, Some(file)) => {
                let servers = decoder.servers(&[folder.join(file)], "default")?;
                let [(_, only)] = <[_; 1]>::try_from(servers).map_err(|several| {
                    anyhow!(
                        "{}: {} MCPServers, one is wanted",
                        file.display(),
                        several.len()
                    )
                })?;
                only
            }
            (None, None) => bail!("manifest is missing"),
        };
        let mut request = self.request.clone();
        if let Some(old) = request.old_object.take() {
            request.old_object = Some(
                decoder
                    .server(old, "default")
                    .context("request.oldObject")?,
            );
        }
        Question::new(object, request, self.context.clone()).map_err(|error| anyhow!(error))
    }

    async fn ask_registrar(&self, plugin: &ActivePlugin, entries: &[RegistrationEntry]) -> Answer {
        let observations: Vec<Observation> =
            self.observations.iter().cloned().map(Into::into).collect();
        ask_registrar(plugin, entries, &observations).await
    }
}

/// What a registrar is given of MCPServers.
pub(crate) fn entries(servers: &[Value], decoder: &Decoder) -> Result<Vec<RegistrationEntry>> {
    let settings = build::Settings::default();
    let entry = |server: &Value| {
        let mut server = decoder.server(server.clone(), "default")?;
        let metadata = &mut server["metadata"];
        // What an API server adds.
        for (name, value) in [
            ("uid", "test"),
            ("creationTimestamp", "2026-01-01T00:00:00Z"),
        ] {
            if metadata[name].is_null() {
                metadata[name] = value.into();
            }
        }
        let server: McpServer = serde_json::from_value(server)?;
        Ok(RegistrationEntry::of(&server, &settings))
    };
    let mut entries = servers.iter().map(entry).collect::<Result<Vec<_>>>()?;
    entries.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(entries)
}

/// Asks for all that the plugin can say about one MCPServer.
pub(crate) async fn ask(plugin: &ActivePlugin, question: &Question) -> Answer {
    let mut answer = Map::new();
    let interfaces = plugin.interfaces();
    if interfaces.validator {
        let said = question.validate(plugin).await;
        let said = said.map_err(|error| Failure::from(&error))?;
        answer.insert("findings".into(), answer::findings(&said));
    }
    if interfaces.defaulter {
        let objects = question.objects();
        let said = question.defaults(plugin, &objects).await;
        let said = said.map_err(|error| Failure::from(&error))?;
        answer.insert("patches".into(), answer::patches(&said, &objects));
        let result = answer::patched(plugin, &objects, said)?;
        refuse_unstable(plugin, question, &result).await?;
        answer.insert("result".into(), Value::Array(result));
    }
    if answer.is_empty() {
        let message = "it has no rules and no defaults: ask it about servers";
        return Err(Failure::new("WrongWorld", message));
    }
    Ok(answer)
}

/// A defaulter that always finds something to change would have objects written for ever.
async fn refuse_unstable(
    plugin: &ActivePlugin,
    question: &Question,
    result: &[Value],
) -> Result<(), Failure> {
    let again = question.defaults(plugin, result).await;
    let again = again.map_err(|error| Failure::from(&error))?;
    let completed = answer::patched(plugin, result, again.clone())?;
    if completed == result {
        return Ok(());
    }
    let message = format!(
        "on objects that it has completed it wants changes again: {}",
        answer::patches(&again, result)
    );
    Err(Failure::new("Unstable", message))
}

/// Asks a registrar what it reads, and what it does about what was found.
pub(crate) async fn ask_registrar(
    plugin: &ActivePlugin,
    entries: &[RegistrationEntry],
    observations: &[Observation],
) -> Answer {
    if !plugin.interfaces().registrar {
        let message = "it is no registrar: ask it about a manifest";
        return Err(Failure::new("WrongWorld", message));
    }
    let failed = |failure: mcp_operator_core::admission::PluginFailure| {
        Failure::new(failure.category, failure.message)
    };
    let reads = plugin.observe().await.map_err(failed)?;
    let plan = plugin.plan(INSTANCE, entries, observations).await;
    let plan = plan.map_err(failed)?;
    let reads = registration_json::reads(&reads);
    let plan = registration_json::plan(&plan);
    Ok(Map::from_iter([
        ("reads".to_owned(), reads),
        ("plan".to_owned(), plan),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cases.yaml");
        std::fs::write(&file, text).unwrap();
        let error = read(&file).unwrap_err();
        format!("{error:#}").replace(&folder.path().display().to_string(), "")
    }

    #[test]
    fn what_is_wrong_with_a_case_is_said_with_its_name() {
        for (text, expected) in [
            (
                "- {name: a, manifest: {}, expects: {}}",
                "/cases.yaml: case \"a\": unknown field `expects`",
            ),
            (
                "- {name: a, manifest: {}, expect: {}}",
                "case \"a\": expect says nothing",
            ),
            (
                "- {name: a, manifest: {}, expect: {finding: []}}",
                "expect.finding: there are only findings",
            ),
            (
                "- {name: a, expect: {findings: []}}",
                "say what it is about",
            ),
            (
                "- {manifest: {}, expect: {findings: []}}",
                "case \"without a name\": missing field `name`",
            ),
            (
                "- {name: a, manifest: {}, servers: [], expect: {findings: []}}",
                "only one of",
            ),
        ] {
            let error = error(text);
            assert!(error.contains(expected), "{error}");
        }
    }
}
