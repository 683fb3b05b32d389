//! Answers that go on: changes from a version on.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use crate::read::metadata_of;
use crate::request::Request;
use crate::resources::ResourceType;
use crate::selector::Selector;
use crate::server::Shared;
use crate::status::Failure;
use crate::store::{Event, Store, WatchEnd};

/// As the API server, where a client names no time.
const TIMEOUT: Duration = Duration::from_mins(30);

/// What a watch is about, and from where on.
#[derive(Debug)]
pub(crate) struct Watch {
    resource: ResourceType,
    selector: Selector,
    metadata_only: bool,
    bookmarks: bool,
    deadline: Instant,
    /// Changes up to this one are known.
    since: u64,
    /// The first event that has not been looked at.
    next: usize,
    /// Events from here on came while it was going on.
    begun: usize,
    lines: VecDeque<Bytes>,
    end: Option<WatchEnd>,
}

impl Watch {
    pub(crate) fn begin(
        request: &Request,
        resource: &ResourceType,
        store: &Store,
    ) -> Result<Self, Failure> {
        let seconds = request.parameter("timeoutSeconds").parse();
        let version = request.parameter("resourceVersion");
        let since = match version {
            "" | "0" => store.revision(),
            version => version.parse().map_err(|_| {
                Failure::bad_request(format!("invalid resource version {version:?}"))
            })?,
        };
        let mut watch = Self {
            resource: resource.clone(),
            selector: Selector::of(request)?,
            metadata_only: request.metadata_only,
            bookmarks: request.flag("allowWatchBookmarks"),
            deadline: Instant::now() + seconds.map_or(TIMEOUT, Duration::from_secs),
            since,
            next: 0,
            begun: store.events.len(),
            lines: VecDeque::new(),
            end: None,
        };
        let with_initial = request.flag("sendInitialEvents");
        if with_initial || matches!(version, "" | "0") {
            watch.list(store);
        } else if since < store.oldest() {
            watch.fail(&Failure::expired(since, store.oldest()));
        }
        if with_initial {
            watch.bookmark(store.revision(), true);
        }
        Ok(watch)
    }

    fn list(&mut self, store: &Store) {
        self.since = store.revision();
        let objects = store.of_kind(&self.resource).map(|(_, object)| object);
        let matching: Vec<_> = objects
            .filter(|object| self.selector.matches(object))
            .collect();
        for object in matching {
            self.send("ADDED", object);
        }
    }

    /// Looks at what has happened since it last did.
    fn follow(&mut self, store: &Store) {
        for (index, event) in store.events.iter().enumerate().skip(self.next) {
            self.next = index + 1;
            if self.end.is_some() {
                return;
            }
            match event {
                Event::Change {
                    revision,
                    key,
                    old,
                    new,
                } if *revision > self.since && key.is_of(&self.resource) => {
                    self.change(*revision, old.as_ref(), new.as_ref());
                }
                Event::Bookmark { revision } if self.bookmarks && index >= self.begun => {
                    self.bookmark(*revision, false);
                }
                Event::End { group, plural, how }
                    if index >= self.begun
                        && *group == self.resource.api.group
                        && *plural == self.resource.api.plural =>
                {
                    match how {
                        WatchEnd::Expired => {
                            self.fail(&Failure::expired(self.since, store.revision()));
                        }
                        how => self.end = Some(*how),
                    }
                }
                _ => {}
            }
        }
    }

    /// What no longer matches is gone as far as this watch is concerned, and what begins to match is new.
    fn change(&mut self, revision: u64, old: Option<&Value>, new: Option<&Value>) {
        let old = old.filter(|object| self.selector.matches(object));
        let new = new.filter(|object| self.selector.matches(object));
        match (old, new) {
            (None, Some(new)) => self.send("ADDED", new),
            (Some(_), Some(new)) => self.send("MODIFIED", new),
            (Some(old), None) => {
                let mut last = old.clone();
                last["metadata"]["resourceVersion"] = revision.to_string().into();
                self.send("DELETED", &last);
            }
            (None, None) => {}
        }
    }

    fn bookmark(&mut self, revision: u64, ends_initial: bool) {
        let api = &self.resource.api;
        let mut metadata = json!({ "resourceVersion": revision.to_string() });
        if ends_initial {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object =
            json!({ "apiVersion": api.api_version, "kind": api.kind, "metadata": metadata });
        self.send("BOOKMARK", &object);
    }

    fn fail(&mut self, failure: &Failure) {
        self.line("ERROR", &failure.status(None));
        self.end = Some(WatchEnd::Closed);
    }

    fn send(&mut self, kind: &str, object: &Value) {
        if self.metadata_only {
            self.line(kind, &metadata_of(object));
        } else {
            self.line(kind, object);
        }
    }

    fn line(&mut self, kind: &str, object: &Value) {
        let line = json!({ "type": kind, "object": object });
        self.lines.push_back(Bytes::from(format!("{line}\n")));
    }

    /// Its answer, a line for each event.
    pub(crate) fn lines(self, shared: Arc<Shared>) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let activity = shared.activity();
        let going = Some((self, shared, activity));
        stream::unfold(going, |going| async {
            let (mut watch, shared, mut activity) = going?;
            match watch.line_or_end(&shared, &mut activity).await {
                Ok(line) => Some((Ok(line), Some((watch, shared, activity)))),
                Err(WatchEnd::Reset) => {
                    let reset = io::Error::new(io::ErrorKind::ConnectionReset, "connection reset");
                    Some((Err(reset), None))
                }
                Err(_) => None,
            }
        })
    }

    async fn line_or_end(
        &mut self,
        shared: &Shared,
        activity: &mut Receiver<u64>,
    ) -> Result<Bytes, WatchEnd> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(line);
            }
            if let Some(end) = self.end {
                return Err(end);
            }
            activity.mark_unchanged();
            self.follow(&shared.state().store);
            if !self.lines.is_empty() || self.end.is_some() {
                continue;
            }
            let (changed, time_is_up) =
                (pin!(activity.changed()), pin!(sleep_until(self.deadline)));
            if let Either::Right(_) = select(changed, time_is_up).await {
                return Err(WatchEnd::Closed);
            }
        }
    }
}
