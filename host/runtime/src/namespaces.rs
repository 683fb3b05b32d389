//! Informer of namespaces, whose labels and annotations rules may depend on.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use mcp_operator_core::namespace::NamespaceFacts;
use mcp_operator_policy::NamespaceLookup;
use tokio::sync::broadcast;
use tokio::sync::watch::{self as channel, Receiver};
use tokio::time::timeout;

use crate::error::status_message;
use crate::object_name::is_object_name;
use crate::supervisor::TaskGroup;
use crate::watch;

type Metadata = PartialObjectMeta<Namespace>;

/// Longest wait for namespaces: who grants permissions may be a little later than the operator.
const PATIENCE: Duration = Duration::from_mins(1);

/// Changes that may be waiting for somebody who listens. Whoever misses some is told so.
const WAITING_CHANGES: usize = 256;

/// How long the API server may take for one namespace.
const LOOK_UP: Duration = Duration::from_secs(2);

/// Metadata of all namespaces. Cheap to clone.
#[derive(Clone)]
pub struct Namespaces {
    seen: Store<Metadata>,
    state: Receiver<State>,
    changes: broadcast::Sender<String>,
    /// Where one that the watch has not shown is looked up.
    api: Api<Metadata>,
}

#[derive(Clone, Debug)]
enum State {
    Starting,
    /// In the words of the API server.
    Refused(String),
    Listed,
}

impl Namespaces {
    /// Starts the watch.
    pub fn watch(client: &Client, tasks: &TaskGroup) -> Self {
        let (store, writer) = watch::store(());
        let (tell, state) = channel::channel(State::Starting);
        let (changes, _) = broadcast::channel(WAITING_CHANGES);
        let api: Api<Metadata> = Api::all(client.clone());
        let mut events =
            watch::watch_with_refusals("Namespace", api.clone(), watcher::Config::default())
                .boxed();
        let (mut informer, tell_change) = (Informer::new(store.clone(), writer), changes.clone());
        tasks.spawn("watch of Namespace", async move {
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => {
                        let listed = matches!(event, Event::InitDone);
                        for name in informer.take(trimmed(event)) {
                            // Nobody needs to listen.
                            let _ = tell_change.send(name);
                        }
                        if listed {
                            tell.send_replace(State::Listed);
                        }
                    }
                    Err(refusal) => {
                        tell.send_if_modified(|state| {
                            let waits = !matches!(state, State::Listed);
                            if waits {
                                *state = State::Refused(refusal.message);
                            }
                            waits
                        });
                    }
                }
            }
        });
        Self {
            seen: store,
            state,
            changes,
            api,
        }
    }

    /// Names of the namespaces whose labels or annotations change from now on.
    pub fn changes(&self) -> broadcast::Receiver<String> {
        self.changes.subscribe()
    }

    /// Waits until the watch has shown what was there at the start.
    ///
    /// # Errors
    /// When they cannot be read: without their labels, rules would be left out where they must be in force.
    pub async fn ready(&self) -> Result<()> {
        let mut state = self.state.clone();
        let listed = state.wait_for(|state| matches!(state, State::Listed));
        if let Ok(listed) = timeout(PATIENCE, listed).await {
            return listed
                .map(drop)
                .map_err(|_| anyhow!("the watch of namespaces ended"));
        }
        match &*self.state.borrow() {
            State::Refused(why) => {
                bail!("namespaces cannot be read, and rules depend on their labels: {why}")
            }
            State::Starting | State::Listed => {
                bail!(
                    "the API server has not listed the namespaces within {} s",
                    PATIENCE.as_secs()
                )
            }
        }
    }

    /// Name, labels and annotations. A namespace that the watch has not shown has none.
    pub fn facts(&self, name: &str) -> NamespaceFacts {
        let found = self.seen.get(&ObjectRef::new(name));
        facts(name, found.as_deref())
    }

    /// The same, and one that the watch has not shown yet is looked up: a server can come right after its namespace,
    /// and rules that are for the namespace must not miss it.
    ///
    /// # Errors
    /// One sentence, when nobody can say which labels it has.
    pub async fn find(&self, name: &str) -> Result<NamespaceFacts, String> {
        let seen = self.seen.get(&ObjectRef::new(name));
        if seen.is_some() {
            return Ok(facts(name, seen.as_deref()));
        }
        if !is_object_name(name) {
            return Err(format!("{name:?} is no name of a namespace"));
        }
        match timeout(LOOK_UP, self.api.get_opt(name)).await {
            Ok(Ok(found)) => Ok(facts(name, found.as_ref())),
            Ok(Err(error)) => Err(format!(
                "namespace {name} cannot be read: {}",
                status_message(&error)
            )),
            Err(_) => Err(format!(
                "namespace {name} cannot be read: no answer within {LOOK_UP:?}"
            )),
        }
    }
}

/// Keeps the store, and says what is new in it.
struct Informer {
    seen: Store<Metadata>,
    writer: Writer<Metadata>,
    /// What is new in a list that is not complete: until then, the store has what was before.
    listed: Vec<String>,
}

impl Informer {
    fn new(seen: Store<Metadata>, writer: Writer<Metadata>) -> Self {
        Self {
            seen,
            writer,
            listed: Vec::new(),
        }
    }

