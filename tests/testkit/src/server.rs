//! The server and its state.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;
use kube::Client;
use tokio::sync::watch;

use crate::log::Recorded;
use crate::resources::{self, ResourceType};
use crate::rules::Rules;
use crate::store::{Event, Key, Store, WatchEnd};

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
    pub(crate) in_flight: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) resources: Vec<ResourceType>,
    pub(crate) store: Store,
    pub(crate) rules: Rules,
    pub(crate) log: Vec<Recorded>,
    /// How much the clock by which it dates its answers is ahead of the test's.
    pub(crate) clock_ahead: Option<SignedDuration>,
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
            clock_ahead: None,
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

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.shared.state());
        self.shared.touch();
        changed
    }
}

impl State {
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
            for key in &keys {
                self.store.remove(key);
            }
        }
    }

    pub(crate) fn end_watches(&mut self, kind: &str, how: WatchEnd) {
        if let Some(resource) = self.resource(kind) {
            let (group, plural) = (resource.api.group.clone(), resource.api.plural.clone());
            self.store.events.push(Event::End { group, plural, how });
        }
    }
}
