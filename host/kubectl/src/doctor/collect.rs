//! Reads an installation.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Resource;
use kube::core::ApiResource;
use mcp_operator_api::names::installation::CONFIGURATION;
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use mcp_operator_runtime::{LEASE_NAME, api_server_time};
use serde_json::{Value, json};

use super::installation::{Installation, MANAGER};
use super::mounts::mounts;
use super::permissions::{Permission, account, account_name, by_namespace, needed};
use super::reachability::ask;
use super::{certificate, connections, definitions, gateway, plugins};
use crate::cluster::{Cluster, Scope};
use crate::readable::Readable;

/// Whether Secrets are asked for: to see which keys they have, and the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrets {
    Read,
    Untouched,
}

/// Reads everything that the checks look at, and nothing else.
///
/// # Errors
/// When the cluster does not answer.
pub(super) async fn installation(
    cluster: &Cluster,
    now: Timestamp,
    secrets: Secrets,
) -> Result<Installation> {
    let mut reading = Reading {
        cluster,
        found: Installation {
            namespace: cluster.operator_namespace.clone(),
            now,
            ..Installation::default()
        },
    };
    let home = cluster.operator_namespace.as_str();
    for name in definitions::names() {
        reading.object::<CustomResourceDefinition>("", name).await?;
    }
    reading
        .object::<ValidatingWebhookConfiguration>("", CONFIGURATION)
        .await?;
    reading
        .object::<MutatingWebhookConfiguration>("", CONFIGURATION)
        .await?;
    reading
        .object::<ValidatingAdmissionPolicy>("", CONFIGURATION)
        .await?;
    reading
        .object::<ValidatingAdmissionPolicyBinding>("", CONFIGURATION)
        .await?;
    reading.object::<Deployment>(home, MANAGER).await?;
    let account = account_name(&reading.found).to_owned();
    reading.object::<ServiceAccount>(home, &account).await?;
    reading.object::<Lease>(home, LEASE_NAME).await?;
    reading.found.api_time = api_server_time(&cluster.client).await?;
    reading.list::<Pod>(home).await?;
    if let Some((namespace, name)) = reading.found.webhook_service() {
        reading.object::<Service>(&namespace, &name).await?;
        reading.list::<EndpointSlice>(&namespace).await?;
    }
    for list in [
        ApiResource::erase::<McpPlugin>(&()),
        ApiResource::erase::<McpServer>(&()),
        ApiResource::erase::<Namespace>(&()),
    ] {
        reading.list_of(&list, "").await?;
    }
    reading.gateway().await?;
    reading.connections().await?;
    if secrets == Secrets::Read {
        reading.secrets().await?;
    }
    reading.permissions().await?;
    if secrets == Secrets::Read {
        let asked = ask(cluster, &reading.found).await?;
        reading.found.asked = asked.or_note(&mut reading.found.unread);
    }
    Ok(reading.found)
}

struct Reading<'a> {
    cluster: &'a Cluster,
    found: Installation,
}

