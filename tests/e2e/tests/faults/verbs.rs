//! Each verb of the roles that are shipped is needed: where one is missing, something names it. What to take away is read
//! from the roles themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Definitions, Kubectl};
use mcp_e2e::{
    Operator, OwnCluster, eventually, install_definition, install_plugins, operator_kubeconfig,
};
use serde_json::{Value, json};

use crate::world::{RECOVERY, World};

const OPERATOR: &str = "mcp-operator";
const TENANT: &str = "mcp-operator-tenant";
const WEBHOOK: &str = "mcp-operator-webhook";
/// Kinds of others, that may be there or not.
const OPTIONAL: [&str; 2] = ["externalsecrets", "servicemonitors"];

/// One verb of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Permission {
    resource: String,
    verb: String,
}

impl Permission {
    /// As the API server words it, where it is missing.
    fn refusal(&self) -> String {
        let Self { resource, verb } = self;
        format!("cannot {verb} resource \"{resource}\"")
    }

    /// A namespace for it.
    fn namespace(&self) -> String {
        format!("no-{}-{}", self.verb, self.resource)
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// All that a role permits.
fn permissions(rules: &Value) -> Vec<Permission> {
    let rules = rules.as_array().into_iter().flatten();
    let each = rules.flat_map(|rule| {
        texts(&rule["resources"]).flat_map(|resource| {
            texts(&rule["verbs"]).map(|verb| Permission {
                resource: resource.to_owned(),
                verb: verb.to_owned(),
            })
        })
    });
    each.collect()
}

/// The rules without these permissions.
fn without(rules: &Value, is_taken: impl Fn(&Permission) -> bool) -> Value {
    let rules = rules.as_array().into_iter().flatten();
    let single = rules.flat_map(|rule| {
        let each = permissions(&json!([rule])).into_iter();
        let kept = each.filter(|permission| !is_taken(permission));
        let single = kept.map(|Permission { resource, verb }| {
            let mut rule = rule.clone();
            rule["resources"] = json!([resource]);
            rule["verbs"] = json!([verb]);
            rule
        });
        single.collect::<Vec<_>>()
    });
    single.collect()
}

fn rules(kubectl: &Kubectl, role: &str) -> Result<Value> {
    Ok(kubectl.json(&["get", "clusterrole", role])?["rules"].clone())
}

fn grant(kubectl: &Kubectl, role: &str, rules: &Value) -> Result<()> {
    let patch = json!({ "rules": rules }).to_string();
    let kind = ["patch", "clusterrole", role, "--type=merge", "--patch"];
    kubectl.run(&[&kind[..], &[&patch]].concat()).map(drop)
}

/// Both optional APIs, and no ServiceMonitors elsewhere.
fn install_optional(kubectl: &Kubectl) -> Result<()> {
    let definitions = Definitions::fetch()?;
    install_definition(kubectl, &definitions.external_secrets)?;
    install_definition(kubectl, &definitions.service_monitors)
}

/// A server that becomes an object of every kind, or of those that every server has.
fn server(namespace: &str, name: &str, everything: bool) -> Value {
    let mut server = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
            "resources": { "requests": { "cpu": "1m", "memory": "1Mi" }, "limits": { "cpu": "500m", "memory": "64Mi" } },
            "litellm": { "autoRegister": false }, "networkPolicy": { "enabled": everything },
            "podDisruptionBudget": { "enabled": everything }, "observability": { "metrics": { "enabled": everything } },
        },
    });
    if everything {
        let key = format!("{namespace}/token");
        server["spec"]["config"] = json!({ "a": 1 });
        server["spec"]["secrets"] =
            json!([{ "name": "token", "awsSecretKey": key, "optional": true }]);
        server["spec"]["autoscaling"] = json!({ "minReplicas": 2, "maxReplicas": 3 });
    }
    server
}

/// All that the conditions of a server say.
fn said(kubectl: &Kubectl, namespace: &str, name: &str) -> Result<String> {
    kubectl.run(&[
        "get",
        "mcpserver",
        name,
        "--namespace",
        namespace,
        "--output=jsonpath={.status.conditions[*].message}",
    ])
}

fn names(kubectl: &Kubectl, namespace: &str, server: &str, refusal: &str) -> Result<()> {
    eventually(&format!("{server} of {namespace}"), RECOVERY, || {
        let said = said(kubectl, namespace, server)?;
        ensure!(said.contains(refusal), "{refusal}: {said}");
        Ok(())
    })
}

