//! What plugins are asked about: one MCPServer, and what they may know besides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mcp_operator_api::names::{GROUP, SERVER_KIND};
use mcp_operator_core::admission::Finding;
use mcp_operator_core::build;
use mcp_operator_core::exception::Exceptions;
use mcp_operator_core::manifest::BuildError;
use mcp_operator_core::namespace::NamespaceFacts;
use mcp_operator_core::private_values;
use mcp_operator_core::validated_server::ValidatedServer;
use mcp_plugin_host::Plugin;
use mcp_plugin_host::contract::{
    DefaultingRequest, GroupVersionKind, NamedJson, Operation, Request, Stage, UserInfo,
};
use serde_json::{Value, json};

/// One MCPServer, and everything that plugins may know when they are asked about it.
#[derive(Clone, Debug)]
pub struct PolicyContext {
    pub operation: Operation,
    pub stage: Stage,
    /// Absent only where an API server sent none.
    pub object: Option<Value>,
    /// The object as it is stored, on update.
    pub old_object: Option<Value>,
    /// Empty if it is generated.
    pub name: String,
    pub namespace: Option<NamespaceFacts>,
    /// Who asks, in admission.
    pub user: Option<Box<User>>,
    /// Nothing will be stored.
    pub dry_run: bool,
    /// The objects that it becomes, if a plugin wants to know them.
    pub rendered: Option<Value>,
}

/// Who asks, as the API server knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub username: String,
    pub uid: String,
    pub groups: Vec<String>,
    /// What else is known of them.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Names of context values that plugins may ask for.
pub(crate) const CONTEXT: [&str; 2] = [RENDERED, NAMESPACE];
pub(crate) const RENDERED: &str = "rendered";
const NAMESPACE: &str = "namespace";

/// The objects that a server becomes, as plugins see them: known before it exists, because building is pure.
///
/// # Errors
/// When an object cannot be written as JSON.
pub fn rendered(server: &ValidatedServer, settings: &build::Settings) -> Result<Value, BuildError> {
    Ok(build::objects(server, settings)?
        .values()
        .cloned()
        .collect())
}

/// A [`PolicyContext`] as JSON text: written once, read by all plugins.
pub(crate) struct SerializedContext<'a> {
    context: &'a PolicyContext,
    object: String,
    old_object: Option<String>,
    namespace: String,
    rendered: Option<String>,
    groups: Vec<&'a str>,
    user_extra: Vec<(&'a str, &'a str)>,
}

impl<'a> SerializedContext<'a> {
    pub(crate) fn of(context: &'a PolicyContext) -> Self {
        let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
        let groups = context
            .user
            .iter()
            .flat_map(|user| user.groups.iter().map(String::as_str));
        let user_extra = context.user.iter().flat_map(|user| {
            let pairs = |(name, values): (&'a String, &'a Vec<String>)| {
                let name = name.as_str();
                values.iter().map(move |value| (name, value.as_str()))
            };
            user.extra.iter().flat_map(pairs)
        });
        Self {
            context,
            object: text(&context.object).unwrap_or_else(|| "null".to_owned()),
            old_object: text(&context.old_object),
            namespace: json!(context.namespace).to_string(),
            rendered: text(&context.rendered),
            groups: groups.collect(),
            user_extra: user_extra.collect(),
        }
    }

    /// A text without what people typed into the object and others should not read.
    pub(crate) fn without_private_values(&self, text: &str) -> String {
        match &self.context.object {
            Some(object) => private_values::hide_in(text, object),
            None => text.to_owned(),
        }
    }

    /// A plugin as it is called for the server's namespace: namespaces share the calls that run at once.
    pub(crate) fn plugin_for(&self, plugin: &Plugin) -> Plugin {
        match &self.context.namespace {
            Some(namespace) => plugin.for_namespace(&namespace.name),
            None => plugin.clone(),
        }
    }

    /// The context values of these names. One that could not be had is missing.
    pub(crate) fn context(&self, wanted: &[String]) -> Vec<NamedJson<'_>> {
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

    /// Makes warnings of what is excepted for this server.
    pub(crate) fn except(&self, exceptions: &Exceptions, findings: &mut [Finding]) {
        let namespace = self.context.namespace.as_ref();
        let namespace = namespace.map_or("", |namespace| namespace.name.as_str());
        exceptions.except(namespace, &self.context.name, findings, Timestamp::now());
    }

    pub(crate) fn request<'b>(&'b self, context: &'b [NamedJson<'b>]) -> Request<'b> {
        Request {
            operation: self.context.operation,
            stage: self.context.stage,
            kind: GroupVersionKind {
                group: GROUP,
                version: "v1alpha1",
                kind: SERVER_KIND,
            },
            name: &self.context.name,
            namespace: self
                .context
                .namespace
                .as_ref()
                .map(|namespace| namespace.name.as_str()),
            user: self.context.user.as_ref().map(|user| UserInfo {
                username: &user.username,
                uid: &user.uid,
                groups: &self.groups,
                extra: &self.user_extra,
            }),
            dry_run: self.context.dry_run,
            object: &self.object,
            old_object: self.old_object.as_deref(),
            context,
        }
    }

    pub(crate) fn defaulting<'b>(
        &'b self,
        objects: &'b [&'b str],
        context: &'b [NamedJson<'b>],
    ) -> DefaultingRequest<'b> {
        DefaultingRequest {
            stage: self.context.stage,
            server: &self.object,
            objects,
            context,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_told_as_kubernetes_knows_them() {
        let extra = vec!["a".to_owned(), "b".to_owned()];
        let context = PolicyContext {
            operation: Operation::Create,
            stage: Stage::Admission,
            object: Some(json!({ "kind": SERVER_KIND })),
            old_object: None,
            name: "a".into(),
            namespace: None,
            user: Some(Box::new(User {
                username: "ann".into(),
                uid: "7".into(),
                groups: vec!["dev".into()],
                extra: [("scopes".to_owned(), extra)].into(),
            })),
            dry_run: false,
            rendered: None,
        };
        let documents = SerializedContext::of(&context);
        let request = documents.request(&[]);
        let user = request.user.unwrap();
        assert_eq!((user.username, user.uid), ("ann", "7"));
        assert_eq!(user.groups, ["dev"]);
        assert_eq!(user.extra, [("scopes", "a"), ("scopes", "b")]);
    }
}
