//! Labels of namespaces: rules may depend on them.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{PartialObjectMeta, PartialObjectMetaExt};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};

use crate::plugins::NamespaceFacts;
use crate::watch;

/// Metadata of all namespaces.
#[derive(Clone)]
pub struct Namespaces(Store<PartialObjectMeta<Namespace>>);

impl Namespaces {
    /// Starts the watch.
    pub fn watch(client: &Client) -> Self {
        let (store, writer) = watch::store(());
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
        let trim =
            |namespace: &mut PartialObjectMeta<Namespace>| namespace.metadata.managed_fields = None;
        tokio::spawn(
            watch::reflected("Namespace", api, watcher::Config::default(), writer, trim)
                .for_each(|_| async {}),
        );
        Self(store)
    }

    /// Namespaces that were given, instead of watched.
    pub(crate) fn fixed(namespaces: Vec<Namespace>) -> Self {
        let (store, mut writer) = watch::store(());
        for namespace in namespaces {
            let namespace = namespace.metadata.into_response_partial();
            writer.apply_watcher_event(&watcher::Event::Apply(namespace));
        }
        Self(store)
    }

    /// Waits until the watch has shown what was there at the start.
    pub async fn ready(&self) {
        // The writer lives as long as the program.
        let _ = self.0.wait_until_ready().await;
    }

    /// Name, labels and annotations. A namespace that the watch has not shown has none.
    pub fn facts(&self, name: &str) -> NamespaceFacts {
        let found = self.0.get(&ObjectRef::new(name));
        NamespaceFacts {
            name: name.to_owned(),
            labels: found
                .as_ref()
                .map(|namespace| namespace.labels().clone())
                .unwrap_or_default(),
            annotations: found
                .as_ref()
                .map(|namespace| namespace.annotations().clone())
                .unwrap_or_default(),
        }
    }
}
