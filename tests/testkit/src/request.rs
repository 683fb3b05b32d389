//! What a client asks for.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Method};
use serde_json::Value;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// One object.
    Get,
    /// All objects that match.
    List,
    /// Changes from a version on.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Replace,
    /// PATCH with an apply configuration: server-side apply.
    Apply,
    /// PATCH of another type.
    Patch,
    /// DELETE of one object.
    Delete,
    /// DELETE of all objects that match.
    DeleteCollection,
    /// What the server has.
    Discover,
}

impl Verb {
    /// Whether it changes something.
    pub fn is_write(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch | Self::Discover)
    }
}

/// A request, as the server has understood it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// What it does.
    pub(crate) verb: Verb,
    /// Group of the resource; empty for the core group.
    pub(crate) group: String,
    /// Version of the API.
    pub(crate) version: String,
    /// Plural of the resource; empty where the whole of a group is asked for.
    pub(crate) plural: String,
    /// Namespace of the path; empty for all of the cluster.
    pub(crate) namespace: String,
    /// Name of the object; empty for a collection.
    pub(crate) name: String,
    /// Subresource, for example `status`; empty for the object itself.
    pub(crate) subresource: String,
    /// The manager of the fields that are written.
    pub(crate) field_manager: Option<String>,
    /// Parameters of the URL.
    pub(crate) query: HashMap<String, String>,
    /// What was sent; null if nothing.
    pub(crate) body: Value,
    /// Whether only metadata is asked for.
    pub(crate) metadata_only: bool,
    pub(crate) content_type: String,
    pub(crate) user_agent: String,
}

impl Request {
    pub(crate) fn read(parts: &http::request::Parts, body: &Bytes) -> Self {
        let query: HashMap<String, String> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let header = |name| text(&parts.headers, name);
        let content_type = header(CONTENT_TYPE);
        let mut request = Self {
            verb: Verb::Discover,
            group: String::new(),
            version: String::new(),
            plural: String::new(),
            namespace: String::new(),
            name: String::new(),
            subresource: String::new(),
            field_manager: query.get("fieldManager").cloned(),
            body: serde_json::from_slice(body).unwrap_or_default(),
            metadata_only: header(ACCEPT).contains("as=PartialObjectMetadata"),
            user_agent: header(USER_AGENT),
            content_type,
            query,
        };
        request.locate(parts.uri.path());
        request.verb = request.verb_of(&parts.method);
        request
    }

    fn locate(&mut self, path: &str) {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let mut next = || parts.next().unwrap_or_default().to_owned();
        if next() == "apis" {
            self.group = next();
        }
        self.version = next();
        self.plural = next();
        if self.plural == "namespaces" {
            let (namespace, plural) = (next(), next());
            if plural.is_empty() || plural == "status" || plural == "finalize" {
                (self.name, self.subresource) = (namespace, plural);
                return;
            }
            (self.namespace, self.plural) = (namespace, plural);
        }
        self.name = next();
        self.subresource = next();
    }

    fn verb_of(&self, method: &Method) -> Verb {
        let of_one = !self.name.is_empty();
        match *method {
            _ if self.plural.is_empty() => Verb::Discover,
            Method::POST => Verb::Create,
            Method::PUT => Verb::Replace,
            Method::PATCH if self.content_type.starts_with("application/apply-patch") => {
                Verb::Apply
            }
            Method::PATCH => Verb::Patch,
            Method::DELETE if of_one => Verb::Delete,
            Method::DELETE => Verb::DeleteCollection,
            _ if of_one => Verb::Get,
            _ if self.flag("watch") => Verb::Watch,
            _ => Verb::List,
        }
    }

    /// Name of the object: what is made says it itself.
    pub(crate) fn object_name(&self) -> &str {
        match self.verb {
            Verb::Create => self.body["metadata"]["name"].as_str().unwrap_or_default(),
            _ => &self.name,
        }
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        let value = self.parameter(name);
        value == "true" || value == "1"
    }

    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn is_dry_run(&self) -> bool {
        self.query.contains_key("dryRun")
    }

    /// Who writes, where no field manager is named: the program, as it calls itself.
    pub(crate) fn manager(&self) -> &str {
        match self.field_manager.as_deref() {
            Some(manager) if !manager.is_empty() => manager,
            _ => match self.user_agent.split('/').next() {
                Some(agent) if !agent.is_empty() => agent,
                _ => "unknown",
            },
        }
    }
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
