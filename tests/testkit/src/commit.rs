//! From what a client wants to what is stored.

use serde_json::{Value, json};

use crate::managed_fields::{SYSTEM_METADATA, now, says_the_same};
use crate::status::Failure;
use crate::write::{Write, has_finalizers, remove, set};

impl Write<'_> {
    /// Of a configuration, what may be written here: the status, or everything else.
    pub(crate) fn keep_own_part(&self, config: &mut Value) {
        if self.is_of_status() {
            let mut own = json!({
                "apiVersion": config["apiVersion"], "kind": config["kind"],
                "metadata": { "name": config["metadata"]["name"] },
            });
            if self.resource.namespaced {
                own["metadata"]["namespace"] = self.key.namespace.as_str().into();
            }
            if let Some(status) = config.get("status") {
                own["status"] = status.clone();
            }
            *config = own;
        } else if self.resource.has_status {
            remove(config, "status");
        }
    }

    /// What may not be written here is as it was.
    pub(crate) fn confine(&self, object: &mut Value, live: &Value) {
        if self.is_of_status() {
            let status = object.get("status").cloned();
            object.clone_from(live);
            set(object, "status", status);
        } else if self.resource.has_status {
            set(object, "status", live.get("status").cloned());
        }
        // A list that is empty, or missing, comes from a client that knows nothing of it.
        let is_said = object["metadata"]["managedFields"]
            .as_array()
            .is_some_and(|entries| !entries.is_empty());
        if self.is_of_status() || !is_said {
            let entries = live["metadata"].get("managedFields").cloned();
            set(&mut object["metadata"], "managedFields", entries);
        }
        self.name(object);
    }

    /// What the server itself writes, admission, and the write, if there is anything to write.
    pub(crate) fn commit(
        &mut self,
        live: Option<Value>,
        mut object: Value,
    ) -> Result<Value, Failure> {
        without_nulls(&mut object);
        self.stamp(live.as_ref(), &mut object);
        if let (Some(rules), false) = (self.rules, self.is_of_status()) {
            rules.admit(&self.resource.api.kind, &mut object)?;
        }
        if self.resource.has_generation {
            let generation = live.as_ref().map_or(Some(1), |live| {
                let now = live["metadata"]["generation"].as_i64();
                now.map(|now| now + i64::from(is_respecified(live, &object)))
            });
            object["metadata"]["generation"] = json!(generation.unwrap_or(1));
        }
        let is_same = live.as_ref().filter(|live| says_the_same(live, &object));
        if let Some(live) = is_same {
            return Ok(live.clone());
        }
        if self.dry_run {
            return Ok(object);
        }
        let is_released =
            !object["metadata"]["deletionTimestamp"].is_null() && !has_finalizers(&object);
        let written = self.store.put(&self.key, object);
        if is_released && live.is_some() {
            self.store.remove(&self.key);
        }
        Ok(written)
    }

    fn stamp(&mut self, live: Option<&Value>, object: &mut Value) {
        let given = object["metadata"].clone();
        let metadata = &mut object["metadata"];
        match live {
            Some(live) => {
                for name in SYSTEM_METADATA {
                    if name != "managedFields" {
                        set(metadata, name, live["metadata"].get(name).cloned());
                    }
                }
            }
            // Only a test names them before there is an object.
            None if self.rules.is_none() => {
                for (name, value) in [("uid", self.store.new_uid()), ("creationTimestamp", now())] {
                    if given[name].is_null() {
                        metadata[name] = value.into();
                    }
                }
            }
            None => {
                metadata["uid"] = self.store.new_uid().into();
                metadata["creationTimestamp"] = now().into();
                remove(metadata, "deletionTimestamp");
            }
        }
    }
}

/// Whether something else than metadata and status has changed.
fn is_respecified(live: &Value, object: &Value) -> bool {
    let specification = |object: &Value| {
        let mut members = object.as_object().cloned().unwrap_or_default();
        members.remove("metadata");
        members.remove("status");
        members
    };
    specification(live) != specification(object)
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
