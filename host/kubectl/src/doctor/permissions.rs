//! What the operator's account needs, verb by verb, and whether it may.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::Finding;
use super::gateway::{config_maps, workloads};
use super::installation::{Installation, MANAGER, place};
use super::plugins::active_registrar;

/// The roles as they are installed: whoever adds a write adds its verb there.
const ROLES: &str = include_str!("../../../../deploy/base/rbac.yaml");
/// What MCPServers become, which may be granted by namespaces.
const TENANT: &str = "mcp-operator-tenant";
/// What it has of definitions is only needed where the operator makes its certificates itself.
const WEBHOOK: &str = "mcp-operator-webhook";
const DEFINITIONS: &str = "apiextensions.k8s.io";
const EVERYWHERE: &str = "everywhere";
/// Namespaces that are asked about where nothing is granted for all of the cluster.
const MOST_NAMESPACES: usize = 20;

/// One verb on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission {
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    /// Of one object only.
    pub(crate) name: Option<String>,
    /// Nothing: everywhere.
    pub(crate) namespace: Option<String>,
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(formatter, ".{}", self.group)?;
        }
        if !self.subresource.is_empty() {
            write!(formatter, "/{}", self.subresource)?;
        }
        if let Some(name) = &self.name {
            write!(formatter, " {name}")?;
        }
        Ok(())
    }
}

/// What is needed: everywhere, or in the operator's own namespace.
pub(crate) fn needed(installation: &Installation) -> Vec<Permission> {
    let makes_certificates = !installation.has_mounted_certificate();
    let roles = roles(&["Role", "ClusterRole"]);
    let mut needed: Vec<Permission> = roles
        .iter()
        .flat_map(|role| {
            let namespace = (role["kind"] == "Role").then_some(installation.namespace.as_str());
            let is_of_definition = |permission: &Permission| {
                role["metadata"]["name"] == WEBHOOK && permission.group == DEFINITIONS
            };
            let permissions = of_role(role, namespace).into_iter();
            permissions.filter(move |it| makes_certificates || !is_of_definition(it))
        })
        .collect();
    needed.extend(of_gateway(installation));
    needed
}

/// What is needed of [`needed`] for each namespace with MCPServers, where it is not granted everywhere.
pub(crate) fn by_namespace(denied: &[Permission], installation: &Installation) -> Vec<Permission> {
    let tenant = of_tenants();
    let servers = installation.list("MCPServer", "").unwrap_or_default();
    let namespaces: BTreeSet<&str> = servers
        .iter()
        .filter_map(|it| it["metadata"]["namespace"].as_str())
        .collect();
    let by_tenants = denied
        .iter()
        .filter(|permission| tenant.contains(permission));
    by_tenants
        .flat_map(|permission| {
            namespaces
                .iter()
                .take(MOST_NAMESPACES)
                .map(|namespace| Permission {
                    namespace: Some((*namespace).to_owned()),
                    ..permission.clone()
                })
        })
        .collect()
}

/// What is needed where MCPServers are.
fn of_tenants() -> BTreeSet<Permission> {
    let roles = roles(&["ClusterRole"]);
    let tenant = roles.iter().find(|role| role["metadata"]["name"] == TENANT);
    let tenant = tenant.into_iter().flat_map(|role| of_role(role, None));
    tenant.collect()
}

/// Those of these kinds.
fn roles(kinds: &[&str]) -> Vec<Value> {
    let mut documents = serde_saphyr::from_multiple::<Value>(ROLES).unwrap_or_default();
    documents.retain(|it| kinds.iter().any(|kind| it["kind"] == *kind));
    documents
}

fn of_role(role: &Value, namespace: Option<&str>) -> Vec<Permission> {
    let rules = role["rules"].as_array().into_iter().flatten();
    rules.flat_map(|rule| of_rule(rule, namespace)).collect()
}

