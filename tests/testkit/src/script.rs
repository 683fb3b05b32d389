//! What a test lets happen to requests and watches, and what it sees of them.

use std::sync::Arc;

use serde_json::Value;

use crate::log::Recorded;
use crate::rules::{Fault, Match, Times};
use crate::server::ApiServer;
use crate::status::Failure;
use crate::store::{Event, WatchEnd};

impl ApiServer {
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
}
