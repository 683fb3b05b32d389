//! The Reports that have the name of ours, whoever made them: of each, what decides whether it is written.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures::StreamExt;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::labels;
use mcp_operator_core::report;
use mcp_operator_runtime::TaskGroup;
use mcp_operator_runtime::watch::watch_with_refusals;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::objects::Objects;
use super::served_apis::watch_served;

/// What a Report says, and nothing of its metadata.
const CONTENT: [&str; 5] = ["source", "scope", "configuration", "summary", "results"];
/// In the place of that, once it is kept.
const DIGEST: &str = "digest";

/// A Report of our name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundReport {
    pub(crate) uid: String,
    /// Whether it has our label: nothing else of that name is touched.
    pub(crate) is_ours: bool,
    /// Whether it is being deleted.
    pub(crate) is_leaving: bool,
    /// Digest of what it says.
    pub(crate) digest: u64,
}

/// The Reports of our name, as long as their API is served.
pub(crate) struct ReportCache {
    found: Arc<Objects>,
    changed: watch::Sender<()>,
    is_listed: watch::Receiver<bool>,
}

impl ReportCache {
    /// Starts the watch, which waits for the API.
    pub(crate) fn watch(client: &Client, tasks: &TaskGroup) -> Self {
        let (sender, is_listed) = watch::channel(false);
        let this = Self {
            found: Arc::default(),
            changed: watch::Sender::new(()),
            is_listed,
        };
        let reflector = Reflector {
            found: this.found.clone(),
            changed: this.changed.clone(),
            is_listed: sender,
        };
        let resource = report::api_resource();
        let served = watch_served(client, tasks, &resource);
        let api = Api::all_with(client.clone(), &resource);
        tasks.spawn("watch of Report", reflector.run(api, served));
        this
    }

    /// Tells when there are other Reports, or none can be known any more.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether it is known which there are.
    pub(crate) fn is_listed(&self) -> bool {
        *self.is_listed.borrow()
    }

    /// Where they are.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = String> {
        let names = self.found.names().into_iter();
        names.map(|(namespace, _)| namespace)
    }

    /// The one of a namespace.
    pub(crate) fn get(&self, namespace: &str) -> Option<FoundReport> {
        let object = self.found.get(namespace, report::NAME)?;
        Some(FoundReport {
            uid: object.uid().unwrap_or_default(),
            is_ours: is_ours(&object),
            is_leaving: object.metadata.deletion_timestamp.is_some(),
            digest: object.data[DIGEST].as_u64().unwrap_or_default(),
        })
    }

    /// Takes in what the API server answered to a write.
    pub(crate) fn record_write(&self, mut object: DynamicObject) {
        trim(&mut object);
        self.found.put(&object);
    }

    /// Forgets one that was deleted just now.
    pub(crate) fn record_deletion(&self, namespace: &str) {
        if let Some(object) = self.found.get(namespace, report::NAME) {
            self.found.remove(&object);
        }
    }
}

/// A digest of what a Report says: it is the same as that of the one that is stored, unless somebody changed that.
pub(crate) fn digest(report: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    for member in CONTENT {
        report[member].to_string().hash(&mut hasher);
    }
    hasher.finish()
}

fn is_ours(object: &DynamicObject) -> bool {
    object.labels().get(labels::MANAGED_BY).map(String::as_str) == Some(labels::MANAGED_BY_VALUE)
}

/// Keeps of a Report what is compared: what others write may be large.
fn trim(object: &mut DynamicObject) {
    let label = object.labels().get_key_value(labels::MANAGED_BY);
    let label = label.map(|(name, value)| (name.clone(), value.clone()));
    object.metadata.labels = label.map(|label| [label].into());
    object.metadata.annotations = None;
    object.metadata.managed_fields = None;
    object.metadata.owner_references = None;
    object.data = json!({ DIGEST: digest(&object.data) });
}

/// The writing half.
struct Reflector {
    found: Arc<Objects>,
    changed: watch::Sender<()>,
    is_listed: watch::Sender<bool>,
}

impl Reflector {
    /// Watches for as long as the API is served, again and again.
    async fn run(self, api: Api<DynamicObject>, mut served: watch::Receiver<Option<bool>>) {
        loop {
            let now = *served.borrow_and_update();
            let known = if now == Some(true) {
                tokio::select! {
                    () = self.reflect(&api) => Ok(()),
                    known = served.wait_for(|served| *served == Some(false)) => known.map(drop),
                }
            } else {
                self.forget();
                served.changed().await
            };
            // Without its sender, nothing says whether there is an API; the supervisor ends the process.
            if known.is_err() {
                return;
            }
        }
    }

    async fn reflect(&self, api: &Api<DynamicObject>) {
        let named = watcher::Config::default().fields(&format!("metadata.name={}", report::NAME));
        let mut events = watch_with_refusals(report::KIND, api.clone(), named).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.apply_event(event),
                Err(_) => self.forget(),
            }
        }
    }

    fn apply_event(&self, event: Event<DynamicObject>) {
        let is_change = match event {
            Event::Init => {
                self.found.begin_list();
                false
            }
            Event::InitApply(mut object) => {
                trim(&mut object);
                self.found.list(&object);
                false
            }
            Event::InitDone => {
                self.found.end_list();
                self.is_listed.send_replace(true);
                true
            }
            Event::Apply(mut object) => {
                trim(&mut object);
                self.found.put(&object)
            }
            Event::Delete(object) => self.found.remove(&object),
        };
        if is_change {
            self.changed.send_replace(());
        }
    }

    fn forget(&self) {
        self.found.begin_list();
        self.found.end_list();
        if self.is_listed.send_replace(false) {
            self.changed.send_replace(());
        }
    }
}
