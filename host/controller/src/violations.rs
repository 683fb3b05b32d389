//! How many servers break a rule of each plugin now, in its status: what a rule in `warn` or `audit` would refuse is known
//! before it enforces.
//!
//! Nobody is asked for it: every server is judged when it changes, and all of them when plugins do. It is told when all
//! servers were judged by the plugins in force, so that it does not count up after each start. Which servers they are,
//! [`reports`](crate::reports) tells.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, field_managers};
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use mcp_operator_core::report::Violator;
use mcp_operator_core::retry::Classify;
use mcp_operator_core::violation::Violation;
use mcp_operator_policy::Snapshot;
use mcp_operator_runtime::{ApiError, GuardedServer, JudgedServers, request};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::context::Context;

/// Merges what a change of plugins finds in many servers.
const SETTLE: Duration = Duration::from_secs(2);
/// After a status that could not be written.
const RETRY: Duration = Duration::from_secs(30);

/// Servers by the name of the plugin of which they break a rule. Nothing: the plugin has no rules.
pub(crate) type ViolatingServers = BTreeMap<String, Option<u32>>;

/// Servers that do not pass rules, sorted by name, by their namespace.
pub(crate) type Violators = BTreeMap<String, Vec<Violator>>;

/// Which plugins a snapshot asks: it is the same for all servers that were judged by them.
pub(crate) fn asked(snapshot: &Snapshot) -> u64 {
    let mut hasher = DefaultHasher::new();
    snapshot.fingerprint().hash(&mut hasher);
    hasher.finish()
}

/// Servers that were there when the plugins in force became others, and are not judged by these yet. Those that come later
/// are not waited for: where servers come and go all the time, nothing would ever be told.
struct Unjudged {
    asked: u64,
    uids: HashSet<String>,
}

impl Unjudged {
    fn by(asked: u64, servers: &[Arc<GuardedServer>], judged: &JudgedServers) -> Self {
        let uids = unjudged(asked, servers, judged).collect();
        Self { asked, uids }
    }

    fn update(&mut self, servers: &[Arc<GuardedServer>], judged: &JudgedServers) {
        let still: HashSet<String> = unjudged(self.asked, servers, judged).collect();
        self.uids.retain(|uid| still.contains(uid));
    }
}

fn unjudged(
    asked: u64,
    servers: &[Arc<GuardedServer>],
    judged: &JudgedServers,
) -> impl Iterator<Item = String> {
    let is_judged = move |server: &McpServer| judged.broken_rules(server).asked == Some(asked);
    let unjudged = readable(servers).filter(move |server| !is_judged(server));
    unjudged.filter_map(ResourceExt::uid)
}

/// What cannot be read is judged by nobody, and what leaves is not judged any more.
fn readable(servers: &[Arc<GuardedServer>]) -> impl Iterator<Item = &McpServer> {
    let readable = servers
        .iter()
        .filter_map(|guarded| guarded.server.as_ref().ok());
    readable.filter(|server| server.meta().deletion_timestamp.is_none())
}

/// The servers that break rules of the plugins in force, as far as they were judged.
fn count(
    snapshot: &Snapshot,
    servers: &[Arc<GuardedServer>],
    judged: &JudgedServers,
) -> ViolatingServers {
    let plugins = snapshot.plugins().iter();
    let mut counts: ViolatingServers = plugins
        .map(|plugin| {
            let has_rules = plugin.interfaces().validator;
            (plugin.name().to_owned(), has_rules.then_some(0))
        })
        .collect();
    for server in readable(servers) {
        let violations = judged.broken_rules(server).violations;
        let broken = violations.iter().filter(|it| it.is_broken());
        let plugins: BTreeSet<&str> = broken.map(|it| it.plugin.as_str()).collect();
        for plugin in plugins {
            if let Some(Some(count)) = counts.get_mut(plugin) {
                *count += 1;
            }
        }
    }
    counts
}

