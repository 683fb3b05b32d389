//! Writing: what becomes of an object, and what keeps it from that.

use serde_json::{Map, Value, json};

use crate::managed_fields::{SYSTEM_METADATA, Writer, apply, now, update};
use crate::request::{Request, Verb};
use crate::resources::ResourceType;
use crate::rules::Rules;
use crate::status::Failure;
use crate::store::{Key, Store};

/// A write of one object.
pub(crate) struct Write<'a> {
    pub(crate) resource: &'a ResourceType,
    pub(crate) store: &'a mut Store,
    /// None: whoever writes is not asked by anybody.
    pub(crate) rules: Option<&'a Rules>,
    pub(crate) key: Key,
    pub(crate) writer: Writer<'a>,
    pub(crate) dry_run: bool,
}

impl Write<'_> {
    pub(crate) fn live(&self) -> Option<Value> {
        self.store.get(&self.key).cloned()
    }

    fn existing(&self) -> Result<Value, Failure> {
        let live = self.live();
        live.ok_or_else(|| Failure::not_found(self.resource, &self.key.name))
    }

    pub(crate) fn is_of_status(&self) -> bool {
        !self.writer.subresource.is_empty()
    }

    pub(crate) fn create(&mut self, request: &Request) -> Result<Value, Failure> {
        let mut object = self.read(&request.body)?;
        if self.resource.is_review {
            if let Some(rules) = self.rules {
                rules.admit(&self.resource.api.kind, &mut object)?;
            }
            return Ok(object);
        }
        if self.key.name.is_empty()
            && let Some(prefix) = object["metadata"]["generateName"].as_str()
        {
            self.key.name = format!("{prefix}{:05}", self.store.revision() % 100_000);
        }
        if self.key.name.is_empty() {
            let why = "Required value: name or generateName is required";
            return Err(Failure::invalid(self.resource, "", "metadata.name", why));
        }
        if self.live().is_some() {
            return Err(Failure::already_exists(self.resource, &self.key.name));
        }
        if self.resource.has_status {
            remove(&mut object, "status");
        }
        self.name(&mut object);
        let object = update(self.resource, None, object, &self.writer);
        self.commit(None, object)
    }

    pub(crate) fn replace(&mut self, request: &Request) -> Result<Value, Failure> {
        let (live, mut object) = (self.existing()?, self.read(&request.body)?);
        let (uid, version) = (
            &object["metadata"]["uid"],
            &object["metadata"]["resourceVersion"],
        );
        if !uid.is_null() && *uid != live["metadata"]["uid"] {
            return Err(self.other_uid(uid, &live));
        }
        if version.is_null() && self.resource.is_custom {
            let why = "Invalid value: 0x0: must be specified for an update";
            let field = "metadata.resourceVersion";
            return Err(Failure::invalid(self.resource, &self.key.name, field, why));
        }
        self.check_version(version, &live)?;
        self.confine(&mut object, &live);
        let object = update(self.resource, Some(&live), object, &self.writer);
        self.commit(Some(live), object)
    }

    /// A merge patch or a JSON patch.
    pub(crate) fn patch(&mut self, request: &Request) -> Result<Value, Failure> {
        let live = self.existing()?;
        let mut object = live.clone();
        match request.content_type.as_str() {
            "application/merge-patch+json" => json_patch::merge(&mut object, &request.body),
            "application/json-patch+json" => {
                let patch: json_patch::Patch = serde_json::from_value(request.body.clone())
                    .map_err(|error| Failure::bad_request(error.to_string()))?;
                json_patch::patch(&mut object, &patch)
                    .map_err(|error| Failure::new(422, "Invalid", error.to_string()))?;
            }
            _ => {
                let message = "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
                return Err(Failure::new(415, "UnsupportedMediaType", message));
            }
        }
        self.check_identity(&object)?;
        self.check_version(&object["metadata"]["resourceVersion"], &live)?;
        self.check_uid(&object, &live)?;
        self.confine(&mut object, &live);
        let object = update(self.resource, Some(&live), object, &self.writer);
        self.commit(Some(live), object)
    }

    pub(crate) fn apply(&mut self, request: &Request) -> Result<Value, Failure> {
        if request.field_manager.as_deref().is_none_or(str::is_empty) {
            let message = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
            return Err(Failure::new(422, "Invalid", message));
        }
        let mut config = self.read(&request.body)?;
        if !config["metadata"]["managedFields"].is_null() {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        let live = self.live();
        match &live {
            Some(live) => {
                self.check_version(&config["metadata"]["resourceVersion"], live)?;
                self.check_uid(&config, live)?;
            }
            None if self.is_of_status() => {
                return Err(Failure::not_found(self.resource, &self.key.name));
            }
            None => {
                if let Some(uid) = config["metadata"]["uid"].as_str() {
                    let why = format!(
                        "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                    );
                    return Err(Failure::conflict(self.resource, &self.key.name, &why));
                }
            }
        }
        self.name(&mut config);
        remove_system_metadata(&mut config);
        self.keep_own_part(&mut config);
        let force = request.flag("force");
        let object = apply(self.resource, live.as_ref(), &config, &self.writer, force)?;
        self.commit(live, object)
    }

    /// Takes the object away, or marks it while finalizers hold it. Gives the answer.
    pub(crate) fn delete(&mut self, options: &Value) -> Result<Value, Failure> {
        let mut live = self.existing()?;
        let wanted = &options["preconditions"];
        if !wanted["uid"].is_null() && wanted["uid"] != live["metadata"]["uid"] {
            return Err(self.other_uid(&wanted["uid"], &live));
        }
        let version = &wanted["resourceVersion"];
        if !version.is_null() && *version != live["metadata"]["resourceVersion"] {
            let why = format!(
                "Precondition failed: ResourceVersion in precondition: {}, ResourceVersion in object meta: {}",
                text(version),
                text(&live["metadata"]["resourceVersion"])
            );
            return Err(Failure::conflict(self.resource, &self.key.name, &why));
        }
        if self.dry_run {
            return Ok(live);
        }
        if has_finalizers(&live) {
            if live["metadata"]["deletionTimestamp"].is_null() {
                live["metadata"]["deletionTimestamp"] = now().into();
                live["metadata"]["deletionGracePeriodSeconds"] = json!(0);
                return Ok(self.store.put(&self.key, live));
            }
            return Ok(live);
        }
        self.store.remove(&self.key);
        let mut details = json!({
            "name": self.key.name, "kind": self.resource.api.plural, "uid": live["metadata"]["uid"],
        });
        if !self.resource.api.group.is_empty() {
            details["group"] = self.resource.api.group.as_str().into();
        }
        Ok(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
        }))
    }

    /// Writes an object as a whole, status and all, and asks nobody.
    pub(crate) fn put(&mut self, mut object: Value) -> Result<Value, Failure> {
        let live = self.live();
        self.name(&mut object);
        if object["metadata"]["managedFields"].is_null()
            && let Some(live) = &live
        {
            object["metadata"]["managedFields"] = live["metadata"]["managedFields"].clone();
        }
        let object = update(self.resource, live.as_ref(), object, &self.writer);
        self.commit(live, object)
    }

    pub(crate) fn name(&self, object: &mut Value) {
        object["metadata"]["name"] = self.key.name.as_str().into();
        if self.resource.namespaced {
            object["metadata"]["namespace"] = self.key.namespace.as_str().into();
        }
    }
}

