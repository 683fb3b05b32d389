//! What keeps a write from being done.

use serde_json::Value;

use crate::status::Failure;
use crate::write::{Write, text};

impl Write<'_> {
    pub(crate) fn read(&self, body: &Value) -> Result<Value, Failure> {
        if !body.is_object() {
            return Err(Failure::bad_request("the body is no JSON object"));
        }
        self.check_identity(body)?;
        Ok(body.clone())
    }

    pub(crate) fn check_identity(&self, object: &Value) -> Result<(), Failure> {
        let api = &self.resource.api;
        if object["kind"] != api.kind.as_str() || object["apiVersion"] != api.api_version.as_str() {
            let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
            return Err(Failure::bad_request(format!(
                "the API version in the data ({version}, {kind}) does not match the expected API version ({}, {})",
                api.api_version, api.kind
            )));
        }
        let (name, namespace) = (
            &object["metadata"]["name"],
            &object["metadata"]["namespace"],
        );
        let (name, namespace) = (text(name), text(namespace));
        if !name.is_empty() && name != self.key.name {
            return Err(Failure::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                self.key.name
            )));
        }
        if !namespace.is_empty() && namespace != self.key.namespace {
            return Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        Ok(())
    }

    pub(crate) fn check_version(&self, version: &Value, live: &Value) -> Result<(), Failure> {
        if text(version).is_empty() || *version == live["metadata"]["resourceVersion"] {
            return Ok(());
        }
        Err(Failure::modified(self.resource, &self.key.name))
    }

    /// A patch that names another uid is invalid; through the status of a custom resource nothing but the status is looked
    /// at.
    pub(crate) fn check_uid(&self, object: &Value, live: &Value) -> Result<(), Failure> {
        let uid = &object["metadata"]["uid"];
        let is_ignored = self.is_of_status() && self.resource.is_custom;
        if uid.is_null() || *uid == live["metadata"]["uid"] || is_ignored {
            return Ok(());
        }
        let why = format!("Invalid value: \"{}\": field is immutable", text(uid));
        Err(Failure::invalid(
            self.resource,
            &self.key.name,
            "metadata.uid",
            &why,
        ))
    }

    pub(crate) fn other_uid(&self, wanted: &Value, live: &Value) -> Failure {
        let why = format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            text(wanted),
            text(&live["metadata"]["uid"])
        );
        Failure::conflict(self.resource, &self.key.name, &why)
    }
}
