//! LiteLLM: there, ready, and reading the file that the operator writes.

use std::collections::{BTreeMap, BTreeSet};

use mcp_operator_core::rollout::Rollout;
use serde_json::Value;

use super::Finding;
use super::installation::{Found, Installation, place};
use super::mounts::mounts;
use super::plugins::active_registrar;
use crate::pod_trouble::trouble;

/// Names what the operator may write and roll where LiteLLM is.
const GATEWAY: &str = "mcp.litellm.ai/gateway";

/// A key of a ConfigMap that a registrar writes, or a workload that it rolls.
pub(super) struct Granted<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    /// Of a ConfigMap.
    keys: Vec<&'a str>,
}

/// What the registrar may write.
pub(super) fn config_maps(plugin: &Value) -> Vec<Granted<'_>> {
    let all = granted(&plugin["spec"]["grants"]["configMaps"]);
    all.into_iter().filter(|it| !it.keys.is_empty()).collect()
}

/// What the registrar may roll.
pub(super) fn workloads(plugin: &Value) -> Vec<Granted<'_>> {
    granted(&plugin["spec"]["grants"]["workloads"])
}

fn granted(list: &Value) -> Vec<Granted<'_>> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(|grant| {
        let keys = grant["writeKeys"].as_array().into_iter().flatten();
        Some(Granted {
            namespace: grant["namespace"].as_str()?,
            name: grant["name"].as_str()?,
            keys: keys.filter_map(Value::as_str).collect(),
        })
    })
    .collect()
}

/// Whether the registrar that is in force writes or rolls something that can be looked at.
pub(super) fn is_seen(installation: &Installation) -> bool {
    let plugins = installation.list("MCPPlugin", "").unwrap_or_default();
    active_registrar(plugins).is_some_and(|registrar| {
        !workloads(registrar).is_empty() || !config_maps(registrar).is_empty()
    })
}

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let plugins = installation.list("MCPPlugin", "").unwrap_or_default();
    let Some(registrar) = active_registrar(plugins) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let mut touched: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for workload in workloads(registrar) {
        let at = place("Deployment", workload.namespace, workload.name);
        match installation.object("Deployment", workload.namespace, workload.name) {
            Found::Unread => {}
            Found::Missing => findings.push(Finding::wrong(at, "it is not there: nothing that is registered reaches LiteLLM", "install LiteLLM there, or correct settings.workloads and grants.workloads of the registrar (deploy/LITELLM.md)")),
            Found::There(deployment) => findings.extend(of_workload(deployment, registrar, &at, installation)),
        }
        touched
            .entry(workload.namespace)
            .or_default()
            .insert(workload.name);
    }
    for map in config_maps(registrar) {
        findings.extend(of_config_map(&map, installation));
        touched.entry(map.namespace).or_default().insert(map.name);
    }
    let confined = touched
        .into_iter()
        .filter_map(|(namespace, names)| confined(namespace, &names, installation));
    findings.extend(confined);
    findings
}

fn of_config_map(map: &Granted<'_>, installation: &Installation) -> Vec<Finding> {
    let at = place("ConfigMap", map.namespace, map.name);
    let written = "the operator writes it within seconds; if it does not, LiteLLMRegistered of an MCPServer and the condition Registrar say why";
    match installation.object("ConfigMap", map.namespace, map.name) {
        Found::Unread => Vec::new(),
        Found::Missing => vec![Finding::wrong(
            at,
            "it is not there: LiteLLM has no file to include",
            written,
        )],
        Found::There(found) if found["immutable"] == true => vec![Finding::wrong(
            at,
            "it is immutable, and servers are registered in it",
            "delete it: the operator makes it anew, and LiteLLM starts with that",
        )],
        Found::There(found) => {
            let missing = map.keys.iter().filter(|key| found["data"][**key].is_null());
            missing
                .map(|key| {
                    Finding::wrong(
                        &at,
                        format!("it has no key {key}: LiteLLM has no file to include"),
                        written,
                    )
                })
                .collect()
        }
    }
}

fn of_workload(
    deployment: &Value,
    registrar: &Value,
    at: &str,
    installation: &Installation,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rollout = Rollout::of(deployment);
    if deployment["spec"]["paused"] == true {
        let name = at.rsplit('/').next().unwrap_or_default();
        findings.push(Finding::wrong(
            at,
            "it is paused: what is registered does not reach LiteLLM",
            format!("kubectl rollout resume deployment/{name} in its namespace"),
        ));
    }
    if rollout.wanted == 0 {
        let what = "it has no replicas: no tool can be called";
        findings.push(Finding::wrong(at, what, "kubectl scale it to one or more"));
    } else if rollout.ready == 0 {
        let namespace = deployment["metadata"]["namespace"]
            .as_str()
            .unwrap_or_default();
        let labels = deployment["spec"]["selector"]["matchLabels"].as_object();
        let is_its = |pod: &&Value| {
            labels.is_some_and(|labels| {
                labels
                    .iter()
                    .all(|(name, value)| pod["metadata"]["labels"][name.as_str()] == *value)
            })
        };
        let pods = installation.list("Pod", namespace).unwrap_or_default();
        let why = pods.iter().filter(is_its).find_map(trouble);
        findings.push(Finding::wrong(
            at,
            format!(
                "none of its {} pods is ready: no tool can be called",
                rollout.wanted
            ),
            why.unwrap_or_else(|| "the log of LiteLLM".into()),
        ));
    }
    for map in config_maps(registrar) {
        if deployment["metadata"]["namespace"] != map.namespace {
            continue;
        }
        let mounts = mounts(deployment);
        let of_map: Vec<_> = mounts
            .iter()
            .filter(|mount| mount.config_map == map.name)
            .collect();
        let files: Vec<String> = of_map
            .iter()
            .flat_map(|mount| map.keys.iter().filter_map(|key| mount.path_of(key)))
            .collect();
        if files.is_empty() {
            let what = if of_map.is_empty() {
                format!(
                    "it does not mount the ConfigMap {}, in which servers are registered",
                    map.name
                )
            } else {
                format!(
                    "of the ConfigMap {} it does not mount {}, in which servers are registered",
                    map.name,
                    map.keys.join(", ")
                )
            };
            findings.push(Finding::wrong(at, what, format!("mount it, and include its file in LiteLLM's config.yaml: include: [/etc/litellm-mcp/{}]", map.keys.join(", "))));
            continue;
        }
        findings.extend(included(deployment, &files, at, installation));
    }
    findings
}

