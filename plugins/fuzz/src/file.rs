//! The key of a ConfigMap that LiteLLM reads, whatever stands in it, and the list of a LiteLLM that has read it.

use litellm_configmap::LiteLlmConfigMap;
use mcp_plugin_sdk::testing::settings;
use mcp_plugin_sdk::{
    Action, HttpResponse, Observation, Observed, Plan, ReadSource, Registrar, Registry,
    WorkloadState,
};
use serde_json::json;

use crate::servers::{INSTANCE, assert_all_are_told, servers};

/// The first byte says whether the key and the workload are there; then the key, and behind a line of `---` what LiteLLM lists.
pub(crate) fn run(data: &[u8]) {
    let Some((first, texts)) = data.split_first() else {
        return;
    };
    let Ok(texts) = std::str::from_utf8(texts) else {
        return;
    };
    let (file, list) = texts.split_once("\n---\n").unwrap_or((texts, "[]"));
    let file = (first & 1 == 0).then(|| file.to_owned());
    let complete = first & 2 == 0;
    let plan = plan(file.clone(), complete, list);
    assert_all_are_told(&servers(), &plan);
    let Some(written) = written(&plan) else {
        return;
    };
    assert_ne!(
        file.as_deref(),
        Some(written.as_str()),
        "what is there is not written"
    );
    let again = self::plan(Some(written), complete, list);
    assert_eq!(
        self::written(&again),
        None,
        "what is written once is not written twice"
    );
}

fn plan(file: Option<String>, complete: bool, list: &str) -> Plan {
    let settings = settings(json!({ "verify": { "connection": "litellm", "health": true } }));
    let observations = LiteLlmConfigMap::observe(&settings)
        .into_iter()
        .map(|read| {
            let state = match read.source {
                ReadSource::ConfigKey(_) => Observed::ConfigKey(file.clone()),
                ReadSource::Workload(_) => Observed::Workload(Some(WorkloadState {
                    rolled_to: None,
                    complete,
                    message: "1 of 2".into(),
                })),
                ReadSource::Http(_) => Observed::Http(HttpResponse {
                    status: 200,
                    headers: Vec::new(),
                    body: list.into(),
                }),
            };
            Observation { id: read.id, state }
        });
    let registry = Registry {
        instance: INSTANCE.into(),
        observations: observations.collect(),
        servers: servers(),
    };
    LiteLlmConfigMap::plan(&settings, &registry)
}

/// What a plan writes: the operator's own key, and nothing else.
fn written(plan: &Plan) -> Option<String> {
    let mut writes = plan.steps.iter().filter_map(|step| match &step.action {
        Action::WriteConfigKey(write) => Some(write),
        Action::Roll(roll) => {
            assert_eq!(roll.workload.name, "litellm-proxy");
            None
        }
        Action::Send(request) => unreachable!("nothing is sent: {request:?}"),
    });
    let write = writes.next()?;
    assert_eq!(write.key.name, "litellm-mcp-servers");
    assert!(writes.next().is_none(), "one key");
    write.content.clone()
}
