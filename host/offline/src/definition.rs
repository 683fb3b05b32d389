//! What the API server does by a custom resource definition.

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use kube::core::cel::{ErrorKind, ValidationErrors, Validator};
use mcp_operator_core::field::{ErrorType, FieldError};
use serde_json::Value;

use crate::schema;

/// The members of `metadata` that there are.
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// One of the operator's own definitions.
pub(crate) struct Definition {
    pub(crate) kind: String,
    pub(crate) plural: String,
    version: String,
    schema: Value,
}

impl Definition {
    pub(crate) fn of<K: CustomResourceExt>() -> Result<Self> {
        Self::read(K::crd())
    }

    fn read(crd: CustomResourceDefinition) -> Result<Self> {
        let (spec, name) = (crd.spec, crd.metadata.name.unwrap_or_default());
        let wrong = |field: &str, what: &str| {
            format!("spec.{field} of CustomResourceDefinition {name} {what}")
        };
        let version = spec.versions.into_iter().next();
        let version = version.with_context(|| wrong("versions", "is empty"))?;
        let schema = version.schema.and_then(|schema| schema.open_api_v3_schema);
        let field = "versions[0].schema.openAPIV3Schema";
        let schema = schema.with_context(|| wrong(field, "is missing"))?;
        Ok(Self {
            kind: spec.names.kind,
            plural: spec.names.plural,
            version: version.name,
            schema: serde_json::to_value(schema)
                .with_context(|| wrong(field, "cannot be written as JSON"))?,
        })
    }

    /// As `kubectl apply` has it decoded: a field that does not exist is an error.
    pub(crate) fn decode(&self, object: &Value) -> Result<Value, String> {
        let mut unknown = schema::unknown(&self.schema, object);
        let metadata = object["metadata"].as_object().into_iter().flatten();
        let metadata = metadata.filter(|(name, _)| !METADATA.contains(&name.as_str()));
        unknown.extend(metadata.map(|(name, _)| format!("metadata.{name}")));
        unknown.sort();
        if !unknown.is_empty() {
            let unknown: Vec<String> = unknown
                .iter()
                .map(|path| format!("unknown field {path:?}"))
                .collect();
            return Err(format!(
                "{0} in version {1:?} cannot be handled as a {0}: strict decoding error: {2}",
                self.kind,
                self.version,
                unknown.join(", ")
            ));
        }
        let mut decoded = object.clone();
        if let Some(members) = decoded.as_object_mut() {
            members.remove("status");
        }
        self.complete(&mut decoded);
        Ok(decoded)
    }

    /// Fills in defaults, and takes out what is not known.
    pub(crate) fn complete(&self, object: &mut Value) {
        schema::remove_unknown(&self.schema, object);
        schema::fill_in(&self.schema, object);
    }

    /// Whether objects can have a field at this path. Of metadata there is what every object has.
    pub(crate) fn has_field(&self, path: &str) -> bool {
        match path.strip_prefix("metadata.") {
            Some(inside) => {
                let end = inside.find(['.', '[']).unwrap_or(inside.len());
                let (name, after) = inside.split_at(end);
                let is_entry = after.len() > 2 && after.starts_with('[') && after.ends_with(']');
                METADATA.contains(&name) && (after.is_empty() || is_entry)
            }
            None => path == "metadata" || schema::has(&self.schema, path),
        }
    }

    /// What is wrong by the schema and its rules.
    pub(crate) fn violations(&self, object: &Value) -> Result<Vec<FieldError>, String> {
        let mut errors = schema::violations(&self.schema, object);
        if errors.iter().any(|error| hides_rules(error.error_type)) {
            errors.push(rule_error("", Some(Value::Null), "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"));
            return Ok(errors);
        }
        let broken = Validator::new().validate(&self.schema, object, None).err();
        for error in broken.into_iter().flat_map(ValidationErrors::into_vec) {
            if error.kind != ErrorKind::ValidationFailure {
                return Err(format!(
                    "the rule {:?} cannot be evaluated: {}",
                    error.rule, error.message
                ));
            }
            errors.push(rule_error(&error.field_path, None, &error.message));
        }
        Ok(errors)
    }
}

/// Whether the API server leaves out the rules in CEL because of such an error.
fn hides_rules(error_type: ErrorType) -> bool {
    use ErrorType::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
    matches!(
        error_type,
        NotSupported | Required | TooLong | TooMany | TypeInvalid
    )
}

fn rule_error(path: &str, bad_value: Option<Value>, message: &str) -> FieldError {
    FieldError {
        // How apimachinery writes a path that there is none.
        field: if path.is_empty() { "<nil>" } else { path }.to_owned(),
        error_type: ErrorType::Invalid,
        bad_value,
        message: message.to_owned(),
        code: "schema".to_owned(),
    }
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