impl Reading<'_> {
    async fn object<K: Resource<DynamicType = ()>>(
        &mut self,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let resource = ApiResource::erase::<K>(&());
        let key = (resource.kind.clone(), namespace.to_owned(), name.to_owned());
        // A connection may lead to what was read for another check.
        if self.found.objects.contains_key(&key) {
            return Ok(());
        }
        let found = self.cluster.get(&resource, scope(namespace), name).await?;
        if let Some(found) = found.or_note(&mut self.found.unread) {
            self.found.objects.insert(key, found);
        }
        Ok(())
    }

    async fn list<K: Resource<DynamicType = ()>>(&mut self, namespace: &str) -> Result<()> {
        self.list_of(&ApiResource::erase::<K>(&()), namespace).await
    }

    async fn list_of(&mut self, resource: &ApiResource, namespace: &str) -> Result<()> {
        let key = (resource.kind.clone(), namespace.to_owned());
        if self.found.lists.contains_key(&key) {
            return Ok(());
        }
        let found = self.cluster.list(resource, scope(namespace), "").await?;
        if let Some(found) = found.or_note(&mut self.found.unread) {
            self.found.lists.insert(key, found);
        }
        Ok(())
    }

    /// What the registrar that is in force writes and rolls, and what LiteLLM reads.
    async fn gateway(&mut self) -> Result<()> {
        let all = self.found.list("MCPPlugin", "").unwrap_or_default();
        let Some(registrar) = plugins::active_registrar(all).cloned() else {
            return Ok(());
        };
        for map in gateway::config_maps(&registrar) {
            self.object::<ConfigMap>(map.namespace, map.name).await?;
        }
        for workload in gateway::workloads(&registrar) {
            self.object::<Deployment>(workload.namespace, workload.name)
                .await?;
            self.list::<Pod>(workload.namespace).await?;
            let deployment = self
                .found
                .object("Deployment", workload.namespace, workload.name);
            let deployment = deployment.there().cloned().unwrap_or_default();
            for mount in mounts(&deployment) {
                self.object::<ConfigMap>(workload.namespace, mount.config_map)
                    .await?;
            }
        }
        Ok(())
    }

    /// The certificate of the webhook, and the names of keys.
    async fn secrets(&mut self) -> Result<()> {
        let namespace = self.found.namespace.clone();
        let mut names = vec![self.found.certificate_secret()];
        let all = self.found.list("MCPPlugin", "").unwrap_or_default();
        let connections = all.iter().flat_map(plugins::secret_keys);
        names.extend(connections.map(|(name, _)| name.to_owned()));
        for name in names {
            self.object::<Secret>(&namespace, &name).await?;
        }
        let (deployments, known) = self.gateway_keys().await?;
        for ((kind, ..), object) in &mut self.found.objects {
            if let Some(object) = object.as_mut().filter(|_| kind == "Secret") {
                let own = connections::master_keys(object, &deployments, &known);
                forget(object);
                object[connections::MASTER_KEYS] = json!(own);
            }
        }
        Ok(())
    }

    /// What connections lead to.
    async fn connections(&mut self) -> Result<()> {
        let plugins = self
            .found
            .list("MCPPlugin", "")
            .unwrap_or_default()
            .to_vec();
        for connection in plugins.iter().flat_map(connections::connections) {
            self.object::<Service>(connection.namespace, connection.service)
                .await?;
            self.list::<EndpointSlice>(connection.namespace).await?;
        }
        Ok(())
    }

    /// The Deployments beside the Services that connections lead to, and the keys that they take from Secrets.
    async fn gateway_keys(&mut self) -> Result<(Vec<Value>, Vec<String>)> {
        let plugins = self.found.list("MCPPlugin", "").unwrap_or_default();
        let namespaces: BTreeSet<String> = plugins
            .iter()
            .flat_map(connections::connections)
            .map(|connection| connection.namespace.to_owned())
            .collect();
        let (mut deployments, mut known) = (Vec::new(), Vec::new());
        for namespace in namespaces {
            self.list::<Deployment>(&namespace).await?;
            let there = self.found.list("Deployment", &namespace);
            let there = there.unwrap_or_default().to_vec();
            for (secret, key) in there.iter().flat_map(connections::master_key_secrets) {
                self.object::<Secret>(&namespace, secret).await?;
                let found = self.found.object("Secret", &namespace, secret).there();
                let value = found.and_then(|found| found["data"][key].as_str());
                known.extend(value.map(str::to_owned));
            }
            deployments.extend(there);
        }
        Ok((deployments, known))
    }

    async fn permissions(&mut self) -> Result<()> {
        let user = account(&self.found);
        let needed = needed(&self.found);
        // Who may not ask is told so once, and not for each verb.
        let first = self
            .cluster
            .may(&user, &needed[..1.min(needed.len())])
            .await?;
        if let Readable::Unknown(why) = first {
            self.found.unread.push(why);
            return Ok(());
        }
        let Readable::Known(mut answers) = self.cluster.may(&user, &needed).await? else {
            return Ok(());
        };
        let denied: Vec<Permission> = answers
            .iter()
            .filter(|(_, allowed)| !allowed)
            .map(|(it, _)| it.clone())
            .collect();
        let narrower = by_namespace(&denied, &self.found);
        if let Readable::Known(narrow) = self.cluster.may(&user, &narrower).await? {
            // What is granted by namespaces need not be granted everywhere.
            answers.retain(|(permission, _)| {
                let same = |it: &Permission| {
                    Permission {
                        namespace: None,
                        ..it.clone()
                    } == *permission
                };
                !narrow.iter().any(|(it, _)| same(it))
            });
            answers.extend(narrow);
        }
        self.found.permissions = answers;
        Ok(())
    }
}

fn scope(namespace: &str) -> Scope<'_> {
    if namespace.is_empty() {
        Scope::Cluster
    } else {
        Scope::Namespace(namespace)
    }
}

/// Leaves the names of keys, and certificates, which are no secrets.
fn forget(secret: &mut Value) {
    let data = secret["data"].as_object().cloned().unwrap_or_default();
    let kept = data.into_iter().map(|(key, value)| {
        let is_public = ["tls.crt", "ca.crt"].contains(&key.as_str());
        (key, if is_public { value } else { json!("") })
    });
    let kept: BTreeMap<String, Value> = kept.collect();
    let is_certificate = kept.contains_key("tls.crt");
    let fits = is_certificate.then(|| certificate::key_fits(secret));
    *secret = json!({ "kind": "Secret", "data": kept, certificate::KEY_FITS: fits });
}
