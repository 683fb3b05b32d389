//! The webhook as it runs, without a cluster and without plugins: what it says then is the operator's own.

use std::sync::{Arc, LazyLock};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use mcp_operator_admission::AdmissionState;
use mcp_operator_core::build;
use mcp_operator_policy::{NamespaceFacts, NamespaceLookup, NoStoredServers, Snapshot, Snapshots};

struct EveryNamespace;

impl NamespaceLookup for EveryNamespace {
    fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<NamespaceFacts, String>> {
        let facts = NamespaceFacts {
            name: name.to_owned(),
            ..NamespaceFacts::default()
        };
        ready(Ok(facts)).boxed()
    }
}

/// What requests are decided by.
pub(crate) fn state() -> &'static AdmissionState {
    static STATE: LazyLock<AdmissionState> = LazyLock::new(|| AdmissionState {
        snapshots: Snapshots::fixed(Snapshot::default()),
        namespaces: Arc::new(EveryNamespace),
        servers: Arc::new(NoStoredServers),
        build: build::Settings::default(),
        operator_namespace: Some("mcp-operator-system".to_owned()),
        trace_id: || None,
    });
    &STATE
}