/// Whether the configuration that LiteLLM is started with includes one of these files; nothing where that cannot be seen.
fn included(
    deployment: &Value,
    files: &[String],
    at: &str,
    installation: &Installation,
) -> Option<Finding> {
    let path = configuration_path(deployment)?;
    let (folder, _) = path.rsplit_once('/')?;
    let namespace = deployment["metadata"]["namespace"].as_str()?;
    let mounts = mounts(deployment);
    let mut keys = mounts
        .iter()
        .filter_map(|mount| Some((mount.config_map, mount.key_at(&path)?)));
    let (name, file) = keys.next()?;
    let found = installation.object("ConfigMap", namespace, name);
    let Found::There(map) = found else {
        let what =
            format!("its configuration {path} comes from the ConfigMap {name}, which is not there");
        return found
            .is_missing()
            .then(|| Finding::wrong(at, what, "LiteLLM does not start without it"));
    };
    let at = place("ConfigMap", namespace, name);
    let Some(text) = map["data"][file].as_str() else {
        let what = format!("it has no key {file}, with which LiteLLM is started");
        return Some(Finding::wrong(
            at,
            what,
            "LiteLLM does not start without it",
        ));
    };
    let Ok(configuration) = serde_saphyr::from_str::<Value>(text) else {
        return Some(Finding::wrong(
            at,
            format!("its {file} is no YAML"),
            "LiteLLM does not start with it",
        ));
    };
    let absolute = |include: &str| {
        if include.starts_with('/') {
            include.to_owned()
        } else {
            format!("{folder}/{include}")
        }
    };
    let includes = configuration["include"].as_array().into_iter().flatten();
    let is_included = includes
        .filter_map(Value::as_str)
        .any(|include| files.contains(&absolute(include)));
    if !is_included {
        return Some(Finding::wrong(
            at,
            format!(
                "its {file} does not include {}, in which servers are registered",
                files.join(" or ")
            ),
            format!("include: [{}]", files.join(", ")),
        ));
    }
    (!configuration["mcp_servers"].is_null()).then(|| {
        Finding::doubtful(at, format!("its {file} has mcp_servers of its own, which LiteLLM ignores as soon as an MCPServer is registered"), "mcp-operator import makes MCPServers of them")
    })
}

/// As `--config PATH` or `--config=PATH` says it.
fn configuration_path(deployment: &Value) -> Option<String> {
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array()?;
    containers.iter().find_map(|container| {
        let words = |name: &str| {
            container[name]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
        };
        let words: Vec<&str> = words("command").chain(words("args")).collect();
        let joined = words.iter().find_map(|word| word.strip_prefix("--config="));
        let apart = words
            .windows(2)
            .find(|pair| ["--config", "-c"].contains(&pair[0]))
            .map(|pair| pair[1]);
        joined.or(apart).map(str::to_owned)
    })
}

/// The operator's account may touch there what an annotation of the namespace names.
fn confined(
    namespace: &str,
    names: &BTreeSet<&str>,
    installation: &Installation,
) -> Option<Finding> {
    let namespaces = installation.list("Namespace", "")?;
    let found = namespaces
        .iter()
        .find(|it| it["metadata"]["name"] == namespace);
    let Some(found) = found else {
        return Some(Finding::wrong(
            place("Namespace", "", namespace),
            "it is not there, and LiteLLM is looked for in it",
            "install LiteLLM there, or correct the settings and grants of the registrar",
        ));
    };
    let default = if namespace == "litellm" {
        "litellm-mcp-servers,litellm-proxy"
    } else {
        ""
    };
    let annotation = found["metadata"]["annotations"][GATEWAY].as_str();
    let mut allowed: BTreeSet<&str> = annotation
        .unwrap_or(default)
        .split(',')
        .map(str::trim)
        .collect();
    allowed.remove("");
    let missing: Vec<&str> = names.difference(&allowed).copied().collect();
    if missing.is_empty() {
        return None;
    }
    let all: Vec<&str> = allowed.union(names).copied().collect();
    Some(Finding::wrong(
        place("Namespace", "", namespace),
        format!(
            "its annotation {GATEWAY} does not name {}: the operator's account may not write it",
            missing.join(" and ")
        ),
        format!(
            "kubectl annotate --overwrite namespace {namespace} {GATEWAY}={}",
            all.join(",")
        ),
    ))
}
