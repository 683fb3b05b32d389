//! Two replicas judge by the same plugins, whichever of them is asked, and whatever happens to a plugin.

use std::fs;

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Environment, Operator, OwnCluster, eventually, other_version, padded};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::askers::Askers;
use crate::certificates::write_certificate;
use crate::leader::leads;
use crate::world::{RECOVERY, World};

const OPERATOR: &str = "mcp-operator-system";
const RULE: &str = "version";
/// Swaps of the rule under load.
const SWAPS: usize = 30;

struct Replicas {
    name: &'static str,
    world: World,
    certificates: Certificates,
    first: Operator,
    second: Operator,
}

impl Replicas {
    /// The first one leads.
    fn start(name: &'static str) -> Result<Self> {
        let world = World::start(name)?;
        world.delete_webhooks()?;
        let certificates = Certificates::make()?;
        let first = replica(&world, &certificates, name, "first", &[])?;
        leads(&world, "first")?;
        let second = replica(&world, &certificates, name, "second", &[])?;
        let replicas = Self {
            name,
            world,
            certificates,
            first,
            second,
        };
        replicas.both_ready()?;
        replicas.put_rule("1", 0)?;
        replicas.cross()?;
        Ok(replicas)
    }

    /// Every object is completed by one replica, and validated by the other.
    fn cross(&self) -> Result<()> {
        let webhooks = crossed(&self.first, &self.second, &self.certificates.authority);
        self.world.kubectl().apply(&webhooks.to_string()).map(drop)
    }

    /// Starts a replica anew.
    fn replica(&self, name: &str, options: &[&str]) -> Result<Operator> {
        replica(&self.world, &self.certificates, self.name, name, options)
    }

    fn both_ready(&self) -> Result<()> {
        eventually("both replicas are ready", RECOVERY, || {
            let ready = [&self.first, &self.second].map(Operator::is_ready);
            ensure!(ready == [true, true], "{ready:?}");
            Ok(())
        })
    }

    /// The rule, as this version; by a component that is another one with each `padding`.
    fn put_rule(&self, version: &str, padding: u8) -> Result<()> {
        self.put_component(padding)?;
        self.swap(version)
    }

    fn put_component(&self, padding: u8) -> Result<()> {
        let environment = &self.world.own.environment;
        let component = fs::read(
            environment
                .artifacts
                .fixtures
                .join("mcp_plugin_fixture.wasm"),
        )?;
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": RULE, "namespace": OPERATOR },
            "binaryData": { "plugin.wasm": encoded(&padded(component, padding)) },
        });
        // Too large for the annotation of `kubectl apply`.
        let put = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
        ];
        self.world.kubectl().pipe(&put, &map.to_string()).map(drop)
    }

    fn swap(&self, version: &str) -> Result<()> {
        let rule = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": RULE },
            "spec": {
                "source": { "configMap": { "namespace": OPERATOR, "name": RULE } },
                "settings": { "defaults": "version", "validate": "version", "version": version },
                "grants": { "annotations": ["fixture.example/version"] },
            },
        });
        self.world.kubectl().apply(&rule.to_string()).map(drop)
    }

    /// Waits until the cluster says that this replica's component is in force, by whoever leads; gives the digest.
    fn in_force(&self) -> Result<String> {
        eventually("the rule is in force", RECOVERY, || {
            let plugin = self.rule()?;
            let (ready, seen) = (
                &plugin["status"]["conditions"][0],
                &plugin["status"]["observedGeneration"],
            );
            ensure!(
                ready["status"] == "True" && *seen == plugin["metadata"]["generation"],
                "{ready}"
            );
            digest(&plugin)
        })
    }

    fn rule(&self) -> Result<Value> {
        self.world.kubectl().json(&["get", "mcpplugin", RULE])
    }

    /// What the API server says about a server that both replicas have a say in.
    fn ask(&self) -> Result<String> {
        let create = ["create", "--dry-run=server", "--filename=-"];
        self.world.kubectl().pipe(&create, &servers("asked", 1))
    }
}

/// Waits until both replicas, or those that live, have this component in force.
fn have(replicas: &[&Operator], plugin: &str, digest: &str) -> Result<()> {
    eventually("the replicas have it in force", RECOVERY, || {
        for replica in replicas {
            let known = known_digest(replica, plugin)?;
            ensure!(
                !known.is_empty() && digest.contains(&known),
                "{known} instead of {digest}"
            );
        }
        Ok(())
    })
}

