//! The pod template.

use mcp_operator_core::build::{child_name, variable_name};
use serde_json::{Map, Value, json};

use super::super::container::{
    Spec, add_env, image, port_number, probe, resources, set, set_port, users,
};
use super::super::field_reader::Fields;
use super::related::Related;

/// What every pod has by default, or an MCPServer has by itself.
const OF_EVERY_POD: [&str; 3] = [
    "enableServiceLinks",
    "restartPolicy",
    "shareProcessNamespace",
];
/// The same of containers.
const OF_EVERY_CONTAINER: [&str; 3] =
    ["name", "terminationMessagePath", "terminationMessagePolicy"];

/// Reads a pod template, and gives the port of the server.
pub(super) fn read(spec: &mut Spec, template: &mut Fields, name: &str, related: &Related) -> i64 {
    template.inside("metadata", |metadata| {
        metadata.take("labels");
        metadata.take("creationTimestamp");
        metadata.leave("annotations", "annotations of pods are what plugins set");
    });
    template.inside("spec", |pod| {
        for said in OF_EVERY_POD {
            pod.take(said);
        }
        for (name, usual) in [("dnsPolicy", "ClusterFirst"), ("schedulerName", "default-scheduler")] {
            if let Some(other) = pod.text(name).filter(|value| value != usual) {
                pod.note(format!("spec.template.spec.{name}: pods of an MCPServer have {usual}, and not {other}"));
            }
        }
        // The old name of the field, which the API server still takes.
        let former = pod.text("serviceAccount");
        let account = pod.text("serviceAccountName").or(former);
        let account = account.filter(|account| *account != child_name(name));
        // Kubernetes mounts a token unless somebody says no; here it is the other way round.
        let token = pod.flag("automountServiceAccountToken");
        let token = token.or_else(|| account.is_some().then_some(true));
        set(spec, "automountServiceAccountToken", token.filter(|it| *it));
        set(spec, "serviceAccountName", account);
        for same in [
            "imagePullSecrets",
            "nodeSelector",
            "priorityClassName",
            "runtimeClassName",
            "terminationGracePeriodSeconds",
            "tolerations",
        ] {
            set(spec, same, pod.take(same).filter(|value| same != "terminationGracePeriodSeconds" || *value != json!(30)));
        }
        for spread in ["affinity", "topologySpreadConstraints"] {
            pod.leave(spread, "pods are spread over nodes and zones by affinity.podAntiAffinity and affinity.zoneSpread");
        }
        pod.leave("initContainers", "an MCPServer has one container");
        set(spec, "securityContext", None::<Value>);
        if let Some(context) = pod.take("securityContext") {
            let mut fields = Fields::of(&json!({ "podSecurityContext": context }), "");
            users(spec, &mut fields);
            fields.into_notes().into_iter().for_each(|note| pod.note(note));
        }
        let volumes = pod.take("volumes").unwrap_or_default();
        let mut containers = match pod.take("containers") {
            Some(Value::Array(containers)) => containers,
            _ => Vec::new(),
        };
        if containers.len() > 1 {
            pod.note("there are several containers, and an MCPServer has the first of them");
        }
        let first = if containers.is_empty() { Value::Null } else { containers.remove(0) };
        let mut fields = Fields::of(&first, "spec.template.spec.containers[0]");
        let port = container(spec, &mut fields, &volumes, related);
        fields.into_notes().into_iter().for_each(|note| pod.note(note));
        port
    })
}

fn container(spec: &mut Spec, fields: &mut Fields, volumes: &Value, related: &Related) -> i64 {
    for said in OF_EVERY_CONTAINER {
        fields.take(said);
    }
    if let Some(reference) = fields.text("image") {
        image(spec, &reference, fields);
    }
    if let Some(policy) = fields
        .take("imagePullPolicy")
        .filter(|policy| policy != "IfNotPresent")
        && let Some(image) = spec.get_mut("image")
    {
        image["pullPolicy"] = policy;
    }
    for same in ["command", "args"] {
        set(spec, same, fields.take(same));
    }
    let ports = match fields.take("ports") {
        Some(Value::Array(ports)) => ports,
        _ => Vec::new(),
    };
    let http = json!("http");
    let first = ports
        .first()
        .and_then(|port| port["containerPort"].as_i64());
    let port = port_number(&http, &ports).or(first).unwrap_or(8080);
    set_port(spec, Some(json!(port)));
    variables(spec, fields, related);
    resources(spec, fields);
    users(spec, fields);
    probes(spec, fields, &ports, port);
    mounts(spec, fields, volumes, related);
    port
}