/// The operator has no rights on tenants' objects but those of RoleBindings, as with the component `tenant-namespaces`; in
/// each namespace another verb is missing.
#[test]
fn what_is_missing_in_a_namespace_is_told_by_its_servers() -> Result<()> {
    let own = OwnCluster::start("verbs-of-tenants", &[])?;
    let kubectl = own.kubectl();
    install_optional(kubectl)?;
    kubectl.run(&["delete", "clusterrolebinding", TENANT])?;
    let all = rules(kubectl, TENANT)?;
    // Events are asked for only where a probe fails, and nothing runs on simulated nodes that could fail one: that a refusal
    // is told is shown without a cluster.
    let mut each = permissions(&all);
    each.retain(|permission| permission.resource != "events");
    ensure!(each.len() > 20, "{each:?}");
    let mut objects = Vec::new();
    for permission in &each {
        let namespace = permission.namespace();
        let metadata = json!({ "name": "all-but-one", "namespace": namespace });
        let rbac = "rbac.authorization.k8s.io";
        let version = format!("{rbac}/v1");
        objects.extend([
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
            json!({
                "apiVersion": version, "kind": "Role", "metadata": metadata,
                "rules": without(&all, |taken| taken == permission),
            }),
            json!({
                "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
                "roleRef": { "apiGroup": rbac, "kind": "Role", "name": "all-but-one" },
                "subjects": [{ "kind": "ServiceAccount", "name": OPERATOR, "namespace": "mcp-operator-system" }],
            }),
        ]);
    }
    apply(kubectl, &objects)?;
    let operator = Operator::start(&own.environment, "verbs-of-tenants")?;
    let servers = |everything| -> Vec<Value> {
        let namespaces = each.iter().map(Permission::namespace);
        namespaces
            .map(|namespace| server(&namespace, "a", everything))
            .collect()
    };
    apply(kubectl, &servers(true))?;
    let (deletions, others): (Vec<_>, Vec<_>) = each
        .iter()
        .partition(|permission| permission.verb == "delete");
    for permission in &others {
        names(kubectl, &permission.namespace(), "a", &permission.refusal())?;
    }
    for permission in &deletions {
        let namespace = permission.namespace();
        eventually(&format!("all is there in {namespace}"), RECOVERY, || {
            let list = ["get", &permission.resource, "--namespace", &namespace];
            let ours = "--selector=app.kubernetes.io/managed-by=mcp-operator";
            let found = kubectl.run(&[&list[..], &[ours, "--output=name"]].concat())?;
            ensure!(!found.is_empty(), "nothing yet");
            Ok(())
        })?;
    }
    apply(kubectl, &servers(false))?;
    for permission in &deletions {
        // What is left of an API that a server does not use any more has no condition.
        if OPTIONAL.contains(&permission.resource.as_str()) {
            says(operator.log(), permission)?;
        } else {
            names(kubectl, &permission.namespace(), "a", &permission.refusal())?;
        }
    }
    Ok(())
}

fn apply(kubectl: &Kubectl, objects: &[Value]) -> Result<()> {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    kubectl.apply(&list.to_string()).map(drop)
}

/// A process of which only the log is looked at: it need not become ready.
struct Logging {
    process: Child,
    log: PathBuf,
}

impl Logging {
    fn start(world: &World, name: &str) -> Result<Self> {
        let environment = &world.own.environment;
        let kubectl = world.kubectl();
        let config = operator_kubeconfig(kubectl, kubectl.kubeconfig(), &environment.logs)?;
        let log = environment.logs.join(format!("operator-{name}.log"));
        let output = fs::File::create(&log)?;
        let process = Command::new(&environment.artifacts.operator)
            .arg("run")
            .arg("--builtin-plugins")
            .arg(&environment.artifacts.plugins)
            .arg("--cache-dir")
            .arg(environment.logs.join("components"))
            .args(["--webhook-bind", "127.0.0.1:0"])
            .args(["--health-bind", "127.0.0.1:0"])
            .env("KUBECONFIG", &config)
            .stdout(output.try_clone()?)
            .stderr(Stdio::from(output))
            .spawn()
            .context("cannot run the operator")?;
        Ok(Self { process, log })
    }

