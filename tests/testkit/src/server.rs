//! The server, as a test sees it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::log::Recorded;
use crate::managed_fields::Writer;
use crate::resources::{self, ResourceType};
use crate::rules::{Fault, Match, Rules, Times};
use crate::status::Failure;
use crate::store::{Event, Key, Store, WatchEnd};
use crate::write::Write;

/// Who writes what a test writes, as managed fields say it.
pub const TEST_MANAGER: &str = "testkit";

/// A condition that has not come about by then does not.
const PATIENCE: Duration = Duration::from_secs(10);

/// An API server in memory. Clones are the same server.
#[derive(Clone)]
pub struct ApiServer {
    pub(crate) shared: Arc<Shared>,
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests: Vec<String> = self.requests().iter().map(Recorded::line).collect();
        formatter
            .debug_struct("ApiServer")
            .field("requests", &requests)
            .finish()
    }
}

/// What requests, watches and tests share.
pub(crate) struct Shared {
    state: Mutex<State>,
    activity: watch::Sender<u64>,
    in_flight: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) resources: Vec<ResourceType>,
    pub(crate) store: Store,
    pub(crate) rules: Rules,
    pub(crate) log: Vec<Recorded>,
    /// Requests that the log has forgotten.
    pub(crate) forgotten: usize,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes whenever there may be something new to see.
    pub(crate) fn activity(&self) -> watch::Receiver<u64> {
        self.activity.subscribe()
    }

    pub(crate) fn touch(&self) {
        self.activity.send_modify(|count| *count += 1);
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(Arc::clone(self))
    }
}

/// A request that is not answered yet.
pub(crate) struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.0.touch();
    }
}

impl State {
    pub(crate) fn resource(&self, kind: &str) -> Option<&ResourceType> {
        self.resources
            .iter()
            .find(|resource| resource.api.kind == kind)
    }
}

impl Default for ApiServer {
    fn default() -> Self {
        Self::new()
    }
}

impl ApiServer {
    /// A server with everything that the operator makes, reads and watches, and no objects.
    pub fn new() -> Self {
        Self::with_resources(resources::defaults())
    }

    /// A server with these resources.
    pub fn with_resources(resources: Vec<ResourceType>) -> Self {
        let state = State {
            resources,
            store: Store::default(),
            rules: Rules::default(),
            log: Vec::new(),
            forgotten: 0,
        };
        let shared = Shared {
            state: Mutex::new(state),
            activity: watch::Sender::new(0),
            in_flight: AtomicUsize::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A client of this server. It needs a Tokio runtime.
    pub fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    /// Adds a resource, or replaces that of the same group and kind.
    pub fn register(&self, resource: ResourceType) {
        self.change(|state| {
            let api = &resource.api;
            state
                .resources
                .retain(|other| other.api.group != api.group || other.api.kind != api.kind);
            state.resources.push(resource);
        });
    }

    /// Serves a kind from now on.
    pub fn serve(&self, kind: &str) {
        self.change(|state| state.set_served(kind, true));
    }

    /// Serves a kind no longer: requests get 404, its watches end, its objects are gone.
    pub fn withdraw(&self, kind: &str) {
        self.change(|state| {
            state.set_served(kind, false);
            state.end_watches(kind, WatchEnd::Closed);
        });
    }

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
        self.change(|state| crate::garbage::collect(&mut state.store))
    }

    /// The version of the newest write.
    pub fn resource_version(&self) -> u64 {
        self.shared.state().store.revision()
    }

    /// Lets requests fail.
    pub fn fail(&self, requests: Match, fault: impl Into<Fault>, times: Times) {
        let fault = fault.into();
        self.change(|state| state.rules.add_fault(requests, fault, times));
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.change(|state| state.rules.clear_faults());
    }

    /// Refuses requests with 403, as an authorizer does.
    pub fn deny(&self, requests: Match, message: &str) {
        self.fail(requests, Failure::forbidden(message), Times::Always);
    }

    /// Does something just before the first request that matches is looked at.
    pub fn before(
        &self,
        requests: Match,
        hook: impl Fn(&ApiServer, &Recorded) + Send + Sync + 'static,
    ) {
        self.before_times(requests, Times::Once, hook);
    }

    /// The same so many times.
    pub fn before_times(
        &self,
        requests: Match,
        times: Times,
        hook: impl Fn(&ApiServer, &Recorded) + Send + Sync + 'static,
    ) {
        self.change(|state| state.rules.add_hook(requests, Arc::new(hook), times));
    }

    /// Changes every object of a kind that a client writes: a mutating webhook, or the defaults of the API server. It must
    /// not call the server.
    pub fn admit(&self, kind: &str, mutate: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.change(|state| state.rules.add_mutating(kind, Arc::new(mutate)));
    }

    /// Refuses what a client writes, for the reason given: a validating webhook. It must not call the server.
    pub fn validate(
        &self,
        kind: &str,
        validate: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.change(|state| state.rules.add_validating(kind, Arc::new(validate)));
    }

    /// All requests since the log was cleared, in the order in which they came.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().log.clone()
    }