fn probes(spec: &mut Spec, fields: &mut Fields, ports: &[Value], port: i64) {
    let mut kept = Map::new();
    for kind in ["liveness", "readiness", "startup"] {
        let Some(said) = fields.take(&format!("{kind}Probe")) else {
            if kind != "startup" {
                kept.insert(kind.into(), json!({ "type": "None" }));
            }
            continue;
        };
        match probe(&said, ports, Some(port)) {
            Some(ours) => drop(kept.insert(kind.into(), ours.into())),
            None => fields.note(format!(
                "{kind}Probe: only probes by plain HTTP and TCP, of the pod itself and with one success, are carried over"
            )),
        }
    }
    spec.insert("observability".into(), json!({ "healthProbes": kept }));
}

/// Scratch is carried over; what is mounted of ConfigMaps and Secrets is not.
fn mounts(spec: &mut Spec, fields: &mut Fields, volumes: &Value, related: &Related) {
    let Some(Value::Array(mounts)) = fields.take("volumeMounts") else {
        return;
    };
    let volumes = volumes.as_array().cloned().unwrap_or_default();
    let mut scratch = Vec::new();
    for mount in mounts {
        let path = mount["mountPath"].as_str().unwrap_or_default();
        let volume = volumes
            .iter()
            .find(|volume| volume["name"] == mount["name"]);
        let volume = volume.cloned().unwrap_or_default();
        if volume["emptyDir"].is_object() {
            if path != "/tmp" {
                let mut folder = json!({ "mountPath": path });
                if let Some(limit) = volume["emptyDir"]["sizeLimit"].as_str() {
                    folder["sizeLimit"] = limit.into();
                }
                scratch.push(folder);
            }
            continue;
        }
        let file = related.config(&volume["configMap"]["name"], "config.yaml");
        let note = if file.is_some() {
            "its config.yaml is not carried over: write it as `config`, which becomes /etc/mcp/config.yaml"
        } else {
            "files of ConfigMaps, Secrets and claims are not mounted; `config` becomes /etc/mcp/config.yaml, and env reads single keys"
        };
        fields.note(format!("the volume at {path}: {note}"));
    }
    set(spec, "emptyDirs", (!scratch.is_empty()).then_some(scratch));
}

/// Variables: those of ConfigMaps become `config`, those that External Secrets fetches `secrets`, all others `env`.
fn variables(spec: &mut Spec, fields: &mut Fields, related: &Related) {
    let mut all = Vec::new();
    for source in fields
        .take("envFrom")
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        match of_source(source, related) {
            Some(more) => all.extend(more),
            None => fields
                .note("envFrom: an MCPServer names its variables one by one: env, with valueFrom"),
        }
    }
    if let Some(Value::Array(list)) = fields.take("env") {
        all.extend(list);
    }
    // Of several of one name, Kubernetes takes the last.
    let names: Vec<Value> = all.iter().map(|it| it["name"].clone()).collect();
    let mut position = 0;
    all.retain(|variable| {
        position += 1;
        !names[position..].contains(&variable["name"])
    });
    let store = first_store(&all, related);
    let (mut config, mut secrets, mut env) = (Map::new(), Vec::new(), Vec::new());
    for variable in all {
        let name = variable["name"].as_str().unwrap_or_default();
        let (from_config, from_secret) = (
            &variable["valueFrom"]["configMapKeyRef"],
            &variable["valueFrom"]["secretKeyRef"],
        );
        if let Some(key) = from_config["key"].as_str()
            && let Some(value) = related.config(&from_config["name"], key)
        {
            if variable_name(key) == name {
                config.insert(key.to_owned(), value.clone());
            } else {
                env.push(json!({ "name": name, "value": value }));
            }
        } else if let Some(made) = related.external_secret(&from_secret["name"])
            && let Some(fetched) = fetched(name, from_secret, made)
        {
            let is_known = |known: &Value| known["name"] == fetched["name"];
            let why = if Some(&made["spec"]["secretStoreRef"]) != store {
                "is of another store than the first one"
            } else if secrets.iter().any(is_known) {
                "has a key that another one has, too"
            } else if is_changed(made, from_secret) {
                "says more of how its value is made"
            } else {
                secrets.push(fetched);
                continue;
            };
            fields.note(format!(
                "the variable {name} stays a key of the Secret {}: its ExternalSecret {why}, and has to stay",
                from_secret["name"].as_str().unwrap_or_default()
            ));
            env.push(variable);
        } else if variable["valueFrom"].is_null()
            || from_config.is_object()
            || from_secret.is_object()
        {
            env.push(variable);
        } else {
            fields.note(format!("the variable {name} comes from the pod itself, which no MCPServer can say: it is left out"));
        }
    }
    set(spec, "config", (!config.is_empty()).then_some(config));
    set(spec, "secrets", (!secrets.is_empty()).then_some(secrets));
    add_env(spec, env);
    set_store(spec, store, related);
}