pub(crate) fn has_finalizers(object: &Value) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|finalizers| !finalizers.is_empty())
}

fn remove_system_metadata(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for name in SYSTEM_METADATA {
            metadata.remove(name);
        }
    }
}

pub(crate) fn remove(object: &mut Value, name: &str) {
    set(object, name, None);
}

pub(crate) fn set(object: &mut Value, name: &str, value: Option<Value>) {
    let members: Option<&mut Map<String, Value>> = object.as_object_mut();
    if let Some(members) = members {
        match value {
            Some(value) => drop(members.insert(name.to_owned(), value)),
            None => drop(members.remove(name)),
        }
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Carries out a request that writes an object.
pub(crate) fn write(
    request: &Request,
    resource: &ResourceType,
    store: &mut Store,
    rules: &Rules,
) -> Result<Value, Failure> {
    let is_known = match request.subresource.as_str() {
        "" => true,
        "status" => resource.has_status,
        _ => false,
    };
    if !is_known {
        return Err(Failure::no_such_subresource());
    }
    let mut write = Write {
        resource,
        key: Key::new(resource, &request.namespace, request.object_name()),
        store,
        rules: Some(rules),
        writer: Writer {
            manager: request.manager(),
            subresource: &request.subresource,
        },
        dry_run: request.is_dry_run(),
    };
    match request.verb {
        Verb::Create => write.create(request),
        Verb::Replace => write.replace(request),
        Verb::Apply => write.apply(request),
        Verb::Patch => write.patch(request),
        Verb::Delete => write.delete(&request.body),
        _ => Err(Failure::method_not_allowed()),
    }
}
