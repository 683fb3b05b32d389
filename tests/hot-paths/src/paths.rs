//! The paths. What is prepared once is not counted.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use compliance::Compliance;
use litellm_configmap::LiteLlmConfigMap;
use mcp_operator_api::v1alpha1::{McpServer, PluginGrants};
use mcp_operator_core::build;
use mcp_operator_core::patch::{ObjectPatch, apply};
use mcp_operator_core::ssa_diff::differences;
use mcp_operator_core::validated_server::ValidatedServer;
use mcp_plugin_sdk::{
    Finding, Observation, Observed, ReadSource, Registrar, Registry, Request, Severity, Stage,
    Validator, testing,
};
use serde_json::{Value, json};
use validation::Validation;

/// An MCPServer as a real API server sends it: with defaults, the annotation of `kubectl apply`, and `managedFields`.
const SERVER: &str = include_str!("../../bench/benches/mcpserver.json");
/// Enough that a plan is what its servers take.
const REGISTERED: usize = 100;

/// What is done at each request, reconcile or pass.
#[derive(Clone, Copy)]
pub(crate) enum Path {
    /// The rules of `validation` judge an MCPServer, which is read before.
    Validate,
    /// `compliance` completes all objects of an MCPServer.
    Complete,
    /// An MCPServer is read, and becomes objects.
    Build,
    /// The patches of a plugin are applied to these, and what came of it is confined.
    Confine,
    /// All of them are compared to what is there, of which nothing differs.
    Compare,
    /// `litellm-configmap` plans that a hundred servers are registered.
    Plan,
}

/// Takes a path once.
type Take = Box<dyn FnMut() -> Result<()>>;

impl Path {
    pub(crate) const ALL: [Self; 6] = [
        Self::Validate,
        Self::Complete,
        Self::Build,
        Self::Confine,
        Self::Compare,
        Self::Plan,
    ];

    /// As its count is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Complete => "complete",
            Self::Build => "build",
            Self::Confine => "confine",
            Self::Compare => "compare",
            Self::Plan => "plan",
        }
    }

    pub(crate) fn prepare(self) -> Result<Take> {
        match self {
            Self::Validate => Ok(validate()),
            Self::Complete => complete(),
            Self::Build => Ok(Box::new(|| objects().map(black_box).map(drop))),
            Self::Confine => confine(),
            Self::Compare => compare(),
            Self::Plan => Ok(plan()),
        }
    }
}

fn validate() -> Take {
    let settings = testing::settings(json!({ "ecr": { "accounts": ["123456789012"] } }));
    let request = Request::default();
    Box::new(move || {
        let server = serde_json::from_str(SERVER)?;
        let findings = Validation::validate(&settings, &server, &request);
        let is_refused = |finding: &Finding| matches!(finding.severity, Severity::Error);
        ensure!(!findings.iter().any(is_refused), "it is refused");
        black_box(findings);
        Ok(())
    })
}

/// What an MCPServer becomes.
fn objects() -> Result<Vec<Value>> {
    let server: McpServer = serde_json::from_str(SERVER)?;
    let parsed = ValidatedServer::parse(&server).ok();
    let parsed = parsed.context("the server is not valid")?;
    let built = build::objects(&parsed, &build::Settings::default())?;
    Ok(built.values().cloned().collect())
}

/// What `compliance` makes of objects.
fn completion() -> Result<impl Fn(&[Value]) -> Vec<Value>> {
    let settings = testing::settings(json!({}));
    let server: mcp_plugin_sdk::McpServer = serde_json::from_str(SERVER)?;
    Ok(move |objects: &[Value]| {
        let complete = |object: &Value| {
            let (object, server) = (object.clone(), server.clone());
            testing::complete::<Compliance>(&settings, object, server, Stage::Reconcile)
        };
        objects.iter().map(complete).collect()
    })
}

fn complete() -> Result<Take> {
    let (objects, completed) = (objects()?, completion()?);
    Ok(Box::new(move || {
        black_box(completed(&objects));
        Ok(())
    }))
}

fn confine() -> Result<Take> {
    let objects = objects()?;
    // As the chart grants them to it.
    let labels =
        ["component", "part-of", "version"].map(|name| format!("app.kubernetes.io/{name}"));
    let grants: PluginGrants = serde_json::from_value(json!({ "labels": labels }))?;
    let mut patches = Vec::new();
    for (position, (before, after)) in objects.iter().zip(completion()?(&objects)).enumerate() {
        patches.push(ObjectPatch {
            object: position,
            code: "of-a-bench".into(),
            operations: json_patch::diff(before, &after).0,
        });
    }
    Ok(Box::new(move || {
        black_box(apply(&objects, &patches, &grants)?);
        Ok(())
    }))
}

/// Field manager of what is there.
const MANAGER: &str = "mcp-operator";

fn compare() -> Result<Take> {
    let objects = completion()?(&objects()?);
    let live: Vec<Value> = objects.iter().map(applied).collect();
    Ok(Box::new(move || {
        for (desired, live) in objects.iter().zip(&live) {
            let found = differences(desired, live, MANAGER);
            ensure!(found.is_empty(), "it differs: {found:?}");
            black_box(found);
        }
        Ok(())
    }))
}

/// As the API server keeps what was applied, with a status of somebody else.
fn applied(desired: &Value) -> Value {
    let mut fields = owned(desired);
    for (parent, names) in [
        ("", ["f:apiVersion", "f:kind"]),
        ("/f:metadata", ["f:name", "f:namespace"]),
    ] {
        let members = fields.pointer_mut(parent).and_then(Value::as_object_mut);
        if let Some(members) = members {
            members.retain(|name, _| !names.contains(&name.as_str()));
        }
    }
    let mut live = desired.clone();
    live["status"] = json!({ "observedGeneration": 1 });
    live["metadata"]["managedFields"] = json!([{
        "manager": MANAGER, "operation": "Apply", "apiVersion": desired["apiVersion"],
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    }]);
    live
}

/// Members one by one, and lists as a whole.
fn owned(value: &Value) -> Value {
    let members = value.as_object().into_iter().flatten();
    let members = members.map(|(name, member)| (format!("f:{name}"), owned(member)));
    Value::Object(members.collect())
}

fn plan() -> Take {
    let settings = testing::settings(json!({}));
    let servers = (0..REGISTERED)
        .map(|number| testing::registrable("tools", &format!("server-{number:03}")))
        .collect();
    let observations = LiteLlmConfigMap::observe(&settings);
    let observations = observations.into_iter().map(|read| Observation {
        state: match read.source {
            ReadSource::Workload(_) => Observed::Workload(None),
            ReadSource::ConfigKey(_) | ReadSource::Http(_) => Observed::ConfigKey(None),
        },
        id: read.id,
    });
    let registry = Registry {
        instance: "mcp-operator".into(),
        servers,
        observations: observations.collect(),
    };
    Box::new(move || {
        let plan = LiteLlmConfigMap::plan(&settings, &registry);
        ensure!(!plan.steps.is_empty(), "nothing is planned");
        black_box(plan);
        Ok(())
    })
}