fn of_rule(rule: &Value, namespace: Option<&str>) -> Vec<Permission> {
    let words = |name: &str| -> Vec<&str> {
        let list = rule[name].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).collect()
    };
    let names = words("resourceNames")
        .into_iter()
        .map(|name| Some(name.to_owned()));
    let names: Vec<Option<String>> = names.collect();
    let names = if names.is_empty() { vec![None] } else { names };
    let mut permissions = Vec::new();
    for group in words("apiGroups") {
        for resource in words("resources") {
            let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
            for verb in words("verbs") {
                permissions.extend(names.iter().map(|name| Permission {
                    verb: verb.into(),
                    group: group.into(),
                    resource: resource.into(),
                    subresource: subresource.into(),
                    name: name.clone(),
                    namespace: namespace.map(str::to_owned),
                }));
            }
        }
    }
    permissions
}

/// What the registrar writes where LiteLLM is.
fn of_gateway(installation: &Installation) -> Vec<Permission> {
    let plugins = installation.list("MCPPlugin", "").unwrap_or_default();
    let Some(registrar) = active_registrar(plugins) else {
        return Vec::new();
    };
    let patch = |group: &str, resource: &str, namespace: &str, name: &str| Permission {
        verb: "patch".into(),
        group: group.into(),
        resource: resource.into(),
        subresource: String::new(),
        name: Some(name.into()),
        namespace: Some(namespace.into()),
    };
    let maps = config_maps(registrar);
    let maps = maps
        .iter()
        .map(|it| patch("", "configmaps", it.namespace, it.name));
    let rolled = workloads(registrar);
    let rolled = rolled
        .iter()
        .map(|it| patch("apps", "deployments", it.namespace, it.name));
    maps.chain(rolled).collect()
}

/// The account that is asked about.
pub(crate) fn account(installation: &Installation) -> String {
    let (namespace, name) = (&installation.namespace, account_name(installation));
    format!("system:serviceaccount:{namespace}:{name}")
}

/// Its name in the operator's namespace.
pub(crate) fn account_name(installation: &Installation) -> &str {
    let deployment = installation.deployment().there();
    let name =
        deployment.and_then(|it| it["spec"]["template"]["spec"]["serviceAccountName"].as_str());
    name.unwrap_or(MANAGER)
}

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let denied = installation
        .permissions
        .iter()
        .filter(|(_, is_allowed)| !is_allowed);
    let mut by_place: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (permission, _) in denied {
        let place = permission.namespace.as_ref();
        let place = place.map_or_else(
            || EVERYWHERE.into(),
            |namespace| format!("in the namespace {namespace}"),
        );
        by_place
            .entry(place)
            .or_default()
            .push(permission.to_string());
    }
    let (user, name) = (account(installation), account_name(installation));
    let at = place("ServiceAccount", &installation.namespace, name);
    let account = installation.object("ServiceAccount", &installation.namespace, name);
    let mut findings = Vec::new();
    if account.is_missing() && installation.has_replicas() {
        findings.push(Finding::wrong(
            &at,
            "it is not there: the operator's pods are nobody to the API server",
            "apply the chart or deploy/base again, and delete the pods, whose tokens are of the old one",
        ));
    }
    findings.extend(by_place.into_iter().map(|(place, verbs)| {
        let what = format!("it may not, {place}: {}", verbs.join(", "));
        let helps = format!("apply the roles of the chart or of deploy/base/rbac.yaml; kubectl auth can-i --list --as {user}");
        if place == EVERYWHERE && is_granted_by_namespaces(installation) {
            let what = format!("{what}; that is as it has to be where it may in each namespace that gets MCPServers, and there is none yet to ask about");
            Finding::doubtful(&at, what, helps)
        } else {
            Finding::wrong(&at, what, helps)
        }
    }));
    findings
}

/// Where there is no MCPServer yet, whether all that is denied for all of the cluster is what tenants grant.
fn is_granted_by_namespaces(installation: &Installation) -> bool {
    let has_servers = installation
        .list("MCPServer", "")
        .is_none_or(|servers| !servers.is_empty());
    let mut denied = installation
        .permissions
        .iter()
        .filter(|(permission, is_allowed)| !is_allowed && permission.namespace.is_none());
    let tenant = of_tenants();
    !has_servers && denied.all(|(permission, _)| tenant.contains(permission))
}