    /// Takes in an event; the names of namespaces that are others in the store from now on.
    fn take(&mut self, event: Event<Metadata>) -> Vec<String> {
        let changed = changed(&self.seen, &event);
        self.writer.apply_watcher_event(&event);
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(_) => self.listed.extend(changed),
            Event::InitDone => return std::mem::take(&mut self.listed),
            Event::Apply(_) | Event::Delete(_) => return changed.into_iter().collect(),
        }
        Vec::new()
    }
}

/// The name of a namespace of which an event says something new that rules may depend on.
fn changed(seen: &Store<Metadata>, event: &Event<Metadata>) -> Option<String> {
    let (Event::Apply(namespace) | Event::InitApply(namespace)) = event else {
        return None;
    };
    let before = seen.get(&ObjectRef::from_obj(namespace));
    let is_same = before.is_some_and(|before| {
        before.labels() == namespace.labels() && before.annotations() == namespace.annotations()
    });
    (!is_same).then(|| namespace.name_any())
}

/// Managed fields and what kubectl notes take most of the memory of a namespace, and nothing reads them.
fn trimmed(mut event: Event<Metadata>) -> Event<Metadata> {
    if let Event::Apply(namespace) | Event::InitApply(namespace) | Event::Delete(namespace) =
        &mut event
    {
        watch::trim_metadata(&mut namespace.metadata);
    }
    event
}

impl NamespaceLookup for Namespaces {
    fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<NamespaceFacts, String>> {
        self.find(name).boxed()
    }
}

fn facts(name: &str, found: Option<&Metadata>) -> NamespaceFacts {
    NamespaceFacts {
        name: name.to_owned(),
        labels: found
            .map(|namespace| namespace.labels().clone())
            .unwrap_or_default(),
        annotations: found
            .map(|namespace| namespace.annotations().clone())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::http::{Request, Response};
    use futures::future::ready;
    use serde_json::json;

    use super::*;
    use crate::object_name::NOT_NAMES;

    /// An API server that has one namespace, which no watch has shown.
    fn unseen(code: u16) -> Namespaces {
        let answer = move |_: Request<kube::client::Body>| {
            let body = if code == 200 {
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "new", "labels": { "env": "prod" } } })
            } else {
                json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no", "reason": if code == 404 { "NotFound" } else { "InternalError" } })
            };
            let response = Response::builder().status(code);
            ready(Ok::<_, Infallible>(
                response.body(Body::from(body.to_string())).unwrap(),
            ))
        };
        let client = Client::new(tower::service_fn(answer), "default");
        let (seen, _) = watch::store(());
        let (_, state) = channel::channel(State::Listed);
        let (changes, _) = broadcast::channel(WAITING_CHANGES);
        Namespaces {
            seen,
            state,
            changes,
            api: Api::all(client),
        }
    }

    fn namespace(name: &str, version: &str, annotation: &str) -> Metadata {
        let metadata =
            json!({ "name": name, "resourceVersion": version, "annotations": { "a": annotation } });
        serde_json::from_value(
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata }),
        )
        .unwrap()
    }

    #[test]
    fn only_what_rules_may_depend_on_is_a_change() {
        let (seen, writer) = watch::store(());
        let mut informer = Informer::new(seen, writer);
        let mut take =
            |version, annotation| informer.take(Event::Apply(namespace("a", version, annotation)));
        assert_eq!(take("1", "x"), ["a"]);
        assert_eq!(take("2", "x"), [""; 0]);
        assert_eq!(take("3", "y"), ["a"]);
    }

    /// Who is told looks at once, and must not see what was before.
    #[test]
    fn what_a_new_list_says_is_told_when_it_is_complete() {
        let (seen, writer) = watch::store(());
        let mut informer = Informer::new(seen.clone(), writer);
        for name in ["a", "b"] {
            informer.take(Event::Apply(namespace(name, "1", "x")));
        }
        let told = [
            Event::Init,
            Event::InitApply(namespace("a", "2", "y")),
            Event::Init,
            Event::InitApply(namespace("a", "3", "z")),
            Event::InitApply(namespace("b", "1", "x")),
        ]
        .map(|event| informer.take(event));
        assert_eq!(told.concat(), [""; 0]);
        assert_eq!(informer.take(Event::InitDone), ["a"]);
        let seen = seen.get(&ObjectRef::new("a")).unwrap();
        assert_eq!(seen.annotations()["a"], "z");
        assert_eq!(informer.take(Event::InitDone), [""; 0]);
    }

    #[tokio::test]
    async fn a_namespace_that_the_watch_has_not_shown_is_looked_up() {
        assert!(unseen(200).facts("new").labels.is_empty());
        let found = unseen(200).find("new").await.unwrap();
        assert_eq!(found.labels["env"], "prod");
        assert!(unseen(404).find("new").await.unwrap().labels.is_empty());
        let error = unseen(500).find("new").await.unwrap_err();
        assert!(error.starts_with("namespace new cannot be read"), "{error}");
    }

    #[tokio::test]
    async fn a_name_is_no_way_to_other_resources() {
        for name in NOT_NAMES {
            let error = unseen(200).find(name).await.unwrap_err();
            assert!(error.ends_with("is no name of a namespace"), "{error}");
        }
    }
}