/// The store of the first variable that comes from one.
fn first_store<'a>(variables: &[Value], related: &'a Related) -> Option<&'a Value> {
    let mut names = variables
        .iter()
        .map(|variable| &variable["valueFrom"]["secretKeyRef"]["name"]);
    let made = names.find_map(|name| related.external_secret(name))?;
    Some(&made["spec"]["secretStoreRef"])
}

/// Whether the value of a key is not simply what the store has, or the Secret is made by a template.
fn is_changed(made: &Value, reference: &Value) -> bool {
    let mut data = made["spec"]["data"].as_array().into_iter().flatten();
    let entry = data.find(|entry| entry["secretKey"] == reference["key"]);
    let remote = entry.and_then(|entry| entry["remoteRef"].as_object());
    let is_usual = |(name, value): (&String, &Value)| match name.as_str() {
        "key" | "property" => true,
        "conversionStrategy" => value == "Default",
        "decodingStrategy" | "metadataPolicy" => value == "None",
        _ => false,
    };
    !made["spec"]["target"]["template"].is_null() || !remote.into_iter().flatten().all(is_usual)
}

/// The variables of a whole ConfigMap or Secret that is among the manifests.
fn of_source(source: &Value, related: &Related) -> Option<Vec<Value>> {
    if !source["prefix"].is_null() {
        return None;
    }
    let (config, secret) = (
        &source["configMapRef"]["name"],
        &source["secretRef"]["name"],
    );
    let (member, name, keys): (_, _, Vec<&str>) = if config.is_string() {
        let mut maps = related.of("ConfigMap");
        let map = maps.find(|map| map["metadata"]["name"] == *config)?;
        (
            "configMapKeyRef",
            config,
            map["data"]
                .as_object()?
                .keys()
                .map(String::as_str)
                .collect(),
        )
    } else {
        let data = related.external_secret(secret)?["spec"]["data"].as_array()?;
        (
            "secretKeyRef",
            secret,
            data.iter()
                .filter_map(|entry| entry["secretKey"].as_str())
                .collect(),
        )
    };
    let variable =
        |key| json!({ "name": key, "valueFrom": { member: { "name": name, "key": key } } });
    Some(keys.into_iter().map(variable).collect())
}

/// The secret that an ExternalSecret fetches for a variable.
fn fetched(variable: &str, reference: &Value, made: &Value) -> Option<Value> {
    let key = reference["key"].as_str()?;
    let mut data = made["spec"]["data"].as_array()?.iter();
    let remote = &data.find(|entry| entry["secretKey"] == key)?["remoteRef"];
    let mut secret = json!({ "name": key, "awsSecretKey": remote["key"] });
    if let Some(property) = remote["property"].as_str() {
        secret["property"] = property.into();
    }
    if reference["optional"] == true {
        secret["optional"] = true.into();
    }
    if variable_name(key) != variable {
        secret["envVar"] = variable.into();
    }
    Some(secret)
}

fn set_store(spec: &mut Spec, store: Option<&Value>, related: &Related) {
    let mut all = related.of("ExternalSecret");
    let Some(made) = all.find(|made| Some(&made["spec"]["secretStoreRef"]) == store) else {
        return;
    };
    let said = &made["spec"];
    let mut kept = Spec::new();
    set(&mut kept, "name", said["secretStoreRef"]["name"].as_str());
    set(&mut kept, "kind", said["secretStoreRef"]["kind"].as_str());
    set(
        &mut kept,
        "refreshInterval",
        said["refreshInterval"].as_str(),
    );
    if spec.contains_key("secrets") && !kept.is_empty() {
        spec.insert("secretStore".into(), kept.into());
    }
}