    /// Of these, those that match.
    pub fn requests_of(&self, wanted: &Match) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| wanted.matches(request));
        requests
    }

    /// Those that change something, successful or not.
    pub fn writes(&self) -> Vec<Recorded> {
        self.requests_of(&Match::writes())
    }

    /// Forgets the requests.
    pub fn clear_log(&self) {
        self.change(|state| {
            state.forgotten += state.log.len();
            state.log.clear();
        });
    }

    /// Sends a bookmark to all watches that want some.
    pub fn bookmark(&self) {
        self.change(|state| {
            let revision = state.store.revision();
            state.store.events.push(Event::Bookmark { revision });
        });
    }

    /// Ends the watches of a kind.
    pub fn end_watches(&self, kind: &str, how: WatchEnd) {
        self.change(|state| state.end_watches(kind, how));
    }

    /// Forgets what has happened: who watches from an older version than now gets 410.
    pub fn compact(&self) {
        self.change(|state| state.store.compact());
    }

    /// Waits until a condition is true, which is looked at whenever something happens.
    ///
    /// # Errors
    /// When it does not come about, with the last requests.
    pub async fn wait_for(&self, condition: impl Fn(&Self) -> bool) -> Result<(), String> {
        let mut activity = self.shared.activity();
        let comes_about = async {
            loop {
                activity.mark_unchanged();
                if condition(self) {
                    return;
                }
                // The sender lives as long as the server.
                let _ = activity.changed().await;
            }
        };
        timeout(PATIENCE, comes_about).await.map_err(|_| {
            let requests = self.requests();
            let last: Vec<String> = requests
                .iter()
                .rev()
                .take(20)
                .rev()
                .map(Recorded::line)
                .collect();
            format!(
                "nothing of the kind within {PATIENCE:?}; the last requests: {}",
                last.join(", ")
            )
        })
    }

    /// Waits until all requests are answered and nobody sends another one without waiting for time to pass, or for the
    /// test. For a runtime of one thread.
    pub async fn idle(&self) {
        const TURNS: usize = 200;
        let mut quiet = 0;
        let mut activity = self.shared.activity();
        while quiet < TURNS {
            activity.mark_unchanged();
            tokio::task::yield_now().await;
            let is_quiet = self.shared.in_flight.load(Ordering::SeqCst) == 0
                && !activity.has_changed().unwrap_or_default();
            quiet = if is_quiet { quiet + 1 } else { 0 };
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.shared.state());
        self.shared.touch();
        changed
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

    fn set_served(&mut self, kind: &str, served: bool) {
        let resources = self.resources.iter_mut();
        for resource in resources.filter(|resource| resource.api.kind == kind) {
            resource.served = served;
        }
        if !served && let Some(resource) = self.resource(kind) {
            let keys: Vec<Key> = self
                .store
                .of_kind(resource)
                .map(|(key, _)| key.clone())
                .collect();
            keys.iter().for_each(|key| drop(self.store.remove(key)));
        }
    }

    fn end_watches(&mut self, kind: &str, how: WatchEnd) {
        if let Some(resource) = self.resource(kind) {
            let (group, plural) = (resource.api.group.clone(), resource.api.plural.clone());
            self.store.events.push(Event::End { group, plural, how });
        }
    }
}
