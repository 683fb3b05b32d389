//! What a test does with objects itself, past all requests.

use jiff::SignedDuration;
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::garbage;
use crate::managed_fields::Writer;
use crate::resources::ResourceType;
use crate::server::{ApiServer, State};
use crate::store::Key;
use crate::write::Write;

/// Who writes what a test writes, as managed fields say it.
pub const TEST_MANAGER: &str = "testkit";

impl ApiServer {
    /// Writes an object as it is, status and all, by [`TEST_MANAGER`]; watches are told. Gives it as it is then.
    ///
    /// # Panics
    /// When the server has no such kind.
    pub fn put(&self, object: impl Serialize) -> Value {
        self.put_as(TEST_MANAGER, object)
    }

    /// The same by another field manager.
    ///
    /// # Panics
    /// When the server has no such kind.
    pub fn put_as(&self, manager: &str, object: impl Serialize) -> Value {
        let object = serde_json::to_value(object).unwrap_or_default();
        self.change(|state| state.put(manager, object))
    }

    /// Changes an object that is there, as another writer would. Gives it as it is then; nothing if it is not there.
    pub fn edit(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        edit: impl FnOnce(&mut Value),
    ) -> Option<Value> {
        let mut object = self.get(kind, namespace, name)?;
        edit(&mut object);
        Some(self.put(object))
    }

    /// An object; nothing if it is not there.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let state = self.shared.state();
        let key = Key::new(state.resource(kind)?, namespace, name);
        state.store.get(&key).cloned()
    }

    /// The same as its type.
    pub fn get_as<K>(&self, namespace: &str, name: &str) -> Option<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        serde_json::from_value(self.get(&K::kind(&()), namespace, name)?).ok()
    }

    /// All objects of a kind, by namespace and name.
    pub fn objects_of(&self, kind: &str) -> Vec<Value> {
        let state = self.shared.state();
        let Some(resource) = state.resource(kind) else {
            return Vec::new();
        };
        let objects = state.store.of_kind(resource);
        objects.map(|(_, object)| object.clone()).collect()
    }

    /// The same as their type.
    pub fn list_as<K>(&self) -> Vec<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let objects = self.objects_of(&K::kind(&())).into_iter();
        objects
            .filter_map(|object| serde_json::from_value(object).ok())
            .collect()
    }

    /// Takes an object away, whatever holds it. Says whether it was there.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.change(|state| {
            let Some(resource) = state.resource(kind) else {
                return false;
            };
            let key = Key::new(resource, namespace, name);
            state.store.remove(&key).is_some()
        })
    }

    /// Deletes what has owner references and no owner any more, and what that leaves. Gives kind and name of each.
    pub fn collect_garbage(&self) -> Vec<(String, String)> {
        self.change(|state| garbage::collect(&mut state.store))
    }

    /// From now on it dates its answers, by a clock that is so much ahead of the test's, or behind. Before, it dates none: tests
    /// have fixed times of their own.
    pub fn set_clock_ahead(&self, time: SignedDuration) {
        self.shared.state().clock_ahead = Some(time);
    }

    /// The version of the newest write.
    pub fn resource_version(&self) -> u64 {
        self.shared.state().store.revision()
    }
}

impl State {
    #[expect(
        clippy::panic,
        reason = "a test that writes what the server does not have is wrong"
    )]
    fn put(&mut self, manager: &str, object: Value) -> Value {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let is_its = |resource: &&ResourceType| {
            resource.api.kind == kind && resource.api.api_version == version
        };
        let Some(resource) = self.resources.iter().find(is_its) else {
            panic!("the server has no {version} {kind}");
        };
        let metadata = &object["metadata"];
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        let mut write = Write {
            resource,
            key: Key::new(resource, &namespace, &name),
            store: &mut self.store,
            rules: None,
            writer: Writer {
                manager,
                subresource: "",
            },
            dry_run: false,
        };
        match write.put(object) {
            Ok(written) => written,
            Err(failure) => panic!("{}", failure.message),
        }
    }
}
