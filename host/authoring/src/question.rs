//! What a plugin is asked: one MCPServer and what belongs to it, or a set of them.

use std::collections::BTreeMap;

use mcp_operator_core::build;
use mcp_operator_core::namespace::NamespaceFacts;
use mcp_operator_core::validated_server::ValidatedServer;
use mcp_operator_policy::{ActivePlugin, Operation, Stage, rendered};
use mcp_plugin_host::PluginError;
use mcp_plugin_host::contract::{
    DefaultingRequest, Finding, GroupVersionKind, NamedJson, Patch, Request, UserInfo,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How the question is put: as by the API server when an object is created, unless it says otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RequestPart {
    #[serde(default)]
    operation: OperationWord,
    #[serde(default)]
    pub(crate) stage: StageWord,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    dry_run: bool,
    /// The MCPServer as it is stored.
    #[serde(default)]
    pub(crate) old_object: Option<Value>,
}

impl RequestPart {
    /// As usual, at this stage.
    pub(crate) fn at(stage: StageWord) -> Self {
        Self {
            stage,
            ..Self::default()
        }
    }

    /// As an API server has asked.
    pub(crate) fn at_admission(
        operation: OperationWord,
        user: User,
        dry_run: bool,
        old_object: Option<Value>,
    ) -> Self {
        Self {
            operation,
            stage: StageWord::Admission,
            user: Some(user),
            dry_run,
            old_object,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OperationWord {
    #[default]
    Create,
    Update,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StageWord {
    /// As when the API server asks about a request.
    #[default]
    Admission,
    /// As when the operator works on what is stored: a defaulter is given the objects that the MCPServer becomes.
    Reconcile,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) uid: String,
    #[serde(default)]
    pub(crate) groups: Vec<String>,
    #[serde(default)]
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

/// One MCPServer, ready to be asked about.
pub(crate) struct Question {
    pub(crate) object: Value,
    pub(crate) request: RequestPart,
    /// Values by their names.
    pub(crate) context: Map<String, Value>,
}

impl Question {
    /// About an MCPServer. What plugins may know besides is made of it, unless it is given.
    pub(crate) fn new(
        object: Value,
        request: RequestPart,
        mut context: Map<String, Value>,
    ) -> Result<Self, String> {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let facts = NamespaceFacts {
            name: namespace.to_owned(),
            ..NamespaceFacts::default()
        };
        let mut known = json!(facts);
        if let (Some(known), Some(Value::Object(given))) =
            (known.as_object_mut(), context.remove("namespace"))
        {
            known.extend(given);
        }
        context.insert("namespace".to_owned(), known);
        if !context.contains_key("rendered") {
            context.insert("rendered".to_owned(), objects_of(&object)?);
        }
        Ok(Self {
            object,
            request,
            context,
        })
    }

    /// What the plugin finds.
    pub(crate) async fn validate(
        &self,
        plugin: &ActivePlugin,
    ) -> Result<Vec<Finding>, PluginError> {
        let (object, old) = (self.object.to_string(), self.old_object());
        let context = self.texts(plugin);
        let context = named(&context);
        let groups: Vec<&str> = self
            .request
            .user
            .iter()
            .flat_map(|user| &user.groups)
            .map(String::as_str)
            .collect();
        let user_extra: Vec<(&str, &str)> = self
            .request
            .user
            .iter()
            .flat_map(|user| &user.extra)
            .flat_map(|(name, values)| values.iter().map(|value| (name.as_str(), value.as_str())))
            .collect();
        let text = |name: &str| self.object["metadata"][name].as_str();
        let request = Request {
            operation: match self.request.operation {
                OperationWord::Create => Operation::Create,
                OperationWord::Update => Operation::Update,
            },
            stage: self.stage(),
            kind: GroupVersionKind {
                group: "mcp.litellm.ai",
                version: "v1alpha1",
                kind: "MCPServer",
            },
            name: text("name").unwrap_or_default(),
            namespace: text("namespace"),
            user: self.request.user.as_ref().map(|user| UserInfo {
                username: &user.username,
                uid: &user.uid,
                groups: &groups,
                extra: &user_extra,
            }),
            dry_run: self.request.dry_run,
            object: &object,
            old_object: old.as_deref(),
            context: &context,
        };
        let component = plugin.component();
        component
            .validate(plugin.settings(), &request, plugin.limits())
            .await
    }

    /// The objects that a defaulter is given.
    pub(crate) fn objects(&self) -> Vec<Value> {
        match self.request.stage {
            StageWord::Admission => vec![self.object.clone()],
            StageWord::Reconcile => {
                let rendered = self.context["rendered"].as_array();
                rendered.cloned().unwrap_or_default()
            }
        }
    }

    /// What a defaulter would change of these objects.
    pub(crate) async fn defaults(
        &self,
        plugin: &ActivePlugin,
        objects: &[Value],
    ) -> Result<Vec<Patch>, PluginError> {
        let server = self.object.to_string();
        let context = self.texts(plugin);
        let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let request = DefaultingRequest {
            stage: self.stage(),
            server: &server,
            objects: &texts,
            context: &named(&context),
        };
        let component = plugin.component();
        component
            .defaults(plugin.settings(), &request, plugin.limits())
            .await
    }

    fn stage(&self) -> Stage {
        match self.request.stage {
            StageWord::Admission => Stage::Admission,
            StageWord::Reconcile => Stage::Reconcile,
        }
    }

    fn old_object(&self) -> Option<String> {
        let only_at_admission = self.request.stage == StageWord::Admission;
        let old = self
            .request
            .old_object
            .as_ref()
            .filter(|_| only_at_admission)?;
        Some(old.to_string())
    }

    /// The values that the plugin asks for.
    fn texts(&self, plugin: &ActivePlugin) -> Vec<(String, String)> {
        let wanted = plugin.description().context.iter();
        wanted
            .filter_map(|name| Some((name.clone(), self.context.get(name)?.to_string())))
            .collect()
    }
}

fn named(values: &[(String, String)]) -> Vec<NamedJson<'_>> {
    let values = values.iter();
    values
        .map(|(name, value)| NamedJson { name, value })
        .collect()
}

/// What the operator makes of an MCPServer with its own defaults.
fn objects_of(object: &Value) -> Result<Value, String> {
    let server = serde_json::from_value(object.clone());
    let server = server.map_err(|error| format!("the MCPServer cannot be read: {error}"))?;
    // What cannot be built has no objects; rules are asked all the same.
    let Ok(server) = ValidatedServer::parse(&server) else {
        return Ok(json!([]));
    };
    rendered(&server, &build::Settings::default()).map_err(|error| error.to_string())
}