    fn says(&self, permission: &Permission) -> Result<()> {
        says(&self.log, permission)
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn says(log: &Path, permission: &Permission) -> Result<()> {
    eventually(
        &format!("{permission:?} in {}", log.display()),
        RECOVERY,
        || {
            // Quotes are escaped where a message is quoted itself.
            let log = fs::read_to_string(log)?.replace('\\', "");
            ensure!(log.contains(&permission.refusal()), "nothing yet");
            Ok(())
        },
    )
}

/// What it must know before it begins, and the rest.
const NEEDED_FIRST: [&str; 2] = ["namespaces", "mcpplugins"];

#[test]
fn what_may_not_be_watched_is_told_in_the_log() -> Result<()> {
    let world = World::start("verbs-of-watches")?;
    install_optional(world.kubectl())?;
    let all = rules(world.kubectl(), OPERATOR)?;
    for verb in ["list", "watch"] {
        for first in [true, false] {
            let is_taken = |permission: &Permission| {
                let is_first = NEEDED_FIRST.contains(&permission.resource.as_str());
                permission.verb == verb && is_first == first
            };
            grant(world.kubectl(), OPERATOR, &without(&all, is_taken))?;
            let operator = Logging::start(&world, &format!("no-{verb}-{first}"))?;
            let taken: Vec<_> = permissions(&all).into_iter().filter(is_taken).collect();
            ensure!(taken.len() > 1, "{taken:?}");
            for permission in &taken {
                operator.says(permission)?;
            }
        }
    }
    Ok(())
}

/// A control plane that asks for a permission of its own for owner references, as OpenShift does.
#[test]
fn what_may_not_be_read_or_written_by_name_is_told() -> Result<()> {
    let world = World::start_with(
        "verbs-by-name",
        &["--enable-admission-plugins=OwnerReferencesPermissionEnforcement"],
    )?;
    let kubectl = world.kubectl();
    install_optional(kubectl)?;
    let all = rules(kubectl, OPERATOR)?;
    let mut seen = statuses_and_webhooks(&world, &all)?;
    seen.extend(objects_in_the_way(&world, &all)?);
    seen.extend(what_is_there_already(&world, &all)?);
    seen.extend(owner_references(&world, &all)?);
    // Namespaces are read by name where their watch is late, which is too rare to wait for.
    let is_seen = |permission: &Permission| {
        ["list", "watch"].contains(&permission.verb.as_str())
            || (permission.resource == "namespaces" && permission.verb == "get")
            || seen.contains(permission)
    };
    let unseen: Vec<_> = permissions(&all)
        .into_iter()
        .filter(|permission| !is_seen(permission))
        .collect();
    ensure!(unseen.is_empty(), "{unseen:?}");
    Ok(())
}

fn chosen(all: &Value, is_taken: impl Fn(&Permission) -> bool) -> Vec<Permission> {
    permissions(all).into_iter().filter(is_taken).collect()
}

/// A server that was there before the operator gets no status, and nobody trusts the webhook.
fn statuses_and_webhooks(world: &World, all: &Value) -> Result<Vec<Permission>> {
    let kubectl = world.kubectl();
    kubectl.run(&[
        "delete",
        "mutatingwebhookconfiguration/mcp-operator",
        "validatingwebhookconfiguration/mcp-operator",
    ])?;
    world.apply(1)?;
    install_plugins(kubectl)?;
    let is_taken = |permission: &Permission| permission.resource.ends_with("/status");
    grant(kubectl, OPERATOR, &without(all, is_taken))?;
    let webhook = rules(kubectl, WEBHOOK)?;
    let statuses = chosen(all, is_taken);
    for verb in ["get", "patch"] {
        let is_taken = |permission: &Permission| permission.verb == verb;
        grant(kubectl, WEBHOOK, &without(&webhook, is_taken))?;
        let operator = Logging::start(world, &format!("no-{verb}-by-name"))?;
        for permission in chosen(&webhook, is_taken).iter().chain(&statuses) {
            operator.says(permission)?;
        }
    }
    grant(kubectl, OPERATOR, all)?;
    grant(kubectl, WEBHOOK, &webhook)?;
    Ok(statuses)
}

/// What is in the way of a server's object is looked at.
fn objects_in_the_way(world: &World, all: &Value) -> Result<Vec<Permission>> {
    let kubectl = world.kubectl();
    let is_taken = |permission: &Permission| {
        permission.verb == "get"
            && permission.resource != "namespaces"
            && !permission.resource.starts_with("mcp")
    };
    let taken = chosen(all, is_taken);
    let mut objects = Vec::new();
    for permission in &taken {
        let namespace = permission.namespace();
        objects.push(
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        );
        objects.push(in_the_way(&namespace, &permission.resource)?);
    }
    apply(kubectl, &objects)?;
    grant(kubectl, OPERATOR, &without(all, is_taken))?;
    let _operator = Operator::start(&world.own.environment, "verbs-in-the-way")?;
    let servers = taken
        .iter()
        .map(|permission| server(&permission.namespace(), "a", true));
    apply(kubectl, &servers.collect::<Vec<_>>())?;
    for permission in &taken {
        names(kubectl, &permission.namespace(), "a", &permission.refusal())?;
    }
    eventually("the first server has everything", RECOVERY, || {
        ensure!(world.condition("Ready")?["status"] == "True");
        Ok(())
    })?;
    Ok(taken)
}

/// A server is looked at before something is made for it again, and a registrar before it is told about. An event that was
/// written before is counted up.
fn what_is_there_already(world: &World, all: &Value) -> Result<Vec<Permission>> {
    let kubectl = world.kubectl();
    let is_taken = |permission: &Permission| {
        (permission.verb == "get" && permission.resource.starts_with("mcp"))
            || (permission.verb == "patch" && permission.resource == "events")
    };
    grant(kubectl, OPERATOR, &without(all, is_taken))?;
    let operator = Operator::start(&world.own.environment, "verbs-of-what-is-there")?;
    for replicas in ["5", "6"] {
        let scale = ["scale", "deployment/mcp-s-0", "--namespace=servers"];
        let replicas = format!("--replicas={replicas}");
        kubectl.run(&[&scale[..], &[&replicas]].concat())?;
        eventually("it is put back", RECOVERY, || {
            ensure!(world.get("deployment", "mcp-s-0")?["spec"]["replicas"] == 2);
            Ok(())
        })?;
    }
    world.delete("service", "mcp-s-0")?;
    let taken = chosen(all, is_taken);
    for permission in &taken {
        says(operator.log(), permission)?;
    }
    Ok(taken)
}

fn owner_references(world: &World, all: &Value) -> Result<Vec<Permission>> {
    let kubectl = world.kubectl();
    let is_taken = |permission: &Permission| {
        permission.resource == "mcpservers/finalizers"
            || (permission.resource == "events" && permission.verb == "create")
    };
    grant(kubectl, OPERATOR, &without(all, is_taken))?;
    let operator = Operator::start(&world.own.environment, "verbs-of-owners")?;
    apply(kubectl, &[server(OwnCluster::NAMESPACE, "owner", false)])?;
    let refusal = "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on";
    names(kubectl, OwnCluster::NAMESPACE, "owner", refusal)?;
    let taken = chosen(all, is_taken);
    for permission in taken
        .iter()
        .filter(|permission| permission.resource == "events")
    {
        says(operator.log(), permission)?;
    }
    Ok(taken)
}

/// An object of somebody else with the name of a server's.
fn in_the_way(namespace: &str, resource: &str) -> Result<Value> {
    let labels = json!({ "a": "b" });
    let selector = json!({ "matchLabels": labels });
    let (version, kind, spec) = match resource {
        "serviceaccounts" => ("v1", "ServiceAccount", Value::Null),
        "configmaps" => ("v1", "ConfigMap", Value::Null),
        "services" => ("v1", "Service", json!({ "ports": [{ "port": 80 }] })),
        "deployments" => (
            "apps/v1",
            "Deployment",
            json!({
                "selector": selector, "replicas": 0,
                "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "a", "image": "a" }] } },
            }),
        ),
        "poddisruptionbudgets" => (
            "policy/v1",
            "PodDisruptionBudget",
            json!({ "selector": selector }),
        ),
        "horizontalpodautoscalers" => (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({ "maxReplicas": 2, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "x" } }),
        ),
        "networkpolicies" => (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({ "podSelector": {} }),
        ),
        "externalsecrets" => (
            "external-secrets.io/v1",
            "ExternalSecret",
            json!({ "secretStoreRef": { "name": "a" }, "data": [] }),
        ),
        "servicemonitors" => (
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            json!({ "selector": selector, "endpoints": [] }),
        ),
        other => anyhow::bail!("nothing is known that could be in the way of {other}"),
    };
    let name = match kind {
        "ExternalSecret" => "mcp-a-secrets-token",
        // Named by its content.
        "ConfigMap" => "mcp-a-d08aeed7",
        _ => "mcp-a",
    };
    let metadata = json!({ "name": name, "namespace": namespace });
    let mut object = json!({ "apiVersion": version, "kind": kind, "metadata": metadata });
    if !spec.is_null() {
        object["spec"] = spec;
    }
    Ok(object)
}