/// What both replicas serve with.
struct Certificates {
    folder: TempDir,
    /// As a webhook configuration has it.
    authority: String,
}

impl Certificates {
    fn make() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let next_year = OffsetDateTime::now_utc() + time::Duration::days(90);
        let authority = encoded(write_certificate(folder.path(), next_year)?.as_bytes());
        Ok(Self { folder, authority })
    }
}

fn replica(
    world: &World,
    certificates: &Certificates,
    test: &str,
    name: &str,
    options: &[&str],
) -> Result<Operator> {
    let environment = environment(world, test, name)?;
    let folder = certificates.folder.path().to_string_lossy();
    let options = [&["--webhook-cert-dir", &folder], options].concat();
    let kubeconfig = environment.kubectl.kubeconfig().to_owned();
    Operator::start_replica_with(&environment, name, &kubeconfig, &options)
}

/// Each has a cache of its own, as pods have.
fn environment(world: &World, test: &str, name: &str) -> Result<Environment> {
    let shared = &world.own.environment;
    let logs = shared.logs.join(format!("{test}-{name}"));
    fs::create_dir_all(&logs)?;
    Ok(Environment {
        logs,
        ..shared.clone()
    })
}

fn digest(plugin: &Value) -> Result<String> {
    let digest = plugin["status"]["digest"].as_str();
    Ok(digest.context("no digest")?.to_owned())
}

/// The beginning of the digest of what a replica has in force.
fn known_digest(replica: &Operator, plugin: &str) -> Result<String> {
    let metrics = replica.scrape()?;
    let prefix = format!("mcp_operator_plugin_info{{plugin=\"{plugin}\",digest=\"");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&prefix));
    let known = line.and_then(|rest| rest.split('"').next());
    Ok(known.unwrap_or_default().to_owned())
}

/// One replica completes, the other validates.
fn crossed(completes: &Operator, validates: &Operator, authority: &str) -> Value {
    let webhook = |replica: &Operator, verb: &str| {
        json!([{
            "name": "crossed.mcp.litellm.ai", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 10,
            "clientConfig": {
                "url": format!("https://{}/{verb}/mcpserver", replica.webhook_address()), "caBundle": authority,
            },
            "rules": [{
                "apiGroups": ["mcp.litellm.ai"], "apiVersions": ["v1alpha1"], "resources": ["mcpservers"],
                "operations": ["CREATE", "UPDATE"],
            }],
        }])
    };
    let configuration = |kind: &str, webhooks: Value| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": { "name": "crossed" },
            "webhooks": webhooks,
        })
    };
    json!({
        "apiVersion": "v1", "kind": "List",
        "items": [
            configuration("MutatingWebhookConfiguration", webhook(completes, "mutate")),
            configuration("ValidatingWebhookConfiguration", webhook(validates, "validate")),
        ],
    })
}

fn servers(name: &str, count: usize) -> String {
    let server = |index| {
        json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": {
                "name": format!("{name}-{index}"), "namespace": OwnCluster::NAMESPACE, "annotations": { "note": "x" },
            },
            "spec": {
                "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
                "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } },
            },
        })
    };
    let items: Vec<Value> = (0..count).map(server).collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Servers that each asker has judged at once.
const AT_ONCE: usize = 50;

#[test]
#[ignore = "takes minutes; cargo xtask test --only long"]
fn a_swap_under_load_leaves_no_request_half_old_and_half_new() -> Result<()> {
    let replicas = Replicas::start("swap-under-load")?;
    let digest = replicas.in_force()?;
    have(&[&replicas.first, &replicas.second], RULE, &digest)?;
    let manifest = |asker| (servers(&format!("load-{asker}"), AT_ONCE), AT_ONCE);
    let askers = Askers::asking(&replicas.world, (0..4).map(manifest));
    let swapped = (0..SWAPS).try_for_each(|swap| {
        let padding = u8::try_from(swap % 3)?;
        replicas.put_rule(&format!("v{swap}"), padding)?;
        replicas.in_force()?;
        // Each version judges something.
        let before = askers.asked();
        eventually("requests go on", RECOVERY, || {
            ensure!(askers.asked() > before, "none, since {before}");
            Ok(())
        })
    });
    let judged = askers.finish(1000);
    swapped?;
    judged.map(drop)
}

