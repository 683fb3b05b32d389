//! What clients have asked for.

use serde_json::Value;

use crate::request::{Request, Verb};

/// A request, and what was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// What it does.
    pub verb: Verb,
    /// Kind of the resource; its plural, where the server does not know it.
    pub kind: String,
    /// Namespace; empty for all of the cluster.
    pub namespace: String,
    /// Name of the object; empty for a collection.
    pub name: String,
    /// Subresource; empty for the object itself.
    pub subresource: String,
    /// The manager of the fields that are written.
    pub field_manager: Option<String>,
    /// Whether an apply takes over fields of others.
    pub force: bool,
    /// Whether nothing is to be stored.
    pub dry_run: bool,
    /// Label selector of a list or a watch.
    pub label_selector: String,
    /// Field selector of a list or a watch.
    pub field_selector: String,
    /// Whether only metadata is asked for.
    pub metadata_only: bool,
    /// What was sent; null if nothing.
    pub body: Value,
    /// HTTP status of the answer. None: there is none yet, or there was none.
    pub code: Option<u16>,
}

impl Recorded {
    pub(crate) fn new(request: &Request, kind: Option<&str>) -> Self {
        Self {
            verb: request.verb,
            kind: kind.unwrap_or(&request.plural).to_owned(),
            namespace: request.namespace.clone(),
            name: request.object_name().to_owned(),
            subresource: request.subresource.clone(),
            field_manager: request.field_manager.clone(),
            force: request.flag("force"),
            dry_run: request.is_dry_run(),
            label_selector: request.parameter("labelSelector").to_owned(),
            field_selector: request.parameter("fieldSelector").to_owned(),
            metadata_only: request.metadata_only,
            body: request.body.clone(),
            code: None,
        }
    }

    /// What a deletion says about dependents.
    pub fn propagation_policy(&self) -> Option<&str> {
        self.body["propagationPolicy"].as_str()
    }

    /// One line: `apply Deployment tools/mcp-weather -> 200`.
    pub fn line(&self) -> String {
        let verb = format!("{:?}", self.verb).to_lowercase();
        let place = [self.namespace.as_str(), &self.name, &self.subresource];
        let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
        let code = self
            .code
            .map_or_else(|| "no answer".into(), |code| code.to_string());
        format!("{verb} {} {} -> {code}", self.kind, place.join("/"))
    }
}
