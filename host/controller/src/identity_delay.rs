//! When pods may be made for an account that has just got another identity.
//!
//! Webhooks that give pods an identity of a cloud, such as that of EKS, find the role on the ServiceAccount as a watch of their
//! own has shown it. Of one that was written a moment ago they may know nothing, and a pod that is made then has no role for as
//! long as it lives (aws/amazon-eks-pod-identity-webhook#174, #264).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use mcp_operator_core::build::IAM_ROLE;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::server_key::ServerKey;
use tokio::time::Instant;

use crate::context::Context;

/// Whether this is a ServiceAccount that gives pods another identity than the present one does: by whatever annotation, since each
/// cloud has its own.
pub(crate) fn is_another_identity(context: &Context, manifest: &Manifest) -> bool {
    if manifest.kind != ManagedKind::ServiceAccount {
        return false;
    }
    let found = context
        .objects
        .get(manifest.kind, manifest.namespace(), manifest.name());
    let present = found.as_ref().map(ResourceExt::annotations);
    let present = |name: &str| {
        present
            .and_then(|present| present.get(name))
            .map(String::as_str)
    };
    let wanted = manifest.object["metadata"]["annotations"].as_object();
    let role = wanted.and_then(|wanted| wanted.get(IAM_ROLE)?.as_str());
    let mut wanted = wanted.into_iter().flatten();
    role != present(IAM_ROLE) || wanted.any(|(name, value)| present(name) != value.as_str())
}

/// Which accounts were written just now. An operator that is restarted in between knows of none: it does not wait, as it did not
/// before there was a wait.
pub(crate) struct IdentityDelay {
    delay: Duration,
    written: Mutex<HashMap<ServerKey, Instant>>,
}

impl IdentityDelay {
    pub(crate) fn new(delay: Duration) -> Self {
        Self {
            delay,
            written: Mutex::default(),
        }
    }

    /// Records that the account of a server has got another identity just now.
    pub(crate) fn begin(&self, server: &ServerKey) {
        self.lock().insert(server.clone(), Instant::now());
    }

    /// How long its pods have to wait; nothing if they need not.
    pub(crate) fn remaining(&self, server: &ServerKey) -> Option<Duration> {
        let mut written = self.lock();
        let remaining = self
            .delay
            .checked_sub(written.get(server)?.elapsed())
            .filter(|remaining| !remaining.is_zero());
        if remaining.is_none() {
            written.remove(server);
        }
        remaining
    }

    /// Forgets a server that is gone.
    pub(crate) fn forget(&self, server: &ServerKey) {
        self.lock().remove(server);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerKey, Instant>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