#[test]
fn what_the_leader_cannot_load_the_other_does_not_judge_by() -> Result<()> {
    let mut replicas = Replicas::start("leader-cannot-load")?;
    let old = replicas.in_force()?;
    // It goes on with what it has compiled, and can compile nothing new.
    let address_space = ["--compiler-memory-mib", "1"];
    replicas.second.kill();
    replicas.second = replicas.replica("second", &address_space)?;
    have(&[&replicas.second], RULE, &old)?;
    replicas.both_ready()?;
    replicas.first.kill();
    leads(&replicas.world, "second")?;
    replicas.first = replicas.replica("first", &[])?;
    have(&[&replicas.first], RULE, &old)?;

    replicas.put_component(1)?;
    let rule = eventually("the leader says that it cannot", RECOVERY, || {
        let rule = replicas.rule()?;
        ensure!(
            rule["status"]["conditions"][0]["status"] == "False",
            "{rule}"
        );
        Ok(rule)
    })?;
    ensure!(digest(&rule)? == old, "{rule}");
    eventually("the other has compiled it", RECOVERY, || {
        let log = fs::read_to_string(replicas.first.log())?;
        let loaded = log
            .lines()
            .filter(|line| line.contains("plugin loaded") && line.contains(RULE));
        ensure!(loaded.count() >= 2, "not yet");
        Ok(())
    })?;
    have(&[&replicas.first, &replicas.second], RULE, &old)?;
    replicas.both_ready()?;
    // What waits comes into force when who has it leads.
    replicas.second.kill();
    leads(&replicas.world, "first")?;
    let new = eventually("the new one is in force", RECOVERY, || {
        let new = digest(&replicas.rule()?)?;
        ensure!(new != old, "it is not");
        Ok(new)
    })?;
    have(&[&replicas.first], RULE, &new)
}

#[test]
fn who_lacks_what_is_in_force_is_not_ready_and_does_not_judge() -> Result<()> {
    let mut replicas = Replicas::start("replica-lacks-a-plugin")?;
    let old = replicas.in_force()?;
    have(&[&replicas.second], RULE, &old)?;
    replicas.second.kill();
    replicas.second = replicas.replica("second", &["--compiler-memory-mib", "1"])?;
    replicas.both_ready()?;
    replicas.cross()?;
    replicas.ask()?;

    replicas.put_component(1)?;
    eventually("it is not ready", RECOVERY, || {
        ensure!(!replicas.second.is_ready(), "it is");
        Ok(())
    })?;
    ensure!(replicas.first.is_ready(), "the leader is not");
    let refused = replicas.ask().err().map(|error| format!("{error:#}"));
    let refused = refused.context("it judged")?;
    ensure!(
        refused.contains("has not loaded yet what is in force of: version"),
        "{refused}"
    );
    let new = digest(&replicas.rule()?)?;
    ensure!(new != old, "{new}");
    // Back to what it has: it judges again, without a restart.
    replicas.put_component(0)?;
    replicas.both_ready()?;
    have(&[&replicas.first, &replicas.second], RULE, &old)?;
    replicas.ask().map(drop)
}

/// As while a new version of the operator takes the place of an old one.
#[test]
fn replicas_with_other_built_in_plugins_judge_by_the_leaders() -> Result<()> {
    let mut replicas = Replicas::start("other-built-in")?;
    let plugin = "validation";
    let of_leader = known_digest(&replicas.first, plugin)?;
    replicas.second.kill();
    let folder = tempfile::tempdir()?;
    let plugins = &replicas.world.own.environment.artifacts.plugins;
    other_version(plugins, folder.path(), 7)?;
    let mut environment = environment(&replicas.world, replicas.name, "second")?;
    environment.artifacts.plugins = folder.path().to_owned();
    let kubeconfig = environment.kubectl.kubeconfig().to_owned();
    fs::remove_dir_all(environment.logs.join("components"))?;
    let certificates = replicas.certificates.folder.path().to_string_lossy();
    let options = ["--webhook-cert-dir", &*certificates];
    replicas.second = Operator::start_replica_with(&environment, "second", &kubeconfig, &options)?;
    replicas.both_ready()?;
    have(&[&replicas.first, &replicas.second], plugin, &of_leader)?;
    replicas.first.kill();
    leads(&replicas.world, "second")?;
    let of_second = eventually("its own are in force", RECOVERY, || {
        let status = digest(
            &replicas
                .world
                .kubectl()
                .json(&["get", "mcpplugin", plugin])?,
        )?;
        ensure!(!status.contains(&of_leader), "{status}");
        Ok(status)
    })?;
    // And the old one, if it comes back, judges by the new ones.
    replicas.first = replicas.replica("first", &[])?;
    replicas.both_ready()?;
    have(&[&replicas.first, &replicas.second], plugin, &of_second)
}
