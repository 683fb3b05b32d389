//! Puts the question of a case, in the types of the contract.

use anyhow::{Context, Result};
use mcp_plugin_host::contract::{DefaultingRequest, Registry, Request};
use mcp_plugin_host::{Limits, Plugin};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::input::{self, DefaultingInput, RegistryInput, RequestInput};
use super::outcome::{self, outcome};
use super::{Case, Function};

/// What became of it, as cases say it.
pub(super) async fn ask(plugin: &Plugin, case: &Case, limits: &Limits) -> Result<Value> {
    let settings = case.settings.clone().unwrap_or_default().to_string();
    let settings = settings.as_str();
    Ok(match case.function {
        Function::Describe => outcome(plugin.describe(limits).await.map(outcome::description)),
        Function::ValidateSettings => {
            let said = plugin.validate_settings(settings, limits).await;
            outcome(said.map(outcome::findings))
        }
        Function::Validate => {
            let input: RequestInput = read(case)?;
            let said = validate(plugin, settings, &input, limits).await;
            outcome(said.map(outcome::findings))
        }
        Function::Defaults => {
            let input: DefaultingInput = read(case)?;
            let objects = input::texts(&input.objects);
            let request = DefaultingRequest {
                stage: input.stage.into(),
                server: &input.server,
                objects: &objects,
                context: &input::named(&input.context),
            };
            let said = plugin.defaults(settings, &request, limits).await;
            outcome(said.map(outcome::patches))
        }
        Function::Observe => {
            let said = plugin.observe(settings, limits).await;
            outcome(said.map(outcome::reads))
        }
        Function::Plan => {
            let input: RegistryInput = read(case)?;
            let lists: Vec<_> = input.servers.iter().map(input::Lists::of).collect();
            let servers = input.servers.iter().zip(&lists);
            let servers: Vec<_> = servers.map(|(one, lists)| one.server(lists)).collect();
            let headers: Vec<_> = input.observations.iter().map(input::headers).collect();
            let observations = input.observations.iter().zip(&headers);
            let observations: Vec<_> = observations
                .map(|(one, headers)| one.observation(headers))
                .collect();
            let registry = Registry {
                instance: &input.instance,
                servers: &servers,
                observations: &observations,
                context: &input::named(&input.context),
            };
            let said = plugin.plan(settings, &registry, limits).await;
            outcome(said.map(outcome::plan))
        }
    })
}

async fn validate(
    plugin: &Plugin,
    settings: &str,
    input: &RequestInput,
    limits: &Limits,
) -> Result<Vec<mcp_plugin_host::contract::Finding>, mcp_plugin_host::PluginError> {
    let user = input.user.as_ref();
    let groups = user.map(|user| input::texts(&user.groups));
    let groups = groups.unwrap_or_default();
    let extra = user.map(|user| input::pairs(&user.extra));
    let extra = extra.unwrap_or_default();
    let request = Request {
        operation: input.operation.into(),
        stage: input.stage.into(),
        kind: input.kind.kind(),
        name: &input.name,
        namespace: input.namespace.as_deref(),
        user: user.map(|user| user.info(&groups, &extra)),
        dry_run: input.dry_run,
        object: &input.object,
        old_object: input.old_object.as_deref(),
        context: &input::named(&input.context),
    };
    plugin.validate(settings, &request, limits).await
}

fn read<T: DeserializeOwned>(case: &Case) -> Result<T> {
    let input = case.input.clone().context("it has no input")?;
    serde_json::from_value(input).context("input")
}
