//! What plugins are asked about.

use std::collections::BTreeMap;

use mcp_operator_api::names::{GROUP, SERVER_KIND};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build;
use mcp_plugin_host::contract::{
    DefaultingRequest, GroupVersionKind, NamedJson, Operation, Request, Stage, UserInfo,
};
use serde::Serialize;
use serde_json::Value;

/// One MCPServer, and everything about the question.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What happens to the object.
    pub operation: Operation,
    /// On which way it is asked.
    pub stage: Stage,
    /// The object; absent when it is deleted.
    pub object: Option<Value>,
    /// The object as it is stored, on update.
    pub old_object: Option<Value>,
    /// Its name; empty if it is generated.
    pub name: String,
    /// Its namespace.
    pub namespace: Option<NamespaceFacts>,
    /// Who asks, in admission.
    pub user: Option<User>,
    /// Nothing will be stored.
    pub dry_run: bool,
    /// The objects that it becomes, if a plugin wants to know them.
    pub rendered: Option<Value>,
}

/// A namespace, as rules and selectors see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct NamespaceFacts {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Who asks, as the API server knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub username: String,
    /// Groups.
    pub groups: Vec<String>,
}

/// Names of context values that plugins may ask for.
pub(super) const CONTEXT: [&str; 2] = [RENDERED, NAMESPACE];
pub(super) const RENDERED: &str = "rendered";
const NAMESPACE: &str = "namespace";

/// The objects that a server becomes, as plugins are told: known before it exists, because building is pure.
pub(crate) fn rendered(server: &McpServer, settings: &build::Settings) -> Value {
    build::objects(server, settings)
        .into_iter()
        .map(|manifest| manifest.object)
        .collect()
}

/// The same as text: written once, read by all plugins.
pub(super) struct Documents<'a> {
    subject: &'a Subject,
    object: Option<String>,
    old_object: Option<String>,
    namespace: String,
    rendered: Option<String>,
    groups: Vec<&'a str>,
}

impl<'a> Documents<'a> {
    pub(super) fn of(subject: &'a Subject) -> Self {
        let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
        let groups = subject
            .user
            .iter()
            .flat_map(|user| user.groups.iter().map(String::as_str));
        Self {
            subject,
            object: text(&subject.object),
            old_object: text(&subject.old_object),
            namespace: serde_json::to_string(&subject.namespace).unwrap_or_default(),
            rendered: text(&subject.rendered),
            groups: groups.collect(),
        }
    }

    /// The context values of these names. One that could not be had is missing.
    pub(super) fn context(&self, wanted: &[String]) -> Vec<NamedJson<'_>> {
        let values = [
            (RENDERED, self.rendered.as_deref()),
            (NAMESPACE, Some(self.namespace.as_str())),
        ];
        let wanted = values
            .into_iter()
            .filter(|(name, _)| wanted.iter().any(|wanted| wanted == name));
        wanted
            .filter_map(|(name, value)| {
                Some(NamedJson {
                    name,
                    value: value?,
                })
            })
            .collect()
    }

    pub(super) fn request<'b>(&'b self, context: &'b [NamedJson<'b>]) -> Request<'b> {
        Request {
            operation: self.subject.operation,
            stage: self.subject.stage,
            kind: GroupVersionKind {
                group: GROUP,
                version: "v1alpha1",
                kind: SERVER_KIND,
            },
            name: &self.subject.name,
            namespace: self
                .subject
                .namespace
                .as_ref()
                .map(|namespace| namespace.name.as_str()),
            user: self.subject.user.as_ref().map(|user| UserInfo {
                username: &user.username,
                groups: &self.groups,
            }),
            dry_run: self.subject.dry_run,
            object: self.object.as_deref(),
            old_object: self.old_object.as_deref(),
            context,
        }
    }

    pub(super) fn defaulting<'b>(
        &'b self,
        objects: &'b [&'b str],
        context: &'b [NamedJson<'b>],
    ) -> DefaultingRequest<'b> {
        let server = self.object.as_deref().unwrap_or("{}");
        DefaultingRequest {
            stage: self.subject.stage,
            server,
            objects,
            context,
        }
    }
}