/// What the servers do not pass of the plugins in force, as far as they were judged.
fn violators(
    snapshot: &Snapshot,
    servers: &[Arc<GuardedServer>],
    judged: &JudgedServers,
) -> Violators {
    let plugins: HashSet<&str> = snapshot.plugins().iter().map(|it| it.name()).collect();
    let is_in_force = |violation: &Violation| plugins.contains(violation.plugin.as_str());
    let mut violators = Violators::new();
    for server in readable(servers) {
        let mut violations = judged.broken_rules(server).violations;
        if !violations.iter().all(is_in_force) {
            let in_force = violations.iter().filter(|it| is_in_force(it));
            violations = in_force.cloned().collect();
        }
        if !violations.is_empty() {
            let of_namespace = violators.entry(server.namespace().unwrap_or_default());
            of_namespace.or_default().push(Violator {
                name: server.name_any(),
                uid: server.uid(),
                violations,
            });
        }
    }
    for of_namespace in violators.values_mut() {
        of_namespace.sort_by(|a, b| a.name.cmp(&b.name));
    }
    violators
}

/// Keeps the statuses of MCPPlugins in step, until `shutdown`; and tells what they say to whoever asks.
pub(crate) async fn run(context: &Context, shutdown: CancellationToken) {
    let told = &context.violating_servers;
    // Another replica may have written meanwhile.
    told.send_replace(None);
    context.violators.send_replace(None);
    let mut changes = context.judged.broken_rules_changes();
    let mut snapshots = context.snapshots.clone();
    let mut waits: Option<Unjudged> = None;
    // Of which MCPPlugins it was written: one that was made again has no status yet.
    let mut written_for = BTreeSet::new();
    loop {
        tokio::select! {
            () = sleep(SETTLE) => {}
            () = shutdown.cancelled() => break,
        }
        changes.mark_unchanged();
        let snapshot = context.snapshots.current();
        let servers = context.servers.store().state();
        let asked = asked(&snapshot);
        match waits.as_mut().filter(|waits| waits.asked == asked) {
            Some(waits) => waits.update(&servers, &context.judged),
            None => waits = Some(Unjudged::by(asked, &servers, &context.judged)),
        }
        let is_complete = waits.as_ref().is_some_and(|waits| waits.uids.is_empty());
        let mut retry = None;
        if snapshot.is_synced() && is_complete {
            let violators = violators(&snapshot, &servers, &context.judged);
            context.violators.send_if_modified(|known| {
                let is_news = known.as_deref() != Some(&violators);
                if is_news {
                    *known = Some(Arc::new(violators));
                }
                is_news
            });
            let counts = count(&snapshot, &servers, &context.judged);
            let plugins = snapshot.plugins().iter();
            let uids: BTreeSet<String> = plugins.map(|it| it.uid().to_owned()).collect();
            if told.borrow().as_ref() != Some(&counts) || written_for != uids {
                match tell(context, &counts).await {
                    Ok(()) => {
                        told.send_replace(Some(counts));
                        written_for = uids;
                    }
                    Err(error) => {
                        warn!(category = error.category(), %error, "violations not written");
                        retry = Some(RETRY);
                    }
                }
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { break },
            () = snapshots.changed() => {}
            () = pause(retry) => {}
            () = shutdown.cancelled() => break,
        }
    }
    told.send_replace(None);
    context.violators.send_replace(None);
}

async fn pause(pause: Option<Duration>) {
    match pause {
        Some(pause) => sleep(pause).await,
        None => std::future::pending().await,
    }
}

/// Writes what the statuses do not say yet.
async fn tell(context: &Context, counts: &ViolatingServers) -> Result<(), ApiError> {
    let plugins: Api<McpPlugin> = Api::all(context.client.clone());
    for (name, count) in counts {
        let found = request(|| format!("get MCPPlugin {name}"), plugins.get_opt(name)).await?;
        // It is gone, and the snapshot is about to be another one.
        let Some(plugin) = found else { continue };
        let said = plugin
            .status
            .as_ref()
            .and_then(|status| status.violating_servers);
        if said == *count {
            continue;
        }
        let mut body = json!({
            "apiVersion": API_VERSION, "kind": PLUGIN_KIND,
            "metadata": { "name": name, "uid": plugin.uid() }, "status": {},
        });
        if let Some(count) = count {
            body["status"]["violatingServers"] = json!(count);
        }
        let params = PatchParams::apply(field_managers::VIOLATIONS).force();
        let patch = Patch::Apply(&body);
        request(
            || format!("write violations of MCPPlugin {name}"),
            plugins.patch_status(name, &params, &patch),
        )
        .await?;
    }
    Ok(())
}
